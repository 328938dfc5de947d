//! The line of `telemetry.filter_state: auto`.

use support::prelude::*;
use support::sample::{self, Sample};

use super::definition::AUTO;

const HCM: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";

/// What decides whether two lines tell the same.
const FIELDS: [&str; 9] = [
    "Decision",
    "Reason",
    "Rule",
    "Provider",
    "Identity",
    "Kid",
    "EndpointName",
    "Limit",
    "ResponseCode",
];

/// The lines of one configuration for requests that all bring the header of a tag; the last is for a path
/// that Envoy itself refuses. `None` after a note, without an Envoy that has the operator.
async fn lines(filter_state: &str, reads_headers: bool) -> Option<Vec<Value>> {
    let fixture = Fixture::new("ES256").await?;
    if sample::is_1_36(&fixture.binary) {
        support::skip::absent("%COALESCE(…)% is absent from Envoy 1.36");
        return None;
    }
    let mut sample = Sample::load(fixture.upstream.address());
    let mut config = sample.plugin_config();
    config["telemetry"] = json!({"filter_state": filter_state});
    config["limits"][0] = json!({"name": "per-caller", "rate": "1/h", "burst": 2});
    config["rules"][1]["payload"] = json!({"require_any": ["/data"]});
    let dry = merged(config["rules"][1].clone(), json!({"name": "dry", "dry_run": true}));
    config["rules"].as_array_mut().unwrap().push(dry);
    config["rules"][2]["match"] = json!({"paths": ["/dry"]});
    if reads_headers {
        *sample.at(&format!("{HCM}/access_log")) = sample::read(AUTO)["access_log"].clone();
    }
    let envoy = fixture.proxy().workers(1).start_file(&sample.plugin(&config).text()).await;
    let past = mint::now() - 300;
    let expired = fixture.token_with("alice", json!({"exp": past, "iat": past - 60}));
    let (alice, bob) = (fixture.token("alice"), fixture.token("bob"));
    let (churn, rows) = ("/api/v1/endpoint/churn/score", r#"{"data": [[1, 2]]}"#);
    let mut lines = Vec::new();
    for (path, body, token) in [
        (churn, rows, Some(&alice)),
        (churn, "{}", Some(&alice)),
        (churn, rows, Some(&alice)),
        (churn, rows, Some(&expired)),
        (churn, rows, None),
        ("/score", rows, Some(&bob)),
        ("/dry", rows, Some(&alice)),
        ("/dry", rows, None),
        ("/other", rows, Some(&bob)),
        ("/a%2Fb", rows, None),
    ] {
        let mut request = Request::post(path, body)
            .header("content-type", "application/json")
            .header("x-auth-identity", "mallory")
            .header("x-auth-subject", "mallory");
        if let Some(token) = token {
            request = request.bearer(token);
        }
        envoy.send(&request).await;
        let line = envoy.access_after(lines.len()).await;
        lines.push(FIELDS.iter().map(|name| (name.to_string(), line[name].clone())).collect());
    }
    Some(lines)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_line_is_the_same_for_all_and_auto_and_no_caller_can_forge_a_field_of_it() {
    let Some(plain) = lines("all", false).await else { return };
    assert_eq!(lines("all", true).await.unwrap(), plain);
    assert_eq!(lines("auto", true).await.unwrap(), plain);
    let told: Vec<_> = plain
        .iter()
        .map(|line| ["Decision", "Reason", "Identity"].map(|name| line[name].clone()))
        .collect();
    let (alice, bob) = ("https://issuer.test/alice", "https://issuer.test/bob");
    let expected = [
        json!(["allow", "ok", alice]),
        json!(["deny", "payload_malformed", alice]),
        json!(["deny", "rate_limited", alice]),
        json!(["deny", "expired", alice]),
        json!(["deny", "token_missing", null]),
        json!(["allow", "ok", bob]),
        json!(["would_deny", "rate_limited", alice]),
        json!(["would_deny", "token_missing", null]),
        json!(["deny", "no_rule", null]),
        json!([null, null, null]),
    ];
    assert_eq!(json!(told), json!(expected));
}

/// With the plain line, an allowed request would have no name: a mistake of an operator, not a forgery.
#[tokio::test(flavor = "multi_thread")]
async fn the_plain_line_lacks_what_auto_leaves_to_the_headers() {
    let Some(lines) = lines("auto", false).await else { return };
    assert_eq!((&lines[0]["Identity"], &lines[0]["Kid"]), (&json!(null), &json!("key-1")));
    assert_eq!(lines[2]["Identity"], "https://issuer.test/alice");
}
