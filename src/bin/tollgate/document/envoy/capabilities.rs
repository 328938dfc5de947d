//! The list of allowed functions of a plugin, `capability_restriction_config`.

use serde_json::Value;

use super::super::Finding;
use super::super::tree::at;

/// The call without which a VM ends.
const CALL: &str = "proxy_set_effective_context";

const NAMES: [&str; 2] = ["capability_restriction_config", "allowed_capabilities"];

/// A callback, the members of a configuration that need it, and what happens without it.
type Row = (&'static str, &'static [&'static str], &'static str);

const CALLBACKS: [Row; 7] = [
    (
        "proxy_on_request_body",
        &["payload", "json_rows", "body", "histograms", "{@body:"],
        "bodies pass that nothing has judged or counted",
    ),
    ("proxy_on_request_trailers", &["providers"], "forged trailers reach the upstream"),
    (
        "proxy_on_response_headers",
        &["response_cost", "limits"],
        "responses lack the RateLimit headers",
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
        &["remote", "concurrency"],
        "no key set is fetched, and no place in flight renewed",
    ),
];

/// Finds what the list of a plugin lacks. `text`: the configuration of the filter.
pub fn check(config: &Value, text: &[u8], path: &str) -> Vec<Finding> {
    let allowed = at(config, &NAMES).and_then(Value::as_object);
    // Envoy allows every call if the list is empty.
    let Some(allowed) = allowed.filter(|calls| !calls.is_empty()) else { return Vec::new() };
    let path = format!("{path}.{}.{}", NAMES[0], NAMES[1]);
    let mut findings = Vec::new();
    if !allowed.contains_key(CALL) {
        let why =
            format!("lacks {CALL}: the VM ends at each key set that it fetches; add {CALL}: {{}}");
        findings.push(Finding::warning(&path, why));
    }
    let filter = serde_json::from_slice(text).unwrap_or(Value::Null);
    for (callback, members, without) in CALLBACKS {
        let needs = members.iter().any(|member| mentions(&filter, member));
        if needs && !allowed.contains_key(callback) {
            let why = format!("lacks {callback}: {without}; add {callback}: {{}}");
            findings.push(Finding::problem(&path, why));
        }
    }
    findings
}

/// Whether a member of this name that is not false is anywhere in a value, or a text with this beginning of a
/// template. `body` in `allow` is a list; other members of this name are words.
fn mentions(value: &Value, name: &str) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(key, value)| {
            let has = match name {
                "body" => value.is_array(),
                _ => *value != Value::Bool(false),
            };
            key == name && has || mentions(value, name)
        }),
        Value::Array(list) => list.iter().any(|value| mentions(value, name)),
        Value::String(text) => name.starts_with('{') && text.contains(name),
        _ => false,
    }
}
