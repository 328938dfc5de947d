//! The published schema says the same as the filter: defaults, bounds, shapes, samples.

use serde_json::{Value, json};
use support::docs;
use support::manifests::{files, read};
use tollgate::config::{Problem, compile};

use crate::document::*;

/// A document with every object that has members with defaults or bounds.
fn roomy() -> Value {
    let mut document = least();
    for (pointer, value) in [
        ("/token", json!({"from": [{"header": "x-token"}]})),
        ("/responses", json!({"cors": {"allow_origins": ["https://app.example"]}})),
        ("/tags", json!([{"name": "a", "value": "{a}", "header": "x-a"}])),
        ("/telemetry", json!({})),
        ("/token_cache", json!({})),
        ("/store", json!({})),
        ("/client_address", json!({})),
        ("/rules/0/payload", json!({"require_any": ["/a"]})),
        ("/rules/0/upstream_authorization", json!({"env": "ENDPOINT_KEY"})),
        ("/rules/-", json!({"name": "b", "cost": {"header": "x-b", "max": 2}})),
        ("/limits/0/tiers", json!([{"when": {"roles_any": ["a"]}, "rate": "1/s"}])),
        (
            "/providers/-",
            json!({
                "name": "remote", "issuers": ["https://b"], "audiences": "any",
                "keys": {"remote": {"uri": "https://b/keys", "cluster": "b"}},
            }),
        ),
    ] {
        set(&mut document, pointer, value);
    }
    document
}

/// Calls with the pointer and the schema of each member that an object of the document could have.
fn members(schema: &Value, at: &Value, pointer: &str, each: &mut dyn FnMut(String, &Value)) {
    let text = schema_text();
    let referred = |schema: &Value| match schema["$ref"].as_str() {
        Some(name) => text.pointer(name.trim_start_matches('#')).unwrap().clone(),
        None => schema.clone(),
    };
    let mut choices = vec![referred(schema)];
    choices.extend(schema["oneOf"].as_array().into_iter().flatten().map(referred));
    match at {
        Value::Array(list) => {
            for (index, at) in list.iter().enumerate() {
                members(&schema["items"], at, &format!("{pointer}/{index}"), each);
            }
        }
        Value::Object(object) => {
            for (name, schema) in
                choices.iter().filter_map(|c| c["properties"].as_object()).flatten()
            {
                let pointer = format!("{pointer}/{name}");
                each(pointer.clone(), schema);
                if let Some(at) = object.get(name) {
                    members(schema, at, &pointer, each);
                }
            }
        }
        _ => {}
    }
}

#[test]
fn a_default_of_the_schema_is_what_an_absent_member_means() {
    let document = roomy();
    let wanted = format!("{:?}", load(&document));
    let mut checked = 0;
    members(&schema_text(), &document, "", &mut |pointer, schema| {
        let absent = document.pointer(&pointer).is_none();
        if let (Some(default), true) = (schema.get("default"), absent) {
            let mut given = document.clone();
            set(&mut given, &pointer, default.clone());
            assert_eq!(format!("{:?}", load(&given)), wanted, "{pointer}");
            checked += 1;
        }
    });
    assert!(checked >= 30, "{checked}");
}

#[test]
fn the_bounds_of_the_schema_are_those_of_the_filter() {
    let document = roomy();
    let mut checked = 0;
    members(&schema_text(), &document, "", &mut |pointer, schema| {
        let mut given = document.clone();
        let mut refused = |value: Value, allowed: &str| {
            set(&mut given, &pointer, value);
            let lines = problems(&given.to_string());
            let told = lines.iter().any(|line| line.contains(&format!("allowed: {allowed}")));
            assert!(told, "{pointer}: {allowed}: {lines:?}");
            checked += 1;
        };
        let number = |word: &str| schema[word].as_u64();
        if let (Some(low), Some(high)) = (number("minimum"), number("maximum")) {
            refused(json!(high + 1), &format!("{low} to {high}"));
            if low > 0 {
                refused(json!(low - 1), &format!("{low} to {high}"));
            }
        } else if let Some(low @ 1..) = number("minimum") {
            refused(json!(low - 1), &format!("from {low}"));
        }
        let description = schema["description"].as_str().unwrap();
        if let Some((_, bounds)) = description.split_once(" Allowed: ") {
            let bytes = schema["$ref"] == "#/$defs/size";
            refused(json!(if bytes { "999MiB" } else { "99999h" }), bounds.trim_end_matches('.'));
        }
    });
    assert!(checked >= 15, "{checked}");
}

