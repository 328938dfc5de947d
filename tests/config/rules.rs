//! `rules`: matches, requirements, costs and upstream keys.

use std::rc::Rc;

use serde_json::{Value, json};
use tollgate::body::json::pointers::Pointers;
use tollgate::limit::cost::Cost;
use tollgate::policy::rule::Rule;

use crate::document::*;

#[test]
fn a_rule_has_a_name_of_its_own_and_names_what_exists() {
    let second = with("/rules/-", json!({"name": "all"}));
    refused_text(&second.to_string(), "rules[1].name: …given twice");
    refused("/rules", [(json!([]), ": …empty list")]);
    refused(
        "/rules/0/limits",
        [
            (json!(["call"]), "[0]: \"call\" is not a limit; allowed: calls"),
            (json!(["calls", "calls"]), "[1]: …given twice"),
        ],
    );
    refused(
        "/rules/0/providers",
        [(json!(["x"]), "[0]: …not a provider; allowed: idp"), (json!([]), ": …empty list")],
    );
    let open = json!({"name": "x", "auth": "none", "providers": ["idp"]});
    refused("/rules/0", [(open, ".providers: …no effect")]);
    refused("/rules/0/concurrency", [(json!(0), ": 0 is out of bounds")]);
}

#[test]
fn what_a_rule_matches_can_occur_in_a_request() {
    refused(
        "/rules/0/match",
        [
            (json!({"paths": []}), ".paths: …matches nothing"),
            (json!({"methods": ["*"]}), ".methods[0]: …not a method"),
            (json!({"methods": ["G T"]}), ".methods[0]: …not a method"),
            (json!({"headers": {"a b": "1"}}), ".headers.a b: …not a header name"),
            (json!({"headers": {"host": "1"}}), ".headers.host: …use hosts"),
            (json!({"headers": {"x": ""}}), ".headers.x: is empty"),
            (json!({"headers": {"x": "a\nb"}}), ".headers.x: …not allowed in a header"),
            (json!({"headers": {"x": "1", "X": "1"}}), ".headers.x: …given twice"),
            (json!({"headers": {"x-a": "1", "x_a": "2"}}), ".headers.x_a: is given twice"),
            (json!({"paths": ["/a%2F.."], "encoded_slash": "allow"}), ".paths[0]: …never matches"),
            (json!({"trailing_slash": "yes"}), ".trailing_slash: …`strict`"),
            (json!({"encoded_slash": "keep"}), ".encoded_slash: …`reject`"),
        ],
    );
    for (path, message) in [
        ("score", "must begin with `/`"),
        ("/a/**/b", "`**` before the end"),
        ("/a*b*", "more than one `*` or {name} in a segment"),
        ("/a**", "more than one `*` or {name} in a segment"),
        ("/a%2Fb", "never matches"),
        ("/a?b", "only the path"),
        ("/a//b", "never matches"),
    ] {
        refused("/rules/0/match", [(json!({"paths": [path]}), &format!(".paths[0]: …{message}"))]);
    }
    for (host, message) in [
        ("a:80", "port and final dot"),
        ("a.", "final dot"),
        ("*", "not a host"),
        ("*.[::1]", "not a host"),
        ("a.*.b", "not a host"),
    ] {
        refused("/rules/0/match", [(json!({"hosts": [host]}), &format!(".hosts[0]: …{message}"))]);
    }
}

#[test]
fn a_cost_has_one_source_and_a_bound_and_a_guard_bounds_that_can_be_met() {
    refused(
        "/rules/0/cost",
        [
            (json!(0), ": …allowed: 1 to"),
            (json!({"max": 1}), ": must have exactly one source"),
            (json!({"json_rows": ["/a"]}), ".max: is required"),
            (json!({"header": "x-batch"}), ".max: is required"),
            (
                json!({"max": 1, "json_rows": ["data"]}),
                ".json_rows[0]: \"data\" is not a JSON Pointer",
            ),
            (json!({"max": 1, "json_rows": []}), ".json_rows: is an empty list"),
        ],
    );
    refused(
        "/rules/0/payload",
        [
            (json!({"require_any": vec!["/a"; 65]}), ": …too many pointers; allowed: 64"),
            (json!({"max_depth": 0}), ".max_depth: 0 is"),
            (json!({"max_bytes": "65MiB"}), ".max_bytes: …67108864"),
            (
                json!({"content_types": ["json"]}),
                ".content_types[0]: \"json\" is not a content type",
            ),
        ],
    );
}

