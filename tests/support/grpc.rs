//! A gRPC receiver that keeps all messages and looks inside none: texts in protobuf are
//! plain bytes, so a test finds them without the schema.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The messages by the method that they were sent to, in order of arrival.
type Messages = Arc<Mutex<Vec<(String, Bytes)>>>;

/// A receiver, on a free port of loopback unless said otherwise; it ends when dropped.
pub struct Receiver {
    address: SocketAddr,
    messages: Messages,
    accept: JoinHandle<()>,
}

impl Receiver {
    pub async fn start() -> Self {
        Self::listening("127.0.0.1:0".parse().unwrap()).await
    }

    pub async fn listening(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let messages = Messages::default();
        let kept = Arc::clone(&messages);
        let accept = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = Arc::clone(&kept);
                let service = service_fn(move |request| answer(request, Arc::clone(&kept)));
                tokio::spawn(
                    hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { address, messages, accept }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything that was sent to methods whose path ends so, in one piece.
    pub fn received(&self, method: &str) -> Vec<u8> {
        let messages = self.messages.lock().unwrap();
        messages
            .iter()
            .filter(|(path, _)| path.ends_with(method))
            .flat_map(|(_, m)| m.to_vec())
            .collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

type Body = http_body_util::combinators::BoxBody<Bytes, Infallible>;

/// Keeps each frame when it comes: a call for access logs never ends by itself.
async fn answer(
    request: hyper::Request<Incoming>,
    kept: Messages,
) -> Result<hyper::Response<Body>, Infallible> {
    let path = request.uri().path().to_owned();
    let mut body = request.into_body();
    while let Some(Ok(frame)) = body.frame().await {
        if let Ok(data) = frame.into_data() {
            kept.lock().unwrap().push((path.clone(), data));
        }
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    // An empty message: five bytes of prefix.
    let message = Full::new(Bytes::from_static(&[0; 5]));
    let body = message.with_trailers(async { Some(Ok(trailers)) }).boxed();
    let response = hyper::Response::builder().header("content-type", "application/grpc");
    Ok(response.body(body).unwrap())
}
