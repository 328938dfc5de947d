//! Laws of the shared record: who may fetch, when, and what may replace what.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::answer::{self, FetchError};
use super::local::{Lack, LocalKeys, Missing, Wait};
use super::record::{Record, refresh_after};
use super::*;
use crate::request::headers::Headers;
use crate::uri::HttpUri;
use crate::verify::provider::{Issuer, KeysFrom, Provider, RemoteSource, Tenants};

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const NOW: u64 = 1_800_000_000 * SECOND;

/// Shared data; `lose` makes that many writes lose their race.
#[derive(Default)]
struct Memory {
    values: RefCell<HashMap<String, (Vec<u8>, u32)>>,
    lose: Cell<usize>,
    sets_read: Cell<usize>,
}

impl Store for Memory {
    fn load(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, StoreError> {
        self.sets_read.set(self.sets_read.get() + usize::from(key.contains("/set ")));
        Ok(self.values.borrow().get(key).cloned())
    }

    fn swap(&self, key: &str, value: &[u8], cas: u32) -> Result<Swap, StoreError> {
        if self.lose.get() > 0 {
            self.lose.set(self.lose.get() - 1);
            return Ok(Swap::Lost);
        }
        let mut values = self.values.borrow_mut();
        let next = match values.get(key) {
            Some((_, current)) if *current != cas => return Ok(Swap::Lost),
            Some((_, current)) => current + 1,
            None => 1,
        };
        values.insert(key.to_owned(), (value.to_vec(), next));
        Ok(Swap::Done)
    }
}

fn remote() -> Remote {
    Remote {
        source: RemoteSource::Uri(HttpUri::parse("https://idp.example/keys").unwrap()),
        cluster: "idp".to_owned(),
        keys_cluster: None,
        timeout: Duration::from_secs(5),
        refresh_interval: Duration::from_secs(3_600),
        unknown_kid_interval: Duration::from_secs(30),
        max_stale: Duration::from_secs(86_400),
    }
}

fn worker() -> LocalKeys {
    LocalKeys::new("plugin", "p", &remote())
}

fn workers(count: usize) -> Vec<LocalKeys> {
    (0..count).map(|_| worker()).collect()
}

fn set(kid: &str) -> Vec<u8> {
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let key = json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x});
    json!({"keys": [key]}).to_string().into_bytes()
}

fn kids(worker: &LocalKeys, now: u64) -> Vec<String> {
    let kids = |set: &crate::verify::keyset::KeySet| {
        set.iter().map(|key| key.kid().unwrap_or_default().to_owned()).collect()
    };
    worker.current(now).map(kids).unwrap_or_default()
}

/// This worker fetches a set that has `kid`; true where the store took it.
fn fetched(worker: &mut LocalKeys, store: &Memory, kid: &str, now: u64) -> bool {
    fetched_set(worker, store, &set(kid), now)
}

fn fetched_set(worker: &mut LocalKeys, store: &Memory, set: &[u8], now: u64) -> bool {
    let (keys, _) = answer::key_set(set).unwrap();
    worker.succeed(store, set, &keys, HOUR, now).unwrap()
}

/// The wait of a request that came at `since`.
fn until(since: u64, until: u64) -> Wait {
    Wait { since, until }
}

/// A worker that has fetched `kid`, an hour's refresh ahead of it.
fn good(store: &Memory, kid: &str, now: u64) -> LocalKeys {
    let mut worker = worker();
    worker.lease(store, Cause::Due, now).unwrap();
    assert!(fetched(&mut worker, store, kid, now));
    worker
}

#[test]
fn one_worker_of_many_fetches_and_all_adopt() {
    let store = Memory::default();
    let mut workers = workers(4);
    for round in 1..=3 {
        let now = NOW + round * HOUR;
        let mut leased = Vec::new();
        for (index, worker) in workers.iter_mut().enumerate() {
            worker.refresh(&store).unwrap();
            if let Some(cause) = worker.wants_fetch(now)
                && worker.lease(&store, cause, now).unwrap()
            {
                leased.push(index);
            }
        }
        let [fetching] = leased[..] else { panic!("{leased:?} fetch") };
        let kid = format!("k{round}");
        assert!(fetched(&mut workers[fetching], &store, &kid, now));
        for worker in &mut workers {
            worker.refresh(&store).unwrap();
            assert_eq!(kids(worker, now), [kid.as_str()]);
        }
    }
}

