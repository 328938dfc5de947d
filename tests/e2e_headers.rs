//! Headers that only the filter may write, one spelling after the other, against servers that fold
//! names: a plain upstream, and programs behind nginx and WSGI. `e2e_real_servers` has more servers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use support::prelude::*;
use support::servers::{Kind, Server, folded};

/// The headers that the filter of these tests writes.
const WRITTEN: [&str; 4] = ["x-auth-identity", "x-auth-subject", "x-auth-issuer", "authorization"];

/// Their values for a request of alice.
const OURS: [&str; 4] =
    ["https://issuer.test/alice", "alice", "https://issuer.test", "Bearer the-upstreams-own-key"];

/// Every byte of a name that is no letter or digit (RFC 9110 §5.6.2): some server folds each.
const SEPARATORS: [char; 15] =
    ['-', '_', '.', '~', '!', '#', '$', '%', '&', '\'', '*', '+', '^', '`', '|'];

/// Every spelling that some server takes for a header of ours: all of them with one separator that
/// stands for all of `-`, and beside `-` on either side; those that servers are known to fold in
/// every combination and letter case.
fn spellings() -> Vec<String> {
    let mut names = BTreeSet::new();
    for name in ["x-auth-identity", "x-auth-subject", "x-auth-issuer", "x-tollgate-reason"] {
        let words: Vec<_> = name.split('-').collect();
        for first in SEPARATORS {
            for second in SEPARATORS {
                let known = |separator| ['-', '_', '.'].contains(&separator);
                let one_other = first == second || first == '-' || second == '-';
                if !(known(first) && known(second) || one_other) {
                    continue;
                }
                let name = format!("{}{first}{}{second}{}", words[0], words[1], words[2]);
                let mixed = |(at, c): (usize, char)| {
                    if at % 2 == 0 { c.to_ascii_uppercase() } else { c }
                };
                if known(first) && known(second) {
                    names.insert(name.chars().enumerate().map(mixed).collect());
                    names.insert(name.to_uppercase());
                }
                names.insert(name);
            }
        }
    }
    names.extend(["authorization", "Authorization", "AUTHORIZATION"].map(str::to_owned));
    names.into_iter().collect()
}

/// One request for each way to smuggle a value into a header of ours.
fn attacks(base: &Request) -> Vec<Request> {
    let mut requests = Vec::new();
    for name in spellings() {
        let one = || base.clone().header(&name, "spoofed");
        if name.eq_ignore_ascii_case("authorization") {
            requests.push(one());
            requests.push(one().header("connection", "authorization"));
            continue;
        }
        let lower = name.to_ascii_lowercase();
        requests.push(one());
        requests.push(one().header(&name, "spoofed too").header(lower, "spoofed three"));
        // RFC 9110 §7.6.1: the next hop removes the headers that `connection` names.
        requests.push(one().header("connection", format!("close, {name}, x-auth-subject")));
        requests.push(one().header("connection", "keep-alive, X-AUTH-IDENTITY, Authorization"));
        requests.push(one().header("te", "trailers").header("connection", format!("te, {name}")));
        requests.push(
            one().header("connection", format!("upgrade, {name}")).header("upgrade", "websocket"),
        );
        requests.push(one().header("proxy-connection", &name).header("keep-alive", &name));
        requests.push(one().header("trailer", &name));
    }
    requests
}

/// An Envoy before this upstream, and a request that it lets pass.
async fn start(fixture: &Fixture, upstream: SocketAddr) -> (Envoy, Request) {
    let envoy = fixture
        .envoy(json!({
            "token": {"from": [{"header": "x-user-token"}]},
            "rules": [
                {"name": "open", "match": {"paths": ["/open"]}, "auth": "none"},
                {"name": "dry", "match": {"paths": ["/dry"]}, "dry_run": true},
                {"name": "score", "upstream_authorization": {"env": "KEY", "prefix": "Bearer "}},
            ],
        }))
        .upstream(upstream)
        .variable("KEY", "the-upstreams-own-key")
        .hcm(json!({"upgrade_configs": [{"upgrade_type": "websocket"}]}))
        .start()
        .await;
    (envoy, Request::get("/score").header("x-user-token", fixture.token("alice")))
}

/// Whether a request asks for another protocol. Envoy passes no body back from such a request, so
/// that only the plain upstream can show the headers that it saw.
fn upgrades(request: &Request) -> bool {
    request.headers.iter().any(|(name, _)| name == b"upgrade")
}

