//! The lines that the examples write to standard output.

use std::collections::BTreeSet;

use support::manifests::{self, PLUGIN};
use support::prelude::*;
use support::walk::{examples, managers, objects};
use support::{eventually, root};

use super::definition::{Kind, definition};
use super::examples::{Format, formats};
use super::world::{Started, World, configuration};

const POLICY: &str = "examples/envoy-gateway/policy.yaml";
const ENVOY_PROXY: &str = "examples/envoy-gateway/proxy.yaml";

/// Sends the calls of a world and compares the lines that follow.
async fn assert_lines(name: &str, world: &World, started: &Started, format: &Format) {
    let mut expected = Vec::new();
    for (number, call) in world.calls().iter().enumerate() {
        expected.push(world.send(started, number, call).await);
    }
    let all = async || {
        let lines = started.envoy.output_lines();
        (lines.len() >= expected.len()).then_some(lines)
    };
    let lines = eventually(all).await.expect("a line for each request");
    assert_eq!(lines.len(), expected.len(), "{name}");
    for expected in expected {
        let id = expected["XMSClientRequestId"].as_str().unwrap();
        let mut parsed =
            lines.iter().map(|line| -> Value { serde_json::from_slice(line).unwrap() });
        let line = parsed.find(|line| line["XMSClientRequestId"] == id).unwrap();
        for (field, value) in expected.as_object().unwrap() {
            assert_eq!(line[field], *value, "{name}: {field} in {line:#}");
        }
        assert_kinds(name, &line, format);
    }
}

/// The fields of a line are those of its format, each of its kind, and the ones that no test can
/// foresee are plausible.
fn assert_kinds(name: &str, line: &Value, format: &Format) {
    let fields: BTreeSet<_> = line.as_object().unwrap().keys().collect();
    assert_eq!(fields, format.keys().collect(), "{name}");
    for field in definition() {
        let value = &line[&field.name];
        let digits = value.as_str().is_some_and(|text| text.parse::<u64>().is_ok());
        let fits = match field.kind {
            Kind::Text => value.is_string(),
            Kind::Number => value.is_u64(),
            Kind::Digits => digits,
        };
        assert!(fits || value.is_null(), "{name}: {} is {value}", field.name);
    }
    for field in ["Time", "XRequestId", "Route", "ResponseCodeReason"] {
        assert!(line[field].is_string(), "{name}: {field} in {line:#}");
    }
    assert!(line["Time"].as_str().unwrap().ends_with('Z'), "{line}");
    let (total, upstream) = (&line["TotalDurationMs"], &line["UpstreamDurationMs"]);
    match line["Decision"] == "allow" {
        true => assert!(upstream.as_u64().unwrap() <= total.as_u64().unwrap(), "{line}"),
        false => assert!(total.is_u64() && upstream.is_null(), "{line}"),
    }
    assert!(!line.to_string().contains("secret"), "{line}");
}

/// Each configuration of Envoy that writes lines, alone or in a ConfigMap.
#[tokio::test(flavor = "multi_thread")]
async fn each_configuration_of_envoy_writes_a_line_for_allowed_and_denied_requests() {
    let mut count = 0;
    // The example of budgets has the paths of another API; tests/e2e_budgets.rs sends its requests.
    for example in examples().into_iter().filter(|example| !example.name.contains("budgets")) {
        let [manager] = managers(&example)[..] else { continue };
        let Some(format) = objects(&manager["access_log"]).into_iter().flat_map(formats).next()
        else {
            continue;
        };
        let Some(world) = World::of(&configuration(&example.value)).await else { return };
        let started = world.start(example.value.clone()).await;
        assert_lines(&example.name, &world, &started, &format).await;
        count += 1;
    }
    assert!(count >= 8, "{count}");
}

/// The format of a file that has one.
fn format(path: &str) -> Format {
    let documents = manifests::read(path);
    let mut all = documents.iter().flat_map(objects).flat_map(formats);
    let format = all.next().unwrap();
    assert!(all.next().is_none());
    format
}

