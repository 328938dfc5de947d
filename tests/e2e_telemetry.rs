//! What a call leaves behind: the audit line, the scrape and the span of the shipped
//! configurations, in a real Envoy.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use support::daemon::free_address;
use support::grpc::Receiver;
use support::prelude::*;
use support::sample::Sample;
use support::{poll, scrape};
use tokio::io::AsyncWriteExt;

/// What the sample decides by, and a few rules more.
fn config(sample: &Sample) -> Value {
    let mut config = sample.plugin_config();
    config["rules"] = json!([
        {"name": "health", "match": {"paths": ["/"]}, "auth": "none"},
        {"name": "open", "match": {"paths": ["/open"]}, "auth": "optional"},
        {"name": "trial", "match": {"paths": ["/trial"]}, "dry_run": true},
        {"name": "once", "match": {"paths": ["/once"]}, "limits": ["roomy", "once"]},
        {"name": "dear", "match": {"paths": ["/dear"]}, "limits": ["roomy", "once"], "cost": 2},
        {"name": "crowd", "match": {"paths": ["/crowd"]}, "concurrency": 1},
        {"name": "graded", "match": {"paths": ["/graded"]}, "allow": [{"roles_any": ["Score"]}]},
        {"name": "body", "match": {"paths": ["/body"]}, "payload": {"max_bytes": 100}},
        {"name": "score", "match": {"paths": ["/score", "/v1/**"]}},
    ]);
    config["limits"] = json!([
        {"name": "roomy", "rate": "1000/s"},
        {"name": "once", "rate": "1/h", "burst": 1},
    ]);
    config
}

/// The shipped sample before the fixture's upstream.
fn sample(fixture: &Fixture) -> Sample {
    Sample::load(fixture.upstream.address())
}

/// An Envoy with a sample and the rules of [`config`].
async fn start(fixture: &Fixture, mut sample: Sample) -> Envoy {
    if !full_spans(fixture) {
        as_envoy_1_36_has_it(sample.at(HCM));
    }
    let config = config(&sample);
    let proxy = fixture.proxy().environment("TOLLGATE_HASH_KEY", HASH_KEY);
    proxy.start_file(&sample.plugin(&config).text()).await
}

/// Whether spans have what the filter decided, refused requests included: in Envoy from 1.37 on.
fn full_spans(fixture: &Fixture) -> bool {
    let output = std::process::Command::new(&fixture.binary).arg("--version").output().unwrap();
    !String::from_utf8(output.stdout).unwrap().contains("/1.36.")
}

/// What the files under `envoy/telemetry` say of an older Envoy: its spans do without filter state,
/// and its log records are configured one level further down.
fn as_envoy_1_36_has_it(hcm: &mut Value) {
    if let Some(tags) = hcm.pointer_mut("/tracing/custom_tags") {
        tags.as_array_mut().unwrap().retain(|tag| tag.get("value").is_none());
    }
    for log in hcm["access_log"].as_array_mut().unwrap() {
        let config = log["typed_config"].as_object_mut().unwrap();
        if config["@type"].as_str().unwrap().ends_with("OpenTelemetryAccessLogConfig") {
            let fields = ["log_name", "grpc_service", "buffer_flush_interval"];
            let mut common: serde_json::Map<_, _> =
                fields.iter().filter_map(|name| config.remove_entry(*name)).collect();
            common.insert("transport_api_version".to_owned(), json!("V3"));
            config.insert("common_config".to_owned(), Value::Object(common));
        }
    }
}

const HASH_KEY: &str = "0123456789abcdef0123456789abcdef";

