//! A host that misbehaves: one call with every status, and callbacks in every order.
//!
//! The SDK routes the answer of a fetch, and panics where the proxy answers `proxy_http_call` or the
//! `proxy_set_effective_context` of its own with a status that it does not list, and where a callback
//! names a stream that was deleted or a fetch that was answered. Envoy does neither (`FAIL_RELOAD`
//! covers it); those appear here with the statuses that the SDK lists.

#![allow(unsafe_code)]

use std::collections::BTreeSet;

use serde_json::json;

use super::exports::*;
use super::fake_host::host;
use super::held_tests::{MILLISECOND, answer, close, jwks, open, start, tick};
use super::tests::{
    CONTINUE, PAUSE, bearer, begin, configuration, configure, guarded, request, send,
    upstream_header,
};

/// Statuses beyond those of the ABI, too.
const ANY: std::ops::RangeInclusive<u32> = 1..=20;

/// The calls that a request can lead to, each of which answers with any status.
const CALLS: [&str; 18] = [
    "proxy_add_header_map_value",
    "proxy_call_foreign_function",
    "proxy_continue_stream",
    "proxy_define_metric",
    "proxy_get_buffer_bytes",
    "proxy_get_current_time_nanoseconds",
    "proxy_get_header_map_pairs",
    "proxy_get_property",
    "proxy_get_shared_data",
    "proxy_increment_metric",
    "proxy_log",
    "proxy_record_metric",
    "proxy_remove_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_send_local_response",
    "proxy_set_property",
    "proxy_set_shared_data",
    "proxy_set_tick_period_milliseconds",
];

/// The calls that go through the SDK, with the statuses that it takes; it unwraps the second one
/// itself before an answer to a fetch reaches the filter.
const CALLS_OF_THE_SDK: [(&str, &[u32]); 2] =
    [("proxy_http_call", &[2, 10]), ("proxy_set_effective_context", &[])];

