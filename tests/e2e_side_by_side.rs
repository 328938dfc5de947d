//! Two filters of one VM and one name in one Envoy: they have one map of shared data.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::PathBuf;

use support::graft;
use support::prelude::*;
use support::scenario::provider;

/// A filter that limits its own path, to so much, and lets the others pass.
fn plugin(signer: &Signer, path: &str, rate: &str, burst: u64) -> Value {
    json!({
        "providers": [provider(&[signer], &["HS256"])],
        "rules": [
            {"name": "counted", "match": {"paths": [path]}, "limits": ["calls"], "concurrency": 50},
            {"name": "rest", "auth": "none"},
        ],
        "limits": [{"name": "calls", "rate": rate, "burst": burst}],
    })
}

async fn start(
    test: &str,
    signer: &Signer,
    module: Option<PathBuf>,
    first: (&str, u64),
    second: (&str, u64),
) -> Option<(Envoy, Upstream)> {
    let binary = support::envoy_binary(test)?;
    let upstream = Upstream::answering(|_| Reply::new(200, "")).await;
    let envoy = Envoy::builder(binary)
        .workers(2)
        .upstream(upstream.address())
        .plugin_before(module, plugin(signer, "/first", first.0, first.1))
        .plugin_config(plugin(signer, "/second", second.0, second.1))
        .start()
        .await;
    Some((envoy, upstream))
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_one_name_and_different_size_hold_side_by_side() {
    let name = "limits_of_one_name_and_different_size_hold_side_by_side";
    let signer = Signer::new("HS256", "key-1");
    let (slow, fast) = (("10/h", 10), ("1000/s", 1000));
    let Some((envoy, _upstream)) = start(name, &signer, None, slow, fast).await else { return };
    let token = signer.sign(&mint::claims("ann"));
    let mut passed = [0, 0];
    for _ in 0..40 {
        for (path, passed) in ["/first", "/second"].into_iter().zip(&mut passed) {
            let request = Request::get(path).bearer(&token);
            let response = client::send(envoy.address(), &request).await;
            *passed += usize::from(response.status == 200);
        }
    }
    assert_eq!(passed, [10, 40]);
    assert_eq!(envoy.vm_failures().await, 0);
}

/// While a module is upgraded in a running proxy, VMs of both serve for a minute and more.
#[tokio::test(flavor = "multi_thread")]
async fn two_layouts_of_shared_data_serve_side_by_side_and_each_limit_holds() {
    let name = "two_layouts_of_shared_data_serve_side_by_side_and_each_limit_holds";
    let signer = Signer::new("HS256", "key-1");
    // An earlier release may be named, to see it beside this one.
    let previous = std::env::var_os("TOLLGATE_PREVIOUS_WASM").map(PathBuf::from);
    let module = previous.clone().unwrap_or_else(graft::other_layout);
    let size = ("30/h", 30);
    let Some((envoy, _upstream)) = start(name, &signer, Some(module.clone()), size, size).await
    else {
        return;
    };
    if previous.is_none() {
        std::fs::remove_file(module).unwrap();
    }
    let callers: Vec<_> = (0..20).map(|n| signer.sign(&mint::claims(&format!("c{n}")))).collect();
    let mut requests = Vec::new();
    for _ in 0..40 {
        for token in &callers {
            for path in ["/first", "/second"] {
                requests.push(Request::get(path).bearer(token));
            }
        }
    }
    let count = requests.len();
    let responses = client::send_spread(envoy.address(), 8, requests).await;
    let passed = responses.iter().filter(|response| response.status == 200).count();
    let limited = responses.iter().filter(|response| response.status == 429).count();
    assert_eq!(passed + limited, count);
    assert_eq!(passed, 2 * 30 * callers.len(), "each caller has each bucket once, and whole");
    let shares = envoy.stats("tollgate_store_evictions").await;
    assert!(shares.values().all(|evicted| *evicted == 0), "{shares:?}");
    assert_eq!(envoy.vm_failures().await, 0);
}
