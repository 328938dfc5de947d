//! The statements of docs/scope.md about requests: credentials that are not supported, tokens that pass all
//! the same, and the filter that blocks a caller.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use support::docs;
use support::mint::b64;
use support::prelude::*;

const PAGE: &str = "docs/scope.md";

/// The YAML block of the page under a heading.
fn block(heading: &str) -> Value {
    let blocks = docs::blocks(PAGE);
    let found: Vec<_> = blocks.iter().filter(|block| block.heading == heading).collect();
    assert_eq!(found.len(), 1, "{heading}");
    found[0].documents().remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_not_supported_have_the_reason_of_the_page() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let bound = json!({"scope": "score.invoke", "cnf": {"jkt": b64(&[7; 32])}});
    let allow = &block("DPoP-bound tokens")["allow"];
    let strict = json!({"name": "strict", "match": {"paths": ["/strict"]}, "allow": allow});
    let envoy = fixture.envoy(json!({"rules": [strict, {"name": "all"}]})).start().await;

    let assertion = b64(b"<saml:Assertion xmlns:saml='urn:oasis:names:tc:SAML:2.0:assertion'/>");
    let encrypted = [r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#, "key", "iv", "text", "tag"];
    let encrypted = encrypted.map(|part| b64(part.as_bytes())).join(".");
    let proof = format!("DPoP {}", fixture.token_with("alice", bound.clone()));
    let page = std::fs::read_to_string(support::root().join(PAGE)).unwrap();
    for (row, authorization, reason) in [
        ("SAML", format!("Bearer {assertion}"), "token_malformed"),
        ("opaque tokens", "Bearer 2YotnFZFEjr1zCsicMWpAA".into(), "token_malformed"),
        ("encrypted tokens", format!("Bearer {encrypted}"), "token_malformed"),
        ("DPoP proofs", proof, "token_missing"),
        ("API keys, Basic", "Basic YWxpY2U6c2VjcmV0".into(), "token_missing"),
    ] {
        let request = Request::get("/").header("authorization", &authorization);
        let response = envoy.send(&request).await;
        assert_eq!((response.status, response.reason().as_str()), (401, reason), "{row}");
        let line = page.lines().find(|line| line.starts_with(&format!("| {row}"))).unwrap();
        assert!(line.contains(&format!("401 `{reason}`")), "{line}");
    }

    let token = fixture.token_with("alice", bound);
    assert_eq!(envoy.send(&Request::get("/").bearer(&token)).await.status, 200);
    let refused = envoy.send(&Request::get("/strict").bearer(&token)).await;
    assert_eq!(refused.reason(), "claim_insufficient");
    let free = fixture.token_with("alice", json!({"scope": "score.invoke"}));
    assert_eq!(envoy.send(&Request::get("/strict").bearer(free)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_filter_of_the_page_blocks_one_caller() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let filter = block("Block a caller at once");
    let envoy = fixture.envoy(json!({})).filter_after(filter).start().await;
    let forged = fixture.get("/", "mallory").header("x-auth-identity", "https://issuer.test/alice");
    for request in [fixture.get("/", "mallory"), forged] {
        assert_eq!(envoy.send(&request).await.status, 403);
    }
    assert_eq!(fixture.upstream.count(), 0);
    let line = envoy.access_after(0).await;
    assert_eq!((&line["decision"], &line["status"]), (&json!("allow"), &json!(403)));
    assert!(line["details"].as_str().unwrap().contains("blocked"), "{line}");
    assert_eq!(envoy.send(&fixture.get("/", "alice")).await.status, 200);
}
