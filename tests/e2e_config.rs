//! Configuration pushes to an Envoy that runs: the bad ones change nothing, the good ones do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use support::prelude::*;

fn good(fixture: &Fixture) -> Value {
    fixture.config(json!({
        "rules": [
            {"name": "first", "match": {"paths": ["/score"]}, "limits": ["per-caller"]},
            {"name": "second", "limits": ["per-caller"]},
        ],
        "limits": [{"name": "per-caller", "rate": "100/s"}],
    }))
}

/// Invalid configurations, and for each of their problems the words of its one log line.
fn bad_configurations(fixture: &Fixture) -> Vec<(&'static str, Value, Vec<Vec<&'static str>>)> {
    let changed = |change: fn(&mut Value)| {
        let mut config = good(fixture);
        change(&mut config);
        config
    };
    vec![
        ("empty", json!({}), vec![vec!["providers"]]),
        (
            "unknown field",
            changed(|config| config["providers"][0]["issuer"] = json!("https://issuer.test")),
            vec![vec!["providers[0]", "issuer", "unknown"]],
        ),
        (
            "bad duration",
            changed(|config| config["providers"][0]["clock_skew"] = json!("5 minutes")),
            vec![vec!["providers[0].clock_skew", "5 minutes"]],
        ),
        (
            "unknown limit",
            changed(|config| config["rules"][0]["limits"] = json!(["per-tenant"])),
            vec![vec!["rules[0].limits", "per-tenant"]],
        ),
        (
            "no audiences",
            changed(|config| {
                config["providers"][0].as_object_mut().unwrap().remove("audiences");
            }),
            vec![vec!["providers[0]", "audiences"]],
        ),
        (
            "two problems",
            changed(|config| {
                config["rules"][0]["limits"] = json!(["no-such-limit"]);
                config["rules"][1]["limits"] = json!(["nor-this-one"]);
            }),
            vec![vec!["rules[0].limits", "no-such-limit"], vec!["rules[1].limits", "nor-this-one"]],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_push_is_refused_line_by_line_and_the_old_configuration_serves_on() {
    let Some(fixture) = Fixture::new("HS256").await else { return };
    let mut envoy = fixture.envoy(good(&fixture)).start().await;
    let score = fixture.get("/score", "alice");
    assert_eq!(envoy.send(&score).await.status, 200);

    for (name, config, problems) in bad_configurations(&fixture) {
        let before = envoy.filter_log().len();
        assert_eq!(envoy.reload(config).await, Push::Rejected, "{name}");
        let lines = envoy.filter_log().split_off(before);
        for words in problems {
            let says = |line: &&String| words.iter().all(|word| line.contains(word));
            assert_eq!(lines.iter().filter(says).count(), 1, "{name}: {words:?} in {lines:#?}");
        }
        // Both workers still judge by the old rules.
        for response in client::send_at_once(envoy.address(), vec![score.clone(); 8]).await {
            assert_eq!(response.status, 200, "{name}");
        }
        let response = envoy.send(&Request::get("/score")).await;
        assert_eq!((response.status, response.reason().as_str()), (401, "token_missing"), "{name}");
    }

    // No refused push keeps a good one from being taken.
    let mut moved = good(&fixture);
    moved["providers"][0]["audiences"] = json!(["api://elsewhere"]);
    assert_eq!(envoy.reload(moved).await, Push::Accepted);
    for response in client::send_at_once(envoy.address(), vec![score; 8]).await {
        assert_eq!((response.status, response.reason().as_str()), (401, "audience_mismatch"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn listener_with_a_bad_configuration_never_opens() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let envoy = fixture.proxy().plugin_config(json!({})).start_refused().await;
    assert_eq!(envoy.stat("listener_manager.total_listeners_active").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_come_from_the_environment_of_the_vm() {
    let Some(fixture) = Fixture::new("HS256").await else { return };
    let mut config = good(&fixture);
    config["providers"][0]["keys"] = json!({"env": "TOLLGATE_JWKS"});
    let envoy = fixture
        .envoy(config)
        .variable("TOLLGATE_JWKS", mint::jwks(&[&fixture.signer]).to_string())
        .start()
        .await;
    let score = fixture.get("/score", "alice");
    assert_eq!(envoy.send(&score).await.status, 200);
    let forged = Signer::new("HS256", "key-1").sign(&mint::claims("alice"));
    let response = envoy.send(&Request::get("/score").bearer(forged)).await;
    assert_eq!((response.status, response.reason().as_str()), (401, "signature_invalid"));
    let secret = fixture.signer.jwk()["k"].as_str().unwrap().to_owned();
    assert!(!envoy.filter_log().concat().contains(&secret));
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_survive_a_push() {
    let Some(fixture) = Fixture::new("HS256").await else { return };
    let mut config = good(&fixture);
    config["limits"] = json!([{"name": "per-caller", "rate": "1/h", "burst": 2}]);
    let mut envoy = fixture.envoy(config.clone()).start().await;
    let score = fixture.get("/score", "alice");
    for _ in 0..2 {
        assert_eq!(envoy.send(&score).await.status, 200);
    }
    config["responses"] = json!({"realm": "changed"});
    assert_eq!(envoy.reload(config).await, Push::Accepted);
    for response in client::send_at_once(envoy.address(), vec![score; 8]).await {
        assert_eq!((response.status, response.reason().as_str()), (429, "rate_limited"));
    }
}
