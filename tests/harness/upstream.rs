//! An HTTP/1.1 server that keeps each request: its bytes and their meaning.
//!
//! It is written over plain sockets because a library would normalise, refuse or drop the very
//! bytes that tests ask about: a control character in a value, the case of a name.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::client::decode_chunks;
use super::eventually;

/// One request as it came over the wire.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The whole head, request line to empty line, unchanged.
    pub head: Vec<u8>,
    pub method: String,
    pub path: String,
    /// Header lines in their order; names as received.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub body: Vec<u8>,
    /// Lines behind a chunked body; names as received.
    pub trailers: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Recorded {
    /// Every value of a header; names compare without regard to case.
    pub fn all(&self, name: &str) -> Vec<&[u8]> {
        let same = |n: &[u8]| n.eq_ignore_ascii_case(name.as_bytes());
        self.headers.iter().filter(|(n, _)| same(n)).map(|(_, v)| v.as_slice()).collect()
    }

    /// The only value of a header as text; `None` when there is none, several, or no text.
    pub fn header(&self, name: &str) -> Option<&str> {
        match self.all(name)[..] {
            [value] => std::str::from_utf8(value).ok(),
            _ => None,
        }
    }

    /// Whether the head has the bytes anywhere.
    pub fn head_contains(&self, bytes: &[u8]) -> bool {
        self.head.windows(bytes.len()).any(|window| window == bytes)
    }

    /// Bytes of the head that no HTTP/1.1 head should have: controls and anything past ASCII,
    /// apart from the CR LF at the end of each line.
    pub fn raw_bytes(&self) -> Vec<u8> {
        let lines = self.head.split_inclusive(|byte| *byte == b'\n');
        lines
            .flat_map(|line| line.strip_suffix(b"\r\n").unwrap_or(line))
            .copied()
            .filter(|byte| !(0x20..0x7f).contains(byte))
            .collect()
    }
}

/// An answer of the upstream.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// How long the answer waits.
    pub delay: Duration,
    /// Close the connection without any answer.
    pub hang_up: bool,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let (headers, delay) = (Vec::new(), Duration::ZERO);
        Self { status, headers, body: body.into(), delay, hang_up: false }
    }

    pub fn json(value: &serde_json::Value) -> Self {
        Self::new(200, value.to_string()).header("content-type", "application/json")
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// 200 with the request that was received: `method`, `path`, `headers` (pairs), `body_length`. Bytes past
    /// ASCII appear as the character of the same number.
    pub fn echo(request: &Recorded) -> Self {
        let text = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
        let headers: Vec<_> =
            request.headers.iter().map(|(n, v)| json!([text(n), text(v)])).collect();
        Self::json(&json!({
            "method": request.method, "path": request.path,
            "headers": headers, "body_length": request.body.len(),
        }))
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Reply\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", self.body.len()));
        [head.as_bytes(), &self.body].concat()
    }
}

type Answer = dyn Fn(&Recorded) -> Reply + Send + Sync;

struct Shared {
    answer: Box<Answer>,
    count: AtomicUsize,
    recording: AtomicBool,
    requests: Mutex<Vec<Recorded>>,
    /// The `x-request-id` and `x-case` of each head that came, whether or not its body did: many
    /// servers call their handler then.
    heads: Mutex<Heads>,
}

#[derive(Default)]
struct Heads {
    ids: HashSet<String>,
    cases: HashMap<String, usize>,
}

/// The upstreams of this process, by their addresses.
static ALL: LazyLock<Mutex<HashMap<SocketAddr, Arc<Shared>>>> = LazyLock::new(Mutex::default);

/// The heads that an [`Upstream`] saw, also after its end.
#[derive(Clone)]
pub struct Witness(Arc<Shared>);

impl Witness {
    /// The one at this address, if it is an [`Upstream`].
    pub fn at(address: SocketAddr) -> Option<Self> {
        ALL.lock().unwrap().get(&address).cloned().map(Self)
    }

    /// Whether the head of the request with this `x-request-id` came.
    pub fn saw(&self, id: &str) -> bool {
        self.0.heads.lock().unwrap().ids.contains(id)
    }
}

/// A server, on a free port of loopback unless said otherwise; it ends when dropped.
pub struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    accept: JoinHandle<()>,
}

impl Upstream {
    /// A server that echoes.
    pub async fn start() -> Self {
        Self::answering(Reply::echo).await
    }

    /// A server that answers by this function.
    pub async fn answering(answer: impl Fn(&Recorded) -> Reply + Send + Sync + 'static) -> Self {
        Self::listening("127.0.0.1:0".parse().unwrap(), answer).await
    }

