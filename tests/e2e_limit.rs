//! Buckets in a real Envoy with two workers: counted where it matters, at the upstream.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use support::prelude::*;
use support::scenario::provider;

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_requests_of_one_identity_never_exceed_the_burst() {
    let name = "concurrent_requests_of_one_identity_never_exceed_the_burst";
    let Some(binary) = support::envoy_binary(name) else { return };
    let signer = Signer::new("HS256", "key-1");
    let upstream = Upstream::start().await;
    let envoy = Envoy::builder(binary)
        .workers(2)
        .upstream(upstream.address())
        .plugin_config(json!({
            "providers": [provider(&[&signer], &["HS256"])],
            "rules": [{"name": "all", "limits": ["per-caller"]}],
            "limits": [{"name": "per-caller", "rate": "1/m", "burst": 10}],
        }))
        .start()
        .await;
    for subject in ["alice", "bob", "carol", "dave", "erin"] {
        upstream.clear();
        let token = signer.sign(&mint::claims(subject));
        let requests = vec![Request::get("/score").bearer(&token); 100];
        let responses = client::send_at_once(envoy.address(), requests).await;
        assert_eq!(upstream.count(), 10, "{subject}");
        let passed = responses.iter().filter(|response| response.status == 200).count();
        assert_eq!(passed, 10, "{subject}");
        for response in responses.iter().filter(|response| response.status != 200) {
            assert_eq!((response.status, response.reason().as_str()), (429, "rate_limited"));
            let wait: u64 = response.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=60).contains(&wait), "{wait}");
            let policy = response.header("ratelimit-policy").unwrap();
            assert!(policy.contains("\"per-caller\"") && policy.contains("q=10"), "{policy}");
            let state = response.header("ratelimit").unwrap();
            assert!(state.contains("\"per-caller\"") && state.contains("r=0"), "{state}");
        }
    }
    assert_eq!(envoy.vm_failures().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_caller_out_of_tokens_does_not_harm_another() {
    let name = "one_caller_out_of_tokens_does_not_harm_another";
    let Some(binary) = support::envoy_binary(name) else { return };
    let signer = Signer::new("HS256", "key-1");
    let upstream = Upstream::start().await;
    let envoy = Envoy::builder(binary)
        .upstream(upstream.address())
        .plugin_config(json!({
            "providers": [provider(&[&signer], &["HS256"])],
            "rules": [{"name": "all", "limits": ["first", "second"]}],
            "limits": [
                {"name": "first", "rate": "1/h", "burst": 3},
                {"name": "second", "rate": "1/h", "burst": 2},
            ],
        }))
        .start()
        .await;
    let status = async |subject: &str| {
        let token = signer.sign(&mint::claims(subject));
        client::send(envoy.address(), &Request::get("/score").bearer(token)).await.status
    };
    let greedy = [status("alice").await, status("alice").await, status("alice").await];
    assert_eq!(greedy, [200, 200, 429]);
    assert_eq!(status("bob").await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn fresh_identities_all_pass_and_memory_stays_inside_the_table() {
    let name = "fresh_identities_all_pass_and_memory_stays_inside_the_table";
    let Some(binary) = support::envoy_binary(name) else { return };
    let signer = Signer::new("HS256", "key-1");
    let upstream = Upstream::answering(|_| Reply::new(200, "")).await;
    upstream.record(false);
    // A table far smaller than the crowd: what grows with identities shows.
    let envoy = Envoy::builder(binary)
        .workers(2)
        .upstream(upstream.address())
        .plugin_config(json!({
            "providers": [provider(&[&signer], &["HS256"])],
            "rules": [{"name": "all", "limits": ["per-caller"]}],
            "limits": [{"name": "per-caller", "rate": "1/h", "burst": 1}],
            "store": {"max_identities": 2048},
        }))
        .start()
        .await;
    let mut memory = Vec::new();
    for round in 0..3 {
        upstream.clear();
        let requests: Vec<_> = (0..10_000)
            .map(|number| {
                let token = signer.sign(&mint::claims(&format!("user-{round}-{number}")));
                Request::get("/score").bearer(token)
            })
            .collect();
        let responses = client::send_spread(envoy.address(), 32, requests).await;
        let passed = responses.iter().filter(|response| response.status == 200).count();
        assert_eq!((passed, upstream.count()), (10_000, 10_000), "round {round}");
        memory.push((envoy.allocated().await, envoy.resident()));
    }
    // The first round fills the table, the caches and the pools. 10,000 keys in shared data would
    // take 1.5 MB and more.
    let [_, (allocated, resident), (allocated_after, resident_after)] = memory[..] else {
        panic!("three rounds")
    };
    assert!(allocated_after < allocated + 1_000_000, "allocated: {memory:?}");
    assert!(resident_after < resident + 8_000_000, "resident: {memory:?}");
    assert_eq!(envoy.vm_failures().await, 0);
}
