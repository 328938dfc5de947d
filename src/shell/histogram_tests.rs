//! The histograms, against a fake host.

use serde_json::{Value, json};

use super::exports::*;
use super::fake_host::host;
use super::guarded_tests::{begin, send};
use super::held_tests::{MILLISECOND, answer, jwks, open, remote, tick};
use super::tests::{CONTINUE, PAUSE, bearer, configuration, configure, request};

const PROPERTIES: [(&[u8], u64); 2] =
    [(b"response\0size", 70), (b"response\0backend_latency", 12_345_678)];

/// Loads the rules with a guard that counts rows, and these settings.
fn start(telemetry: &Value) {
    let mut document = configuration();
    document["telemetry"] = telemetry.clone();
    document["rules"][1]["payload"] = json!({"max_bytes": 100});
    document["rules"][1]["cost"] = json!({"json_rows": ["/data"], "max": 2});
    document["limits"][0]["burst"] = json!(100);
    host(|host| host.metrics.clear());
    assert!(configure(&document));
    for (path, number) in PROPERTIES {
        host(|host| host.properties.insert(path.to_vec(), number.to_le_bytes().to_vec()));
    }
}

/// The values of the histograms of a rule that are not 0, in the order of their names.
fn recorded(rule: &str) -> Vec<(String, i64)> {
    let label = format!("rule=.={rule};.;tollgate_");
    let value =
        |(name, value): &(String, i64)| Some((name.strip_prefix(&label)?.to_owned(), *value));
    let mut values: Vec<_> = host(|host| host.metrics.iter().filter_map(value).collect());
    values.retain(|(_, value)| *value != 0);
    values.sort();
    values
}

fn values(list: &[(&str, i64)]) -> Vec<(String, i64)> {
    list.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

#[test]
fn a_request_that_passes_is_recorded_by_its_rule_when_its_stream_ends() {
    start(&json!({"histograms": true}));
    assert_eq!(request("/", &[]), CONTINUE);
    let health = [("response_bytes", 70), ("upstream_ms", 12)];
    assert_eq!(recorded("health"), values(&health));
    assert_eq!(recorded("score"), []);

    let (stream, _) = begin();
    assert_eq!(send(stream, b"{\"data\":[1,2,3]}", true), CONTINUE);
    assert_eq!(recorded("score"), [], "the stream has not ended");
    proxy_on_delete(stream);
    // The rows of the body, of which the cost counts two.
    let score = [("request_bytes", 16), ("response_bytes", 70), ("rows", 3), ("upstream_ms", 12)];
    assert_eq!(recorded("score"), values(&score));
}

/// A host shows each piece once while the request goes on, and all that it holds while it waits.
#[test]
fn every_byte_of_a_body_is_counted_once_whether_it_waits_or_not() {
    start(&json!({"histograms": true}));
    let mut document = configuration();
    document["telemetry"] = json!({"histograms": true});
    assert!(configure(&document));
    let (stream, _) = begin();
    for (size, end) in [(100, false), (0, false), (40, false), (2, true)] {
        assert_eq!(proxy_on_request_body(stream, size, end), CONTINUE);
    }
    proxy_on_delete(stream);
    assert_eq!(recorded("score")[0], ("request_bytes".to_owned(), 142));

    host(|host| host.shared.clear());
    let mut document = remote();
    document["telemetry"] = json!({"histograms": true});
    document["rules"] = json!([{"name": "held"}]);
    assert!(configure(&document));
    let root = host(|host| host.root);
    let (stream, _) = open(root, 1, "k");
    for size in [10, 25] {
        assert_eq!(proxy_on_request_body(stream, size, false), PAUSE);
    }
    tick(root, 20 * MILLISECOND);
    answer(root, "200", &jwks(&["k"]));
    assert_eq!(proxy_on_request_body(stream, 7, true), CONTINUE);
    proxy_on_delete(stream);
    assert_eq!(recorded("held")[0], ("request_bytes".to_owned(), 32));
}

#[test]
fn a_number_that_the_host_does_not_have_is_not_recorded() {
    start(&json!({"histograms": true}));
    host(|host| host.properties.remove(&b"response\0backend_latency"[..]));
    let (stream, _) = begin();
    assert_eq!(send(stream, b"{\"other\":[1]}", true), CONTINUE);
    proxy_on_delete(stream);
    assert_eq!(recorded("score"), values(&[("request_bytes", 13), ("response_bytes", 70)]));
}

#[test]
fn a_refused_request_is_not_recorded() {
    start(&json!({"histograms": true}));
    assert_eq!(request("/score", &[]), PAUSE);
    let (stream, _) = begin();
    assert_eq!(send(stream, b"{\"data\":", true), PAUSE);
    proxy_on_delete(stream);
    assert_eq!(recorded("score"), []);
}

#[test]
fn without_histograms_none_is_defined_and_no_property_is_read_for_one() {
    for telemetry in [json!({}), json!({"histograms": true, "metrics": false})] {
        host(|host| host.log.clear());
        start(&telemetry);
        let warning = "telemetry.histograms: has no effect without metrics";
        let warned = host(|host| host.log.iter().any(|line| line.contains(warning)));
        assert_eq!(warned, telemetry["histograms"] == true);
        host(|host| host.used.clear());
        for (path, more) in [("/", None), ("/score", Some(bearer("alice")))] {
            let more = more.as_deref().map(|token| ("authorization", token));
            request(path, more.as_slice());
        }
        host(|host| {
            let defined = host.metrics.iter().any(|(name, _)| name.contains("_bytes"));
            assert!(!defined, "{:?}", host.metrics);
            assert!(!host.used.contains("proxy_record_metric"));
        });
    }
}