    /// The same on another address.
    pub async fn listening(
        address: SocketAddr,
        answer: impl Fn(&Recorded) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            answer: Box::new(answer),
            count: AtomicUsize::new(0),
            recording: AtomicBool::new(true),
            requests: Mutex::new(Vec::new()),
            heads: Mutex::default(),
        });
        ALL.lock().unwrap().insert(address, Arc::clone(&shared));
        let accept = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&shared)));
                }
            }
        });
        Self { address, shared, accept }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The absolute URL of a path, which starts with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// How many requests came since the start, or since [`Upstream::clear`].
    pub fn count(&self) -> usize {
        self.shared.count.load(Ordering::SeqCst)
    }

    /// Waits for so many requests.
    ///
    /// # Panics
    /// When they do not come within 10 s.
    pub async fn arrived(&self, count: usize) {
        let arrived = async || (self.count() >= count).then_some(());
        eventually(arrived).await.expect("requests at the upstream");
    }

    /// The requests kept, oldest first.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// The newest request.
    pub fn last(&self) -> Option<Recorded> {
        self.shared.requests.lock().unwrap().last().cloned()
    }

    /// The request with this name in `x-case`.
    pub fn case(&self, name: &str) -> Option<Recorded> {
        let requests = self.shared.requests.lock().unwrap();
        requests.iter().find(|request| request.header("x-case") == Some(name)).cloned()
    }

    /// How many heads with this name in `x-case` came, whether or not their bodies did.
    pub fn heads(&self, name: &str) -> usize {
        self.shared.heads.lock().unwrap().cases.get(name).copied().unwrap_or(0)
    }

    /// Forgets all requests and counts from zero.
    pub fn clear(&self) {
        self.shared.requests.lock().unwrap().clear();
        self.shared.count.store(0, Ordering::SeqCst);
    }

    /// Whether requests are kept or only counted; for tests that send very many.
    pub fn record(&self, on: bool) {
        self.shared.recording.store(on, Ordering::SeqCst);
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::with_capacity(4096);
    while let Some(request) = receive(&mut stream, &mut buffer, &shared).await {
        shared.count.fetch_add(1, Ordering::SeqCst);
        let reply = (shared.answer)(&request);
        if shared.recording.load(Ordering::SeqCst) {
            shared.requests.lock().unwrap().push(request);
        }
        if !reply.delay.is_zero() {
            tokio::time::sleep(reply.delay).await;
        }
        if reply.hang_up || stream.write_all(&reply.to_bytes()).await.is_err() {
            return;
        }
    }
}

/// The next request of a connection; later bytes stay in `buffer`. `None`: it ended.
async fn receive(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    shared: &Shared,
) -> Option<Recorded> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        read_more(stream, buffer).await?;
    };
    let head: Vec<u8> = buffer.drain(..end).collect();
    let mut request = parse_head(head);
    if shared.recording.load(Ordering::SeqCst) {
        let mut heads = shared.heads.lock().unwrap();
        heads.ids.extend(request.header("x-request-id").map(str::to_owned));
        if let Some(case) = request.header("x-case") {
            *heads.cases.entry(case.to_owned()).or_default() += 1;
        }
    }
    if request.header("transfer-encoding") == Some("chunked") {
        let length = loop {
            if let Some((body, length)) = decode_chunks(buffer) {
                request.body = body;
                break length;
            }
            read_more(stream, buffer).await?;
        };
        let wire: Vec<u8> = buffer.drain(..length).collect();
        request.trailers = trailers(&wire);
    } else if let Some(length) = request.header("content-length").and_then(|v| v.parse().ok()) {
        while buffer.len() < length {
            read_more(stream, buffer).await?;
        }
        request.body = buffer.drain(..length).collect();
    }
    Some(request)
}

async fn read_more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    match stream.read_buf(buffer).await {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(()),
    }
}

/// The lines behind the last chunk.
fn trailers(chunks: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    const LAST: &[u8] = b"\r\n0\r\n";
    let whole = [b"\r\n", chunks].concat();
    let at = whole.windows(LAST.len()).rposition(|five| five == LAST).unwrap_or(whole.len());
    fields(whole.get(at + LAST.len()..).unwrap_or_default().split(|byte| *byte == b'\n'))
}

fn fields<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Vec<(Vec<u8>, Vec<u8>)> {
    lines
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
        .map(|line| {
            let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
            let value = line.get(colon + 1..).unwrap_or_default();
            (line[..colon].to_vec(), value.trim_ascii().to_vec())
        })
        .collect()
}

fn parse_head(head: Vec<u8>) -> Recorded {
    let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.trim_ascii());
    let first = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let mut words = first.split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let path = words.next().unwrap_or_default().to_owned();
    let headers = fields(lines);
    Recorded { method, path, headers, body: Vec::new(), trailers: Vec::new(), head }
}
