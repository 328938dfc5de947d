//! Both engines in a real Envoy: the proxy's verifier and the module's.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use support::prelude::*;

const HOST: [&str; 6] = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"];
const MODULE: [&str; 8] = ["PS256", "PS384", "PS512", "ES256K", "EdDSA", "HS256", "HS384", "HS512"];

async fn start(fixture: &Fixture, crypto: &str, signers: &[Signer]) -> Envoy {
    let algorithms: Vec<_> = signers.iter().map(Signer::algorithm).collect();
    let providers = [provider(&signers.iter().collect::<Vec<_>>(), &algorithms)];
    fixture.envoy(json!({"providers": providers, "crypto": crypto})).start().await
}

async fn checked(envoy: &Envoy, engine: &str, result: &str) -> u64 {
    envoy.stat(&format!("wasmcustom.tollgate_verify.engine.{engine}.result.{result}")).await
}

fn signers() -> Vec<Signer> {
    HOST.iter().chain(&MODULE).map(|name| Signer::new(name, &format!("key-{name}"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_verifies_what_it_has_proven_and_the_module_the_rest() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let signers = signers();
    let envoy = start(&fixture, "auto", &signers).await;
    for signer in &signers {
        let token = signer.sign(&mint::claims("alice"));
        assert_eq!(envoy.judge(&token).await.0, 200, "{}", signer.algorithm());
        let answer = envoy.judge(&mint::tampered(&token)).await;
        assert_eq!(answer, refused("signature_invalid"), "{}", signer.algorithm());
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
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let signers = signers();
    let envoy = start(&fixture, "module", &signers).await;
    for signer in &signers {
        let answer = envoy.judge(&signer.sign(&mint::claims("alice"))).await;
        let expected = match signer.algorithm() {
            "ES512" => refused("algorithm_not_allowed"),
            _ => good(),
        };
        assert_eq!(answer, expected, "{}", signer.algorithm());
    }
    assert_eq!(checked(&envoy, "module", "ok").await, (signers.len() - 1) as u64);
    assert_eq!(checked(&envoy, "host", "ok").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_p521_key_off_its_curve_verifies_nothing() {
    let Some(fixture) = Fixture::new("ES512").await else { return };
    let mut config = fixture.config(json!({}));
    let y = &mut config["providers"][0]["keys"]["inline"]["keys"][0]["y"];
    let text = y.as_str().unwrap().to_owned();
    let other = if text.ends_with('A') { "Q" } else { "A" };
    *y = json!(format!("{}{other}", &text[..text.len() - 1]));
    let envoy = fixture.envoy(config).start().await;
    assert_eq!(envoy.judge(&fixture.token("alice")).await, refused("signature_invalid"));
    assert_eq!(checked(&envoy, "host", "ok").await, 0);
}
