//! `tags`, and the headers that the filter writes.

use serde_json::json;

use crate::document::*;

#[test]
fn a_tag_has_a_value_and_a_header_without_a_meaning_of_its_own() {
    let header = |header: &str| json!([{"name": "a", "value": "{a}", "header": header}]);
    refused(
        "/tags",
        [
            (json!([{"name": "a"}]), "[0].value: is required"),
            (json!([{"name": "reason", "value": "x"}]), "[0].name: …written by the filter itself"),
            (json!([{"name": "a", "value": ""}]), "[0].value: …is empty"),
            (json!([{"name": "a", "value": "x", "filter_state": false}]), "[0]: …nowhere"),
            (json!([{"name": "a", "value": "x", "hash": true}]), "[0].hash: needs a key"),
            (header(":path"), "[0].header: …not a header name"),
            (header("Authorization"), "[0].header: …standard meaning"),
            (header("content_length"), "[0].header: …standard meaning"),
            (header("x-envoy-original-path"), "[0].header: …standard meaning"),
            (
                json!([
                    {"name": "a", "value": "{a}", "header": "x-a-b"},
                    {"name": "b", "value": "{b}", "header": "X_a.b"},
                ]),
                "[1].header: …another tag",
            ),
        ],
    );
}

/// The filter removes such headers from each request, so no rule, cost, key, tag or token reads one.
#[test]
fn a_header_that_the_filter_writes_is_asked_for_nowhere() {
    for name in
        ["x-auth-subject", "X_Auth_Subject", "x.auth~issuer", "x-tollgate-internal", "X_TOLLGATE_a"]
    {
        let tag = format!("{{sub}} {{@header:{name}}}");
        let tag = json!([
            {"name": "s", "value": "{sub}", "header": "x-auth-subject"},
            {"name": "i", "value": "{iss}", "header": "x-auth-issuer"},
            {"name": "t", "value": tag},
        ]);
        for (pointer, value, path) in [
            ("/rules/0/match", json!({"headers": {name: "1"}}), "rules[0].match.headers"),
            ("/rules/0/match", json!({"headers": {name: "*"}}), "rules[0].match.headers"),
            ("/rules/0/cost", json!({"header": name, "max": 9}), "rules[0].cost.header"),
            ("/limits/0/key", json!(format!("{{@header:{name}}}")), "limits[0].key"),
            ("/tags", tag, "tags[2].value"),
            ("/token", json!({"from": [{"header": name}]}), "token.from[0].header"),
        ] {
            let lines = problems(&with(pointer, value).to_string());
            assert_eq!(lines.len(), 1, "{path}: {lines:?}");
            assert!(lines[0].starts_with(path), "{path}: {lines:?}");
            assert!(lines[0].contains("names a header that the filter writes"), "{lines:?}");
        }
    }
    for name in ["x-auth", "x-auth-subjects", "x-tollgate", "x-plan"] {
        load(&with("/rules/0/match", json!({"headers": {name: "1"}})));
    }
}