#[test]
fn a_lease_excludes_the_others_until_it_expires_or_is_released() {
    let store = Memory::default();
    let [mut first, mut second] = [worker(), worker()];
    assert!(first.lease(&store, Cause::Due, NOW).unwrap());
    let end = NOW + 11 * SECOND;
    for (now, got) in [(NOW, false), (end - 1, false), (end, true)] {
        assert_eq!(second.lease(&store, Cause::Due, now).unwrap(), got, "{}", now - NOW);
    }
    assert!(!first.lease(&store, Cause::Due, end).unwrap());
    second.shared().release(&store).unwrap();
    assert!(first.lease(&store, Cause::Due, end).unwrap());
    // Nor does a lost race give two leases.
    second.shared().release(&store).unwrap();
    store.lose.set(3);
    assert!(first.lease(&store, Cause::Due, end).unwrap());
    assert!(!second.lease(&store, Cause::Due, end).unwrap());
}

#[test]
fn pauses_double_from_a_second_to_a_minute_with_keys_and_stay_short_without() {
    let fail = |record: Record, jitter: f64, now: u64| {
        let timing = *worker().shared().timing();
        let next = record.failed(&timing, jitter, now);
        (next, next.next_try(&timing, now) - now)
    };
    let usable = Record { version: 1, good_at: NOW, next_at: NOW, ..Record::default() };
    for (start, expected) in
        [(usable, [1, 2, 4, 8, 16, 32, 60, 60]), (Record::default(), [1, 2, 3, 3, 3, 3, 3, 3])]
    {
        let (mut record, mut now) = (start, NOW);
        for seconds in expected {
            for jitter in [-1.0, -0.3, 0.7, 1.0] {
                let (_, pause) = fail(record, jitter, now);
                let most = seconds * SECOND;
                assert!((most - most / 10..=most).contains(&pause), "{seconds}: {pause}");
            }
            let (next, pause) = fail(record, 0.0, now);
            assert_eq!(pause, seconds * SECOND);
            (record, now) = (next, now + pause);
        }
    }
    assert_eq!(fail(Record { failures: u64::MAX, ..usable }, 0.0, NOW).1, MINUTE);
}

#[test]
fn a_pause_ends_early_when_the_keys_grow_too_old_in_it() {
    let timing = Timing { max_stale: MINUTE, ..*worker().shared().timing() };
    let record = Record {
        version: 1,
        good_at: NOW,
        tried_at: NOW,
        next_at: NOW + HOUR,
        ..Record::default()
    };
    assert!(!record.due(&timing, NOW + MINUTE));
    assert!(record.due(&timing, NOW + MINUTE + 1));
}

#[test]
fn max_age_only_shortens_a_refresh_and_to_a_minute_at_least() {
    let timing = *worker().shared().timing();
    for (refresh, max_age, base) in [
        (HOUR, None, HOUR),
        (HOUR, Some(0), MINUTE),
        (HOUR, Some(59), MINUTE),
        (HOUR, Some(600), 10 * MINUTE),
        (HOUR, Some(3_600), HOUR),
        (HOUR, Some(86_400), HOUR),
        (HOUR, Some(u64::MAX), HOUR),
        (MINUTE, Some(86_400), MINUTE),
        (MINUTE, Some(0), MINUTE),
        // What the operator asks for holds below a minute, too.
        (5 * SECOND, Some(0), 5 * SECOND),
        (5 * SECOND, Some(3_600), 5 * SECOND),
    ] {
        let timing = Timing { refresh, ..timing };
        assert_eq!(refresh_after(&timing, max_age, 0.0), base, "{refresh} {max_age:?}");
        assert_eq!(refresh_after(&timing, max_age, 1.0), base + base / 10);
        assert_eq!(refresh_after(&timing, max_age, -1.0), base - base / 10);
        assert_eq!(refresh_after(&timing, max_age, 99.0), base + base / 10);
    }
    // Keys are fetched again before they are too old.
    let short = Timing { max_stale: HOUR, ..timing };
    assert_eq!(refresh_after(&short, Some(86_400), 1.0), HOUR - HOUR / 10);
}

