//! The memory for tokens in a real Envoy with one worker.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use support::prelude::*;

async fn start(fixture: &Fixture, more: Value) -> Envoy {
    let mut config = fixture.config(more);
    config["providers"][0]["clock_skew"] = json!("0s");
    fixture.envoy(config).workers(1).start().await
}

/// Hits, negative hits, misses; signatures that were checked.
async fn looks(envoy: &Envoy) -> [u64; 4] {
    let stats = envoy.stats("wasmcustom.tollgate_").await;
    let count = |part: &str| {
        stats.iter().filter(|(name, _)| name.contains(part)).map(|(_, value)| value).sum()
    };
    [
        count("token_cache.result.hit"),
        count("token_cache.result.negative_hit"),
        count("token_cache.result.miss"),
        count("tollgate_verify."),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_verified_once_and_tagged_each_time() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let envoy = start(&fixture, json!({})).await;
    let tokens = ["alice", "bob"].map(|name| fixture.token(name));
    for _ in 0..5 {
        for token in &tokens {
            assert_eq!(envoy.judge(token).await.0, 200);
        }
    }
    assert_eq!(looks(&envoy).await, [8, 0, 2, 2]);
    let requests = fixture.upstream.requests();
    let subjects = requests.iter().map(|request| request.header("x-auth-subject").unwrap());
    assert_eq!(subjects.collect::<Vec<_>>(), ["alice", "bob"].repeat(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remembered_token_is_refused_from_exp_on() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let envoy = start(&fixture, json!({})).await;
    let exp = mint::now() + 3;
    let token = fixture.token_with("alice", json!({"exp": exp}));
    assert_eq!(envoy.judge(&token).await.0, 200);
    assert_eq!(envoy.judge(&token).await.0, 200);
    assert_eq!(looks(&envoy).await, [1, 0, 1, 1]);
    while mint::now() < exp {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(envoy.judge(&token).await, refused("expired"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_one_forged_token_costs_one_verification() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let envoy = start(&fixture, json!({})).await;
    let forged = Signer::new("ES256", "key-1").sign(&mint::claims("alice"));
    for _ in 0..10 {
        assert_eq!(envoy.judge(&forged).await, refused("signature_invalid"));
    }
    assert_eq!(looks(&envoy).await, [0, 9, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_no_entries_every_request_is_verified() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let envoy = start(&fixture, json!({"token_cache": {"entries": 0}})).await;
    let token = fixture.token("alice");
    for _ in 0..5 {
        assert_eq!(envoy.judge(&token).await.0, 200);
    }
    assert_eq!(looks(&envoy).await, [0, 0, 0, 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pushed_configuration_forgets_tokens_of_keys_that_are_gone() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let mut envoy = start(&fixture, json!({})).await;
    let token = fixture.token("alice");
    for _ in 0..2 {
        assert_eq!(envoy.judge(&token).await.0, 200);
    }
    let next = Signer::new("ES256", "key-2");
    envoy.reload(json!({"providers": [provider(&[&next], &["ES256"])]})).await;
    let gone = support::eventually(async || {
        let answer = envoy.judge(&token).await;
        (answer.0 != 200).then_some(answer)
    });
    assert_eq!(gone.await, Some(refused("key_unknown")));
}
