//! The histograms of the scrape, with the buckets of `envoy/telemetry/histograms.yaml`.

use super::*;

/// Envoy merges its histograms every five seconds, before it shows them.
const MERGED: Duration = Duration::from_secs(60);

/// How long the upstream waits before it answers.
const WAIT: Duration = Duration::from_millis(300);

/// What the upstream answers to `/score`.
const ANSWER: usize = 5_000;

/// The shipped sample with the buckets and with histograms.
fn sample(upstream: SocketAddr) -> Sample {
    let mut sample = Sample::load(upstream);
    let part = sample::read("envoy/telemetry/histograms.yaml");
    let stats = sample.at("/stats_config");
    *stats = merged(stats.take(), part);
    let mut config = sample.plugin_config();
    config["telemetry"] = json!({"histograms": true});
    config["rules"] = json!([
        {"name": "health", "match": {"paths": ["/"]}, "auth": "none"},
        {"name": "trial", "match": {"paths": ["/trial"]}, "dry_run": true},
        {"name": "batch", "match": {"paths": ["/batch"]}, "limits": ["roomy"],
         "payload": {"max_bytes": "1MiB"}, "cost": {"json_rows": ["/data"], "max": 10}},
        {"name": "score", "match": {"paths": ["/score", "/{endpoint}/score"]}},
    ]);
    config["limits"] = json!([{"name": "roomy", "rate": "1000/s"}]);
    sample.plugin(&config)
}

/// A body of the size with the number of rows.
fn rows(rows: usize, size: usize) -> Vec<u8> {
    let mut body = json!({"data": vec![1; rows]}).to_string().into_bytes();
    body.resize(size, b' ');
    body
}

/// The observations of a histogram at most as large as each boundary, without those of 0 and of all.
fn buckets(scrape: &scrape::Scrape, metric: &str, rule: &str) -> Vec<(String, f64)> {
    let name = format!("tollgate_{metric}_bucket");
    let all = count(scrape, metric, rule);
    let of_rule = scrape.samples.iter().filter(|s| s.name == name && s.labels["rule"] == rule);
    let buckets = of_rule.map(|sample| (sample.labels["le"].clone(), sample.value));
    buckets.filter(|(_, value)| *value > 0.0 && *value < all).collect()
}

fn count(scrape: &scrape::Scrape, metric: &str, rule: &str) -> f64 {
    scrape.value(&format!("tollgate_{metric}_count"), &[("rule", rule)]).unwrap_or(0.0)
}

fn sum(scrape: &scrape::Scrape, metric: &str, rule: &str) -> f64 {
    scrape.value(&format!("tollgate_{metric}_sum"), &[("rule", rule)]).unwrap()
}

/// Envoy keeps two digits of a value, and the sum is one of middles.
fn about(value: f64, expected: f64) -> bool {
    (value - expected).abs() <= expected * 0.06
}

