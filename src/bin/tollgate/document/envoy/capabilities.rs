//! The list of allowed functions of a plugin, `capability_restriction_config`.

use serde_json::Value;

use super::super::Finding;
use super::super::tree::at;

/// The call without which a VM ends.
const CALL: &str = "proxy_set_effective_context";

const NAMES: [&str; 2] = ["capability_restriction_config", "allowed_capabilities"];

/// A callback, the members of a configuration or of the plugin that need it, and what happens without it.
type Row = (&'static str, &'static [&'static str], &'static str);

/// The member that every configuration has.
const ANY: &[&str] = &["providers"];

const NO_START: &str = "the filter does not start";

const CALLBACKS: [Row; 13] = [
    ("proxy_on_context_create", ANY, NO_START),
    ("proxy_on_configure", ANY, NO_START),
    ("proxy_on_memory_allocate", ANY, NO_START),
    ("proxy_on_request_headers", ANY, "requests pass that nothing has judged"),
    ("proxy_on_request_trailers", ANY, "forged trailers reach the upstream"),
    (
        "proxy_on_delete",
        ANY,
        "the memory and the places in flight of requests that end are not freed",
    ),
    (
        "proxy_on_request_body",
        &["payload", "json_rows", "body", "histograms", "{@body:"],
        "bodies pass that nothing has judged or counted",
    ),
    (
        "proxy_on_request_body",
        &["allow_on_headers_stop_iteration"],
        "a body ends the wait for keys, and the request passes unjudged",
    ),
    (
        "proxy_on_response_headers",
        &["payload"],
        "an upstream that answers before the body was judged is heard",
    ),
    (
        "proxy_on_response_body",
        &["response_cost"],
        "responses are not read, and are charged as missing",
    ),
    (
        "proxy_on_response_trailers",
        &["response_cost"],
        "responses that end with trailers are charged as missing",
    ),
    ("proxy_on_http_call_response", &["remote"], "no key set arrives"),
    (
        "proxy_on_tick",
        &["remote", "concurrency", "hold_head"],
        "no key set is fetched, no place in flight renewed, and no request that is held back refused",
    ),
];

/// Finds what the list of a plugin lacks. `filter`: the configuration of the filter.
pub fn check(config: &Value, filter: &Value, path: &str) -> Vec<Finding> {
    let allowed = at(config, &NAMES).and_then(Value::as_object);
    // Envoy allows every call if the list is empty.
    let Some(allowed) = allowed.filter(|calls| !calls.is_empty()) else { return Vec::new() };
    let path = format!("{path}.{}.{}", NAMES[0], NAMES[1]);
    let mut findings = Vec::new();
    let why = |function, without| format!("lacks {function}: {without}; add {function}: {{}}");
    if !allowed.contains_key(CALL) {
        let why = why(CALL, "the VM ends at each key set that it fetches");
        findings.push(Finding::warning(&path, why));
    }
    let lacks = |callback: &str, members: &[&str]| {
        let field = |member: &str| at(config, &[member]) == Some(&Value::Bool(true));
        let needs = members.iter().any(|member| mentions(filter, member) || field(member));
        needs && !allowed.contains_key(callback)
    };
    for (callback, members, without) in CALLBACKS {
        if lacks(callback, members) {
            findings.push(Finding::problem(&path, why(callback, without)));
        }
    }
    let fields = "proxy_on_response_headers";
    if lacks(fields, &["limits"]) {
        let why = why(fields, "responses lack the RateLimit headers");
        findings.push(Finding::warning(&path, why));
    }
    findings
}

/// Whether a member of this name that is neither false nor an empty list is anywhere in a value, or a text with this
/// beginning of a template. `body` in `allow` is a list; other members of this name are words.
fn mentions(value: &Value, name: &str) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(key, value)| {
            let has = match name {
                "body" => value.is_array(),
                _ => {
                    *value != Value::Bool(false)
                        && value.as_array().is_none_or(|list| !list.is_empty())
                }
            };
            key == name && has || mentions(value, name)
        }),
        Value::Array(list) => list.iter().any(|value| mentions(value, name)),
        Value::String(text) => name.starts_with('{') && text.contains(name),
        _ => false,
    }
}