/// Runs the configuration of a manifest with the log of another.
async fn assert_mesh(manifest: &str, log: &str, mutual: bool) {
    let manifest = manifests::read(manifest).remove(0);
    let Some(world) = World::of(&configuration(&manifest)).await else { return };
    let format = format(log);
    let started = world.start_mesh(&format, mutual, None).await;
    assert_lines(log, &world, &started, &format).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_of_istio_writes_the_line_with_the_name_of_its_peer() {
    assert_mesh(PLUGIN, "istio/telemetry.yaml", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_of_envoy_gateway_writes_the_line() {
    assert_mesh(POLICY, ENVOY_PROXY, false).await;
}

/// With the expression of the page. If an expression fails, Envoy drops the line.
#[tokio::test(flavor = "multi_thread")]
async fn envoy_gateway_can_write_the_lines_of_denials_alone() {
    let policy = manifests::read(POLICY).remove(0);
    let Some(world) = World::of(&configuration(&policy)).await else { return };
    let page = root().join("docs/deploy-envoy-gateway.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, matches) = page.split_once("matches: [\"").unwrap();
    let (expression, _) = matches.split_once("\"]").unwrap();
    let format = format(ENVOY_PROXY);
    let started = world.start_mesh(&format, false, Some(expression)).await;
    let calls = world.calls();
    for (number, call) in calls.iter().enumerate() {
        world.send(&started, number, call).await;
    }
    let all = async || Some(started.envoy.access_log()).filter(|log| log.len() >= calls.len() - 1);
    let log = eventually(all).await.expect("a line for each denial");
    assert_eq!(log.len(), calls.len() - 1);
    assert!(log.iter().all(|line| line["Decision"] == "deny"), "{log:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cost_usage_detail_and_status_have_values_where_they_apply() {
    let reply = |_: &Recorded| Reply::json(&json!({"usage": {"total_tokens": 42}}));
    let Some(fixture) = Fixture::answering("ES256", reply).await else { return };
    let mut sample = support::sample::Sample::load(fixture.upstream.address());
    let mut config = sample.plugin_config();
    config["rules"][1]["cost"] = json!(3);
    let charge = json!({"charge": "response", "response_cost": {"json": "/usage/total_tokens"}});
    config["limits"][0] = merged(config["limits"][0].clone(), charge);
    sample = sample.plugin(&config);
    let envoy = fixture.proxy().start_file(&sample.text()).await;
    let good = Request::post("/score", "{}").bearer(fixture.token("alice"));
    assert_eq!(envoy.send(&good).await.status, 200);
    let line = envoy.access_after(0).await;
    assert_eq!((&line["Cost"], &line["Usage"]), (&json!("3"), &json!("42")), "{line}");
    let nobody = Request::post("/score", "{}").bearer(fixture.token_with("", json!({"aud": null})));
    assert_eq!(envoy.send(&nobody).await.reason(), "claim_missing");
    let line = envoy.access_after(1).await;
    assert_eq!((&line["Detail"], &line["Usage"]), (&json!("aud"), &json!(null)), "{line}");
    // Envoy itself refuses this one.
    assert_eq!(envoy.send(&Request::get("/a%2Fb")).await.status, 400);
    let line = envoy.access_after(2).await;
    assert_eq!((&line["Decision"], &line["ResponseCode"]), (&json!(null), &json!(400)), "{line}");
    // The status of a refused gRPC call is in its trailers.
    let call = Request::post("/score", "").header("content-type", "application/grpc");
    assert_eq!(envoy.send(&call).await.header("grpc-status"), Some("16"));
    let line = envoy.access_after(3).await;
    assert_eq!((&line["Reason"], &line["ResponseCode"]), (&json!("token_missing"), &json!(200)));
}

/// Also of a request that is refused, whatever refused it.
#[tokio::test(flavor = "multi_thread")]
async fn every_request_that_matches_a_rule_names_its_endpoint() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let sample = support::sample::Sample::load(fixture.upstream.address());
    let mut config = sample.plugin_config();
    config["rules"][1]["allow"] = json!([{"roles_any": ["Score"]}]);
    config["rules"][1]["payload"] = json!({"require_any": ["/data"]});
    config["limits"][0] = json!({"name": "per-caller", "rate": "1/h", "burst": 2});
    let envoy = fixture.proxy().start_file(&sample.plugin(&config).text()).await;
    let token =
        |changes: Value| fixture.token_with("alice", merged(json!({"roles": ["Score"]}), changes));
    let past = mint::now() - 300;
    let call = |path: &str, body: &str| {
        Request::post(path, body).header("content-type", "application/json")
    };
    let (churn, rows) = ("/api/v1/endpoint/churn/score", r#"{"data": [[1, 2]]}"#);
    let good = call(churn, rows).bearer(token(json!({})));
    let with = |changes: Value| call(churn, rows).bearer(token(changes));
    let named = json!("churn");
    for (number, (request, reason, endpoint)) in [
        (good.clone(), "ok", &named),
        (call(churn, rows), "token_missing", &named),
        (call(churn, rows).bearer("a.b.c"), "token_malformed", &named),
        (with(json!({"exp": past, "iat": past - 60})), "expired", &named),
        (with(json!({"aud": "api://else"})), "audience_mismatch", &named),
        (with(json!({"roles": []})), "role_insufficient", &named),
        (call(churn, "{}").bearer(token(json!({}))), "payload_malformed", &named),
        (good, "rate_limited", &named),
        (call("/score", rows), "token_missing", &Value::Null),
        (call("/api/v1/endpoint//score", rows), "no_rule", &Value::Null),
    ]
    .into_iter()
    .enumerate()
    {
        envoy.send(&request).await;
        let line = envoy.access_after(number).await;
        assert_eq!(line["Reason"], reason, "{line:#}");
        assert_eq!(line["EndpointName"], *endpoint, "{line:#}");
    }
}
