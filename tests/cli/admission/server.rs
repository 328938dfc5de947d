//! HTTP, TLS, the certificate and the end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::mistakes::{configurations, manifests};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use super::*;
use crate::tollgate;

const LARGEST: usize = 8 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_review_is_an_error_of_http() {
    let webhook = Webhook::start();
    let text = |value: Value| value.to_string();
    let old = json!({"apiVersion": "admission.k8s.io/v1beta1", "kind": "AdmissionReview"});
    let plain = |body: &str| Request::post("/validate", body);
    let json_type = ["application/json; charset=utf-8", "Application/JSON"];
    for (request, status) in [
        (Request::get("/healthz"), 200),
        (Request::get("/readyz"), 200),
        (Request::new("HEAD", "/readyz"), 200),
        (Request::post("/readyz", ""), 405),
        (Request::get("/validate"), 405),
        (Request::get("/"), 404),
        (Request::post("/validate/x", "{}"), 404),
        (plain("{}"), 415),
        (plain("{}").header("content-type", "application/yaml"), 415),
        (plain(&text(review(json!({})))).header("content-type", json_type[0]), 200),
        (plain(&text(review(json!({})))).header("content-type", json_type[1]), 200),
        (post(text(review(json!({}))).into_bytes()).chunked(7), 200),
        (post(""), 400),
        (post("{"), 400),
        (post([0xff, 0xfe]), 400),
        (post("[".repeat(1 << 20)), 400),
        (post("1e999999"), 400),
        (post(text(review(json!({}))).replace("\"0001\"", "1e999")), 400),
        (post(text(json!({}))), 400),
        (post(text(old)), 400),
        (post(text(review(json!({"uid": null})))), 400),
        (post(text(review(json!({"uid": 7})))), 400),
        (post(text(json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}))), 400),
        (
            post(text(
                json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": []}),
            )),
            400,
        ),
        (post(vec![b' '; LARGEST]), 400),
        (announced(LARGEST + 1), 413),
    ] {
        let shown: String = String::from_utf8_lossy(&request.to_bytes()).chars().take(99).collect();
        let answer = webhook.send(&request).await;
        assert_eq!(answer.status, status, "{shown}: {answer:?}");
    }
}

/// A request that says how long its body is, and sends none of it.
fn announced(length: usize) -> Request {
    let mut request = post("");
    request.headers.retain(|(name, _)| name != b"content-length");
    request.header("content-length", length.to_string())
}

/// A body of unknown length is cut off: the client learns of it when it writes, or by the answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_in_chunks_is_read_up_to_the_limit() {
    let webhook = Webhook::start();
    let loopback = std::net::Ipv4Addr::LOCALHOST.into();
    let mut stream = webhook.authority.connect(loopback, webhook.address, None).await.unwrap();
    let request = post(vec![b' '; LARGEST + (1 << 20)]).chunked(1 << 20).to_bytes();
    let written = stream.write_all(&request).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(written.is_err() || answer.starts_with(b"HTTP/1.1 413 "), "{answer:?}");
    let within = post(vec![b' '; LARGEST]).chunked(1 << 20);
    assert_eq!(webhook.send(&within).await.status, 400);
}

