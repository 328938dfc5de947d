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

#[test]
fn gateway_allows_exactly_the_calls_that_the_filter_makes_and_takes() {
    let Some(module) = support::skip::module() else { return };
    let needed = support::abi::names(&std::fs::read(module).unwrap());

    let example = Example::load("envoy/gateway.yaml");
    let allowed = &example.wasm()["capability_restriction_config"]["allowed_capabilities"];
    let allowed: BTreeSet<_> = allowed.as_object().unwrap().keys().cloned().collect();
    let missing: Vec<_> = needed.difference(&allowed).collect();
    let surplus: Vec<_> = allowed.difference(&needed).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "missing {missing:?}, surplus {surplus:?}");
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
