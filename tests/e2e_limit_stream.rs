//! Streamed replies whose cost is charged at their end: passed on piece by piece, byte for byte.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use support::prelude::*;
use support::scenario::provider;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// No piece takes longer; one that is held back is a failure.
const DEADLINE: Duration = Duration::from_secs(20);

/// An upstream that sends each piece of a reply only when it is told to.
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

/// Cuts a reply into pieces whose borders have nothing to do with what it says.
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
    let name = "of_a_streamed_reply_each_piece_passes_before_the_next_one_is_there";
    let Some(binary) = support::envoy_binary(name) else { return };
    let signer = Signer::new("HS256", "key-1");
    let words: String = (0..8_192).map(|n| format!("word {n} \\u00e9 \\\" }} ")).collect();
    let delta = format!("data: {{\"delta\":\"{words}\"}}\r\n\r\n");
    let events = delta.repeat((1 << 20) / delta.len() + 1)
        + "data: {\"delta\":\"\",\"usage\":{\"total_tokens\":60}}\r\n\r\ndata: [DONE]\r\n\r\n";
    let filling = words.repeat((1 << 20) / words.len() + 1);
    let object = format!("{{\"text\":\"{filling}\",\"usage\":{{\"total_tokens\":60}}}}");
    for (content_type, reply) in [("text/event-stream", events), ("application/json", object)] {
        let reply = reply.into_bytes();
        assert!(reply.len() > 1 << 20);
        let (address, go) = upstream(content_type, cut(&reply)).await;
        let envoy = Envoy::builder(binary.clone())
            .workers(1)
            .upstream(address)
            .plugin_config(json!({
                "providers": [provider(&[&signer], &["HS256"])],
                "rules": [{"name": "all", "limits": ["chat"]}],
                "limits": [{
                    "name": "chat", "rate": "1/h", "burst": 50,
                    "charge": "response", "response_cost": {"json": "/usage/total_tokens"},
                }],
            }))
            .start()
            .await;
        let token = signer.sign(&mint::claims("alice"));
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
        for piece in cut(&reply) {
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
            let refused = client::send(envoy.address(), &Request::get("/").bearer(&token)).await;
            (refused.reason() == "rate_limited").then_some(())
        };
        go.send(()).await.unwrap();
        while let Some(frame) = tokio::time::timeout(DEADLINE, body.frame()).await.unwrap() {
            assert!(frame.unwrap().into_data().is_ok_and(|data| data.is_empty()));
        }
        assert!(support::poll(DEADLINE, debt).await.is_some(), "{content_type}: not charged");
        assert_eq!(envoy.vm_failures().await, 0);
    }
}
