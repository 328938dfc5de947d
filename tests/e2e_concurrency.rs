//! Requests in flight in a real Envoy: exact over its workers, and never lost, however a stream ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use support::graft::{self, Fault};
use support::prelude::*;
use tokio::io::AsyncWriteExt;
use tollgate::limit::concurrency::LEASE;

fn config(most: u32) -> Value {
    json!({"rules": [{"name": "all", "concurrency": most}]})
}

/// A fixture whose upstream closes the connection of `/hang-up` and answers after `x-delay`.
async fn slow() -> Option<Fixture> {
    let answer = |request: &Recorded| {
        let delay = request.header("x-delay").and_then(|ms| ms.parse().ok()).unwrap_or(0);
        let hang_up = request.path == "/hang-up";
        Reply { delay: Duration::from_millis(delay), hang_up, ..Reply::new(200, "done") }
    };
    Fixture::answering("HS256", answer).await
}

fn delayed(fixture: &Fixture, subject: &str, path: &str, millis: u64) -> Request {
    fixture.get(path, subject).header("x-delay", millis.to_string())
}

/// How many of a burst of slow requests pass.
async fn places(envoy: &Envoy, request: &Request) -> usize {
    let responses = client::send_at_once(envoy.address(), vec![request.clone(); 12]).await;
    for response in responses.iter().filter(|response| response.status != 200) {
        assert_eq!((response.status, response.reason().as_str()), (429, "concurrency_limited"));
        assert!(matches!(response.header("retry-after"), Some("1" | "2")));
    }
    client::passed(&responses)
}