/// Random kids come to all workers at once; the seconds at which one of them fetched.
fn flood(store: &Memory, workers: &mut [LocalKeys], seconds: std::ops::Range<u64>) -> Vec<u64> {
    let mut fetches = Vec::new();
    for second in seconds {
        let now = NOW + second * SECOND;
        let wait = until(now, now + 5 * SECOND);
        for worker in &mut *workers {
            while worker.on_missing(store, Lack::Kid, now, wait).unwrap() == Missing::Judge {}
        }
        let now = now + SECOND / 4;
        for worker in &mut *workers {
            let Some(cause) = worker.wants_fetch(now) else { continue };
            if worker.lease(store, cause, now).unwrap() {
                assert!(matches!(cause, Cause::UnknownKid { .. }));
                fetches.push(second);
                fetched(worker, store, "k", now);
            }
        }
        if fetches.last() != Some(&second) {
            continue;
        }
        // The request that waited is answered by that fetch and causes no other.
        let now = now + SECOND / 4;
        let again = workers[0].on_missing(store, Lack::Kid, now, wait).unwrap();
        assert_eq!(again, Missing::Final);
        assert_eq!(workers[0].wants_fetch(now), None);
    }
    fetches
}

#[test]
fn unknown_kids_cause_three_fetches_at_once_and_one_in_an_interval_whatever_the_workers() {
    for count in [1, 8] {
        let store = Memory::default();
        good(&store, "k", NOW);
        let fetches = flood(&store, &mut workers(count), 1..130);
        assert_eq!(fetches, [1, 2, 3, 32, 62, 92, 122], "{count} workers");
    }
}

#[test]
fn one_junk_kid_before_a_rotation_does_not_keep_the_new_key_out() {
    let store = Memory::default();
    let mut worker = good(&store, "old", NOW);
    let wanted = |worker: &mut LocalKeys, now: u64| {
        let asked =
            worker.on_missing(&store, Lack::Kid, now, until(now, now + 5 * SECOND)).unwrap();
        let cause = (asked == Missing::Wait).then(|| worker.wants_fetch(now)).flatten();
        cause.is_some_and(|cause| worker.lease(&store, cause, now + 1).unwrap())
    };
    // Two junk kids are two of three; what brings new keys does not count.
    for second in [10, 11] {
        let now = NOW + second * SECOND;
        assert!(wanted(&mut worker, now));
        fetched(&mut worker, &store, "old", now + 2);
    }
    for (second, kid) in [(12, "a"), (14, "b"), (16, "c"), (18, "d")] {
        let now = NOW + second * SECOND;
        assert!(wanted(&mut worker, now), "{kid}");
        fetched(&mut worker, &store, kid, now + 2);
        assert_eq!(kids(&worker, now + 2), [kid]);
    }
    // The third that brings nothing new is the last.
    let now = NOW + 20 * SECOND;
    assert!(wanted(&mut worker, now));
    fetched(&mut worker, &store, "d", now + 2);
    assert!(!wanted(&mut worker, now + SECOND));
}

#[test]
fn a_set_that_is_only_written_anew_has_no_new_keys() {
    let store = Memory::default();
    let mut worker = good(&store, "k", NOW);
    let mut fetches = 0;
    for second in 1..60 {
        let now = NOW + second * SECOND;
        worker.on_missing(&store, Lack::Kid, now, until(now, now + 5 * SECOND)).unwrap();
        let Some(cause) = worker.wants_fetch(now) else { continue };
        assert!(worker.lease(&store, cause, now + 1).unwrap());
        let mut document: Value = serde_json::from_slice(&set("k")).unwrap();
        document["served_at"] = json!(second);
        fetched_set(&mut worker, &store, document.to_string().as_bytes(), now + 2);
        fetches += 1;
    }
    assert_eq!(fetches, 4, "three at once, one after an interval");
}

