//! The manifests for Istio and Envoy Gateway as a proxy gets them, in a real Envoy: the cluster of a
//! ServiceEntry and a DestinationRule, the plugin's configuration as a StringValue, and behind it
//! the RBAC filter of an AuthorizationPolicy.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use support::entra::{self, OBJECT, TENANT as HOME};
use support::example::{self, Folder};
use support::idp::{ENTRA_JWKS, Idp, Scheme};
use support::manifests::{self, PLUGIN, named, one, read, text};
use support::prelude::*;

const PARTNER: &str = "11111111-2222-3333-4444-555555555555";
const STRANGER: &str = "99999999-2222-3333-4444-555555555555";

/// A token that a user of a tenant got, for the audience of the manifests.
fn token(fixture: &Fixture, tenant: &str, changes: Value) -> String {
    fixture.signer.sign(&entra::claims(tenant, changes))
}

/// The cluster `outbound|PORT||HOST` as the mesh makes it of the shipped ServiceEntry and
/// DestinationRule; this test's address and authority are in the place of the real ones.
fn outbound(idp: &Idp, folder: &Folder) -> Value {
    let keys = read("istio/base/keys.yaml");
    let host = text(one(&keys, "ServiceEntry"), "/spec/hosts/0").to_owned();
    let setting = one(&keys, "DestinationRule").pointer("/spec/trafficPolicy/portLevelSettings/0");
    let (port, tls) = (&setting.unwrap()["port"]["number"], &setting.unwrap()["tls"]);
    assert_eq!((&tls["mode"], &tls["caCertificates"]), (&json!("SIMPLE"), &json!("system")));
    let names = tls["subjectAltNames"].as_array().unwrap();
    let names = names.iter().map(|name| json!({"san_type": "DNS", "matcher": {"exact": name}}));
    let mut cluster = support::envoy::cluster(&format!("outbound|{port}||{host}"), idp.address());
    cluster["transport_socket"] = json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.\
                      UpstreamTlsContext",
            "sni": tls["sni"],
            "common_tls_context": {"validation_context": {
                "trusted_ca": {"filename": folder.file("ca.crt", idp.ca_pem())},
                "match_typed_subject_alt_names": names.collect::<Vec<_>>(),
            }},
        },
    });
    cluster
}

/// The RBAC filter that Istio makes of an AuthorizationPolicy: within a rule everything must hold, of
/// the values of one thing any; a value is the whole header, `*` any.
fn rbac(policy: &Value) -> Value {
    assert_eq!(policy["spec"]["action"], "ALLOW");
    let header = |name: &str, value: &Value| match value.as_str().unwrap() {
        "*" => json!({"name": name, "present_match": true}),
        exact => json!({"name": name, "string_match": {"exact": exact}}),
    };
    let values = |list: &Value| list.as_array().unwrap().clone();
    let mut policies = serde_json::Map::new();
    for (number, rule) in values(&policy["spec"]["rules"]).iter().enumerate() {
        let operation = &rule["to"][0]["operation"];
        let paths = values(&operation["paths"]);
        let paths = paths.iter().map(|path| json!({"url_path": {"path": {"exact": path}}}));
        let methods = values(&operation["methods"]);
        let methods = methods.iter().map(|method| json!({"header": header(":method", method)}));
        let mut principals = vec![json!({"any": true})];
        for condition in rule["when"].as_array().into_iter().flatten() {
            let name = text(condition, "/key").strip_prefix("request.headers[").unwrap();
            let name = name.strip_suffix(']').unwrap();
            let any = values(&condition["values"]);
            let any = any.iter().map(|value| json!({"header": header(name, value)}));
            principals.push(json!({"or_ids": {"ids": any.collect::<Vec<_>>()}}));
        }
        policies.insert(
            format!("rule[{number}]"),
            json!({
                "permissions": [{"and_rules": {"rules": [
                    {"or_rules": {"rules": paths.collect::<Vec<_>>()}},
                    {"or_rules": {"rules": methods.collect::<Vec<_>>()}},
                ]}}],
                "principals": [{"and_ids": {"ids": principals}}],
            }),
        );
    }
    json!({"name": "envoy.filters.http.rbac", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
        "rules": {"action": "ALLOW", "policies": policies},
    }})
}

fn authorization() -> Value {
    rbac(named(&read("istio/base/authorization.yaml"), "AuthorizationPolicy", "scoring"))
}

fn score() -> Request {
    Request::post("/score", "{}")
}

