//! The examples under `envoy/` are valid and work as described, in a real Envoy.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::net::IpAddr;

use support::entra::{self, OBJECT, TENANT};
use support::example::{Example, Folder};
use support::idp::{Idp, Scheme};
use support::prelude::*;
use support::{tls, walk};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Each file under `envoy/` that is a whole configuration, as it is; the ones that name certificates
/// are validated below, with certificates.
#[tokio::test(flavor = "multi_thread")]
async fn every_example_that_needs_no_certificate_is_valid_as_it_is() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let folder = Folder::new();
    for path in ["envoy/minimal.yaml", "envoy/nginx/envoy.yaml", "envoy/haproxy/envoy.yaml"] {
        Example::load(path).validate(&fixture, &folder);
    }
}

/// An address that counts as internal may choose the id of its requests, their timeouts and their retries.
#[test]
fn no_example_makes_an_address_internal() {
    for example in walk::examples() {
        for object in walk::objects(&example.value) {
            assert_eq!(object.get("internal_address_config"), None, "{}", example.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn minimal_lets_a_good_token_pass_and_nothing_else() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let example =
        Example::load("envoy/minimal.yaml").cluster("upstream", fixture.upstream.address());
    let envoy = fixture.proxy().start_file(&example.text()).await;

    let good = fixture.get("/any", "alice");
    assert_eq!(envoy.send(&good.header("x-auth-subject", "root")).await.status, 200);
    assert_eq!(fixture.upstream.last().unwrap().header("x-auth-subject"), Some("alice"));
    let expired = claims_with("alice", json!({"exp": mint::now() - 300}));
    for (request, reason) in [
        (Request::get("/any"), "token_missing"),
        (Request::get("/any").bearer(fixture.signer.sign(&expired)), "expired"),
    ] {
        let response = envoy.send(&request).await;
        assert_eq!((response.status, response.reason().as_str()), (401, reason));
    }
    assert_eq!(fixture.upstream.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn gateway_takes_entra_tokens_over_tls_within_its_capabilities() {
    let Some(fixture) = Fixture::new("RS256").await else { return };
    let idp = Idp::serving(Scheme::Https, entra::keys(&fixture.signer));
    let authority = tls::Authority::new();
    let folder = Folder::new();
    let (certificate, key) = authority.server_pem();
    let example = Example::load("envoy/gateway.yaml")
        .cluster("upstream", fixture.upstream.address())
        .cluster("entra", idp.address())
        .with_file("/etc/tollgate/tls/tls.crt", &folder.file("tls.crt", certificate))
        .with_file("/etc/tollgate/tls/tls.key", &folder.file("tls.key", key))
        .with_file("/etc/ssl/certs/ca-certificates.crt", &folder.file("ca.crt", idp.ca_pem()));
    example.validate(&fixture, &folder);
    let envoy = fixture.proxy().start_file(&example.text()).await;

    let score = |tenant: &str| {
        let token = fixture.signer.sign(&entra::claims(tenant, json!({})));
        Request::post("/score", "{}").bearer(token)
    };
    let good = score(TENANT);
    let spoofed = good
        .clone()
        .header("x-forwarded-for", "203.0.113.9")
        .header("x-auth-identity", "root")
        .header("x-envoy-original-path", "/");
    let response = authority.send(envoy.address(), None, &spoofed).await;
    assert_eq!(response.status, 200, "{} {:#?}", response.reason(), envoy.filter_log());
    let seen = fixture.upstream.last().unwrap();
    let identity = format!("{TENANT}/{OBJECT}");
    assert_eq!(seen.header("x-auth-identity"), Some(identity.as_str()));
    assert_eq!(seen.header("x-envoy-original-path"), None);
    let line = envoy.access_after(0).await;
    assert_eq!(line["Identity"], identity);
    assert_eq!(line["ClientAddress"], "127.0.0.1", "not what x-forwarded-for says");

    // A caller with a private address is as any other: with `internal_address_config: {}` it would not be.
    let private = good.clone().header("x-request-id", "chosen").header("x-envoy-max-retries", "9");
    assert_eq!(authority.send(envoy.address(), None, &private).await.status, 200);
    let seen = fixture.upstream.last().unwrap();
    assert_eq!(seen.header("x-request-id").map(str::len), Some(36), "an id of the gateway");
    assert_eq!(seen.header("x-envoy-internal"), None);

    let stranger = score("11111111-2222-3333-4444-555555555555");
    for (request, status, reason) in [
        (Request::post("/score", "{}"), 401, "token_missing"),
        (stranger, 401, "tenant_not_allowed"),
        // Envoy's own refusal, before the filter: no reason.
        (good.clone().header("x_auth_identity", "root"), 400, ""),
    ] {
        let response = authority.send(envoy.address(), None, &request).await;
        assert_eq!((response.status, response.reason().as_str()), (status, reason));
    }
    let public = authority.send(envoy.address(), None, &Request::get("/")).await;
    assert_eq!(public.status, 200);
    assert!(public.header("ratelimit").is_some(), "a public route takes from the address's bucket");

    let stats = envoy.admin_get("/stats/prometheus").await;
    assert!(stats.contains(r#"rule="score""#), "the labels of the stats tags");
    assert!(!envoy.log().contains("restricted proxy-wasm capability"), "{}", envoy.log());
}

/// The callbacks that only some configurations need, each with the members that need it, by their names
/// anywhere in the configuration of the filter, the beginnings of templates, and the fields of the plugin.
const CALLBACKS: [(&str, &[&str]); 6] = [
    (
        "proxy_on_request_body",
        &[
            "payload",
            "json_rows",
            "body",
            "{@body:",
            "histograms",
            "allow_on_headers_stop_iteration",
        ],
    ),
    // The `RateLimit` fields of limits; an upstream that answers before a guarded body ended.
    ("proxy_on_response_headers", &["limits", "payload", "sealed_headers"]),
    ("proxy_on_response_body", &["response_cost"]),
    ("proxy_on_response_trailers", &["response_cost"]),
    ("proxy_on_http_call_response", &["remote"]),
    ("proxy_on_tick", &["remote", "concurrency", "hold_head"]),
];

/// Whether a member of this name, or a text that contains it, is anywhere in a value.
fn mentions(value: &Value, name: &str) -> bool {
    match value {
        // `body` in `allow` is a list; `responses.body` and that of a rule are words.
        Value::Object(map) => map.iter().any(|(key, value)| {
            key == name && (name != "body" || value.is_array()) || mentions(value, name)
        }),
        Value::Array(list) => list.iter().any(|value| mentions(value, name)),
        Value::String(text) => name.starts_with('{') && text.contains(name),
        _ => false,
    }
}

/// The functions of the module without the callbacks that a plugin has no use for.
fn needed_by(plugin: &Value, module: &BTreeSet<String>) -> BTreeSet<String> {
    let text = plugin["configuration"]["value"].as_str().unwrap();
    let filter: Value = serde_json::from_str(text).unwrap();
    let unused = |name: &str| {
        let row = CALLBACKS.iter().find(|(callback, _)| *callback == name);
        row.is_some_and(|(_, members)| {
            !members.iter().any(|member| mentions(&filter, member) || plugin[*member] == true)
        })
    };
    module.iter().filter(|name| !unused(name)).cloned().collect()
}

#[test]
fn each_list_of_capabilities_has_the_calls_of_the_module_and_the_callbacks_of_its_configuration() {
    let Some(module) = support::skip::module() else { return };
    let module = support::abi::names(&std::fs::read(module).unwrap());
    assert!(CALLBACKS.iter().all(|(callback, _)| module.contains(*callback)));

    let mut seen = Vec::new();
    for example in support::walk::examples() {
        for plugin in support::walk::objects(&example.value) {
            let allowed = &plugin["capability_restriction_config"]["allowed_capabilities"];
            let Some(allowed) = allowed.as_object() else { continue };
            let allowed: BTreeSet<_> = allowed.keys().cloned().collect();
            let needed = needed_by(plugin, &module);
            let missing: Vec<_> = needed.difference(&allowed).collect();
            let surplus: Vec<_> = allowed.difference(&needed).collect();
            let name = &example.name;
            assert!(missing.is_empty(), "{name}: missing {missing:?}");
            assert!(surplus.is_empty(), "{name}: surplus {surplus:?}");
            seen.push(name.clone());
        }
    }
    assert!(seen.iter().any(|name| name.ends_with("envoy/gateway.yaml")), "{seen:?}");
}

#[test]
fn what_a_configuration_has_decides_which_callbacks_it_needs() {
    let all: BTreeSet<_> = CALLBACKS.iter().map(|(callback, _)| (*callback).to_owned()).collect();
    let [request, head, response, trailers, answer, tick] = CALLBACKS.map(|(callback, _)| callback);
    for (filter, fields, expected) in [
        (json!({"providers": []}), json!({}), vec![]),
        (json!({"limits": []}), json!({}), vec![head]),
        (json!({"rules": [{"payload": {}}]}), json!({}), vec![request, head]),
        (json!({"rules": [{"cost": {"json_rows": "/a"}}]}), json!({}), vec![request]),
        (json!({"rules": [{"allow": [{"body": []}]}]}), json!({}), vec![request]),
        (json!({"responses": {"body": "v2"}}), json!({}), vec![]),
        (json!({"tags": [{"value": "{@body:/model}"}]}), json!({}), vec![request]),
        (json!({"telemetry": {"histograms": true}}), json!({}), vec![request]),
        (json!({}), json!({"allow_on_headers_stop_iteration": true}), vec![request]),
        (json!({"limits": [{"response_cost": {}}]}), json!({}), vec![head, response, trailers]),
        (json!({"keys": {"remote": {}}}), json!({}), vec![answer, tick]),
        (json!({"rules": [{"concurrency": 1}]}), json!({}), vec![tick]),
    ] {
        let plugin = merged(json!({"configuration": {"value": filter.to_string()}}), fields);
        let expected: BTreeSet<_> = expected.into_iter().map(str::to_owned).collect();
        assert_eq!(needed_by(&plugin, &all), expected, "{plugin}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sidecar_takes_named_peers_and_believes_the_address_that_they_name() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let (authority, folder) = (tls::Authority::new(), Folder::new());
    let example = sidecar(&fixture, &authority, &folder);
    example.validate(&fixture, &folder);
    let envoy = fixture.proxy().start_file(&example.text()).await;

    let gateway = authority.client(GATEWAY);
    let good = Request::post("/score", "{}")
        .bearer(fixture.token("alice"))
        .header("x-forwarded-for", "203.0.113.1, 198.51.100.7")
        .header("X-Auth-Subject", "root");
    let response = authority.send(envoy.address(), Some(&gateway), &good).await;
    assert_eq!(response.status, 200, "{}", response.reason());
    assert_eq!(response.header("server"), Some("istio-envoy"));
    let seen = fixture.upstream.last().unwrap();
    assert_eq!(seen.header("x-auth-subject"), Some("alice"));
    let peer = seen.header("x-forwarded-client-cert").unwrap();
    assert!(peer.contains("URI=spiffe://cluster.local/ns/ingress/sa/gateway"), "{peer}");
    let line = envoy.access_after(0).await;
    assert_eq!(line["ClientAddress"], "198.51.100.7", "the last that the gateway wrote");

    let bare = Request::post("/score", "{}");
    let response = authority.send(envoy.address(), Some(&gateway), &bare).await;
    assert_eq!(response.reason(), "token_missing");
    refuses_other_peers(&authority, &envoy, &good).await;
    assert_eq!(fixture.upstream.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_that_believes_the_gateway_gets_tag_headers_from_the_gateway_alone() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let (authority, folder) = (tls::Authority::new(), Folder::new());
    let example = sidecar(&fixture, &authority, &folder).believing();
    let envoy = fixture.proxy().start_file(&example.text()).await;
    let request = Request::post("/score", "{}").header("x-auth-subject", "alice");
    let gateway = authority.client(GATEWAY);
    assert_eq!(authority.send(envoy.address(), Some(&gateway), &request).await.status, 200);
    assert_eq!(fixture.upstream.last().unwrap().header("x-auth-subject"), Some("alice"));
    refuses_other_peers(&authority, &envoy, &request).await;
    assert_eq!(fixture.upstream.count(), 1);
}

const GATEWAY: &str = "spiffe://cluster.local/ns/ingress/sa/gateway";

/// `envoy/sidecar.yaml` with certificates of this authority.
fn sidecar(fixture: &Fixture, authority: &tls::Authority, folder: &Folder) -> Example {
    let (certificate, key) = authority.server_pem();
    Example::load("envoy/sidecar.yaml")
        .cluster("application", fixture.upstream.address())
        .with_file("/etc/tollgate/tls/tls.crt", &folder.file("tls.crt", certificate))
        .with_file("/etc/tollgate/tls/tls.key", &folder.file("tls.key", key))
        .with_file("/etc/tollgate/tls/ca.crt", &folder.file("ca.crt", authority.pem()))
}

/// The handshake fails for a peer that is not named or has no certificate.
async fn refuses_other_peers(authority: &tls::Authority, envoy: &Envoy, request: &Request) {
    let other = authority.client("spiffe://cluster.local/ns/default/sa/other");
    for client in [Some(&other), None] {
        let here: IpAddr = [127, 0, 0, 1].into();
        if let Ok(mut stream) = authority.connect(here, envoy.address(), client).await {
            let _ = stream.write_all(&request.to_bytes()).await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            assert!(answer.is_empty(), "{}", answer.escape_ascii());
        }
    }
}
