//! Requests that wait for a remote key, against a fake host.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_compact::{KeyPair, Seed};
use proxy_wasm::types::Action;
use serde_json::{Value, json};

use super::exports::*;
use super::fake_host::host;
use super::tests::{CONTINUE, NOW_SECONDS, PAUSE, configure, state, upstream_header};

pub(super) const MILLISECOND: u64 = 1_000_000;
pub(super) const TIMEOUT: u64 = 5_000 * MILLISECOND;

pub(super) fn remote() -> Value {
    json!({
        "providers": [{
            "name": "p",
            "issuers": ["https://issuer.test"],
            "audiences": ["api://scoring"],
            "keys": {"remote": {"uri": "https://issuer.test/jwks", "cluster": "idp"}},
        }],
    })
}

pub(super) fn key() -> KeyPair {
    KeyPair::from_seed(Seed::new([7; 32]))
}

pub(super) fn jwks(kids: &[&str]) -> String {
    let x = URL_SAFE_NO_PAD.encode(*key().pk);
    let key = |kid: &&str| json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x});
    json!({"keys": kids.iter().map(key).collect::<Vec<_>>()}).to_string()
}

pub(super) fn token(kid: &str) -> String {
    token_of("https://issuer.test", kid)
}

pub(super) fn token_of(issuer: &str, kid: &str) -> String {
    let header = json!({"alg": "EdDSA", "kid": kid});
    let claims = json!({
        "iss": issuer, "aud": "api://scoring", "sub": "alice",
        "exp": NOW_SECONDS + 6_000,
    });
    let input = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(*key().sk.sign(&input, None)))
}

pub(super) fn pairs(list: &[(&str, &str)]) -> Vec<(Vec<u8>, Vec<u8>)> {
    list.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}

/// Loads [`remote`] into a host without keys.
pub(super) fn start() -> u32 {
    host(|host| host.shared.clear());
    assert!(configure(&remote()));
    host(|host| host.root)
}

/// Opens the stream `root + number` with a token of this kid.
pub(super) fn open(root: u32, number: u32, kid: &str) -> (u32, Action) {
    open_with(root, number, &token(kid))
}

pub(super) fn open_with(root: u32, number: u32, token: &str) -> (u32, Action) {
    let authorization = format!("Bearer {token}");
    let stream = root + number;
    host(|host| {
        host.request = pairs(&[
            (":method", "POST"),
            (":authority", "ml"),
            (":path", "/score"),
            ("authorization", &authorization),
        ]);
        host.requests.insert(stream, host.request.clone());
        host.trailers = pairs(&[("x-checksum", "1")]);
    });
    proxy_on_context_create(stream, root);
    (stream, proxy_on_request_headers(stream, 4, false))
}

pub(super) fn close(stream: u32) {
    proxy_on_delete(stream);
}

pub(super) fn tick(root: u32, after: u64) {
    host(|host| host.now += after);
    proxy_on_tick(root);
}

/// Answers the newest call.
pub(super) fn answer(root: u32, status: &str, body: &str) {
    answer_call(root, calls() as u32, status, body);
}

pub(super) fn answer_call(root: u32, number: u32, status: &str, body: &str) {
    host(|host| {
        let head = if status.is_empty() { vec![] } else { pairs(&[(":status", status)]) };
        host.answer = (head, body.as_bytes().to_vec());
    });
    proxy_on_http_call_response(root, number, 1, body.len(), 0);
}

pub(super) fn calls() -> usize {
    host(|host| host.calls.len())
}

pub(super) fn replies() -> Vec<(u32, String)> {
    host(|host| {
        let reason = |body: &[u8]| {
            let problem: Value = serde_json::from_slice(body).unwrap();
            problem["reason"].as_str().unwrap().to_owned()
        };
        host.replies.iter().map(|reply| (reply.status, reason(&reply.body))).collect()
    })
}

/// A root whose worker has the key `k`.
pub(super) fn start_with_keys() -> u32 {
    let root = start();
    tick(root, 0);
    answer(root, "200", &jwks(&["k"]));
    root
}

#[test]
fn a_request_before_the_first_keys_is_held_and_goes_on_when_they_come() {
    let root = start();
    assert_eq!(calls(), 0, "a configuration that is only tried fetches nothing");
    let (stream, action) = open(root, 1, "k");
    assert_eq!(action, PAUSE);
    assert_eq!(proxy_on_request_body(stream, 9, true), PAUSE);
    assert_eq!(proxy_on_request_trailers(stream, 1), PAUSE);
    tick(root, 20 * MILLISECOND);
    assert_eq!(host(|host| host.calls.clone()), ["idp"]);
    tick(root, 20 * MILLISECOND);
    assert_eq!((calls(), host(|host| host.resumed), replies().len()), (1, 0, 0));
    answer(root, "200", &jwks(&["k"]));
    assert_eq!((host(|host| host.resumed), replies().len()), (1, 0));
    assert_eq!(upstream_header("x-auth-subject").as_deref(), Some("alice"));
    assert_eq!(state("reason"), "ok");
    assert_eq!(proxy_on_request_body(stream, 9, true), CONTINUE);
    assert_eq!(proxy_on_request_trailers(stream, 1), CONTINUE);
    // The next one need not wait.
    assert_eq!(open(root, 2, "k").1, CONTINUE);
    assert_eq!(host(|host| host.tick_period), 1_000);
}

