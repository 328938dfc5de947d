//! The harness's HTTP/1.1 client, a request in two parts, and an h2c client.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncWriteExt;

pub use harness::client::*;

/// A request as one of hyper's.
pub trait Http2 {
    /// The same request for an HTTP/2 connection.
    fn h2(&self) -> hyper::Request<Full<Bytes>>;
}

impl Http2 for Request {
    fn h2(&self) -> hyper::Request<Full<Bytes>> {
        let target = String::from_utf8_lossy(&self.target);
        let builder = hyper::Request::builder()
            .method(&self.method[..])
            .uri(format!("http://ml.example.com{target}"));
        let headers = self.headers.iter().filter(|(name, _)| name != b"host");
        let builder = headers.fold(builder, |b, (name, value)| b.header(&name[..], &value[..]));
        builder.body(Full::new(Bytes::from(self.body.clone()))).unwrap()
    }
}

/// One request whose body follows its head when `between` is done, unless an answer comes first.
///
/// # Panics
/// When no whole response comes within 20 s.
pub async fn send_in_two(
    address: SocketAddr,
    request: &Request,
    between: impl AsyncFnOnce(),
) -> Response {
    let (mut read, mut write) = connect(address).await.unwrap().into_split();
    let bytes = request.to_bytes();
    let (head, body) = bytes.split_at(bytes.len() - request.body.len());
    write.write_all(head).await.unwrap();
    let rest = async {
        between().await;
        let _ = write.write_all(body).await;
        std::future::pending::<()>().await;
    };
    let answer = async {
        tokio::select! {
            answer = read_response(&mut read, false) => answer.unwrap().0,
            () = rest => unreachable!(),
        }
    };
    tokio::time::timeout(DEADLINE, answer).await.expect("no response")
}

/// One request over HTTP/2 with prior knowledge. Trailers are added to the headers.
pub async fn send_h2(address: SocketAddr, request: hyper::Request<Full<Bytes>>) -> Response {
    send_h2_with(address, request).await
}

/// The same with a body of any kind, such as one that ends with trailers.
pub async fn send_h2_with<B>(address: SocketAddr, request: hyper::Request<B>) -> Response
where
    B: hyper::body::Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + 'static,
    B: Unpin,
{
    let io = TokioIo::new(connect(address).await.unwrap());
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let driver = tokio::spawn(connection);
    let exchange = async {
        let (head, body) = sender.send_request(request).await.unwrap().into_parts();
        let collected = body.collect().await.unwrap();
        let trailers = collected.trailers().cloned().unwrap_or_default();
        let headers = head.headers.iter().chain(trailers.iter());
        let headers =
            headers.map(|(n, v)| (n.as_str().to_owned(), v.as_bytes().to_vec())).collect();
        Response { status: head.status.as_u16(), headers, body: collected.to_bytes().to_vec() }
    };
    let response = tokio::time::timeout(DEADLINE, exchange).await.expect("no HTTP/2 response");
    driver.abort();
    response
}
