//! An HTTP/1.1 client that sends exactly the bytes it is given.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Barrier;

/// No request of a test takes longer; a hang is a failure.
pub const DEADLINE: Duration = super::PATIENCE;

/// A request; names, values, order and case go out as given.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: Vec<u8>,
    pub target: Vec<u8>,
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub body: Vec<u8>,
}

impl Request {
    /// A request with the one header `host: ml.example.com`.
    pub fn new(method: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        Self {
            method: method.as_ref().to_vec(),
            target: target.as_ref().to_vec(),
            headers: vec![(b"host".to_vec(), b"ml.example.com".to_vec())],
            body: Vec::new(),
        }
    }

    pub fn get(target: impl AsRef<[u8]>) -> Self {
        Self::new("GET", target)
    }

    pub fn post(target: impl AsRef<[u8]>, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let length = body.len().to_string();
        Self { body, ..Self::new("POST", target).header("content-length", length) }
    }

    /// Adds one header line, after those that are there.
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Its body in chunks of so many bytes.
    pub fn chunked(mut self, size: usize) -> Self {
        self.headers.retain(|(name, _)| name != b"content-length");
        let chunk =
            |piece: &[u8]| [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
        let pieces: Vec<_> = self.body.chunks(size).map(chunk).collect();
        self.body = [&pieces.concat()[..], b"0\r\n\r\n"].concat();
        self.header("transfer-encoding", "chunked")
    }

    /// `authorization: Bearer <token>`.
    pub fn bearer(self, token: impl AsRef<[u8]>) -> Self {
        self.header("authorization", [b"Bearer ", token.as_ref()].concat())
    }

    /// Replaces the host.
    pub fn host(mut self, value: impl AsRef<[u8]>) -> Self {
        self.headers.retain(|(name, _)| !name.eq_ignore_ascii_case(b"host"));
        self.headers.insert(0, (b"host".to_vec(), value.as_ref().to_vec()));
        self
    }

    /// A name to find the request by in the access log (field `case`).
    pub fn case(self, name: impl AsRef<[u8]>) -> Self {
        self.header("x-case", name)
    }

    /// The bytes on the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = [&self.method[..], b" ", &self.target[..], b" HTTP/1.1\r\n"].concat();
        for (name, value) in &self.headers {
            out.extend_from_slice(&[&name[..], b": ", &value[..], b"\r\n"].concat());
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
        out
    }
}

/// A response as it came; names in lower case.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

impl Response {
    /// The first value of a header, as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(n, _)| n == name)?;
        std::str::from_utf8(value).ok()
    }

    /// The body as JSON; `Null` when it is not.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The `reason` of a problem document; empty when there is none.
    pub fn reason(&self) -> String {
        self.json()["reason"].as_str().unwrap_or_default().to_owned()
    }
}

/// A connection that is kept open between requests and opened anew when the server closed it.
pub struct Connection {
    address: SocketAddr,
    stream: Option<TcpStream>,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Self {
        let stream = connect(address).await.unwrap();
        Self { address, stream: Some(stream) }
    }

    /// A connection that its first request opens, so that a refusal is an error of that request.
    pub fn lazy(address: SocketAddr) -> Self {
        Self { address, stream: None }
    }

    /// One request over a stream of another kind, such as TLS.
    ///
    /// # Panics
    /// When no whole response comes within 20 s.
    pub async fn over(
        mut stream: impl AsyncRead + AsyncWrite + Unpin,
        request: &Request,
    ) -> Response {
        let exchange = async {
            stream.write_all(&request.to_bytes()).await?;
            // TLS keeps what the connection does not take at once.
            stream.flush().await?;
            read_response(&mut stream, request.method == b"HEAD").await
        };
        let done = tokio::time::timeout(DEADLINE, exchange).await.expect("no response");
        done.unwrap().0
    }

    /// Sends one request and reads its response.
    ///
    /// # Panics
    /// When no whole response comes within 20 s.
    pub async fn send(&mut self, request: &Request) -> Response {
        match self.try_send(&request.to_bytes()).await {
            Ok(response) => response,
            Err(error) => panic!("no response to {}: {error}", request.target.escape_ascii()),
        }
    }

    /// Sends bytes that need not be a request; an error when the peer hangs up instead.
    pub async fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<Response> {
        self.try_send_late(bytes, Duration::ZERO, &[]).await
    }

    /// The same with further bytes after a pause, unless the peer has answered already.
    pub async fn try_send_late(
        &mut self,
        bytes: &[u8],
        pause: Duration,
        late: &[u8],
    ) -> std::io::Result<Response> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(self.address).await?,
        };
        let head_only = bytes.starts_with(b"HEAD ");
        let exchange = async {
            stream.write_all(bytes).await?;
            // A client that has its answer sends no more, except after 100 Continue.
            let mut start = [0; 12];
            let answered = late.is_empty()
                || match tokio::time::timeout(pause, stream.peek(&mut start)).await {
                    Ok(length) => !start[..length?].ends_with(b"100"),
                    Err(_) => false,
                };
            if !answered {
                // The peer may have closed the connection meanwhile; its answer can still be read.
                let _ = stream.write_all(late).await;
            }
            read_response(&mut stream, head_only).await
        };
        let (response, open) = match tokio::time::timeout(DEADLINE, exchange).await {
            Ok(done) => done?,
            Err(_) => return Err(std::io::ErrorKind::TimedOut.into()),
        };
        if open {
            self.stream = Some(stream);
        }
        Ok(response)
    }
}

