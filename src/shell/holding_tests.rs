//! Heads that wait for the verdict on their body, against a fake host.

use serde_json::{Value, json};

use super::exports::*;
use super::fake_host::host;
use super::guarded_tests::{begin, guarded, send};
use super::held_tests::{MILLISECOND, answer, jwks, open, remote, tick};
use super::tests::{CONTINUE, PAUSE, configure, state, upstream_header};

const RECEIVED: &[u8] = b"request\0total_size";

fn holding() -> Value {
    let mut document = guarded();
    document["hold_head"] = json!(true);
    document["limits"][0]["burst"] = json!(100);
    document
}

fn received(bytes: u64) {
    host(|host| host.properties.insert(RECEIVED.to_vec(), bytes.to_le_bytes().to_vec()));
}

fn replies() -> Vec<u32> {
    host(|host| host.replies.iter().map(|reply| reply.status).collect())
}

#[test]
fn a_head_waits_for_its_body_and_is_written_when_the_verdict_is_there() {
    for trailers in [false, true] {
        assert!(configure(&holding()));
        let (stream, action) = begin();
        assert_eq!(action, PAUSE);
        assert_eq!(send(stream, b"{\"data\"", false), PAUSE);
        assert_eq!((upstream_header("x-auth-subject"), state("decision").as_str()), (None, ""));
        if trailers {
            assert_eq!(send(stream, b":1}", false), PAUSE);
            assert_eq!(proxy_on_request_trailers(stream, 1), CONTINUE);
        } else {
            assert_eq!(send(stream, b":1}", true), CONTINUE);
        }
        assert_eq!(upstream_header("x-auth-subject").as_deref(), Some("alice"));
        assert_eq!((state("reason").as_str(), replies()), ("ok", vec![]));
    }
}

#[test]
fn a_refused_body_leaves_the_head_where_it_waits() {
    assert!(configure(&holding()));
    for (body, reason, status) in [
        (&b"{\"data\":}"[..], "payload_malformed", 400),
        (b"{\"data\":\"0123456789012345678901234567", "payload_too_large", 413),
    ] {
        let (stream, action) = begin();
        assert_eq!((action, send(stream, body, true)), (PAUSE, PAUSE));
        assert_eq!(upstream_header("x-auth-subject"), None);
        assert_eq!((state("reason").as_str(), replies()), (reason, vec![status]));
        assert_eq!(proxy_on_request_trailers(stream, 1), PAUSE);
    }
}

#[test]
fn a_host_that_does_not_write_the_waiting_head_lets_nothing_pass() {
    assert!(configure(&holding()));
    let (stream, _) = begin();
    host(|host| host.failing_call = Some(("proxy_add_header_map_value", 2)));
    assert_eq!(send(stream, b"{\"data\":1}", true), PAUSE);
    host(|host| host.failing_call = None);
    assert_eq!((state("reason").as_str(), replies()), ("store_unavailable", vec![503]));
}

/// With `allow_on_headers_stop_iteration` a host shows the body of a request that waits for keys, and
/// it shows it once.
#[test]
fn what_the_host_showed_of_a_body_while_keys_were_awaited_is_judged_before_the_head_goes_on() {
    for (hold_head, whole, body, passes) in [
        (false, true, "{\"data\":1}", true),
        (false, true, "{\"data\":", false),
        (false, false, "{\"data\":1}", true),
        (true, true, "{\"data\":1}", true),
        (true, true, "{\"data\":", false),
        (true, false, "{\"data\":1}", true),
    ] {
        let told = format!("{hold_head} {whole} {body}");
        host(|host| host.shared.clear());
        let mut document = remote();
        document["hold_head"] = json!(hold_head);
        document["rules"] = json!([{"name": "all", "payload": {"require_any": ["/data"]}}]);
        assert!(configure(&document));
        let root = host(|host| {
            host.replies.clear();
            host.resumed = 0;
            host.body.clear();
            host.root
        });
        let (stream, action) = open(root, 1, "k");
        assert_eq!(action, PAUSE, "{told}");
        let (first, rest) = if whole { (body, "") } else { body.split_at(4) };
        assert_eq!(send(stream, first.as_bytes(), whole), PAUSE, "{told}");
        tick(root, 20 * MILLISECOND);
        answer(root, "200", &jwks(&["k"]));
        if whole {
            let resumed = host(|host| host.resumed);
            assert_eq!((resumed, replies().len()), (passes.into(), (!passes).into()), "{told}");
        } else {
            assert_eq!((host(|host| host.resumed), replies().len()), (0, 0), "{told}");
            assert_eq!(send(stream, rest.as_bytes(), true), CONTINUE, "{told}");
        }
        assert_eq!(upstream_header("x-auth-subject").is_some(), passes, "{told}");
    }
}