#[test]
fn an_issuer_whose_servers_disagree_is_not_asked_without_end() {
    let store = Memory::default();
    let mut worker = good(&store, "k", NOW);
    let mut fetches = 0;
    for step in 1..1_000 {
        // Ten seconds, in steps of 10 ms.
        let now = NOW + step * SECOND / 100;
        worker.on_missing(&store, Lack::Kid, now, until(now, now + 5 * SECOND)).unwrap();
        let Some(cause) = worker.wants_fetch(now) else { continue };
        assert!(worker.lease(&store, cause, now + 1).unwrap());
        fetched(&mut worker, &store, if fetches % 2 == 0 { "a" } else { "b" }, now + 2);
        fetches += 1;
    }
    assert!((3..=13).contains(&fetches), "{fetches}");
}

#[test]
fn the_allowance_for_unknown_kids_survives_a_clock_that_steps_back_and_a_shorter_interval() {
    let timing = *worker().shared().timing();
    let spent = Record { unknown_until: NOW + 90 * SECOND, ..Record::default() };
    assert!(!spent.admits_unknown_kid(&timing, NOW, NOW));
    assert!(spent.admits_unknown_kid(&timing, NOW, NOW + 30 * SECOND));
    assert!(spent.admits_unknown_kid(&timing, NOW, NOW - HOUR));
    let shorter = Timing { unknown_kid: SECOND, ..timing };
    assert!(spent.admits_unknown_kid(&shorter, NOW, NOW));
}

#[test]
fn two_layouts_and_two_configurations_share_no_name() {
    let name = |remote: &Remote| {
        let keys = SharedKeys::new("plugin", "p", remote);
        (keys.record_key, keys.set_key)
    };
    let (record, set) = name(&remote());
    for name in [record, set] {
        assert!(name.starts_with("tollgate/plugin/k2/"), "{name}");
    }
    let uri = |text: &str| HttpUri::parse(text).unwrap();
    let of = |source, cluster: &str, keys_cluster: Option<&str>| Remote {
        source,
        cluster: cluster.to_owned(),
        keys_cluster: keys_cluster.map(str::to_owned),
        ..remote()
    };
    let all = [
        of(RemoteSource::Uri(uri("https://a/x")), "c", None),
        of(RemoteSource::Discovery(uri("https://a/x")), "c", None),
        of(RemoteSource::Discovery(uri("https://a/x")), "c", Some("d")),
        of(RemoteSource::Discovery(uri("https://a/x")), "d", Some("c")),
        of(RemoteSource::Uri(uri("https://a/x/y")), "c", None),
        of(RemoteSource::Uri(uri("https://a/x")), "c/https://a/x", None),
        of(RemoteSource::Uri(uri("https://a/x/https://a/x")), "c", None),
    ];
    let names: std::collections::BTreeSet<_> =
        all.iter().flat_map(|remote| <[String; 2]>::from(name(remote))).collect();
    assert_eq!(names.len(), 2 * all.len());
}

#[test]
fn a_failed_fetch_for_an_unknown_kid_leaves_the_refresh_where_it_was() {
    let store = Memory::default();
    let mut worker = good(&store, "k", NOW);
    let now = NOW + MINUTE;
    worker.on_missing(&store, Lack::Kid, now, until(now, now + 5 * SECOND)).unwrap();
    assert!(worker.lease(&store, Cause::UnknownKid { since: now }, now).unwrap());
    assert!(worker.fail(&store, 0.0, now).unwrap());
    assert_eq!((worker.record().next_at, worker.record().failures), (NOW + HOUR, 0));
    assert_eq!(kids(&worker, now), ["k"]);
}

#[test]
fn a_request_without_any_key_waits_for_each_try_before_its_deadline() {
    let store = Memory::default();
    let [mut first, mut second] = [worker(), worker()];
    let mut missing =
        |lack, now, deadline| second.on_missing(&store, lack, now, until(now, deadline)).unwrap();
    assert_eq!(missing(Lack::AllKeys, NOW, NOW + SECOND), Missing::Wait);
    first.lease(&store, Cause::Due, NOW).unwrap();
    assert_eq!(missing(Lack::AllKeys, NOW, NOW + SECOND), Missing::Wait);
    first.fail(&store, 0.0, NOW).unwrap();
    assert_eq!(missing(Lack::AllKeys, NOW, NOW + SECOND), Missing::Final);
    assert_eq!(missing(Lack::AllKeys, NOW, NOW + SECOND + 1), Missing::Wait);
    assert_eq!(missing(Lack::AllKeys, NOW + 5 * SECOND, NOW + 5 * SECOND), Missing::Final);
    fetched(&mut first, &store, "k", NOW);
    assert_eq!(missing(Lack::AllKeys, NOW, NOW), Missing::Judge);
}

