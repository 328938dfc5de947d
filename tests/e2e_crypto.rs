//! Both engines in a real Envoy: the proxy's verifier and the module's.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use support::prelude::*;
use support::scenario::provider;

const HOST: [&str; 6] = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"];
const MODULE: [&str; 8] = ["PS256", "PS384", "PS512", "ES256K", "EdDSA", "HS256", "HS384", "HS512"];

async fn envoy(crypto: &str, signers: &[&Signer], upstream: &Upstream) -> Option<Envoy> {
    let binary = support::envoy_binary("e2e_crypto")?;
    let algorithms: Vec<&str> = signers.iter().map(|signer| signer.algorithm()).collect();
    let envoy = Envoy::builder(binary)
        .upstream(upstream.address())
        .plugin_config(json!({"providers": [provider(signers, &algorithms)], "crypto": crypto}));
    Some(envoy.start().await)
}

/// Its status and reason.
async fn judge(envoy: &Envoy, token: &str) -> (u16, String) {
    let response = client::send(envoy.address(), &Request::get("/score").bearer(token)).await;
    (response.status, response.reason())
}

async fn checked(envoy: &Envoy, engine: &str, result: &str) -> u64 {
    envoy.stat(&format!("wasmcustom.tollgate_verify.engine.{engine}.result.{result}")).await
}

fn signers() -> Vec<Signer> {
    HOST.iter().chain(&MODULE).map(|name| Signer::new(name, &format!("key-{name}"))).collect()
}

/// The token with one bit of its signature turned.
fn forged(token: &str) -> String {
    let (head, signature) = token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    format!("{head}.{first}{}", &signature[1..])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_verifies_what_it_has_proven_and_the_module_the_rest() {
    let (signers, upstream) = (signers(), Upstream::start().await);
    let all: Vec<&Signer> = signers.iter().collect();
    let Some(envoy) = envoy("auto", &all, &upstream).await else { return };
    for signer in &signers {
        let token = signer.sign(&mint::claims("alice"));
        assert_eq!(judge(&envoy, &token).await.0, 200, "{}", signer.algorithm());
        let refused = (401, "signature_invalid".to_owned());
        assert_eq!(judge(&envoy, &forged(&token)).await, refused, "{}", signer.algorithm());
    }
    let by = [("host", HOST.len() as u64), ("module", MODULE.len() as u64)];
    for (engine, count) in by {
        assert_eq!(checked(&envoy, engine, "ok").await, count, "{engine}");
        assert_eq!(checked(&envoy, engine, "failed").await, count, "{engine}");
        assert_eq!(checked(&envoy, engine, "error").await, 0, "{engine}");
    }
    assert!(envoy.log().contains(r#"the proxy verifies {"RS256", "RS384", "RS512", "ES256", "#));
}

#[tokio::test(flavor = "multi_thread")]
async fn crypto_module_leaves_the_proxy_out_and_es512_refused() {
    let (signers, upstream) = (signers(), Upstream::start().await);
    let all: Vec<&Signer> = signers.iter().collect();
    let Some(envoy) = envoy("module", &all, &upstream).await else { return };
    for signer in &signers {
        let answer = judge(&envoy, &signer.sign(&mint::claims("alice"))).await;
        let expected = match signer.algorithm() {
            "ES512" => (401, "algorithm_not_allowed".to_owned()),
            _ => (200, String::new()),
        };
        assert_eq!(answer, expected, "{}", signer.algorithm());
    }
    assert_eq!(checked(&envoy, "module", "ok").await, (signers.len() - 1) as u64);
    assert_eq!(checked(&envoy, "host", "ok").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_p521_key_off_its_curve_verifies_nothing() {
    let (signer, upstream) = (Signer::new("ES512", "key-1"), Upstream::start().await);
    let Some(binary) = support::envoy_binary("e2e_crypto") else { return };
    let mut provider = provider(&[&signer], &["ES512"]);
    let y = &mut provider["keys"]["inline"]["keys"][0]["y"];
    let text = y.as_str().unwrap().to_owned();
    let other = if text.ends_with('A') { "Q" } else { "A" };
    *y = json!(format!("{}{other}", &text[..text.len() - 1]));
    let envoy = Envoy::builder(binary)
        .upstream(upstream.address())
        .plugin_config(json!({"providers": [provider]}))
        .start()
        .await;
    let answer = judge(&envoy, &signer.sign(&mint::claims("alice"))).await;
    assert_eq!(answer, (401, "signature_invalid".to_owned()));
    assert_eq!(checked(&envoy, "host", "ok").await, 0);
}
