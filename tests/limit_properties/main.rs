//! The limiter's laws, against a store with Envoy's compare-and-swap.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod clock;
mod failures;
mod places;
mod races;
mod requests;
mod reservations;
mod store;
mod table;
mod workers;

use std::ops::Range;
use std::time::Duration;

use proptest::prelude::*;
use tollgate::limit::owner::Owner;
use tollgate::limit::quota::Quota;
use tollgate::limit::table::{Place, Table};
use tollgate::limit::{
    Answer, Counters, Mode, Request, Ruling, TRIES, TakeError, Which, settle, take_all,
};
use tollgate::store::memory::Memory;
use tollgate::store::{CREATE, Store, StoreError, Swap};
use tollgate::time::{Moment, nanos};

const NANO: Duration = Duration::from_nanos(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const NOW: Moment = Moment::from_secs(1_700_000_000);

fn quota(tokens: u64, period: Duration, burst: u64) -> Quota {
    Quota::new(tokens, period, burst).unwrap()
}

/// A new store and the table of filter `p` in it.
fn opened(identities: u32) -> (Memory, Table) {
    let store = Memory::default();
    let table = Table::open(&store, "p", identities, [7; 16]).unwrap();
    (store, table)
}

fn ask<'a>(limit: &'a str, identity: &'a str, quota: &'a Quota, cost: u64) -> Request<'a> {
    let bucket = Which::Of(limit, Owner::Identity(identity));
    Request { bucket, quota, cost, mode: Mode::Take, dry_run: false }
}

/// The slot and fingerprint of a request's bucket.
fn place(table: &Table, request: &Request<'_>) -> Place {
    table.place_of(request)
}

/// On a busy machine, a worker may lose as many races as [`take_all`] runs; it has taken nothing then, and asks
/// again.
fn take(table: &Table, store: &dyn Store, now: Moment, requests: &[Request<'_>]) -> Answer {
    loop {
        match take_all(table, store, &|| now, requests, &mut Counters::default()) {
            Err(TakeError::Contended) => {}
            answer => return answer.unwrap(),
        }
    }
}

fn passes(answer: &Answer) -> bool {
    matches!(answer, Answer::Allowed(_))
}

/// Which limit denies and for how long.
fn later(answer: &Answer) -> Option<(usize, Duration)> {
    match answer {
        Answer::Denied { index, retry_after, .. } => Some((*index, *retry_after)),
        _ => None,
    }
}

fn remaining(table: &Table, store: &dyn Store, now: Moment, request: Request<'_>) -> u64 {
    match take(table, store, now, &[Request { cost: 0, ..request }]) {
        Answer::Allowed(standings) => standings[0].remaining,
        other => panic!("cost 0 gave {other:?}"),
    }
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() }
}

fn spans(range: Range<Duration>) -> impl Strategy<Value = Duration> {
    (nanos(range.start)..nanos(range.end)).prop_map(Duration::from_nanos)
}

fn small_quota() -> impl Strategy<Value = Quota> {
    (
        1_u64..8,
        prop_oneof![Just(NANO * 10), Just(SECOND), Just(MINUTE), spans(NANO..HOUR)],
        1_u64..7,
    )
        .prop_map(|(tokens, period, burst)| quota(tokens, period, burst))
}

fn any_quota() -> impl Strategy<Value = Quota> {
    (
        1_u64..5_000,
        prop_oneof![Just(SECOND), Just(MINUTE), Just(HOUR), spans(NANO..HOUR)],
        1_u64..10_000,
    )
        .prop_filter_map("valid", |(tokens, period, burst)| Quota::new(tokens, period, burst).ok())
}
