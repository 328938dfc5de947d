//! `payload.include_usage` in a real Envoy: bodies that are changed on their way to HTTP/1.1 and HTTP/2 servers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use support::prelude::*;

const STREAM: &str = r#"{"model":"m","messages":[],"stream":true}"#;

fn document(hold_head: bool) -> Value {
    json!({
        "rules": [{
            "name": "chat", "match": {"paths": ["/chat"]},
            "payload": {"include_usage": "add", "max_bytes": "4MiB"},
        }, {
            "name": "strict", "match": {"paths": ["/strict"]}, "payload": {"include_usage": "require"},
        }],
        "hold_head": hold_head,
    })
}

/// Where the head waits for the verdict on the body: in Envoy's buffer filter behind ours, in ours, or nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Head {
    Buffered,
    Held,
    Free,
}

fn envoy(fixture: &Fixture, head: Head) -> Builder {
    let envoy = fixture.envoy(document(head == Head::Held)).buffer_limit(4 << 20);
    match head {
        Head::Buffered => envoy.filter_after(json!({
            "name": "envoy.filters.http.buffer",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer",
                "max_request_bytes": 4 << 20,
            },
        })),
        Head::Held => envoy.stop_iteration(),
        Head::Free => envoy,
    }
}

/// The parts of a body around the place of a change, what stands there, and what will.
fn bodies() -> Vec<(String, &'static str, &'static str, String)> {
    let filler = "é\\\"".repeat(350_000);
    let large = |end: &str| format!(r#"{{"x":"{filler}"{end}"#);
    let (null, usage) = ("null", r#"{"include_usage":true}"#);
    let first = r#"{"stream_options":{"include_usage":true},"#;
    vec![
        (String::new(), "{", first, r#""model":"m","stream":true}"#.to_owned()),
        (String::new(), "{", first, format!(r#""stream":true,{}"#, &large("}")[1..])),
        (r#"{"stream":true,"stream_options":"#.to_owned(), null, usage, "}".to_owned()),
        (large(r#","stream":true,"stream_options":"#), null, usage, "}".to_owned()),
        (
            large(r#","stream":true,"stream_options":"#),
            null,
            usage,
            format!(",{}", &large("}")[1..].replacen('x', "y", 1)),
        ),
        (
            r#"{"stream":true,"stream_options":{"include_usage":"#.to_owned(),
            "false",
            "true",
            "}}".to_owned(),
        ),
        // Nothing changes.
        (large(r#","stream":false"#), "}", "}", String::new()),
        (
            r#"{"stream":true,"stream_options":{"include_usage":"#.to_owned(),
            "true",
            "true",
            "}}".to_owned(),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_body_arrives_whole_and_framed_however_it_is_sent() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    // The second Envoy speaks HTTP/2 with the first, and HTTP/1.1 with the server.
    let behind = fixture.proxy().buffer_limit(4 << 20).start().await;
    for head in [Head::Buffered, Head::Held, Head::Free] {
        let mut over = support::envoy::cluster("over", behind.address());
        over["typed_extension_protocol_options"] = json!({
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            },
        });
        let routes = json!([
            {"match": {"prefix": "/", "headers": [{"name": "x-over", "string_match": {"exact": "h2"}}]}, "route": {"cluster": "over"}},
            {"match": {"prefix": "/"}, "route": {"cluster": "upstream"}},
        ]);
        let envoy = envoy(&fixture, head).raw_cluster(over).routes(routes).start().await;
        for (number, (before, old, new, after)) in bodies().into_iter().enumerate() {
            let body = format!("{before}{old}{after}");
            let changed = format!("{before}{new}{after}");
            for (way, over) in
                [("h1", "h1"), ("h1", "h2"), ("chunked", "h1"), ("h2", "h1"), ("h2", "h2")]
            {
                let case = format!("{head:?}-{number}-{way}-{over}");
                let request = Request::post("/chat", body.clone())
                    .header("content-type", "application/json")
                    .header("x-over", over)
                    .bearer(fixture.token("alice"))
                    .case(&case);
                let response = match way {
                    "h1" => envoy.send(&request).await,
                    "chunked" => envoy.send(&request.chunked(9_973)).await,
                    _ => client::send_h2(envoy.address(), request.h2()).await,
                };
                assert_eq!(response.status, 200, "{case} {:#?}", envoy.filter_log());
                let seen = fixture.upstream.case(&case).unwrap();
                assert!(seen.body == changed.as_bytes(), "{case} {}", seen.body.len());
                let length = seen.header("content-length").map(str::to_owned);
                let chunked = seen.header("transfer-encoding") == Some("chunked");
                assert_eq!(chunked, length.is_none(), "{case}");
                if head != Head::Free && way != "chunked" || head == Head::Buffered {
                    assert_eq!(length, Some(changed.len().to_string()), "{case}");
                }
            }
        }
    }
}

/// The body of one request ends where the next one begins, although it is longer than the client said.
#[tokio::test(flavor = "multi_thread")]
async fn requests_that_follow_on_one_connection_are_not_mixed_up() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    for head in [Head::Buffered, Head::Held, Head::Free] {
        let envoy = envoy(&fixture, head).workers(1).start().await;
        let mut connection = client::Connection::open(envoy.address()).await;
        for number in 0..6 {
            let case = format!("{head:?}-next-{number}");
            let body = if number % 2 == 0 { STREAM } else { r#"{"model":"m"}"# };
            let request = Request::post("/chat", body).bearer(fixture.token("alice")).case(&case);
            assert_eq!(connection.send(&request).await.status, 200);
            let seen: Value =
                serde_json::from_slice(&fixture.upstream.case(&case).unwrap().body).unwrap();
            assert_eq!(seen["stream_options"]["include_usage"] == true, number % 2 == 0);
        }
    }
}

/// A body that fills the buffer of the proxy has no room for the member; it passes with it or not at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_at_the_edge_of_the_buffer_passes_with_its_usage_or_not_at_all() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    for head in [Head::Buffered, Head::Held, Head::Free] {
        let envoy = envoy(&fixture, head).buffer_limit(64 << 10).start().await;
        for room in [0, 1, 10, 40, 41, 42, 100] {
            for chunked in [false, true] {
                let frame = r#"{"x":"","stream":true}"#.len();
                let filler = "x".repeat((64 << 10) - room - frame);
                let body = format!(r#"{{"x":"{filler}","stream":true}}"#);
                let case = format!("{head:?}-edge-{room}-{chunked}");
                let request =
                    Request::post("/chat", body).bearer(fixture.token("alice")).case(&case);
                let request = if chunked { request.chunked(5_000) } else { request };
                let response = envoy.send(&request).await;
                let seen = fixture.upstream.case(&case);
                assert_eq!(response.status == 200, seen.is_some(), "{case}");
                let Some(seen) = seen else {
                    assert_eq!(response.status, 413, "{case}");
                    continue;
                };
                let seen: Value = serde_json::from_slice(&seen.body).unwrap();
                assert_eq!(seen["stream_options"]["include_usage"], true, "{case}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_without_its_usage_is_refused_with_the_word_that_cures_it() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let envoy = envoy(&fixture, Head::Held).start().await;
    for (path, body, reason) in [
        ("/strict", STREAM, "usage_required"),
        ("/strict", r#"{"stream":true,"stream_options":{"include_usage":true}}"#, "ok"),
        ("/strict", r#"{"stream":false}"#, "ok"),
        ("/chat", r#"{"stream":true,"stream_options":{"include_usage":"no"}}"#, "usage_required"),
        ("/chat", r#"{"stream":true,"stream":false}"#, "payload_malformed"),
    ] {
        let response = envoy.send(&Request::post(path, body).bearer(fixture.token("alice"))).await;
        if reason == "ok" {
            assert_eq!(response.status, 200, "{body}");
            let seen = fixture.upstream.last().unwrap();
            assert_eq!(seen.body, body.as_bytes());
            assert_eq!(seen.header("content-length"), Some(body.len().to_string().as_str()));
            continue;
        }
        assert_eq!((response.status, response.reason().as_str()), (400, reason), "{body}");
        let detail = response.json()["detail"].to_string();
        assert_eq!(detail.contains("stream_options.include_usage"), reason == "usage_required");
    }
}