#[tokio::test(flavor = "multi_thread")]
async fn histograms_have_the_sizes_rows_and_times_of_the_requests_that_passed_and_of_no_other() {
    let answer = |request: &Recorded| match request.path.as_str() {
        "/score" => Reply { delay: WAIT, ..Reply::new(200, "x".repeat(ANSWER)) },
        _ => Reply::new(200, ""),
    };
    let Some(fixture) = Fixture::answering("ES256", answer).await else { return };
    let sample = sample(fixture.upstream.address());
    let envoy = fixture.proxy().start_file(&sample.text()).await;
    let score =
        |size: usize| Request::post("/score", vec![b'x'; size]).bearer(fixture.token("alice"));
    let batch = |number, size| {
        let request = Request::post("/batch", rows(number, size)).bearer(fixture.token("bob"));
        request.header("content-type", "application/json")
    };
    for (request, status) in [
        (score(500), 200),
        (score(5_000), 200),
        // Without an announced size.
        (score(50_000).chunked(1_000), 200),
        (batch(3, 2_000), 200),
        // The cost of a request ends at 10, its rows do not.
        (batch(30, 20_000), 200),
        (Request::get("/"), 200),
        (Request::post("/trial", vec![b'x'; 50]), 200),
        // Refused: without a token, for its body, and by no rule.
        (Request::post("/score", vec![b'x'; 500_000]), 401),
        (batch(3, 2_000_000), 413),
        (Request::post("/nothing", vec![b'x'; 500]), 403),
    ] {
        assert_eq!(envoy.send(&request).await.status, status);
    }
    let merged = async || {
        let scrape = scrape::of(&envoy).await;
        let passed = [("score", 3.0), ("batch", 2.0), ("health", 1.0), ("trial", 1.0)];
        let here = |(rule, number)| count(&scrape, "upstream_ms", rule) >= number;
        passed.into_iter().all(here).then_some(scrape)
    };
    let scrape = poll(MERGED, merged).await.expect("every request that passed is recorded");

    let upto = |list: &[(&str, f64)]| {
        list.iter().map(|(le, value)| ((*le).to_owned(), *value)).collect::<Vec<_>>()
    };
    let sizes = upto(&[("1000", 1.0), ("10000", 2.0)]);
    assert_eq!(buckets(&scrape, "request_bytes", "score"), sizes);
    assert!(about(sum(&scrape, "request_bytes", "score"), 55_500.0), "{}", scrape.text);
    assert_eq!(buckets(&scrape, "response_bytes", "score"), [], "all are of one size");
    assert!(about(sum(&scrape, "response_bytes", "score"), 15_000.0), "{}", scrape.text);
    assert_eq!(buckets(&scrape, "request_bytes", "batch"), upto(&[("10000", 1.0)]));
    let numbers = upto(&[("5", 1.0), ("10", 1.0), ("20", 1.0)]);
    assert_eq!(buckets(&scrape, "rows", "batch"), numbers);
    let fast = buckets(&scrape, "upstream_ms", "score").into_iter();
    assert!(fast.map(|(le, _)| le.parse::<f64>().unwrap()).all(|le| le >= 500.0), "{WAIT:?}");
    assert!(sum(&scrape, "upstream_ms", "score") >= 850.0, "{}", scrape.text);
    assert_eq!(count(&scrape, "rows", "score"), 0.0, "its rule does not count rows");
    assert_eq!(count(&scrape, "request_bytes", "trial"), 1.0, "a dry run lets it pass");
    metrics::assert_contract(&scrape);
    for sample in scrape.samples.iter().filter(|s| s.name.ends_with("_count")) {
        assert!(!sample.labels.values().any(|value| value == "none"), "{sample:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_an_upstream_has_sizes_and_no_time_and_an_aborted_one_what_it_sent() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    // A port at which no program listens.
    let sample = sample(free_address());
    let envoy = fixture.proxy().start_file(&sample.text()).await;
    let token = fixture.token("alice");
    let request = Request::post("/score", vec![b'x'; 500]).bearer(&token);
    assert_eq!(envoy.send(&request).await.status, 503);
    // It announces 400,000 bytes, sends 200 and leaves.
    let whole = Request::post("/score", vec![b'x'; 400_000]).bearer(&token).to_bytes();
    let mut stream = tokio::net::TcpStream::connect(envoy.address()).await.unwrap();
    stream.write_all(&whole[..whole.len() - 399_800]).await.unwrap();
    drop(stream);
    let merged = async || {
        let scrape = scrape::of(&envoy).await;
        (count(&scrape, "request_bytes", "score") >= 2.0).then_some(scrape)
    };
    let scrape = poll(MERGED, merged).await.expect("both are recorded");
    assert!(sum(&scrape, "request_bytes", "score") < 1_000.0, "{}", scrape.text);
    assert_eq!(count(&scrape, "upstream_ms", "score"), 0.0, "{}", scrape.text);
}
