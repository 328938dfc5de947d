//! Key servers that are down, missing or not believed, and requests that wait for keys.

use super::*;

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
            // The time to the next fetch, at most 3 s while there are no keys, and a second of spread.
            let wait: u64 = response.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=4).contains(&wait), "{wait}");
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
        let mut waits = Vec::new();
        for _ in 0..100 {
            let before = fetched(&envoy, "main", "unreachable").await;
            let began = Instant::now();
            assert_eq!(envoy.judge(&token).await, unavailable());
            let wait = began.elapsed();
            // Otherwise it may have waited for the fetch that ended meanwhile.
            if fetched(&envoy, "main", "unreachable").await == before {
                waits.push(wait);
            }
        }
        waits.sort();
        assert!(!waits.is_empty(), "every refusal waited for a fetch");
        let (median, longest) = (waits[waits.len() / 2], waits[waits.len() - 1]);
        println!(
            "{} of 100 refusals without a fetch: median {median:?}, longest {longest:?}, {workers} worker(s)",
            waits.len()
        );
        seconds(2.0).await;
        idp.up();
        let wait = until_good(&envoy, &token).await;
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
        let remote = json!({"timeout": "300ms", "refresh_interval": "1s", "max_stale": "12s"});
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
        assert!(count > 50 && down.elapsed() < Duration::from_secs(11), "{count}");
        assert!(fetched(&envoy, "main", "unreachable").await >= 1);
        let line = envoy.wait_for_log("fetching ").await;
        assert!(line.contains("the last 1 good key(s) serve"), "{line}");
        let refused = async || (envoy.judge(&good).await.0 == 503).then_some(());
        assert!(eventually(refused).await.is_some(), "stale keys still serve");
        assert_eq!(envoy.judge(&good).await, unavailable());
        idp.up();
        until_good(&envoy, &good).await;
    })
    .await;
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
        // Some clients leave while they are held, which must not affect the others.
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
    // Shorter than the drain time of the listener, which ends requests that are held for longer.
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
    until_good(&envoy, &token(&fixture.signer, "main")).await;
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
