//! The memory for tokens in a real Envoy with one worker.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use support::prelude::*;
use support::scenario::{claims_with, provider};

async fn envoy(signer: &Signer, upstream: &Upstream, more: Value) -> Option<Envoy> {
    let binary = support::envoy_binary("e2e_cache")?;
    let mut provider = provider(&[signer], &[signer.algorithm()]);
    provider["clock_skew"] = json!("0s");
    let mut document = json!({"providers": [provider]});
    document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let envoy = Envoy::builder(binary).workers(1).upstream(upstream.address());
    Some(envoy.plugin_config(document).start().await)
}

async fn judge(envoy: &Envoy, token: &str) -> (u16, String) {
    let response = client::send(envoy.address(), &Request::get("/score").bearer(token)).await;
    (response.status, response.reason())
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
    let (signer, upstream) = (Signer::new("ES256", "key-1"), Upstream::start().await);
    let Some(envoy) = envoy(&signer, &upstream, json!({})).await else { return };
    let tokens = ["alice", "bob"].map(|name| signer.sign(&mint::claims(name)));
    for _ in 0..5 {
        for token in &tokens {
            assert_eq!(judge(&envoy, token).await.0, 200);
        }
    }
    assert_eq!(looks(&envoy).await, [8, 0, 2, 2]);
    let requests = upstream.requests();
    let subjects = requests.iter().map(|request| request.header("x-auth-subject").unwrap());
    assert_eq!(subjects.collect::<Vec<_>>(), ["alice", "bob"].repeat(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remembered_token_is_refused_from_exp_on() {
    let (signer, upstream) = (Signer::new("ES256", "key-1"), Upstream::start().await);
    let Some(envoy) = envoy(&signer, &upstream, json!({})).await else { return };
    let exp = mint::now() + 3;
    let token = signer.sign(&claims_with("alice", json!({"exp": exp})));
    assert_eq!(judge(&envoy, &token).await.0, 200);
    assert_eq!(judge(&envoy, &token).await.0, 200);
    assert_eq!(looks(&envoy).await, [1, 0, 1, 1]);
    while mint::now() < exp {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(judge(&envoy, &token).await, (401, "expired".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_one_forged_token_costs_one_verification() {
    let (signer, upstream) = (Signer::new("ES256", "key-1"), Upstream::start().await);
    let Some(envoy) = envoy(&signer, &upstream, json!({})).await else { return };
    let forged = Signer::new("ES256", "key-1").sign(&mint::claims("alice"));
    for _ in 0..10 {
        assert_eq!(judge(&envoy, &forged).await, (401, "signature_invalid".to_owned()));
    }
    assert_eq!(looks(&envoy).await, [0, 9, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_no_entries_every_request_is_verified() {
    let (signer, upstream) = (Signer::new("ES256", "key-1"), Upstream::start().await);
    let off = json!({"token_cache": {"entries": 0}});
    let Some(envoy) = envoy(&signer, &upstream, off).await else { return };
    let token = signer.sign(&mint::claims("alice"));
    for _ in 0..5 {
        assert_eq!(judge(&envoy, &token).await.0, 200);
    }
    assert_eq!(looks(&envoy).await, [0, 0, 0, 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pushed_configuration_forgets_tokens_of_keys_that_are_gone() {
    let (signer, upstream) = (Signer::new("ES256", "key-1"), Upstream::start().await);
    let Some(mut envoy) = envoy(&signer, &upstream, json!({})).await else { return };
    let token = signer.sign(&mint::claims("alice"));
    for _ in 0..2 {
        assert_eq!(judge(&envoy, &token).await.0, 200);
    }
    let next = Signer::new("ES256", "key-2");
    envoy.reload(json!({"providers": [provider(&[&next], &["ES256"])]})).await;
    let gone = support::poll(Duration::from_secs(10), async || {
        let answer = judge(&envoy, &token).await;
        (answer.0 != 200).then_some(answer)
    });
    assert_eq!(gone.await, Some((401, "key_unknown".to_owned())));
}
