//! The harness itself, on which the other end-to-end tests rest.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use support::graft::{self, Fault};
use support::prelude::*;

#[tokio::test(flavor = "multi_thread")]
async fn bytes_reach_the_upstream_as_sent() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let envoy = fixture.proxy().start().await;
    let request = Request::post("/score?x=1", "{}")
        .header("x-twice", "a")
        .header("X_Twice", b"\x80\xff")
        .header("x-twice", "b")
        .case("frame");
    let response = envoy.send(&request).await;
    assert_eq!(response.status, 200);
    assert_eq!(response.json()["path"], "/score?x=1");
    let seen = fixture.upstream.case("frame").unwrap();
    assert_eq!(seen.all("x-twice"), [b"a", b"b"]);
    assert_eq!(seen.all("x_twice"), [b"\x80\xff"]);
    assert_eq!(seen.raw_bytes(), b"\x80\xff");
    assert_eq!(seen.body, b"{}");
    let entry = envoy.access("frame").await;
    assert_eq!((entry["status"].as_u64(), &entry["reason"]), (Some(200), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_and_chunked_bodies_pass() {
    let Some(fixture) = Fixture::answering("ES256", |_| Reply::new(201, "made")).await else {
        return;
    };
    let envoy = fixture.proxy().start().await;
    let request = hyper::Request::post("http://ml.example.com/h2").body("two".into()).unwrap();
    let response = client::send_h2(envoy.address(), request).await;
    assert_eq!((response.status, &response.body[..]), (201, &b"made"[..]));
    let mut chunked = Request::new("POST", "/chunked").header("transfer-encoding", "chunked");
    chunked.body = b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n".to_vec();
    assert_eq!(envoy.send(&chunked).await.status, 201);
    let bodies: Vec<_> =
        fixture.upstream.requests().into_iter().map(|request| request.body).collect();
    assert_eq!(bodies, [b"two".to_vec(), b"abcde".to_vec()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_sent_at_once_are_all_counted() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let envoy = fixture.proxy().start().await;
    let responses = client::send_at_once(envoy.address(), vec![Request::get("/"); 100]).await;
    assert!(responses.iter().all(|response| response.status == 200));
    assert_eq!(fixture.upstream.count(), 100);
    fixture.upstream.clear();
    fixture.upstream.record(false);
    let responses = client::send_spread(envoy.address(), 8, vec![Request::get("/"); 1000]).await;
    assert_eq!((responses.len(), fixture.upstream.count()), (1000, 1000));
    assert!(fixture.upstream.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envoy_whose_vm_died_fails_its_test() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let folder = support::example::Folder::new();
    let module = folder.path().join("faulty.wasm");
    graft::module(Fault::Trap, &module);
    let envoy = fixture
        .envoy(json!({}))
        .module(module)
        .hcm(json!({"http_protocol_options": {"enable_trailers": true}}))
        .start()
        .await;
    let head = Request::new("POST", "/").header("transfer-encoding", "chunked");
    let fatal = head.bearer(fixture.token("alice")).to_bytes();
    let fatal = [&fatal, &b"0\r\nx-last: 1\r\n\r\n"[..]].concat();
    let _ = Connection::open(envoy.address()).await.try_send(&fatal).await;
    let end = std::panic::AssertUnwindSafe(|| drop(envoy));
    assert!(std::panic::catch_unwind(end).is_err());
}
