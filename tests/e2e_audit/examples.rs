//! The formats of access logs in the examples, found by a walk over all of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use support::walk::{configurations, examples, managers, objects};

use super::definition::{AUTO, Source, definition};

/// The fields of a log, each with its operator.
pub type Format = BTreeMap<String, String>;

fn texts(map: &Value) -> Format {
    let map = map.as_object().unwrap().iter();
    map.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
}

/// The formats of an object itself: a JSON log of Envoy, Istio or Envoy Gateway, or one for
/// OpenTelemetry.
pub fn formats(object: &Value) -> Vec<Format> {
    let json = ["/log_format/json_format", "/logFormat/labels", "/format/json"];
    let mut found: Vec<_> =
        json.iter().filter_map(|pointer| object.pointer(pointer)).map(texts).collect();
    if let Some(values) = object.pointer("/attributes/values").and_then(Value::as_array) {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let entry = |entry: &Value| (text(&entry["key"]), text(&entry["value"]["string_value"]));
        found.push(values.iter().map(entry).collect());
    }
    found
}

/// It is to stay as short as can be, and says that it writes no line.
const WITHOUT: &str = "envoy/minimal.yaml";

#[test]
fn every_example_with_the_filter_writes_the_audit_line() {
    let mut with = BTreeSet::new();
    for example in examples() {
        for manager in managers(&example) {
            let logs = objects(&manager["access_log"]);
            let count = logs.into_iter().flat_map(formats).count();
            assert_eq!(count, usize::from(example.name != WITHOUT), "{}", example.name);
            with.insert(example.name.clone());
        }
    }
    for name in ["envoy.yaml", "gateway.yaml", "sidecar.yaml", "remote-keys.yaml", "minimal.yaml"] {
        assert!(with.contains(&format!("envoy/{name}")), "{name}: {with:?}");
    }
    for name in ["nginx", "haproxy", "fleet", "secrets"] {
        assert!(with.contains(&format!("envoy/{name}/envoy.yaml")), "{name}: {with:?}");
    }
}

#[test]
fn every_log_of_every_example_has_the_defined_fields_and_no_others() {
    let fields = definition();
    let mut with = BTreeSet::new();
    for example in examples() {
        for format in objects(&example.value).into_iter().flat_map(formats) {
            for (name, operator) in &format {
                let field = fields.iter().find(|field| field.name == *name);
                let value = field.and_then(|field| field.value_in(&example.name));
                assert_eq!(value, Some(operator.as_str()), "{}: {name}", example.name);
            }
            let missing: Vec<_> = fields
                .iter()
                .filter(|field| !field.optional && field.value_in(&example.name).is_some())
                .filter(|field| !format.contains_key(&field.name))
                .map(|field| &field.name)
                .collect();
            assert!(missing.is_empty(), "{} lacks {missing:?}", example.name);
            with.insert(example.name.clone());
        }
    }
    for name in [
        AUTO,
        "envoy/telemetry/opentelemetry.yaml",
        "envoy/telemetry/private.yaml",
        "istio/telemetry.yaml",
        "istio/telemetry-private.yaml",
        "examples/envoy-gateway/proxy.yaml",
    ] {
        assert!(with.contains(name), "{name}: {with:?}");
    }
}

/// Envoy's access log service gets what Envoy knows by itself, and what the example adds.
#[test]
fn the_access_log_service_gets_each_header_and_each_state_of_the_definition() {
    let examples = examples();
    let example = examples.iter().find(|e| e.name.ends_with("grpc-access-log.yaml")).unwrap();
    let log = &example.value["access_log"][0]["typed_config"];
    let list = |values: &Value| -> BTreeSet<String> {
        let values = values.as_array().unwrap().iter();
        values.map(|value| value.as_str().unwrap().to_owned()).collect()
    };
    let (mut states, mut headers) = (BTreeSet::new(), BTreeSet::new());
    for field in definition() {
        match field.source() {
            Source::State(state) => _ = states.insert(state),
            Source::Header(header) => _ = headers.insert(header),
            Source::Message => {}
        }
    }
    assert_eq!(list(&log["common_config"]["filter_state_objects_to_log"]), states);
    assert_eq!(list(&log["additional_request_headers_to_log"]), headers);
}

#[test]
fn every_configuration_of_an_example_has_the_tags_of_the_audit_line() {
    let mut count = 0;
    for example in examples().iter().filter(|example| example.name != WITHOUT) {
        for config in configurations(&example.value) {
            let tag = |name: &str, value: &str| {
                let mut tags = config["tags"].as_array().into_iter().flatten();
                tags.any(|tag| tag["name"] == name && tag["value"] == value)
            };
            let all = tag("identity", "{@identity}")
                && tag("kid", "{@kid}")
                && tag("endpoint", "{@path:endpoint}");
            assert!(all, "{}: {}", example.name, config["tags"]);
            count += 1;
        }
    }
    assert!(count >= 10, "{count}");
}