fn fail(call: Option<(&'static str, u32)>) {
    host(|host| host.failing_call = call);
}

#[test]
fn any_status_of_any_single_host_call_never_panics_the_module_nor_opens_it() {
    let spoofed: (&str, &[u8]) = ("x-auth-subject", b"root");
    for call in CALLS {
        for status in ANY {
            assert!(configure(&configuration()));
            fail(Some((call, status)));
            let forged = request("/score", &[("authorization", b"Bearer a.b.c"), spoofed]);
            assert_eq!(forged, PAUSE, "{call}: {status}");
            assert!(host(|host| host.replies.len()) <= 1, "{call}: {status}");
            for (path, more) in [("/", None), ("/score", Some(bearer("alice")))] {
                let mut headers = vec![spoofed];
                headers.extend(more.as_deref().map(|value| ("authorization", value)));
                if request(path, &headers) == CONTINUE {
                    let seen = upstream_header("x-auth-subject");
                    assert_ne!(seen.as_deref(), Some("root"), "{call}: {status}: {path}");
                }
            }
            // A new configuration is accepted or refused, and a body judged, without a panic.
            if !configure(&guarded()) {
                fail(None);
                continue;
            }
            let (stream, _) = begin();
            send(stream, b"{\"da", false);
            let passed = send(stream, b"ta\":}", true);
            assert_eq!(passed, PAUSE, "{call}: {status}");
            close(stream);
            fail(None);
        }
    }
    host(|host| host.shared.clear());
    assert!(configure(&configuration()));
    assert_eq!(request("/score", &[("authorization", &bearer("carol"))]), CONTINUE);
}

/// As one whose `capability_restriction_config` lacks the call.
#[test]
fn a_host_that_does_not_remove_a_spoofed_header_lets_no_request_pass_that_has_one() {
    assert!(configure(&configuration()));
    fail(Some(("proxy_remove_header_map_value", 10)));
    for spoofed in ["x-auth-subject", "X_Auth.Subject", "x-tollgate-anything"] {
        for path in ["/", "/score"] {
            let headers = [(spoofed, &b"root"[..]), ("authorization", &bearer("alice"))];
            assert_eq!(request(path, &headers), PAUSE, "{spoofed}: {path}");
            assert_eq!(host(|host| host.replies.len()), 1);
        }
    }
    assert_eq!(request("/", &[]), CONTINUE);
    fail(None);
}

/// A dry run lets pass whom no rule is for; what could not be looked through could not be stripped.
#[test]
fn a_host_that_shows_no_headers_lets_no_request_pass_even_in_a_dry_run() {
    let mut watched = configuration();
    watched["dry_run"] = json!(true);
    assert!(configure(&watched));
    let spoofed = [("x-auth-subject", &b"root"[..])];
    for status in ANY {
        fail(Some(("proxy_get_header_map_pairs", status)));
        assert_eq!(request("/", &spoofed), PAUSE, "{status}");
        assert_eq!(host(|host| host.replies.iter().map(|r| r.status).collect::<Vec<_>>()), [503]);
    }
    fail(None);
    assert_eq!(request("/", &spoofed), CONTINUE);
    assert_eq!(upstream_header("x-auth-subject"), None);
}

#[test]
fn a_token_that_the_host_does_not_remove_where_it_must_lets_no_request_pass() {
    let mut silent = configuration();
    silent["token"] = json!({"forward": false});
    let calls = [("alice", "proxy_remove_header_map_value"), ("bob", "proxy_add_header_map_value")];
    for (subject, call) in calls {
        assert!(configure(&silent));
        let token = bearer(subject);
        fail(Some((call, 10)));
        assert_eq!(request("/score", &[("authorization", &token)]), PAUSE, "{call}");
        assert_eq!(host(|host| host.replies[0].status), 503, "{call}");
        fail(None);
        assert_eq!(request("/score", &[("authorization", &token)]), CONTINUE);
        assert_eq!(upstream_header("authorization"), None);
    }
}

#[test]
fn any_status_of_any_single_host_call_while_requests_wait_ends_in_one_reply_or_none() {
    let any: Vec<u32> = ANY.collect();
    let all = CALLS.into_iter().map(|call| (call, &any[..])).chain(CALLS_OF_THE_SDK);
    for (call, statuses) in all {
        for status in statuses {
            let root = start();
            host(|host| {
                host.replies.clear();
                host.resumed = 0;
            });
            fail(Some((call, *status)));
            let (stream, action) = open(root, 1, "k");
            assert_eq!(action, PAUSE, "{call}: {status}");
            let before = host(|host| host.calls.len());
            tick(root, 20 * MILLISECOND);
            if host(|host| host.calls.len()) > before {
                answer(root, "200", "{\"keys\":[]}");
            }
            assert_eq!(host(|host| host.resumed), 0, "{call}: {status}");
            assert!(host(|host| host.replies.len()) <= 1, "{call}: {status}");
            fail(None);
            close(stream);
        }
    }
}

/// The table above is whole: what the filter calls is in it.
#[test]
fn every_call_of_the_filter_is_among_those_that_fail() {
    assert!(configure(&guarded()));
    let (stream, _) = begin();
    send(stream, b"{\"data\":1}", true);
    close(stream);
    let root = start();
    open(root, 1, "k");
    tick(root, 20 * MILLISECOND);
    answer(root, "200", &jwks(&["k"]));
    let known: BTreeSet<&str> =
        CALLS.into_iter().chain(CALLS_OF_THE_SDK.map(|(call, _)| call)).collect();
    let used = host(|host| host.used.clone());
    assert!(used.is_subset(&known), "{:?}", used.difference(&known));
    assert!(used.len() > 10, "{used:?}");
}

/// What comes after the headers of a request, in any order and number.
const LATER: [fn(u32) -> Option<u32>; 6] = [
    |stream| Some(unsafe { proxy_on_request_body(stream, 4, false) }),
    |stream| Some(unsafe { proxy_on_request_body(stream, 4, true) }),
    |stream| Some(unsafe { proxy_on_request_trailers(stream, 1) }),
    |stream| {
        unsafe { proxy_on_response_headers(stream, 1, true) };
        None
    },
    |stream| {
        unsafe { proxy_on_response_body(stream, 1, true) };
        None
    },
    |stream| {
        unsafe { proxy_on_log(stream) };
        None
    },
];

#[test]
fn late_doubled_and_stray_callbacks_change_no_decision() {
    const LENGTH: u32 = 4;
    for order in 0..LATER.len().pow(LENGTH) {
        // A root of these tests has numbers for a hundred streams.
        if order % 64 == 0 {
            assert!(configure(&guarded()));
        }
        let (stream, _) = begin();
        assert_eq!(send(stream, b"nope", true), PAUSE);
        let replied = host(|host| host.replies.len());
        for position in 0..LENGTH {
            let callback = LATER[order / LATER.len().pow(position) % LATER.len()];
            assert_ne!(callback(stream), Some(CONTINUE), "order {order}");
        }
        host(|host| assert_eq!((host.replies.len(), replied, host.resumed), (1, 1, 0)));
        unsafe {
            proxy_on_done(stream);
            proxy_on_log(stream);
            proxy_on_delete(stream);
        }
    }
}

/// Two fetches, an answer that comes late, a client that is gone: in both orders.
#[test]
fn answers_that_come_after_everybody_left_reach_nobody() {
    for leave_first in [true, false] {
        let root = start();
        host(|host| {
            host.replies.clear();
            host.resumed = 0;
        });
        let (stream, _) = open(root, 1, "k");
        tick(root, 20 * MILLISECOND);
        if leave_first {
            close(stream);
            answer(root, "200", &jwks(&["k"]));
            assert_eq!(host(|host| host.resumed), 0);
        } else {
            answer(root, "200", &jwks(&["k"]));
            assert_eq!(host(|host| host.resumed), 1);
            close(stream);
        }
        assert_eq!(host(|host| host.replies.len()), 0);
        // The configuration ends with a fetch under way; its answer comes all the same.
        assert_eq!(open(root, 2, "another").1, PAUSE);
        tick(root, 40_000 * MILLISECOND);
        close(root + 2);
    }
}