#[test]
fn a_held_request_whose_trailers_cannot_be_cleaned_is_refused_when_its_wait_is_over() {
    let root = start();
    let (stream, action) = open(root, 1, "k");
    assert_eq!(action, PAUSE);
    host(|host| {
        host.trailers = pairs(&[("x_auth_subject", "root")]);
        host.failing_call = Some(("proxy_remove_header_map_value", 10));
    });
    assert_eq!(proxy_on_request_trailers(stream, 1), PAUSE);
    host(|host| host.failing_call = None);
    tick(root, 20 * MILLISECOND);
    answer(root, "200", &jwks(&["k"]));
    assert_eq!(host(|host| host.resumed), 0);
    assert_eq!(replies(), [(503, "store_unavailable".to_owned())]);
    assert_eq!(proxy_on_request_trailers(stream, 1), PAUSE);
}

#[test]
fn a_request_whose_keys_never_come_is_refused_once() {
    let root = start();
    let (stream, action) = open(root, 1, "k");
    assert_eq!(action, PAUSE);
    tick(root, 20 * MILLISECOND);
    answer(root, "", "");
    assert_eq!(replies(), [(503, "keys_unavailable".to_owned())]);
    // The next fetch begins a second after the first; no request waits for it.
    open(root, 2, "k");
    assert_eq!(replies().len(), 2);
    let retry =
        host(|host| host.replies[1].headers.iter().find(|(n, _)| n == b"retry-after").cloned());
    assert!(matches!(retry.unwrap().1.as_slice(), b"1" | b"2"));
    assert_eq!(host(|host| host.resumed), 0);
    assert_eq!(proxy_on_request_body(stream, 9, true), PAUSE);
    // A fetch without an answer holds no request past the deadline.
    tick(root, TIMEOUT);
    open(root, 3, "k");
    tick(root, TIMEOUT - 1);
    assert_eq!(replies().len(), 2);
    tick(root, 1);
    assert_eq!(replies().len(), 3);
}

#[test]
fn a_client_that_leaves_while_held_is_forgotten() {
    let root = start();
    let (gone, _) = open(root, 1, "k");
    let (stays, _) = open(root, 2, "k");
    close(gone);
    tick(root, 0);
    answer(root, "200", &jwks(&["k"]));
    assert_eq!((host(|host| host.resumed), replies().len()), (1, 0));
    close(stays);
}

#[test]
fn an_unknown_kid_waits_for_one_fetch_and_after_three_the_next_is_refused_at_once() {
    let root = start_with_keys();
    host(|host| host.now += 10_000 * MILLISECOND);
    assert_eq!(open(root, 1, "new").1, PAUSE);
    assert_eq!((open(root, 2, "k").1, calls()), (CONTINUE, 1));
    open(root, 3, "random");
    assert_eq!(replies(), []);
    tick(root, 20 * MILLISECOND);
    assert_eq!(calls(), 2);
    let resumed = host(|host| host.resumed);
    answer(root, "200", &jwks(&["k", "new"]));
    // One fetch answers all who came before it; it brought a new key and does not count.
    assert_eq!(host(|host| host.resumed), resumed + 1);
    assert_eq!(replies(), [(401, "key_unknown".to_owned())]);
    tick(root, 20 * MILLISECOND);
    assert_eq!((calls(), open(root, 4, "new").1), (2, CONTINUE));
    for fetch in 3..=5 {
        host(|host| host.now += MILLISECOND);
        assert_eq!(open(root, 10 + fetch, "random").1, PAUSE);
        tick(root, 20 * MILLISECOND);
        answer(root, "200", &jwks(&["k", "new"]));
        assert_eq!((calls(), replies().len()), (fetch as usize, fetch as usize - 1));
    }
    host(|host| host.now += MILLISECOND);
    open(root, 20, "random");
    assert_eq!((calls(), replies().len()), (5, 5));
    tick(root, 20 * MILLISECOND);
    assert_eq!((calls(), open(root, 21, "new").1), (5, CONTINUE));
}

#[test]
fn a_kid_whose_key_was_skipped_has_its_own_line_and_causes_no_fetch() {
    let root = start();
    tick(root, 0);
    let good: Value = serde_json::from_str(&jwks(&["k"])).unwrap();
    let big = json!({"kty": "OKP", "crv": "Ed448", "kid": "big", "x": "AA"});
    answer(root, "200", &json!({"keys": [big, good["keys"][0]]}).to_string());
    host(|host| host.now += 10_000 * MILLISECOND);
    open(root, 1, "big");
    assert_eq!(replies(), [(401, "key_unknown".to_owned())]);
    tick(root, 20 * MILLISECOND);
    assert_eq!(calls(), 1);
    let lines = host(|host| host.log.clone());
    let why = "its key was skipped: crv is not P-256, P-384, P-521, secp256k1 or Ed25519";
    assert!(lines.iter().any(|line| line.contains(why)), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("lacks the token's kid")), "{lines:#?}");
    // One that the set has not at all is another cause.
    open(root, 2, "other");
    tick(root, 20 * MILLISECOND);
    assert_eq!(calls(), 2);
}

#[test]
fn requests_do_not_put_the_tick_off() {
    let root = start();
    tick(root, 0);
    assert_eq!(host(|host| host.tick_period), 1_000);
    open(root, 1, "k");
    assert_eq!(host(|host| std::mem::take(&mut host.tick_period)), 20);
    open(root, 2, "k");
    assert_eq!(host(|host| host.tick_period), 0, "it is not set again");
}

#[test]
fn no_more_than_1024_requests_are_held() {
    let root = start();
    let streams: Vec<u32> = (1..=1_024).map(|number| open(root, number, "k").0).collect();
    assert_eq!(replies(), []);
    open(root, 2_000, "k");
    assert_eq!(replies(), [(503, "keys_unavailable".to_owned())]);
    // A request that ended frees its place.
    close(streams[0]);
    open(root, 2_001, "k");
    assert_eq!(replies().len(), 1);
}
