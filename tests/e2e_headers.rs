//! Headers that only the filter may write, against servers that fold names: a plain upstream, nginx
//! and a WSGI application.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use support::prelude::*;
use support::scenario::provider;
use support::skip::absent;

/// A server process and its files; both end with it.
struct Server {
    child: Child,
    address: SocketAddr,
    directory: Option<PathBuf>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(directory) = &self.directory {
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}

/// nginx with every header let in, answering what its `$http_…` variables hold. They are how nginx
/// hands headers to FastCGI, uwsgi and its own modules: letter case and `-` or `_` are gone there.
async fn nginx(test: &str) -> Option<Server> {
    let program = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"]
        .into_iter()
        .find(|path| Path::new(path).is_file());
    let Some(program) = program else {
        absent(test, "nginx is absent: run scripts/servers");
        return None;
    };
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let directory = support::root().join(format!("target/e2e/nginx-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let shown: String = WRITTEN
        .iter()
        .chain(&["x-tollgate-reason"])
        .map(|name| name.replace('-', "_"))
        .map(|name| format!("HTTP_{}=$http_{name}\\n", name.to_uppercase()))
        .collect();
    let config = format!(
        "daemon off; master_process off; pid nginx.pid; error_log stderr crit;
         events {{ worker_connections 64; }}
         http {{
           access_log off;
           client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3;
           uwsgi_temp_path t4; scgi_temp_path t5;
           server {{
             listen 127.0.0.1:{port};
             underscores_in_headers on; ignore_invalid_headers off;
             large_client_header_buffers 8 32k;
             location / {{ return 200 \"{shown}\"; }}
           }}
         }}"
    );
    std::fs::write(directory.join("nginx.conf"), config).unwrap();
    let child = Command::new(program)
        .arg("-p")
        .arg(&directory)
        .args(["-c", "nginx.conf", "-e", "stderr"])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let server = Server { child, address, directory: Some(directory) };
    let ready = async || client::try_send(address, &Request::get("/")).await.ok();
    support::poll(Duration::from_secs(20), ready).await.expect("nginx listens");
    Some(server)
}

/// `tests/data/wsgi.py`: CGI names (RFC 3875 §4.1.18), `-` becomes `_`, repeated headers are joined.
fn wsgi(test: &str) -> Option<Server> {
    let script = support::root().join("tests/data/wsgi.py");
    let child =
        Command::new("python3").arg(script).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        absent(test, "python3 is absent");
        return None;
    };
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], line.trim().parse().unwrap()));
    Some(Server { child, address, directory: None })
}

/// The headers that the filter of these tests writes.
const WRITTEN: [&str; 4] = ["x-auth-identity", "x-auth-subject", "x-auth-issuer", "authorization"];

/// What stands in them for a request of alice.
const OURS: [&str; 4] =
    ["https://issuer.test/alice", "alice", "https://issuer.test", "Bearer the-upstreams-own-key"];

/// Every spelling that some server takes for a header of ours.
fn spellings() -> Vec<String> {
    let mut names = Vec::new();
    for name in ["x-auth-identity", "x-auth-subject", "x-auth-issuer", "x-tollgate-reason"] {
        let words: Vec<_> = name.split('-').collect();
        for first in ["-", "_", "."] {
            for second in ["-", "_", "."] {
                let name = format!("{}{first}{}{second}{}", words[0], words[1], words[2]);
                let mixed = |(at, c): (usize, char)| {
                    if at % 2 == 0 { c.to_ascii_uppercase() } else { c }
                };
                names.push(name.chars().enumerate().map(mixed).collect());
                names.push(name.to_uppercase());
                names.push(name);
            }
        }
    }
    names.extend(["authorization", "Authorization", "AUTHORIZATION"].map(str::to_owned));
    names
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
        // RFC 9110 §7.6.1: what `connection` names is removed by the next hop, ours too if it could.
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

async fn start(test: &str, upstream: SocketAddr) -> Option<(Envoy, Request)> {
    let binary = support::envoy_binary(test)?;
    let signer = Signer::new("ES256", "key-1");
    let envoy = Envoy::builder(binary)
        .upstream(upstream)
        .plugin_config(json!({
            "providers": [provider(&[&signer], &["ES256"])],
            "token": {"from": [{"header": "x-user-token"}]},
            "rules": [
                {"name": "open", "match": {"paths": ["/open"]}, "auth": "none"},
                {"name": "dry", "match": {"paths": ["/dry"]}, "dry_run": true},
                {"name": "score", "upstream_authorization": {"env": "KEY", "prefix": "Bearer "}},
            ],
        }))
        .variable("KEY", "the-upstreams-own-key")
        .hcm(json!({"upgrade_configs": [{"upgrade_type": "websocket"}]}))
        .start()
        .await;
    Some((
        envoy,
        Request::get("/score").header("x-user-token", signer.sign(&mint::claims("alice"))),
    ))
}

/// Whether a request asks for another protocol. What a server answers to it does not come back
/// through Envoy as a body, so only the plain upstream can tell what it saw.
fn upgrades(request: &Request) -> bool {
    request.headers.iter().any(|(name, _)| name == b"upgrade")
}

/// Sends every attack that `fits`; `seen` tells the names and values that the upstream had of one request.
async fn check(
    envoy: &Envoy,
    verified: &Request,
    fits: fn(&Request) -> bool,
    seen: impl AsyncFn(&Request) -> Vec<(String, String)>,
) {
    let anonymous = [Request::get("/open"), Request::get("/dry")];
    for request in attacks(verified).into_iter().filter(fits) {
        let headers = seen(&request).await;
        let text = format!("{} gave {headers:?}", request.to_bytes().escape_ascii());
        for (name, value) in &headers {
            // Who must not be believed may say what it wants in `authorization`, where the filter
            // does not write one; here it does.
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
    assert_eq!(envoy.vm_failures().await, 0);
}

fn folded(name: &str) -> String {
    let name = name.to_ascii_lowercase().replace(['_', '.'], "-");
    name.strip_prefix("http-").map(str::to_owned).unwrap_or(name)
}

fn ours(name: &str) -> bool {
    let name = folded(name);
    WRITTEN.contains(&name.as_str()) || name.starts_with("x-tollgate-")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_upstream_never_sees_a_spoofed_header() {
    let upstream = Upstream::start().await;
    let name = "a_plain_upstream_never_sees_a_spoofed_header";
    let Some((envoy, verified)) = start(name, upstream.address()).await else { return };
    check(
        &envoy,
        &verified,
        |_| true,
        async |request| {
            upstream.clear();
            let response = client::send(envoy.address(), request).await;
            assert_eq!(response.status, 200, "{:?}", request.headers);
            let [seen] = &upstream.requests()[..] else { panic!("one request") };
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            seen.headers.iter().map(|(name, value)| (text(name), text(value))).collect()
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_never_sees_a_spoofed_header() {
    let name = "nginx_never_sees_a_spoofed_header";
    let Some(server) = nginx(name).await else { return };
    let Some((envoy, verified)) = start(name, server.address).await else { return };
    // Without the filter in between it does: the attack is real.
    let direct = Request::get("/").header("X_Auth_Subject", "spoofed");
    let response = client::send(server.address, &direct).await;
    let text = String::from_utf8_lossy(&response.body).into_owned();
    assert!(text.contains("HTTP_X_AUTH_SUBJECT=spoofed"), "{text}");
    check(
        &envoy,
        &verified,
        |request| !upgrades(request),
        async |request| {
            let response = client::send(envoy.address(), request).await;
            assert_eq!(response.status, 200, "{:?}", request.headers);
            let text = String::from_utf8_lossy(&response.body).into_owned();
            let pairs = text.lines().filter_map(|line| line.split_once('='));
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wsgi_application_never_sees_a_spoofed_header() {
    let name = "a_wsgi_application_never_sees_a_spoofed_header";
    let Some(server) = wsgi(name) else { return };
    let Some((envoy, verified)) = start(name, server.address).await else { return };
    let direct = Request::get("/").header("X_Auth_Subject", "spoofed");
    let response = client::send(server.address, &direct).await;
    assert_eq!(response.json()["HTTP_X_AUTH_SUBJECT"], "spoofed");
    check(
        &envoy,
        &verified,
        |request| !upgrades(request),
        async |request| {
            let response = client::send(envoy.address(), request).await;
            assert_eq!(response.status, 200, "{:?}", request.headers);
            let environ = response.json();
            let pairs = environ.as_object().unwrap().iter();
            pairs.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
        },
    )
    .await;
}
