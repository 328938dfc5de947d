//! Two filters of one VM and one name in one Envoy: they have one map of shared data.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::PathBuf;

use support::graft;
use support::prelude::*;

/// A filter that limits its own path, to so much, and lets the others pass.
fn plugin(fixture: &Fixture, path: &str, rate: &str, burst: u64) -> Value {
    fixture.config(json!({
        "rules": [
            {"name": "counted", "match": {"paths": [path]}, "limits": ["calls"], "concurrency": 50},
            {"name": "rest", "auth": "none"},
        ],
        "limits": [{"name": "calls", "rate": rate, "burst": burst}],
    }))
}

async fn start(
    fixture: &Fixture,
    module: Option<PathBuf>,
    first: (&str, u64),
    second: (&str, u64),
) -> Envoy {
    fixture
        .envoy(plugin(fixture, "/second", second.0, second.1))
        .plugin_before(module, plugin(fixture, "/first", first.0, first.1))
        .start()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_one_name_and_different_size_hold_side_by_side() {
    let Some(fixture) = Fixture::new("HS256").await else { return };
    let (slow, fast) = (("10/h", 10), ("1000/s", 1000));
    let envoy = start(&fixture, None, slow, fast).await;
    let token = fixture.token("ann");
    let mut passed = [0, 0];
    for _ in 0..40 {
        for (path, passed) in ["/first", "/second"].into_iter().zip(&mut passed) {
            let request = Request::get(path).bearer(&token);
            let response = envoy.send(&request).await;
            *passed += usize::from(response.status == 200);
        }
    }
    assert_eq!(passed, [10, 40]);
}

/// While a module is upgraded in a running proxy, VMs of both serve for a minute and more.
#[tokio::test(flavor = "multi_thread")]
async fn two_layouts_of_shared_data_serve_side_by_side_and_each_limit_holds() {
    let Some(fixture) = Fixture::new("HS256").await else { return };
    // An earlier release may be named, to see it beside this one.
    let previous = std::env::var_os("TOLLGATE_PREVIOUS_WASM").map(PathBuf::from);
    let module = previous.clone().unwrap_or_else(graft::other_layout);
    let size = ("30/h", 30);
    let envoy = start(&fixture, Some(module.clone()), size, size).await;
    if previous.is_none() {
        std::fs::remove_file(module).unwrap();
    }
    let callers: Vec<_> = (0..20).map(|n| fixture.token(&format!("c{n}"))).collect();
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
    let passed = client::passed(&responses);
    let limited = responses.iter().filter(|response| response.status == 429).count();
    assert_eq!(passed + limited, count);
    assert_eq!(passed, 2 * 30 * callers.len(), "each caller has each bucket once, and whole");
    let shares = envoy.stats("tollgate_store_evictions").await;
    assert!(shares.values().all(|evicted| *evicted == 0), "{shares:?}");
}
