//! Trailers: none passes that only the filter may write or that rules depend on, over HTTP/1.1 and
//! HTTP/2.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::envoy::cluster;
use support::prelude::*;

/// Trailers that must not arrive: headers of tags, reserved ones, and those that rules, costs, tokens and the
/// lent key are about, in any spelling.
const GONE: [&str; 12] = [
    "x-auth-subject",
    "x_auth_subject",
    "x~auth~subject",
    "x.auth+subject",
    "x-tollgate-x",
    "x_tollgate_reason",
    "authorization",
    "x-user-token",
    "x_user_token",
    "x-batch",
    "x!batch",
    "x-plan",
];

/// Trailers that arrive.
const KEPT: [&str; 2] = ["x-checksum", "digest"];

const BODY: &str = "{\"data\":[1]}";

/// The paths: one rule of each kind, and one that judges the body.
const PATHS: [&str; 4] = ["/open", "/maybe", "/guarded", "/score"];

/// An Envoy with the filter before a cluster that speaks as given.
async fn start(fixture: &Fixture, upstream: SocketAddr, protocol: Value) -> Envoy {
    let mut cluster = cluster("late", upstream);
    cluster["typed_extension_protocol_options"] = json!({
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": protocol,
        },
    });
    fixture
        .envoy(json!({
            "token": {"from": [{"header": "x-user-token"}]},
            "rules": [
                {"name": "free", "match": {"headers": {"x-plan": "free"}}, "auth": "none"},
                {"name": "open", "match": {"paths": ["/open"]}, "auth": "none"},
                {"name": "maybe", "match": {"paths": ["/maybe"]}, "auth": "optional"},
                {
                    "name": "guarded", "match": {"paths": ["/guarded"]},
                    "payload": {"require_any": ["/data"]},
                },
                {
                    "name": "score", "cost": {"header": "x-batch", "max": 9}, "limits": ["calls"],
                    "upstream_authorization": {"env": "KEY"},
                },
            ],
            "limits": [{"name": "calls", "rate": "100/s"}],
            "tags": [{"name": "subject", "value": "{sub}", "header": "x-auth-subject"}],
        }))
        .raw_cluster(cluster)
        .routes(json!([{"match": {"prefix": "/"}, "route": {"cluster": "late"}}]))
        .hcm(json!({"http_protocol_options": {"enable_trailers": true}}))
        .variable("KEY", "the-upstreams-own-key")
        .start()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn trailers_of_http1_bring_nothing_that_only_the_filter_writes() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let protocol = json!({"http_protocol_options": {"enable_trailers": true}});
    let envoy = start(&fixture, fixture.upstream.address(), protocol).await;
    let token = fixture.token("alice");
    for path in PATHS {
        for pieces in [1, 2] {
            fixture.upstream.clear();
            let mut body = String::new();
            let at = if pieces == 1 { BODY.len() } else { 4 };
            for piece in [&BODY[..at], &BODY[at..]].into_iter().filter(|piece| !piece.is_empty()) {
                body.push_str(&format!("{:x}\r\n{piece}\r\n", piece.len()));
            }
            body.push_str("0\r\n");
            for field in GONE.iter().chain(&KEPT) {
                body.push_str(&format!("{field}: spoofed\r\n"));
            }
            body.push_str("\r\n");
            let mut request = Request::get(path)
                .header("x-user-token", &token)
                .header("content-type", "application/json")
                .header("transfer-encoding", "chunked");
            request.method = b"POST".to_vec();
            request.body = body.into_bytes();
            let response = envoy.send(&request).await;
            assert_eq!(response.status, 200, "{path}: {}", response.reason());
            let [seen] = &fixture.upstream.requests()[..] else { panic!("one request") };
            assert_eq!(seen.body, BODY.as_bytes(), "{path}");
            let names: Vec<_> =
                seen.trailers.iter().map(|(name, _)| String::from_utf8_lossy(name)).collect();
            assert_eq!(names, KEPT, "{path}");
        }
    }
}

/// The trailers of each request to an HTTP/2 server.
type Late = Arc<Mutex<Vec<(Bytes, HeaderMap)>>>;

async fn collector() -> (SocketAddr, Late) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let late = Late::default();
    let kept = Arc::clone(&late);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let kept = Arc::clone(&kept);
            let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
                let kept = Arc::clone(&kept);
                async move {
                    let whole = request.into_body().collect().await.unwrap();
                    let trailers = whole.trailers().cloned().unwrap_or_default();
                    kept.lock().unwrap().push((whole.to_bytes(), trailers));
                    Ok::<_, Infallible>(hyper::Response::new(Full::new(Bytes::new())))
                }
            });
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
        }
    });
    (address, late)
}

#[tokio::test(flavor = "multi_thread")]
async fn trailers_of_http2_bring_nothing_that_only_the_filter_writes() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let (upstream, late) = collector().await;
    let protocol = json!({"http2_protocol_options": {}});
    let envoy = start(&fixture, upstream, protocol).await;
    let token = fixture.token("alice");
    for path in PATHS {
        late.lock().unwrap().clear();
        let trailers: HeaderMap = GONE
            .iter()
            .chain(&KEPT)
            .map(|name| (HeaderName::from_static(name), HeaderValue::from_static("spoofed")))
            .collect();
        let body = Full::new(Bytes::from_static(BODY.as_bytes()))
            .with_trailers(async { Some(Ok(trailers)) });
        let request = hyper::Request::post(format!("http://ml.example.com{path}"))
            .header("x-user-token", &token)
            .header("content-type", "application/json")
            .body(Box::pin(body))
            .unwrap();
        let response = client::send_h2_with(envoy.address(), request).await;
        assert_eq!(response.status, 200, "{path}: {}", response.reason());
        let seen = late.lock().unwrap().clone();
        let [(body, trailers)] = &seen[..] else { panic!("one request") };
        assert_eq!(&body[..], BODY.as_bytes(), "{path}");
        let mut names: Vec<_> = trailers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        let mut kept = KEPT;
        kept.sort_unstable();
        assert_eq!(names, kept, "{path}");
    }
}