/// The API server of Kubernetes offers it to webhooks on its own machine, and HTTP/1.1 to all others.
#[tokio::test(flavor = "multi_thread")]
async fn http_2_is_served_where_the_client_offers_it() {
    let webhook = Webhook::start();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(webhook.authority.pem().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(webhook.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let io = TokioIo::new(stream);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    for _ in 0..3 {
        let body = review(json!({"operation": "DELETE"})).to_string();
        let request = hyper::Request::post("https://localhost/validate?timeout=5s")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let answer = sender.send_request(request).await.unwrap();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["response"]["allowed"], true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_are_answered_while_a_large_configuration_is_judged() {
    let webhook = Webhook::start();
    let of = |rules: usize| {
        let rule = |n| json!({"name": format!("r{n}"), "match": {"paths": [format!("/{n}")]}});
        let (mut config, _) = configurations();
        config["rules"] = (0..rules).map(rule).collect();
        let [plugin, ..] = manifests(&config, "tollgate");
        post(review(json!({"operation": "CREATE", "object": plugin})).to_string())
    };
    let large = of(2_000);
    let probed = async {
        for _ in 0..10 {
            assert_eq!(webhook.send(&Request::get("/healthz")).await.status, 200);
        }
    };
    let (judged, ()) = tokio::join!(webhook.send(&large), probed);
    assert_eq!(judged.json()["response"]["allowed"], true, "{judged:?}");
    // Kubernetes stores no object that is larger.
    let judged = webhook.send(&of(30_000)).await.json();
    assert_eq!(judged["response"]["allowed"], false, "{judged}");
    assert!(judged.to_string().contains(" bytes of configuration; allowed: at most 131072"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_taken_and_a_broken_one_is_not() {
    let mut webhook = Webhook::start();
    let next = Authority::new();
    let serves = async |authority: &Authority| {
        let loopback = std::net::Ipv4Addr::LOCALHOST.into();
        authority.connect(loopback, webhook.address, None).await.is_ok()
    };
    assert!(serves(&webhook.authority).await && !serves(&next).await);
    let (chain, _) = next.server_pem();
    // Kubernetes replaces both files at once; another tool may not.
    for (times, broken) in [(1, chain.as_str()), (2, "no certificate")] {
        webhook.folder.file("tls.crt", broken);
        webhook.logged("the certificate of before stays in use", times).await;
        assert!(serves(&webhook.authority).await && !serves(&next).await);
    }
    write(&webhook.folder, &next);
    // Both files are not written at once here, so that a reading between them may find them broken.
    webhook.logged("a new certificate is in use", 1).await;
    assert!(serves(&next).await && !serves(&webhook.authority).await);
    assert_eq!(webhook.end(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_flight_is_answered_after_sigterm() {
    let mut webhook = Webhook::start();
    let loopback = std::net::Ipv4Addr::LOCALHOST.into();
    let mut stream = webhook.authority.connect(loopback, webhook.address, None).await.unwrap();
    let request = post(review(json!({"operation": "DELETE"})).to_string()).to_bytes();
    let (first, rest) = request.split_at(request.len() - 10);
    stream.write_all(first).await.unwrap();
    stream.flush().await.unwrap();
    // An answer to another connection: the program has read the first bytes of this one by then.
    assert_eq!(webhook.send(&Request::get("/healthz")).await.status, 200);
    terminate(&webhook.child);
    let closed = async || TcpStream::connect(webhook.address).await.is_err().then_some(());
    eventually(closed).await.expect("no new connections");
    stream.write_all(rest).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(String::from_utf8_lossy(&answer).contains(r#""allowed":true"#), "{answer:?}");
    assert_eq!(webhook.end(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_say_nothing_are_closed() {
    let webhook = Webhook::start();
    let loopback = std::net::Ipv4Addr::LOCALHOST.into();
    let mut silent = TcpStream::connect(webhook.address).await.unwrap();
    let mut handshaken = webhook.authority.connect(loopback, webhook.address, None).await.unwrap();
    handshaken.write_all(b"POST /validate HTTP/1.1\r\n").await.unwrap();
    let mut rest = Vec::new();
    let ends = async {
        let _ = silent.read_to_end(&mut rest).await;
        let _ = handshaken.read_to_end(&mut rest).await;
    };
    tokio::time::timeout(Duration::from_secs(30), ends).await.expect("both are closed");
    assert_eq!(webhook.send(&Request::get("/readyz")).await.status, 200);
}

#[test]
fn wrong_usage_has_exit_code_2() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let (chain, key) = authority.server_pem();
    let chain = folder.file("tls.crt", chain);
    let key = folder.file("tls.key", key);
    let other = folder.file("other.key", authority.server_pem().1);
    let listen = ["--listen", "127.0.0.1:0"];
    for (arguments, said) in [
        (&["--cert", &chain, "--key", &other][..], "other.key"),
        (&["--cert", &key, "--key", &key], "no certificate"),
        (&["--cert", &chain, "--key", &chain], "tls.crt"),
        (&["--cert", "/absent", "--key", &key], "/absent"),
        (&["--cert", &chain], "--key"),
        (&["--cert", &chain, "--key", &key, "--listen", "192.0.2.1:1"], "192.0.2.1:1"),
        (&["--cert", &chain, "--key", &key, "--listen", "localhost"], "--listen"),
    ] {
        let listen = if arguments.contains(&"--listen") { &[][..] } else { &listen };
        let (text, errors, code) = tollgate(&[&["admission"], listen, arguments].concat());
        assert_eq!((code, text.as_str()), (2, ""), "{arguments:?}");
        assert!(errors.contains(said), "{errors}");
    }
}
