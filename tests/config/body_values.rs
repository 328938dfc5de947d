//! `{@body:/pointer}` in templates: which documents may read the body.

use serde_json::{Value, json};

use crate::document::*;

/// A document with a tag and a limit whose templates read the body, and these rules.
fn reading(tag: Value, key: &str, rules: Value) -> Value {
    let mut document = with("/tags", json!([tag]));
    set(&mut document, "/limits/0/key", json!(key));
    set(&mut document, "/rules", rules);
    document
}

fn model() -> Value {
    json!({"name": "model", "value": "{@body:/model}"})
}

const KEY: &str = "{@identity}/{@body:/model}";

#[test]
fn a_value_in_the_body_needs_a_rule_that_guards_the_body() {
    let guarded = json!({"name": "g", "match": {"paths": ["/g"]}, "payload": {}});
    let open = json!({"name": "o", "limits": ["calls"]});
    let unguarded = json!([{"name": "all", "limits": ["calls"]}]);
    let line = ": is in the body, and no rule that uses it guards the body; add payload";
    let fixed = "{@identity}";
    for (document, path) in [
        (reading(model(), fixed, unguarded.clone()), "tags[0].value"),
        (reading(json!({"name": "a", "value": "x"}), KEY, unguarded), "limits[0].key"),
        // Another rule guards it.
        (reading(json!({"name": "a", "value": "x"}), KEY, json!([guarded, open])), "limits[0].key"),
        // Its requests have no tags.
        (
            reading(
                model(),
                fixed,
                json!([
                    {"name": "g", "match": {"paths": ["/g"]}, "payload": {}, "auth": "none"}, open,
                ]),
            ),
            "tags[0].value",
        ),
    ] {
        refused_text(&document.to_string(), &format!("{path}{line}"));
    }
    // A rule without a guard has no value.
    let mixed = json!([
        {"name": "g", "match": {"paths": ["/g"]}, "payload": {}, "limits": ["calls", "all"]}, open,
    ]);
    let mut document = reading(model(), KEY, mixed);
    set(&mut document, "/limits/-", json!({"name": "all", "rate": "9/s"}));
    warned(&document, Some("limits[0].key: has no value for the rule \"o\", which guards no body"));
}

#[test]
fn a_header_of_a_value_in_the_body_needs_the_head_to_wait() {
    let mut tag = model();
    tag["header"] = json!("x-model");
    let rules = json!([{"name": "g", "payload": {}, "limits": ["calls"]}]);
    let mut document = reading(tag, "{@identity}", rules);
    refused_text(
        &document.to_string(),
        "tags[0].header: needs hold_head: true, because the value is in",
    );
    set(&mut document, "/hold_head", json!(true));
    warned(&document, None);
}

#[test]
fn a_rule_whose_limits_are_all_in_the_body_forwards_heads_for_nothing() {
    let rules = json!([{"name": "g", "payload": {}, "limits": ["calls"]}]);
    let mut document = reading(model(), KEY, rules);
    warned(&document, Some("rules[0].limits: have all keys in the body: without hold_head"));
    set(&mut document, "/hold_head", json!(true));
    let other =
        "rules[0].limits: have all keys in the body: a caller that sends another value there";
    warned(&document, Some(other));
    let entry = json!({"body": [{"json": "/model", "any_of": ["small", "large"]}]});
    set(&mut document, "/rules/0/allow", json!([entry]));
    warned(&document, None);
    set(&mut document, "/rules/0/allow/-", json!({"roles_any": ["r"]}));
    warned(&document, Some(other));
}

