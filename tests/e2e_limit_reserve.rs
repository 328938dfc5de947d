//! Budgets that reserve before the response: many streams of one caller at once, and every way to end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use support::graft::{self, Fault};
use support::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Nothing takes longer; what does is a failure.
const DEADLINE: Duration = support::PATIENCE;

/// The streams that one caller opens at once.
const STREAMS: usize = 64;

/// The budget: ten reservations.
const BUDGET: u64 = 10_000;

/// The reservation of each stream.
const MOST: u64 = 1_000;

/// A model that answers each request with a stream, and with its usage once it is told to end.
struct Model {
    address: SocketAddr,
    arrived: Arc<AtomicUsize>,
    /// The sum of the usage of all streams.
    used: Arc<AtomicU64>,
    end: watch::Sender<bool>,
}

impl Model {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (arrived, used) = (Arc::<AtomicUsize>::default(), Arc::<AtomicU64>::default());
        let (end, ended) = watch::channel(false);
        let (count, sum) = (Arc::clone(&arrived), Arc::clone(&used));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (count, sum, ended) = (Arc::clone(&count), Arc::clone(&sum), ended.clone());
                tokio::spawn(answer(stream, count, sum, ended));
            }
        });
        Self { address, arrived, used, end }
    }
}

/// The last word of each API.
const LAST: [(&str, &str); 3] = [
    ("/unended/chat", "data: [DONE]\n\n"),
    ("/unended/messages", "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"),
    (
        "/unended/responses",
        "event: response.completed\ndata: {\"type\":\"response.completed\"}\n\n",
    ),
];

async fn answer(
    mut stream: TcpStream,
    arrived: Arc<AtomicUsize>,
    used: Arc<AtomicU64>,
    mut ended: watch::Receiver<bool>,
) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.ok()?;
    let number = arrived.fetch_add(1, Ordering::SeqCst) as u64;
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let begin =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let first = format!("{begin}{}", chunk("data: {\"delta\":\"word\"}\n\n"));
    stream.write_all(first.as_bytes()).await.ok()?;
    ended.wait_for(|ended| *ended).await.ok()?;
    // Some use more than was reserved.
    let tokens = 600 + 40 * (number % 16);
    used.fetch_add(tokens, Ordering::SeqCst);
    let usage = chunk(&format!("data: {{\"usage\":{{\"total_tokens\":{tokens}}}}}\n\n"));
    let last =
        LAST.iter().find(|(path, _)| head.contains(path)).map_or(LAST[0].1, |(_, last)| last);
    stream.write_all(format!("{usage}{}", chunk(last)).as_bytes()).await.ok()?;
    if head.contains("/unended") {
        std::future::pending::<()>().await;
    }
    stream.write_all(b"0\r\n\r\n").await.ok()
}

/// A budget of [`BUDGET`] for each caller; `reserve` is that of the limit.
fn budget(fixture: &Fixture, reserve: Option<Value>) -> Builder {
    let mut limit = json!({
        "name": "tokens", "rate": "1/h", "burst": BUDGET, "charge": "response",
        "response_cost": {"json": "/usage/total_tokens"},
    });
    if let Some(reserve) = reserve {
        limit["reserve"] = reserve;
        limit["price"] = json!({"json": "/model", "of": {"big-4.1": 10, "small": 1}, "default": 2});
    }
    fixture
        .envoy(json!({
            "rules": [{
                "name": "all", "limits": ["tokens"],
                "payload": {"content_types": ["application/json"]},
            }],
            "limits": [limit],
            "responses": {"ratelimit_headers": "x"},
            "hold_head": true,
        }))
        .stop_iteration()
        .log_field("usage", "%FILTER_STATE(wasm.tollgate.usage:PLAIN)%")
        .log_field("reserved", "%FILTER_STATE(wasm.tollgate.reserved:PLAIN)%")
        .routes(json!([
            {"match": {"path": "/probe"}, "direct_response": {"status": 200}},
            {"match": {"prefix": "/"}, "route": {
                "cluster": "upstream", "timeout": "0s",
                "internal_redirect_policy": {"redirect_response_codes": [307]},
            }},
        ]))
}

fn post(path: &str, body: &Value, token: &str) -> Request {
    Request::post(path, body.to_string()).bearer(token).header("content-type", "application/json")
}

