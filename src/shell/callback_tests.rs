//! A host that calls back as it likes: in every order and number, inside of its own calls, and about
//! contexts and calls that are gone or never were.

use std::collections::BTreeSet;

use serde_json::json;

use super::fake_host::host;
use super::held_tests::{MILLISECOND, answer, answer_call, close, jwks, open, start, tick};
use super::host::Action;
use super::host_tests::CALLS;
use super::tests::{CONTINUE, PAUSE, begin, configure, guarded, send};
use crate::entry::*;

/// What may come after the headers of a request, in any order and number; whether it passes.
const LATER: [fn(u32) -> Action; 8] = [
    |stream| proxy_on_request_headers(stream, 4, 0),
    |stream| proxy_on_request_body(stream, 4, 0),
    |stream| proxy_on_request_body(stream, 4, 1),
    |stream| proxy_on_request_trailers(stream, 1),
    |stream| {
        assert_eq!(proxy_on_response_headers(stream, 1, 1), CONTINUE);
        PAUSE
    },
    |stream| {
        assert_eq!(proxy_on_response_body(stream, 1, 1), CONTINUE);
        PAUSE
    },
    |stream| {
        proxy_on_delete(stream);
        PAUSE
    },
    |stream| {
        proxy_on_context_create(stream, host(|host| host.root / 100 * 100));
        PAUSE
    },
];

#[test]
fn late_doubled_and_stray_callbacks_let_no_refused_request_pass() {
    const LENGTH: u32 = 4;
    let every = LATER.len().pow(LENGTH);
    let mut document = guarded();
    document["limits"][0]["burst"] = json!(1_000_000);
    for order in 0..every {
        // A root of these tests has numbers for a hundred streams.
        if order % 64 == 0 {
            assert!(configure(&document));
        }
        let (stream, _) = begin();
        assert_eq!(send(stream, b"nope", true), PAUSE);
        let mut judged = 1;
        for position in 0..LENGTH {
            let event = order / LATER.len().pow(position) % LATER.len();
            let action = LATER[event](stream);
            // Headers that come again are judged again; a guarded request's go on before its body.
            judged += usize::from(event == 0);
            assert!(action == PAUSE || event == 0, "order {order}");
            assert!(host(|host| host.replies.len()) <= judged, "order {order}");
        }
        proxy_on_delete(stream);
        assert_eq!(host(|host| host.resumed), 0);
    }
}

/// A callback, given the context that it is about.
type Callback = fn(u32);

/// Every callback but the one that makes a context.
const ABOUT: [(&str, Callback); 9] = [
    ("configure", |id| assert!(!proxy_on_configure(id, 1))),
    ("tick", |id| proxy_on_tick(id)),
    ("answer", |id| proxy_on_http_call_response(id, 1, 1, 1, 0)),
    ("request headers", |id| assert_eq!(proxy_on_request_headers(id, 1, 1), PAUSE)),
    ("request body", |id| assert_eq!(proxy_on_request_body(id, 1, 1), PAUSE)),
    ("request trailers", |id| assert_eq!(proxy_on_request_trailers(id, 1), PAUSE)),
    ("response headers", |id| assert_eq!(proxy_on_response_headers(id, 1, 1), CONTINUE)),
    ("response body", |id| assert_eq!(proxy_on_response_body(id, 1, 1), CONTINUE)),
    ("delete", |id| proxy_on_delete(id)),
];

#[test]
fn a_callback_about_a_context_that_is_gone_or_never_was_does_nothing() {
    assert!(configure(&guarded()));
    let root = host(|host| host.root);
    let (gone, _) = begin();
    proxy_on_delete(gone);
    let orphan = root + 51;
    proxy_on_context_create(orphan, root + 50);
    proxy_on_delete(root);
    proxy_on_context_create(root + 52, root);
    host(|host| host.used.clear());
    for (name, callback) in ABOUT {
        for context in [0, root, gone, orphan, root + 52, u32::MAX] {
            callback(context);
            assert_eq!(host(|host| host.used.clone()), BTreeSet::new(), "{name}: {context}");
        }
    }
}

/// A context that was made twice is the first one: it keeps what it knows.
#[test]
fn a_context_that_is_made_twice_keeps_its_configuration_and_its_verdict() {
    assert!(configure(&guarded()));
    let root = host(|host| host.root);
    proxy_on_context_create(root, 0);
    let (stream, action) = begin();
    assert_eq!(action, CONTINUE);
    assert_eq!(send(stream, b"{\"data\":1}", true), CONTINUE);
    proxy_on_context_create(stream, root);
    assert_eq!(proxy_on_request_trailers(stream, 1), CONTINUE);
    proxy_on_delete(stream);
}

/// What may happen around a fetch that a held request waits for, in any order and number. It gets
/// the root, the stream and the number of the call.
const AROUND: [fn(u32, u32, u32); 7] = [
    |root, _, call| answer_call(root, call, "200", &jwks(&["k"])),
    |root, _, call| answer_call(root, call, "", ""),
    |root, _, call| answer_call(root, call.wrapping_add(1_000), "200", &jwks(&["k"])),
    |_, stream, call| answer_call(stream, call, "200", &jwks(&["k"])),
    |root, _, _| tick(root, 20 * MILLISECOND),
    |_, stream, _| close(stream),
    |root, _, _| close(root),
];