/// A request and the trace it has to leave: rule, provider, decision, reason, identity.
struct Case {
    request: Request,
    trace: [&'static str; 5],
}

fn cases(fixture: &Fixture) -> Vec<Case> {
    let now = mint::now();
    let score = || Request::post("/score", "{}");
    let with = |changes: Value| score().bearer(fixture.token_with("alice", changes));
    let forged = Signer::new("ES256", "key-1").sign(&mint::claims("alice"));
    let get = |path: &str| fixture.get(path, "bob");
    let body = |text: &str| {
        let token = fixture.token("bob");
        Request::post("/body", text).bearer(token).header("content-type", "application/json")
    };
    let past = json!({"iat": now - 900, "nbf": now - 900, "exp": now - 300});
    let (alice, bob) = ("https://issuer.test/alice", "https://issuer.test/bob");
    let case = |request, trace| Case { request, trace };
    vec![
        case(with(json!({})), ["score", "demo", "allow", "ok", alice]),
        case(Request::get("/open"), ["open", "none", "allow", "anonymous", "-"]),
        case(Request::get("/"), ["health", "none", "allow", "anonymous", "-"]),
        case(score(), ["score", "none", "deny", "token_missing", "-"]),
        case(score().bearer("x"), ["score", "none", "deny", "token_malformed", "-"]),
        case(with(past), ["score", "demo", "deny", "expired", alice]),
        case(with(json!({"aud": "b"})), ["score", "demo", "deny", "audience_mismatch", alice]),
        case(with(json!({"iss": "b"})), ["score", "none", "deny", "issuer_not_allowed", "-"]),
        case(score().bearer(forged), ["score", "demo", "deny", "signature_invalid", "-"]),
        case(get("/once"), ["once", "demo", "allow", "ok", bob]),
        case(get("/once"), ["once", "demo", "deny", "rate_limited", bob]),
        case(get("/dear"), ["dear", "demo", "deny", "cost_exceeds_burst", bob]),
        case(get("/graded"), ["graded", "demo", "deny", "role_insufficient", bob]),
        case(body("{}"), ["body", "demo", "allow", "ok", bob]),
        case(body("{"), ["body", "demo", "deny", "payload_malformed", bob]),
        case(body(&" ".repeat(101)), ["body", "demo", "deny", "payload_too_large", bob]),
        case(Request::get("/trial"), ["trial", "none", "would_deny", "token_missing", "-"]),
        case(Request::get("/nothing"), ["none", "none", "deny", "no_rule", "-"]),
        case(Request::get("/v1/a%2Fb"), ["none", "none", "deny", "path_ambiguous", "-"]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_line_scrape_and_span_tell_the_same_of_every_kind_of_decision() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let zipkin = Upstream::answering(|_| Reply::new(202, "")).await;
    // A port at which nobody listens.
    let nobody = free_address();
    let mut sample = sample(&fixture).with("zipkin", zipkin.address()).cluster("away", nobody);
    // Envoy would answer this one itself; here the filter is asked.
    *sample.at(&format!("{HCM}/path_with_escaped_slashes_action")) = json!("KEEP_UNCHANGED");
    let mut config = sample.plugin_config();
    config["providers"].as_array_mut().unwrap().push(json!({
        "name": "away",
        "issuers": ["https://away.test"],
        "audiences": ["api://scoring"],
        "keys": {"remote": {
            "uri": "https://away.test/keys", "cluster": "away", "timeout": "1s",
        }},
    }));
    config["responses"]["cors"] = json!({"allow_origins": ["https://app.test"]});
    let envoy = start(&fixture, sample.plugin(&config)).await;
    // A request that stays in flight: it announces a body and sends none.
    let held = Request::post("/crowd", "{}").bearer(fixture.token("bob")).to_bytes();
    let mut holder = tokio::net::TcpStream::connect(envoy.address()).await.unwrap();
    holder.write_all(&held[..held.len() - 2]).await.unwrap();
    let crowd = [("rule", "crowd"), ("provider", "demo"), ("decision", "allow"), ("reason", "ok")];
    let judged = async || scrape::of(&envoy).await.value("tollgate_requests", &crowd);
    poll(Duration::from_secs(10), judged).await.expect("the held request is in flight");

    let (bob, away) =
        ("https://issuer.test/bob", claims_with("bob", json!({"iss": "https://away.test"})));
    let crowded = fixture.get("/crowd", "bob");
    let preflight = Request::new("OPTIONS", "/score")
        .header("origin", "https://app.test")
        .header("access-control-request-method", "POST");
    let away = Request::get("/v1/x").bearer(fixture.signer.sign(&away));
    let mut cases = cases(&fixture);
    cases.extend([
        Case { request: crowded, trace: ["crowd", "demo", "deny", "concurrency_limited", bob] },
        Case { request: preflight, trace: ["none", "none", "allow", "preflight", "-"] },
        Case { request: away, trace: ["score", "away", "deny", "keys_unavailable", "-"] },
    ]);
    assert_traces(&fixture, &envoy, &zipkin, cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_names_who_brought_a_verified_token_and_what_it_lacks() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let envoy = start(&fixture, sample(&fixture)).await;
    let past = mint::now() - 300;
    let forged = Signer::new("ES256", "key-1").sign(&claims_with("eve", json!({"exp": past})));
    let ask = |path: &str, changes: Value| {
        Request::get(path).bearer(fixture.token_with("alice", changes))
    };
    let alice = "https://issuer.test/alice";
    for (request, decision, reason, identity, detail) in [
        (ask("/score", json!({"exp": past})), "deny", "expired", Some(alice), None),
        (ask("/score", json!({"aud": null})), "deny", "claim_missing", Some(alice), Some("aud")),
        (ask("/score", json!({"sub": ""})), "deny", "claim_missing", None, Some("{iss}/{sub}")),
        (ask("/score", json!({"jti": 1})), "deny", "claim_malformed", Some(alice), None),
        (Request::get("/score").bearer(forged), "deny", "signature_invalid", None, None),
        // It passes, and what is not taken for the caller's names nobody.
        (ask("/trial", json!({"exp": past})), "would_deny", "expired", None, None),
        (
            ask("/trial", json!({"sub": ""})),
            "would_deny",
            "claim_missing",
            None,
            Some("{iss}/{sub}"),
        ),
        (ask("/score", json!({"nbf": -62_135_596_800_i64})), "allow", "ok", Some(alice), None),
    ] {
        let (logged, seen) = (envoy.access_log().len(), fixture.upstream.requests().len());
        let response = envoy.send(&request).await;
        let line = envoy.access_after(logged).await;
        let told = [&line["Decision"], &line["Reason"], &line["Identity"], &line["Detail"]];
        let want = [json!(decision), json!(reason), json!(identity), json!(detail)];
        assert_eq!(told, want.each_ref(), "{line}");
        assert_eq!(
            line["Kid"].is_string(),
            decision != "would_deny" && reason != "signature_invalid"
        );
        assert_eq!(response.status == 200, decision != "deny");
        if decision == "would_deny" {
            let passed = &fixture.upstream.requests()[seen];
            let ours = ["x-auth-identity", "x-auth-subject", "x-auth-issuer"];
            assert!(ours.iter().all(|name| passed.header(name).is_none()), "{passed:?}");
        }
    }
    // A minute has one line for each cause, and each claim that is missing is one.
    let lines = envoy.filter_log().join("\n");
    for detail in ["count=1: aud; ", "count=1: {iss}/{sub}; ", "count=1: jti; "] {
        assert!(lines.contains(detail), "{detail}: {lines}");
    }
    assert!(!lines.contains("alice"), "{lines}");
}

/// Every capability that the module asks for, apart from one.
fn every_capability_but(missing: &str) -> Value {
    let module = std::fs::read(support::module()).unwrap();
    let wasi = ["fd_write", "random_get", "clock_time_get", "environ_get", "environ_sizes_get"];
    let named =
        module.windows(6).enumerate().filter(|(_, word)| word == b"proxy_").map(|(at, _)| {
            let name = module[at..].iter().take_while(|b| b.is_ascii_lowercase() || **b == b'_');
            String::from_utf8(name.copied().collect()).unwrap()
        });
    let names = named.filter(|name| name != missing);
    let all = names.chain(wasi.map(str::to_owned)).map(|name| (name, json!({})));
    json!({"allowed_capabilities": all.collect::<serde_json::Map<_, _>>()})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_without_a_store_leaves_the_same_trace_and_its_cause_in_the_log() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let zipkin = Upstream::answering(|_| Reply::new(202, "")).await;
    let mut sample = sample(&fixture).with("zipkin", zipkin.address());
    let wasm = sample.at(&format!("{HCM}/http_filters/0/typed_config/config"));
    wasm["capability_restriction_config"] = every_capability_but("proxy_set_shared_data");
    let envoy = start(&fixture, sample).await;
    let get = |path: &str| fixture.get(path, "bob");
    let bob = "https://issuer.test/bob";
    let cases = ["once", "crowd"].map(|rule| Case {
        request: get(&format!("/{rule}")),
        trace: [rule, "demo", "deny", "store_unavailable", bob],
    });
    assert_traces(&fixture, &envoy, &zipkin, cases.into()).await;
    envoy.wait_for_log("no bucket table, failure_mode applies until it opens").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_removes_no_header_refuses_only_requests_with_one_of_ours() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let zipkin = Upstream::answering(|_| Reply::new(202, "")).await;
    let mut sample = sample(&fixture).with("zipkin", zipkin.address());
    let wasm = sample.at(&format!("{HCM}/http_filters/0/typed_config/config"));
    wasm["capability_restriction_config"] = every_capability_but("proxy_remove_header_map_value");
    let envoy = start(&fixture, sample).await;
    let plain = fixture.get("/once", "bob");
    assert_eq!(envoy.send(&plain).await.status, 200);
    assert_eq!(envoy.access_after(0).await["Reason"], "ok");
    let spoofed =
        Request::get("/once").bearer(fixture.token("bob")).header("X_Auth.Subject", "root");
    let refused =
        Case { request: spoofed, trace: ["none", "none", "deny", "store_unavailable", "-"] };
    assert_traces(&fixture, &envoy, &zipkin, vec![refused]).await;
    // A trailer that had to go and did not ends a request that had passed.
    for (trailer, status) in [("x-checksum", 200), ("x_auth_subject", 503)] {
        let fields = [(trailer.parse().unwrap(), "root".parse().unwrap())];
        let fields = hyper::HeaderMap::from_iter(fields);
        let body = Full::new(Bytes::from_static(b"{}")).with_trailers(async { Some(Ok(fields)) });
        let request = hyper::Request::post("http://ml.example.com/score")
            .header("authorization", format!("Bearer {}", fixture.token("bob")))
            .body(Box::pin(body))
            .unwrap();
        let response = client::send_h2_with(envoy.address(), request).await;
        assert_eq!(response.status, status, "{trailer}: {}", response.reason());
    }
}

/// Sends each request and finds the same in its audit line, in the scrape and in its span.
async fn assert_traces(fixture: &Fixture, envoy: &Envoy, zipkin: &Upstream, cases: Vec<Case>) {
    let full_spans = full_spans(fixture);
    let mut traces = Vec::new();
    for (number, case) in cases.into_iter().enumerate() {
        let [rule, provider, decision, reason, identity] = case.trace;
        let labels = [("rule", rule), ("provider", provider)];
        let labels = [labels, [("decision", decision), ("reason", reason)]].concat();
        let before = scrape::of(envoy).await.value("tollgate_requests", &labels).unwrap_or(0.0);
        let logged = envoy.access_log().len();
        let client_id = format!("call-{number}");
        let request = case.request.clone().header("x-ms-client-request-id", &client_id);
        let response = envoy.send(&request).await;

        let line = envoy.access_after(logged).await;
        let identity = if identity == "-" { Value::Null } else { json!(identity) };
        let told = ["Rule", "Provider", "Decision", "Reason"].map(|field| line[field].clone());
        assert_eq!(told, [rule, provider, decision, reason], "{line}");
        assert_eq!(
            (&line["Identity"], &line["XMSClientRequestId"]),
            (&identity, &json!(client_id))
        );
        assert_eq!(line["ResponseCode"], json!(response.status), "{line}");
        assert_eq!(line["Kid"], if identity.is_null() { Value::Null } else { json!("key-1") });
        let limit = match reason {
            "rate_limited" | "cost_exceeds_burst" => json!("once"),
            _ => Value::Null,
        };
        assert_eq!(line["Limit"], limit, "{line}");
        if decision == "deny" {
            assert_eq!(response.reason(), reason);
            assert_eq!(line["ResponseCodeReason"], format!("tollgate_{reason}"));
        }

        let after = scrape::of(envoy).await.value("tollgate_requests", &labels);
        assert_eq!(after, Some(before + 1.0), "{reason}");

        traces.push((line["XRequestId"].clone(), case.trace, response.status));
    }
    for (id, [rule, provider, decision, reason, identity], status) in traces {
        let id = id.as_str().unwrap();
        let span = poll(Duration::from_secs(20), async || span(zipkin, id)).await.expect(reason);
        let tags = &span["tags"];
        if !full_spans {
            // A header of the request: there where the request passed. The head of one whose body
            // was refused may have passed before.
            let expected = if decision == "deny" { "-" } else { identity };
            let found = tags["enduser.id"].as_str().unwrap_or("-");
            assert!(found == expected || rule == "body", "{span}");
            continue;
        }
        let told = ["rule", "provider", "decision", "reason"]
            .map(|tag| tags[format!("tollgate.{tag}")].clone());
        assert_eq!(told, [rule, provider, decision, reason], "{span}");
        assert_eq!(tags["tollgate.identity"].as_str().unwrap_or("-"), identity, "{span}");
        assert_eq!(tags["http.status_code"], status.to_string());
    }
}

const HCM: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";

/// The span of one request as Zipkin v2 JSON.
fn span(zipkin: &Upstream, request_id: &str) -> Option<Value> {
    zipkin
        .requests()
        .iter()
        .filter(|post| post.path == "/api/v2/spans")
        .filter_map(|post| serde_json::from_slice::<Vec<Value>>(&post.body).ok())
        .flatten()
        .find(|span| span["tags"]["guid:x-request-id"] == request_id)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_of_the_scrape_is_one_of_the_contract_with_its_labels() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let envoy = start(&fixture, sample(&fixture)).await;
    for case in cases(&fixture) {
        envoy.send(&case.request).await;
    }
    assert_contract(&scrape::of(&envoy).await);
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
}

/// The labels of each metric (CONFIG "Telemetry contract").
fn contract() -> BTreeMap<&'static str, Vec<&'static str>> {
    BTreeMap::from([
        ("tollgate_requests", vec!["decision", "provider", "reason", "rule"]),
        ("tollgate_token_cache", vec!["result"]),
        ("tollgate_verify", vec!["engine", "result"]),
        ("tollgate_jwks_fetch", vec!["provider", "result"]),
        ("tollgate_limit", vec!["limit", "result"]),
        ("tollgate_usage", vec!["limit", "result"]),
        ("tollgate_store_retries", vec![]),
        ("tollgate_store_evictions", vec![]),
        ("tollgate_jwks_keys", vec!["provider"]),
        ("tollgate_jwks_age_seconds", vec!["provider"]),
        ("tollgate_config", vec!["result"]),
        ("tollgate_build_info", vec!["version"]),
    ])
}

fn assert_contract(scrape: &scrape::Scrape) {
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

#[tokio::test(flavor = "multi_thread")]
async fn a_hashed_identity_appears_nowhere_downstream_but_by_its_hash() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let zipkin = Upstream::answering(|_| Reply::new(202, "")).await;
    let collector = Receiver::start().await;
    let sample = sample(&fixture).variable("TOLLGATE_HASH_KEY");
    let mut config = sample.plugin_config();
    config["privacy"] = json!({"hash_key_env": "TOLLGATE_HASH_KEY"});
    config["tags"] = json!([
        {"name": "identity", "value": "{@identity}", "header": "x-auth-identity", "hash": true},
        {"name": "subject", "value": "{sub}", "header": "x-auth-subject", "hash": true},
    ]);
    let sample = sample
        .plugin(&config)
        .with("opentelemetry", collector.address())
        .with("zipkin", zipkin.address());
    let envoy = start(&fixture, sample).await;
    let subject = "very-private-person";
    let token = fixture.token(subject);
    for path in ["/score", "/once", "/once"] {
        let request = Request::get(path).bearer(&token).header("x-auth-identity", subject);
        envoy.send(&request).await;
    }
    let hash = |value: &str| {
        let mac = hmac_sha256::HMAC::mac(value.as_bytes(), HASH_KEY.as_bytes());
        mac[..16].iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let (identity, subject_hash) = (hash(&format!("https://issuer.test/{subject}")), hash(subject));
    let seen = fixture.upstream.last().unwrap();
    assert_eq!(seen.header("x-auth-identity"), Some(identity.as_str()));
    assert_eq!(seen.header("x-auth-subject"), Some(subject_hash.as_str()));
    let limited = envoy.access_after(2).await;
    assert_eq!(
        (&limited["Identity"], &limited["Reason"]),
        (&json!(identity), &json!("rate_limited"))
    );
    let found = async || {
        let (spans, logs) = (bodies(&zipkin), collector.received("/Export"));
        let both = contains(&spans, identity.as_bytes()) && contains(&logs, identity.as_bytes());
        both.then_some((spans, logs))
    };
    let (spans, logs) = poll(Duration::from_secs(20), found).await.expect("span and log record");
    for (place, bytes) in [
        ("spans", spans),
        ("log records", logs),
        ("upstream heads", fixture.upstream.requests().into_iter().flat_map(|r| r.head).collect()),
        ("audit lines", envoy.output_lines().concat()),
        ("Envoy's log", envoy.log().into_bytes()),
        ("scrape", scrape::of(&envoy).await.text.into_bytes()),
        ("statistics", envoy.admin_get("/stats").await.into_bytes()),
    ] {
        assert!(!contains(&bytes, subject.as_bytes()), "{place}");
        assert!(!contains(&bytes, HASH_KEY.as_bytes()), "{place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_of_open_telemetry_gets_lines_and_spans_with_identity_and_reason() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let collector = Receiver::start().await;
    let sample = sample(&fixture).with("opentelemetry", collector.address());
    let envoy = start(&fixture, sample).await;
    trace_of_one_limited_call(&fixture, &envoy).await;
    for method in ["LogsService/Export", "TraceService/Export"] {
        assert_received(&collector, method, full_spans(&fixture)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_access_log_service_gets_identity_and_reason() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let service = Receiver::start().await;
    let sample = sample(&fixture).with("grpc-access-log", service.address());
    let envoy = start(&fixture, sample).await;
    trace_of_one_limited_call(&fixture, &envoy).await;
    assert_received(&service, "AccessLogService/StreamAccessLogs", true).await;
}

async fn trace_of_one_limited_call(fixture: &Fixture, envoy: &Envoy) {
    let request = fixture.get("/once", "alice");
    assert_eq!(envoy.send(&request).await.status, 200);
    assert_eq!(envoy.send(&request).await.status, 429);
}

async fn assert_received(receiver: &Receiver, method: &str, full_spans: bool) {
    let texts = ["https://issuer.test/alice", "rate_limited", "once", "deny"];
    let texts = if full_spans || !method.contains("Trace") { &texts[..] } else { &texts[..1] };
    let all = async || {
        let bytes = receiver.received(method);
        texts.iter().all(|text| contains(&bytes, text.as_bytes())).then_some(())
    };
    poll(Duration::from_secs(20), all).await.expect(method);
}

/// What was posted to a server, in one piece.
fn bodies(server: &Upstream) -> Vec<u8> {
    server.requests().into_iter().flat_map(|request| request.body).collect()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Numbers that are the same in every run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.next(from.len())]
    }
}

/// Pieces that break lines, quotes, formats, encodings and terminals; the last four hold control
/// characters.
const BYTES: [&[u8]; 16] = [
    b"\"",
    b"\\",
    b"\\u000a",
    b"{\"a\":1}",
    b"%REQ(AUTHORIZATION)%",
    b"\xff\xfe",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"</script>",
    b"'; --",
    b"\xe2\x80\xa8",
    b"a",
    b"\x1b[2J",
    b"\x7f",
    b"\x01",
    b"\t",
];

const TEXTS: [&str; 14] = [
    "\"",
    "\\",
    "\n",
    "\r\n",
    "\0",
    "\u{1b}[2J",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    "\u{202e}",
    "\u{1f4a3}",
    "%0a",
    "%FILTER_STATE(x)%",
    "{",
];

/// The loggers of Envoy that print requests, as docs/runbook.md names them.
fn loggers_that_print_requests() -> Vec<String> {
    let runbook = std::fs::read_to_string(support::root().join("docs/runbook.md")).unwrap();
    let (_, list) = runbook.split_once("print requests, tokens included:").unwrap();
    let (list, _) = list.split_once(". ").unwrap();
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn at_trace_level_no_logger_but_those_that_the_runbook_names_prints_a_token() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let envoy = start(&fixture, sample(&fixture)).await;
    let set = async |what: String| {
        let request = Request::post(format!("/logging?{what}"), "");
        assert_eq!(client::send(envoy.admin_address(), &request).await.status, 200, "{what}");
    };
    set("level=trace".to_owned()).await;
    let quiet = loggers_that_print_requests();
    for logger in &quiet {
        set(format!("{logger}=info")).await;
    }
    let mut secrets = Vec::new();
    for case in cases(&fixture) {
        let value = |(_, value): &(Vec<u8>, Vec<u8>)| String::from_utf8_lossy(value).into_owned();
        let tokens = case.request.headers.iter().map(value).filter(|text| text.contains("eyJ"));
        secrets.extend(tokens.flat_map(|token| {
            token
                .split(['.', ' '])
                .filter(|part| part.len() > 20)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        }));
        envoy.send(&case.request).await;
        client::send_h2(envoy.address(), case.request.h2()).await;
    }
    assert!(secrets.len() > 20, "{}", secrets.len());
    let log = envoy.log();
    assert!(log.lines().count() > 500, "trace is on");
    for line in log.lines() {
        assert!(!secrets.iter().any(|secret| line.contains(secret.as_str())), "{line}");
    }
    // The list holds what it must and nothing else.
    let printed = || envoy.log().matches("eyJ").count();
    for logger in &quiet {
        let before = printed();
        set(format!("{logger}=trace")).await;
        let request = &cases(&fixture)[0].request;
        envoy.send(request).await;
        client::send_h2(envoy.address(), request.h2()).await;
        let more = async || (printed() > before).then_some(());
        let found = poll(Duration::from_secs(5), more).await;
        assert!(found.is_some(), "{logger} prints no token: take it off");
        set(format!("{logger}=info")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_hostile_requests_are_as_many_json_lines_without_a_secret() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let envoy = start(&fixture, sample(&fixture)).await;
    fixture.upstream.record(false);
    client::send(envoy.admin_address(), &Request::post("/logging?wasm=trace", "")).await;
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut secrets = Vec::new();
    let requests: Vec<_> = (0..10_000)
        .map(|number| {
            // Envoy itself refuses control characters; most requests have none, to get to the
            // filter.
            let known = if number % 5 == 4 { &BYTES[..] } else { &BYTES[..12] };
            let mut bytes =
                || (0..6).flat_map(|_| numbers.pick(known).to_vec()).collect::<Vec<u8>>();
            let path = [b"/v1/", &bytes()[..]].concat();
            let path: Vec<u8> = path.into_iter().filter(|byte| *byte > b' ').collect();
            let mut request = Request::get(path)
                .header("user-agent", bytes())
                .header("x-ms-client-request-id", bytes())
                .header("azureml-model-deployment", bytes())
                .header("x-auth-identity", bytes());
            // Signing and verifying in a test build is slow: every tenth brings a token.
            if number % 10 == 0 {
                let subject: String = (0..8).map(|_| *numbers.pick(&TEXTS)).collect();
                let token = fixture.token(&subject);
                let signature = token.rsplit('.').next().unwrap().to_owned();
                secrets.push(signature);
                request.target = match number % 100 {
                    0 => format!("/v1/x?access_token={token}").into_bytes(),
                    _ => b"/v1/x".to_vec(),
                };
                let token = if number % 50 == 10 { format!("{token}x") } else { token };
                request = request.header("cookie", format!("access_token={token}")).bearer(token);
            }
            request
        })
        .collect();
    let chunks = requests.chunks(requests.len() / 8).map(<[Request]>::to_vec);
    let senders = chunks.map(|chunk| {
        let address = envoy.address();
        tokio::spawn(async move {
            let mut connection = Connection::open(address).await;
            for request in chunk {
                connection.try_send(&request.to_bytes()).await.unwrap();
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    let lines = async || Some(envoy.output_lines()).filter(|lines| lines.len() >= requests.len());
    let lines = poll(Duration::from_secs(20), lines).await.expect("a line for each request");
    assert_eq!(lines.len(), requests.len());
    let mut allowed = 0;
    for line in &lines {
        let text = std::str::from_utf8(line).unwrap();
        let text = text.strip_suffix('\n').unwrap();
        assert!(!text.contains(char::is_control), "{text:?}");
        let entry: Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text:?}"));
        assert!(entry["ResponseCode"].is_u64(), "{text}");
        allowed += usize::from(entry["Decision"] == "allow");
    }
    assert!(allowed > 500, "{allowed}");
    let filter: Vec<_> = envoy.filter_log();
    assert!(!filter.is_empty());
    let everything = [lines.concat(), envoy.log().into_bytes()].concat();
    assert!(!contains(&everything, b"eyJ"), "a token is in a log");
    let known: HashSet<&[u8]> = secrets.iter().map(|secret| &secret.as_bytes()[..20]).collect();
    let symbol = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    for word in everything.split(|byte| !symbol(byte)) {
        let found = word.windows(20).any(|part| known.contains(part));
        assert!(!found, "a signature is in a log: {}", word.escape_ascii());
    }
    // A flood is told by a few lines.
    assert!(
        filter.iter().filter(|line| line.contains("tollgate: deny: ")).count() <= 20,
        "{filter:#?}"
    );
}