#[test]
fn a_host_that_holds_the_body_back_with_the_head_is_found_out_and_the_request_refused() {
    assert!(configure(&holding()));
    let root = host(|host| host.root);
    assert_eq!(host(|host| host.tick_period), 1_000);
    received(200);
    let (stream, action) = begin();
    assert_eq!(action, PAUSE);
    // The client has sent nothing yet: it is slow.
    tick(root, 60_000 * MILLISECOND);
    assert!(replies().is_empty());
    received(210);
    tick(root, 1_000 * MILLISECOND);
    assert_eq!((state("reason").as_str(), replies()), ("store_unavailable", vec![503]));
    assert_eq!(proxy_on_request_body(stream, 0, true), PAUSE);
    let log = host(|host| host.log.clone());
    let lines = log.iter().filter(|line| line.contains("allow_on_headers_stop_iteration"));
    assert_eq!(lines.count(), 1, "{log:?}");
    // A dry run lets it pass.
    let mut document = holding();
    document["dry_run"] = json!(true);
    assert!(configure(&document));
    let root = host(|host| host.root);
    received(200);
    begin();
    received(210);
    tick(root, 5_000 * MILLISECOND);
    assert_eq!((state("decision").as_str(), replies()), ("would_deny", vec![]));
    assert_eq!(host(|host| host.resumed), 1);
}

#[test]
fn a_host_that_has_shown_a_body_is_not_suspected() {
    assert!(configure(&holding()));
    let root = host(|host| host.root);
    received(200);
    let (first, _) = begin();
    let (second, _) = begin();
    assert_eq!(send(first, b"{", false), PAUSE);
    received(210);
    tick(root, 60_000 * MILLISECOND);
    assert!(replies().is_empty());
    host(|host| host.body.clear());
    assert_eq!(send(second, b"{\"data\":1}", true), CONTINUE);
}

#[test]
fn a_watched_rule_lends_no_key_to_a_request_whose_body_is_still_to_be_judged() {
    // `dry_run` of the document or of the rule, `hold_head`, the body; whether the key is lent.
    for (whole, rule, hold_head, body, lent) in [
        (false, false, false, &b"{\"data\":1}"[..], true),
        (false, true, false, b"{\"data\":1}", false),
        (true, false, false, b"{\"data\":1}", false),
        (false, true, false, b"{\"data\":", false),
        (false, true, true, b"{\"data\":1}", true),
        (true, false, true, b"{\"data\":1}", true),
        (false, true, true, b"{\"data\":", false),
        (true, true, true, b"{\"data\":", false),
    ] {
        let mut document = holding();
        document["hold_head"] = json!(hold_head);
        document["dry_run"] = json!(whole);
        document["rules"][1]["dry_run"] = json!(rule);
        document["rules"][1]["upstream_authorization"] = json!({"env": "PATH", "prefix": "Key "});
        assert!(configure(&document));
        let (stream, _) = begin();
        assert_eq!(send(stream, body, true), CONTINUE);
        let told = format!("{whole} {rule} {hold_head} {}", body.escape_ascii());
        let upstream = upstream_header("authorization").unwrap_or_default();
        assert_eq!(upstream.starts_with("Key "), lent, "{told}");
        // The tags say who it is all the same.
        assert_eq!(upstream_header("x-auth-subject").as_deref(), Some("alice"), "{told}");
    }
}