#[test]
fn a_grant_asks_for_something_that_a_token_can_say() {
    refused(
        "/rules/0/allow",
        [
            (json!([]), ": is an empty list"),
            (json!([{}]), "[0]: is empty"),
            (json!([{"scopes_any": ["a b"]}]), "[0].scopes_any[0]: contains a space"),
            (json!([{"scopes_all": ["a\"b"]}]), "[0].scopes_all[0]: \"a\\\"b\" is not a scope"),
            (json!([{"claims": [{"claim": "x"}]}]), "[0].claims[0]: must have exactly one"),
            (
                json!([{"claims": [{"claim": "/~x", "exists": true}]}]),
                "[0].claims[0].claim: \"/~x\" is not a JSON Pointer",
            ),
        ],
    );
    for (grant, message) in [
        (
            json!({"claims": [{"claim": "a", "equals": "x"}, {"claim": "a", "any_of": ["y", "z"]}]}),
            Some("rules[0].allow[0].claims[1]: contradicts an earlier test"),
        ),
        (
            json!({"roles_any": ["a"], "claims": [{"claim": "/roles", "exists": false}]}),
            Some(
                "rules[0].allow[0].claims[0]: requires the absence of a claim that must be present",
            ),
        ),
        (
            json!({"claims": [
                {"claim": "a", "any_of": ["x"]}, {"claim": "a", "contains": "y"},
                {"claim": "b", "equals": 1}, {"claim": "b", "any_of": [1.0, 2]},
                {"claim": "c", "exists": false},
            ]}),
            None,
        ),
    ] {
        warned(&with("/rules/0/allow", json!([grant])), message);
    }
}

#[test]
fn a_rule_that_looks_like_a_mistake_is_warned_of() {
    let two = |first, second| {
        json!([
            {"name": "a", "match": first, "limits": ["calls"]}, {"name": "b", "match": second},
        ])
    };
    let open = json!({
        "name": "open", "auth": "none", "limits": ["calls"],
        "upstream_authorization": {"env": "ENDPOINT_KEY"},
    });
    for (pointer, value, message) in [
        (
            "/rules",
            two(json!({}), json!({"paths": ["/a"]})),
            Some("rules[1]: the rule \"b\" never matches: \"a\""),
        ),
        ("/rules", two(json!({"paths": ["/a"]}), json!({})), None),
        (
            "/rules/0/payload",
            json!({"max_rows": 7}),
            Some("rules[0].payload.max_rows: admits only"),
        ),
        ("/rules/0/payload", json!({"max_rows": 7, "require_any": ["/a"]}), None),
        ("/rules/0/cost", json!(11), Some("rules[0].cost: is more than the burst")),
        (
            "/rules/0/match",
            json!({"methods": ["get"]}),
            Some("rules[0].match.methods[0]: methods are"),
        ),
        (
            "/rules/0",
            open,
            Some("rules[0].upstream_authorization: is also sent for callers without a token"),
        ),
    ] {
        warned(&with(pointer, value), message);
    }
}