#[tokio::test(flavor = "multi_thread")]
async fn istio_lets_pass_whom_both_admit_and_decides_by_no_header_of_the_caller() {
    let Some(fixture) = Fixture::new("RS256").await else { return };
    let (idp, folder) = (Idp::serving(Scheme::Https, entra::keys(&fixture.signer)), Folder::new());
    let plugin = read(PLUGIN).remove(0);
    let envoy = fixture
        .envoy(plugin["spec"]["pluginConfig"].clone())
        .raw_cluster(outbound(&idp, &folder))
        .filter_after(authorization())
        .start()
        .await;
    let spoofed =
        |request: Request| request.header("x-auth-tenant", HOME).header("x_auth_identity", "root");
    let good = |tenant| score().bearer(token(&fixture, tenant, json!({})));
    let expired = token(&fixture, HOME, json!({"exp": mint::now() - 300}));
    let roles = token(&fixture, HOME, json!({"roles": ["Model.Score", "Reader"]}));
    for (case, request, status, reason) in [
        ("home", good(HOME), 200, ""),
        ("roles", score().bearer(roles), 200, ""),
        ("probe", Request::get("/"), 200, ""),
        ("probe with our headers", spoofed(Request::get("/")), 200, ""),
        // Verified and tagged; that this tenant may not score is Istio's decision alone.
        ("partner", good(PARTNER), 403, ""),
        ("partner as home", spoofed(good(PARTNER)), 403, ""),
        ("nobody as home", spoofed(score()), 401, "token_missing"),
        ("expired", score().bearer(expired), 401, "expired"),
        ("stranger", good(STRANGER), 401, "tenant_not_allowed"),
        ("no rule", Request::get("/admin"), 403, "no_rule"),
    ] {
        let response = envoy.send(&request.case(case)).await;
        assert_eq!(response.status, status, "{case}: {:#?}", envoy.filter_log());
        // A refusal of Istio's is text, not a problem document.
        let ours = status == 200 || !reason.is_empty();
        match ours {
            true if status != 200 => assert_eq!(response.reason(), reason, "{case}"),
            true => {}
            false => assert_eq!(response.body, b"RBAC: access denied", "{case}"),
        }
    }
    let seen = fixture.upstream.case("home").unwrap();
    assert_eq!(seen.header("x-auth-identity"), Some(format!("{HOME}/{OBJECT}").as_str()));
    assert_eq!(seen.header("x-auth-tenant"), Some(HOME));
    assert_eq!(
        fixture.upstream.case("roles").unwrap().header("x-auth-roles"),
        Some("Model.Score,Reader")
    );
    let probe = fixture.upstream.case("probe with our headers").unwrap();
    assert_eq!((probe.header("x-auth-tenant"), probe.header("x_auth_identity")), (None, None));
    assert_eq!(fixture.upstream.count(), 4);
    // The log entry of a request that Istio refused has the caller and the cause.
    let line = envoy.access("partner as home").await;
    assert_eq!(line["identity"], format!("{PARTNER}/{OBJECT}"));
    assert!(line["details"].as_str().unwrap().starts_with("rbac_access_denied"), "{line}");
    assert_eq!(idp.visits()[0].path, ENTRA_JWKS);
}

/// Why the policy selects the proxies of the plugin and no others.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_plugin_the_policy_believes_whoever_writes_the_header() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let envoy = fixture.proxy().filter_after(authorization()).start().await;
    let bare = envoy.send(&score()).await;
    assert_eq!(bare.status, 403);
    let forged = score().header("x-auth-tenant", HOME).header("x-auth-identity", "root");
    assert_eq!(envoy.send(&forged).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn envoy_gateways_policy_finds_its_keys_in_the_cluster_of_the_bootstrap() {
    let Some(fixture) = Fixture::new("RS256").await else { return };
    let (idp, folder) = (Idp::serving(Scheme::Https, entra::keys(&fixture.signer)), Folder::new());
    let proxy = read("examples/envoy-gateway/proxy.yaml").remove(0);
    let authority = folder.file("ca.crt", idp.ca_pem());
    let bootstrap = example::adapt(
        text(&proxy, "/spec/bootstrap/value").to_owned(),
        &[
            ("/etc/ssl/certs/ca-certificates.crt", &authority),
            (
                "address: login.microsoftonline.com, port_value: 443",
                &format!("address: 127.0.0.1, port_value: {}", idp.address().port()),
            ),
        ],
    );
    let cluster = manifests::documents(&bootstrap)[0]["static_resources"]["clusters"][0].clone();
    let policy = read("examples/envoy-gateway/policy.yaml").remove(0);
    let envoy = fixture
        .envoy(policy["spec"]["wasm"][0]["config"].clone())
        .raw_cluster(cluster)
        .start()
        .await;
    let good = score().bearer(token(&fixture, HOME, json!({}))).header("x-auth-tenant", PARTNER);
    let response = envoy.send(&good).await;
    assert_eq!(response.status, 200, "{} {:#?}", response.reason(), envoy.filter_log());
    assert_eq!(fixture.upstream.last().unwrap().header("x-auth-tenant"), Some(HOME));
    let partner = score().bearer(token(&fixture, PARTNER, json!({})));
    assert_eq!(envoy.send(&partner).await.reason(), "tenant_not_allowed");
    assert_eq!(envoy.send(&score()).await.reason(), "token_missing");
    assert_eq!(idp.fetches(), 1);
}
