//! The laws of places in flight.

use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use tollgate::limit::concurrency::{Concurrency, LEASE, Lease};

use super::*;
use crate::store::{Stage, Staged, Unreliable};

fn open(store: &dyn Store, holder: u64) -> Concurrency {
    let table = Table::open(store, "p", 64, [7; 16]).unwrap();
    Concurrency::open(store, "p", &table, holder).unwrap()
}

fn acquire(
    worker: &mut Concurrency,
    store: &dyn Store,
    now: Moment,
    identity: &str,
    most: u32,
) -> Option<Lease> {
    let counters = &mut Counters::default();
    worker.acquire(store, &|| now, ("rule", Owner::Identity(identity)), most, counters).unwrap()
}

fn release(worker: &mut Concurrency, store: &dyn Store, now: Moment, lease: Lease) {
    worker.release(store, &|| now, lease, &mut Counters::default());
}

fn tick(worker: &mut Concurrency, store: &dyn Store, now: Moment) {
    worker.tick(store, &|| now, &mut Counters::default());
}

/// Takes places as a worker that was not there before, until there are none.
fn free(store: &dyn Store, now: Moment, identity: &str, most: u32) -> usize {
    static NEXT: AtomicU64 = AtomicU64::new(1 << 32);
    let mut worker = open(store, NEXT.fetch_add(1, Ordering::Relaxed));
    let mut leases = Vec::new();
    while let Some(lease) = acquire(&mut worker, store, now, identity, most) {
        leases.push(lease);
    }
    let free = leases.len();
    leases.into_iter().for_each(|lease| release(&mut worker, store, now, lease));
    free
}

/// The next action of a worker; `Release` without a place has no effect.
#[derive(Clone, Copy, Debug)]
enum Step {
    Acquire(u8),
    Release,
    Tick,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0_u8..2).prop_map(Step::Acquire),
        3 => Just(Step::Release),
        1 => Just(Step::Tick),
    ];
    prop::collection::vec(step, 1..8)
}

