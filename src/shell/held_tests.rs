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
const TIMEOUT: u64 = 5_000 * MILLISECOND;

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

fn key() -> KeyPair {
    KeyPair::from_seed(Seed::new([7; 32]))
}

pub(super) fn jwks(kids: &[&str]) -> String {
    let x = URL_SAFE_NO_PAD.encode(*key().pk);
    let key = |kid: &&str| json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x});
    json!({"keys": kids.iter().map(key).collect::<Vec<_>>()}).to_string()
}

fn token(kid: &str) -> String {
    token_of("https://issuer.test", kid)
}

fn token_of(issuer: &str, kid: &str) -> String {
    let header = json!({"alg": "EdDSA", "kid": kid});
    let claims = json!({
        "iss": issuer, "aud": "api://scoring", "sub": "alice",
        "exp": NOW_SECONDS + 6_000,
    });
    let input = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(*key().sk.sign(&input, None)))
}

fn pairs(list: &[(&str, &str)]) -> Vec<(Vec<u8>, Vec<u8>)> {
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

fn open_with(root: u32, number: u32, token: &str) -> (u32, Action) {
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

fn calls() -> usize {
    host(|host| host.calls.len())
}

fn replies() -> Vec<(u32, String)> {
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

#[test]
fn a_missing_cluster_is_told_with_its_usual_causes_and_tried_again() {
    let root = start();
    host(|host| host.clusters_missing = true);
    tick(root, 0);
    let line = host(|host| host.log.iter().find(|line| line.contains("failed")).cloned()).unwrap();
    for part in ["provider p", "cluster idp", "exactly this name", "ServiceEntry", "next try in"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    host(|host| host.clusters_missing = false);
    tick(root, 1_000 * MILLISECOND);
    answer(root, "200", &jwks(&["k"]));
    assert_eq!(open(root, 1, "k").1, CONTINUE);
}

#[test]
fn a_new_configuration_of_the_same_provider_starts_with_its_keys() {
    start_with_keys();
    assert!(configure(&remote()));
    let root = host(|host| host.root);
    assert_eq!(open(root, 1, "k").1, CONTINUE);
    assert_eq!(calls(), 1);
}

#[test]
fn a_configuration_that_ends_during_its_fetch_gives_the_lease_back() {
    let root = start();
    tick(root, 0);
    assert_eq!(calls(), 1);
    close(root);
    assert!(configure(&remote()));
    tick(host(|host| host.root), 0);
    assert_eq!(calls(), 2);
}

#[test]
fn a_host_that_fails_every_call_while_requests_wait_never_panics_the_module_nor_opens_it() {
    let root = start();
    open(root, 1, "k");
    for status in 1..=20 {
        host(|host| host.failing = Some(status));
        tick(root, 20 * MILLISECOND);
        host(|host| host.failing = None);
    }
    assert_eq!((calls(), host(|host| host.resumed)), (0, 0));
    tick(root, 20 * MILLISECOND);
    answer(root, "200", &jwks(&["k"]));
    assert_eq!(host(|host| host.resumed), 1);
}

/// Envoy once crashed when its fetches ended while another ended, or after the client had left
/// (CVE-2025-64527).
#[test]
fn two_fetches_end_in_any_order_while_clients_come_and_go_and_each_request_is_told_once() {
    let mut document = remote();
    let mut second = document["providers"][0].clone();
    second["name"] = json!("q");
    second["issuers"] = json!(["https://other.test"]);
    document["providers"].as_array_mut().unwrap().push(second);
    let tokens = ["https://issuer.test", "https://other.test"].map(|issuer| token_of(issuer, "k"));
    // Each client leaves or stays, each fetch has no answer, a bad or a good one, in every order of the
    // four events.
    let orders = (0..256_u32).map(|n| [n & 3, n >> 2 & 3, n >> 4 & 3, n >> 6]);
    let orders: Vec<_> =
        orders.filter(|order| (0..4).all(|event| order.contains(&event))).collect();
    let cases = orders.iter().flat_map(|order| (0..36).map(move |case| (order, case)));
    let (mut resumed, mut refused, mut left) = (0, 0, 0);
    for (order, case) in cases {
        let (leaves, outcomes) = ([case & 1, case >> 1 & 1], [case / 4 % 3, case / 12]);
        host(|host| host.shared.clear());
        assert!(configure(&document));
        let root = host(|host| host.root);
        let before = host(|host| {
            host.resumed = 0;
            host.replies.clear();
            host.requests.clear();
            host.calls.len() as u32
        });
        let streams = [1, 2].map(|n| open_with(root, n, &tokens[n as usize - 1]).0);
        tick(root, 20 * MILLISECOND);
        assert_eq!(calls() as u32, before + 2, "{order:?} {case}");
        let mut open = [true; 2];
        for event in order {
            let index = *event as usize % 2;
            if *event < 2 {
                let (status, body) = match outcomes[index] {
                    0 => ("", String::new()),
                    1 => ("503", "no".to_owned()),
                    _ => ("200", jwks(&["k"])),
                };
                answer_call(root, before + 1 + event, status, &body);
            } else if leaves[index] == 1 {
                close(streams[index]);
                open[index] = false;
                left += 1;
            }
        }
        tick(root, 10_000 * MILLISECOND);
        let told = host(|host| {
            refused += host.replies.len();
            resumed += host.resumed;
            host.resumed as usize + host.replies.len()
        });
        let staying = open.iter().filter(|open| **open).count();
        assert!((staying..=2).contains(&told), "{order:?} {case}: {told} of {staying}");
        for (stream, _) in streams.into_iter().zip(open).filter(|(_, open)| *open) {
            close(stream);
        }
    }
    assert!(resumed > 300 && refused > 300 && left == 24 * 36, "{resumed} {refused} {left}");
}

/// Two clusters whose tokens bear one issuer, each with a key set of its own.
fn start_with_two_clusters(first: &str, second: &str) -> u32 {
    host(|host| host.shared.clear());
    let mut configuration = remote();
    let mut other = configuration["providers"][0].clone();
    other["name"] = json!("q");
    other["keys"]["remote"]["uri"] = json!("https://issuer.test/other");
    configuration["providers"].as_array_mut().unwrap().push(other);
    assert!(configure(&configuration));
    let (root, before) = (host(|host| host.root), calls() as u32);
    tick(root, 0);
    assert_eq!(calls() as u32, before + 2);
    answer_call(root, before + 1, "200", first);
    answer_call(root, before + 2, "200", second);
    root
}

#[test]
fn a_token_whose_key_another_provider_of_its_issuer_may_get_waits_for_either() {
    for (slow, quick) in [(1, 2), (2, 1)] {
        let root = start_with_two_clusters(&jwks(&["one"]), &jwks(&["two"]));
        let before = calls() as u32;
        assert_eq!(open(root, 1, "one").1, CONTINUE);
        assert_eq!(open(root, 2, "two").1, CONTINUE);
        assert_eq!(open(root, 3, "new").1, PAUSE);
        tick(root, 20 * MILLISECOND);
        assert_eq!(calls() as u32, before + 2, "both are asked");
        let resumed = host(|host| host.resumed);
        answer_call(root, before + quick, "200", &jwks(&["one", "two"]));
        assert_eq!((host(|host| host.resumed), replies().len()), (resumed, 0), "it waits on");
        answer_call(root, before + slow, "200", &jwks(&["new"]));
        assert_eq!((host(|host| host.resumed), replies().len()), (resumed + 1, 0));
        proxy_on_delete(root + 1);
    }
}

#[test]
fn a_provider_without_keys_refuses_none_of_another_of_its_issuer_and_is_the_reason_for_its_own() {
    let root = start_with_two_clusters("{}", &jwks(&["two"]));
    assert_eq!(open(root, 1, "two").1, CONTINUE);
    open(root, 2, "one");
    tick(root, TIMEOUT);
    tick(root, TIMEOUT);
    assert_eq!(replies(), [(503, "keys_unavailable".to_owned())]);
}
