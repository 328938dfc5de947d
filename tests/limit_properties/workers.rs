//! Workers that run at the same time admit no more than one bucket holds.

use super::*;
use crate::store::{Stage, Staged};

/// One admission: the clock when the request came and when it was answered.
type Admission = (Moment, Moment);

/// Runs `plan[worker]` = the requests of that worker, in turns by `script`.
fn play(
    table: &Table,
    store: &Memory,
    plan: &[Vec<Vec<Request<'_>>>],
    script: &[(Duration, usize)],
) -> (Vec<Vec<Option<Admission>>>, Counters) {
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
                    let mut counters = Counters::default();
                    let answers: Vec<_> = requests
                        .iter()
                        .map(|limits| {
                            let came = clock();
                            let answer = take_all(table, &staged, &clock, limits, &mut counters);
                            passes(&answer.unwrap()).then(|| (came, clock()))
                        })
                        .collect();
                    stage.finish(me);
                    (answers, counters)
                })
            })
            .collect();
        stage.direct(script);
        let mut total = Counters::default();
        let answers = workers
            .into_iter()
            .map(|worker| {
                let (answers, counters) = worker.join().unwrap();
                total.stranded += counters.stranded;
                total.retries += counters.retries;
                total.live_evictions += counters.live_evictions;
                answers
            })
            .collect();
        (answers, total)
    })
}

/// In no stretch of time more than burst + rate × stretch.
fn obeys(quota: &Quota, admissions: &[Admission]) -> bool {
    admissions.iter().all(|(from, _)| {
        admissions.iter().filter(|(_, to)| to >= from).all(|(_, to)| {
            let inside = admissions.iter().filter(|(a, b)| a >= from && b <= to).count();
            let above = (inside as u128).saturating_sub(u128::from(quota.burst()));
            above * quota.period().as_nanos()
                <= to.since(*from).as_nanos() * u128::from(quota.tokens())
        })
    })
}

/// Half of the steps stand still, the others move by up to about two tokens of `quota`.
fn script(quota: &Quota, raw: &[(bool, u16, usize)]) -> Vec<(Duration, usize)> {
    let most = 2 * quota.period() / quota.tokens() + NANO;
    raw.iter()
        .map(|(moves, by, pick)| {
            (
                if *moves { most * u32::from(*by) / u32::from(u16::MAX) } else { Duration::ZERO },
                *pick,
            )
        })
        .collect()
}

fn raw_script() -> impl Strategy<Value = Vec<(bool, u16, usize)>> {
    prop::collection::vec((any::<bool>(), any::<u16>(), 0_usize..4), 0..60)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_interleaving_of_workers_admits_more_than_burst_plus_rate(
        quota in small_quota(), workers in 2_usize..5, each in 1_usize..5, raw in raw_script(),
    ) {
        let (store, table) = opened(8);
        let plan = vec![vec![vec![ask("l", "alice", &quota, 1)]; each]; workers];
        let (answers, _) = play(&table, &store, &plan, &script(&quota, &raw));
        let admissions: Vec<_> = answers.into_iter().flatten().flatten().collect();
        prop_assert!(obeys(&quota, &admissions));
    }

    #[test]
    fn one_limit_under_a_standing_clock_admits_exactly_its_burst(
        burst in 1_u64..7, workers in 2_usize..5, each in 1_usize..5,
        picks in prop::collection::vec(0_usize..4, 0..60),
    ) {
        let (store, table) = opened(8);
        let quota = quota(1, MINUTE, burst);
        let plan = vec![vec![vec![ask("l", "alice", &quota, 1)]; each]; workers];
        let script: Vec<_> = picks.into_iter().map(|pick| (Duration::ZERO, pick)).collect();
        let (answers, _) = play(&table, &store, &plan, &script);
        let admitted = answers.iter().flatten().flatten().count() as u64;
        prop_assert_eq!(admitted, burst.min((workers * each) as u64));
    }

    /// Limits in opposite order, in one slot or in several: each holds on its own.
    #[test]
    fn no_interleaving_of_requests_with_several_limits_admits_more(
        first in small_quota(), second in small_quota(), slots in prop_oneof![Just(8), Just(512)],
        each in 1_usize..4, raw in raw_script(),
    ) {
        let (store, table) = opened(slots);
        let (a, b) = (ask("a", "alice", &first, 1), ask("b", "acme", &second, 1));
        let kinds = [vec![a, b], vec![b, a], vec![b], vec![a]];
        let plan: Vec<_> = kinds.iter().map(|limits| vec![limits.clone(); each]).collect();
        let faster = if first.refill() < second.refill() { first } else { second };
        let (answers, counters) = play(&table, &store, &plan, &script(&faster, &raw));
        let of = |workers: [usize; 3]| -> Vec<Admission> {
            workers.iter().flat_map(|n| answers[*n].iter().flatten().copied()).collect()
        };
        prop_assert!(obeys(&first, &of([0, 1, 3])));
        prop_assert!(obeys(&second, &of([0, 1, 2])));
        prop_assert_eq!((counters.live_evictions, counters.stranded), (0, 0));
    }

    #[test]
    fn whatever_the_interleaving_a_denied_request_leaves_no_debt(
        bursts in (1_u64..6, 1_u64..6), slots in prop_oneof![Just(8), Just(512)],
        each in 1_usize..4, picks in prop::collection::vec(0_usize..4, 0..80),
    ) {
        let (store, table) = opened(slots);
        let (first, second) = (quota(3, SECOND, bursts.0), quota(7, MINUTE, bursts.1));
        let (a, b) = (ask("a", "alice", &first, 1), ask("b", "acme", &second, 1));
        let kinds = [vec![a, b], vec![b, a], vec![b], vec![a]];
        let plan: Vec<_> = kinds.iter().map(|limits| vec![limits.clone(); each]).collect();
        let script: Vec<_> = picks.into_iter().map(|pick| (Duration::ZERO, pick)).collect();
        let (answers, _) = play(&table, &store, &plan, &script);
        let passed = |n: usize| answers[n].iter().flatten().count() as u64;
        prop_assert_eq!(
            remaining(&table, &store, NOW, a), bursts.0 - passed(0) - passed(1) - passed(3)
        );
        prop_assert_eq!(
            remaining(&table, &store, NOW, b), bursts.1 - passed(0) - passed(1) - passed(2)
        );
    }
}

