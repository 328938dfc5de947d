//! A host that fails: each call with every status.

use std::collections::BTreeSet;

use serde_json::json;

use super::fake_host::host;
use super::guarded_tests::{begin, begin_with, guarded, send};
use super::held_tests::{MILLISECOND, answer, close, jwks, open, start, tick};
use super::tests::{CONTINUE, PAUSE, bearer, configuration, configure, request, upstream_header};
use super::usage_tests::{ADDED, STREAM, adding, held};

/// Statuses beyond those of the ABI, too.
const ANY: std::ops::RangeInclusive<u32> = 1..=20;

/// What Envoy answers to `proxy_http_call`: there is no such cluster, or the call failed at once. The
/// SDK panics on a status other than these.
const OF_A_FETCH: [u32; 2] = [2, 10];

/// The calls of the filter but `proxy_http_call`, each of which answers with any status.
const CALLS: [&str; 20] = [
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
    "proxy_set_buffer_bytes",
    "proxy_set_effective_context",
    "proxy_set_property",
    "proxy_set_shared_data",
    "proxy_set_tick_period_milliseconds",
];

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
            // A body that must change does not pass as it was.
            if configure(&adding(false)) {
                let (stream, _) = begin_with(&[("content-length", b"15")]);
                if send(stream, STREAM.as_bytes(), true) == CONTINUE {
                    assert_eq!(held(), ADDED, "{call}: {status}");
                    assert_eq!(upstream_header("content-length"), None, "{call}: {status}");
                }
                close(stream);
            }
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
    let any = CALLS.into_iter().flat_map(|call| ANY.map(move |status| (call, status)));
    for (call, status) in any.chain(OF_A_FETCH.map(|status| ("proxy_http_call", status))) {
        let root = start();
        host(|host| {
            host.replies.clear();
            host.resumed = 0;
        });
        fail(Some((call, status)));
        let (stream, action) = open(root, 1, "k");
        assert_eq!(action, PAUSE, "{call}: {status}");
        let before = host(|host| host.calls.len());
        tick(root, 20 * MILLISECOND);
        if host(|host| host.calls.len()) > before {
            // The SDK selects the root context itself, and panics where it may not.
            host(|host| {
                host.failing_call.take_if(|(call, _)| *call == "proxy_set_effective_context")
            });
            answer(root, "200", "{\"keys\":[]}");
        }
        assert_eq!(host(|host| host.resumed), 0, "{call}: {status}");
        assert!(host(|host| host.replies.len()) <= 1, "{call}: {status}");
        fail(None);
        close(stream);
    }
}

/// The tables above are whole: what the filter calls is in them.
#[test]
fn every_call_of_the_filter_is_among_those_that_fail() {
    assert!(configure(&configuration()));
    let spoofed: (&str, &[u8]) = ("x-auth-subject", b"root");
    assert_eq!(request("/score", &[spoofed, ("authorization", &bearer("alice"))]), CONTINUE);
    assert_eq!(request("/score", &[]), PAUSE);
    assert!(configure(&adding(false)));
    let (stream, _) = begin_with(&[]);
    assert_eq!(send(stream, STREAM.as_bytes(), true), CONTINUE);
    let root = start();
    open(root, 1, "k");
    tick(root, 20 * MILLISECOND);
    answer(root, "200", &jwks(&["k"]));
    let used = host(|host| host.used.clone());
    assert_eq!(used, CALLS.into_iter().chain(["proxy_http_call"]).collect::<BTreeSet<_>>());
}
