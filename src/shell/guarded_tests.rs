//! Requests whose body is judged, and trailers, against a fake host.

use proxy_wasm::types::Action;
use serde_json::{Value, json};

use super::exports::*;
use super::fake_host::host;
use super::tests::{
    CONTINUE, PAUSE, STREAMS, bearer, configuration, configure, state, upstream_header,
};

pub(super) fn guarded() -> Value {
    let mut document = configuration();
    document["rules"][1]["payload"] = json!({"max_bytes": 30, "require_any": ["/data"]});
    document["rules"][1]["match"]["methods"] = json!(["POST"]);
    document
}

/// A stream of the guarded rule whose headers are in; its number and what the filter said.
pub(super) fn begin() -> (u32, Action) {
    begin_with(&[])
}

/// The same with more headers.
pub(super) fn begin_with(more: &[(&str, &[u8])]) -> (u32, Action) {
    let authorization = bearer("alice");
    let root = host(|host| {
        host.replies.clear();
        host.filter_state.clear();
        host.body.clear();
        host.response.clear();
        host.trailers = vec![(b"x-checksum".to_vec(), b"1".to_vec())];
        let pairs: [(&str, &[u8]); 4] = [
            (":method", b"POST"),
            (":authority", b"ml"),
            (":path", b"/score"),
            ("authorization", &authorization),
        ];
        let pairs = pairs.iter().chain(more);
        host.request =
            pairs.map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec())).collect();
        host.root += 1;
        host.root / STREAMS * STREAMS
    });
    let stream = host(|host| host.root);
    proxy_on_context_create(stream, root);
    (stream, proxy_on_request_headers(stream, 0, false))
}

pub(super) fn send(stream: u32, piece: &[u8], end: bool) -> Action {
    let size = host(|host| {
        host.body.extend_from_slice(piece);
        host.body.len()
    });
    proxy_on_request_body(stream, size, end)
}

#[test]
fn a_guarded_body_is_held_until_its_end_and_the_limits_are_asked_before_its_head_goes_on() {
    assert!(configure(&guarded()));
    let (stream, action) = begin();
    assert_eq!((action, upstream_header("x-auth-subject").as_deref()), (CONTINUE, Some("alice")));
    assert_eq!(send(stream, b"{\"da", false), PAUSE);
    assert_eq!(send(stream, b"ta\":1", false), PAUSE);
    assert_eq!(state("decision"), "", "nothing is decided yet");
    assert_eq!(send(stream, b"}", true), CONTINUE);
    assert_eq!(["decision", "reason"].map(state), ["allow", "ok"]);
    let (stream, _) = begin();
    assert_eq!(send(stream, b"{\"data\":1}", false), PAUSE);
    assert_eq!(proxy_on_request_trailers(stream, 1), CONTINUE);
    assert_eq!(begin().1, PAUSE);
    assert_eq!(state("reason"), "rate_limited");
}

#[test]
fn a_refused_body_costs_what_its_head_took_and_callbacks_after_the_reply_change_nothing() {
    let mut document = guarded();
    document["limits"][0]["burst"] = json!(5);
    assert!(configure(&document));
    for (body, reason, status) in [
        (&b"{\"data\":}"[..], "payload_malformed", 400),
        (b"{\"other\":1}", "payload_malformed", 400),
        (b"{\"data\":\"0123456789012345678901234567", "payload_too_large", 413),
    ] {
        let (stream, _) = begin();
        assert_eq!(send(stream, body, true), PAUSE);
        assert_eq!(["decision", "reason"].map(state), ["deny", reason]);
        for _ in 0..2 {
            assert_eq!(send(stream, b"more", false), PAUSE);
        }
        assert_eq!(proxy_on_request_trailers(stream, 0), PAUSE);
        proxy_on_response_headers(stream, 0, true);
        proxy_on_delete(stream);
        host(|host| {
            assert_eq!(host.replies.len(), 1);
            assert_eq!(host.replies[0].status, status);
        });
    }
    for _ in 0..2 {
        let (stream, _) = begin();
        assert_eq!(send(stream, b"{\"data\":1}", true), CONTINUE);
    }
    assert_eq!(begin().1, PAUSE);
}