#[test]
fn a_value_that_no_body_has_is_warned_of() {
    let rules = |test: Value| json!([{"name": "g", "payload": {}, "allow": [{"body": [test]}], "limits": ["calls"]}]);
    let (long, most) = ("x".repeat(257), "x".repeat(256));
    for (test, warning) in [
        (json!({"json": "/m", "equals": long}), Some("equals: never matches: it is a text")),
        (json!({"json": "/m", "equals": most}), None),
        (json!({"json": "/m", "any_of": ["a", long]}), Some("any_of[1]: never matches: it is a t")),
        (
            json!({"json": "/m", "equals": 9_007_199_254_740_992_u64}),
            Some("equals: never matches: it is a n"),
        ),
        (json!({"json": "/m", "any_of": [-1e300]}), Some("any_of[0]: never matches: it is a n")),
        (json!({"json": "/m", "equals": -9_007_199_254_740_991_i64}), None),
    ] {
        let document = reading(model(), "{@identity}", rules(test));
        let place = warning.map(|text| format!("rules[0].allow[0].body[0].{text}"));
        warned(&document, place.as_deref());
    }
}

#[test]
fn pointers_of_templates_count_among_those_of_the_guard() {
    let pointers = |count: usize| (0..count).map(|n| format!("/p{n}")).collect::<Vec<_>>();
    let rules = |count| json!([{"name": "g", "payload": {"require_any": pointers(count)}}]);
    let tag = json!({"name": "two", "value": "{@body:/a}{@body:/b}{@body:/a}"});
    let mut document = reading(tag, "{@identity}", rules(63));
    set(&mut document, "/limits", json!([]));
    let line = "rules[0].payload: has too many pointers with those of templates, limits and allow[].body; allowed: 64";
    refused_text(&document.to_string(), line);
    set(&mut document, "/rules", rules(62));
    warned(&document, None);
}

#[test]
fn an_identity_is_not_read_from_the_body() {
    refused(
        "/providers/0/identity",
        [(json!(["{sub}/{@body:/model}"]), "[0]: …more than the token")],
    );
    refused(
        "/limits/0/key",
        [(json!("{@body:model}"), ": …has no JSON Pointer in {@body:/POINTER}")],
    );
}

#[test]
fn a_test_of_the_body_needs_a_guard_and_exactly_one_demand() {
    let rules = |payload: Option<Value>, test: Value| {
        let mut rule = json!({"name": "g", "allow": [{"roles_any": ["r"]}, {"body": [test]}], "limits": ["calls"]});
        if let Some(payload) = payload {
            rule["payload"] = payload;
        }
        with("/rules", json!([rule]))
    };
    let model = json!({"json": "/model", "any_of": ["a", 1, true]});
    warned(&rules(Some(json!({})), model.clone()), None);
    warned(&rules(Some(json!({})), json!({"json": "/tools", "exists": false})), None);
    let line =
        "rules[0].allow[1].body: needs the body, which the rule does not guard; add payload to it";
    refused_text(&rules(None, model.clone()).to_string(), line);
    let at = "rules[0].allow[1].body[0]";
    for (test, line) in [
        (
            json!({"json": "model", "equals": "a"}),
            ".json: \"model\" is not a JSON Pointer, which begins with /; write /model",
        ),
        (json!({"equals": "a"}), ".json: is required; allowed: a JSON Pointer into the body"),
        (
            json!({"json": "/model"}),
            ": must have exactly one test; allowed: one of equals, any_of, exists",
        ),
        (
            json!({"json": "/model", "equals": "a", "exists": true}),
            ": must have exactly one test; allowed: one of equals, any_of, exists",
        ),
        (json!({"json": "/model", "contains": "a"}), ".contains: unknown field `contains`"),
        (json!({"json": "/model", "any_of": []}), ".any_of: is an empty list"),
        (
            json!({"json": "/model", "equals": null}),
            ".equals: is null; write a value, or leave the member out for its default",
        ),
    ] {
        refused_text(&rules(Some(json!({})), test).to_string(), &format!("{at}{line}"));
    }
    let mut empty = rules(Some(json!({})), model.clone());
    set(&mut empty, "/rules/0/allow/1/body", json!([]));
    refused_text(&empty.to_string(), "rules[0].allow[1].body: is an empty list");
    // A tier is chosen before the body is there.
    let tier = json!([{"when": {"body": [model]}, "rate": "9/s"}]);
    let line = "limits[0].tiers[0].when.body: is not known when the tier of a caller is chosen";
    refused_text(&with("/limits/0/tiers", tier).to_string(), line);
}
