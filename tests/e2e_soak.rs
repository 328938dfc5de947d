//! One VM for as many requests as a busy gateway sees in a while: nothing of them stays in it.
//!
//! 20,000 in `make test`; `make soak` sends ten million, of which `TOLLGATE_REQUESTS` is the number.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use support::attacks::{self, Expect, World};
use support::prelude::*;

/// More callers than the caches remember tokens, so that they are filled and emptied all the time.
const CALLERS: usize = 2_000;
const REMEMBERED: usize = 500;
/// The allowed growth of resident memory once the caches and pools are full, bytes. A VM's memory grows
/// by pages of 64 KiB and never shrinks: one byte kept of each of ten million requests would show.
const GROWTH: u64 = 4 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn requests_good_and_bad_leave_nothing_behind_in_a_vm() {
    let Some(fixture) = Fixture::answering("ES256", |_| Reply::new(200, "")).await else { return };
    let total: usize = std::env::var("TOLLGATE_REQUESTS").map_or(20_000, |n| n.parse().unwrap());
    let world = World::new();
    fixture.upstream.record(false);
    let envoy = fixture
        .envoy(json!({
            "providers": world.providers(),
            "rules": [{"name": "all", "limits": ["per-caller"]}],
            "limits": [{"name": "per-caller", "rate": "1000000/s"}],
            "token_cache": {"entries": REMEMBERED},
            "store": {"max_identities": 1024},
        }))
        .workers(1)
        .start()
        .await;
    let requests = Arc::new(requests(&world));
    let mut memory = Vec::new();
    let mut passed = 0;
    const PARTS: usize = 10;
    for part in 0..PARTS {
        passed += send(&envoy, &requests, total / PARTS).await;
        memory.push(envoy.resident());
        let (sent, mib) = ((part + 1) * total / PARTS, memory[part] as f64 / 1_048_576.0);
        println!("{sent:>9} requests, {passed:>9} passed: {mib:.1} MiB resident");
    }
    assert_eq!(passed, fixture.upstream.count());
    assert_eq!(passed, total / 2, "every other request is good");
    // A short run is over while Envoy's own pools are still filling.
    let growth = memory[PARTS - 1].saturating_sub(memory[1]);
    assert!(growth <= GROWTH, "{growth} bytes more after {total} requests: {memory:?}");
}

/// Good and bad ones in turn: known and unknown callers, every attack that a header can carry.
fn requests(world: &World) -> Vec<(bool, Vec<u8>)> {
    let bad: Vec<_> = attacks::corpus(world)
        .into_iter()
        .filter(|attack| attack.fits_a_header() && attack.expect != Expect::PassesSanitised)
        .filter(|attack| !["cl-nbf", "cl-iat"].contains(&attack.family))
        .map(|attack| Request::get("/score").bearer(&attack.token).to_bytes())
        .collect();
    let good = (0..CALLERS).map(|caller| {
        let mut claims = mint::claims(&format!("caller-{caller}"));
        claims["exp"] = json!(mint::now() + 12 * 3_600);
        Request::get("/score").bearer(world.p256.sign(&claims)).to_bytes()
    });
    let pairs = good.zip(bad.iter().cycle());
    pairs.flat_map(|(good, bad)| [(true, good), (false, bad.clone())]).collect()
}

/// Sends so many over a few connections and says how many passed; a wrong verdict panics.
async fn send(envoy: &Envoy, requests: &Arc<Vec<(bool, Vec<u8>)>>, count: usize) -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let end = NEXT.load(Ordering::SeqCst) + count;
    const CONNECTIONS: usize = 16;
    let senders: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (address, requests) = (envoy.address(), Arc::clone(requests));
            tokio::spawn(async move {
                let mut connection = Connection::open(address).await;
                let mut passed = 0;
                loop {
                    let number = NEXT.fetch_add(1, Ordering::SeqCst);
                    if number >= end {
                        return passed;
                    }
                    let (good, bytes) = &requests[number % requests.len()];
                    let status = connection.try_send(bytes).await.unwrap().status;
                    assert_eq!(status == 200, *good, "request {number}: {status}");
                    passed += usize::from(*good);
                }
            })
        })
        .collect();
    let mut passed = 0;
    for sender in senders {
        passed += sender.await.unwrap();
    }
    NEXT.store(end, Ordering::SeqCst);
    passed
}
