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

#[test]
fn each_address_may_read_the_metadata_a_hundred_times_at_once_and_a_dry_run_counts_nothing() {
    let responses = json!({"resource_metadata": "https://h/.well-known/oauth-protected-resource"});
    let reads = |scene: &Scene, address: &str| {
        let path = [(":path", "/.well-known/oauth-protected-resource")];
        word(&scene.judge_from(address, &path))
    };
    let scene = Scene::new(json!({"responses": responses}));
    for _ in 0..100 {
        assert_eq!(reads(&scene, "192.0.2.1"), "anonymous");
    }
    assert_eq!(reads(&scene, "192.0.2.1"), "rate_limited");
    assert_eq!(reads(&scene, "192.0.2.2"), "anonymous");
    let dry = Scene::new(json!({"responses": responses, "dry_run": true}));
    for _ in 0..101 {
        assert_eq!(reads(&dry, "192.0.2.1"), "anonymous");
    }
}