/// What is left in the budget of a caller, by a request that takes one token of it.
async fn left(envoy: &Envoy, token: &str) -> i64 {
    let body = json!({"max_tokens": 1, "model": "small"});
    let response = envoy.send(&post("/probe", &body, token)).await;
    response.header("x-ratelimit-remaining").unwrap().parse().unwrap()
}

/// Waits until a value is there.
async fn until<T: PartialEq>(what: &str, wanted: T, mut value: impl AsyncFnMut() -> T) {
    let mut look = async || (value().await == wanted).then_some(());
    assert!(support::eventually(&mut look).await.is_some(), "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_streams_at_once_those_are_let_in_whose_reservations_fit_on_any_number_of_workers() {
    let Some(fixture) = Fixture::new("HS256").await else { return };
    let token = fixture.token("alice");
    let body = json!({"model": "small", "max_tokens": MOST, "stream": true});
    for (workers, reserves) in [(1, true), (2, true), (4, true), (1, false), (2, false), (4, false)]
    {
        let told = format!("{workers} workers, reserve: {reserves}");
        let model = Model::start().await;
        let reserve = json!({"json": "/max_tokens", "default": 1, "max": MOST});
        let envoy = budget(&fixture, reserves.then_some(reserve))
            .workers(workers)
            .upstream(model.address)
            .start()
            .await;
        let requests = vec![post("/chat", &body, &token); STREAMS];
        let address = envoy.address();
        let responses =
            tokio::spawn(async move { client::send_spread(address, STREAMS, requests).await });
        let wanted = if reserves { 10 } else { STREAMS };
        // No stream has ended when all have been judged.
        let denied = "wasmcustom.tollgate_limit.limit.tokens.result.denied";
        until(&told, (wanted, (STREAMS - wanted) as u64), async || {
            (model.arrived.load(Ordering::SeqCst), envoy.stat(denied).await)
        })
        .await;
        model.end.send(true).unwrap();
        let responses = responses.await.unwrap();
        assert_eq!(client::passed(&responses), wanted, "{told}");
        let used = model.used.load(Ordering::SeqCst);
        println!("{told}: {wanted} let in, {used} tokens used of {BUDGET}");
        if reserves {
            // Each refused stream was told the moment at which it fits: it is hours away.
            let refused = responses.iter().filter(|response| response.status == 429);
            assert!(refused.clone().all(|r| r.header("x-should-retry") == Some("false")), "{told}");
            assert_eq!(refused.count(), STREAMS - 10);
            let mut probes = 0;
            until(&told, i64::try_from(BUDGET - used).unwrap(), async || {
                probes += 1;
                left(&envoy, &token).await + probes
            })
            .await;
        } else {
            assert!(used > 5 * BUDGET, "{told}: {used}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_is_settled_by_every_way_in_which_a_response_ends() {
    let usage = |tokens: u32| json!({"usage": {"total_tokens": tokens}}).to_string();
    let answer = move |request: &Recorded| {
        let json = |status, body: String| {
            Reply::new(status, body).header("content-type", "application/json")
        };
        match request.path.as_str() {
            "/used" => json(200, usage(30)),
            "/more" => json(200, usage(70)),
            "/nothing" => json(200, usage(0)),
            "/untold" => json(200, "{}".into()),
            "/empty" => Reply::new(204, ""),
            "/coded" => json(200, usage(30)).header("content-encoding", "gzip"),
            "/busy" => json(429, usage(30)),
            "/failed" => json(500, "{}".into()),
            _ => Reply { hang_up: true, ..Reply::new(200, "") },
        }
    };
    let Some(fixture) = Fixture::answering("HS256", answer).await else { return };
    let reserve = json!({"json": ["/max_tokens", "/n"], "default": 90, "max": 500});
    let envoy = budget(&fixture, Some(reserve)).workers(1).start().await;
    let mut counts = std::collections::BTreeMap::new();
    for (path, model, result, used) in [
        ("/used", "small", "settled", 30),
        ("/used", "big-4.1", "settled", 300),
        ("/used", "else", "settled", 60),
        ("/more", "small", "settled", 70),
        ("/nothing", "small", "settled", 0),
        ("/untold", "small", "missing", 50),
        ("/untold", "big-4.1", "missing", 500),
        ("/empty", "small", "missing", 50),
        ("/coded", "small", "missing", 50),
        // The upstream's own failure costs what the rule costs, at the price.
        ("/busy", "small", "refunded", 1),
        ("/failed", "big-4.1", "refunded", 10),
        ("/reset", "small", "refunded", 1),
    ] {
        let case = format!("{path} {model}");
        let token = fixture.token(&case);
        let body = json!({"model": model, "max_tokens": 50});
        let response = envoy.send(&post(path, &body, &token).case(&case)).await;
        let price = match model {
            "small" => 1,
            "else" => 2,
            _ => 10,
        };
        // The header shows the budget after the reservation.
        let reserved = 50 * price;
        let shown = response.header("x-ratelimit-remaining").unwrap();
        assert_eq!(shown, (BUDGET - reserved).to_string(), "{case}");
        let line = envoy.access(&case).await;
        assert_eq!(line["reserved"], reserved.to_string(), "{case}");
        assert_eq!(line["usage"], used.to_string(), "{case}");
        *counts.entry(result).or_insert(0) += 1;
        let mut probes = 0;
        until(&case, i64::try_from(BUDGET - used).unwrap(), async || {
            probes += 1;
            left(&envoy, &token).await + probes
        })
        .await;
    }
    for (result, count) in counts {
        let name = format!("wasmcustom.tollgate_usage.limit.tokens.result.{result}");
        // The probes carry no number.
        let found = envoy.stat(&name).await;
        assert!(found == count || (result == "missing" && found > count), "{result}: {found}");
    }
    for (model, tokens) in [("big-4.1", 300 + 500 + 10), ("other", 60)] {
        let name = format!("wasmcustom.tollgate_usage_tokens.limit.tokens.model.{model}");
        assert_eq!(envoy.stat(&name).await, tokens, "{model}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_leaves_pays_its_reservation_before_and_after_the_first_word() {
    let Some(fixture) = Fixture::new("HS256").await else { return };
    let reserve = json!({"json": "/max_tokens", "default": 1, "max": MOST});
    for after_the_first_word in [false, true] {
        let model = Model::start().await;
        let envoy = budget(&fixture, Some(reserve.clone()))
            .workers(1)
            .upstream(model.address)
            .start()
            .await;
        let token = fixture.token("alice");
        let body = json!({"model": "small", "max_tokens": 700});
        let mut stream = TcpStream::connect(envoy.address()).await.unwrap();
        stream.write_all(&post("/chat", &body, &token).to_bytes()).await.unwrap();
        until("no request came", 1, async || model.arrived.load(Ordering::SeqCst)).await;
        let mut received = Vec::new();
        while after_the_first_word && !received.ends_with(b"word\"}\n\n") {
            received.push(tokio::time::timeout(DEADLINE, stream.read_u8()).await.unwrap().unwrap());
        }
        drop(stream);
        let missing = "wasmcustom.tollgate_usage.limit.tokens.result.missing";
        until("nothing was settled", 1, async || envoy.stat(missing).await).await;
        assert_eq!(left(&envoy, &token).await, 10_000 - 700 - 1, "{after_the_first_word}");
    }
}

/// Envoy sends the request through its filters again, and the filter sees nothing of the response that said so.
#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_that_the_proxy_follows_costs_what_a_failure_does_and_its_response_the_number() {
    let usage = json!({"usage": {"total_tokens": 30}});
    let answer = move |request: &Recorded| match request.path.as_str() {
        "/chat" => Reply::json(&usage),
        _ => Reply::new(307, "").header("location", "http://ml.example.com/chat"),
    };
    let Some(fixture) = Fixture::answering("HS256", answer).await else { return };
    let reserve = json!({"json": "/max_tokens", "default": 1, "max": MOST});
    for (reserve, redirect) in [(Some(reserve), 1), (None, 0)] {
        let refunded = u64::from(reserve.is_some());
        let envoy = budget(&fixture, reserve).workers(1).start().await;
        let token = fixture.token("alice");
        let body = json!({"model": "small", "max_tokens": 700});
        fixture.upstream.clear();
        assert_eq!(envoy.send(&post("/moved", &body, &token)).await.status, 200);
        assert_eq!(fixture.upstream.count(), 2);
        let count = async |result: &str| {
            envoy.stat(&format!("wasmcustom.tollgate_usage.limit.tokens.result.{result}")).await
        };
        until("nothing was settled", 1, async || count("settled").await).await;
        assert_eq!((count("refunded").await, count("missing").await), (refunded, 0));
        // Without a reservation the probe takes nothing before its response.
        let probe = i64::try_from(refunded).unwrap();
        assert_eq!(left(&envoy, &token).await, 10_000 - redirect - 30 - probe);
    }
}

/// The SDK of OpenAI closes its connection at the last event, which may be before the response has ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_leaves_at_the_last_word_of_an_api_pays_the_number_of_its_response() {
    let Some(fixture) = Fixture::new("HS256").await else { return };
    let model = Model::start().await;
    model.end.send(true).unwrap();
    let reserve = json!({"json": "/max_tokens", "default": 1, "max": MOST});
    let envoy = budget(&fixture, Some(reserve)).workers(1).upstream(model.address).start().await;
    for (count, (path, last)) in (1..).zip(LAST) {
        let token = fixture.token(path);
        let body = json!({"model": "small", "max_tokens": 700, "stream": true});
        let mut stream = TcpStream::connect(envoy.address()).await.unwrap();
        stream.write_all(&post(path, &body, &token).case(path).to_bytes()).await.unwrap();
        let mut received = Vec::new();
        while !received.ends_with(last.as_bytes()) {
            received.push(tokio::time::timeout(DEADLINE, stream.read_u8()).await.unwrap().unwrap());
        }
        drop(stream);
        let settled = "wasmcustom.tollgate_usage.limit.tokens.result.settled";
        until("nothing was settled", count, async || envoy.stat(settled).await).await;
        let used = 560 + 40 * i64::try_from(count).unwrap();
        assert_eq!(left(&envoy, &token).await, 10_000 - used - 1, "{path}");
        assert_eq!(envoy.access(path).await["usage"], used.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_vm_dies_its_reservations_are_spent_and_every_other_token_is_where_it_was() {
    let Some(fixture) = Fixture::new("HS256").await else { return };
    let reserve = json!({"json": "/max_tokens", "default": 1, "max": MOST});
    let model = Model::start().await;
    let envoy = budget(&fixture, Some(reserve))
        .workers(1)
        .upstream(model.address)
        .fault(|path| graft::module(Fault::Trap, path))
        .hcm(json!({"http_protocol_options": {"enable_trailers": true}}))
        .start()
        .await;
    let [alice, bob] = ["alice", "bob"].map(|subject| fixture.token(subject));
    let body = json!({"model": "small", "max_tokens": MOST});
    let streams: Vec<_> = (0..3)
        .map(|_| {
            let (address, request) = (envoy.address(), post("/chat", &body, &alice));
            tokio::spawn(async move { client::try_send(address, &request).await })
        })
        .collect();
    until("the streams have begun", 3, async || model.arrived.load(Ordering::SeqCst)).await;
    // Each probe takes one token, and its response has no number.
    assert_eq!(left(&envoy, &alice).await, 10_000 - 3 * 1_000 - 1);
    assert_eq!(left(&envoy, &bob).await, 10_000 - 1);

    let fatal = post("/probe", &json!({}), &fixture.token("carol")).chunked(2).to_bytes();
    let fatal =
        [fatal.strip_suffix(b"0\r\n\r\n").unwrap(), &b"0\r\nx-last: 1\r\n\r\n"[..]].concat();
    let died = client::Connection::open(envoy.address()).await.try_send(&fatal).await;
    assert!(died.as_ref().is_ok_and(|response| response.status >= 500), "{died:?}");
    model.end.send(true).unwrap();
    for stream in streams {
        println!("a stream of the dead VM: {:?}", stream.await.unwrap().map(|r| r.status));
    }
    let probe = post("/probe", &json!({}), &fixture.token("dave"));
    until("a new VM", 200, async || envoy.send(&probe).await.status).await;
    // The new VM has the buckets as the old one left them.
    for spent in 2..5 {
        assert_eq!(left(&envoy, &alice).await, 10_000 - 3 * 1_000 - spent);
        assert_eq!(left(&envoy, &bob).await, 10_000 - spent);
    }
    assert_eq!(envoy.stats("vm_reload_success").await.values().sum::<u64>(), 1);
}