#[test]
fn an_answer_before_the_body_was_judged_becomes_a_refusal() {
    let mut document = guarded();
    document["limits"][0]["burst"] = json!(3);
    assert!(configure(&document));
    for (details, replies, reason) in [
        (&b"via_upstream"[..], 1, "payload_malformed"),
        (b"request_payload_too_large", 0, "payload_too_large"),
        (b"request_overall_timeout", 0, ""),
    ] {
        host(|host| host.properties.insert(b"response\0code_details".to_vec(), details.to_vec()));
        let (stream, _) = begin();
        send(stream, b"{", false);
        proxy_on_response_headers(stream, 0, true);
        assert_eq!((host(|host| host.replies.len()), state("reason").as_str()), (replies, reason));
        assert_eq!(send(stream, b"}", true), PAUSE);
    }
}

#[test]
fn a_body_that_the_host_does_not_show_whole_never_passes() {
    let mut document = guarded();
    document["limits"][0]["burst"] = json!(3);
    assert!(configure(&document));
    let (stream, _) = begin();
    assert_eq!(send(stream, b"{\"data\":1}", false), PAUSE);
    assert_eq!(proxy_on_request_body(stream, 40, true), PAUSE);
    let (stream, _) = begin();
    assert_eq!(send(stream, b"{\"data\":1}", false), PAUSE);
    // A host that shows new pieces alone.
    assert_eq!(proxy_on_request_body(stream, 3, true), PAUSE);
    assert_eq!(state("reason"), "payload_malformed");
    let (stream, _) = begin();
    host(|host| host.failing = Some(2));
    assert_eq!(send(stream, b"{\"data\":1}", true), PAUSE);
    host(|host| host.failing = None);
}

/// The values of the trailers that go on, by their names.
fn trailers() -> Vec<String> {
    host(|host| host.trailers.iter().map(|(n, _)| String::from_utf8(n.clone()).unwrap()).collect())
}

fn set_trailers(names: &[&str]) {
    let pair = |name: &&str| (name.as_bytes().to_vec(), b"spoofed".to_vec());
    host(|host| host.trailers = names.iter().map(pair).collect());
}

const LATE: [&str; 5] =
    ["x-auth-subject", "x_auth~subject", "x-tollgate-x", "authorization", "x-checksum"];

#[test]
fn trailers_bring_no_field_that_only_the_filter_writes_or_that_a_decision_was_made_by() {
    for document in [configuration(), guarded()] {
        assert!(configure(&document));
        let (stream, _) = begin();
        set_trailers(&LATE);
        send(stream, b"{\"data\":1}", false);
        assert_eq!(proxy_on_request_trailers(stream, 5), CONTINUE);
        assert_eq!(trailers(), ["x-checksum"]);
        proxy_on_delete(stream);
    }
}

#[test]
fn a_host_that_does_not_show_or_remove_trailers_lets_no_request_pass_that_has_them() {
    for document in [configuration(), guarded()] {
        for call in ["proxy_remove_header_map_value", "proxy_get_header_map_pairs"] {
            host(|host| host.shared.clear());
            assert!(configure(&document));
            let (stream, _) = begin();
            set_trailers(&LATE);
            send(stream, b"{\"data\":1}", false);
            host(|host| host.failing_call = Some((call, 10)));
            for _ in 0..2 {
                assert_eq!(proxy_on_request_trailers(stream, 5), PAUSE, "{call}");
                let replies: Vec<_> = host(|host| host.replies.iter().map(|r| r.status).collect());
                assert_eq!(replies, [503], "{call}");
            }
            host(|host| host.failing_call = None);
            assert_eq!(proxy_on_request_trailers(stream, 5), PAUSE, "{call}");
            proxy_on_delete(stream);
            // One without trailers needs neither call.
            let (stream, _) = begin();
            set_trailers(&[]);
            host(|host| host.failing_call = Some((call, 10)));
            assert_eq!(send(stream, b"{\"data\":1}", true), CONTINUE, "{call}");
            host(|host| host.failing_call = None);
            proxy_on_delete(stream);
        }
    }
}
