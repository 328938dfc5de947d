//! Behind the real NGINX and the real HAProxy, with the files that are shipped for them:
//! caller, TLS, proxy, Envoy with tollgate, endpoint.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use support::edge::{Kind, Proxy, caller};
use support::example::{Example, adapt};
use support::prelude::*;
use support::tls::{Authority, connect_from};
use support::{eventually, root};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

use Kind::{Haproxy, Nginx};

/// Everything from the caller to the endpoint.
struct Chain {
    kind: Kind,
    authority: Authority,
    fixture: Fixture,
    envoy: Envoy,
    proxy: Proxy,
}

impl Chain {
    /// `None` after [`support::skip::absent`] without Envoy or the proxy. The endpoint is the fixture's upstream
    /// unless another is given.
    async fn start(kind: Kind, endpoint: Option<SocketAddr>) -> Option<Self> {
        let fixture = Fixture::new("ES256").await?;
        kind.program()?;
        // Buckets that nothing refills while a test runs.
        let yaml = std::fs::read_to_string(root().join(kind.envoy())).unwrap();
        let yaml = yaml.replace(r#""rate": "10/m""#, r#""rate": "10/d""#);
        let endpoint = endpoint.unwrap_or(fixture.upstream.address());
        let example = Example::parse(&yaml).cluster("upstream", endpoint);
        let envoy = fixture.proxy().start_file(&example.text()).await;
        let authority = Authority::new();
        let proxy = Proxy::start(kind, &authority, envoy.address(), &[]).await;
        Some(Self { kind, authority, fixture, envoy, proxy })
    }

    fn score(&self, subject: &str) -> Request {
        Request::post("/score", "{}").bearer(self.fixture.token(subject))
    }

    async fn send(&self, from: u8, request: &Request) -> Response {
        self.authority.send_from(caller(from), self.proxy.address, request).await
    }

    /// The line of the access log of the request with this `user-agent`.
    async fn line(&self, agent: &str) -> Value {
        let log = async || self.envoy.access_log().into_iter().find(|l| l["UserAgent"] == agent);
        eventually(log).await.unwrap()
    }

    /// The endpoint's view of a request that passed.
    async fn seen(&self, from: u8, request: &Request) -> Recorded {
        let before = self.fixture.upstream.count();
        let response = self.send(from, request).await;
        assert_eq!(response.status, 200, "{:?} {}", self.kind, response.body.escape_ascii());
        assert_eq!(self.fixture.upstream.count(), before + 1);
        self.fixture.upstream.last().unwrap()
    }
}

async fn caller_and_token_arrive_and_spoofs_do_not(chain: &Chain) {
    // Every spelling of a header that names the caller or its address.
    let good = chain.score("alice");
    let token = good.headers.iter().find(|(name, _)| name == b"authorization").unwrap().1.clone();
    let mut spoofed = good;
    for name in [
        "x-auth-subject",
        "X-Auth-Subject",
        "x_auth_subject",
        "x-auth_subject",
        "x-auth-identity",
        "x_auth_identity",
        "x-auth-client-address",
        "x_auth_client_address",
        "x-tollgate-reason",
    ] {
        spoofed = spoofed.header(name, "root");
    }
    let spoofed = spoofed
        .header("x-forwarded-for", "203.0.113.9")
        .header("X-Forwarded-For", "203.0.113.10, 203.0.113.11")
        .header("x_forwarded_for", "203.0.113.12")
        .header("x-envoy-external-address", "203.0.113.13")
        .header("x-envoy-original-path", "/")
        .header("user-agent", "spoofer");
    let seen = chain.seen(9, &spoofed).await;
    assert_eq!(seen.header("x-auth-subject"), Some("alice"));
    assert_eq!(seen.header("x-auth-identity"), Some("https://issuer.test/alice"));
    assert_eq!(seen.header("x-auth-client-address"), Some("127.0.0.9"));
    // The caller, then the proxy, for which Envoy writes its own address when that is loopback.
    let hops: Vec<_> = seen.header("x-forwarded-for").unwrap().split(',').collect();
    assert_eq!((hops.len(), hops[0]), (2, "127.0.0.9"), "{hops:?}");
    assert_eq!(seen.header("x-forwarded-proto"), Some("https"));
    assert!(!seen.head_contains(b"root"), "{}", seen.head.escape_ascii());
    assert!(!seen.head_contains(b"203.0.113."), "{}", seen.head.escape_ascii());
    assert_eq!(seen.all("authorization"), [token.as_slice()], "byte for byte");
    assert_eq!(seen.header("host"), Some("ml.example.com"));

    let line = chain.line("spoofer").await;
    assert_eq!(line["ClientAddress"], "127.0.0.9");
    assert_eq!(line["Identity"], "https://issuer.test/alice");
}

async fn odd_headers_have_the_documented_outcome(chain: &Chain) {
    // A token of 15 KiB passes whole: the buffers of the shipped files hold it.
    let mut claims = mint::claims("bob");
    claims["groups"] = json!("g".repeat(11_000));
    let token = chain.fixture.signer.sign(&claims);
    assert!(token.len() > 14_500 && token.len() < 16_384, "{}", token.len());
    let seen = chain.seen(9, &Request::post("/score", "{}").bearer(&token)).await;
    assert_eq!(seen.header("authorization"), Some(format!("Bearer {token}").as_str()));

    // A name with an underscore is dropped, the same name with a dash is not; equal names stay apart.
    let request = chain.score("bob").header("x_trace", "1").header("x-trace", "2");
    let seen = chain.seen(9, &request.header("x-trace", "3")).await;
    assert_eq!(seen.all("x_trace"), Vec::<&[u8]>::new());
    let values = seen.all("x-trace").join(&b","[..]);
    assert_eq!(values, b"2,3");

    // Two tokens, a head beyond all buffers, a path with two readings.
    let count = chain.fixture.upstream.count();
    let other = chain.fixture.signer.sign(&mint::claims("carol"));
    let two = chain.send(9, &chain.score("bob").bearer(other)).await;
    // NGINX itself refuses a second `authorization`, in its own words.
    let reason = if chain.kind == Nginx { "" } else { "token_multiple" };
    assert_eq!((two.status, two.reason().as_str()), (400, reason));
    let long = chain.send(9, &chain.score("bob").header("x-long", "l".repeat(40_000))).await;
    assert!(matches!(long.status, 400 | 431), "{}", long.status);
    let mut encoded = chain.score("bob");
    encoded.target = b"/a%2F..%2Fscore".to_vec();
    assert_eq!(chain.send(9, &encoded).await.status, 400, "the proxy hands it on undecoded");
    assert_eq!(chain.fixture.upstream.count(), count);
}

async fn refusals_come_back_unchanged(chain: &Chain) {
    // From the hop that Envoy trusts the same request is refused in the same words.
    let bad = Request::post("/score", "{}").bearer("a.b.c");
    for request in [Request::post("/score", "{}"), bad] {
        let direct = chain.envoy.send(&request).await;
        let through = chain.send(9, &request).await;
        assert_eq!(through.status, 401);
        assert!(through.header("www-authenticate").is_some_and(|v| v.starts_with("Bearer realm=")));
        for name in ["www-authenticate", "content-type", "content-length"] {
            assert_eq!(through.header(name), direct.header(name), "{name}");
        }
        assert_eq!(through.body, direct.body);
    }
    let mut last = chain.send(9, &chain.score("dave")).await;
    for _ in 0..5 {
        assert_eq!(last.status, 200);
        last = chain.send(9, &chain.score("dave")).await;
    }
    assert_eq!((last.status, last.reason().as_str()), (429, "rate_limited"));
    // Ten a day: one each 8,640 seconds, longer than `retry_after_max`.
    assert_eq!((last.header("retry-after"), last.header("x-should-retry")), (None, Some("false")));
    assert!(last.header("ratelimit").unwrap().contains("r=0"), "{:?}", last.header("ratelimit"));
}

/// The status of each of `count` requests without a token to a public route.
async fn anonymous(chain: &Chain, proxy: &Proxy, from: u8, count: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        let request = Request::get("/swagger.json");
        let sent = chain.authority.send_from(caller(from), proxy.address, &request);
        statuses.push(sent.await.status);
    }
    statuses
}

