//! The scrape: the metrics of the contract, and the number of time series.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_of_the_scrape_is_one_of_the_contract_with_its_labels() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let envoy = start(&fixture, sample(&fixture)).await;
    for case in cases(&fixture) {
        envoy.send(&case.request).await;
    }
    assert_contract(&scrape::of(&envoy).await);
    assert_tokens_by_model(&fixture, &envoy).await;
}

/// Istio gives each tag of `extraStatTags` this expression, after ten of its own.
fn istio_tags() -> Value {
    let expression =
        |tag: &str| json!({"tag_name": tag, "regex": format!(r"({tag}=\.=(.*?);\.;)")});
    let own = [
        ("cluster_name", r"^cluster\.((.+?(\..+?\.svc\.cluster\.local)?)\.)"),
        ("response_code", r"_rq(_(\d{3}))$"),
        ("response_code_class", r"_rq(_(\dxx))$"),
        ("cache", r"(cache\.(.+?)\.)"),
        ("component", r"(component\.(.+?)\.)"),
        ("tag", r"(tag\.(.+?);\.)"),
        ("wasm_filter", r"(wasm_filter\.(.+?)\.)"),
    ];
    let own = own.map(|(tag, regex)| json!({"tag_name": tag, "regex": regex}));
    let mesh = support::sample::read("istio/telemetry.yaml");
    let extra = mesh["meshConfig"]["defaultConfig"]["extraStatTags"].as_array().unwrap().clone();
    let extra = extra.iter().map(|tag| expression(tag.as_str().unwrap()));
    let regexps = &mesh["meshConfig"]["defaultConfig"]["proxyStatsMatcher"]["inclusionRegexps"];
    let patterns = regexps.as_array().unwrap().iter().map(|r| json!({"safe_regex": {"regex": r}}));
    let patterns: Vec<_> = [json!({"prefix": "reporter="}), json!({"prefix": "component"})]
        .into_iter()
        .chain(patterns)
        .collect();
    json!({
        "use_all_default_tags": false,
        "stats_tags": own.into_iter().chain(extra).collect::<Vec<_>>(),
        "stats_matcher": {"inclusion_list": {"patterns": patterns}},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_expressions_that_istio_makes_of_our_settings_give_the_same_labels() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let mut sample = sample(&fixture);
    *sample.at("/stats_config") = istio_tags();
    // Istio's matcher keeps no listener statistics, by which the harness waits.
    sample
        .at("/stats_config/stats_matcher/inclusion_list/patterns")
        .as_array_mut()
        .unwrap()
        .extend([json!({"prefix": "listener_manager"}), json!({"prefix": "server"})]);
    let envoy = start(&fixture, sample).await;
    for case in cases(&fixture) {
        envoy.send(&case.request).await;
    }
    let scrape = scrape::of(&envoy).await;
    assert_contract(&scrape);
    let labels = [("rule", "once"), ("provider", "demo"), ("decision", "deny")];
    let labels = [&labels[..], &[("reason", "rate_limited")]].concat();
    assert_eq!(scrape.value("tollgate_requests", &labels), Some(1.0));
    assert_tokens_by_model(&fixture, &envoy).await;
}

/// A model is a label as `price` names it, dots included; every other one is `other`.
async fn assert_tokens_by_model(fixture: &Fixture, envoy: &Envoy) {
    for model in ["gpt-4.1", "mine", "yours"] {
        let body = json!({"model": model, "max_tokens": 5}).to_string();
        let request = Request::post("/chat", body).bearer(fixture.token("bob"));
        envoy.send(&request.header("content-type", "application/json")).await;
    }
    // The replies name no number and cost what was reserved.
    let counted = async || {
        let scrape = scrape::of(envoy).await;
        let of =
            |model| scrape.value("tollgate_usage_tokens", &[("limit", "chat"), ("model", model)]);
        let done = (of("gpt-4.1"), of("other")) == (Some(15.0), Some(20.0));
        done.then(|| assert_contract(&scrape))
    };
    assert!(eventually(counted).await.is_some(), "no tokens by model");
}

/// The series of each histogram (docs/telemetry.md).
fn histograms() -> impl Iterator<Item = (String, Vec<&'static str>)> {
    ["request_bytes", "response_bytes", "rows", "upstream_ms"].into_iter().flat_map(|name| {
        let series = |part: &str, labels| (format!("tollgate_{name}_{part}"), labels);
        [
            series("bucket", vec!["le", "rule"]),
            series("sum", vec!["rule"]),
            series("count", vec!["rule"]),
        ]
    })
}

/// The labels of each metric (docs/telemetry.md).
fn contract() -> BTreeMap<String, Vec<&'static str>> {
    [
        ("tollgate_requests", vec!["decision", "provider", "reason", "rule"]),
        ("tollgate_token_cache", vec!["result"]),
        ("tollgate_verify", vec!["engine", "result"]),
        ("tollgate_jwks_fetch", vec!["provider", "result"]),
        ("tollgate_limit", vec!["limit", "result"]),
        ("tollgate_usage", vec!["limit", "result"]),
        ("tollgate_usage_tokens", vec!["limit", "model"]),
        ("tollgate_store_retries", vec![]),
        ("tollgate_store_evictions", vec![]),
        ("tollgate_jwks_keys", vec!["provider"]),
        ("tollgate_jwks_age_seconds", vec!["provider"]),
        ("tollgate_config", vec!["result"]),
        ("tollgate_build_info", vec!["version"]),
    ]
    .into_iter()
    .map(|(name, labels)| (name.to_owned(), labels))
    .chain(histograms())
    .collect()
}

pub fn assert_contract(scrape: &scrape::Scrape) {
    let contract = contract();
    let ours: Vec<_> = scrape.samples.iter().filter(|s| s.name.starts_with("tollgate")).collect();
    for sample in &ours {
        let labels: Vec<_> = sample.labels.keys().map(String::as_str).collect();
        assert_eq!(contract.get(sample.name.as_str()), Some(&labels), "{sample:?}");
    }
    for name in ["tollgate_requests", "tollgate_config", "tollgate_build_info"] {
        assert!(ours.iter().any(|sample| sample.name == name), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn identities_leave_the_number_of_time_series_unchanged() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let mut sample = sample(&fixture);
    *sample.at(&format!("{HCM}/access_log")) = json!([]);
    let envoy = start(&fixture, sample).await;
    fixture.upstream.record(false);
    // 100,000 take minutes here; TOLLGATE_IDENTITIES=100000 asks for them.
    let count = std::env::var("TOLLGATE_IDENTITIES").ok().and_then(|n| n.parse().ok());
    let count: usize = count.unwrap_or(20_000);
    let send = async |range: std::ops::Range<usize>| {
        let address: SocketAddr = envoy.address();
        let request = |number: usize| {
            let subject = format!("user-{number}");
            let token = fixture.token(&subject);
            Request::get("/v1/x").bearer(token).header("x-ms-client-request-id", subject)
        };
        let responses = client::send_spread(address, 16, range.map(request).collect()).await;
        assert!(responses.iter().all(|response| response.status == 200));
    };
    send(0..200).await;
    let before = scrape::of(&envoy).await;
    for start in (200..count).step_by(5_000) {
        send(start..count.min(start + 5_000)).await;
    }
    let after = scrape::of(&envoy).await;
    assert_eq!(before.names(), after.names());
    assert!(!after.text.contains("user-"), "an identity is in the scrape");
    let labels = [("rule", "score"), ("provider", "demo"), ("decision", "allow")];
    let labels = [&labels[..], &[("reason", "ok")]].concat();
    assert_eq!(after.value("tollgate_requests", &labels), Some(count as f64));
}