#[test]
fn failures_never_replace_keys_and_the_keys_serve_until_max_stale() {
    let store = Memory::default();
    let mut worker = good(&store, "k", NOW);
    let end = NOW + 24 * HOUR;
    for now in [NOW + HOUR, NOW + 2 * HOUR, end] {
        worker.fail(&store, 0.0, now).unwrap();
        worker.refresh(&store).unwrap();
        assert_eq!(kids(&worker, now), ["k"]);
    }
    assert!(worker.current(end + 1).is_none());
    assert_eq!(worker.record().attempts, 4);
}

#[test]
fn an_unchanged_set_is_not_read_again_but_counts_as_fresh() {
    let store = Memory::default();
    let mut other = worker();
    let mut worker = good(&store, "k", NOW);
    other.refresh(&store).unwrap();
    fetched(&mut worker, &store, "k", NOW + HOUR);
    let before = store.sets_read.get();
    assert!(!other.refresh(&store).unwrap());
    assert_eq!(store.sets_read.get(), before);
    assert_eq!((other.record().good_at, other.record().version), (NOW + HOUR, NOW));
    fetched(&mut worker, &store, "l", NOW + HOUR);
    assert!(other.refresh(&store).unwrap());
    assert_eq!(kids(&other, NOW + HOUR), ["l"]);
}

#[test]
fn lost_races_lose_nothing_and_a_version_never_stands_for_two_sets() {
    for lose in 0..8 {
        let store = Memory::default();
        let mut worker = good(&store, "k", NOW);
        store.lose.set(lose);
        assert!(fetched(&mut worker, &store, "l", NOW));
        assert_eq!(kids(&worker, NOW), ["l"]);
    }
    // A writer that died between set and record leaves a set that the record does not name.
    let store = Memory::default();
    let mut worker = good(&store, "k", NOW);
    let orphan = [&(NOW + 1).to_le_bytes()[..], &set("orphan")].concat();
    let (_, cas) = store.load(&worker.shared().set_key).unwrap().unwrap();
    store.swap(&worker.shared().set_key, &orphan, cas).unwrap();
    fetched(&mut worker, &store, "l", NOW);
    assert_eq!((worker.record().version, kids(&worker, NOW)), (NOW + 2, vec!["l".to_owned()]));
}

#[test]
fn damaged_data_is_tolerated_and_replaced() {
    for damage in [&b""[..], b"\xff", &[0xff; 64], &[7; 200]] {
        let store = Memory::default();
        let mut worker = good(&store, "k", NOW);
        for key in [&worker.shared().record_key, &worker.shared().set_key] {
            let (_, cas) = store.load(key).unwrap().unwrap();
            store.swap(key, damage, cas).unwrap();
        }
        for _ in 0..3 {
            assert!(!worker.refresh(&store).unwrap(), "{damage:?}");
        }
        let cause = worker.wants_fetch(NOW).expect("a damaged record wants a fetch");
        assert!(worker.lease(&store, cause, NOW).unwrap());
        fetched(&mut worker, &store, "l", NOW + 1);
        assert_eq!(kids(&worker, NOW + 1), ["l"], "{damage:?}");
    }
    let record = Record { version: 1, attempts: 2, failures: 8, ..Record::default() };
    assert_eq!(Record::decode(&record.encode()), record);
}

#[test]
fn a_clock_that_steps_back_neither_stretches_a_pause_nor_a_lease() {
    let store = Memory::default();
    let mut worker = good(&store, "k", NOW);
    let past = NOW - 10 * HOUR;
    assert_eq!(worker.wants_fetch(NOW), None);
    assert_eq!(worker.wants_fetch(past), Some(Cause::Due));
    assert_eq!(kids(&worker, past), ["k"]);
    assert!(worker.lease(&store, Cause::Due, past).unwrap());
    worker.fail(&store, 0.0, past).unwrap();
    assert_eq!(worker.record().next_at, past + SECOND);
    // A step within what differs between readings of one clock does nothing.
    let worker = good(&store, "k", NOW);
    assert_eq!(worker.wants_fetch(NOW - SECOND), None);
}

