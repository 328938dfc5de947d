//! Fetches that fail, end late or belong to several providers, against a fake host.

use serde_json::json;

use super::exports::*;
use super::fake_host::host;
use super::held_tests::*;
use super::tests::{CONTINUE, PAUSE, configure};

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
