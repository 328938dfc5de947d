//! An embedded identity provider for tests and the demo: serves an OpenID Connect discovery
//! document and a JSON Web Key Set on a port of its own, over HTTP or HTTPS, rotates its keys, and
//! misbehaves on command.
//!
//! ```ignore
//! let idp = Idp::start(Scheme::Https);
//! idp.set_keys(json!({"keys": [signer.jwk()]}));
//! idp.behave_next(2, Behaviour::Reset); // two requests, then well-behaved again
//! idp.down().await;                     // connections are refused …
//! idp.up();                             // … and accepted again, on the same port
//! assert_eq!(idp.fetches(), 2);
//! ```
//!
//! - `answer`: the answer to a request, by [`Behaviour`].
//! - `serve`: the accept loop, connections, TLS.

#[path = "idp/answer.rs"]
mod answer;
#[path = "idp/serve.rs"]
mod serve;

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::net::TcpSocket;

/// Where the discovery document is (OpenID Connect Discovery 1.0 §4).
pub const DISCOVERY: &str = "/.well-known/openid-configuration";
/// Where the key set is, by the discovery document.
pub const JWKS: &str = "/jwks";
/// Where Microsoft Entra ID has its key set: the same one, under its path.
pub const ENTRA_JWKS: &str = "/common/discovery/v2.0/keys";

/// A free port of this machine.
const LOOPBACK: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

/// The names in the certificate of a provider that was not [`Idp::named`].
const NAMES: [&str; 4] = ["localhost", "issuer.test", "login.microsoftonline.com", "127.0.0.1"];

/// A size just above the 512 KiB that a fetched key set may have, for [`Behaviour::Huge`].
pub const JUST_TOO_BIG: usize = (512 << 10) + 1;
/// A size far above every bound, for [`Behaviour::Huge`].
pub const FAR_TOO_BIG: usize = 10 << 20;

/// Whether the provider speaks TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Cleartext HTTP/1.1.
    Http,
    /// HTTP/1.1 over TLS 1.2 or 1.3, with a leaf of a private CA: see [`Idp::ca_pem`].
    Https,
}

