//! The body guard in a real Envoy: bodies that pass, refusals, and how much of a body is read.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::net::SocketAddr;
use std::time::Duration;

use support::json_suite;
use support::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// An Envoy whose one rule needs no token and has these members.
fn guarded(fixture: &Fixture, rule: Value) -> Builder {
    let limits = json!([{"name": "small", "rate": "1/h", "burst": 10}]);
    limited(fixture, rule, limits)
}

fn limited(fixture: &Fixture, rule: Value, limits: Value) -> Builder {
    fixture.envoy(json!({
        "rules": [merged(json!({"name": "all", "auth": "none"}), rule)],
        "limits": limits,
        "responses": {"ratelimit_headers": "x"},
    }))
}

fn post(body: impl Into<Vec<u8>>) -> Request {
    Request::post("/score", body).header("content-type", "application/json")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_has_its_reason_and_the_upstream_gets_no_byte_of_it() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let payload = json!({
        "content_types": ["application/json"], "max_bytes": "64KiB", "max_rows": 3, "max_depth": 4,
        "require_any": ["/input_data/data", "/data", "/input_data"],
    });
    let methods = json!({"methods": ["POST", "GET"]});
    let envoy = guarded(&fixture, json!({"match": methods, "payload": payload})).start().await;
    let typed =
        |value: &str, body: &str| Request::post("/score", body).header("content-type", value);
    let rows = |n: usize| format!("[{}]", vec!["[1,2]"; n].join(","));
    let long = format!(r#"{{"data":"{}"}}"#, "x".repeat(64 << 10));
    let cases = [
        // The shapes of Azure ML endpoints: so many rows pass, one more does not.
        ("ok", post(format!(r#"{{"data":{}}}"#, rows(3)))),
        ("rows_exceeded", post(format!(r#"{{"data":{}}}"#, rows(4)))),
        ("ok", post(format!(r#"{{"input_data":{{"columns":["a"],"data":{}}}}}"#, rows(3)))),
        ("rows_exceeded", post(format!(r#"{{"input_data":{{"index":[0],"data":{}}}}}"#, rows(4)))),
        ("ok", post(r#"{"input_data":{"input_string":[1,2,3],"parameters":{}}}"#)),
        ("rows_exceeded", post(r#"{"input_data":{"input_string":[1,2,3,4],"parameters":{}}}"#)),
        ("rows_exceeded", post(format!(r#"{{"data":{},"input_data":{}}}"#, rows(1), rows(4)))),
        ("ok", typed("Application/JSON; charset=utf-8", r#"{"data":[1]}"#)),
        ("payload_malformed", post(r#"{"data":1}"#)),
        ("payload_malformed", post(r#"{"data":[1,[2]]}"#)),
        ("payload_malformed", post(r#"{"data":[1],"Data":[1,2,3,4]}"#)),
        ("payload_malformed", post(r#"{"data":[1],"input_data":{"data":[1],"\u0044ata":[1,2]}}"#)),
        ("payload_malformed", post(r#"{"other":[1]}"#)),
        ("payload_malformed", post(r#"{"data":[1,]}"#)),
        ("payload_malformed", post(r#"{"data":[1]"#)),
        ("payload_malformed", post(r#"{"data":[1],"data":[1,2,3,4]}"#)),
        ("payload_malformed", post(b"{\"data\":\"quoted-\xff\"}".to_vec())),
        ("payload_malformed", post("")),
        // A method that carries no body needs none.
        ("ok", Request::get("/score")),
        ("depth_exceeded", post(r#"{"data":[[[[]]]]}"#)),
        ("payload_too_large", post(long)),
        ("content_type_not_allowed", typed("text/plain", r#"{"data":1}"#)),
        ("content_type_not_allowed", Request::post("/score", r#"{"data":1}"#)),
        ("content_type_not_allowed", typed("application/json;charset=utf-16", r#"{"data":1}"#)),
        ("content_type_not_allowed", post(r#"{"data":1}"#).header("content-encoding", "gzip")),
    ];
    for (number, (reason, request)) in cases.into_iter().enumerate() {
        let status = match reason {
            "ok" => 200,
            "payload_malformed" => 400,
            "content_type_not_allowed" => 415,
            _ => 413,
        };
        for way in ["length", "chunks", "bytes", "h2"] {
            let case = format!("{number}-{way}");
            let request = request.clone().case(&case);
            let response = match way {
                "length" => envoy.send(&request).await,
                "h2" => client::send_h2(envoy.address(), request.h2()).await,
                _ if request.body.is_empty() || request.body.len() > 1000 => continue,
                "chunks" => envoy.send(&request.clone().chunked(7)).await,
                _ => envoy.send(&request.clone().chunked(1)).await,
            };
            assert_eq!(response.status, status, "{case} {reason}");
            let entry = envoy.access(&case).await;
            let word = if reason == "ok" { "anonymous" } else { reason };
            assert_eq!(entry["reason"], word, "{case}");
            assert_eq!(entry["decision"], if status == 200 { "allow" } else { "deny" }, "{case}");
            let seen = fixture.upstream.case(&case);
            if status == 200 {
                assert_eq!(seen.unwrap().body, request.body, "{case}");
            } else {
                assert_eq!(response.reason(), reason, "{case}");
                assert!(seen.is_none(), "{case}");
            }
        }
    }
    let line = envoy.wait_for_log("request body refused: byte 16: not UTF-8").await;
    assert!(line.contains("rule=all"), "{line}");
    assert!(!envoy.log().contains("quoted-"), "the log quotes the body");
}

/// Audio, forms, lines of JSON and tensors: what no guard can read, it bounds.
#[tokio::test(flavor = "multi_thread")]
async fn a_bound_of_size_reads_no_body_and_lets_every_kind_of_it_pass() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let payload = json!({"max_bytes": "1KiB", "content_types": ["audio/wav", "none"]});
    let rules = json!({
        "rules": [
            {"name": "listed", "auth": "none", "match": {"paths": ["/listed"]}, "payload": payload},
            {"name": "any", "auth": "none", "payload": {"max_bytes": "1KiB"}},
        ],
    });
    let envoy = fixture.envoy(rules).start().await;
    let bytes = |length: usize| -> Vec<u8> { (0..length).map(|byte| byte as u8).collect() };
    for (number, (path, content_type, length, status)) in [
        ("/any", Some("audio/wav"), 1024, 200),
        ("/any", Some("multipart/form-data; boundary=x"), 1024, 200),
        ("/any", Some("application/x-ndjson"), 1024, 200),
        ("/any", None, 1024, 200),
        ("/any", Some("application/octet-stream"), 1025, 413),
        ("/any", Some("application/json"), 0, 200),
        ("/listed", Some("audio/wav"), 1024, 200),
        ("/listed", None, 9, 200),
        ("/listed", Some("none"), 9, 415),
        ("/listed", Some("audio/mp3"), 9, 415),
        ("/listed", None, 1025, 413),
    ]
    .into_iter()
    .enumerate()
    {
        let request = Request::post(path, bytes(length));
        let request = content_type.into_iter().fold(request, |r, t| r.header("content-type", t));
        for way in ["length", "chunks", "h2"] {
            let case = format!("{number}-{way}");
            let request = request.clone().case(&case);
            let response = match way {
                "length" => envoy.send(&request).await,
                "chunks" if length == 0 => continue,
                "chunks" => envoy.send(&request.clone().chunked(100)).await,
                _ => client::send_h2(envoy.address(), request.h2()).await,
            };
            assert_eq!(response.status, status, "{case}");
            let seen = fixture.upstream.case(&case);
            assert_eq!(seen.is_some(), status == 200, "{case}");
            assert!(seen.is_none_or(|seen| seen.body == request.body), "{case}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_test_suite_is_decided_as_stated() {
    let Some(files) = json_suite::files() else { return };
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let envoy = guarded(&fixture, json!({"payload": {"max_depth": 1024}})).start().await;
    let mut connection = Connection::open(envoy.address()).await;
    for (name, body) in files {
        // A request without a body has none to judge.
        let passes = json_suite::passes(&name) || body.is_empty();
        for request in [post(body.clone()), post(body.clone()).chunked(3)] {
            if request.body.len() > 100_000 && body.len() < 300_000 && request.body != body {
                continue;
            }
            let case = request.clone().case(&name);
            fixture.upstream.clear();
            let response = connection.send(&case).await;
            let refused = matches!(response.status, 400 | 413);
            assert!(if passes { response.status == 200 } else { refused }, "{name}");
            assert_eq!(fixture.upstream.count(), usize::from(passes), "{name}");
            if passes {
                assert_eq!(fixture.upstream.last().unwrap().body, body, "{name}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn depth_never_traps_the_module() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let rule = json!({"payload": {"max_bytes": "64MiB", "max_depth": 1024}});
    let envoy = guarded(&fixture, rule).buffer_limit(64 << 20).start().await;
    let nested = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
    for (body, status) in [
        (nested(1024), 200),
        (nested(1025), 413),
        (nested(20_000), 413),
        (b"{\"a\":".repeat(20_000), 413),
        (vec![b'['; 10 << 20], 413),
        (b"[\"".iter().copied().chain(vec![b'x'; 10 << 20]).chain(*b"\"]").collect(), 200),
        ([&b"[1"[..], &b",1".repeat(5 << 20), b"]"].concat(), 200),
    ] {
        fixture.upstream.clear();
        let length = body.len();
        let (response, _) = upload(envoy.address(), &body, true, usize::MAX).await;
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{length}: {response}");
        assert_eq!(fixture.upstream.count(), usize::from(status == 200), "{length}");
    }
}

/// Sends a body until it is answered, or sent as far as `most` bytes: the answer, and how much was
/// sent. A body that is longer than that never ends.
async fn upload(address: SocketAddr, body: &[u8], announced: bool, most: usize) -> (String, usize) {
    let (mut read, mut write) = TcpStream::connect(address).await.unwrap().into_split();
    let head = "POST /score HTTP/1.1\r\nhost: ml.example.com\r\n\
                content-type: application/json\r\n";
    let length = format!("content-length: {}\r\n\r\n", body.len());
    let framing = if announced { &length } else { "transfer-encoding: chunked\r\n\r\n" };
    write.write_all([head, framing].concat().as_bytes()).await.unwrap();
    let answer = tokio::spawn(async move {
        let mut buffer = vec![0; 4096];
        let count = read.read(&mut buffer).await.unwrap_or(0);
        String::from_utf8_lossy(&buffer[..count]).into_owned()
    });
    let mut sent = 0;
    for piece in body.chunks(64 << 10) {
        if answer.is_finished() || sent >= most {
            break;
        }
        let mut bytes = piece.to_vec();
        if !announced {
            let size = format!("{:x}\r\n", piece.len());
            bytes = [size.as_bytes(), piece, b"\r\n"].concat();
        }
        match tokio::time::timeout(Duration::from_secs(5), write.write_all(&bytes)).await {
            Ok(Ok(())) => sent += piece.len(),
            _ => break,
        }
    }
    if !announced && sent == body.len() {
        let _ = write.write_all(b"0\r\n\r\n").await;
    }
    let answer = tokio::time::timeout(Duration::from_secs(20), answer).await.unwrap().unwrap();
    (answer, sent)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_above_the_limit_is_refused_after_about_the_limit() {
    let body = [&b"[\""[..], &vec![b'x'; 100 << 20]].concat();
    let mebibyte = 1 << 20;
    // A client that stops a little above the limit gets an answer. Where the client sends faster
    // than Envoy reads, the bytes that Envoy reads at once, up to its buffer limit, come on top. An
    // announced length is refused before the body.
    for (buffer, most, announced, bound) in [
        (4 * mebibyte, 1 << 20 | 64 << 10, false, mebibyte * 5 / 4),
        (4 * mebibyte, usize::MAX, true, 4 * mebibyte + mebibyte / 8),
        (mebibyte, usize::MAX, false, 2 * mebibyte + mebibyte / 8),
    ] {
        let rule = json!({"payload": {"max_bytes": "1MiB", "max_depth": 32}});
        let Some(fixture) = Fixture::new("ES256").await else { return };
        let envoy = guarded(&fixture, rule).buffer_limit(buffer as u32).start().await;
        let (answer, sent) = upload(envoy.address(), &body, announced, most).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{announced} {sent}: {answer}");
        // A buffer no larger than the limit may be full first: then the reply is Envoy's.
        assert!(answer.contains("payload_too_large") || buffer == mebibyte, "{answer}");
        let taken = envoy.stat("http.e2e.downstream_cx_rx_bytes_total").await;
        assert!(taken <= bound, "{buffer} {announced}: {taken} bytes were read, {sent} sent");
        assert_eq!(envoy.access_after(0).await["reason"], "payload_too_large");
        assert_eq!(fixture.upstream.count(), 0);
        let good = envoy.send(&post("[1]")).await;
        assert_eq!(good.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buffer_of_the_proxy_below_the_limit_is_its_own_413_and_harms_nobody() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let rule = json!({"payload": {"max_bytes": "1MiB", "max_depth": 32}});
    let envoy = guarded(&fixture, rule).buffer_limit(32 << 10).start().await;
    let body = [&b"[\""[..], &vec![b'x'; 200 << 10], b"\"]"].concat();
    let request = post(body).case("buffer");
    let response = envoy.send(&request).await;
    assert_eq!(response.status, 413);
    assert_eq!(response.reason(), "", "the reply is Envoy's");
    let entry = envoy.access("buffer").await;
    assert_eq!(entry["details"], "request_payload_too_large");
    assert_eq!(
        (&entry["decision"], &entry["reason"]),
        (&json!("deny"), &json!("payload_too_large"))
    );
    assert_eq!(fixture.upstream.count(), 0);
    assert_eq!(envoy.send(&post("[1]")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_the_cost_and_a_refused_body_costs_the_token_of_its_head() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let rule = json!({
        "limits": ["small"], "cost": {"json_rows": ["/input_data/data", "/data"], "max": 5},
    });
    let envoy = guarded(&fixture, rule).start().await;
    let data = |rows: usize| post(format!(r#"{{"data":[{}]}}"#, vec!["0"; rows].join(",")));
    // Of 10 tokens: 1 (for the head), 3, 5 (bounded), 1 (the head of the body that does not fit).
    for (number, (request, status)) in [
        (post(r#"{"data":[1,2,3,4],"#), 400),
        (data(3), 200),
        (data(6), 200),
        (data(2), 429),
        (data(0), 429),
        (data(1), 429),
    ]
    .into_iter()
    .enumerate()
    {
        let response = envoy.send(&request).await;
        assert_eq!(response.status, status, "{number}");
    }
    assert_eq!(fixture.upstream.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_counted_in_every_form_that_servers_take_them() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let rule = json!({
        "limits": ["small"],
        "cost": {"json_rows": ["/inputs", "/data"], "max": 10},
        "payload": {"content_types": ["application/json", "text/csv"], "max_rows": 5},
    });
    // A bucket for each case.
    let limits = json!([{"name": "small", "rate": "1/h", "burst": 10, "key": "{@header:x-case}"}]);
    let envoy = limited(&fixture, rule, limits).start().await;
    let csv = |body: &str| Request::post("/score", body).header("content-type", "text/csv");
    let tensor = |shape: &str, data: usize| {
        let data = vec!["0"; data].join(",");
        format!(r#"{{"name":"x","datatype":"INT8","shape":{shape},"data":[{data}]}}"#)
    };
    let inputs = |list: &str| post(format!(r#"{{"inputs":[{list}]}}"#));
    let cases = [
        (3, post(r#"{"data":{"x":[1,2,3],"y":[1]}}"#)),
        (4, post(r#"{"data":{"x":{"0":1,"1":2,"2":3,"3":4},"y":{"0":1}}}"#)),
        (4, post(r#"{"data":{"columns":["x"],"index":[1],"data":[[1],[2],[3],[4]]}}"#)),
        (2, inputs(&tensor("[2,2]", 4))),
        (5, inputs(&[tensor("[1,2]", 2), tensor("[5]", 5)].join(","))),
        (5, inputs(&tensor("[1]", 5))),
        (5, post(r#"{"inputs":[1],"data":[1,2,3,4,5]}"#)),
        (5, post(r#"{"data":[1,2,3,4,5],"inputs":[1]}"#)),
        (2, csv("a,b\r\n1,2\r\n3,4\r\n")),
        (2, csv("a,b\n\"1\n2\n3\n4\n5\n6\",x\n3,4")),
        (5, csv("a\r1\r2\r3\r4\r5")),
        (1, csv("a,b\n")),
    ];
    for (number, (cost, request)) in cases.into_iter().enumerate() {
        let case = format!("rows-{number}");
        let request = request.header("x-case", &case);
        for request in [request.clone(), request.clone().chunked(3)] {
            let response = envoy.send(&request).await;
            assert_eq!(response.status, 200, "{case}");
        }
        assert_eq!(fixture.upstream.last().unwrap().header("x-case"), Some(case.as_str()));
        // Each of the two took the cost; the third shows the rest.
        let probe = post(r#"{"data":[1]}"#).header("x-case", &case);
        let response = envoy.send(&probe).await;
        let left: u64 = response.header("x-ratelimit-remaining").unwrap().parse().unwrap();
        if cost == 5 {
            assert_eq!(response.status, 429, "{case}");
        } else {
            assert_eq!((response.status, left), (200, 10 - 2 * cost - 1), "{case}");
        }
    }
    for (number, (reason, request)) in [
        ("rows_exceeded", post(r#"{"data":{"x":[1,2,3,4,5,6],"y":[1]}}"#)),
        ("rows_exceeded", inputs(&tensor("[3000,2]", 1))),
        ("rows_exceeded", inputs(&tensor("[1]", 6))),
        ("rows_exceeded", post(r#"{"inputs":[1],"data":[1,2,3,4,5,6]}"#)),
        ("rows_exceeded", csv("a\n1\n2\n3\n4\n5\n6")),
        // No rows where they are looked for.
        ("rows_exceeded", post(r#"{"rows":[1,2,3]}"#)),
        ("payload_malformed", post(r#"{"inputs":"1,2"}"#)),
        ("payload_malformed", post(r#"{"data":{"x":1}}"#)),
        ("payload_malformed", csv("a\nx\"1\n2\"\n")),
        ("payload_malformed", csv(r#"{"data":[1,2,3,4,5,6,7]}"#)),
    ]
    .into_iter()
    .enumerate()
    {
        let case = format!("refused-{number}");
        let response = envoy.send(&request.header("x-case", &case)).await;
        assert_eq!(response.reason(), reason, "{case}");
        assert!(fixture.upstream.last().unwrap().header("x-case") != Some(case.as_str()), "{case}");
    }
}

/// An upstream that counts the bytes it gets and answers `reply` at once, if there is one.
async fn listening(
    reply: &'static [u8],
) -> (SocketAddr, tokio::sync::mpsc::UnboundedReceiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let sender = sender.clone();
            tokio::spawn(async move {
                let mut buffer = vec![0; 65536];
                while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                    let _ = sender.send(buffer[..count].to_vec());
                    let _ = stream.write_all(reply).await;
                }
            });
        }
    });
    (address, receiver)
}

/// A head, half a body, and after a while the rest of it.
async fn slow(address: SocketAddr, first: &str, rest: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = first.len() + rest.len();
    let head = format!("POST /score HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all([&head, first].concat().as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let _ = stream.write_all(rest.as_bytes()).await;
    let mut buffer = vec![0; 4096];
    let count = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut buffer)).await;
    String::from_utf8_lossy(&buffer[..count.unwrap().unwrap_or(0)]).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_buffer_filter_behind_not_even_the_head_of_a_refused_request_goes_on() {
    let (address, mut seen) = listening(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let builder =
        guarded(&fixture, json!({"payload": {"max_depth": 32}})).upstream(address).buffer_filter();
    let envoy = builder.start().await;
    let answer = slow(envoy.address(), "{\"a\":", "}").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(seen.try_recv().is_err(), "the upstream got something");
    let answer = slow(envoy.address(), "{\"a\":", "1}").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(seen.recv().await.unwrap().starts_with(b"POST /score"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_answers_before_the_body_is_judged_is_not_heard() {
    let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret";
    let (address, mut seen) = listening(reply).await;
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let builder = guarded(&fixture, json!({"payload": {"max_depth": 32}})).upstream(address);
    let envoy = builder.start().await;
    let answer = slow(envoy.address(), "{\"a\":", "1}").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(!answer.contains("secret"), "{answer}");
    // Its headers went on, as hosts have it; nothing of the body did.
    let head = seen.recv().await.unwrap();
    assert!(head.ends_with(b"\r\n\r\n"), "{}", head.escape_ascii());
    assert!(seen.try_recv().is_err());
}
