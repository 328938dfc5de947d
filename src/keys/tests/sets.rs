//! Key sets that all workers share.

use super::*;

#[test]
fn failures_never_replace_keys_and_the_keys_serve_until_max_stale() {
    let store = Shared::default();
    let mut worker = good(&store, "k", NOW);
    let end = NOW + 24 * HOUR;
    for now in [NOW + HOUR, NOW + 2 * HOUR, end] {
        worker.fail(&store, 0.0, now).unwrap();
        worker.refresh(&store).unwrap();
        assert_eq!(kids(&worker, now), ["k"]);
    }
    assert!(worker.current(end + NANO).is_none());
    assert_eq!(worker.record().attempts, 4);
}

#[test]
fn the_worker_that_fetched_a_set_does_not_read_it_back() {
    let store = Shared::default();
    let worker = good(&store, "k", NOW);
    assert_eq!(store.sets_read.get(), 1, "for the version of the set before it");
    assert_eq!(kids(&worker, NOW), ["k"]);
}

#[test]
fn an_unchanged_set_is_not_read_again_but_counts_as_fresh() {
    let store = Shared::default();
    let mut other = worker();
    let mut worker = good(&store, "k", NOW);
    other.refresh(&store).unwrap();
    fetched(&mut worker, &store, "k", NOW + HOUR);
    let before = store.sets_read.get();
    assert!(!other.refresh(&store).unwrap());
    assert_eq!(store.sets_read.get(), before);
    assert_eq!((other.record().good_at, other.record().version), (NOW + HOUR, NOW.as_nanos()));
    fetched(&mut worker, &store, "l", NOW + HOUR);
    assert!(other.refresh(&store).unwrap());
    assert_eq!(kids(&other, NOW + HOUR), ["l"]);
}

#[test]
fn lost_races_lose_nothing_and_a_version_never_stands_for_two_sets() {
    for lose in 0..8 {
        let store = Shared::default();
        let mut worker = good(&store, "k", NOW);
        store.lose.set(lose);
        assert!(fetched(&mut worker, &store, "l", NOW));
        assert_eq!(kids(&worker, NOW), ["l"]);
    }
    // A writer that died between set and record leaves a set that the record does not name.
    let store = Shared::default();
    let mut worker = good(&store, "k", NOW);
    let orphan = [&(NOW.as_nanos() + 1).to_le_bytes()[..], &set("orphan")].concat();
    let (_, cas) = store.load(&worker.shared().set_key).unwrap().unwrap();
    store.swap(&worker.shared().set_key, &orphan, cas).unwrap();
    fetched(&mut worker, &store, "l", NOW);
    assert_eq!(
        (worker.record().version, kids(&worker, NOW)),
        (NOW.as_nanos() + 2, vec!["l".to_owned()])
    );
}

#[test]
fn damaged_data_is_tolerated_and_replaced() {
    for damage in [&b""[..], b"\xff", &[0xff; 64], &[7; 200]] {
        let store = Shared::default();
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
        fetched(&mut worker, &store, "l", NOW + NANO);
        assert_eq!(kids(&worker, NOW + NANO), ["l"], "{damage:?}");
    }
    let record = Record { version: 1, attempts: 2, failures: 8, ..Record::default() };
    assert_eq!(Record::decode(&record.encode()), record);
}

#[test]
fn a_clock_that_steps_back_neither_stretches_a_pause_nor_a_lease() {
    let store = Shared::default();
    let mut worker = good(&store, "k", NOW);
    let past = NOW - 10 * HOUR;
    assert_eq!(worker.wants_fetch(NOW), None);
    assert_eq!(worker.wants_fetch(past), Some(Cause::Due));
    assert_eq!(kids(&worker, past), ["k"]);
    assert!(worker.lease(&store, Cause::Due, past).unwrap());
    worker.fail(&store, 0.0, past).unwrap();
    assert_eq!(worker.record().next_at, past + SECOND);
    // A step within the usual difference between readings of one clock has no effect.
    let worker = good(&store, "k", NOW);
    assert_eq!(worker.wants_fetch(NOW - SECOND), None);
}