#[test]
fn answers_late_doubled_stray_and_after_the_end_tell_a_held_request_at_most_once() {
    const LENGTH: u32 = 4;
    const CLOSE: usize = 5;
    for order in 0..AROUND.len().pow(LENGTH) {
        let root = start();
        host(|host| {
            host.replies.clear();
            host.resumed = 0;
        });
        let (stream, action) = open(root, 1, "k");
        assert_eq!(action, PAUSE);
        tick(root, 20 * MILLISECOND);
        let call = host(|host| host.calls.len()) as u32;
        let events = (0..LENGTH).map(|at| order / AROUND.len().pow(at) % AROUND.len());
        let events: Vec<_> = events.collect();
        for event in &events {
            AROUND[*event](root, stream, call);
        }
        // Only the answer to the call brings the keys, and only to those who are still there.
        let ended = events.iter().position(|event| [0, 1].contains(event) || *event >= CLOSE);
        let told = ended.is_some_and(|at| events[at] == 0);
        let (resumed, replied) = host(|host| (host.resumed, host.replies.len()));
        assert_eq!((resumed, replied), (u32::from(told), 0), "{events:?}");
        close(stream);
        close(root);
    }
}

/// A number that the host gave to two calls is the later call's.
#[test]
fn two_calls_of_one_number_are_answered_as_one() {
    let root = start();
    let (stream, _) = open(root, 1, "k");
    tick(root, 20 * MILLISECOND);
    let first = host(|host| host.calls.len()) as u32;
    host(|host| host.calls.pop());
    // The first is given up when its lease is over.
    tick(root, 40_000 * MILLISECOND);
    assert_eq!(host(|host| host.calls.len()) as u32, first);
    answer_call(root, first, "200", &jwks(&["k"]));
    answer_call(root, first, "200", &jwks(&["k"]));
    close(stream);
    assert_eq!(open(root, 2, "k").1, CONTINUE);
}

/// What a host may do inside of a call, given a root and two of its streams.
const INSIDE: [fn(u32, u32, u32); 12] = [
    |_, stream, _| _ = proxy_on_request_headers(stream, 4, 0),
    |_, stream, _| _ = proxy_on_request_body(stream, 4, 1),
    |_, stream, _| _ = proxy_on_request_trailers(stream, 1),
    |_, stream, _| _ = proxy_on_response_headers(stream, 1, 0),
    |_, stream, _| _ = proxy_on_response_body(stream, 4, 1),
    |_, stream, _| close(stream),
    |_, _, other| _ = proxy_on_request_headers(other, 4, 0),
    |_, _, other| _ = proxy_on_request_body(other, 4, 1),
    |_, _, other| _ = proxy_on_response_body(other, 4, 1),
    |_, _, other| close(other),
    |root, _, _| tick(root, 20 * MILLISECOND),
    |root, _, _| answer(root, "200", &jwks(&["k"])),
];

/// Calls that give or keep one value: a host has nothing to call back for, and a borrow is held.
const VALUES: [&str; 3] =
    ["proxy_get_current_time_nanoseconds", "proxy_get_shared_data", "proxy_set_shared_data"];

/// Envoy calls back after the call that led to it; another host may do so inside of it.
#[test]
fn a_callback_inside_a_host_call_never_panics_the_module() {
    let mut document = guarded();
    document["rules"][1]["concurrency"] = json!(9);
    document["limits"][0]["charge"] = json!("response");
    document["limits"][0]["response_cost"] = json!({"json": "/usage"});
    let arm = |call, inside: fn(u32, u32, u32), [root, stream, other]: [u32; 3]| {
        let nested = Box::new(move || inside(root, stream, other));
        host(|host| host.during = Some((call, nested)));
    };
    let mut called = 0;
    for call in CALLS.into_iter().filter(|call| !VALUES.contains(call)) {
        for (inside, step) in INSIDE.into_iter().flat_map(|inside| (0..5).map(move |n| (inside, n)))
        {
            assert!(configure(&document));
            let root = host(|host| host.root);
            let (other, _) = begin();
            let stream = other + 1;
            let at = |now| {
                if now == step {
                    arm(call, inside, [root, stream, other]);
                }
            };
            at(0);
            begin();
            at(1);
            send(stream, if step == 1 { b"nope" } else { b"{\"data\":1}" }, true);
            at(2);
            proxy_on_response_headers(stream, 1, 0);
            at(3);
            proxy_on_response_body(stream, 4, 1);
            at(4);
            close(stream);
            close(other);
            called += usize::from(host(|host| host.during.take()).is_none());

            let root = start();
            let (stream, other) = (root + 1, open(root, 2, "k").0);
            arm(call, inside, [root, stream, other]);
            open(root, 1, "k");
            tick(root, 20 * MILLISECOND);
            answer(root, "200", &jwks(&["k"]));
            [stream, other, root].into_iter().for_each(close);
            called += usize::from(host(|host| host.during.take()).is_none());
        }
    }
    assert!(called > 500, "{called}");
}
