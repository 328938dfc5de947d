//! Reservations: taken when a request is let in, settled when its response ends.

use super::*;
use crate::store::{Stage, Staged};

/// How a request that was let in ends.
#[derive(Clone, Copy, Debug)]
enum Ending {
    /// The response cost so many tokens.
    Used(u64),
    /// The upstream failed: all but one token is given back.
    Failed,
    /// The VM dies: nothing is given back.
    Dies,
}

/// What the requests of all workers have done to the bucket.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    /// The tokens that responses have cost.
    used: u64,
    /// The tokens whose VM has died.
    lost: u64,
    admitted: usize,
}

fn endings(burst: u64) -> impl Strategy<Value = Ending> {
    prop_oneof![
        4 => (0..=burst * 2).prop_map(Ending::Used),
        1 => Just(Ending::Failed),
        1 => Just(Ending::Dies),
    ]
}

/// The requests of one worker: the reservation, and the end.
fn requests(burst: u64) -> impl Strategy<Value = Vec<(u64, Ending)>> {
    prop::collection::vec((1..=burst, endings(burst)), 0..5)
}

/// Runs the requests of each worker in turns by `script`. Each one waits with its end until the next of its
/// worker has been judged, so that reservations of one worker overlap, too.
fn play(
    table: &Table,
    store: &Memory,
    quota: &Quota,
    plan: &[Vec<(u64, Ending)>],
    script: &[(Duration, usize)],
) -> (Sum, Moment, Counters) {
    let stage = Stage::new(plan.len(), NOW);
    std::thread::scope(|scope| {
        let workers: Vec<_> = plan
            .iter()
            .enumerate()
            .map(|(me, requests)| {
                let stage = &stage;
                scope.spawn(move || {
                    let staged = Staged { inner: store, stage, me };
                    let clock = || stage.now();
                    let (mut sum, mut counters) = (Sum::default(), Counters::default());
                    let end = |(held, ending): (u64, Ending), sum: &mut Sum, counters: &mut _| {
                        let used = match ending {
                            Ending::Used(used) => used,
                            Ending::Failed => 1,
                            Ending::Dies => {
                                sum.lost += held;
                                return;
                            }
                        };
                        sum.used += used;
                        let request = ask("chat", "alice", quota, used);
                        settle(table, &staged, &clock, &request, held, counters);
                    };
                    let mut open = None;
                    for (reserved, ending) in requests {
                        let request = [ask("chat", "alice", quota, *reserved)];
                        let answer = take_all(table, &staged, &clock, &request, &mut counters);
                        let next = passes(&answer.unwrap()).then_some((*reserved, *ending));
                        sum.admitted += usize::from(next.is_some());
                        if let Some(before) = open.take() {
                            end(before, &mut sum, &mut counters);
                        }
                        open = next;
                    }
                    if let Some(last) = open {
                        end(last, &mut sum, &mut counters);
                    }
                    stage.finish(me);
                    (sum, counters)
                })
            })
            .collect();
        stage.direct(script);
        let (mut total, mut counters) = (Sum::default(), Counters::default());
        for worker in workers {
            let (sum, of_worker) = worker.join().unwrap();
            total.used += sum.used;
            total.lost += sum.lost;
            total.admitted += sum.admitted;
            counters.uncharged += of_worker.uncharged;
            counters.stranded += of_worker.stranded;
            counters.live_evictions += of_worker.live_evictions;
        }
        (total, stage.now(), counters)
    })
}

/// The tokens in a bucket that gets one in a second; below zero what it owes.
fn level(table: &Table, store: &Memory, now: Moment, quota: &Quota) -> i64 {
    let request = ask("chat", "alice", quota, 1);
    match remaining(table, store, now, request) {
        0 => match later(&take(table, store, now, &[Request { dry_run: false, ..request }])) {
            Some((_, wait)) => 1 - i64::try_from(wait.as_secs()).unwrap(),
            None => panic!("an empty bucket gave a token"),
        },
        left => i64::try_from(left).unwrap(),
    }
}

