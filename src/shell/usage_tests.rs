//! Bodies that are changed before they pass, against a fake host.

use serde_json::{Value, json};

use super::exports::*;
use super::fake_host::host;
use super::guarded_tests::{begin_with, guarded, send};
use super::tests::{CONTINUE, PAUSE, configure, state, upstream_header};

pub(super) fn adding(hold_head: bool) -> Value {
    let mut document = guarded();
    document["rules"][1]["payload"] = json!({"include_usage": "add"});
    document["limits"][0]["burst"] = json!(100);
    document["hold_head"] = json!(hold_head);
    document
}

pub(super) fn held() -> String {
    String::from_utf8(host(|host| host.body.clone())).unwrap()
}

pub(super) const STREAM: &str = r#"{"stream":true}"#;
pub(super) const ADDED: &str = r#"{"stream_options":{"include_usage":true},"stream":true}"#;

/// A head that has gone on with the length of the old body would let the next request begin inside of the new one.
#[test]
fn the_length_of_a_body_that_may_change_goes_before_its_head_does() {
    let new = ADDED.len().to_string();
    for (hold_head, dry, body, length) in [
        (false, false, STREAM, None),
        (false, false, "{}", None),
        (true, false, STREAM, Some(new.as_str())),
        (true, false, "{}", Some("15")),
        (false, true, STREAM, Some("15")),
        (true, true, STREAM, Some("15")),
    ] {
        let mut document = adding(hold_head);
        document["rules"][1]["dry_run"] = json!(dry);
        assert!(configure(&document));
        let spelled = ("content_length", &b"15"[..]);
        let (stream, _) = begin_with(&[("content-length", b"15"), spelled]);
        let told = format!("{hold_head} {dry} {body}");
        if !hold_head {
            assert_eq!(upstream_header("content-length").as_deref(), length, "{told}");
        }
        assert_eq!(send(stream, &body.as_bytes()[..1], false), PAUSE, "{told}");
        assert_eq!(send(stream, &body.as_bytes()[1..], true), CONTINUE, "{told}");
        assert_eq!(upstream_header("content-length").as_deref(), length, "{told}");
        let changes = body == STREAM && !dry;
        assert_eq!(held(), if changes { ADDED } else { body }, "{told}");
        let kept = length == Some("15");
        assert_eq!(upstream_header("content_length").is_some(), kept, "{told}");
    }
}

#[test]
fn a_body_is_changed_wherever_the_place_is_and_however_the_body_ends() {
    let filler = "x".repeat(200_000);
    for (before, after) in [
        (
            format!(r#"{{"x":"{filler}","stream":true,"stream_options":"#),
            format!(r#","y":"{filler}"}}"#),
        ),
        (r#"{"stream":true,"stream_options":"#.to_owned(), format!(r#","y":"{filler}"}}"#)),
        (format!(r#"{{"x":"{filler}","stream":true,"stream_options":"#), "}".to_owned()),
    ] {
        for trailers in [false, true] {
            assert!(configure(&adding(false)));
            let (stream, _) = begin_with(&[]);
            let body = format!("{before}null{after}");
            let action = send(stream, body.as_bytes(), !trailers);
            let action = if trailers { proxy_on_request_trailers(stream, 1) } else { action };
            assert_eq!((action, state("reason").as_str()), (CONTINUE, "ok"));
            assert!(held() == format!(r#"{before}{{"include_usage":true}}{after}"#));
        }
    }
}

#[test]
fn a_host_that_does_not_change_the_body_or_its_length_lets_nothing_pass() {
    let calls = ["proxy_set_buffer_bytes", "proxy_get_buffer_bytes"];
    for call in calls {
        assert!(configure(&adding(false)));
        let (stream, _) = begin_with(&[]);
        host(|host| host.failing_call = Some((call, 2)));
        let options = format!("{{\"stream\":true,\"stream_options\":{}null}}", " ".repeat(70_000));
        assert_eq!(send(stream, options.as_bytes(), true), PAUSE, "{call}");
        host(|host| host.failing_call = None);
        assert_eq!(host(|host| host.replies.len()), 1, "{call}");
    }
    for hold_head in [false, true] {
        assert!(configure(&adding(hold_head)));
        let call = if hold_head {
            "proxy_replace_header_map_value"
        } else {
            "proxy_remove_header_map_value"
        };
        host(|host| host.failing_call = Some((call, 2)));
        let (stream, _) = begin_with(&[("content-length", b"15")]);
        assert_eq!(send(stream, STREAM.as_bytes(), true), PAUSE, "{call}");
        host(|host| host.failing_call = None);
        assert_eq!(state("reason"), "store_unavailable", "{call}");
    }
}

/// A limit that only reports refuses nothing, so that its request is like any other.
#[test]
fn a_limit_in_a_dry_run_does_not_leave_the_body_as_it_was() {
    let mut document = adding(true);
    document["limits"][0]["burst"] = json!(1);
    document["limits"][0]["dry_run"] = json!(true);
    assert!(configure(&document));
    for decision in ["allow", "would_deny"] {
        let (stream, _) = begin_with(&[]);
        assert_eq!(send(stream, STREAM.as_bytes(), true), CONTINUE);
        assert_eq!((state("decision").as_str(), held().as_str()), (decision, ADDED));
    }
}

#[test]
fn a_stream_without_its_usage_is_refused_where_it_is_required() {
    let mut document = adding(true);
    document["rules"][1]["payload"] = json!({"include_usage": "require"});
    assert!(configure(&document));
    let (stream, _) = begin_with(&[("content-length", b"15")]);
    assert_eq!(send(stream, STREAM.as_bytes(), true), PAUSE);
    assert_eq!(host(|host| host.replies[0].status), 400);
    assert_eq!((state("reason").as_str(), held().as_str()), ("usage_required", STREAM));
    let (stream, _) = begin_with(&[("content-length", b"15")]);
    assert_eq!(send(stream, ADDED.as_bytes(), true), CONTINUE);
    assert_eq!(
        (held().as_str(), upstream_header("content-length").as_deref()),
        (ADDED, Some("15"))
    );
}