async fn without_the_address_line_all_are_lumped_together(chain: &Chain) {
    // As shipped: each address has a bucket of five.
    assert_eq!(anonymous(chain, &chain.proxy, 21, 6).await, [200, 200, 200, 200, 200, 429]);
    assert_eq!(anonymous(chain, &chain.proxy, 22, 1).await, [200]);

    // Without the line every caller has the address of the proxy.
    let lines = chain.kind.address_lines();
    let forgotten = match chain.kind {
        // NGINX passes the caller's own header on; a caller without one has no address.
        Nginx => vec![(lines[0], "")],
        Haproxy => vec![(lines[1], "\n")],
    };
    let envoy = chain.envoy.address();
    let proxy = Proxy::start(chain.kind, &chain.authority, envoy, &forgotten).await;
    assert_eq!(anonymous(chain, &proxy, 23, 5).await, [200; 5]);
    assert_eq!(anonymous(chain, &proxy, 24, 1).await, [429], "another caller, the same bucket");
    let lumped = chain.score("erin").header("user-agent", "lumped");
    chain.authority.send_from(caller(24), proxy.address, &lumped).await;
    assert_eq!(chain.line("lumped").await["ClientAddress"], "127.0.0.1", "the proxy's own");

    // The proxy neither sets nor removes the header: the caller picks its address, and with it its
    // limit.
    let nothing: Vec<_> = lines.iter().map(|line| (*line, "\n")).collect();
    let proxy = Proxy::start(chain.kind, &chain.authority, envoy, &nothing).await;
    let request = chain.score("erin").header("x-forwarded-for", "203.0.113.9");
    chain.authority.send_from(caller(25), proxy.address, &request).await;
    let seen = chain.fixture.upstream.last().unwrap();
    assert_eq!(seen.header("x-auth-client-address"), Some("203.0.113.9"));
}