/// One request on a connection of its own.
pub async fn send(address: SocketAddr, request: &Request) -> Response {
    Connection::open(address).await.send(request).await
}

/// One request on a connection of its own, to a server that may not be there.
pub async fn try_send(address: SocketAddr, request: &Request) -> std::io::Result<Response> {
    Connection::lazy(address).try_send(&request.to_bytes()).await
}

/// All requests at the same moment, each on its own connection, opened before any is sent.
pub async fn send_at_once(address: SocketAddr, requests: Vec<Request>) -> Vec<Response> {
    let barrier = Arc::new(Barrier::new(requests.len()));
    let tasks: Vec<_> = requests
        .into_iter()
        .map(|request| {
            let barrier = Arc::clone(&barrier);
            tokio::spawn(async move {
                let mut connection = Connection::open(address).await;
                barrier.wait().await;
                connection.send(&request).await
            })
        })
        .collect();
    join(tasks).await.into_iter().collect()
}

/// All requests, spread over `connections` that are kept alive. The order of responses is lost.
pub async fn send_spread(
    address: SocketAddr,
    connections: usize,
    requests: Vec<Request>,
) -> Vec<Response> {
    let share = requests.len().div_ceil(connections).max(1);
    let tasks: Vec<_> = requests
        .chunks(share)
        .map(|chunk| {
            let chunk = chunk.to_vec();
            tokio::spawn(async move {
                let mut connection = Connection::open(address).await;
                let mut responses = Vec::with_capacity(chunk.len());
                for request in &chunk {
                    responses.push(connection.send(request).await);
                }
                responses
            })
        })
        .collect();
    join(tasks).await.into_iter().flatten().collect()
}

/// How many were answered with 200.
pub fn passed(responses: &[Response]) -> usize {
    responses.iter().filter(|response| response.status == 200).count()
}

async fn join<T: Send + 'static>(tasks: Vec<tokio::task::JoinHandle<T>>) -> Vec<T> {
    let mut results = Vec::with_capacity(tasks.len());
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

/// A connection without Nagle's delay.
pub async fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Reads one response, and whether the connection stays open.
pub async fn read_response(
    stream: &mut (impl AsyncRead + Unpin),
    head_only: bool,
) -> std::io::Result<(Response, bool)> {
    let mut buffer = Vec::with_capacity(4096);
    let (mut response, mut rest) = loop {
        if let Some((response, length)) = parse_head(&buffer)? {
            // An interim response (100 Continue) stands before the real one.
            if (100..200).contains(&response.status) {
                buffer.drain(..length);
                continue;
            }
            break (response, buffer.split_off(length));
        }
        if stream.read_buf(&mut buffer).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    };
    let bodyless = head_only || matches!(response.status, 204 | 304);
    let mut open = response.header("connection") != Some("close");
    if bodyless {
        // Nothing follows.
    } else if response.header("transfer-encoding") == Some("chunked") {
        loop {
            if let Some((body, _)) = decode_chunks(&rest) {
                response.body = body;
                break;
            }
            if stream.read_buf(&mut rest).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    } else if let Some(length) = response.header("content-length").and_then(|v| v.parse().ok()) {
        while rest.len() < length {
            if stream.read_buf(&mut rest).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        response.body = rest;
    } else {
        stream.read_to_end(&mut rest).await?;
        response.body = rest;
        open = false;
    }
    Ok((response, open))
}

/// The response without its body, and how many bytes its head takes; `None`: more is needed.
fn parse_head(bytes: &[u8]) -> std::io::Result<Option<(Response, usize)>> {
    let mut lines = [httparse::EMPTY_HEADER; 128];
    let mut head = httparse::Response::new(&mut lines);
    match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => {
            let headers =
                head.headers.iter().map(|h| (h.name.to_ascii_lowercase(), h.value.to_vec()));
            let status = head.code.unwrap_or_default();
            let response = Response { status, headers: headers.collect(), body: Vec::new() };
            Ok(Some((response, length)))
        }
        Ok(httparse::Status::Partial) => Ok(None),
        Err(error) => Err(std::io::Error::other(error)),
    }
}

/// The body of a chunked message and its length on the wire, once all of it is there.
pub(super) fn decode_chunks(mut bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let total = bytes.len();
    let mut body = Vec::new();
    loop {
        let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
        let size = std::str::from_utf8(&bytes[..end]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        bytes = &bytes[end + 2..];
        if size == 0 {
            // Trailers are skipped up to the empty line.
            loop {
                let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
                bytes = &bytes[end + 2..];
                if end == 0 {
                    return Some((body, total - bytes.len()));
                }
            }
        }
        body.extend_from_slice(bytes.get(..size)?);
        bytes = bytes.get(size + 2..)?;
    }
}
