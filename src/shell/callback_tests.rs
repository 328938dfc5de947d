//! Callbacks in every order that a proxy can produce.

use super::exports::*;
use super::fake_host::host;
use super::guarded_tests::{begin, guarded, send};
use super::held_tests::{MILLISECOND, answer_call, close, jwks, open, start, tick};
use super::tests::{CONTINUE, PAUSE, configure};
use proxy_wasm::types::Action;
use serde_json::json;

/// What may come after the headers of a request, in any order and number; whether it passes.
const LATER: [fn(u32) -> Action; 7] = [
    |stream| proxy_on_request_headers(stream, 4, false),
    |stream| proxy_on_request_body(stream, 4, false),
    |stream| proxy_on_request_body(stream, 4, true),
    |stream| proxy_on_request_trailers(stream, 1),
    |stream| {
        assert_eq!(proxy_on_response_headers(stream, 1, true), CONTINUE);
        PAUSE
    },
    |stream| {
        assert_eq!(proxy_on_response_body(stream, 1, true), CONTINUE);
        PAUSE
    },
    |stream| {
        assert_eq!(proxy_on_response_trailers(stream, 1), CONTINUE);
        PAUSE
    },
];

#[test]
fn late_and_doubled_callbacks_let_no_refused_request_pass() {
    const LENGTH: u32 = 4;
    let mut document = guarded();
    document["limits"][0]["burst"] = json!(1_000_000);
    assert!(configure(&document));
    for order in 0..LATER.len().pow(LENGTH) {
        let (stream, _) = begin();
        assert_eq!(send(stream, b"nope", true), PAUSE);
        let mut judged = 1;
        for position in 0..LENGTH {
            let event = order / LATER.len().pow(position) % LATER.len();
            let action = LATER[event](stream);
            // Headers that come again are judged again; those of a guarded request go on before its body.
            judged += usize::from(event == 0);
            assert!(action == PAUSE || event == 0, "order {order}");
            assert!(host(|host| host.replies.len()) <= judged, "order {order}");
        }
        proxy_on_delete(stream);
        assert_eq!(host(|host| host.resumed), 0);
    }
}

/// What may happen around a fetch that a held request waits for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    Keys,
    Failure,
    Tick,
    StreamEnds,
    RootEnds,
}

/// A proxy answers a call once and not after the root context has ended, which outlives its streams.
#[test]
fn a_fetch_that_ends_while_clients_leave_and_configurations_end_resumes_a_held_request_at_most_once()
 {
    use Event::*;
    const EVENTS: [Event; 5] = [Keys, Failure, Tick, StreamEnds, RootEnds];
    const LENGTH: u32 = 5;
    for order in 0..EVENTS.len().pow(LENGTH) {
        let root = start();
        host(|host| {
            host.replies.clear();
            host.resumed = 0;
        });
        let (stream, action) = open(root, 1, "k");
        assert_eq!(action, PAUSE);
        tick(root, 20 * MILLISECOND);
        let call = host(|host| host.calls.len()) as u32;
        let mut happened = Vec::new();
        for at in 0..LENGTH {
            let event = EVENTS[order / EVENTS.len().pow(at) % EVENTS.len()];
            let over = |event| happened.contains(&event);
            let possible = !over(RootEnds)
                && match event {
                    Keys | Failure => !over(Keys) && !over(Failure),
                    Tick => true,
                    StreamEnds => !over(StreamEnds),
                    RootEnds => over(StreamEnds),
                };
            if !possible {
                continue;
            }
            match event {
                Keys => answer_call(root, call, "200", &jwks(&["k"])),
                Failure => answer_call(root, call, "", ""),
                Tick => tick(root, 20 * MILLISECOND),
                StreamEnds => close(stream),
                RootEnds => close(root),
            }
            happened.push(event);
        }
        // The answer ends the wait, and only while the client is there: keys resume the request, a failure
        // refuses it.
        let first = happened.iter().find(|event| **event != Tick);
        let ended = host(|host| (host.resumed, host.replies.len()));
        let want = match first {
            Some(Keys) => (1, 0),
            Some(Failure) => (0, 1),
            _ => (0, 0),
        };
        assert_eq!(ended, want, "{happened:?}");
        for (context, end) in [(stream, StreamEnds), (root, RootEnds)] {
            if !happened.contains(&end) {
                close(context);
            }
        }
    }
}

#[test]
fn a_stream_before_the_first_configuration_is_answered_with_503_and_held() {
    let mut document = guarded();
    document["rules"][1]["limits"] = json!(["nobody"]);
    assert!(!configure(&document));
    let (stream, action) = begin();
    assert_eq!(action, PAUSE);
    assert_eq!(send(stream, b"{\"data\":1}", false), PAUSE);
    assert_eq!(proxy_on_request_trailers(stream, 1), PAUSE);
    assert_eq!(proxy_on_response_headers(stream, 1, true), CONTINUE);
    assert_eq!(proxy_on_response_body(stream, 1, true), CONTINUE);
    proxy_on_delete(stream);
    let replies: Vec<_> = host(|host| host.replies.iter().map(|reply| reply.status).collect());
    assert_eq!(replies, [503]);
}