/// Only the proxy's own address finds a filter chain.
async fn nobody_else_is_believed(chain: &Chain) {
    let request = chain.score("alice").header("x-forwarded-for", "203.0.113.9");
    let mut stream = connect_from(caller(2), chain.envoy.address()).await.unwrap();
    let _ = stream.write_all(&request.to_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty(), "{}", answer.escape_ascii());
}

/// The other way to pass the caller's address on, by the comments of both files.
#[tokio::test(flavor = "multi_thread")]
async fn haproxy_can_say_the_address_with_the_proxy_protocol_instead() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    if Haproxy.program().is_none() {
        return;
    }
    let yaml = std::fs::read_to_string(root().join(Haproxy.envoy())).unwrap();
    let mut yaml = adapt(yaml, &[("          xff_num_trusted_hops: 1\n", "")]);
    let (before, commented) = yaml.split_once("    # listener_filters:\n").unwrap();
    let (commented, after) = commented.split_once("    filter_chains:\n").unwrap();
    let uncommented = commented.replace("    # ", "    ");
    yaml = format!("{before}    listener_filters:\n{uncommented}    filter_chains:\n{after}");
    let envoy = fixture
        .proxy()
        .start_file(&Example::parse(&yaml).cluster("upstream", fixture.upstream.address()).text())
        .await;
    let authority = Authority::new();
    let server = format!("server envoy {}", envoy.address());
    let with_protocol = format!("{server} send-proxy-v2");
    let proxy =
        Proxy::start(Haproxy, &authority, envoy.address(), &[(&server, &with_protocol)]).await;

    // Two callers in turn, so that neither rides on the other's connection to Envoy.
    for from in [31, 32, 31] {
        let request = Request::post("/score", "{}")
            .bearer(fixture.token("alice"))
            .header("x-forwarded-for", "203.0.113.9");
        let response = authority.send_from(caller(from), proxy.address, &request).await;
        assert_eq!(response.status, 200, "{}", response.reason());
        let seen = fixture.upstream.last().unwrap();
        assert_eq!(seen.header("x-auth-client-address"), Some(&*caller(from).to_string()));
    }
    // Forgotten in haproxy.cfg, nothing passes at all: no trap as with the header.
    let proxy = Proxy::start(Haproxy, &authority, envoy.address(), &[]).await;
    let request = Request::get("/");
    let response = authority.send_from(caller(31), proxy.address, &request).await;
    assert_eq!(response.status, 502);
}

async fn behind(kind: Kind) {
    let Some(chain) = Chain::start(kind, None).await else { return };
    caller_and_token_arrive_and_spoofs_do_not(&chain).await;
    odd_headers_have_the_documented_outcome(&chain).await;
    refusals_come_back_unchanged(&chain).await;
    without_the_address_line_all_are_lumped_together(&chain).await;
    nobody_else_is_believed(&chain).await;
    assert_eq!(chain.envoy.vm_failures().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_nginx_callers_keep_their_address_and_token_and_no_spoof_passes() {
    behind(Nginx).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_haproxy_callers_keep_their_address_and_token_and_no_spoof_passes() {
    behind(Haproxy).await;
}

/// An endpoint that sends a first piece at once, and the second when `go_on` is notified.
async fn piecemeal(go_on: Arc<Notify>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let go_on = Arc::clone(&go_on);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n{}") {
                    if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                let first = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                    transfer-encoding: chunked\r\n\r\nd\r\ndata: first\n\n\r\n";
                stream.write_all(first).await.unwrap();
                go_on.notified().await;
                stream.write_all(b"e\r\ndata: second\n\n\r\n0\r\n\r\n").await.unwrap();
            });
        }
    });
    address
}

async fn streams(kind: Kind) {
    let go_on = Arc::new(Notify::new());
    let endpoint = piecemeal(Arc::clone(&go_on)).await;
    let Some(chain) = Chain::start(kind, Some(endpoint)).await else { return };
    let mut stream = chain.authority.connect(caller(9), chain.proxy.address, None).await.unwrap();
    stream.write_all(&chain.score("alice").to_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let mut read = async |until: &str, answer: &mut Vec<u8>| {
        let wait = async {
            while !answer.windows(until.len()).any(|part| part == until.as_bytes()) {
                assert_ne!(stream.read_buf(answer).await.unwrap(), 0, "{}", answer.escape_ascii());
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect(until);
    };
    // The second piece does not exist until the first has arrived.
    read("data: first", &mut answer).await;
    go_on.notify_one();
    read("data: second", &mut answer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_streams_through_nginx() {
    streams(Nginx).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_streams_through_haproxy() {
    streams(Haproxy).await;
}