proptest! {
    #![proptest_config(config())]

    /// Two identities in any slots: never more than `most` of one at a time, in any order
    /// of loads and swaps, and nothing is left when all have ended.
    #[test]
    fn no_interleaving_of_workers_holds_more_places_than_there_are_or_leaks_one(
        plans in prop::collection::vec(steps(), 2..5), most in 1_u32..4,
        // Shorter than a lease altogether: no renewal is needed.
        script in prop::collection::vec((spans(Duration::ZERO..SECOND / 10), 0_usize..4), 0..120),
    ) {
        let memory = Memory::default();
        let workers: Vec<_> = (1..).zip(&plans).map(|(id, _)| open(&memory, id)).collect();
        let stage = Stage::new(plans.len(), NOW);
        let in_flight = [AtomicI64::new(0), AtomicI64::new(0)];
        let highest = AtomicI64::new(0);
        std::thread::scope(|scope| {
            for (me, (mut worker, plan)) in workers.into_iter().zip(&plans).enumerate() {
                let (stage, memory, in_flight, highest) = (&stage, &memory, &in_flight, &highest);
                scope.spawn(move || {
                    let store = Staged { inner: memory, stage, me };
                    let clock = || stage.now();
                    let counters = &mut Counters::default();
                    let mut leases = Vec::new();
                    for step in plan {
                        match step {
                            Step::Acquire(who) => {
                                let (whose, who) = (["alice", "bob"][usize::from(*who)], *who);
                                let lease = worker
                                    .acquire(&store, &clock, ("rule", Owner::Identity(whose)), most, counters)
                                    .unwrap();
                                if let Some(lease) = lease {
                                    let count = &in_flight[usize::from(who)];
                                    let now = count.fetch_add(1, Ordering::SeqCst) + 1;
                                    highest.fetch_max(now, Ordering::SeqCst);
                                    leases.push((who, lease));
                                }
                            }
                            Step::Release => {
                                if let Some((who, lease)) = leases.pop() {
                                    in_flight[usize::from(who)].fetch_sub(1, Ordering::SeqCst);
                                    worker.release(&store, &clock, lease, counters);
                                }
                            }
                            Step::Tick => worker.tick(&store, &clock, counters),
                        }
                    }
                    for (who, lease) in leases {
                        in_flight[usize::from(who)].fetch_sub(1, Ordering::SeqCst);
                        worker.release(&store, &clock, lease, counters);
                    }
                    assert_eq!(worker.in_flight(), 0);
                    stage.finish(me);
                });
            }
            stage.direct(&script);
        });
        prop_assert!(highest.load(Ordering::SeqCst) <= i64::from(most));
        let now = stage.now();
        for identity in ["alice", "bob"] {
            prop_assert_eq!(free(&memory, now, identity, most), most as usize);
        }
        let left: usize = memory.dump().iter().filter(|(key, _)| key.contains("/c2/"))
            .map(|(_, value)| value.len()).sum();
        prop_assert_eq!(left, 0);
    }

    /// After any step of the clock, the places of a dead worker are free a lease later, and a live
    /// worker admits no more than its own count of places.
    #[test]
    fn a_dead_workers_places_return_within_a_lease_whatever_the_clock_did(
        held in 1_u32..5, back in 0_u32..7_200, probes in 1_u64..4,
    ) {
        let memory = Memory::default();
        let mut dead = open(&memory, 1);
        for _ in 0..held {
            let lease = acquire(&mut dead, &memory, NOW, "alice", 4);
            prop_assert_eq!(lease.is_some(), dead.in_flight() <= 4);
        }
        // The clock steps back, and requests arrive from time to time.
        let mut now = NOW - back * SECOND;
        for _ in 0..probes {
            let mut other = open(&memory, 2);
            prop_assert!(acquire(&mut other, &memory, now, "alice", held.min(4)).is_none());
            now = now + LEASE / 8;
        }
        let end = NOW - back * SECOND + LEASE;
        prop_assert_eq!(free(&memory, end, "alice", 4), 4);
    }

    #[test]
    fn no_bytes_in_a_slot_cause_a_panic_or_a_lasting_refusal(
        bytes in prop::collection::vec(any::<u8>(), 0..2_200), now in any::<u64>(),
    ) {
        let now = Moment::from_nanos(now);
        let memory = Memory::default();
        let mut worker = open(&memory, 1);
        for (key, _) in memory.dump().iter().filter(|(key, _)| key.contains("/c2/")) {
            memory.put(key, &bytes);
        }
        let counters = &mut Counters::default();
        for at in [now, now + LEASE] {
            let _ = worker.acquire(&memory, &|| at, ("rule", Owner::Identity("alice")), 1, counters);
        }
        let late = now + LEASE;
        if late < Moment::MAX - LEASE {
            prop_assert_eq!(worker.in_flight(), 1);
        }
    }
}

#[test]
fn there_is_a_slot_for_each_eight_of_the_buckets_within_bounds() {
    for (identities, slots) in [(64, 64), (8_192, 128), (131_072, 2_048), (524_288, 4_096)]
        .map(|(n, slots)| (n, slots + slots / 4))
    {
        let (store, table) = opened(identities);
        let mut worker = Concurrency::open(&store, "p", &table, 1).unwrap();
        for caller in 0..100 {
            assert!(acquire(&mut worker, &store, NOW, &caller.to_string(), 1).is_some());
        }
        let own = |(key, _): &(String, Vec<u8>)| key.starts_with("tollgate/p/c2/");
        assert_eq!(store.dump().iter().filter(|pair| own(pair)).count(), slots, "{identities}");
    }
}

