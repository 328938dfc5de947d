//! A store that fails, or loses every race.

use std::cell::Cell;

use super::*;
use crate::store::Unreliable;

#[test]
fn a_version_of_zero_is_a_failure_and_never_written_back() {
    struct Unversioned;
    impl Store for Unversioned {
        fn load(&self, _: &str) -> Result<Option<(Vec<u8>, u32)>, StoreError> {
            Ok(Some((vec![0; 192], 0)))
        }
        fn swap(&self, _: &str, _: &[u8], _: u32) -> Result<Swap, StoreError> {
            panic!("written")
        }
    }
    let (_, table) = opened(8);
    let quota = quota(1, SECOND, 1);
    let answer = take_all(
        &table,
        &Unversioned,
        &|| NOW,
        &[ask("l", "x", &quota, 1)],
        &mut Counters::default(),
    );
    assert_eq!(answer, Err(TakeError::Store(StoreError::Unversioned)));
    assert_eq!(Table::open(&Unversioned, "p", 8, [0; 16]).err(), Some(StoreError::Unversioned));
}

#[test]
fn races_lost_for_ever_end_as_contended() {
    let (memory, table) = opened(8);
    let store = Unreliable { inner: &memory, refuse: |_: &str| Some(Ok(Swap::Lost)) };
    let quota = quota(1, SECOND, 1);
    let mut counters = Counters::default();
    let request = [ask("l", "x", &quota, 1)];
    let answer = take_all(&table, &store, &|| NOW, &request, &mut counters);
    assert_eq!(answer, Err(TakeError::Contended));
    assert_eq!(counters.retries, u64::from(TRIES));
    assert_eq!(Table::open(&store, "new", 8, [0; 16]).err(), Some(StoreError::Damaged));
}

#[test]
fn a_charge_that_loses_every_race_counts_them_and_is_given_up() {
    let (memory, table) = opened(8);
    let store = Unreliable { inner: &memory, refuse: |_: &str| Some(Ok(Swap::Lost)) };
    let quota = quota(1, SECOND, 1).with_debt();
    let mut counters = Counters::default();
    settle(&table, &store, &|| NOW, &ask("l", "x", &quota, 1), 0, &mut counters);
    assert_eq!((counters.retries, counters.uncharged), (u64::from(TRIES), 1));
}

#[test]
fn tokens_taken_before_a_failure_are_given_back() {
    let failures = [
        (Ok(Swap::Lost), TakeError::Contended),
        (Err(StoreError::Host(10)), TakeError::Store(StoreError::Host(10))),
    ];
    for (failure, expected) in failures {
        let (memory, table) = opened(512);
        let quota = quota(3, SECOND, 5);
        let requests = [ask("a", "x", &quota, 2), ask("b", "x", &quota, 2)];
        let places = requests.map(|request| place(&table, &request).slot);
        assert_ne!(places[0], places[1]);
        let broken = format!("tollgate/p/b2/{}", places[0].max(places[1]));
        let writes = Cell::new(0);
        let refuse = |key: &str| {
            writes.set(writes.get() + 1);
            (key == broken).then_some(failure)
        };
        let store = Unreliable { inner: &memory, refuse };
        let mut counters = Counters::default();
        let answer = take_all(&table, &store, &|| NOW, &requests, &mut counters);
        assert_eq!(answer, Err(expected));
        assert!(writes.get() >= 3, "taken, refused, given back");
        assert_eq!(counters.stranded, 0);
        for request in requests {
            assert_eq!(remaining(&table, &memory, NOW, request), 5);
        }
    }
}

#[test]
fn tokens_that_cannot_be_given_back_are_counted() {
    let (memory, table) = opened(512);
    let quota = quota(3, SECOND, 5);
    let requests = [ask("a", "x", &quota, 2), ask("b", "x", &quota, 2)];
    // The first write is the last that works.
    let writes = Cell::new(0);
    let refuse = |_: &str| {
        writes.set(writes.get() + 1);
        (writes.get() > 1).then_some(Err(StoreError::Host(10)))
    };
    let store = Unreliable { inner: &memory, refuse };
    let mut counters = Counters::default();
    assert!(take_all(&table, &store, &|| NOW, &requests, &mut counters).is_err());
    assert_eq!(counters.stranded, 1);
}
