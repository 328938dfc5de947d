//! Lists of allowed callbacks that a configuration does not fit.

use super::{PLUGIN, bootstrap, check_text, good, guarding, remote};
use serde_json::{Map, Value, json};

const CALLBACKS: [&str; 11] = [
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_http_call_response",
    "proxy_on_memory_allocate",
    "proxy_on_request_body",
    "proxy_on_request_headers",
    "proxy_on_request_trailers",
    "proxy_on_response_body",
    "proxy_on_response_headers",
    "proxy_on_response_trailers",
];

/// The levels of the findings about this callback in a list that has all others.
fn without(callback: &str, filter: &Value, waits: bool) -> Vec<String> {
    let others = CALLBACKS.into_iter().chain(["proxy_on_tick", "proxy_set_effective_context"]);
    let allowed: Map<_, _> = others
        .filter(|other| *other != callback)
        .map(|call| (call.to_owned(), json!({})))
        .collect();
    let mut document = bootstrap(filter);
    let plugin = document.pointer_mut(PLUGIN).unwrap();
    plugin["capability_restriction_config"] = json!({"allowed_capabilities": allowed});
    plugin["allow_on_headers_stop_iteration"] = json!(waits);
    let (_, result) = check_text("capabilities.json", &document.to_string());
    let lacks = format!("lacks {callback}:");
    let about = |finding: &&Value| finding["message"].as_str().unwrap().starts_with(&lacks);
    let findings = result["findings"].as_array().unwrap().iter().filter(about);
    findings.map(|finding| finding["level"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_callback_that_the_configuration_needs_must_be_allowed_and_no_other() {
    let with = |member: &str, value: Value| {
        let mut filter = good();
        filter[member] = value;
        filter
    };
    let limit = json!([{"name": "l", "rate": "1/s"}]);
    let charged = json!([{"name": "l", "rate": "1/s", "charge": "response",
                          "response_cost": {"preset": "any"}}]);
    let always = [
        "proxy_on_configure",
        "proxy_on_context_create",
        "proxy_on_delete",
        "proxy_on_memory_allocate",
        "proxy_on_request_headers",
        "proxy_on_request_trailers",
    ];
    let (head, response) = ("proxy_on_response_headers", "proxy_on_response_body");
    let (trailers, body) = ("proxy_on_response_trailers", "proxy_on_request_body");
    for (filter, waits, problems, warned) in [
        (good(), false, vec![], false),
        (good(), true, vec![body], false),
        (with("limits", json!([])), false, vec![], false),
        (with("limits", limit), false, vec![], true),
        (with("limits", charged), false, vec![response, trailers], true),
        (with("telemetry", json!({"histograms": false})), false, vec![], false),
        (with("telemetry", json!({"histograms": true})), false, vec![body], false),
        (guarding(false), false, vec![body, head], false),
        (guarding(true), true, vec![body, body, head, "proxy_on_tick"], false),
        (remote(), false, vec!["proxy_on_http_call_response", "proxy_on_tick"], false),
    ] {
        for callback in CALLBACKS.into_iter().chain(["proxy_on_tick"]) {
            let wanted = always.iter().chain(&problems).filter(|wanted| **wanted == callback);
            let mut expected: Vec<_> = wanted.map(|_| "problem").collect();
            if warned && callback == head {
                expected.push("warning");
            }
            assert_eq!(without(callback, &filter, waits), expected, "{callback} {filter}");
        }
    }
}
