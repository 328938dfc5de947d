//! Tests each misbehaviour of the embedded identity provider on the wire.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::idp::{
    Behaviour, DISCOVERY, ENTRA_JWKS, FAR_TOO_BIG, Idp, JUST_TOO_BIG, JWKS, Scheme,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The bytes of the connection until its end.
struct Reply {
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        Self { head, body: bytes[end + 4..].to_vec() }
    }

    fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn promised(&self) -> usize {
        self.header("content-length").unwrap().parse().unwrap()
    }
}

/// One request; reads until the end of the connection, however that comes.
async fn exchange<S>(mut stream: S, path: &str) -> (Vec<u8>, io::Result<()>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = format!("GET {path} HTTP/1.1\r\nhost: issuer.test\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes).await.map(drop);
    (bytes, end)
}

async fn tls(idp: &Idp, ca_pem: &str, name: &str) -> io::Result<impl AsyncRead + AsyncWrite> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(idp.address()).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

async fn raw(idp: &Idp, path: &str) -> (Vec<u8>, io::Result<()>) {
    match idp.url("").starts_with("https:") {
        true => exchange(tls(idp, &idp.ca_pem(), "issuer.test").await.unwrap(), path).await,
        false => exchange(TcpStream::connect(idp.address()).await.unwrap(), path).await,
    }
}

async fn get(idp: &Idp, path: &str) -> Reply {
    Reply::parse(&raw(idp, path).await.0)
}

fn keys() -> Value {
    json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "one", "x": "AAAA"}]})
}

/// A provider with one key, of each scheme.
fn both() -> [Idp; 2] {
    [Scheme::Http, Scheme::Https].map(|scheme| {
        let idp = Idp::start(scheme);
        idp.set_keys(keys());
        idp
    })
}

#[tokio::test]
async fn discovery_leads_to_the_keys_under_both_paths() {
    for idp in both() {
        let found = get(&idp, DISCOVERY).await.json();
        assert_eq!(found["issuer"], idp.url(""));
        assert_eq!(found["jwks_uri"], idp.url(JWKS));
        for path in [JWKS, ENTRA_JWKS, "/jwks?p=1"] {
            let reply = get(&idp, path).await;
            assert_eq!((reply.status(), reply.json()), (200, keys()));
            assert_eq!(reply.header("content-type"), Some("application/json"));
        }
        assert_eq!(get(&idp, "/other").await.status(), 404);
        idp.set_discovery(json!({"issuer": "x"}));
        assert_eq!(get(&idp, DISCOVERY).await.json(), json!({"issuer": "x"}));
    }
}

#[tokio::test]
async fn requests_are_counted_with_their_times_whatever_they_got() {
    let idp = Idp::start(Scheme::Http);
    let before = Instant::now();
    get(&idp, DISCOVERY).await;
    get(&idp, JWKS).await;
    idp.behave(Behaviour::Status(500));
    get(&idp.clone(), ENTRA_JWKS).await;
    get(&idp, "/other").await;
    assert_eq!((idp.discoveries(), idp.fetches(), idp.visits().len()), (1, 2, 4));
    let times = [idp.discovery_times(), idp.fetch_times(), vec![Instant::now()]].concat();
    assert!(before <= times[0] && times.is_sorted());
}

#[tokio::test]
async fn keys_and_cache_control_change_from_the_next_request_on() {
    let idp = Idp::start(Scheme::Http);
    let reply = get(&idp, JWKS).await;
    assert_eq!((reply.json(), reply.header("cache-control")), (json!({"keys": []}), None));
    idp.set_keys(keys());
    idp.cache_control(Some("public, max-age=600"));
    let reply = get(&idp, JWKS).await;
    assert_eq!(reply.json(), keys());
    assert_eq!(reply.header("cache-control"), Some("public, max-age=600"));
    idp.cache_control(None);
    assert_eq!(get(&idp, JWKS).await.header("cache-control"), None);
}

#[tokio::test]
async fn whole_answers_are_as_commanded() {
    for idp in both() {
        // Command, status, media type, whether the body is the key set.
        let table = [
            (Behaviour::Normal, 200, "application/json", true),
            (Behaviour::Status(500), 500, "text/plain", false),
            (Behaviour::Html200, 200, "text/html", false),
            (Behaviour::WrongContentType, 200, "text/plain", true),
            (Behaviour::Redirect("/login"), 302, "text/plain", false),
            (Behaviour::Coded("gzip"), 200, "application/json", true),
            (Behaviour::NotJson, 200, "application/json", false),
            (Behaviour::EmptySet, 200, "application/json", false),
        ];
        for (behaviour, status, media_type, good) in table {
            idp.behave(behaviour);
            let reply = get(&idp, JWKS).await;
            assert_eq!(reply.status(), status, "{behaviour:?}");
            assert_eq!(reply.header("content-type"), Some(media_type), "{behaviour:?}");
            let found = serde_json::from_slice::<Value>(&reply.body).ok();
            assert_eq!(found == Some(keys()), good, "{behaviour:?}");
            assert_eq!(found == Some(json!({"keys": []})), behaviour == Behaviour::EmptySet);
            assert_eq!(reply.promised(), reply.body.len(), "{behaviour:?}");
            let to = (behaviour == Behaviour::Redirect("/login")).then_some("/login");
            assert_eq!(reply.header("location"), to);
            let coding = (behaviour == Behaviour::Coded("gzip")).then_some("gzip");
            assert_eq!(reply.header("content-encoding"), coding);
        }
    }
}