/// Sends every attack that `fits`; `seen` sends one request and returns the headers at the upstream.
async fn check(
    verified: &Request,
    fits: fn(&Request) -> bool,
    seen: impl AsyncFn(&Request) -> Vec<(String, String)>,
) {
    let anonymous = [Request::get("/open"), Request::get("/dry")];
    for request in attacks(verified).into_iter().filter(fits) {
        let headers = seen(&request).await;
        let text = format!("{} gave {headers:?}", request.to_bytes().escape_ascii());
        for (name, value) in &headers {
            // A spoof in `authorization` may pass where the filter writes none; here it writes one.
            assert!(!value.contains("spoofed") || !ours(name), "{text}");
        }
        for (name, value) in WRITTEN.iter().zip(OURS) {
            let given: Vec<&str> = headers
                .iter()
                .filter(|(given, _)| folded(given) == *name)
                .map(|(_, value)| value.as_str())
                .collect();
            assert_eq!(given, [value], "{name}: {text}");
        }
    }
    for base in anonymous {
        for request in attacks(&base).into_iter().filter(fits) {
            let headers = seen(&request).await;
            for (name, value) in &headers {
                let authorization = folded(name) == "authorization";
                assert!(authorization || !ours(name) || value.is_empty(), "{name}: {value}");
            }
        }
    }
}

fn ours(name: &str) -> bool {
    let name = folded(name);
    WRITTEN.contains(&name.as_str()) || name.starts_with("x-tollgate-")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_upstream_never_sees_a_spoofed_header() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let (envoy, verified) = start(&fixture, fixture.upstream.address()).await;
    check(
        &verified,
        |_| true,
        async |request| {
            fixture.upstream.clear();
            let response = envoy.send(request).await;
            assert_eq!(response.status, 200, "{:?}", request.headers);
            let [seen] = &fixture.upstream.requests()[..] else { panic!("one request") };
            // The next hop removes the headers that it names.
            let connection = |name: &[u8]| name.eq_ignore_ascii_case(b"connection");
            let mut options = seen.headers.iter().filter(|(name, _)| connection(name));
            assert!(options.all(|(_, value)| value.eq_ignore_ascii_case(b"upgrade")), "{seen:?}");
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            seen.headers.iter().map(|(name, value)| (text(name), text(value))).collect()
        },
    )
    .await;
}

/// Sends the attacks to a server and checks the headers that its program reads. Without the filter
/// in between the program reads the spoof: the attack is real.
async fn check_server(kind: Kind, spoof: &str, fits: fn(&Request) -> bool) {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let Some(server) = Server::start(kind).await else { return };
    let (envoy, verified) = start(&fixture, server.address()).await;
    let direct = Request::get("/").header(spoof, "spoofed").case("direct");
    assert_eq!(client::send(server.address(), &direct).await.status, 200);
    assert_eq!(server.case("direct")[0].values("x-auth-subject"), ["spoofed"]);
    server.new_calls();
    let cases = AtomicUsize::new(0);
    check(&verified, fits, async |request| {
        let case = cases.fetch_add(1, Ordering::Relaxed).to_string();
        let response = envoy.send(&request.clone().case(&case)).await;
        assert_eq!(response.status, 200, "{:?}", request.headers);
        let [call] = &server.new_calls()[..] else { panic!("one call") };
        assert_eq!(call.case.as_ref(), Some(&case));
        call.variables.clone()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_never_sees_a_spoofed_header() {
    check_server(Kind::Nginx, "X_Auth_Subject", |request| !upgrades(request)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wsgi_application_never_sees_a_spoofed_header() {
    check_server(Kind::Wsgi, "X_Auth_Subject", |request| !upgrades(request)).await;
}

/// lighttpd folds every byte that is neither letter nor digit. It starts a process for each request, so
/// that the spellings are tried alone.
#[tokio::test(flavor = "multi_thread")]
async fn lighttpd_never_sees_a_spoofed_header() {
    let alone = |request: &Request| {
        let spoofs = request.headers.iter().filter(|(_, value)| value.starts_with(b"spoofed"));
        let others = [&b"connection"[..], b"proxy-connection", b"trailer", b"upgrade"];
        spoofs.count() == 1 && !request.headers.iter().any(|(name, _)| others.contains(&&name[..]))
    };
    check_server(Kind::Lighttpd, "x~auth~subject", alone).await;
}