#[test]
fn a_slot_that_is_full_of_identities_refuses_the_next_and_keeps_the_others() {
    let store = Memory::default();
    let mut worker = open(&store, 1);
    let mut acquire = |caller: usize| {
        let counters = &mut Counters::default();
        let caller = caller.to_string();
        let whose = ("rule", Owner::Identity(caller.as_str()));
        worker.acquire(&store, &|| NOW, whose, 1, counters).map(|lease| lease.is_some())
    };
    let answers: Vec<_> = (0..10_000).map(&mut acquire).collect();
    let held = answers.iter().filter(|answer| **answer == Ok(true)).count();
    let crowded = answers.iter().filter(|answer| **answer == Err(TakeError::Crowded)).count();
    // The table has eight slots for 64 identities, and a slot has room for 64 shares.
    assert_eq!((held, crowded), (512, 10_000 - 512));
    for (caller, answer) in answers.iter().enumerate().take(100) {
        let again = if *answer == Ok(true) { Ok(false) } else { Err(TakeError::Crowded) };
        assert_eq!(acquire(caller), again, "{caller}");
    }
}

#[test]
fn callers_without_a_token_crowd_only_each_other_out() {
    let store = Memory::default();
    let mut worker = open(&store, 1);
    let mut acquire = |owner: Owner<&str>| {
        let counters = &mut Counters::default();
        worker.acquire(&store, &|| NOW, ("rule", owner), 1, counters).map(|lease| lease.is_some())
    };
    let answers: Vec<_> =
        (0..10_000).map(|caller| acquire(Owner::Address(&caller.to_string()))).collect();
    assert!(answers.contains(&Err(TakeError::Crowded)));
    for caller in (0..100).map(|caller| caller.to_string()) {
        let owner = Owner::Identity(caller.as_str());
        assert_eq!((acquire(owner), acquire(owner)), (Ok(true), Ok(false)), "{caller}");
    }
}

#[test]
fn places_are_per_rule_and_identity() {
    let memory = Memory::default();
    let mut worker = open(&memory, 1);
    let counters = &mut Counters::default();
    for whose in [
        ("a", Owner::Identity("x")),
        ("b", Owner::Identity("x")),
        ("a", Owner::Identity("y")),
        ("a", Owner::Address("x")),
        ("a", Owner::Unverified("x")),
    ] {
        let lease = worker.acquire(&memory, &|| NOW, whose, 1, counters).unwrap();
        assert!(lease.is_some(), "{whose:?}");
        assert_eq!(worker.acquire(&memory, &|| NOW, whose, 1, counters).unwrap(), None);
    }
}

#[test]
fn lost_races_are_tried_again_and_counted() {
    let memory = Memory::default();
    let mut worker = open(&memory, 1);
    let lost = Cell::new(0);
    let store = Unreliable {
        inner: &memory,
        refuse: |_: &str| {
            lost.set(lost.get() + 1);
            (lost.get() <= 3).then_some(Ok(Swap::Lost))
        },
    };
    let mut counters = Counters::default();
    let lease =
        worker.acquire(&store, &|| NOW, ("rule", Owner::Identity("alice")), 1, &mut counters);
    assert!(lease.unwrap().is_some());
    assert_eq!(counters.retries, 3);
}

#[test]
fn a_share_is_renewed_once_in_a_third_of_its_lease() {
    let memory = Memory::default();
    let mut worker = open(&memory, 1);
    let _held = acquire(&mut worker, &memory, NOW, "alice", 1).unwrap();
    let writes = Cell::new(0);
    let store = Unreliable {
        inner: &memory,
        refuse: |_: &str| {
            writes.set(writes.get() + 1);
            None
        },
    };
    for second in 1..=30 {
        tick(&mut worker, &store, NOW + second * SECOND);
        assert_eq!(writes.get(), second / 5, "{second}");
    }
}

#[test]
fn a_live_workers_places_are_renewed_and_a_dead_ones_return() {
    let memory = Memory::default();
    let (mut live, mut dead) = (open(&memory, 1), open(&memory, 2));
    let kept = acquire(&mut live, &memory, NOW, "alice", 2).unwrap();
    let _lost = acquire(&mut dead, &memory, NOW, "alice", 2).unwrap();
    let mut now = NOW;
    for second in 1..=60 {
        now = NOW + second * SECOND;
        tick(&mut live, &memory, now);
        let expected = usize::from(now >= NOW + LEASE);
        assert_eq!(free(&memory, now, "alice", 2), expected, "{second}");
    }
    release(&mut live, &memory, now, kept);
    assert_eq!(free(&memory, now, "alice", 2), 2);
}

