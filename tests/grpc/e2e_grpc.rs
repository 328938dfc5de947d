//! A real gRPC client sees a refusal as a gRPC status with the reason as its message.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use bytes::{Buf, BufMut, Bytes};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use support::envoy::cluster;
use support::prelude::*;

/// Messages are bytes: the filter does not interpret them.
#[derive(Clone, Copy, Default)]
struct BytesCodec;

impl Codec for BytesCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(bytes.copy_to_bytes(bytes.remaining())))
    }
}

/// A gRPC server over h2c that sends each message back.
async fn echo_server() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = hyper::service::service_fn(|request: hyper::Request<Incoming>| async {
                let body = request.into_body().collect().await?.to_bytes();
                let trailers = hyper::HeaderMap::from_iter([(
                    "grpc-status".parse().unwrap(),
                    "0".parse().unwrap(),
                )]);
                let response = hyper::Response::builder()
                    .header("content-type", "application/grpc")
                    .body(Full::new(body).with_trailers(async { Some(Ok(trailers)) }));
                Ok::<_, hyper::Error>(response.unwrap())
            });
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

/// A unary call with this metadata.
async fn call(
    channel: &Channel,
    method: &str,
    metadata: &[(&'static str, String)],
) -> Result<Bytes, Status> {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let mut request = tonic::Request::new(Bytes::from_static(b"message"));
    for (name, value) in metadata {
        request.metadata_mut().append(*name, value.parse().unwrap());
    }
    let path = hyper::http::uri::PathAndQuery::try_from(method).unwrap();
    client.unary(request, path, BytesCodec).await.map(tonic::Response::into_inner)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grpc_client_gets_a_grpc_status_and_the_reason() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let mut upstream = cluster("grpc", echo_server().await);
    upstream["typed_extension_protocol_options"] = json!({
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        },
    });
    let envoy = fixture
        .envoy(json!({
            "providers": [provider(&[&fixture.signer], &["ES256"]), {
                "name": "away", "issuers": ["https://away.test"], "audiences": "any",
                "keys": {"remote": {
                    "uri": "http://away.test/keys", "cluster": "away", "timeout": "200ms",
                }},
            }],
            "rules": [
                {"name": "score", "match": {"paths": ["/ml.Scoring/*"]}, "allow": [
                    {"roles_any": ["Model.Score"]},
                ]},
                {"name": "few", "match": {"paths": ["/ml.Few/*"]}, "limits": ["few"]},
            ],
            "limits": [{"name": "few", "rate": "1/h", "burst": 1}],
        }))
        .raw_cluster(upstream)
        .cluster("away", SocketAddr::from(([127, 0, 0, 1], 1)))
        .routes(json!([{"match": {"prefix": "/"}, "route": {"cluster": "grpc"}}]))
        .start()
        .await;
    let endpoint = Endpoint::from_shared(format!("http://{}", envoy.address())).unwrap();
    let channel = endpoint.connect().await.unwrap();
    let bearer = |token: String| ("authorization", format!("Bearer {token}"));
    let good = || bearer(fixture.token_with("alice", json!({"roles": ["Model.Score"]})));
    let poor = || bearer(fixture.token("alice"));
    let away = || bearer(fixture.token_with("alice", json!({"iss": "https://away.test"})));
    let reply = call(&channel, "/ml.Scoring/Score", &[good()]).await.unwrap();
    assert_eq!(&reply[..], b"message");
    let reply = call(&channel, "/ml.Few/Score", &[poor()]).await.unwrap();
    assert_eq!(&reply[..], b"message");
    for (method, metadata, code, reason) in [
        ("/ml.Scoring/Score", vec![], Code::Unauthenticated, "token_missing"),
        ("/ml.Scoring/Score", vec![bearer("x".into())], Code::Unauthenticated, "token_malformed"),
        ("/ml.Scoring/Score", vec![poor()], Code::PermissionDenied, "role_insufficient"),
        ("/ml.Other/Score", vec![good()], Code::PermissionDenied, "no_rule"),
        ("/ml.Few/Score", vec![poor()], Code::ResourceExhausted, "rate_limited"),
        ("/ml.Scoring/Score", vec![good(), good()], Code::InvalidArgument, "token_multiple"),
        ("/ml.Scoring/Score", vec![away()], Code::Unavailable, "keys_unavailable"),
        ("/ml.Scoring/%2e%2e", vec![good()], Code::InvalidArgument, "path_ambiguous"),
    ] {
        let status = call(&channel, method, &metadata).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (code, reason), "{method}");
        let fields = status.metadata();
        let waits = matches!(code, Code::ResourceExhausted | Code::Unavailable);
        let pushback = fields.get("grpc-retry-pushback-ms").map(|ms| ms.to_str().unwrap());
        assert_eq!(pushback.is_some(), waits, "{method}");
        // One an hour: longer than `retry_after_max`.
        let never = code == Code::ResourceExhausted;
        assert!(pushback.is_none_or(|ms| (ms == "-1") == never), "{method}: {pushback:?}");
        let challenged = matches!(code, Code::Unauthenticated);
        assert!(!challenged || fields.contains_key("www-authenticate"), "{method}");
    }
    // Trailers-only: HTTP 200, the status in the only header block, no body.
    let request = hyper::Request::post("http://ml.example.com/ml.Scoring/Score")
        .header("content-type", "application/grpc+proto")
        .header("te", "trailers")
        .body(Full::from("\0\0\0\0\0"))
        .unwrap();
    let response = client::send_h2(envoy.address(), request).await;
    assert_eq!((response.status, response.body.len()), (200, 0));
    assert_eq!(response.header("content-type"), Some("application/grpc"));
    assert_eq!(response.header("grpc-status"), Some("16"));
    assert_eq!(response.header("grpc-message"), Some("token_missing"));
    // A content type with the same beginning is not gRPC: its caller sees the HTTP status.
    for content_type in
        ["application/grpcfoo", "application/grpc;charset=utf-8", "Application/gRPC"]
    {
        let request = Request::post("/ml.Scoring/Score", "{}").header("content-type", content_type);
        let response = envoy.send(&request).await;
        assert_eq!((response.status, response.reason().as_str()), (401, "token_missing"));
        assert_eq!(response.header("grpc-status"), None, "{content_type}");
    }
    // gRPC-Web has its status in the last frame of the body.
    let frame = b"\x80\0\0\0\x2cgrpc-status:16\r\ngrpc-message:token_missing\r\n";
    let text = "gAAAACxncnBjLXN0YXR1czoxNg0KZ3JwYy1tZXNzYWdlOnRva2VuX21pc3NpbmcNCg==";
    for (content_type, body) in [
        ("application/grpc-web+proto", &frame[..]),
        ("application/grpc-web-text+proto", text.as_bytes()),
    ] {
        let web =
            Request::post("/ml.Scoring/Score", "\0\0\0\0\0").header("content-type", content_type);
        let response = envoy.send(&web).await;
        assert_eq!((response.status, response.body.as_slice()), (200, body));
        assert_eq!(response.header("content-type"), Some(content_type));
    }
}
