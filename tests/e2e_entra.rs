//! Tokens of Microsoft Entra ID, made with test keys, in a real Envoy; and the shipped example.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use support::entra::{self, OBJECT, TENANT, issuer as v2};
use support::example::{Folder, adapt};
use support::idp::{ENTRA_JWKS, Idp, Scheme};
use support::prelude::*;

const OTHER: &str = "11111111-2222-3333-4444-555555555555";
const STRANGER: &str = "99999999-2222-3333-4444-555555555555";
const CLIENT: &str = "aaaaaaaa-2222-3333-4444-555555555555";

fn v1(tenant: &str) -> String {
    format!("https://sts.windows.net/{tenant}/")
}

/// The claims of a v2.0 access token that a user of [`TENANT`] got, with some changed.
fn claims(changes: Value) -> Value {
    entra::claims(TENANT, merged(json!({"aud": CLIENT, "azp": CLIENT}), changes))
}

/// The same as a v1.0 token.
fn v1_claims(changes: Value) -> Value {
    let v1 = json!({
        "iss": v1(TENANT), "aud": format!("api://{CLIENT}"), "ver": "1.0", "azp": null,
        "appid": CLIENT,
    });
    claims(merged(v1, changes))
}

/// The common key set: one key for all tenants, one that says it is [`OTHER`]'s alone, one of
/// another cloud, and one that says nothing.
struct Keys {
    common: Signer,
    others: Signer,
    cloud: Signer,
    bare: Signer,
}

impl Keys {
    fn new() -> Self {
        // One private key is enough: the key set describes each `kid` differently.
        let key = Signer::new("RS256", "common");
        Self {
            others: key.with_kid("others"),
            cloud: key.with_kid("cloud"),
            bare: key.with_kid("bare"),
            common: key,
        }
    }

    fn jwks(&self) -> Value {
        json!({"keys": [
            entra::jwk(&self.common, &v2("{tenantid}")),
            entra::jwk(&self.others, &v2(OTHER)),
            entra::jwk(&self.cloud, "https://login.microsoftonline.us/{tenantid}/v2.0"),
            self.bare.jwk(),
        ]})
    }
}

