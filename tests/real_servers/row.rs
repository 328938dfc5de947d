//! One request of a table, and how it is sent.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::prelude::*;
use tokio::net::TcpStream;

/// A request, and the facts that the judge needs.
#[derive(Clone, Debug)]
pub struct Row {
    pub request: Request,
    /// Over HTTP/2 with prior knowledge; the body is then `request.body` without any frames.
    pub h2: bool,
    /// Over HTTP/2; over HTTP/1.1 they stand in the body.
    pub trailers: Vec<(String, String)>,
    /// On a connection of its own: the bytes after it belong to no other row.
    pub fresh: bool,
    /// The body is sent a moment after the head.
    pub late_body: bool,
    /// It bears the good token of `alice`.
    pub token: bool,
    /// The row is worthless unless the program was called.
    pub served: bool,
    /// The row is refused with this status.
    pub status: Option<u16>,
}

impl Row {
    pub fn new(request: Request) -> Self {
        Self {
            request,
            h2: false,
            trailers: Vec::new(),
            fresh: false,
            late_body: false,
            token: false,
            served: false,
            status: None,
        }
    }

    pub fn get(target: impl AsRef<[u8]>) -> Self {
        Self::new(Request::get(target))
    }

    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        self.trailers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn h2(mut self) -> Self {
        self.h2 = true;
        self
    }

    pub fn fresh(mut self) -> Self {
        self.fresh = true;
        self
    }

    pub fn late_body(mut self) -> Self {
        self.late_body = true;
        self
    }

    pub fn token(mut self) -> Self {
        self.token = true;
        self
    }

    pub fn served(mut self) -> Self {
        self.served = true;
        self
    }

    pub fn refused(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// The request in messages; the token is not yet in it.
    pub fn text(&self) -> String {
        let wire = if self.h2 { "h2 " } else { "" };
        let bytes = self.request.to_bytes();
        let shown = bytes[..bytes.len().min(600)].escape_ascii();
        format!("{wire}{shown} {:?}", self.trailers)
    }
}

/// One HTTP/1.1 and one HTTP/2 connection, opened anew when the peer closes them.
pub struct Client {
    address: SocketAddr,
    h1: Connection,
    h2: Option<SendRequest<BoxBody<Bytes, Infallible>>>,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, h1: Connection::lazy(address), h2: None }
    }

    /// The response; `None` when there is none, as for an invalid request.
    pub async fn send(&mut self, row: &Row) -> Option<Response> {
        if row.fresh {
            self.h1 = Connection::lazy(self.address);
        }
        if !row.h2 && row.late_body {
            let head = Request { body: Vec::new(), ..row.request.clone() }.to_bytes();
            let pause = Duration::from_millis(30);
            return self.h1.try_send_late(&head, pause, &row.request.body).await.ok();
        }
        if !row.h2 {
            let bytes = row.request.to_bytes();
            let exchange = self.h1.try_send(&bytes);
            if !row.fresh || row.served {
                return exchange.await.ok();
            }
            // Of some framing Envoy waits for the rest, which never comes.
            let response = tokio::time::timeout(Duration::from_millis(500), exchange).await;
            self.h1 = Connection::lazy(self.address);
            return response.ok()?.ok();
        }
        let exchange = self.send_h2(row);
        let response = tokio::time::timeout(Duration::from_secs(20), exchange).await.ok()?;
        if response.is_none() {
            self.h2 = None;
        }
        response
    }

    async fn send_h2(&mut self, row: &Row) -> Option<Response> {
        let mut sender = match self.h2.take() {
            Some(sender) => sender,
            None => {
                let stream = TcpStream::connect(self.address).await.ok()?;
                let io = TokioIo::new(stream);
                let (sender, connection) = handshake(TokioExecutor::new(), io).await.ok()?;
                tokio::spawn(connection);
                sender
            }
        };
        sender.ready().await.ok()?;
        let sent = sender.send_request(h2_request(row)).await;
        self.h2 = Some(sender);
        let (head, body) = sent.ok()?.into_parts();
        let body = body.collect().await.ok()?.to_bytes().to_vec();
        let text = |(n, v): (&HeaderName, &HeaderValue)| (n.to_string(), v.as_bytes().to_vec());
        let headers = head.headers.iter().map(text).collect();
        Some(Response { status: head.status.as_u16(), headers, body })
    }
}

fn h2_request(row: &Row) -> hyper::Request<BoxBody<Bytes, Infallible>> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (mut host, mut headers) = (String::new(), Vec::new());
    for (name, value) in &row.request.headers {
        match text(name).as_str() {
            "host" => host = text(value),
            "connection" | "content-length" | "transfer-encoding" => {}
            name => headers.push((name.to_owned(), value.clone())),
        }
    }
    let mut request = hyper::Request::builder()
        .method(&row.request.method[..])
        .uri(format!("http://{host}{}", text(&row.request.target)));
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let full = Full::new(Bytes::from(row.request.body.clone()));
    let mut trailers = HeaderMap::new();
    for (name, value) in &row.trailers {
        trailers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    let body = match trailers.is_empty() {
        true => full.boxed(),
        false => full.with_trailers(async { Some(Ok(trailers)) }).boxed(),
    };
    request.body(body).unwrap()
}