fn head(status: &str, more: &[(&str, &str)]) -> Headers {
    let pairs: Vec<_> = [(":status", status)]
        .iter()
        .chain(more)
        .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
        .collect();
    Headers::from_pairs(&pairs)
}

#[test]
fn only_a_complete_small_200_is_looked_at() {
    use FetchError::*;
    for (status, size, error) in [
        ("200", 0, None),
        ("200", answer::MAX_BODY, None),
        ("200", answer::MAX_BODY + 1, Some(TooLarge)),
        ("204", 0, Some(Status(204))),
        ("304", 0, Some(Status(304))),
        ("500", answer::MAX_BODY + 1, Some(Status(500))),
        ("ok", 0, Some(Unreachable)),
    ] {
        assert_eq!(answer::check_head(&head(status, &[]), size).err(), error, "{status} {size}");
    }
    let none: [(Vec<u8>, Vec<u8>); 0] = [];
    assert_eq!(answer::check_head(&Headers::from_pairs(&none), 0), Err(Unreachable));
}

#[test]
fn each_reason_for_which_a_fetched_set_is_refused_is_in_its_message() {
    let key = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let encryption = format!(r#"{{"keys":[{}]}}"#, key.replace("{", r#"{"use":"enc","#));
    let with_bom = format!("\u{feff}{{\"keys\":[{key}]}}");
    let twice = format!(r#"{{"keys":[{key}],"keys":[{key}]}}"#);
    let secret = json!({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}).to_string();
    let many = json!({"keys": vec![json!({}); 20]}).to_string();
    for (body, label, words) in [
        ("", "malformed", "not a JSON object"),
        ("<html>", "malformed", "a page of HTML or XML"),
        (" \n<?xml?>", "malformed", "a page of HTML or XML"),
        ("[]", "malformed", "not a JSON object"),
        (r#"{"keys":"#, "malformed", "not a JSON object"),
        (twice.as_str(), "malformed", "unique members"),
        (with_bom.as_str(), "malformed", "a byte order mark"),
        ("{}", "malformed", "without an array keys"),
        (r#"{"keys":null}"#, "malformed", "without an array keys"),
        (key, "malformed", "a single key (JWK)"),
        (r#"{"a":"-----BEGIN CERTIFICATE-----\nMII"}"#, "malformed", "a map of X.509 certificates"),
        (
            r#"{"issuer":"https://i","jwks_uri":"https://i/k"}"#,
            "malformed",
            "keys.remote.discovery",
        ),
        (r#"{"keys":[]}"#, "no_usable_key", "keys is empty"),
        (r#"{"keys":[{"kty":"RSA"}]}"#, "no_usable_key", "keys[0]: n is absent"),
        (encryption.as_str(), "no_usable_key", "keys[0]: use is neither sig nor jwt-svid"),
        (r#"{"keys":[{"kty":"RSA","kty":"EC"}]}"#, "no_usable_key", "keys[0]: a member twice"),
        (secret.as_str(), "no_usable_key", "keys[0]: oct keys are taken from inline or env"),
        (many.as_str(), "no_usable_key", "keys[7]: kty is absent; and 12 more"),
    ] {
        let error = answer::key_set(body.as_bytes()).map(|_| ()).unwrap_err();
        assert_eq!(error.label(), label, "{body}");
        let text = error.to_string();
        assert!(text.contains(words) && text.len() < 600, "{body}: {text}");
    }
    let gzip = answer::key_set(b"\x1f\x8b\x08\0").map(|_| ()).unwrap_err();
    assert!(gzip.to_string().contains("coded by gzip"), "{gzip}");
    assert!(answer::key_set(&set("k")).is_ok());
}

#[test]
fn a_coded_answer_is_refused_by_the_name_of_its_coding() {
    for coding in ["gzip", "br", "identity, gzip", "\u{1b}[1m"] {
        let error = answer::check_head(&head("200", &[("content-encoding", coding)]), 9);
        let Err(FetchError::Coded(name)) = error else { panic!("{coding}: {error:?}") };
        assert!(name == coding || name == "?[1m", "{name}");
    }
    for coding in ["", "identity", " Identity "] {
        let head = head("200", &[("content-encoding", coding)]);
        assert_eq!(answer::check_head(&head, 9), Ok(()), "{coding}");
    }
    let long = "x".repeat(9_000);
    let error = answer::check_head(&head("200", &[("content-encoding", &long)]), 9).unwrap_err();
    assert!(error.to_string().len() < 400);
}

#[test]
fn a_redirect_is_logged_by_host_and_path_without_what_may_be_secret() {
    for (location, to) in [
        ("https://idp.example/login?code=secret#frag", "idp.example/login"),
        ("https://user:secret@idp.example:8443/login", "idp.example:8443/login"),
        ("//user:secret@idp.example/login", "idp.example/login"),
        ("https://idp.example", "idp.example"),
        ("/login?next=/keys", "/login"),
        ("login", "login"),
        ("/a//b@c", "/a//b@c"),
        ("/\r\nx-evil: 1", "/??x-evil: 1"),
        ("https://idp.example/\u{e9}", "idp.example/??"),
        ("", ""),
    ] {
        for status in ["301", "302", "303", "307", "308"] {
            let error = answer::check_head(&head(status, &[("location", location)]), 0);
            let Err(error @ FetchError::Redirect { .. }) = error else { panic!("{error:?}") };
            assert_eq!(error.label(), "status");
            let text = format!("status {status}, a redirect to {to}, which is not followed");
            assert_eq!(error.to_string(), text);
        }
    }
    let long = format!("https://idp.example/{}", "x".repeat(9_000));
    let error = answer::check_head(&head("302", &[("location", &long)]), 0).unwrap_err();
    assert!(error.to_string().len() < 400);
}

#[test]
fn words_of_the_proxy_are_its_own_and_safe() {
    let tls = b"upstream connect error or disconnect/reset before headers. TLS_error:\r\n\x1b[1m";
    let words = answer::words_of_proxy(503, tls).unwrap();
    assert!(words.ends_with("TLS_error:???[1m"), "{words}");
    assert_eq!(answer::words_of_proxy(500, tls), None);
    assert_eq!(answer::words_of_proxy(503, b"my own upstream connect error"), None);
    let long = [&b"no healthy upstream"[..], &[b'x'; 4096]].concat();
    assert!(answer::words_of_proxy(503, &long).unwrap().len() < 400);
}

#[test]
fn max_age_is_read_from_cache_control_alone() {
    for (value, expected) in [
        ("max-age=600", Some(600)),
        ("public, Max-Age=600, must-revalidate", Some(600)),
        ("max-age=\"600\"", Some(600)),
        ("s-maxage=600", None),
        ("max-age=-1", None),
        ("max-age", None),
        ("max-age=99999999999999999999", None),
        ("no-store", None),
    ] {
        assert_eq!(answer::max_age(&head("200", &[("cache-control", value)])), expected, "{value}");
    }
    assert_eq!(answer::max_age(&head("200", &[("age", "600")])), None);
}

const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

fn provider() -> Provider {
    Provider {
        issuers: vec![
            Issuer::Exact("https://i".to_owned()),
            Issuer::Tenanted { prefix: "https://t/".to_owned(), suffix: "/v2.0".to_owned() },
        ],
        tenants: Tenants::Only(vec![TENANT.to_owned()]),
        ..Provider::of("https://i", KeysFrom::Remote(remote()))
    }
}

#[test]
fn a_discovery_document_must_be_of_the_providers_issuer() {
    let provider = provider();
    let uri = |document: &str| answer::jwks_uri(document.as_bytes(), &provider);
    let of = |issuer: &str| uri(&json!({"issuer": issuer, "jwks_uri": "https://k/x"}).to_string());
    for issuer in ["https://i", "https://t/{tenantid}/v2.0", &format!("https://t/{TENANT}/v2.0")] {
        assert_eq!(of(issuer).unwrap().path, "/x", "{issuer}");
    }
    for issuer in ["https://i/", "https://I", "https://t/other/v2.0", ""] {
        let error = of(issuer).unwrap_err();
        assert_eq!(error.label(), "issuer_mismatch");
        // Both issuers are named.
        let known = "the provider has https://i, https://t/{tenantid}/v2.0";
        let text = error.to_string();
        assert!(text.contains(&format!("names {issuer}, and {known}")), "{text}");
    }
    let odd = of(&format!("https://i\r\n\u{1b}{}", "x".repeat(9_000))).unwrap_err().to_string();
    assert!(odd.len() < 600 && odd.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{odd}");
    for (document, words) in [
        (json!({"jwks_uri": "https://k/x"}), "without a text issuer"),
        (json!({"issuer": "https://i"}), "without a text jwks_uri"),
        (json!({"issuer": ["https://i"], "jwks_uri": "https://k/x"}), "without a text issuer"),
        (json!({"keys": []}), "keys.remote.uri"),
        (json!([]), "not a JSON object"),
    ] {
        let error = uri(&document.to_string()).unwrap_err();
        assert_eq!(error.label(), "malformed");
        assert!(error.to_string().contains(words), "{document}: {error}");
    }
}

#[test]
fn a_discovery_document_is_read_as_strictly_as_a_token() {
    let provider = provider();
    let uri = |document: &str| answer::jwks_uri(document.as_bytes(), &provider);
    let good = r#"{"issuer":"https://i","jwks_uri":"https://k/x","x":{"a":[1]}}"#;
    assert!(uri(good).is_ok());
    for (from, to) in [
        (r#""issuer""#, r#""issuer":"https://evil","issuer""#),
        (r#""issuer""#, r#""\u0069ssuer":"https://evil","issuer""#),
        (r#""jwks_uri""#, r#""jwks_uri":"https://evil/x","jwks_uri""#),
        (r#""a":[1]"#, r#""a":1,"a":1"#),
        ("1", "1e400"),
        ("{", "\u{feff}{"),
    ] {
        let document = good.replacen(from, to, 1);
        let error = uri(&document).unwrap_err();
        assert!(matches!(error, FetchError::Document(_)), "{document}: {error}");
    }
    let gzip = answer::jwks_uri(b"\x1f\x8b\x08\0", &provider).unwrap_err();
    assert!(gzip.to_string().contains("coded by gzip"), "{gzip}");
}

#[test]
fn a_jwks_uri_that_is_no_absolute_address_is_named_as_such_and_not_repeated() {
    let provider = provider();
    let long = format!("https://k/{}", "x".repeat(9_000));
    for address in [
        "/jwks",
        "jwks",
        "//k/jwks",
        "https://user:secret@k/jwks",
        "https://k/jwks#secret",
        "https://k\u{e4}/jwks",
        "ftp://k/jwks",
        "",
        long.as_str(),
    ] {
        let document = json!({"issuer": "https://i", "jwks_uri": address}).to_string();
        let error = answer::jwks_uri(document.as_bytes(), &provider).unwrap_err();
        let text = error.to_string();
        assert!(text.ends_with("jwks_uri is no absolute http(s) address"), "{address}: {text}");
        assert!(!text.contains("secret") && error.label() == "malformed");
    }
}

#[test]
fn keys_on_another_host_than_the_discovery_document_come_through_their_own_cluster() {
    let uri = |text: &str| HttpUri::parse(text).unwrap();
    let google = Remote {
        source: RemoteSource::Discovery(uri("https://accounts.google.com/.well-known/x")),
        cluster: "accounts".to_owned(),
        keys_cluster: Some("certs".to_owned()),
        ..remote()
    };
    for (address, cluster) in [
        ("https://www.googleapis.com/oauth2/v3/certs", "certs"),
        ("https://accounts.google.com/keys", "accounts"),
        ("https://accounts.google.com:443/keys", "accounts"),
        ("https://accounts.google.com:8443/keys", "certs"),
        ("https://accounts.google.com.evil/keys", "certs"),
        ("http://accounts.google.com/keys", "certs"),
    ] {
        assert_eq!(google.cluster_of(&uri(address)), cluster, "{address}");
    }
    let one = Remote { keys_cluster: None, ..google };
    assert_eq!(one.cluster_of(&uri("https://www.googleapis.com/x")), "accounts");
}
