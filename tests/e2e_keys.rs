//! Remote key sets in a real Envoy: rotation, outages, and providers that misbehave.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use support::idp::{Behaviour, DISCOVERY, FAR_TOO_BIG, Idp, JUST_TOO_BIG, JWKS, Scheme};
use support::poll;
use support::prelude::*;

/// A provider `name` of the issuer `https://<name>.test`, behind the cluster of the same name.
fn provider(name: &str, idp: &Idp, remote: Value) -> Value {
    provider_at(name, "uri", &idp.url(JWKS), remote)
}

/// The same, whose keys come from a `uri` or by `discovery`.
fn provider_at(name: &str, source: &str, url: &str, remote: Value) -> Value {
    let keys = json!({source: url, "cluster": name, "timeout": "1s", "refresh_interval": "1h"});
    json!({
        "name": name,
        "issuers": [format!("https://{name}.test")],
        "audiences": ["api://scoring"],
        "keys": {"remote": merged(keys, remote)},
    })
}

fn idp_with(scheme: Scheme, signers: &[&Signer]) -> Idp {
    Idp::serving(scheme, mint::jwks(signers))
}

fn key(kid: &str) -> Signer {
    Signer::new("ES256", kid)
}

/// A token of the provider `name`.
fn token(signer: &Signer, name: &str) -> String {
    signer.sign(&claims_with("alice", json!({"iss": format!("https://{name}.test")})))
}

fn get(token: impl AsRef<[u8]>) -> Request {
    Request::get("/score").bearer(token)
}

/// An Envoy with the one provider `main`.
async fn start(fixture: &Fixture, workers: u32, idp: &Idp, remote: Value) -> Envoy {
    fixture
        .envoy(json!({"providers": [provider("main", idp, remote)]}))
        .workers(workers)
        .cluster("main", idp.address())
        .start()
        .await
}

fn unavailable() -> (u16, String) {
    (503, "keys_unavailable".to_owned())
}

/// Asks until the answer is 200; how long that took.
async fn until_good(envoy: &Envoy, token: &str, limit: Duration) -> Duration {
    let start = Instant::now();
    let good = poll(limit, async || (envoy.judge(token).await.0 == 200).then_some(())).await;
    assert!(good.is_some(), "no good answer within {limit:?}:\n{:#?}", envoy.filter_log());
    start.elapsed()
}

/// A fetch counter of `provider`.
async fn fetched(envoy: &Envoy, provider: &str, result: &str) -> u64 {
    let part = format!("tollgate_jwks_fetch.provider.{provider}.result.{result}");
    envoy.stats(&part).await.values().sum()
}

/// Requests without end, until told to stop; each must be answered with 200.
struct Load {
    stop: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<usize>>,
}

