//! Rotated and withdrawn keys, and unknown `kid`s.

use super::*;

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
        assert!(eventually(refused).await.is_some(), "the old key still works");
        assert_eq!(envoy.judge(&token(&new, "main")).await.0, 200);
    })
    .await;
}

/// An Envoy that has passed a token of the old key, its provider, and the old and the new key.
async fn before_a_rotation(fixture: &Fixture, workers: u32) -> (Envoy, Idp, [Signer; 2]) {
    let (old, new) = (key("old"), key("new"));
    let idp = idp_with(Scheme::Http, &[&old]);
    let envoy = start(fixture, workers, &idp, json!({})).await;
    assert_eq!(envoy.judge(&token(&old, "main")).await.0, 200);
    (envoy, idp, [old, new])
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rotation_without_overlap_the_first_tokens_pass_after_one_fetch() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    at_1_and_4_workers(async |workers| {
        let (envoy, idp, [old, new]) = before_a_rotation(&fixture, workers).await;
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
    assert!(eventually(refused).await.is_some(), "the old key still works");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_junk_kid_before_a_rotation_does_not_keep_the_new_key_out() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    at_1_and_4_workers(async |workers| {
        let (envoy, idp, [_, new]) = before_a_rotation(&fixture, workers).await;
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
async fn twenty_thousand_random_kids_cause_three_fetches_and_slow_no_known_one() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    fixture.upstream.record(false);
    for (workers, count) in [(4, 20_000), (1, 2_000)] {
        let idp = fixture.idp(Scheme::Http);
        let remote = json!({"unknown_kid_interval": "1h"});
        let envoy = start(&fixture, workers, &idp, remote).await;
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
        assert_eq!(responses.len(), count);
        for response in responses {
            assert_eq!((response.status, response.reason()), refused("key_unknown"));
        }
        assert!(good > 10);
        assert_eq!(idp.fetches(), 4, "the first one, and three for all random kids");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn four_workers_share_each_refresh() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let idp = fixture.idp(Scheme::Http);
    let remote = json!({"refresh_interval": "2s"});
    let envoy = start(&fixture, 4, &idp, remote).await;
    // The first fetch and three refreshes.
    let enough = eventually(async || (idp.fetches() >= 4).then_some(()));
    assert!(enough.await.is_some());
    let times = idp.fetch_times();
    assert!(times.len() <= 5, "{} fetches", times.len());
    for pair in times.windows(2) {
        let gap = pair[1] - pair[0];
        assert!(gap > Duration::from_secs(1), "{gap:?} between two refreshes");
    }
    assert_eq!(fetched(&envoy, "main", "ok").await, times.len() as u64);
}
