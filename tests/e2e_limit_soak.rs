//! Admission under load, counted at the upstream: nothing above the quota, next to nothing below.
//!
//! Some seconds each in `make test`; `make soak` sets `TOLLGATE_SOAK` to the seconds of a long run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::{Duration, Instant};

use support::prelude::*;

fn seconds() -> u64 {
    std::env::var("TOLLGATE_SOAK").map_or(3, |text| text.parse().unwrap())
}

/// A limit of the run: tokens per period in seconds, and the burst.
#[derive(Clone, Copy)]
struct Limit {
    rate: &'static str,
    per_second: f64,
    burst: f64,
}

/// Sends as much as two cores allow for each of `keys` identities in turn.
async fn run(name: &str, workers: u32, limits: &[Limit], keys: usize) {
    let Some(fixture) = Fixture::answering("HS256", |_| Reply::new(200, "")).await else { return };
    fixture.upstream.record(false);
    let names: Vec<_> = (0..limits.len()).map(|number| format!("limit-{number}")).collect();
    let documents: Vec<_> = names
        .iter()
        .zip(limits)
        .map(|(name, limit)| json!({"name": name, "rate": limit.rate, "burst": limit.burst as u64}))
        .collect();
    let envoy = fixture
        .envoy(json!({
            "rules": [{"name": "all", "limits": names}],
            "limits": documents,
            "responses": {"body": "empty", "ratelimit_headers": "off"},
        }))
        .workers(workers)
        .start()
        .await;
    let requests: Vec<_> = (0..keys)
        .map(|key| {
            let hour = json!({"exp": mint::now() + 3_600});
            let token = fixture.token_with(&format!("key-{key}"), hour);
            Request::get("/").bearer(token)
        })
        .collect();
    let requests = std::sync::Arc::new(requests);
    let (began, address) = (Instant::now(), envoy.address());
    let end = began + Duration::from_secs(seconds());
    const CONNECTIONS: usize = 24;
    let tasks: Vec<_> = (0..CONNECTIONS)
        .map(|number| {
            let requests = std::sync::Arc::clone(&requests);
            tokio::spawn(async move {
                let mut connection = Connection::open(address).await;
                let mut passed = vec![0_u64; requests.len()];
                // Four connections take turns at each key, over several workers; would all walk
                // through all keys, they could bunch together and leave each key alone for long.
                let group = number % (CONNECTIONS / 4);
                let mine: Vec<_> = (0..requests.len())
                    .filter(|key| requests.len() == 1 || key % (CONNECTIONS / 4) == group)
                    .collect();
                let mut sent = 0_u64;
                for key in mine.into_iter().cycle() {
                    if Instant::now() >= end {
                        break;
                    }
                    sent += 1;
                    match connection.send(&requests[key]).await.status {
                        200 => passed[key] += 1,
                        429 => {}
                        other => panic!("status {other}"),
                    }
                }
                (passed, sent)
            })
        })
        .collect();
    let (mut passed, mut sent) = (vec![0_u64; keys], 0);
    for task in tasks {
        let (of_task, sent_by_task) = task.await.unwrap();
        sent += sent_by_task;
        passed.iter_mut().zip(of_task).for_each(|(sum, part)| *sum += part);
    }
    let elapsed = began.elapsed().as_secs_f64();
    let total: u64 = passed.iter().sum();
    assert_eq!(total, fixture.upstream.count() as u64, "the upstream saw what the clients did");
    let granted = |limit: &Limit, time: f64| limit.burst + limit.per_second * time;
    let most =
        |time: f64| limits.iter().map(|limit| granted(limit, time)).fold(f64::INFINITY, f64::min);
    let highest = passed.iter().max().copied().unwrap_or_default() as f64;
    let (retries, evictions) = (
        envoy.stat("wasmcustom.tollgate_store_retries").await,
        envoy.stat("wasmcustom.tollgate_store_evictions").await,
    );
    // The least that the quota grants between the first answer and the last request.
    let margin = if keys == 1 { 0.05 } else { 0.3 };
    let least = most(elapsed - margin).floor() * keys as f64;
    let under = 100.0 * (1.0 - total as f64 / least);
    println!(
        "{name}: {workers} workers, {keys} keys, {} limits, {elapsed:.1} s: {sent} sent, {total} \
         passed of {:.0}; under {under:.2} %; {retries} retries, {evictions} evictions",
        limits.len(),
        most(elapsed) * keys as f64,
    );
    assert!(highest <= most(elapsed), "{highest} above {}", most(elapsed));
    assert!(sent as f64 > 1.2 * most(elapsed) * keys as f64, "the load was below the limit");
    assert!(under <= 1.0, "{under} % below");
}

const HOT: Limit = Limit { rate: "300/s", per_second: 300.0, burst: 100.0 };

/// Each run wants the machine for itself.
static MACHINE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Without the long load, one number of workers stands for the others.
fn workers() -> &'static [u32] {
    if std::env::var_os("TOLLGATE_SOAK").is_some() { &[1, 2, 4, 8] } else { &[4] }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hot_key_gets_its_quota_and_not_one_more() {
    let _alone = MACHINE.lock().await;
    for workers in [1, 2, 4, 8] {
        run("one hot key", workers, &[HOT], 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_three_limits_at_once_the_narrowest_is_used_up_and_none_is_overdrawn() {
    let _alone = MACHINE.lock().await;
    let three = [
        Limit { rate: "400/s", per_second: 400.0, burst: 20.0 },
        Limit { rate: "200/s", per_second: 200.0, burst: 100.0 },
        Limit { rate: "18000/m", per_second: 300.0, burst: 50.0 },
    ];
    for workers in workers() {
        run("three limits", *workers, &three, 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_a_thousand_keys_gets_its_quota_and_not_one_more() {
    let _alone = MACHINE.lock().await;
    // A full bucket gains no tokens, so the bucket is large enough for the tokens that arrive
    // between two requests of a key.
    let slow = Limit { rate: "1/s", per_second: 1.0, burst: 4.0 };
    for workers in workers() {
        run("a thousand keys", *workers, &[slow], 1_000).await;
    }
}