#[test]
fn a_watched_rule_that_lends_nothing_is_warned_of() {
    refused(
        "/rules/0/upstream_authorization",
        [
            (json!({"env": "UNSET"}), ".env: the environment variable UNSET is not set"),
            (json!({"env": "TWO_LINES"}), ".env: the value of TWO_LINES is not allowed"),
        ],
    );
    let lent = with("/rules/0/upstream_authorization", json!({"env": "ENDPOINT_KEY"}));
    for (payload, whole, rule, hold_head, want) in [
        (true, false, true, false, true),
        (true, true, false, false, true),
        (true, true, true, true, false),
        (true, false, false, false, false),
        (false, true, true, false, false),
    ] {
        let mut document = lent.clone();
        if payload {
            set(&mut document, "/rules/0/payload", json!({}));
        }
        set(&mut document, "/dry_run", json!(whole));
        set(&mut document, "/rules/0/dry_run", json!(rule));
        set(&mut document, "/hold_head", json!(hold_head));
        let lines = warnings(&document);
        let found = lines.iter().any(|l| l.contains("is not sent while the rule is a dry run"));
        assert_eq!(found, want, "{document}");
    }
}

#[test]
fn a_guard_has_the_pointers_of_the_cost_before_its_own() {
    let pointers = |list: &[&str]| {
        let tokens = list.iter().map(|pointer| pointer.split('/').map(str::to_owned).collect());
        let tokens: Vec<Vec<String>> = tokens.collect();
        Pointers::new(tokens.iter().map(Vec::as_slice))
    };
    let rule = |document: &Value| Rule::clone(&load(document).rules[0]);
    assert_eq!(rule(&least()).payload, None);
    let mut document = with("/rules/0/payload", json!({}));
    let bare = Rc::unwrap_or_clone(rule(&document).payload.unwrap());
    assert_eq!((bare.max_bytes, bare.max_depth, bare.max_rows), (1 << 20, 128, None));
    assert_eq!((bare.content_types, bare.pointers), (None, pointers(&[])));
    set(&mut document, "/rules/0/cost", json!({"json_rows": ["/a"], "max": 9}));
    let payload = json!({
        "content_types": ["Application/JSON"], "max_bytes": "2MiB", "max_rows": 7, "max_depth": 5,
        "require_any": ["/b", "/c"],
    });
    set(&mut document, "/rules/0/payload", payload);
    let compiled = rule(&document);
    let guard = Rc::unwrap_or_clone(compiled.payload.unwrap());
    assert_eq!(compiled.cost, Cost::Rows { max: 9 });
    assert_eq!((guard.max_bytes, guard.max_depth, guard.max_rows), (2 << 20, 5, Some(7)));
    // The cost needs a pointer to rows; the bound applies to any pointer.
    // The labels that pandas makes rows of are looked for after each.
    let list = pointers(&["a", "a/index", "b", "c", "b/index", "c/index"]);
    let counted = list.counting_rows(1, 6).with_labels([1, 4, 5]);
    assert_eq!((guard.pointers, guard.required), (counted, 2..4));
    set(&mut document, "/rules/0/cost/json_rows", json!(["/data", "/a"]));
    let named = Rc::unwrap_or_clone(rule(&document).payload.unwrap());
    let list = ["data", "a", "data/index", "index", "a/index", "b", "c", "b/index", "c/index"];
    let counted = pointers(&list).counting_rows(2, 9).with_labels([2, 3, 4, 7, 8]);
    assert_eq!((named.pointers, named.required), (counted, 5..7));
    assert_eq!(guard.content_types.unwrap(), ["application/json"]);
}

#[test]
fn a_segment_that_a_template_names_is_one_of_a_rule() {
    let segment = |pointer: &str| {
        let mut document = with("/tags", json!([{"name": "endpoint", "value": "x"}]));
        set(&mut document, pointer, json!("{@path:endpoint}"));
        document
    };
    for (pointer, path) in [("/tags/0/value", "tags[0].value"), ("/limits/0/key", "limits[0].key")]
    {
        let line = format!("{path}: names the segment \"endpoint\", which no rule has");
        refused_text(&segment(pointer).to_string(), &line);
    }
    let mut document = segment("/limits/0/key");
    set(&mut document, "/rules/0/match", json!({"paths": ["/api/{endpoint}/score"]}));
    warned(&document, None);
    set(&mut document, "/rules/0/match/paths", json!(["/api/{endpoint}/score", "/score"]));
    warned(&document, Some("limits[0].key: has no value for all paths of the rule \"all\""));
}