#[test]
fn concurrent_workers_on_one_key_admit_exactly_the_burst() {
    for workers in [1, 2, 4, 16] {
        let (store, table) = opened(131_072);
        let quota = quota(1, MINUTE, 1_000);
        let admitted: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..workers)
                .map(|_| {
                    scope.spawn(|| {
                        let request = [ask("l", "alice", &quota, 1)];
                        (0..1_000).filter(|_| passes(&take(&table, &store, NOW, &request))).count()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(admitted, 1_000.min(1_000 * workers), "{workers} workers");
    }
}

#[test]
fn concurrent_workers_under_a_running_clock_never_exceed_burst_plus_rate() {
    let (store, table) = opened(64);
    let (mine, shared) = (quota(20_000, SECOND, 50), quota(7_000, SECOND, 30));
    let start = std::time::Instant::now();
    let clock = move || NOW + start.elapsed();
    let mut admissions: Vec<Admission> = std::thread::scope(|scope| {
        let threads: Vec<_> = ["a", "b", "c", "d"]
            .into_iter()
            .map(|name| {
                let (table, store, mine, shared) = (&table, &store, &mine, &shared);
                scope.spawn(move || {
                    let requests = [ask("mine", name, mine, 1), ask("shared", "all", shared, 1)];
                    let mut counters = Counters::default();
                    let mut admissions = Vec::new();
                    while clock() < NOW + SECOND / 10 {
                        let came = clock();
                        let answer = take_all(table, store, &clock, &requests, &mut counters);
                        if passes(&answer.unwrap()) {
                            admissions.push((came, clock()));
                        }
                    }
                    admissions
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    admissions.sort_unstable();
    assert!(admissions.len() > 100, "{}", admissions.len());
    assert!(obeys(&shared, &admissions[..admissions.len().min(250)]));
    let whole = u32::try_from(admissions.len() as u64 - shared.burst()).unwrap() * shared.period();
    let last = admissions.iter().map(|(_, to)| *to).max().unwrap();
    assert!(whole <= last.since(NOW) * shared.tokens());
}

#[test]
fn concurrent_charges_are_all_charged_or_counted_as_uncharged() {
    let (store, table) = opened(8);
    let quota = quota(1, MINUTE, 1_000).with_debt();
    let asks = Request { mode: Mode::Ask, ..ask("chat", "alice", &quota, 3) };
    let uncharged: u64 = std::thread::scope(|scope| {
        let thread = || {
            let mut counters = Counters::default();
            for _ in 0..500 {
                settle(&table, &store, &|| NOW, &asks, 0, &mut counters);
            }
            counters.uncharged
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(thread)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    // Of 6,000 tokens of 1,000, 5,001 are lacking for the next. A thread that is interrupted between its
    // read and its write can lose all its races.
    let lacking = u32::try_from(5_001 - 3 * uncharged).unwrap();
    let answer = take(&table, &store, NOW, &[asks]);
    assert_eq!(later(&answer), Some((0, lacking * MINUTE)));
}
