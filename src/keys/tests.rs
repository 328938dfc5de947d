//! Laws of the shared record: which worker fetches, when, and which keys replace others.

mod answers;
mod discovery;
mod sets;
mod unknown_kids;

use std::cell::Cell;
use std::time::Duration;

use serde_json::json;

use super::local::{Lack, LocalKeys, Missing, Wait};
use super::record::Timing;
use super::record::{Cause, Record};
use super::shared::SharedKeys;
use super::*;
use crate::store::memory::Memory;
use crate::store::{Store, StoreError, Swap};
use crate::time::Moment;
use crate::uri::HttpUri;
use crate::verify::provider::{Remote, RemoteSource};

const NANO: Duration = Duration::from_nanos(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const NOW: Moment = Moment::from_secs(1_800_000_000);

/// Shared data; `lose` makes that many writes lose their race.
#[derive(Default)]
struct Shared {
    inner: Memory,
    lose: Cell<usize>,
    sets_read: Cell<usize>,
}

impl Store for Shared {
    fn load(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, StoreError> {
        self.sets_read.set(self.sets_read.get() + usize::from(key.contains("/set ")));
        self.inner.load(key)
    }

    fn swap(&self, key: &str, value: &[u8], cas: u32) -> Result<Swap, StoreError> {
        match self.lose.get() {
            0 => self.inner.swap(key, value, cas),
            more => {
                self.lose.set(more - 1);
                Ok(Swap::Lost)
            }
        }
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

fn kids(worker: &LocalKeys, now: Moment) -> Vec<String> {
    let kids = |set: &crate::verify::keyset::KeySet| {
        set.iter().map(|key| key.kid().unwrap_or_default().to_owned()).collect()
    };
    worker.current(now).map(kids).unwrap_or_default()
}

/// This worker fetches a set that has `kid`; true where the store took it.
fn fetched(worker: &mut LocalKeys, store: &Shared, kid: &str, now: Moment) -> bool {
    fetched_set(worker, store, &set(kid), now)
}

fn fetched_set(worker: &mut LocalKeys, store: &Shared, set: &[u8], now: Moment) -> bool {
    let (keys, _) = answer::key_set(set).unwrap();
    worker.succeed(store, set, keys, HOUR, now).unwrap()
}

/// The wait of a request that came at `since`.
fn until(since: Moment, until: Moment) -> Wait {
    Wait { since, until }
}

/// A worker that has fetched `kid`, an hour's refresh ahead of it.
fn good(store: &Shared, kid: &str, now: Moment) -> LocalKeys {
    let mut worker = worker();
    worker.lease(store, Cause::Due, now).unwrap();
    assert!(fetched(&mut worker, store, kid, now));
    worker
}

#[test]
fn one_worker_of_many_fetches_and_all_adopt() {
    let store = Shared::default();
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
    let store = Shared::default();
    let [mut first, mut second] = [worker(), worker()];
    assert!(first.lease(&store, Cause::Due, NOW).unwrap());
    let end = NOW + 11 * SECOND;
    for (now, got) in [(NOW, false), (end - NANO, false), (end, true)] {
        assert_eq!(second.lease(&store, Cause::Due, now).unwrap(), got, "{:?}", now.since(NOW));
    }
    assert!(!first.lease(&store, Cause::Due, end).unwrap());
    second.shared().release(&store).unwrap();
    assert!(first.lease(&store, Cause::Due, end).unwrap());
    // A lost race does not grant two leases.
    second.shared().release(&store).unwrap();
    store.lose.set(3);
    assert!(first.lease(&store, Cause::Due, end).unwrap());
    assert!(!second.lease(&store, Cause::Due, end).unwrap());
}

#[test]
fn pauses_double_from_a_second_to_a_minute_with_keys_and_stay_short_without() {
    let fail = |record: Record, jitter: f64, now: Moment| {
        let timing = *worker().shared().timing();
        let next = record.failed(&timing, jitter, now);
        (next, next.next_try(&timing, now).since(now))
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
                assert!((most - most / 10..=most).contains(&pause), "{seconds}: {pause:?}");
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
    assert!(record.due(&timing, NOW + MINUTE + NANO));
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
        // A configured interval below a minute is used.
        (5 * SECOND, Some(0), 5 * SECOND),
        (5 * SECOND, Some(3_600), 5 * SECOND),
    ] {
        let timing = Timing { refresh, ..timing };
        let max_age = max_age.map(Duration::from_secs);
        assert_eq!(timing.refresh_after(max_age, 0.0), base, "{refresh:?} {max_age:?}");
        assert_eq!(timing.refresh_after(max_age, 1.0), base + base / 10);
        assert_eq!(timing.refresh_after(max_age, -1.0), base - base / 10);
        assert_eq!(timing.refresh_after(max_age, 99.0), base + base / 10);
    }
    // Keys are fetched again before they are too old.
    let short = Timing { max_stale: HOUR, ..timing };
    assert_eq!(short.refresh_after(Some(24 * HOUR), 1.0), HOUR - HOUR / 10);
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
