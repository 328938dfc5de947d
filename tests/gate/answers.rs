//! Requests that no rule decides.

use super::*;

#[test]
fn preflights_and_the_metadata_are_answered_before_any_rule() {
    let scene = Scene::new(json!({
        "responses": {
            "resource_metadata": "https://h/.well-known/oauth-protected-resource",
            "cors": {"allow_origins": ["https://app.example.com"]},
        },
    }));
    let metadata = "/.well-known/oauth-protected-resource";
    let asks = ("access-control-request-method", "POST");
    for (headers, want) in [
        (vec![(":path", metadata)], ("anonymous", "allow")),
        (vec![(":path", metadata), (":method", "HEAD")], ("anonymous", "allow")),
        (vec![(":path", metadata), (":method", "POST")], ("token_missing", "deny")),
        (vec![(":path", "/.well-known/x")], ("token_missing", "deny")),
        (
            vec![(":method", "OPTIONS"), ("origin", "https://app.example.com"), asks],
            ("preflight", "allow"),
        ),
        (
            vec![(":method", "GET"), ("origin", "https://app.example.com"), asks],
            ("token_missing", "deny"),
        ),
        (
            vec![(":method", "OPTIONS"), ("origin", "https://evil.example"), asks],
            ("token_missing", "deny"),
        ),
        (
            vec![(":method", "OPTIONS"), ("origin", "https://app.example.com")],
            ("token_missing", "deny"),
        ),
    ] {
        let judged = scene.judge(&headers);
        assert_eq!((word(&judged), judged.verdict.decision()), want, "{headers:?}");
    }
}

#[test]
fn a_method_that_servers_echo_is_not_allowed_where_no_rule_names_it() {
    let post = json!([{"name": "post", "match": {"methods": ["POST"]}}]);
    let scene = Scene::new(json!({"rules": post}));
    for (method, want) in [
        ("TRACE", "method_not_allowed"),
        ("TRACK", "method_not_allowed"),
        ("GET", "no_rule"),
        ("TRACES", "no_rule"),
    ] {
        assert_eq!(word(&scene.judge(&[(":method", method)])), want, "{method}");
    }
}
