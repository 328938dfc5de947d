//! Tokens of real identity providers in a real Envoy that fetches their keys by discovery.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use support::daemon::Group;
use support::keycloak::Keycloak;
use support::prelude::*;
use support::skip::{absent, program};

/// A file under `target/providers`, where `scripts/install/providers` installs.
fn installed(path: &str) -> Option<PathBuf> {
    let path = support::root().join("target/providers").join(path).canonicalize().ok()?;
    path.exists().then_some(path)
}

fn address(issuer: &str) -> SocketAddr {
    issuer.strip_prefix("http://").unwrap().split('/').next().unwrap().parse().unwrap()
}

/// An access token for the client's own credentials (RFC 6749 §4.4), from the discovered endpoint.
async fn token(issuer: &str, client: (&str, &str), more: &str) -> String {
    let address = address(issuer);
    let path = |url: &Value| {
        let url = url.as_str().unwrap().strip_prefix("http://").unwrap();
        url[url.find('/').unwrap()..].to_owned()
    };
    let host = |request: Request| request.host(address.to_string());
    let base = issuer.trim_end_matches('/').strip_prefix(&format!("http://{address}")).unwrap();
    let discovery = Request::get(format!("{base}/.well-known/openid-configuration"));
    let discovery = client::send(address, &host(discovery)).await.json();
    assert_eq!(discovery["issuer"], issuer);
    let (id, secret) = client;
    let body = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}{more}");
    let request = Request::post(path(&discovery["token_endpoint"]), body)
        .header("content-type", "application/x-www-form-urlencoded");
    let answer = client::send(address, &host(request)).await;
    let token = answer.json()["access_token"].as_str().map(str::to_owned);
    token.unwrap_or_else(|| panic!("no token: {} {}", answer.status, answer.json()))
}

/// An Envoy that takes tokens of an issuer for some audiences and fetches its keys by discovery.
async fn start(fixture: &Fixture, issuer: &str, audiences: Value) -> Envoy {
    let discovery = format!("{issuer}/.well-known/openid-configuration");
    fixture
        .envoy(json!({
            "providers": [{
                "name": "idp",
                "issuers": [issuer],
                "audiences": audiences,
                "keys": {"remote": {"discovery": discovery, "cluster": "idp"}},
            }],
        }))
        .cluster("idp", address(issuer))
        .start()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_oidc_provider_pass_by_each_algorithm_for_their_audience_alone() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let (Some(node), Some(script)) = (program("node"), installed("node/idp.mjs")) else {
        return absent("oidc-provider is absent: run scripts/install/providers node");
    };
    let mut command = Command::new(node);
    command.arg(&script).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = Group::start(command.current_dir(script.parent().unwrap()));
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let idp: Value = serde_json::from_str(&line).expect("oidc-provider listens");
    let text = |name: &str| idp[name].as_str().unwrap().to_owned();
    let (issuer, client, secret) = (text("issuer"), text("client"), text("secret"));
    let algorithms: Vec<_> =
        idp["algorithms"].as_array().unwrap().iter().map(|a| a.as_str().unwrap()).collect();
    assert!(algorithms.len() >= 4, "{algorithms:?}");
    let audience = |algorithm: &&str| format!("urn:api:{algorithm}");
    let audiences: Vec<_> = algorithms.iter().map(audience).collect();
    let envoy = start(&fixture, &issuer, json!(audiences)).await;
    for (at, algorithm) in algorithms.iter().enumerate() {
        let for_resource = |resource: String| format!("&scope=score.invoke&resource={resource}");
        let client = (client.as_str(), secret.as_str());
        let good = token(&issuer, client, &for_resource(audience(algorithm))).await;
        let other = token(&issuer, client, &for_resource(format!("urn:other:{algorithm}"))).await;
        assert_eq!(envoy.judge(&good).await, (200, String::new()), "{algorithm}");
        assert_eq!(envoy.judge(&other).await, refused("audience_mismatch"), "{algorithm}");
        assert_eq!(envoy.judge(&mint::tampered(&good)).await, refused("signature_invalid"));
        assert_eq!(fixture.upstream.count(), at + 1);
    }
}

/// A realm with two clients, whose tokens are for `api` and for `other`.
fn realm(secret: &str) -> Value {
    let client = |id: &str, audience: &str| {
        json!({
            "clientId": id,
            "secret": secret,
            "serviceAccountsEnabled": true,
            "standardFlowEnabled": false,
            "protocolMappers": [{
                "name": "audience",
                "protocol": "openid-connect",
                "protocolMapper": "oidc-audience-mapper",
                "config": {
                    "included.custom.audience": audience, "access.token.claim": "true",
                },
            }],
        })
    };
    json!({
        "clients": [client("caller", "api"), client("elsewhere", "other")],
    })
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "make providers: Keycloak takes most of a minute to start"]
async fn tokens_of_keycloak_pass_for_their_audience_alone() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let secret = mint::b64(&mint::now().to_be_bytes());
    let Some(keycloak) = Keycloak::start(realm(&secret)).await else { return };
    let issuer = keycloak.issuer.clone();
    let good = token(&issuer, ("caller", &secret), "").await;
    let other = token(&issuer, ("elsewhere", &secret), "").await;
    let envoy = start(&fixture, &issuer, json!(["api"])).await;
    assert_eq!(envoy.judge(&good).await, (200, String::new()));
    assert_eq!(envoy.judge(&other).await, refused("audience_mismatch"));
    assert_eq!(envoy.judge(&mint::tampered(&good)).await, refused("signature_invalid"));
    assert_eq!(fixture.upstream.count(), 1);
}