fn picks() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0_usize..5, 0..120)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_reservation_is_lost_except_by_death_in_any_interleaving_of_workers(
        plan in prop::collection::vec(requests(9), 1..5), picks in picks(),
    ) {
        let (store, table) = opened(8);
        let quota = quota(1, SECOND, 9).with_debt();
        let script: Vec<_> = picks.into_iter().map(|pick| (Duration::ZERO, pick)).collect();
        let (sum, now, counters) = play(&table, &store, &quota, &plan, &script);
        prop_assert_eq!(counters, Counters::default());
        // The clock stands still: what is left is the burst less what was used and what has died.
        let spent = i64::try_from(sum.used + sum.lost).unwrap();
        let most = 10 * 9;
        prop_assume!(spent <= 9 + most);
        prop_assert_eq!(level(&table, &store, now, &quota), 9 - spent);
    }

    #[test]
    fn what_is_settled_never_exceeds_the_burst_and_the_refill_and_what_the_bucket_owes(
        plan in prop::collection::vec(requests(9), 1..5),
        steps in prop::collection::vec((0_u32..4, 0_usize..5), 0..120),
    ) {
        let (store, table) = opened(8);
        let quota = quota(1, SECOND, 9).with_debt();
        let script: Vec<_> =
            steps.into_iter().map(|(seconds, pick)| (seconds * SECOND, pick)).collect();
        let (sum, now, _) = play(&table, &store, &quota, &plan, &script);
        let level = level(&table, &store, now, &quota);
        let refill = i64::try_from(now.since(NOW).as_secs()).unwrap();
        // A bucket that owes the most forgives the rest.
        prop_assume!(level > -9 * 10);
        prop_assert!(i64::try_from(sum.used).unwrap() <= 9 + refill + (-level).max(0));
        // And no bucket holds more than its burst, whatever was given back.
        let whole = ask("chat", "alice", &quota, 9);
        let full = now + 1_000 * SECOND;
        let one = Request { cost: 1, ..whole };
        let gives = |request| passes(&take(&table, &store, full, &[request]));
        prop_assert!(gives(whole));
        prop_assert!(!gives(one));
        for held in [1, 9] {
            let none = Request { cost: 0, ..whole };
            settle(&table, &store, &|| full, &none, held, &mut Counters::default());
        }
        prop_assert!(gives(whole));
        prop_assert!(!gives(one));
    }

    #[test]
    fn a_reservation_that_is_used_in_full_leaves_the_bucket_as_a_cost_would(
        quota in any_quota(), share in 0.0_f64..1.0, elapsed in spans(NANO..HOUR),
    ) {
        let (store, table) = opened(8);
        let quota = quota.with_debt();
        let held = ((quota.burst() as f64 * share) as u64).max(1);
        let request = ask("chat", "alice", &quota, held);
        prop_assert!(passes(&take(&table, &store, NOW, &[request])));
        let before = store.dump();
        settle(&table, &store, &|| NOW + elapsed, &request, held, &mut Counters::default());
        prop_assert_eq!(store.dump(), before);
    }
}

#[test]
fn of_64_requests_at_once_those_are_let_in_whose_reservations_fit_and_the_rest_is_exact() {
    for workers in [1, 2, 4, 16] {
        let (store, table) = opened(64);
        let quota = quota(1, HOUR, 1_000).with_debt();
        let request = [ask("chat", "alice", &quota, 100)];
        let admitted: usize = std::thread::scope(|scope| {
            let ask = || (0..64 / workers).filter(|_| passes(&take(&table, &store, NOW, &request)));
            let threads: Vec<_> =
                (0..workers).map(|_| scope.spawn(move || ask().count())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(admitted, 10, "{workers} workers");
        std::thread::scope(|scope| {
            for used in [7; 10] {
                let (table, store, quota) = (&table, &store, &quota);
                scope.spawn(move || {
                    let request = ask("chat", "alice", quota, used);
                    settle(table, store, &|| NOW, &request, 100, &mut Counters::default());
                });
            }
        });
        assert_eq!(remaining(&table, &store, NOW, request[0]), 1_000 - 70, "{workers} workers");
    }
}

#[test]
fn a_bucket_that_was_evicted_meanwhile_gets_nothing_back_and_pays_for_what_was_used_beyond() {
    for (used, left) in [(0, 10), (3, 10), (5, 10), (8, 7)] {
        let (store, table) = opened(8);
        let quota = quota(1, HOUR, 10).with_debt();
        let request = ask("chat", "alice", &quota, used);
        // No bucket of the caller is there.
        settle(&table, &store, &|| NOW, &request, 5, &mut Counters::default());
        assert_eq!(remaining(&table, &store, NOW, request), left, "{used}");
    }
}

#[test]
fn a_settlement_that_the_store_refuses_is_counted() {
    let (memory, table) = opened(8);
    let quota = quota(1, HOUR, 10).with_debt();
    let request = ask("chat", "alice", &quota, 8);
    assert!(passes(&take(&table, &memory, NOW, &[request])));
    for error in [Ok(Swap::Lost), Err(StoreError::Host(1))] {
        let store = crate::store::Unreliable { inner: &memory, refuse: |_: &str| Some(error) };
        let mut counters = Counters::default();
        let settled = Request { cost: 2, ..request };
        settle(&table, &store, &|| NOW, &settled, 8, &mut counters);
        assert_eq!(counters.uncharged, 1);
        assert_eq!(remaining(&table, &memory, NOW, request), 2);
    }
}