/// A provider with the preset; its name is the path of its rule.
fn provider(name: &str, idp: &Idp, tenants: Value) -> Value {
    json!({
        "name": name, "preset": "entra", "tenants": tenants, "audiences": [format!("api://{CLIENT}")],
        "keys": {"remote": {"uri": idp.url(ENTRA_JWKS), "cluster": "entra", "timeout": "2s"}},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn entra_tokens_are_judged_by_version_tenant_and_key_issuer() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let keys = Keys::new();
    let idp = Idp::serving(Scheme::Http, keys.jwks());
    let rules = ["single", "several", "any"].map(
        |name| json!({"name": name, "match": {"paths": [format!("/{name}")]}, "providers": [name]}),
    );
    let envoy = fixture
        .envoy(json!({
            "providers": [
                provider("single", &idp, json!([TENANT])),
                provider("several", &idp, json!([OTHER, TENANT.to_uppercase()])),
                provider("any", &idp, json!("any")),
            ],
            "rules": rules,
        }))
        .cluster("entra", idp.address())
        .start()
        .await;
    let of = |tenant: &str| claims(json!({"iss": v2(tenant), "tid": tenant}));
    let (common, others) = (&keys.common, &keys.others);
    for (case, path, signer, claims, reason) in [
        ("v2", "/single", common, claims(json!({})), ""),
        ("v1", "/single", common, v1_claims(json!({})), ""),
        ("v1 by a bare key", "/single", &keys.bare, v1_claims(json!({})), ""),
        ("app", "/single", common, claims(json!({"scp": null, "roles": ["Score"]})), ""),
        ("stranger", "/single", common, of(STRANGER), "tenant_not_allowed"),
        ("several, first", "/several", common, of(OTHER), ""),
        ("several, second", "/several", common, of(TENANT), ""),
        ("several, stranger", "/several", common, of(STRANGER), "tenant_not_allowed"),
        ("any", "/any", common, of(STRANGER), ""),
        ("own key", "/any", others, of(OTHER), ""),
        ("own key, v1", "/any", others, v1_claims(json!({"iss": v1(OTHER), "tid": OTHER})), ""),
        ("key of another tenant", "/any", others, of(TENANT), "issuer_not_allowed"),
        ("key of another tenant, v1", "/any", others, v1_claims(json!({})), "issuer_not_allowed"),
        ("key of another cloud", "/any", &keys.cloud, of(TENANT), "issuer_not_allowed"),
        ("tid of another", "/any", common, claims(json!({"tid": OTHER})), "tenant_not_allowed"),
        ("tid is a name", "/any", common, claims(json!({"tid": "contoso.com"})), "claim_malformed"),
        (
            "both are names",
            "/any",
            common,
            claims(json!({"iss": v2("contoso.com"), "tid": "contoso.com"})),
            "claim_malformed",
        ),
        ("no tid", "/any", common, claims(json!({"tid": null})), "claim_missing"),
        ("ID token", "/any", common, claims(json!({"scp": null})), "token_use_mismatch"),
        ("audience", "/any", common, claims(json!({"aud": OTHER})), "audience_mismatch"),
        ("issuer", "/any", common, claims(json!({"iss": "https://i"})), "issuer_not_allowed"),
    ] {
        let request = Request::get(path).bearer(signer.sign(&claims)).case(case);
        let response = envoy.send(&request).await;
        let status = if reason.is_empty() { 200 } else { 401 };
        assert_eq!((response.status, response.reason().as_str()), (status, reason), "{case}");
    }
    // The identity is tenant and object, and without an object tenant and client.
    let identity = |case: &str| {
        fixture.upstream.case(case).unwrap().header("x-auth-identity").unwrap().to_owned()
    };
    assert_eq!(identity("v2"), format!("{TENANT}/{OBJECT}"));
    for (case, claims) in
        [("azp", claims(json!({"oid": null}))), ("appid", v1_claims(json!({"oid": null})))]
    {
        let request = Request::get("/single").bearer(keys.common.sign(&claims)).case(case);
        assert_eq!(envoy.send(&request).await.status, 200, "{case}");
        assert_eq!(identity(case), format!("{TENANT}/{CLIENT}"), "{case}");
    }
    // Three providers of one address through one cluster: three states, three fetches.
    assert_eq!(idp.fetches(), 3);
}

/// The shipped file with the addresses of this test in it: the name that it sends, the name that
/// it checks and the authority that it trusts are judged by a real handshake.
#[tokio::test(flavor = "multi_thread")]
async fn the_example_with_remote_keys_verifies_an_entra_token() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let keys = Keys::new();
    let idp = Idp::serving(Scheme::Https, keys.jwks());
    let folder = Folder::new();
    let entra = format!("address: 127.0.0.1, port_value: {}", idp.address().port());
    let model = format!("port_value: {}", fixture.upstream.address().port());
    let yaml = adapt(
        std::fs::read_to_string(support::root().join("envoy/remote-keys.yaml")).unwrap(),
        &[
            ("address: login.microsoftonline.com, port_value: 443", &entra),
            ("port_value: 8080", &model),
            ("port_value: 9901", "port_value: 0"),
            ("port_value: 10000", "port_value: 0"),
            ("/etc/ssl/certs/ca-certificates.crt", &folder.file("ca.pem", idp.ca_pem())),
            ("dist/tollgate.wasm", support::module().to_str().unwrap()),
        ],
    );
    let envoy = fixture.proxy().start_file(&yaml).await;
    let claims = v1_claims(json!({"aud": "api://scoring"}));
    let request = Request::post("/score", "{}").bearer(keys.common.sign(&claims));
    let response = envoy.send(&request).await;
    assert_eq!(response.status, 200, "{} {:#?}", response.reason(), envoy.filter_log());
    let stranger = self::claims(json!({"iss": v2(OTHER), "tid": OTHER, "aud": "api://scoring"}));
    let request = Request::post("/score", "{}").bearer(keys.common.sign(&stranger));
    assert_eq!(envoy.send(&request).await.reason(), "tenant_not_allowed");
    assert_eq!(idp.visits()[0].path, ENTRA_JWKS);
}
