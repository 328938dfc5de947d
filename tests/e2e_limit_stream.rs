//! Streamed replies whose cost is charged at their end: passed on piece by piece, byte for byte.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use support::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// No piece takes longer; one that is held back is a failure.
const DEADLINE: Duration = support::PATIENCE;

/// An upstream that sends the next piece of a reply for each message of the channel.
async fn upstream(
    content_type: &'static str,
    pieces: Vec<Vec<u8>>,
) -> (SocketAddr, mpsc::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (go, mut told) = mpsc::channel(1);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        for piece in pieces {
            told.recv().await.unwrap();
            let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), &piece, b"\r\n"].concat();
            stream.write_all(&chunk).await.unwrap();
        }
        told.recv().await.unwrap();
        stream.write_all(b"0\r\n\r\n").await.unwrap();
        // The connection stays open: the reply ended by its own end.
        told.recv().await;
    });
    (address, go)
}

/// Cuts a reply into pieces of sizes that do not depend on its content.
fn cut(reply: &[u8]) -> Vec<Vec<u8>> {
    let sizes = [1, 2, 5, 61, 4_099, 16_411, 65_537, 131_101].into_iter().cycle();
    let (mut pieces, mut rest) = (Vec::new(), reply);
    for size in sizes {
        if rest.is_empty() {
            return pieces;
        }
        let (piece, after) = rest.split_at(size.min(rest.len()));
        pieces.push(piece.to_vec());
        rest = after;
    }
    pieces
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_streamed_reply_each_piece_passes_before_the_next_one_is_there_and_unchanged() {
    let Some(fixture) = Fixture::new("HS256").await else { return };
    let words: String = (0..8_192).map(|n| format!("word {n} \\u00e9 \\\" }} ")).collect();
    let delta = format!("data: {{\"delta\":\"{words}\"}}\r\n\r\n");
    let events = delta.repeat((1 << 20) / delta.len() + 1)
        + "data: {\"delta\":\"\",\"usage\":{\"total_tokens\":60}}\r\n\r\ndata: [DONE]\r\n\r\n";
    let filling = words.repeat((1 << 20) / words.len() + 1);
    let object = format!("{{\"text\":\"{filling}\",\"usage\":{{\"total_tokens\":60}}}}");
    for (content_type, reply, limits) in [
        ("text/event-stream", &events, json!(["chat"])),
        ("application/json", &object, json!(["chat"])),
        ("text/event-stream", &events, json!([])),
    ] {
        let reply = reply.as_bytes();
        let metered = limits != json!([]);
        assert!(reply.len() > 1 << 20);
        let (address, go) = upstream(content_type, cut(reply)).await;
        let envoy = fixture
            .envoy(json!({
                "rules": [{"name": "all", "limits": limits}],
                "limits": [{
                    "name": "chat", "rate": "1/h", "burst": 50,
                    "charge": "response", "response_cost": {"json": "/usage/total_tokens"},
                }],
            }))
            .workers(1)
            .upstream(address)
            .start()
            .await;
        let token = fixture.token("alice");
        let request = hyper::Request::get("/chat")
            .header("host", "ml.example.com")
            .header("authorization", format!("Bearer {token}"))
            .body(Empty::<Bytes>::new())
            .unwrap();
        let io = TokioIo::new(TcpStream::connect(envoy.address()).await.unwrap());
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        // The head comes before the first piece is sent.
        let response = tokio::time::timeout(DEADLINE, sender.send_request(request)).await;
        let mut body = response.expect("the head was held back").unwrap().into_body();
        let (mut received, mut sent) = (Vec::new(), 0);
        for piece in cut(reply) {
            go.send(()).await.unwrap();
            sent += piece.len();
            while received.len() < sent {
                let frame = tokio::time::timeout(DEADLINE, body.frame()).await;
                let frame = frame.unwrap_or_else(|_| panic!("{} of {sent}", received.len()));
                received.extend_from_slice(frame.unwrap().unwrap().data_ref().unwrap());
            }
        }
        assert!(received == reply, "{content_type}: the reply was changed");
        // Nothing is charged before the reply ended, and then its own number.
        let debt = async || {
            let refused = envoy.send(&Request::get("/").bearer(&token)).await;
            (refused.reason() == "rate_limited").then_some(())
        };
        go.send(()).await.unwrap();
        while let Some(frame) = tokio::time::timeout(DEADLINE, body.frame()).await.unwrap() {
            assert!(frame.unwrap().into_data().is_ok_and(|data| data.is_empty()));
        }
        if metered {
            assert!(support::eventually(debt).await.is_some(), "{content_type}: not charged");
        }
    }
}

/// An Envoy with one bucket of 50 for each caller.
fn metered(fixture: &Fixture, cost: Value) -> Builder {
    fixture
        .envoy(json!({
            "rules": [
                {"name": "free", "match": {"paths": ["/free"]}},
                {"name": "all", "limits": ["chat"]},
            ],
            "limits": [{
                "name": "chat", "rate": "1/h", "burst": 50,
                "charge": "response", "response_cost": cost,
            }],
            "responses": {"ratelimit_headers": "x"},
        }))
        .workers(1)
        .log_field("usage", "%FILTER_STATE(wasm.tollgate.usage:PLAIN)%")
        .routes(json!([
            {"match": {"path": "/probe"}, "direct_response": {"status": 200}},
            {"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "0s"}},
        ]))
}

/// The rest of a caller's bucket, once something was charged to it.
async fn left(envoy: &Envoy, request: &Request) -> i64 {
    let look = async || {
        let response = envoy.send(request).await;
        let left: i64 = response.header("x-ratelimit-remaining")?.parse().ok()?;
        (left < 50 || response.status == 429).then_some(left)
    };
    support::eventually(look).await.expect("nothing was charged")
}

/// How many responses were counted by this result.
async fn counted(envoy: &Envoy, result: &str) -> u64 {
    envoy.stat(&format!("wasmcustom.tollgate_usage.limit.chat.result.{result}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coded_reply_and_every_reply_without_the_number_costs_what_is_missing_and_is_counted() {
    let usage = |text: &str| format!("{{\"usage\":{{\"total_tokens\":{text}}}}}");
    let answer = move |request: &Recorded| {
        let path = request.path.as_str();
        let coded = request.header("accept-encoding").is_some();
        let json = |body: String| Reply::new(200, body).header("content-type", "application/json");
        match path {
            // As servers do that every SDK talks to.
            "/asked" | "/free" if coded => json(usage("7")).header("content-encoding", "gzip"),
            "/asked" | "/free" => json(usage("7")),
            "/always" => json(usage("7")).header("content-encoding", "gzip"),
            "/identity" => json(usage("7")).header("content-encoding", "identity"),
            "/none" => json("{}".into()),
            "/text" => json(usage("\"7\"")),
            "/cut" => json("{\"usage\":{\"total_tokens\":7}".into()),
            "/failed" => Reply::new(500, "no"),
            "/reset" => Reply { hang_up: true, ..Reply::new(200, "") },
            "/whole" => json(usage("7.0")),
            "/power" => json(usage("0.7e1")),
            "/fraction" => json(usage("6.01")),
            "/negative" => json(usage("-3")),
            "/mark" => json(format!("\u{feff}{}", usage("7"))),
            "/parts" => json(format!("[{},{}]", usage("3"), usage("7"))),
            "/second" => json("{\"n\":7}".into()),
            _ => Reply::new(200, format!("{}\n{}\n", usage("3"), usage("7")))
                .header("content-type", "application/x-ndjson"),
        }
    };
    let Some(fixture) = Fixture::answering("HS256", answer).await else { return };
    let cost = json!({"json": ["/usage/total_tokens", "/n"], "missing": 20});
    let envoy = metered(&fixture, cost).start().await;
    let (mut settled, mut missing) = (0, 0);
    for (path, cost) in [
        ("/asked", Some(7)),
        ("/always", None),
        ("/identity", Some(7)),
        ("/none", None),
        ("/text", None),
        ("/cut", None),
        ("/failed", None),
        ("/reset", None),
        ("/whole", Some(7)),
        ("/power", Some(7)),
        ("/fraction", Some(7)),
        ("/mark", Some(7)),
        ("/parts", Some(7)),
        ("/second", Some(7)),
        ("/lines", Some(7)),
    ] {
        let token = fixture.token(path);
        let request = Request::get(path)
            .bearer(&token)
            .header("accept-encoding", "gzip, deflate, br, zstd")
            .header("accept~encoding", "gzip")
            .case(&path[1..]);
        envoy.send(&request).await;
        let probe = Request::get("/negative").bearer(&token);
        assert_eq!(left(&envoy, &probe).await, 50 - cost.unwrap_or(20), "{path}");
        if let Some(cost) = cost {
            settled += 1;
            assert_eq!(envoy.access(&path[1..]).await["usage"], cost.to_string(), "{path}");
        } else {
            missing += 1;
        }
        let seen = fixture.upstream.case(&path[1..]).unwrap();
        assert_eq!(seen.header("accept-encoding"), None, "{path}");
        assert_eq!(seen.header("accept~encoding"), None, "{path}");
    }
    assert_eq!(counted(&envoy, "missing").await, missing);
    // The probes are settled, too: a negative number costs nothing.
    assert!(counted(&envoy, "settled").await >= settled);
    // Without a charged response the filter leaves `accept-encoding` alone.
    let token = fixture.token("free");
    let request = Request::get("/free").bearer(&token).header("accept-encoding", "gzip").case("f");
    envoy.send(&request).await;
    assert_eq!(fixture.upstream.case("f").unwrap().header("accept-encoding"), Some("gzip"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressor_before_the_filter_codes_replies_that_were_read() {
    let reply = json!({"text": "word ".repeat(100), "usage": {"total_tokens": 7}});
    let answer = move |_: &Recorded| Reply::json(&reply);
    let Some(fixture) = Fixture::answering("HS256", answer).await else { return };
    let kind = |name: &str| format!("type.googleapis.com/envoy.extensions.{name}");
    let compressor = json!({"name": "envoy.filters.http.compressor", "typed_config": {
        "@type": kind("filters.http.compressor.v3.Compressor"),
        "compressor_library": {"name": "gzip", "typed_config": {
            "@type": kind("compression.gzip.compressor.v3.Gzip"),
        }},
    }});
    let cost = json!({"json": "/usage/total_tokens", "missing": 20});
    let envoy = metered(&fixture, cost).filter_before(compressor).start().await;
    let request = fixture.get("/chat", "alice").header("accept-encoding", "gzip").case("coded");
    let response = envoy.send(&request).await;
    assert_eq!(response.header("content-encoding"), Some("gzip"));
    assert_eq!(envoy.access("coded").await["usage"], "7");
    assert_eq!(fixture.upstream.case("coded").unwrap().header("accept-encoding"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_hangs_up_before_the_number_pays_what_is_missing() {
    let Some(fixture) = Fixture::new("HS256").await else { return };
    let delta = b"data: {\"delta\":\"the last word\"}\n\n".to_vec();
    let usage = b"data: {\"usage\":{\"total_tokens\":40}}\n\n".to_vec();
    for (heard, left_over) in [(0, 30), (1, 30), (2, 10)] {
        let pieces = vec![delta.clone(), usage.clone(), b"data: [DONE]\n\n".to_vec()];
        let (address, go) = upstream("text/event-stream", pieces.clone()).await;
        let cost = json!({"json": "/usage/total_tokens", "missing": 20});
        let envoy = metered(&fixture, cost).upstream(address).start().await;
        let token = fixture.token("alice");
        let mut stream = TcpStream::connect(envoy.address()).await.unwrap();
        stream.write_all(&Request::get("/chat").bearer(&token).to_bytes()).await.unwrap();
        let mut received = Vec::new();
        let head = &b"\r\n\r\n"[..];
        for end in [head].into_iter().chain(pieces.iter().map(Vec::as_slice)).take(heard + 1) {
            if end != head {
                go.send(()).await.unwrap();
            }
            while !received.windows(end.len()).any(|window| window == end) {
                let byte = tokio::time::timeout(DEADLINE, stream.read_u8()).await;
                received.push(byte.expect("nothing came").unwrap());
            }
        }
        drop(stream);
        // The number that the caller heard before it left counts, if it is more.
        let charged = async || (counted(&envoy, "missing").await == 1).then_some(());
        assert!(support::eventually(charged).await.is_some(), "{heard}");
        // The header shows the bucket before this response is charged.
        let probe = Request::get("/probe").bearer(&token);
        let response = envoy.send(&probe).await;
        let left: i64 = response.header("x-ratelimit-remaining").unwrap().parse().unwrap();
        assert_eq!(left, left_over, "{heard}");
    }
}
