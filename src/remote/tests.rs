//! Laws of the shared record: who may fetch, when, and what may replace what.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::answer::{self, FetchError};
use super::local::{Lack, LocalKeys, Missing};
use super::record::{Record, refresh_after};
use super::*;
use crate::headers::Headers;
use crate::provider::{
    Audiences, Bind, Issuer, KeysFrom, Provider, RemoteSource, Tenants, TokenUse,
};
use crate::uri::HttpUri;

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
        self.sets_read.set(self.sets_read.get() + usize::from(key.ends_with("/set")));
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

/// A worker that has fetched `kid`, an hour's refresh ahead of it.
fn good(store: &Memory, kid: &str, now: u64) -> LocalKeys {
    let mut worker = worker();
    worker.lease(store, Cause::Due, now).unwrap();
    assert!(worker.succeed(store, &set(kid), HOUR, now).unwrap());
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
        assert!(workers[fetching].succeed(&store, &set(&kid), HOUR, now).unwrap());
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
fn a_refresh_follows_max_age_in_bounds_and_never_outlives_the_keys() {
    let timing = *worker().shared().timing();
    for (max_age, base) in [
        (None, HOUR),
        (Some(0), 5 * MINUTE),
        (Some(299), 5 * MINUTE),
        (Some(600), 10 * MINUTE),
        (Some(7_200), 2 * HOUR),
    ] {
        assert_eq!(refresh_after(&timing, max_age, 0.0), base);
        assert_eq!(refresh_after(&timing, max_age, 1.0), base + base / 10);
        assert_eq!(refresh_after(&timing, max_age, -1.0), base - base / 10);
        assert_eq!(refresh_after(&timing, max_age, 99.0), base + base / 10);
    }
    let patient = Timing { max_stale: u64::MAX, ..timing };
    for max_age in [86_400, 90_000, u64::MAX] {
        assert_eq!(refresh_after(&patient, Some(max_age), 0.0), 24 * HOUR);
        assert!(refresh_after(&timing, Some(max_age), 1.0) < timing.max_stale);
    }
}

#[test]
fn an_unknown_kid_causes_one_fetch_in_an_interval_whatever_the_number_of_workers() {
    let store = Memory::default();
    good(&store, "k", NOW);
    let mut workers = workers(8);
    let mut fetches = Vec::new();
    for second in 1..=70 {
        let now = NOW + second * SECOND;
        for worker in &mut workers {
            while worker.on_missing(&store, Lack::Kid, now, now + SECOND).unwrap() == Missing::Judge
            {
            }
        }
        for worker in &mut workers {
            let Some(cause) = worker.wants_fetch(now) else { continue };
            if worker.lease(&store, cause, now).unwrap() {
                assert_eq!(cause, Cause::UnknownKid);
                fetches.push(second);
                worker.succeed(&store, &set("k"), HOUR, now).unwrap();
            }
        }
        // Between the fetches an unknown kid is refused at once.
        let missing = workers[0].on_missing(&store, Lack::Kid, now, now + SECOND).unwrap();
        assert_eq!(missing, Missing::Final);
    }
    assert_eq!(fetches, [1, 31, 61]);
}

#[test]
fn a_failed_fetch_for_an_unknown_kid_leaves_the_refresh_where_it_was() {
    let store = Memory::default();
    let mut worker = good(&store, "k", NOW);
    let now = NOW + MINUTE;
    worker.on_missing(&store, Lack::Kid, now, now + 1).unwrap();
    assert!(worker.lease(&store, Cause::UnknownKid, now).unwrap());
    assert!(worker.fail(&store, 0.0, now).unwrap());
    assert_eq!((worker.record().next_at, worker.record().failures), (NOW + HOUR, 0));
    assert_eq!(kids(&worker, now), ["k"]);
}

#[test]
fn a_request_without_any_key_waits_for_each_try_before_its_deadline() {
    let store = Memory::default();
    let [mut first, mut second] = [worker(), worker()];
    let mut missing = |lack, now, deadline| second.on_missing(&store, lack, now, deadline).unwrap();
    assert_eq!(missing(Lack::AllKeys, NOW, NOW + SECOND), Missing::Wait);
    first.lease(&store, Cause::Due, NOW).unwrap();
    assert_eq!(missing(Lack::AllKeys, NOW, NOW + SECOND), Missing::Wait);
    first.fail(&store, 0.0, NOW).unwrap();
    assert_eq!(missing(Lack::AllKeys, NOW, NOW + SECOND), Missing::Final);
    assert_eq!(missing(Lack::AllKeys, NOW, NOW + SECOND + 1), Missing::Wait);
    assert_eq!(missing(Lack::AllKeys, NOW + 5 * SECOND, NOW + 5 * SECOND), Missing::Final);
    first.succeed(&store, &set("k"), HOUR, NOW).unwrap();
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
    worker.succeed(&store, &set("k"), HOUR, NOW + HOUR).unwrap();
    let before = store.sets_read.get();
    assert!(!other.refresh(&store).unwrap());
    assert_eq!(store.sets_read.get(), before);
    assert_eq!((other.record().good_at, other.record().version), (NOW + HOUR, NOW));
    worker.succeed(&store, &set("l"), HOUR, NOW + HOUR).unwrap();
    assert!(other.refresh(&store).unwrap());
    assert_eq!(kids(&other, NOW + HOUR), ["l"]);
}

#[test]
fn lost_races_lose_nothing_and_a_version_never_stands_for_two_sets() {
    for lose in 0..8 {
        let store = Memory::default();
        let mut worker = good(&store, "k", NOW);
        store.lose.set(lose);
        assert!(worker.succeed(&store, &set("l"), HOUR, NOW).unwrap());
        assert_eq!(kids(&worker, NOW), ["l"]);
    }
    // A writer that died between set and record leaves a set that the record does not name.
    let store = Memory::default();
    let mut worker = good(&store, "k", NOW);
    let orphan = [&(NOW + 1).to_le_bytes()[..], &set("orphan")].concat();
    let (_, cas) = store.load(&worker.shared().set_key).unwrap().unwrap();
    store.swap(&worker.shared().set_key, &orphan, cas).unwrap();
    worker.succeed(&store, &set("l"), HOUR, NOW).unwrap();
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
        worker.succeed(&store, &set("l"), HOUR, NOW + 1).unwrap();
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
fn what_is_no_key_set_is_told_apart_from_one_without_a_usable_key() {
    use FetchError::*;
    let secret = json!({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}).to_string();
    for (body, error) in [
        ("", Malformed),
        ("<html>", Malformed),
        ("[]", Malformed),
        (r#"{"keys":"#, Malformed),
        (r#"{"keys":[]}"#, NoUsableKey),
        (r#"{"keys":[{"kty":"RSA"}]}"#, NoUsableKey),
        (secret.as_str(), NoUsableKey),
    ] {
        assert_eq!(answer::key_set(body.as_bytes()).err(), Some(error), "{body}");
    }
    assert!(answer::key_set(&set("k")).is_ok());
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

#[test]
fn a_discovery_document_must_be_of_the_providers_issuer() {
    const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
    let provider = Provider {
        name: "p".to_owned(),
        issuers: vec![
            Issuer::Exact("https://i".to_owned()),
            Issuer::Tenanted { prefix: "https://t/".to_owned(), suffix: "/v2.0".to_owned() },
        ],
        tenants: Tenants::Only(vec![TENANT.to_owned()]),
        audiences: Audiences::Any,
        algorithms: None,
        keys: KeysFrom::Remote(remote()),
        clock_skew: 60,
        require_exp: true,
        max_lifetime: None,
        typ: None,
        token_use: TokenUse::Any,
        bind: Bind::None,
        identity: Vec::new(),
        entra: false,
    };
    let uri = |document: Value| answer::jwks_uri(document.to_string().as_bytes(), &provider);
    let of = |issuer: &str| uri(json!({"issuer": issuer, "jwks_uri": "https://k/x"}));
    for issuer in ["https://i", "https://t/{tenantid}/v2.0", &format!("https://t/{TENANT}/v2.0")] {
        assert_eq!(of(issuer).unwrap().path, "/x", "{issuer}");
    }
    for issuer in ["https://i/", "https://I", "https://t/other/v2.0", ""] {
        assert_eq!(of(issuer), Err(FetchError::IssuerMismatch), "{issuer}");
    }
    for document in [
        json!({"jwks_uri": "https://k/x"}),
        json!({"issuer": "https://i"}),
        json!({"issuer": "https://i", "jwks_uri": "ftp://k/x"}),
        json!({"issuer": ["https://i"], "jwks_uri": "https://k/x"}),
        json!([]),
    ] {
        assert_eq!(uri(document.clone()), Err(FetchError::Malformed), "{document}");
    }
}
