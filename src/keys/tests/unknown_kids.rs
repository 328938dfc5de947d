//! Requests that lack a key: which of them cause a fetch, and which wait for one.

use serde_json::{Value, json};

use super::*;

/// Random kids come to all workers at once; the seconds at which one of them fetched.
fn flood(store: &Shared, workers: &mut [LocalKeys], seconds: std::ops::Range<u32>) -> Vec<u32> {
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
        let store = Shared::default();
        good(&store, "k", NOW);
        let fetches = flood(&store, &mut workers(count), 1..130);
        assert_eq!(fetches, [1, 2, 3, 32, 62, 92, 122], "{count} workers");
    }
}

#[test]
fn one_junk_kid_before_a_rotation_does_not_keep_the_new_key_out() {
    let store = Shared::default();
    let mut worker = good(&store, "old", NOW);
    let wanted = |worker: &mut LocalKeys, now: Moment| {
        let asked =
            worker.on_missing(&store, Lack::Kid, now, until(now, now + 5 * SECOND)).unwrap();
        let cause = (asked == Missing::Wait).then(|| worker.wants_fetch(now)).flatten();
        cause.is_some_and(|cause| worker.lease(&store, cause, now + NANO).unwrap())
    };
    // Two junk kids are two of three; a fetch with new keys does not count.
    for second in [10, 11] {
        let now = NOW + second * SECOND;
        assert!(wanted(&mut worker, now));
        fetched(&mut worker, &store, "old", now + 2 * NANO);
    }
    for (second, kid) in [(12, "a"), (14, "b"), (16, "c"), (18, "d")] {
        let now = NOW + second * SECOND;
        assert!(wanted(&mut worker, now), "{kid}");
        fetched(&mut worker, &store, kid, now + 2 * NANO);
        assert_eq!(kids(&worker, now + 2 * NANO), [kid]);
    }
    // The third fetch without new keys is the last.
    let now = NOW + 20 * SECOND;
    assert!(wanted(&mut worker, now));
    fetched(&mut worker, &store, "d", now + 2 * NANO);
    assert!(!wanted(&mut worker, now + SECOND));
}

#[test]
fn a_set_that_is_only_written_anew_has_no_new_keys() {
    let store = Shared::default();
    let mut worker = good(&store, "k", NOW);
    let mut fetches = 0;
    for second in 1..60 {
        let now = NOW + second * SECOND;
        worker.on_missing(&store, Lack::Kid, now, until(now, now + 5 * SECOND)).unwrap();
        let Some(cause) = worker.wants_fetch(now) else { continue };
        assert!(worker.lease(&store, cause, now + NANO).unwrap());
        let mut document: Value = serde_json::from_slice(&set("k")).unwrap();
        document["served_at"] = json!(second);
        fetched_set(&mut worker, &store, document.to_string().as_bytes(), now + 2 * NANO);
        fetches += 1;
    }
    assert_eq!(fetches, 4, "three at once, one after an interval");
}

#[test]
fn an_issuer_whose_servers_disagree_is_not_asked_without_end() {
    let store = Shared::default();
    let mut worker = good(&store, "k", NOW);
    let mut fetches = 0;
    for step in 1..1_000 {
        // Ten seconds, in steps of 10 ms.
        let now = NOW + step * SECOND / 100;
        worker.on_missing(&store, Lack::Kid, now, until(now, now + 5 * SECOND)).unwrap();
        let Some(cause) = worker.wants_fetch(now) else { continue };
        assert!(worker.lease(&store, cause, now + NANO).unwrap());
        fetched(&mut worker, &store, if fetches % 2 == 0 { "a" } else { "b" }, now + 2 * NANO);
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
fn a_failed_fetch_for_an_unknown_kid_leaves_the_refresh_where_it_was() {
    let store = Shared::default();
    let mut worker = good(&store, "k", NOW);
    let now = NOW + MINUTE;
    worker.on_missing(&store, Lack::Kid, now, until(now, now + 5 * SECOND)).unwrap();
    assert!(worker.lease(&store, Cause::UnknownKid { since: now }, now).unwrap());
    assert!(worker.fail(&store, 0.0, now).unwrap());
    assert_eq!((worker.record().next_at, worker.record().failures), (NOW + HOUR, 0));
    assert_eq!(kids(&worker, now), ["k"]);
}

#[test]
fn a_request_without_any_key_waits_for_a_fetch_that_runs_or_is_due_and_for_no_later_one() {
    let store = Shared::default();
    let [mut first, mut second] = [worker(), worker()];
    let mut missing =
        |lack, now, deadline| second.on_missing(&store, lack, now, until(now, deadline)).unwrap();
    assert_eq!(missing(Lack::AllKeys, NOW, NOW + SECOND), Missing::Wait);
    first.lease(&store, Cause::Due, NOW).unwrap();
    assert_eq!(missing(Lack::AllKeys, NOW, NOW + SECOND), Missing::Wait);
    first.fail(&store, 0.0, NOW).unwrap();
    assert_eq!(missing(Lack::AllKeys, NOW, NOW + MINUTE), Missing::Final);
    assert_eq!(first.next_fetch(NOW), SECOND);
    assert_eq!(missing(Lack::AllKeys, NOW + SECOND, NOW + MINUTE), Missing::Wait);
    assert_eq!(missing(Lack::AllKeys, NOW + 5 * SECOND, NOW + 5 * SECOND), Missing::Final);
    fetched(&mut first, &store, "k", NOW);
    assert_eq!(missing(Lack::AllKeys, NOW, NOW), Missing::Judge);
}