impl Load {
    fn start(
        envoy: &Envoy,
        connections: usize,
        token: impl Fn() -> String + Send + Sync + 'static,
    ) -> Self {
        let (stop, token) = (Arc::new(AtomicBool::new(false)), Arc::new(token));
        let address = envoy.address();
        let tasks = (0..connections).map(|_| {
            let (stop, token) = (Arc::clone(&stop), Arc::clone(&token));
            tokio::spawn(async move {
                let mut connection = Connection::open(address).await;
                let mut count = 0;
                while !stop.load(Ordering::Relaxed) {
                    let response = connection.send(&get(token())).await;
                    assert_eq!(response.status, 200, "request {count}: {}", response.reason());
                    count += 1;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                count
            })
        });
        Self { tasks: tasks.collect(), stop }
    }

    /// How many requests there were.
    async fn end(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let mut count = 0;
        for task in self.tasks {
            count += task.await.expect("each request is answered with 200");
        }
        count
    }
}

async fn seconds(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}

/// Runs a scenario with one worker and with four, side by side: most of it is waiting.
async fn at_1_and_4_workers(scenario: impl AsyncFn(u32)) {
    tokio::join!(scenario(1), scenario(4));
}

/// A cluster that speaks TLS, sends the name, and trusts one CA for it.
fn tls_cluster(name: &str, idp: &Idp) -> Value {
    let mut cluster = support::envoy::cluster(name, idp.address());
    cluster["transport_socket"] = json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": "issuer.test",
            "common_tls_context": {"validation_context": {
                "trusted_ca": {"inline_string": idp.ca_pem()},
                "match_typed_subject_alt_names": [
                    {"san_type": "DNS", "matcher": {"exact": "issuer.test"}},
                ],
            }},
        },
    });
    cluster
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_under_load_over_https_loses_no_request_and_ends_the_old_key() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    at_1_and_4_workers(async |workers| {
        let (old, new) = (key("old"), key("new"));
        let idp = idp_with(Scheme::Https, &[&old]);
        let remote = json!({"refresh_interval": "1s", "unknown_kid_interval": "1s"});
        let envoy = fixture
            .envoy(json!({"providers": [provider("main", &idp, remote)]}))
            .workers(workers)
            .raw_cluster(tls_cluster("main", &idp))
            .start()
            .await;
        let rotated = Arc::new(AtomicBool::new(false));
        let load = Load::start(&envoy, 8, {
            let (old, new, rotated) = (old.clone(), new.clone(), Arc::clone(&rotated));
            move || token(if rotated.load(Ordering::Relaxed) { &new } else { &old }, "main")
        });
        seconds(0.5).await;
        idp.set_keys(mint::jwks(&[&old, &new]));
        seconds(1.0).await;
        rotated.store(true, Ordering::Relaxed);
        seconds(0.5).await;
        idp.set_keys(mint::jwks(&[&new]));
        seconds(1.0).await;
        let count = load.end().await;
        assert!(count > 50, "{count} requests are no load");
        // Each worker adopts the set at its next tick, so a few answers in a row are asked for.
        let refused = async || {
            for _ in 0..12 {
                if envoy.judge(&token(&old, "main")).await != refused("key_unknown") {
                    return None;
                }
            }
            Some(())
        };
        assert!(poll(Duration::from_secs(6), refused).await.is_some(), "the old key still works");
        assert_eq!(envoy.judge(&token(&new, "main")).await.0, 200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rotation_without_overlap_the_first_tokens_pass_after_one_fetch() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    at_1_and_4_workers(async |workers| {
        let (old, new) = (key("old"), key("new"));
        let idp = idp_with(Scheme::Http, &[&old]);
        let envoy = start(&fixture, workers, &idp, json!({})).await;
        assert_eq!(envoy.judge(&token(&old, "main")).await.0, 200);
        idp.set_keys(mint::jwks(&[&new]));
        let requests = vec![get(token(&new, "main")); 32];
        for response in client::send_at_once(envoy.address(), requests).await {
            assert_eq!(response.status, 200, "{}", response.reason());
        }
        assert_eq!(idp.fetches(), 2);
        // The old key is an unknown one now.
        let answer = envoy.judge(&token(&old, "main")).await;
        assert_eq!(answer, refused("key_unknown"));
        assert_eq!(idp.fetches(), 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_down_at_first_is_used_within_5_s_of_its_return() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    at_1_and_4_workers(async |workers| {
        let idp = fixture.idp(Scheme::Http);
        idp.down().await;
        let remote = json!({"timeout": "300ms"});
        let envoy = start(&fixture, workers, &idp, remote).await;
        let token = token(&fixture.signer, "main");
        for _ in 0..8 {
            let response = envoy.send(&get(&token)).await;
            assert_eq!((response.status, response.reason()), unavailable());
            assert_eq!(response.header("retry-after"), Some("1"));
        }
        let line = envoy.wait_for_log("fetching ").await;
        for part in [
            "provider main",
            &idp.url(JWKS),
            "cluster main",
            "no answer",
            "upstream connect error",
            "there are no keys to verify with",
            "next try in ",
        ] {
            assert!(line.contains(part), "{part}: {line}");
        }
        assert!(fetched(&envoy, "main", "unreachable").await >= 1);
        seconds(2.0).await;
        idp.up();
        let wait = until_good(&envoy, &token, Duration::from_secs(5)).await;
        println!("good {wait:?} after the return, {workers} worker(s)");
        let line = envoy.wait_for_log("fetched 1 key(s)").await;
        assert!(line.contains("provider main") && line.contains("next fetch in "), "{line}");
        assert!(!envoy.log().contains(&token), "a token is in the log");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_within_max_stale_loses_no_request_and_past_it_refuses() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    at_1_and_4_workers(async |workers| {
        let idp = fixture.idp(Scheme::Http);
        let remote = json!({"timeout": "300ms", "refresh_interval": "1s", "max_stale": "5s"});
        let envoy = start(&fixture, workers, &idp, remote).await;
        let good = token(&fixture.signer, "main");
        assert_eq!(envoy.judge(&good).await.0, 200);
        idp.down().await;
        let down = Instant::now();
        let load = Load::start(&envoy, 4, {
            let good = good.clone();
            move || good.clone()
        });
        seconds(2.8).await;
        let count = load.end().await;
        assert!(count > 50 && down.elapsed() < Duration::from_secs(4), "{count}");
        assert!(fetched(&envoy, "main", "unreachable").await >= 1);
        let line = envoy.wait_for_log("fetching ").await;
        assert!(line.contains("the last 1 good key(s) serve"), "{line}");
        let refused = async || (envoy.judge(&good).await.0 == 503).then_some(());
        assert!(poll(Duration::from_secs(5), refused).await.is_some(), "stale keys still serve");
        assert_eq!(envoy.judge(&good).await, unavailable());
        idp.up();
        until_good(&envoy, &good, Duration::from_secs(5)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_random_kids_cause_three_fetches_and_slow_no_known_one() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    fixture.upstream.record(false);
    for (workers, count) in [(4, 20_000), (1, 2_000)] {
        let idp = fixture.idp(Scheme::Http);
        let envoy = start(&fixture, workers, &idp, json!({})).await;
        let good = token(&fixture.signer, "main");
        assert_eq!(envoy.judge(&good).await.0, 200);
        let rest = good.split_once('.').unwrap().1;
        let forged = (0..count).map(|number| {
            let header = json!({"alg": "ES256", "kid": format!("random-{number}")});
            get(format!("{}.{rest}", mint::b64(header.to_string().as_bytes())))
        });
        let load = Load::start(&envoy, 2, {
            let good = good.clone();
            move || good.clone()
        });
        let start = Instant::now();
        let responses = client::send_spread(envoy.address(), 24, forged.collect()).await;
        let took = start.elapsed();
        let good = load.end().await;
        println!("{count} random kids and {good} good tokens in {took:?}, {workers} worker(s)");
        assert!(took < Duration::from_secs(30), "they came within one interval");
        assert_eq!(responses.len(), count);
        for response in responses {
            assert_eq!((response.status, response.reason()), refused("key_unknown"));
        }
        assert!(good > 10);
        assert_eq!(idp.fetches(), 4, "the first one, and three for all random kids");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_misbehaviour_is_counted_keeps_the_old_keys_and_harms_no_other_provider() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let table = [
        ("status-500", Behaviour::Status(500), "status"),
        ("status-302", Behaviour::Status(302), "status"),
        ("redirect", Behaviour::Redirect("/login?secret"), "status"),
        ("hang", Behaviour::Hang, "unreachable"),
        ("reset", Behaviour::Reset, "unreachable"),
        ("truncated", Behaviour::Truncated, "unreachable"),
        ("html", Behaviour::Html200, "malformed"),
        ("empty", Behaviour::EmptySet, "no_usable_key"),
        ("gzip", Behaviour::Coded("gzip"), "malformed"),
        ("big", Behaviour::Huge(JUST_TOO_BIG), "too_large"),
        ("huge", Behaviour::Huge(FAR_TOO_BIG), "too_large"),
        ("not-json", Behaviour::NotJson, "malformed"),
        ("trickle", Behaviour::Trickle, "unreachable"),
        // Many providers say octet-stream or plain text; the bytes are what counts.
        ("content-type", Behaviour::WrongContentType, "ok"),
        ("good", Behaviour::Normal, "ok"),
    ];
    // All share one kid, as two providers may.
    let remote = json!({"refresh_interval": "1s", "timeout": "500ms"});
    at_1_and_4_workers(async |workers| {
        let world = table.map(|(name, behaviour, result)| {
            let signer = key("shared");
            let idp = idp_with(Scheme::Http, &[&signer]);
            (name, behaviour, result, signer, idp)
        });
        let providers: Vec<_> =
            world.iter().map(|(name, _, _, _, idp)| provider(name, idp, remote.clone())).collect();
        let mut builder = fixture.envoy(json!({"providers": providers})).workers(workers);
        for (name, _, _, _, idp) in &world {
            builder = builder.cluster(name, idp.address());
        }
        let envoy = builder.start().await;
        for (name, _, _, signer, _) in &world {
            assert_eq!(envoy.judge(&token(signer, name)).await.0, 200, "{name}");
        }
        for (name, behaviour, _, _, idp) in &world {
            assert!(fetched(&envoy, name, "ok").await >= 1);
            idp.behave(*behaviour);
        }
        // Those that are well do at least two more fetches, the others fail at least twice.
        for (name, _, result, _, _) in &world {
            let before = if *result == "ok" { fetched(&envoy, name, "ok").await } else { 0 };
            let counted =
                async || (fetched(&envoy, name, result).await >= before + 2).then_some(());
            let counted = poll(Duration::from_secs(8), counted).await;
            let stats = envoy.stats(&format!("tollgate_jwks_fetch.provider.{name}.")).await;
            assert!(counted.is_some(), "{name} is not {result}: {stats:?}");
        }
        for (name, _, result, signer, _) in &world {
            let (good, other) = (token(signer, name), token(&world[0].3, name));
            for _ in 0..3 {
                assert_eq!(envoy.judge(&good).await.0, 200, "{name}");
            }
            if *name != world[0].0 {
                let answer = envoy.judge(&other).await;
                assert_eq!(answer, refused("signature_invalid"), "{name}");
            }
            // On a machine that is busy any answer may come too late.
            let stats = envoy.stats(&format!("tollgate_jwks_fetch.provider.{name}.")).await;
            let kinds = [*result, "ok", "unreachable"];
            let known = |stat: &String| kinds.iter().any(|kind| stat.ends_with(kind));
            assert!(stats.keys().all(known), "{name}: {stats:?}");
            let gauge = envoy.stats(&format!("tollgate_jwks_keys.provider.{name}")).await;
            assert_eq!(gauge.values().copied().collect::<Vec<_>>(), [1], "{name}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_workers_share_each_refresh() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let idp = fixture.idp(Scheme::Http);
    let remote = json!({"refresh_interval": "2s"});
    let envoy = start(&fixture, 4, &idp, remote).await;
    // The first fetch and three refreshes.
    let enough = poll(Duration::from_secs(15), async || (idp.fetches() >= 4).then_some(()));
    assert!(enough.await.is_some());
    let times = idp.fetch_times();
    assert!(times.len() <= 5, "{} fetches", times.len());
    for pair in times.windows(2) {
        let gap = pair[1] - pair[0];
        assert!(gap > Duration::from_millis(1_700), "{gap:?} between two refreshes");
    }
    assert_eq!(fetched(&envoy, "main", "ok").await, times.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_before_the_first_keys_wait_and_arrive_whole() {
    at_1_and_4_workers(async |workers| {
        let Some(fixture) = Fixture::new("ES256").await else { return };
        let idp = fixture.idp(Scheme::Http);
        idp.behave_next(1, Behaviour::Delay(Duration::from_millis(1_500)));
        let remote = json!({"timeout": "5s"});
        let envoy = start(&fixture, workers, &idp, remote).await;
        let good = token(&fixture.signer, "main");
        // Some clients leave while they are held; nobody else is to notice.
        for _ in 0..40 {
            use tokio::io::AsyncWriteExt;
            let mut stream = tokio::net::TcpStream::connect(envoy.address()).await.unwrap();
            stream.write_all(&get(&good).to_bytes()).await.unwrap();
        }
        let body: Vec<u8> = (0..600_000_u32).map(|number| (number % 251) as u8).collect();
        let mut requests = vec![get(&good); 20];
        requests.push(Request::post("/score", body.clone()).bearer(&good).case("sized"));
        let chunked = Request::post("/score", body.clone()).chunked(50_000);
        requests.push(chunked.bearer(&good).case("chunked"));
        requests.push(get("no.to.ken"));
        let mut responses = client::send_at_once(envoy.address(), requests).await;
        assert_eq!(responses.pop().unwrap().status, 401, "what needs no key is judged at once");
        for response in responses {
            assert_eq!(response.status, 200, "{}", response.reason());
        }
        for case in ["sized", "chunked"] {
            assert!(fixture.upstream.case(case).unwrap().body == body, "{case}");
        }
        assert_eq!(fixture.upstream.count(), 22, "those who left are not served");
        assert_eq!(idp.fetches(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_held_during_a_push_is_answered() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let [silent, good] = [(); 2].map(|()| fixture.idp(Scheme::Http));
    silent.behave(Behaviour::Hang);
    // Shorter than the drain time of the listener, which ends what is held for longer.
    let remote = json!({"timeout": "800ms"});
    let mut envoy = fixture
        .envoy(json!({"providers": [provider("silent", &silent, remote.clone())]}))
        .cluster("main", good.address())
        .cluster("silent", silent.address())
        .start()
        .await;
    let address = envoy.address();
    let held = get(token(&fixture.signer, "silent"));
    let held = tokio::spawn(async move { client::send(address, &held).await });
    seconds(0.2).await;
    let next = json!({"providers": [provider("main", &good, remote)]});
    assert_eq!(envoy.reload(next).await, Push::Accepted);
    assert!(!held.is_finished(), "it was held during the push");
    until_good(&envoy, &token(&fixture.signer, "main"), Duration::from_secs(3)).await;
    let response = held.await.unwrap();
    assert_eq!((response.status, response.reason()), unavailable());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_missing_or_closed_is_told_and_harms_no_other_provider() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let idp = fixture.idp(Scheme::Http);
    let mut closed = support::envoy::cluster("closed", idp.address());
    closed["circuit_breakers"] = json!({"thresholds": [
        {"max_requests": 0, "max_pending_requests": 0, "max_connections": 0},
    ]});
    let mut empty = support::envoy::cluster("empty", idp.address());
    empty["load_assignment"]["endpoints"] = json!([]);
    let providers: Vec<_> = ["main", "missing", "closed", "empty"]
        .map(|name| provider(name, &idp, json!({"timeout": "100ms"})))
        .into();
    let envoy = fixture
        .envoy(json!({"providers": providers}))
        .cluster("main", idp.address())
        .raw_cluster(closed)
        .raw_cluster(empty)
        .start()
        .await;
    let requests = |name: &str| vec![get(token(&fixture.signer, name)); 350];
    for name in ["missing", "closed", "empty"] {
        for response in client::send_spread(envoy.address(), 50, requests(name)).await {
            assert_eq!((response.status, response.reason()), unavailable());
        }
        assert_eq!(envoy.judge(&token(&fixture.signer, "main")).await.0, 200);
    }
    assert!(fetched(&envoy, "missing", "dispatch").await >= 1);
    assert!(fetched(&envoy, "closed", "unreachable").await >= 1, "{:?}", envoy.stats("jwks").await);
    assert!(fetched(&envoy, "empty", "unreachable").await >= 1, "{:?}", envoy.stats("jwks").await);
    let line = envoy.wait_for_log("through cluster missing failed").await;
    for part in [
        "exactly this name",
        "outbound|443||HOST",
        "ServiceEntry",
        "before this filter",
        "URI has a host",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert_eq!(idp.fetches(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_discovery_document_leads_to_the_keys_and_one_of_another_issuer_does_not() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let [good, wrong] = [(); 2].map(|()| fixture.idp(Scheme::Http));
    let discovered = |name: &str, idp: &Idp, issuer: String| {
        let timeout = json!({"timeout": "300ms"});
        let mut provider = provider_at(name, "discovery", &idp.url(DISCOVERY), timeout);
        provider["issuers"] = json!([issuer]);
        provider
    };
    let envoy = fixture
        .envoy(json!({"providers": [
            discovered("good", &good, good.url("")),
            discovered("wrong", &wrong, "https://another.test".to_owned()),
        ]}))
        .cluster("good", good.address())
        .cluster("wrong", wrong.address())
        .start()
        .await;
    let of = |issuer: &str| fixture.token_with("alice", json!({"iss": issuer}));
    assert_eq!(envoy.judge(&of(&good.url(""))).await.0, 200);
    assert_eq!((good.discoveries(), good.fetches()), (1, 1));
    let answer = envoy.judge(&of("https://another.test")).await;
    assert_eq!(answer, unavailable());
    assert_eq!(wrong.fetches(), 0);
    assert!(fetched(&envoy, "wrong", "issuer_mismatch").await >= 1);
    let line = envoy.wait_for_log("a discovery document of another issuer").await;
    for part in
        [&wrong.url(DISCOVERY), &format!("it names {}", wrong.url("")), "https://another.test"]
    {
        assert!(line.contains(part), "{part}: {line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_knows_only_the_type_of_key_sets_or_codes_what_it_may_is_understood() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let set = mint::jwks(&[&fixture.signer]);
    // As the API server of Kubernetes: 406 to who does not ask for the type of its key set.
    let keys = Upstream::answering(move |request| {
        let header = |name: &str| request.header(name).unwrap_or_default().to_owned();
        if !header("accept").split(',').any(|part| part.trim() == "application/jwk-set+json") {
            return Reply::new(406, "only application/jwk-set+json");
        }
        let reply = Reply::new(200, set.to_string());
        let reply = reply.header("content-type", "application/jwk-set+json");
        match header("accept-encoding").as_str() {
            "identity" => reply,
            _ => reply.header("content-encoding", "gzip"),
        }
    })
    .await;
    let envoy = fixture
        .envoy(json!({"providers": [provider_at("main", "uri", &keys.url("/jwks"), json!({}))]}))
        .cluster("main", keys.address())
        .start()
        .await;
    assert_eq!(envoy.judge(&token(&fixture.signer, "main")).await.0, 200);
    let asked = keys.last().unwrap();
    let version = format!("tollgate/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(asked.header("user-agent"), Some(version.as_str()));
    let accept = "application/jwk-set+json, application/json;q=0.9, */*;q=0.5";
    assert_eq!(asked.header("accept"), Some(accept));
    let line = envoy.wait_for_log("fetched 1 key(s)").await;
    let whole = format!("from http://{}/jwks through cluster main", keys.address());
    assert!(line.contains(&whole), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_on_another_host_come_through_keys_cluster_and_each_line_names_its_address() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let set = mint::jwks(&[&fixture.signer]).to_string();
    let certs = Upstream::answering(move |request| match request.path.as_str() {
        "/certs" => Reply::new(200, set.clone()),
        _ => Reply::new(404, "none"),
    })
    .await;
    // As Google: the document is on one host, the keys are on another.
    let at = certs.address();
    let accounts = Upstream::answering(move |request| {
        // What the wrong cluster answers to the path of the other host is a 404.
        let Some(name) = request.path.strip_prefix("/g-") else { return Reply::new(404, "none") };
        Reply::json(&json!({
            "issuer": format!("https://g-{name}.test"), "jwks_uri": format!("http://{at}/certs"),
        }))
    })
    .await;
    let provider = |name: &str, remote: Value| {
        let mut remote = remote;
        remote["cluster"] = json!("accounts");
        provider_at(name, "discovery", &accounts.url(&format!("/{name}")), remote)
    };
    let envoy = fixture
        .envoy(json!({"providers": [
            provider("g-two", json!({"keys_cluster": "certs"})),
            provider("g-one", json!({})),
            provider("g-none", json!({"keys_cluster": "missing"})),
        ]}))
        .cluster("accounts", accounts.address())
        .cluster("certs", at)
        .start()
        .await;
    assert_eq!(envoy.judge(&token(&fixture.signer, "g-two")).await.0, 200);
    let line = envoy.wait_for_log("provider g-two: fetched 1 key(s)").await;
    assert!(line.contains(&format!("from http://{at}/certs through cluster certs")), "{line}");
    for (name, parts) in [
        (
            "g-one",
            [
                format!("fetching http://{at}/certs through cluster accounts failed"),
                "status 404".to_owned(),
                "keys.remote.keys_cluster".to_owned(),
            ],
        ),
        (
            "g-none",
            [
                format!("fetching http://{at}/certs through cluster missing failed"),
                "the proxy refused the call".to_owned(),
                "exactly this name".to_owned(),
            ],
        ),
    ] {
        let answer = envoy.judge(&token(&fixture.signer, name)).await;
        assert_eq!(answer, unavailable());
        let line = envoy.wait_for_log(&format!("provider {name}: fetching ")).await;
        for part in parts {
            assert!(line.contains(&part), "{part}: {line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_useless_answer_is_logged_by_its_own_reason_and_with_what_was_asked() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let good = key("k").jwk();
    let with = |name: &str, value: Value| {
        let mut key = good.clone();
        key[name] = value;
        key
    };
    let text = |document: Value| Reply::json(&document);
    let sets = |keys: Vec<Value>| Reply::json(&json!({ "keys": keys }));
    let discovery =
        |name: &str, uri: &str| json!({"issuer": format!("https://{name}.test"), "jwks_uri": uri});
    let twice =
        r#"{"issuer":"https://x.test","issuer":"https://d-twice.test","jwks_uri":"http://x/"}"#;
    let table = [
        (
            "s-enc",
            sets(vec![with("use", json!("enc"))]),
            "keys[0]: use is neither sig nor jwt-svid",
        ),
        ("s-svid", sets(vec![with("use", json!("x509-svid"))]), "neither sig nor jwt-svid"),
        ("s-object", text(json!({})), "a JSON object without an array keys"),
        ("s-one", text(good.clone()), "a single key (JWK)"),
        ("s-x509", text(json!({"a": "-----BEGIN CERTIFICATE-----\nMII"})), "a map of X.509"),
        (
            "s-bom",
            Reply::new(200, format!("\u{feff}{}", json!({"keys": [good]}))),
            "a byte order mark",
        ),
        ("s-gzip", Reply::new(200, &b"\x1f\x8b\x08\0\0"[..]), "coded by gzip"),
        ("s-br", sets(vec![good.clone()]).header("content-encoding", "br"), "a body coded by br"),
        ("s-page", Reply::new(200, "<html>"), "a page of HTML or XML"),
        ("s-document", text(discovery("s-document", "http://x/")), "keys.remote.discovery"),
        (
            "s-login",
            Reply::new(302, "").header("location", "https://u:secret@idp.test/login?secret"),
            "status 302, a redirect to idp.test/login, which is not followed",
        ),
        ("d-keys", sets(vec![good.clone()]), "keys.remote.uri"),
        ("d-twice", Reply::new(200, twice), "not a discovery document"),
        ("d-relative", text(discovery("d-relative", "/jwks")), "no absolute http(s) address"),
        ("d-user", text(discovery("d-user", "http://u:secret@x/")), "no absolute http(s) address"),
        ("d-other", text(discovery("x", "http://x/")), "it names https://x.test"),
    ];
    let replies = table.clone().map(|(name, reply, _)| (format!("/{name}"), reply));
    let keys = Upstream::answering(move |request| {
        let found = replies.iter().find(|(path, _)| *path == request.path);
        found.map_or(Reply::new(404, "none"), |(_, reply)| reply.clone())
    })
    .await;
    let providers: Vec<Value> = (table.iter())
        .map(|(name, ..)| {
            let source = if name.starts_with('d') { "discovery" } else { "uri" };
            let shared = json!({"cluster": "keys"});
            provider_at(name, source, &keys.url(&format!("/{name}")), shared)
        })
        .collect();
    let envoy = fixture
        .envoy(json!({ "providers": providers }))
        .cluster("keys", keys.address())
        .start()
        .await;
    let address = keys.address();
    for (name, _, words) in &table {
        let line = envoy.wait_for_log(&format!("provider {name}: fetching ")).await;
        let asked = format!("http://{address}/{name} through cluster keys failed");
        assert!(line.contains(words) && line.contains(&asked), "{words}: {line}");
    }
    assert!(!envoy.filter_log().concat().contains("secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skipped_key_is_logged_and_its_kid_causes_no_fetch() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let (good, leaked, twice) = (key("good"), key("leaked"), key("twice"));
    let mut private = leaked.jwk();
    private["d"] = json!("AQAB");
    let two = twice.jwk().to_string().replacen(r#""kid""#, r#""kid":"x","kid""#, 1);
    let set = format!(r#"{{"keys":[{private},{two},{{"x":1e400}},{}]}}"#, good.jwk());
    let keys = Upstream::answering(move |_| Reply::new(200, set.clone())).await;
    let envoy = fixture
        .envoy(json!({"providers": [provider_at("main", "uri", &keys.url("/"), json!({}))]}))
        .cluster("main", keys.address())
        .start()
        .await;
    assert_eq!(envoy.judge(&token(&good, "main")).await.0, 200);
    for words in [
        "keys[0] is skipped: the private key is in the set",
        "keys[1] is skipped: a member twice",
        "keys[2] is skipped: a member twice, a number too large",
    ] {
        let line = envoy.wait_for_log(words).await;
        let from = format!("from http://{}/ through cluster main", keys.address());
        assert!(line.contains(&from), "{line}");
    }
    let refused = refused("key_unknown");
    for _ in 0..3 {
        assert_eq!(envoy.judge(&token(&leaked, "main")).await, refused);
    }
    envoy.wait_for_log("its key was skipped: the private key is in the set").await;
    assert_eq!(keys.count(), 1);
    // A kid that the set has not at all is fetched for.
    assert_eq!(envoy.judge(&token(&key("other"), "main")).await, refused);
    assert_eq!(keys.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_junk_kid_before_a_rotation_does_not_keep_the_new_key_out() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    at_1_and_4_workers(async |workers| {
        let (old, new) = (key("old"), key("new"));
        let idp = idp_with(Scheme::Http, &[&old]);
        let envoy = start(&fixture, workers, &idp, json!({})).await;
        assert_eq!(envoy.judge(&token(&old, "main")).await.0, 200);
        let junk = envoy.judge(&token(&key("junk"), "main")).await;
        assert_eq!(junk, refused("key_unknown"));
        assert_eq!(idp.fetches(), 2, "one request causes one fetch");
        idp.set_keys(mint::jwks(&[&new]));
        assert_eq!(envoy.judge(&token(&new, "main")).await.0, 200);
        assert_eq!(idp.fetches(), 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_key_ends_with_refresh_interval_whatever_max_age_says() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let (old, new) = (key("old"), key("new"));
    let idp = idp_with(Scheme::Http, &[&old, &new]);
    idp.cache_control(Some("max-age=86400"));
    let remote = json!({"refresh_interval": "1s"});
    let envoy = start(&fixture, 1, &idp, remote).await;
    assert_eq!(envoy.judge(&token(&old, "main")).await.0, 200);
    idp.set_keys(mint::jwks(&[&new]));
    let refused = async || (envoy.judge(&token(&old, "main")).await.0 == 401).then_some(());
    assert!(poll(Duration::from_secs(10), refused).await.is_some(), "the old key still works");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_authority_is_not_believed() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let [impostor, trusted] = [(); 2].map(|()| fixture.idp(Scheme::Https));
    let mut cluster = tls_cluster("main", &trusted);
    cluster["load_assignment"] = tls_cluster("main", &impostor)["load_assignment"].take();
    let envoy = fixture
        .envoy(json!({"providers": [provider("main", &impostor, json!({}))]}))
        .raw_cluster(cluster)
        .start()
        .await;
    let answer = envoy.judge(&token(&fixture.signer, "main")).await;
    assert_eq!(answer, unavailable());
    let line = envoy.wait_for_log("fetching ").await;
    assert!(line.contains("remote connection failure"), "{line}");
    assert_eq!(impostor.fetches(), 0);
}