#[tokio::test]
async fn huge_bodies_are_valid_and_of_the_exact_size() {
    for idp in both() {
        for size in [JUST_TOO_BIG, FAR_TOO_BIG] {
            idp.behave(Behaviour::Huge(size));
            let reply = get(&idp, JWKS).await;
            assert_eq!((reply.body.len(), reply.promised()), (size, size));
            assert_eq!(reply.json()["keys"], keys()["keys"]);
        }
    }
}

#[tokio::test]
async fn hang_reads_the_request_and_never_answers() {
    for idp in both() {
        idp.behave(Behaviour::Hang);
        assert!(timeout(Duration::from_millis(300), raw(&idp, JWKS)).await.is_err());
        assert_eq!(idp.fetches(), 1);
    }
}

#[tokio::test]
async fn reset_reaches_the_client_as_a_reset() {
    for idp in both() {
        idp.behave(Behaviour::Reset);
        let (bytes, end) = raw(&idp, JWKS).await;
        assert_eq!((bytes, end.unwrap_err().kind()), (vec![], io::ErrorKind::ConnectionReset));
        assert_eq!(idp.fetches(), 1);
    }
}

#[tokio::test]
async fn truncated_body_is_shorter_than_its_content_length() {
    for idp in both() {
        idp.behave(Behaviour::Truncated);
        let reply = get(&idp, JWKS).await;
        let whole = keys().to_string();
        assert_eq!((reply.status(), reply.promised()), (200, whole.len()));
        assert_eq!(reply.body, whole.as_bytes()[..whole.len() / 2]);
    }
}

#[tokio::test]
async fn trickle_sends_a_byte_every_tenth_of_a_second() {
    for idp in both() {
        idp.set_keys(json!({"keys": []}));
        idp.behave(Behaviour::Trickle);
        let start = Instant::now();
        let reply = get(&idp, JWKS).await;
        assert_eq!(reply.json(), json!({"keys": []}));
        // The first of the 11 bytes comes at once.
        assert!(start.elapsed() >= Duration::from_millis(1_000), "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn delay_answers_well_but_late() {
    let idp = Idp::start(Scheme::Http);
    idp.behave(Behaviour::Delay(Duration::from_millis(300)));
    let start = Instant::now();
    assert_eq!(get(&idp, JWKS).await.status(), 200);
    assert!(start.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn commands_end_as_told() {
    let idp = Idp::start(Scheme::Http);
    idp.behave_next(2, Behaviour::Status(503));
    for (path, status) in [("/other", 404), (JWKS, 503), (DISCOVERY, 503), (JWKS, 200)] {
        assert_eq!(get(&idp, path).await.status(), status, "{path}");
    }
    idp.behave_jwks(Behaviour::Status(500));
    assert_eq!(get(&idp, DISCOVERY).await.status(), 200);
    assert_eq!(get(&idp, JWKS).await.status(), 500);
    idp.behave(Behaviour::Normal);
    assert_eq!(get(&idp, JWKS).await.status(), 200);
}

#[tokio::test]
async fn down_closes_and_refuses_and_up_takes_the_same_port() {
    for idp in both() {
        idp.behave(Behaviour::Hang);
        let (other, address) = (idp.clone(), idp.address());
        let open = tokio::spawn(async move { raw(&other, JWKS).await });
        while idp.fetches() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        idp.down().await;
        assert!(open.await.unwrap().0.is_empty());
        let refused = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        idp.behave(Behaviour::Normal);
        for _ in 0..2 {
            idp.up();
            assert_eq!(idp.address(), address);
            assert_eq!(get(&idp, JWKS).await.json(), keys());
        }
        idp.down().await;
        idp.down().await;
    }
}

#[tokio::test]
async fn the_last_handle_stops_the_provider() {
    let idp = Idp::start(Scheme::Http);
    let (other, address) = (idp.clone(), idp.address());
    drop(idp);
    assert_eq!(get(&other, JWKS).await.status(), 200);
    drop(other);
    timeout(Duration::from_secs(5), async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("nobody listens");
}

#[tokio::test]
async fn leaf_is_good_for_its_names_under_its_own_ca_only() {
    let (idp, other) = (Idp::start(Scheme::Https), Idp::start(Scheme::Https));
    for name in ["localhost", "issuer.test", "127.0.0.1"] {
        assert!(tls(&idp, &idp.ca_pem(), name).await.is_ok(), "{name}");
    }
    assert!(tls(&idp, &idp.ca_pem(), "other.test").await.is_err());
    assert!(tls(&idp, &other.ca_pem(), "issuer.test").await.is_err());
    assert_eq!(Idp::start(Scheme::Http).ca_pem(), "");
}