/// The answer to a request for one of the documents. Any other path gets 404.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// 200 with the document.
    Normal,
    /// This status with a short text.
    Status(u16),
    /// 302 to this `location`.
    Redirect(&'static str),
    /// 200 with the document, said to be under this content coding.
    Coded(&'static str),
    /// The request is read and never answered; the connection stays open.
    Hang,
    /// The request is read, then the TCP connection is reset.
    Reset,
    /// 200 with the `content-length` of the document but half of its bytes, then a close.
    Truncated,
    /// 200 with a page of HTML, as a captive portal or a maintenance page does.
    Html200,
    /// 200 with `{"keys":[]}`.
    EmptySet,
    /// 200 with the document padded to this many bytes (or its own size if that is more). It is
    /// valid JSON with the good keys in it, so only its size can be the reason to refuse it.
    Huge(usize),
    /// 200 with the document, called `text/plain`.
    WrongContentType,
    /// 200 with the document, one byte every 100 ms.
    Trickle,
    /// 200, called JSON, with bytes that are not.
    NotJson,
    /// 200 with the document after this time.
    Delay(Duration),
}

/// One request that came.
#[derive(Clone, Debug)]
pub struct Visit {
    /// The path without its query.
    pub path: String,
    /// When the head of the request had been read.
    pub at: Instant,
}

/// A running identity provider; clones are handles of the same one, which ends with the last.
#[derive(Clone)]
pub struct Idp {
    inner: Arc<Inner>,
}

struct Inner {
    scheme: Scheme,
    address: SocketAddr,
    /// Bound and never listening: keeps the port reserved while the provider is down.
    _reservation: TcpSocket,
    tls: Option<serve::Tls>,
    shared: Shared,
    /// `None` while down. Dropping it ends the server too.
    server: Mutex<Option<serve::Server>>,
}

/// The state that the handle writes and the server reads.
type Shared = Arc<Mutex<State>>;

struct State {
    keys: Value,
    /// Where the key set is, besides [`ENTRA_JWKS`].
    path: String,
    discovery: Value,
    cache_control: Option<String>,
    always: Behaviour,
    always_jwks: Option<Behaviour>,
    next: Option<(usize, Behaviour)>,
    visits: Vec<Visit>,
}

impl Idp {
    /// Listens on a free port of 127.0.0.1 with an empty key set; to be called in a tokio runtime.
    pub fn start(scheme: Scheme) -> Self {
        Self::open(LOOPBACK, scheme, &NAMES, JWKS)
    }

    /// One over TLS with a key set under this path, whose certificate has only these names.
    pub fn named(names: &[&str], path: &str, keys: Value) -> Self {
        Self::at(LOOPBACK, names, path, keys)
    }

    /// The same on an address of this machine.
    pub fn at(address: SocketAddr, names: &[&str], path: &str, keys: Value) -> Self {
        let idp = Self::open(address, Scheme::Https, names, path);
        idp.set_keys(keys);
        idp
    }

    fn open(address: SocketAddr, scheme: Scheme, names: &[&str], path: &str) -> Self {
        let reservation = serve::bind(address);
        let address = reservation.local_addr().expect("a bound socket has an address");
        let base = base_url(scheme, address);
        let state = State {
            keys: json!({"keys": []}),
            path: path.to_owned(),
            discovery: json!({
                "issuer": base,
                "jwks_uri": format!("{base}{JWKS}"),
                "authorization_endpoint": format!("{base}/authorize"),
                "token_endpoint": format!("{base}/token"),
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }),
            cache_control: None,
            always: Behaviour::Normal,
            always_jwks: None,
            next: None,
            visits: Vec::new(),
        };
        let idp = Self {
            inner: Arc::new(Inner {
                scheme,
                address,
                _reservation: reservation,
                tls: (scheme == Scheme::Https).then(|| serve::Tls::new(names)),
                shared: Arc::new(Mutex::new(state)),
                server: Mutex::new(None),
            }),
        };
        idp.up();
        idp
    }

    /// The same with a key set.
    pub fn serving(scheme: Scheme, keys: Value) -> Self {
        let idp = Self::start(scheme);
        idp.set_keys(keys);
        idp
    }

    /// The address that it listens on, or did before [`Idp::down`].
    pub fn address(&self) -> SocketAddr {
        self.inner.address
    }

    /// The absolute URL of a path, which starts with `/` or is empty (then: the issuer).
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", base_url(self.inner.scheme, self.inner.address))
    }

    /// The CA certificate that a client must trust; its leaf is valid for `localhost`,
    /// `issuer.test`, `login.microsoftonline.com` and 127.0.0.1. Each provider has a CA of its own. Empty without TLS.
    pub fn ca_pem(&self) -> String {
        self.inner.tls.as_ref().map(|tls| tls.ca_pem.clone()).unwrap_or_default()
    }

    /// Replaces the key set, from the next request on.
    pub fn set_keys(&self, jwks: Value) {
        self.state().keys = jwks;
    }

    /// Replaces the discovery document: another issuer, a `jwks_uri` elsewhere or none.
    pub fn set_discovery(&self, document: Value) {
        self.state().discovery = document;
    }

    /// The `cache-control` header of both documents; `None`, the default, sends none.
    pub fn cache_control(&self, value: Option<&str>) {
        self.state().cache_control = value.map(str::to_owned);
    }

    /// Every request for a document gets this from now on; forgets earlier commands.
    pub fn behave(&self, behaviour: Behaviour) {
        let mut state = self.state();
        state.always = behaviour;
        state.always_jwks = None;
        state.next = None;
    }

    /// As [`Idp::behave`] for requests for the key set only; the discovery document is not touched.
    pub fn behave_jwks(&self, behaviour: Behaviour) {
        self.state().always_jwks = Some(behaviour);
    }

    /// The next `requests` for a document get this; after them the earlier command holds again.
    pub fn behave_next(&self, requests: usize, behaviour: Behaviour) {
        self.state().next = Some((requests, behaviour));
    }

    /// Stops listening and closes every connection; connections are refused when this returns.
    pub async fn down(&self) {
        let server = self.inner.server.lock().expect("no holder panics").take();
        if let Some(server) = server {
            server.stop().await;
        }
    }

    /// Listens again on the same port; nothing happens if it does already.
    pub fn up(&self) {
        let mut server = self.inner.server.lock().expect("no holder panics");
        if server.is_none() {
            let acceptor = self.inner.tls.as_ref().map(|tls| tls.acceptor.clone());
            *server = Some(serve::Server::start(
                self.inner.address,
                acceptor,
                Arc::clone(&self.inner.shared),
            ));
        }
    }

    /// How many requests for the key set came, under either path, with any answer.
    pub fn fetches(&self) -> usize {
        self.fetch_times().len()
    }

    /// How many requests for the discovery document came, with any answer.
    pub fn discoveries(&self) -> usize {
        self.discovery_times().len()
    }

    /// When each request for the key set came, in order.
    pub fn fetch_times(&self) -> Vec<Instant> {
        let keys = self.state().path.clone();
        self.times(|path| path == keys || path == ENTRA_JWKS)
    }

    /// When each request for the discovery document came, in order.
    pub fn discovery_times(&self) -> Vec<Instant> {
        self.times(|path| path == DISCOVERY)
    }

    /// Each request, in order, those for unknown paths included.
    pub fn visits(&self) -> Vec<Visit> {
        self.state().visits.clone()
    }

    fn times(&self, wanted: impl Fn(&str) -> bool) -> Vec<Instant> {
        self.state().visits.iter().filter(|visit| wanted(&visit.path)).map(|v| v.at).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.shared.lock().expect("no holder panics")
    }
}

fn base_url(scheme: Scheme, address: SocketAddr) -> String {
    match scheme {
        Scheme::Http => format!("http://{address}"),
        Scheme::Https => format!("https://{address}"),
    }
}