#[test]
fn what_only_the_schema_can_say_of_shape_is_refused_by_the_filter_too() {
    for (pointer, value) in [
        ("/providers", json!([])),
        ("/providers/0/keys", json!({})),
        ("/providers/0/keys", json!({"env": "JWKS", "inline": key_set()})),
        ("/providers/0/keys", json!({"remote": {"uri": "https://a"}})),
        ("/providers/0/keys", json!({"env": "not a name"})),
        ("/providers/0/name", json!("Idp")),
        ("/providers/0/clock_skew", json!("5 s")),
        ("/providers/0/clock_skew", json!("1.5s")),
        ("/providers/0/audiences", json!([])),
        ("/token", json!({"from": []})),
        ("/token", json!({"from": [{}]})),
        ("/token", json!({"from": [{"header": "x", "cookie": "y"}]})),
        ("/token", json!({"from": [{"cookie": "y", "prefix": "z"}]})),
        ("/token", json!({"max_bytes": "1KB"})),
        ("/rules/0/allow", json!([{}])),
        ("/rules/0/allow", json!([{"claims": [{"claim": "x"}]}])),
        ("/rules/0/allow", json!([{"claims": [{"equals": 1, "exists": true}]}])),
        ("/rules/0/cost", json!(0)),
        ("/rules/0/cost", json!({"max": 1})),
        ("/limits/0/rate", json!("10/x")),
        ("/limits/0/rate", json!("0/s")),
        ("/limits/0/rate", json!("1/0s")),
        ("/limits/0/response_cost", json!({"json": "/a"})),
        ("/limits/0/response_cost", json!({"preset": "any"})),
        ("/privacy", json!({})),
        ("/tags", json!([{"name": "a"}])),
        ("/responses", json!({"cors": {}})),
    ] {
        let document = with(pointer, value);
        assert!(!schema().is_valid(&document), "{document}");
        problems(&document.to_string());
    }
}

#[test]
fn the_samples_are_valid_and_lack_nothing_but_their_environment() {
    let readme = docs::blocks("README.md");
    let mut samples: Vec<_> = readme.iter().flat_map(docs::Block::configurations).collect();
    let manifests = ["envoy", "istio"].into_iter().flat_map(files);
    manifests.flat_map(read).for_each(|document| configurations(&document, &mut samples));
    samples.retain(|sample| sample.get("providers").is_some());
    assert!(samples.len() >= 3, "{}", samples.len());
    for sample in samples {
        assert!(schema().is_valid(&sample), "{sample}");
        let lines = compile(sample.to_string().as_bytes(), &Variables).err().unwrap_or_default();
        let missing = |problem: &Problem| problem.message.contains("environment variable");
        assert!(lines.iter().all(missing), "{sample}: {lines:?}");
    }
}

/// Collects `pluginConfig` of Istio and the JSON text in `configuration` of Envoy.
fn configurations(value: &Value, samples: &mut Vec<Value>) {
    samples.extend(value.get("pluginConfig").cloned());
    let text = value.pointer("/configuration/value").and_then(Value::as_str);
    samples.extend(text.and_then(|text| serde_json::from_str(text).ok()));
    match value {
        Value::Array(list) => list.iter().for_each(|value| configurations(value, samples)),
        Value::Object(object) => object.values().for_each(|value| configurations(value, samples)),
        _ => {}
    }
}
