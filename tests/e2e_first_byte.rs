//! When the first byte of a streamed reply comes, metered and not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use support::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Requests to each rule.
const PAIRS: usize = 5_000;

/// An upstream that streams: the rest of its reply comes a millisecond after the first piece.
async fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let event = "data: {\"choices\":[{\"delta\":{\"content\":\"hello\"}}],\"usage\":null}\n\n";
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let first = format!("{head}{}", chunk(&event.repeat(4)));
    let last = "data: {\"usage\":{\"total_tokens\":1}}\n\ndata: [DONE]\n\n";
    let rest = format!("{}0\r\n\r\n", chunk(&(event.repeat(4) + last)));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (first, rest) = (first.clone(), rest.clone());
            tokio::spawn(async move {
                stream.set_nodelay(true).unwrap();
                let (read, mut write) = stream.into_split();
                let (mut read, mut head) = (BufReader::new(read), Vec::new());
                while let Ok(byte) = read.read_u8().await {
                    head.push(byte);
                    if head.ends_with(b"\r\n\r\n") {
                        head.clear();
                        write.write_all(first.as_bytes()).await.unwrap();
                        tokio::time::sleep(Duration::from_millis(1)).await;
                        write.write_all(rest.as_bytes()).await.unwrap();
                    }
                }
            });
        }
    });
    address
}

async fn connect(address: SocketAddr) -> SendRequest<Empty<Bytes>> {
    let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (sender, connection) = handshake(io).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// From the request to the first byte of its reply's body.
async fn first_byte(sender: &mut SendRequest<Empty<Bytes>>, path: &str, token: &str) -> Duration {
    sender.ready().await.unwrap();
    let request = hyper::Request::get(path)
        .header("host", "ml.example.com")
        .header("authorization", format!("Bearer {token}"))
        .body(Empty::new())
        .unwrap();
    let begun = Instant::now();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    let first = begun.elapsed();
    while body.frame().await.is_some() {}
    first
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "prints times: run it alone, on a quiet machine"]
async fn the_first_byte_of_a_metered_stream_comes_when_that_of_another_does() {
    let Some(fixture) = Fixture::new("HS256").await else { return };
    let envoy = fixture
        .envoy(json!({
            "rules": [
                {"name": "plain", "match": {"paths": ["/plain"]}, "limits": ["plain"]},
                {"name": "metered", "match": {"paths": ["/metered"]}, "limits": ["metered"]},
            ],
            "limits": [
                {"name": "plain", "rate": "1000000/s"},
                {
                    "name": "metered", "rate": "1000000/s",
                    "charge": "response", "response_cost": {"preset": "any"},
                },
            ],
        }))
        .workers(1)
        .upstream(upstream().await)
        .start()
        .await;
    let token = fixture.token("alice");
    let mut sender = connect(envoy.address()).await;
    let (mut plain, mut metered) = (Vec::new(), Vec::new());
    for pair in 0..PAIRS {
        // The order within a pair changes, so that neither always comes first.
        for turn in [pair % 2, (pair + 1) % 2] {
            let (path, times) =
                if turn == 0 { ("/plain", &mut plain) } else { ("/metered", &mut metered) };
            times.push(first_byte(&mut sender, path, &token).await.as_secs_f64() * 1e6);
        }
    }
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        [times[times.len() / 4], times[times.len() / 2], times[times.len() * 3 / 4]]
    };
    let differences = metered.iter().zip(&plain).map(|(metered, plain)| metered - plain).collect();
    println!("µs, quartiles of {PAIRS}: plain {:.1?}", median(plain));
    println!("metered {:.1?}", median(metered));
    println!("difference of each pair {:.1?}", median(differences));
}