/// Waits until as many places are free as there are.
async fn all_free(envoy: &Envoy, request: &Request, most: usize, after: &str) {
    // Less than a lease: after it, a lost place is free again.
    let found =
        support::poll(LEASE * 4 / 5, async || (places(envoy, request).await == most).then_some(()));
    assert!(found.await.is_some(), "a place was lost: {after}");
    // A stream ends a moment after its client has the response: the probe's own, too.
    tokio::time::sleep(Duration::from_millis(200)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_slow_requests_on_four_workers_exactly_as_many_as_allowed_are_in_flight() {
    let Some(fixture) = slow().await else { return };
    let envoy = fixture.envoy(config(17)).workers(4).start().await;
    for subject in ["alice", "bob", "alice"] {
        fixture.upstream.clear();
        let requests = vec![delayed(&fixture, subject, "/", 1_500); 200];
        let responses = client::send_at_once(envoy.address(), requests).await;
        let passed = client::passed(&responses);
        assert_eq!((fixture.upstream.count(), passed), (17, 17), "{subject}");
        let limited = responses.iter().filter(|r| r.reason() == "concurrency_limited");
        assert_eq!(limited.count(), 183, "{subject}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn under_steady_load_the_places_are_used_and_never_overbooked() {
    const DELAY: Duration = Duration::from_millis(20);
    let starts: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let noted = Arc::clone(&starts);
    let answer = move |_: &Recorded| {
        noted.lock().unwrap().push(Instant::now());
        Reply { delay: DELAY, ..Reply::new(200, "done") }
    };
    let Some(fixture) = Fixture::answering("HS256", answer).await else { return };
    let envoy = fixture.envoy(config(5)).workers(4).start().await;
    let requests = vec![delayed(&fixture, "alice", "/", 0); 4_000];
    let began = Instant::now();
    let responses = client::send_spread(envoy.address(), 40, requests).await;
    let elapsed = began.elapsed();
    let passed = client::passed(&responses);
    assert_eq!(passed, fixture.upstream.count());
    // A request occupies its place from before its start until after its delay.
    let starts = starts.lock().unwrap().clone();
    for (index, start) in starts.iter().enumerate() {
        let at_once = starts.iter().skip(index).take_while(|s| **s < *start + DELAY).count();
        assert!(at_once <= 5, "{at_once} in flight");
    }
    // Each place serves about 40 a second on an idle machine; half of that on a busy one.
    let most = elapsed.as_secs_f64() * 5.0 / DELAY.as_secs_f64();
    assert!(passed as f64 > most / 4.0, "{passed} of {most}");
}

#[tokio::test(flavor = "multi_thread")]
async fn however_a_stream_ends_its_place_is_free_again() {
    let Some(fixture) = slow().await else { return };
    let envoy = fixture
        .envoy(config(4))
        .workers(4)
        .cluster("closed", ([127, 0, 0, 1], 1).into())
        .routes(json!([
            {"match": {"prefix": "/short"},
             "route": {"cluster": "upstream", "timeout": "0.1s"}},
            {"match": {"prefix": "/nowhere"}, "route": {"cluster": "closed"}},
            {"match": {"prefix": "/"}, "route": {"cluster": "upstream"}},
        ]))
        .start()
        .await;
    let probe = delayed(&fixture, "alice", "/", 150);
    assert_eq!(places(&envoy, &probe).await, 4);

    for (path, millis, status, after) in [
        ("/short", 2_000, 504, "the upstream took too long"),
        ("/hang-up", 20, 503, "the upstream hung up"),
        ("/nowhere", 0, 503, "there was no upstream"),
    ] {
        for round in 0..3 {
            let requests = vec![delayed(&fixture, "alice", path, millis); 4];
            for response in client::send_at_once(envoy.address(), requests).await {
                assert_eq!(response.status, status, "{after}, round {round}");
            }
        }
        all_free(&envoy, &probe, 4, after).await;
    }

    // Clients that go away, after their request arrived upstream and before.
    for round in 0..5 {
        fixture.upstream.clear();
        let mut open = Vec::new();
        for _ in 0..4 {
            let mut stream = tokio::net::TcpStream::connect(envoy.address()).await.unwrap();
            let request = delayed(&fixture, "alice", "/", 60_000);
            stream.write_all(&request.to_bytes()).await.unwrap();
            open.push(stream);
        }
        if round > 0 {
            fixture.upstream.arrived(4).await;
            let refused = envoy.send(&delayed(&fixture, "alice", "/", 0)).await;
            assert_eq!(refused.reason(), "concurrency_limited");
        }
        for stream in &open {
            // A reset rather than an orderly end, every other time.
            if round % 2 == 0 {
                let _ = stream.set_zero_linger();
            }
        }
        drop(open);
        all_free(&envoy, &probe, 4, "the clients went away").await;
    }

    // Requests that never end: a body that is announced and does not come.
    let mut open = Vec::new();
    for _ in 0..4 {
        let token = fixture.token("alice");
        let request = Request::new("POST", "/").bearer(token).header("content-length", "10");
        let mut stream = tokio::net::TcpStream::connect(envoy.address()).await.unwrap();
        stream.write_all(&request.to_bytes()).await.unwrap();
        open.push(stream);
    }
    // The probe must not be faster than they are.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let none_left = async || (places(&envoy, &probe).await == 0).then_some(());
    assert!(support::eventually(none_left).await.is_some());
    drop(open);
    all_free(&envoy, &probe, 4, "the clients broke off their bodies").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_outlive_a_push_and_a_lease_keep_their_places() {
    let Some(fixture) = slow().await else { return };
    let mut envoy = fixture
        .envoy(config(3))
        .drain_time(60)
        // By default Envoy gives up on a response after 15 s, the length of a lease.
        .routes(json!([{
            "match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "60s"},
        }]))
        .start()
        .await;
    let address = envoy.address();
    let held: Vec<_> = (0..2)
        .map(|_| {
            let request = delayed(&fixture, "alice", "/", 18_500);
            tokio::spawn(async move { client::send(address, &request).await })
        })
        .collect();
    fixture.upstream.arrived(2).await;
    let began = Instant::now();
    let mut changed = fixture.config(config(3));
    changed["responses"] = json!({"realm": "changed"});
    assert_eq!(envoy.reload(changed).await, Push::Accepted);
    let probe = delayed(&fixture, "alice", "/", 150);
    // A lease is 15 s: the host goes on ticking the old configuration while it has streams, and
    // each tick renews the places of its own.
    while began.elapsed() < Duration::from_secs(17) {
        assert_eq!(places(&envoy, &probe).await, 1, "after {:?}", began.elapsed());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    for response in held {
        assert_eq!(response.await.unwrap().status, 200);
    }
    all_free(&envoy, &probe, 3, "the old configuration's streams ended").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_vm_dies_its_places_expire_and_the_buckets_stay_as_they_were() {
    let Some(fixture) = slow().await else { return };
    let envoy = fixture
        .envoy(json!({
            "rules": [
                {"name": "held", "match": {"paths": ["/held"]}, "concurrency": 3},
                {"name": "counted", "match": {"paths": ["/counted"]}, "limits": ["calls"]},
            ],
            "limits": [{"name": "calls", "rate": "1/h", "burst": 10}],
        }))
        .workers(1)
        .fault(|path| graft::module(Fault::Trap, path))
        .hcm(json!({"http_protocol_options": {"enable_trailers": true}}))
        .routes(json!([{
            "match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "60s"},
        }]))
        .start()
        .await;
    let (address, token) = (envoy.address(), fixture.token("alice"));
    let counted = Request::get("/counted").bearer(&token);
    let passes = async |count: usize| {
        let responses = client::send_at_once(address, vec![counted.clone(); count]).await;
        client::passed(&responses)
    };
    assert_eq!(passes(6).await, 6);
    fixture.upstream.clear();
    let held: Vec<_> = (0..2)
        .map(|_| {
            let request = delayed(&fixture, "alice", "/held", 1_500);
            tokio::spawn(async move { client::try_send(address, &request).await })
        })
        .collect();
    fixture.upstream.arrived(2).await;
    let fatal = Request::new("POST", "/counted").header("transfer-encoding", "chunked");
    let fatal = fatal.bearer(&token).to_bytes();
    let fatal = [&fatal, &b"0\r\nx-last: 1\r\n\r\n"[..]].concat();
    let began = Instant::now();
    let died = Connection::open(address).await.try_send(&fatal).await;
    assert!(died.as_ref().is_ok_and(|response| response.status >= 500), "{died:?}");
    for response in held {
        println!("held: {:?}", response.await.unwrap().map(|response| response.status));
    }
    // The new VM knows the bucket: seven tokens are gone, with that of the fatal request.
    assert_eq!(passes(12).await, 3);
    assert_eq!(envoy.stats("vm_reload_success").await.values().sum::<u64>(), 1);
    // The dead VM gave no place back: both stay taken until their lease has run out.
    let probe = delayed(&fixture, "alice", "/held", 150);
    assert_eq!(places(&envoy, &probe).await, 1);
    let expired = async || (places(&envoy, &probe).await == 3).then_some(());
    assert!(support::eventually(expired).await.is_some(), "places are lost");
    println!("the places of the dead VM were free after {:.1?}", began.elapsed());
}
