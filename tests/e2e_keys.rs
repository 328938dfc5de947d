//! Remote key sets in a real Envoy: rotation, outages, and providers that misbehave.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use support::idp::{Behaviour, DISCOVERY, FAR_TOO_BIG, Idp, JUST_TOO_BIG, JWKS, Scheme};
use support::poll;
use support::prelude::*;
use support::scenario::claims_with;

/// A provider `name` of the issuer `https://<name>.test`, behind the cluster of the same name.
fn provider(name: &str, idp: &Idp, remote: Value) -> Value {
    let mut keys = json!({
        "uri": idp.url(JWKS), "cluster": name, "timeout": "1s", "refresh_interval": "1h",
    });
    keys.as_object_mut().unwrap().extend(remote.as_object().unwrap().clone());
    json!({
        "name": name,
        "issuers": [format!("https://{name}.test")],
        "audiences": ["api://scoring"],
        "keys": {"remote": keys},
    })
}

fn idp_with(scheme: Scheme, signers: &[&Signer]) -> Idp {
    let idp = Idp::start(scheme);
    idp.set_keys(mint::jwks(signers));
    idp
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

/// One Envoy before one upstream, with the one provider `main`.
async fn start(
    binary: &std::path::Path,
    upstream: &Upstream,
    workers: u32,
    idp: &Idp,
    remote: Value,
) -> Envoy {
    Envoy::builder(binary.to_owned())
        .workers(workers)
        .upstream(upstream.address())
        .cluster("main", idp.address())
        .plugin_config(json!({"providers": [provider("main", idp, remote)]}))
        .start()
        .await
}

async fn status(envoy: &Envoy, token: &str) -> (u16, String) {
    let response = client::send(envoy.address(), &get(token)).await;
    (response.status, response.reason())
}

/// Asks until the answer is 200; how long that took.
async fn until_good(envoy: &Envoy, token: &str, limit: Duration) -> Duration {
    let start = Instant::now();
    let good = poll(limit, async || (status(envoy, token).await.0 == 200).then_some(())).await;
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

fn binary(test: &str) -> Option<PathBuf> {
    support::envoy_binary(test)
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
    let Some(binary) = binary("a_rotation_under_load_over_https_loses_no_request") else { return };
    let upstream = Upstream::start().await;
    at_1_and_4_workers(async |workers| {
        let (old, new) = (key("old"), key("new"));
        let idp = idp_with(Scheme::Https, &[&old]);
        let remote = json!({"refresh_interval": "1s", "unknown_kid_interval": "1s"});
        let envoy = Envoy::builder(binary.clone())
            .workers(workers)
            .upstream(upstream.address())
            .raw_cluster(tls_cluster("main", &idp))
            .plugin_config(json!({"providers": [provider("main", &idp, remote)]}))
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
                if status(&envoy, &token(&old, "main")).await != (401, "key_unknown".to_owned()) {
                    return None;
                }
            }
            Some(())
        };
        assert!(poll(Duration::from_secs(6), refused).await.is_some(), "the old key still works");
        assert_eq!(status(&envoy, &token(&new, "main")).await.0, 200);
        assert_eq!(envoy.vm_failures().await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rotation_without_overlap_the_first_tokens_pass_after_one_fetch() {
    let Some(binary) = binary("after_a_rotation_without_overlap_the_first_tokens_pass") else {
        return;
    };
    let upstream = Upstream::start().await;
    at_1_and_4_workers(async |workers| {
        let (old, new) = (key("old"), key("new"));
        let idp = idp_with(Scheme::Http, &[&old]);
        let envoy = start(&binary, &upstream, workers, &idp, json!({})).await;
        assert_eq!(status(&envoy, &token(&old, "main")).await.0, 200);
        idp.set_keys(mint::jwks(&[&new]));
        let requests = vec![get(token(&new, "main")); 32];
        for response in client::send_at_once(envoy.address(), requests).await {
            assert_eq!(response.status, 200, "{}", response.reason());
        }
        assert_eq!(idp.fetches(), 2);
        let answer = status(&envoy, &token(&old, "main")).await;
        assert_eq!(answer, (401, "key_unknown".to_owned()));
        assert_eq!(idp.fetches(), 2);
        assert_eq!(envoy.vm_failures().await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_down_at_first_is_used_within_5_s_of_its_return() {
    let Some(binary) = binary("a_provider_that_is_down_at_first_is_used") else { return };
    let upstream = Upstream::start().await;
    at_1_and_4_workers(async |workers| {
        let signer = key("k");
        let idp = idp_with(Scheme::Http, &[&signer]);
        idp.down().await;
        let remote = json!({"timeout": "300ms"});
        let envoy = start(&binary, &upstream, workers, &idp, remote).await;
        let token = token(&signer, "main");
        for _ in 0..8 {
            let response = client::send(envoy.address(), &get(&token)).await;
            assert_eq!((response.status, response.reason()), (503, "keys_unavailable".to_owned()));
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
        assert_eq!(envoy.vm_failures().await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_within_max_stale_loses_no_request_and_past_it_refuses() {
    let Some(binary) = binary("an_outage_within_max_stale_loses_no_request") else { return };
    let upstream = Upstream::start().await;
    at_1_and_4_workers(async |workers| {
        let signer = key("k");
        let idp = idp_with(Scheme::Http, &[&signer]);
        let remote = json!({"timeout": "300ms", "refresh_interval": "1s", "max_stale": "5s"});
        let envoy = start(&binary, &upstream, workers, &idp, remote).await;
        let good = token(&signer, "main");
        assert_eq!(status(&envoy, &good).await.0, 200);
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
        let refused = async || (status(&envoy, &good).await.0 == 503).then_some(());
        assert!(poll(Duration::from_secs(5), refused).await.is_some(), "stale keys still serve");
        assert_eq!(status(&envoy, &good).await, (503, "keys_unavailable".to_owned()));
        idp.up();
        until_good(&envoy, &good, Duration::from_secs(5)).await;
        assert_eq!(envoy.vm_failures().await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_random_kids_cause_one_fetch_and_slow_no_known_one() {
    let Some(binary) = binary("twenty_thousand_random_kids_cause_one_fetch") else { return };
    let upstream = Upstream::start().await;
    upstream.record(false);
    for (workers, count) in [(4, 20_000), (1, 2_000)] {
        let signer = key("k");
        let idp = idp_with(Scheme::Http, &[&signer]);
        let envoy = start(&binary, &upstream, workers, &idp, json!({})).await;
        let good = token(&signer, "main");
        assert_eq!(status(&envoy, &good).await.0, 200);
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
            assert_eq!((response.status, response.reason()), (401, "key_unknown".to_owned()));
        }
        assert!(good > 10);
        assert_eq!(idp.fetches(), 2, "the first one, and one for all random kids");
        assert_eq!(envoy.vm_failures().await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_misbehaviour_is_counted_keeps_the_old_keys_and_harms_no_other_provider() {
    let Some(binary) = binary("each_misbehaviour_is_counted_keeps_the_old_keys") else { return };
    let upstream = Upstream::start().await;
    let table = [
        ("status-500", Behaviour::Status(500), "status"),
        ("status-302", Behaviour::Status(302), "status"),
        ("hang", Behaviour::Hang, "unreachable"),
        ("reset", Behaviour::Reset, "unreachable"),
        ("truncated", Behaviour::Truncated, "unreachable"),
        ("html", Behaviour::Html200, "malformed"),
        ("empty", Behaviour::EmptySet, "no_usable_key"),
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
        let mut builder = Envoy::builder(binary.clone())
            .workers(workers)
            .upstream(upstream.address())
            .plugin_config(json!({"providers": providers}));
        for (name, _, _, _, idp) in &world {
            builder = builder.cluster(name, idp.address());
        }
        let envoy = builder.start().await;
        for (name, _, _, signer, _) in &world {
            assert_eq!(status(&envoy, &token(signer, name)).await.0, 200, "{name}");
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
                assert_eq!(status(&envoy, &good).await.0, 200, "{name}");
            }
            if *name != world[0].0 {
                let answer = status(&envoy, &other).await;
                assert_eq!(answer, (401, "signature_invalid".to_owned()), "{name}");
            }
            let stats = envoy.stats(&format!("tollgate_jwks_fetch.provider.{name}.")).await;
            let kinds = if *result == "ok" { 1 } else { 2 };
            assert_eq!(stats.len(), kinds, "{name}: {stats:?}");
            let gauge = envoy.stats(&format!("tollgate_jwks_keys.provider.{name}")).await;
            assert_eq!(gauge.values().copied().collect::<Vec<_>>(), [1], "{name}");
        }
        assert_eq!(envoy.vm_failures().await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_workers_share_each_refresh() {
    let Some(binary) = binary("four_workers_share_each_refresh") else { return };
    let upstream = Upstream::start().await;
    let signer = key("k");
    let idp = idp_with(Scheme::Http, &[&signer]);
    let remote = json!({"refresh_interval": "2s"});
    let envoy = start(&binary, &upstream, 4, &idp, remote).await;
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
    let Some(binary) = binary("requests_before_the_first_keys_wait_and_arrive_whole") else {
        return;
    };
    at_1_and_4_workers(async |workers| {
        let upstream = Upstream::start().await;
        let signer = key("k");
        let idp = idp_with(Scheme::Http, &[&signer]);
        idp.behave_next(1, Behaviour::Delay(Duration::from_millis(1_500)));
        let remote = json!({"timeout": "5s"});
        let envoy = start(&binary, &upstream, workers, &idp, remote).await;
        let good = token(&signer, "main");
        // Some clients leave while they are held; nobody else is to notice.
        for _ in 0..40 {
            use tokio::io::AsyncWriteExt;
            let mut stream = tokio::net::TcpStream::connect(envoy.address()).await.unwrap();
            stream.write_all(&get(&good).to_bytes()).await.unwrap();
        }
        let body: Vec<u8> = (0..600_000_u32).map(|number| (number % 251) as u8).collect();
        let mut requests = vec![get(&good); 20];
        requests.push(Request::post("/score", body.clone()).bearer(&good).case("sized"));
        let chunked = Request::new("POST", "/score").header("transfer-encoding", "chunked");
        let chunks = body
            .chunks(50_000)
            .map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
        let wire = [chunks.collect::<Vec<_>>().concat(), b"0\r\n\r\n".to_vec()].concat();
        requests.push(Request { body: wire, ..chunked.bearer(&good).case("chunked") });
        requests.push(get("no.to.ken"));
        let mut responses = client::send_at_once(envoy.address(), requests).await;
        assert_eq!(responses.pop().unwrap().status, 401, "what needs no key is judged at once");
        for response in responses {
            assert_eq!(response.status, 200, "{}", response.reason());
        }
        for case in ["sized", "chunked"] {
            assert!(upstream.case(case).unwrap().body == body, "{case}");
        }
        assert_eq!(upstream.count(), 22, "those who left are not served");
        assert_eq!(idp.fetches(), 1);
        assert_eq!(envoy.vm_failures().await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_held_during_a_push_is_answered() {
    let Some(binary) = binary("a_request_that_is_held_during_a_push_is_answered") else { return };
    let upstream = Upstream::start().await;
    let signer = key("k");
    let [silent, good] = [(); 2].map(|()| idp_with(Scheme::Http, &[&signer]));
    silent.behave(Behaviour::Hang);
    // Shorter than the drain time of the listener, which ends what is held for longer.
    let remote = json!({"timeout": "800ms"});
    let mut envoy = Envoy::builder(binary)
        .upstream(upstream.address())
        .cluster("main", good.address())
        .cluster("silent", silent.address())
        .plugin_config(json!({"providers": [provider("silent", &silent, remote.clone())]}))
        .start()
        .await;
    let address = envoy.address();
    let held = get(token(&signer, "silent"));
    let held = tokio::spawn(async move { client::send(address, &held).await });
    seconds(0.2).await;
    let next = json!({"providers": [provider("main", &good, remote)]});
    assert_eq!(envoy.reload(next).await, Push::Accepted);
    assert!(!held.is_finished(), "it was held during the push");
    until_good(&envoy, &token(&signer, "main"), Duration::from_secs(3)).await;
    let response = held.await.unwrap();
    assert_eq!((response.status, response.reason()), (503, "keys_unavailable".to_owned()));
    assert_eq!(envoy.vm_failures().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_missing_or_closed_is_told_and_harms_no_other_provider() {
    let Some(binary) = binary("a_cluster_that_is_missing_or_closed_is_told") else { return };
    let upstream = Upstream::start().await;
    let signer = key("k");
    let idp = idp_with(Scheme::Http, &[&signer]);
    let mut closed = support::envoy::cluster("closed", idp.address());
    closed["circuit_breakers"] = json!({"thresholds": [
        {"max_requests": 0, "max_pending_requests": 0, "max_connections": 0},
    ]});
    let mut empty = support::envoy::cluster("empty", idp.address());
    empty["load_assignment"]["endpoints"] = json!([]);
    let providers: Vec<_> = ["main", "missing", "closed", "empty"]
        .map(|name| provider(name, &idp, json!({"timeout": "100ms"})))
        .into();
    let envoy = Envoy::builder(binary)
        .upstream(upstream.address())
        .cluster("main", idp.address())
        .raw_cluster(closed)
        .raw_cluster(empty)
        .plugin_config(json!({"providers": providers}))
        .start()
        .await;
    let requests = |name: &str| vec![get(token(&signer, name)); 350];
    for name in ["missing", "closed", "empty"] {
        for response in client::send_spread(envoy.address(), 50, requests(name)).await {
            assert_eq!((response.status, response.reason()), (503, "keys_unavailable".to_owned()));
        }
        assert_eq!(status(&envoy, &token(&signer, "main")).await.0, 200);
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
    assert_eq!(envoy.vm_failures().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_discovery_document_leads_to_the_keys_and_one_of_another_issuer_does_not() {
    let Some(binary) = binary("a_discovery_document_leads_to_the_keys") else { return };
    let upstream = Upstream::start().await;
    let signer = key("k");
    let [good, wrong] = [(); 2].map(|()| idp_with(Scheme::Http, &[&signer]));
    let discovered = |name: &str, idp: &Idp, issuer: String| {
        let remote = json!({"discovery": idp.url(DISCOVERY), "timeout": "300ms"});
        let mut provider = provider(name, idp, remote);
        provider["keys"]["remote"].as_object_mut().unwrap().remove("uri");
        provider["issuers"] = json!([issuer]);
        provider
    };
    let envoy = Envoy::builder(binary)
        .upstream(upstream.address())
        .cluster("good", good.address())
        .cluster("wrong", wrong.address())
        .plugin_config(json!({"providers": [
            discovered("good", &good, good.url("")),
            discovered("wrong", &wrong, "https://another.test".to_owned()),
        ]}))
        .start()
        .await;
    let of = |issuer: &str| signer.sign(&claims_with("alice", json!({"iss": issuer})));
    assert_eq!(status(&envoy, &of(&good.url(""))).await.0, 200);
    assert_eq!((good.discoveries(), good.fetches()), (1, 1));
    let answer = status(&envoy, &of("https://another.test")).await;
    assert_eq!(answer, (503, "keys_unavailable".to_owned()));
    assert_eq!(wrong.fetches(), 0);
    assert!(fetched(&envoy, "wrong", "issuer_mismatch").await >= 1);
    envoy.wait_for_log("a discovery document of another issuer").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_authority_is_not_believed() {
    let Some(binary) = binary("a_certificate_of_another_authority_is_not_believed") else { return };
    let upstream = Upstream::start().await;
    let signer = key("k");
    let [impostor, trusted] = [(); 2].map(|()| idp_with(Scheme::Https, &[&signer]));
    let mut cluster = tls_cluster("main", &trusted);
    cluster["load_assignment"] = tls_cluster("main", &impostor)["load_assignment"].take();
    let envoy = Envoy::builder(binary)
        .upstream(upstream.address())
        .raw_cluster(cluster)
        .plugin_config(json!({"providers": [provider("main", &impostor, json!({}))]}))
        .start()
        .await;
    let answer = status(&envoy, &token(&signer, "main")).await;
    assert_eq!(answer, (503, "keys_unavailable".to_owned()));
    let line = envoy.wait_for_log("fetching ").await;
    assert!(line.contains("remote connection failure"), "{line}");
    assert_eq!(impostor.fetches(), 0);
}