#[test]
fn after_a_step_forward_the_next_tick_renews_every_place() {
    let memory = Memory::default();
    let mut worker = open(&memory, 1);
    tick(&mut worker, &memory, NOW);
    let lease = acquire(&mut worker, &memory, NOW, "alice", 1).unwrap();
    let later = NOW + 3_600 * SECOND;
    tick(&mut worker, &memory, later);
    assert_eq!(free(&memory, later, "alice", 1), 0);
    release(&mut worker, &memory, later, lease);
    assert_eq!(free(&memory, later, "alice", 1), 1);
}

#[test]
fn the_next_tick_gives_back_a_place_that_a_failing_store_kept() {
    for failure in [Ok(Swap::Lost), Err(StoreError::Host(10))] {
        let memory = Memory::default();
        let mut worker = open(&memory, 1);
        let lease = acquire(&mut worker, &memory, NOW, "alice", 1).unwrap();
        let broken = Unreliable { inner: &memory, refuse: |_: &str| Some(failure) };
        release(&mut worker, &broken, NOW, lease);
        assert_eq!(free(&memory, NOW, "alice", 1), 0);
        tick(&mut worker, &broken, NOW + SECOND);
        assert_eq!(free(&memory, NOW + SECOND, "alice", 1), 0);
        tick(&mut worker, &memory, NOW + 2 * SECOND);
        assert_eq!(free(&memory, NOW + 2 * SECOND, "alice", 1), 1);
    }
}

/// A write that was made though the host said it failed.
#[test]
fn a_failed_acquire_holds_nothing_after_the_next_tick() {
    let memory = Memory::default();
    let mut worker = open(&memory, 1);
    let made = Cell::new(false);
    let refuse = |key: &str| {
        let (_, version) = memory.load(key).unwrap().unwrap();
        let share = [[1_u8; 8], [1, 0, 0, 0, 0, 0, 0, 0], [0xff; 8], [1; 8]].concat();
        made.set(memory.swap(key, &share, version) == Ok(Swap::Done));
        Some(Err(StoreError::Host(10)))
    };
    let broken = Unreliable { inner: &memory, refuse };
    let counters = &mut Counters::default();
    let answer = worker.acquire(&broken, &|| NOW, ("rule", Owner::Identity("alice")), 1, counters);
    assert_eq!(answer, Err(TakeError::Store(StoreError::Host(10))));
    assert!(made.get());
    tick(&mut worker, &memory, NOW + SECOND);
    assert_eq!(free(&memory, NOW + SECOND, "alice", 1), 1);
    assert_eq!(worker.in_flight(), 0);
}

#[test]
fn real_threads_hold_exactly_the_places_there_are() {
    let memory = Memory::default();
    let (in_flight, highest) = (AtomicI64::new(0), AtomicI64::new(0));
    let got = AtomicI64::new(0);
    std::thread::scope(|scope| {
        for holder in 1..=4 {
            let (memory, in_flight, highest, got) = (&memory, &in_flight, &highest, &got);
            let mut worker = open(memory, holder);
            scope.spawn(move || {
                for _ in 0..2_000 {
                    let Some(lease) = acquire(&mut worker, memory, NOW, "alice", 3) else {
                        continue;
                    };
                    let now = in_flight.fetch_add(1, Ordering::SeqCst) + 1;
                    highest.fetch_max(now, Ordering::SeqCst);
                    got.fetch_add(1, Ordering::SeqCst);
                    std::thread::yield_now();
                    in_flight.fetch_sub(1, Ordering::SeqCst);
                    release(&mut worker, memory, NOW, lease);
                }
            });
        }
    });
    assert!(highest.load(Ordering::SeqCst) <= 3 && got.load(Ordering::SeqCst) > 1_000);
    assert_eq!(free(&memory, NOW, "alice", 3), 3);
}
