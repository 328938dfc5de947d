//! `telemetry.filter_state`: which requests have which tags in filter state.

use serde_json::json;

use super::exports::proxy_on_delete;
use super::fake_host::host;
use super::guarded_tests::{begin, send};
use super::tests::{
    CONTINUE, PAUSE, bearer, configuration, configure, request, state, upstream_header,
};

/// Every tag has a header but `key`.
fn document(filter_state: &str) -> serde_json::Value {
    let mut document = configuration();
    document["telemetry"] = json!({"filter_state": filter_state});
    document["tags"] = json!([
        {"name": "subject", "value": "{sub}", "header": "x-auth-subject"},
        {"name": "place", "value": "{@rule}", "header": "x-auth-place"},
        {"name": "key", "value": "{@kid}"},
    ]);
    document
}

fn tags() -> [String; 3] {
    ["subject", "place", "key"].map(state)
}

#[test]
fn auto_leaves_out_of_filter_state_what_the_headers_of_a_passing_request_have() {
    for (filter_state, allowed, denied) in [
        ("all", ["alice", "score", "k"], ["alice", "score", "k"]),
        ("auto", ["", "", "k"], ["alice", "score", "k"]),
        ("denied", ["", "", ""], ["alice", "score", "k"]),
        ("off", ["", "", ""], ["", "", ""]),
    ] {
        host(|host| host.shared.clear());
        assert!(configure(&document(filter_state)));
        for _ in 0..2 {
            let forged: (&str, &[u8]) = ("x-auth-subject", b"mallory");
            assert_eq!(request("/score", &[("authorization", &bearer("alice")), forged]), CONTINUE);
            assert_eq!(tags(), allowed, "{filter_state}");
            let written = ["x-auth-subject", "x-auth-place"].map(upstream_header);
            assert_eq!(written, ["alice", "score"].map(|value| Some(value.to_owned())));
        }
        assert_eq!(request("/score", &[("authorization", &bearer("alice"))]), PAUSE);
        assert_eq!(tags(), denied, "{filter_state}");
        assert_eq!(upstream_header("x-auth-subject"), None);
        let kept = matches!(filter_state, "all" | "auto");
        assert_eq!(request("/", &[]), CONTINUE);
        // Without a verified caller no header is written, so that filter state is all that there is.
        assert_eq!(tags(), ["", if kept { "health" } else { "" }, ""], "{filter_state}");
        assert_eq!(upstream_header("x-auth-place"), None);
        assert_eq!(state("reason"), if kept { "anonymous" } else { "" }, "{filter_state}");
    }
}

#[test]
fn auto_writes_the_tags_of_a_request_whose_body_is_refused_after_its_head_went_on() {
    let mut document = document("auto");
    document["rules"][1]["payload"] = json!({"require_any": ["/data"]});
    assert!(configure(&document));
    for (body, action, subject) in
        [(&b"{\"data\":1}"[..], CONTINUE, ""), (b"{\"other\":1}", PAUSE, "alice")]
    {
        let (stream, _) = begin();
        assert_eq!(upstream_header("x-auth-subject").as_deref(), Some("alice"));
        assert_eq!(send(stream, body, true), action);
        assert_eq!(state("subject"), subject);
        proxy_on_delete(stream);
    }
}

#[test]
fn auto_treats_a_dry_run_as_a_request_that_passes() {
    let mut document = document("auto");
    document["rules"][1]["dry_run"] = json!(true);
    document["limits"][0]["burst"] = json!(1);
    assert!(configure(&document));
    for decision in ["allow", "would_deny"] {
        assert_eq!(request("/score", &[("authorization", &bearer("alice"))]), CONTINUE);
        assert_eq!(
            (state("decision"), tags()),
            (decision.to_owned(), ["", "", "k"].map(Into::into))
        );
        assert_eq!(upstream_header("x-auth-subject").as_deref(), Some("alice"));
    }
    host(|host| assert!(host.replies.is_empty()));
}
