//! The limiter's laws, against a store with Envoy's compare-and-swap.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "core/store.rs"]
mod store;

use std::cell::Cell;
use std::sync::atomic::Ordering;

use proptest::prelude::*;
use store::{Memory, Stage, Staged, Unreliable};
use tollgate::limit::concurrency::Concurrency;
use tollgate::limit::gcra::{self, Bucket, Outcome};
use tollgate::limit::quota::Quota;
use tollgate::limit::table::{MAX_SLOTS, Place, Region, Table};
use tollgate::limit::{
    Answer, Counters, Mode, Request, Ruling, TRIES, TakeError, charge, take_all,
};
use tollgate::store::{CREATE, Store, StoreError, Swap};

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const NOW: u64 = 1_700_000_000 * SECOND;

fn quota(tokens: u64, period: u64, burst: u64) -> Quota {
    Quota::new(tokens, period, burst).unwrap()
}

fn table(store: &dyn Store, identities: u32) -> Table {
    Table::open(store, "p", identities, [7; 16]).unwrap()
}

fn ask<'a>(limit: &'a str, identity: &'a str, quota: &'a Quota, cost: u64) -> Request<'a> {
    let region = Region::Verified;
    Request { limit, identity, region, quota, cost, mode: Mode::Take, dry_run: false }
}

/// Where the bucket of a request is.
fn place(table: &Table, request: &Request<'_>) -> Place {
    table.place(request.region, request.limit, Some(request.quota), request.identity)
}

fn take(table: &Table, store: &dyn Store, now: u64, requests: &[Request<'_>]) -> Answer {
    take_all(table, store, &|| now, requests, &mut Counters::default()).unwrap()
}

fn passes(answer: &Answer) -> bool {
    matches!(answer, Answer::Allowed(_))
}

/// Which limit denies and for how long.
fn later(answer: &Answer) -> Option<(usize, u64)> {
    match answer {
        Answer::Denied { index, retry_after_ns, .. } => Some((*index, *retry_after_ns)),
        _ => None,
    }
}

fn remaining(table: &Table, store: &dyn Store, now: u64, request: Request<'_>) -> u64 {
    match take(table, store, now, &[Request { cost: 0, ..request }]) {
        Answer::Allowed(standings) => standings[0].remaining,
        other => panic!("cost 0 gave {other:?}"),
    }
}

// --- The interleaver.

/// One admission: the clock when the request came and when it was answered.
type Admission = (u64, u64);

/// Runs `plan[worker]` = the requests of that worker, in turns by `script`.
fn play(
    table: &Table,
    store: &Memory,
    plan: &[Vec<Vec<Request<'_>>>],
    script: &[(u64, usize)],
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
                    let clock = || stage.clock.load(Ordering::SeqCst);
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
            above * u128::from(quota.period_ns())
                <= u128::from(to - from) * u128::from(quota.tokens())
        })
    })
}

fn small_quota() -> impl Strategy<Value = Quota> {
    (1_u64..8, prop_oneof![Just(10), Just(SECOND), Just(MINUTE), 1..HOUR], 1_u64..7)
        .prop_map(|(tokens, period, burst)| quota(tokens, period, burst))
}

fn any_quota() -> impl Strategy<Value = Quota> {
    (1_u64..5_000, prop_oneof![Just(SECOND), Just(MINUTE), Just(HOUR), 1..HOUR], 1_u64..10_000)
        .prop_filter_map("valid", |(tokens, period, burst)| Quota::new(tokens, period, burst).ok())
}

/// Half of the steps stand still, the others move by up to about two tokens of `quota`.
fn script(quota: &Quota, raw: &[(bool, u16, usize)]) -> Vec<(u64, usize)> {
    let most = 2 * quota.period_ns() / u64::from(quota.tokens()) + 1;
    raw.iter()
        .map(|(moves, by, pick)| {
            (if *moves { most * u64::from(*by) / u64::from(u16::MAX) } else { 0 }, *pick)
        })
        .collect()
}

fn raw_script() -> impl Strategy<Value = Vec<(bool, u16, usize)>> {
    prop::collection::vec((any::<bool>(), any::<u16>(), 0_usize..4), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_interleaving_of_workers_admits_more_than_burst_plus_rate(
        quota in small_quota(), workers in 2_usize..5, each in 1_usize..5, raw in raw_script(),
    ) {
        let store = Memory::default();
        let table = table(&store, 8);
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
        let store = Memory::default();
        let table = table(&store, 8);
        let quota = quota(1, MINUTE, burst);
        let plan = vec![vec![vec![ask("l", "alice", &quota, 1)]; each]; workers];
        let script: Vec<_> = picks.into_iter().map(|pick| (0, pick)).collect();
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
        let store = Memory::default();
        let table = table(&store, slots);
        let (a, b) = (ask("a", "alice", &first, 1), ask("b", "acme", &second, 1));
        let kinds = [vec![a, b], vec![b, a], vec![b], vec![a]];
        let plan: Vec<_> = kinds.iter().map(|limits| vec![limits.clone(); each]).collect();
        let faster = if first.refill_ns() < second.refill_ns() { first } else { second };
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
        let store = Memory::default();
        let table = table(&store, slots);
        let (first, second) = (quota(3, SECOND, bursts.0), quota(7, MINUTE, bursts.1));
        let (a, b) = (ask("a", "alice", &first, 1), ask("b", "acme", &second, 1));
        let kinds = [vec![a, b], vec![b, a], vec![b], vec![a]];
        let plan: Vec<_> = kinds.iter().map(|limits| vec![limits.clone(); each]).collect();
        let script: Vec<_> = picks.into_iter().map(|pick| (0, pick)).collect();
        let (answers, _) = play(&table, &store, &plan, &script);
        let passed = |n: usize| answers[n].iter().flatten().count() as u64;
        prop_assert_eq!(
            remaining(&table, &store, NOW, a), bursts.0 - passed(0) - passed(1) - passed(3)
        );
        prop_assert_eq!(
            remaining(&table, &store, NOW, b), bursts.1 - passed(0) - passed(1) - passed(2)
        );
    }

    #[test]
    fn denied_until_exactly_the_announced_moment_and_allowed_at_it(
        first in any_quota(), second in any_quota(),
        steps in prop::collection::vec((0_u64..MINUTE, 1_u64..12_000, 1_u64..12_000), 1..30),
    ) {
        let store = Memory::default();
        let table = table(&store, 8);
        let mut now = NOW;
        for (elapsed, one, two) in steps {
            now += elapsed;
            let limits = [ask("a", "x", &first, one), ask("b", "x", &second, two)];
            let before = store.dump();
            match take(&table, &store, now, &limits) {
                Answer::Allowed(_) => prop_assert!(one <= first.burst() && two <= second.burst()),
                Answer::Never { index, .. } => {
                    let limit = limits[index];
                    prop_assert!(limit.cost > limit.quota.burst());
                    prop_assert_eq!(before, store.dump());
                }
                Answer::Denied { retry_after_ns, .. } => {
                    prop_assert_eq!(before, store.dump());
                    prop_assert!(retry_after_ns > 0);
                    let early = take(&table, &store, now + retry_after_ns - 1, &limits);
                    let only_one_left =
                        matches!(early, Answer::Denied { retry_after_ns: 1, .. });
                    prop_assert!(only_one_left);
                    now += retry_after_ns;
                    prop_assert!(passes(&take(&table, &store, now, &limits)));
                }
            }
        }
    }

    #[test]
    fn clock_steps_grant_no_more_than_a_burst_and_lock_out_no_longer_than_a_refill(
        quota in small_quota(),
        steps in prop::collection::vec((0_u8..4, 0_u64..SECOND, 0_u64..7), 1..40),
    ) {
        let store = Memory::default();
        let table = table(&store, 8);
        let (mut wall, mut elapsed, mut forward, mut admitted) = (NOW, 0_u64, 0_u64, 0_u64);
        for (kind, by, cost) in steps {
            match kind {
                0 => { wall -= HOUR; }
                1 => { wall += HOUR; forward += 1; }
                _ => { wall += by; elapsed += by; }
            }
            let cost = cost.min(quota.burst());
            let request = [ask("l", "alice", &quota, cost)];
            match take(&table, &store, wall, &request) {
                Answer::Allowed(_) => admitted += cost,
                Answer::Denied { retry_after_ns, .. } => {
                    prop_assert!(retry_after_ns <= quota.refill_ns());
                    if by % 2 == 0 {
                        (wall, elapsed) = (wall + retry_after_ns, elapsed + retry_after_ns);
                        prop_assert!(passes(&take(&table, &store, wall, &request)));
                        admitted += cost;
                    }
                }
                Answer::Never { .. } => prop_assert!(false),
            }
            let above = u128::from(admitted.saturating_sub(quota.burst() * (1 + forward)));
            prop_assert!(
                above * u128::from(quota.period_ns())
                    <= u128::from(elapsed) * u128::from(quota.tokens())
            );
        }
    }

    #[test]
    fn no_bytes_in_a_slot_cause_a_panic_or_a_lasting_lockout(
        bytes in prop::collection::vec(any::<u8>(), 0..260), own in any::<[u8; 12]>(),
        ours in any::<bool>(), now in prop_oneof![Just(0), Just(u64::MAX / 2), Just(NOW)],
        quota in any_quota(),
    ) {
        let store = Memory::default();
        let table = table(&store, 8);
        let mut bytes = bytes;
        let request = [ask("l", "alice", &quota, 1)];
        if ours && bytes.len() >= 20 {
            // Nonsense that carries the identity's own fingerprint.
            let fingerprint = place(&table, &request[0]).fingerprint;
            bytes[..8].copy_from_slice(&fingerprint.to_le_bytes());
            bytes[8..20].copy_from_slice(&own);
        }
        store.put("tollgate/p/b2/0", &bytes);
        if let Answer::Denied { retry_after_ns, .. } = take(&table, &store, now, &request) {
            prop_assert!(retry_after_ns <= quota.refill_ns());
            prop_assert!(passes(&take(&table, &store, now + retry_after_ns, &request)));
        }
    }

    #[test]
    fn no_bytes_in_the_record_cause_a_panic_and_all_workers_agree_on_a_new_one(
        bytes in prop::collection::vec(any::<u8>(), 0..40), tail in any::<[u8; 20]>(),
        magic in any::<bool>(),
    ) {
        let bytes = if magic { [&b"tgb2"[..], &tail].concat() } else { bytes };
        let store = Memory::default();
        store.put("tollgate/p/table2", &bytes);
        let valid = magic && u32::from_le_bytes(tail[..4].try_into().unwrap()).is_power_of_two();
        let one = Table::open(&store, "p", 64, [1; 16]).unwrap();
        let two = Table::open(&store, "p", 64, [2; 16]).unwrap();
        let quota = quota(1, SECOND, 1);
        let request = ask("l", "alice", &quota, 1);
        prop_assert_eq!(place(&one, &request), place(&two, &request));
        prop_assert!(valid || one.slots() == 8);
    }
}

// --- Real threads.

#[test]
fn concurrent_workers_on_one_key_admit_exactly_the_burst() {
    for workers in [1, 2, 4, 16] {
        let store = Memory::default();
        let table = table(&store, 131_072);
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
    let store = Memory::default();
    let table = table(&store, 64);
    let (mine, shared) = (quota(20_000, SECOND, 50), quota(7_000, SECOND, 30));
    let start = std::time::Instant::now();
    let clock = move || NOW + u64::try_from(start.elapsed().as_nanos()).unwrap();
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
    let whole = (admissions.len() as u64 - shared.burst()) * shared.period_ns();
    let last = admissions.iter().map(|(_, to)| *to).max().unwrap();
    assert!(whole <= (last - NOW) * u64::from(shared.tokens()));
}

// --- Interleavings that chance finds too seldom.

/// Runs `meanwhile` once, before the first call that `at` chooses: (is it a write, its key).
struct Meanwhile<'a, A, F: FnOnce()> {
    inner: &'a Memory,
    at: A,
    meanwhile: Cell<Option<F>>,
}

impl<A: Fn(bool, &str) -> bool, F: FnOnce()> Meanwhile<'_, A, F> {
    fn pass(&self, write: bool, key: &str) {
        if (self.at)(write, key)
            && let Some(meanwhile) = self.meanwhile.take()
        {
            meanwhile();
        }
    }
}

impl<A: Fn(bool, &str) -> bool, F: FnOnce()> Store for Meanwhile<'_, A, F> {
    fn load(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, StoreError> {
        self.pass(false, key);
        self.inner.load(key)
    }

    fn swap(&self, key: &str, value: &[u8], version: u32) -> Result<Swap, StoreError> {
        self.pass(true, key);
        self.inner.swap(key, value, version)
    }
}

/// Two limits of the caller `x` with these quotas, in the order in which a request takes from them: by
/// their slots.
fn in_order(table: &Table, one: &Quota, two: &Quota) -> (&'static str, &'static str) {
    let slot = |name: &str, quota: &Quota| place(table, &ask(name, "x", quota, 1)).slot;
    let names = [("a", "b"), ("b", "a"), ("c", "d"), ("d", "c"), ("e", "f"), ("f", "e")];
    let ordered = |(first, second): &(&str, &str)| slot(first, one) < slot(second, two);
    names.into_iter().find(ordered).unwrap()
}

/// A take that time has repaid is not repaid again, or it would forgive a later caller's.
#[test]
fn a_late_give_back_forgives_nobody_elses_take() {
    for (elapsed, left) in [(0, 1), (10 * SECOND, 0), (4 * SECOND, 1)] {
        let memory = Memory::default();
        let table = table(&memory, 512);
        let (one, two) = (quota(1, 10 * SECOND, 2), quota(1, HOUR, 1));
        let (first, second) = in_order(&table, &one, &two);
        let (first, second) = (ask(first, "x", &one, 1), ask(second, "x", &two, 1));
        let second_key = format!("tollgate/p/b2/{}", place(&table, &second).slot);
        let now = Cell::new(NOW);
        let store = Meanwhile {
            inner: &memory,
            at: |write, key: &str| write && key == second_key,
            meanwhile: Cell::new(Some(|| {
                // The request holds a token of `first`; others take the last of `second` and, when
                // time has passed, what is in `first` by then.
                assert!(passes(&take(&table, &memory, NOW, &[second])));
                now.set(NOW + elapsed);
                assert!(passes(&take(&table, &memory, now.get(), &[first])));
                if elapsed == 10 * SECOND {
                    assert!(passes(&take(&table, &memory, now.get(), &[first])));
                }
            })),
        };
        let mut counters = Counters::default();
        let answer =
            take_all(&table, &store, &|| now.get(), &[first, second], &mut counters).unwrap();
        assert!(matches!(answer, Answer::Denied { .. }), "{answer:?}");
        assert_eq!(counters.stranded, 0);
        assert_eq!(remaining(&table, &memory, now.get(), first), left, "after {elapsed} ns");
    }
}

/// A moment read before the bucket would look like a clock that stepped back.
#[test]
fn a_slow_worker_does_not_take_a_later_write_for_a_clock_step() {
    let memory = Memory::default();
    let table = table(&memory, 8);
    let quota = quota(1, SECOND, 10);
    let request = [ask("l", "x", &quota, 1)];
    let drain = [ask("l", "x", &quota, 10)];
    let now = Cell::new(NOW);
    let store = Meanwhile {
        inner: &memory,
        at: |_, _: &str| true,
        meanwhile: Cell::new(Some(|| {
            now.set(NOW + 5 * SECOND);
            assert!(passes(&take(&table, &memory, now.get(), &drain)));
        })),
    };
    let mut counters = Counters::default();
    let answer = take_all(&table, &store, &|| now.get(), &request, &mut counters).unwrap();
    assert_eq!(later(&answer), Some((0, SECOND)));
    assert!(!passes(&take(&table, &memory, NOW + 6 * SECOND - 1, &request)));
    assert!(passes(&take(&table, &memory, NOW + 6 * SECOND, &request)));
}

// --- Long runs.

#[test]
fn a_million_seconds_at_odd_rates_do_not_drift() {
    for (tokens, period) in [(3, SECOND), (7, MINUTE)] {
        let quota = quota(tokens, period, 5);
        let end = NOW + 1_000_000 * SECOND;
        let (mut bucket, mut now, mut admitted) = (Bucket::default(), NOW, 0);
        while now <= end {
            let taken = gcra::take(bucket, &quota, now, 1);
            bucket = taken.bucket;
            match taken.outcome {
                Outcome::Allowed { .. } => admitted += 1,
                Outcome::Denied { retry_after_ns } => now += retry_after_ns,
                Outcome::Never => panic!("never"),
            }
        }
        assert_eq!(admitted, 5 + 1_000_000 * SECOND * tokens / period, "{tokens} per {period} ns");
    }
}

// --- The table.

#[test]
fn ten_thousand_fresh_identities_all_pass_and_no_key_is_added() {
    let store = Memory::default();
    let table = table(&store, 131_072);
    let keys = store.dump().len();
    assert_eq!(keys, 16_384 + 4_096 + 1);
    let quota = quota(1, MINUTE, 10);
    let mut counters = Counters::default();
    for n in 0..10_000 {
        let identity = format!("tenant/{n}");
        let request = [ask("per-caller", &identity, &quota, 1)];
        assert!(passes(&take_all(&table, &store, &|| NOW, &request, &mut counters).unwrap()));
    }
    assert_eq!(counters, Counters::default());
    assert_eq!(store.dump().len(), keys);
}

#[test]
fn a_million_identities_keep_the_keys_fixed_and_live_evictions_are_counted() {
    let store = Memory::default();
    let table = table(&store, 8_192);
    let keys = store.dump().len();
    let quota = quota(1, HOUR, 10);
    let half = |parity: u64| {
        let mut counters = Counters::default();
        for n in 0..500_000_u64 {
            let identity = (2 * n + parity).to_string();
            let request = [ask("l", &identity, &quota, 1)];
            let answer = take_all(&table, &store, &|| NOW + n, &request, &mut counters);
            assert!(passes(&answer.unwrap()));
        }
        counters.live_evictions
    };
    let live_evictions = std::thread::scope(|scope| {
        let odd = scope.spawn(|| half(1));
        half(0) + odd.join().unwrap()
    });
    assert_eq!(store.dump().len(), keys);
    // What does not fit was evicted, one for one, but for a few empty ways.
    assert!((1_000_000 - 8_192..=1_000_000).contains(&live_evictions));
}

/// Two filters of one VM and one name may have a limit of one name and different sizes.
#[test]
fn quotas_of_different_size_never_share_a_bucket() {
    let store = Memory::default();
    let table = table(&store, 512);
    let hour = quota(10, HOUR, 10);
    // Faster, smaller and larger ones, and one that may owe, asked in turn.
    let others = [quota(1, SECOND, 1), quota(10, HOUR, 3), quota(10, HOUR, 50), hour.with_debt()];
    let mut passed = 0;
    for turn in 0..40 {
        let now = NOW + turn * SECOND;
        passed += u64::from(passes(&take(&table, &store, now, &[ask("l", "a", &hour, 1)])));
        for other in &others {
            take(&table, &store, now, &[ask("l", "a", other, 1)]);
        }
    }
    assert_eq!(passed, 10);
    for (other, left) in others.iter().zip([1, 0, 10, 0]) {
        let request = ask("l", "a", other, 1);
        assert_eq!(remaining(&table, &store, NOW + 40 * SECOND, request), left, "{other:?}");
    }
}

/// A flood of addresses fills its own slots and nothing else.
#[test]
fn callers_without_a_token_evict_only_each_other() {
    let store = Memory::default();
    let table = table(&store, 2_048);
    let keys = store.dump().len();
    let quota = quota(1, HOUR, 1);
    let verified: Vec<_> = (0..200).map(|n| n.to_string()).collect();
    for caller in &verified {
        assert!(passes(&take(&table, &store, NOW, &[ask("l", caller, &quota, 1)])));
    }
    let mut counters = Counters::default();
    for n in 0..100_000_u64 {
        let address = n.to_string();
        let open = Request { region: Region::Open, ..ask("l", &address, &quota, 1) };
        assert!(passes(&take_all(&table, &store, &|| NOW, &[open], &mut counters).unwrap()));
    }
    assert!(counters.live_evictions > 90_000, "they evict each other");
    for caller in &verified {
        assert!(!passes(&take(&table, &store, NOW, &[ask("l", caller, &quota, 1)])), "{caller}");
    }
    assert_eq!(store.dump().len(), keys);
    // And the other way round.
    let open = Request { region: Region::Open, ..ask("l", "an address", &quota, 1) };
    assert!(passes(&take(&table, &store, NOW, &[open])));
    for n in 0..100_000 {
        take(&table, &store, NOW, &[ask("l", &format!("caller {n}"), &quota, 1)]);
    }
    assert!(!passes(&take(&table, &store, NOW, &[open])));
}

/// A module of another layout serves beside this one, under keys of its own.
#[test]
fn what_another_layout_wrote_is_neither_read_nor_written() {
    let store = Memory::default();
    // As version 0.1 wrote it: a record of one slot, ways of 24 bytes.
    let mut record = b"tgb1".to_vec();
    record.extend(1_u32.to_le_bytes());
    record.extend([7; 16]);
    store.put("tollgate/p/table", &record);
    store.put("tollgate/p/b/0", &[0xff; 192]);
    store.put("tollgate/p/c/0", &[0xff; 64]);
    let before = store.dump();
    let table = Table::open(&store, "p", 64, [1; 16]).unwrap();
    assert_eq!(table.slots(), 8, "not the size of the other layout");
    let mut places = Concurrency::open(&store, "p", &table, 1).unwrap();
    let quota = quota(1, HOUR, 3);
    let passed = (0..10)
        .filter(|_| passes(&take(&table, &store, NOW, &[ask("l", "alice", &quota, 1)])))
        .count();
    let whose = (Region::Verified, "rule", "alice");
    let held = places.acquire(&store, &|| NOW, whose, 1, &mut Counters::default()).unwrap();
    assert_eq!((passed, held.is_some()), (3, true));
    let after = store.dump();
    assert!(before.iter().all(|pair| after.contains(pair)));
    let own = ["tollgate/p/table2", "tollgate/p/b2/", "tollgate/p/c2/"];
    let mut new = after.iter().filter(|pair| !before.contains(pair));
    assert!(new.all(|(key, _)| own.iter().any(|own| key.starts_with(own))));
}

#[test]
fn full_buckets_are_evicted_without_a_count() {
    let store = Memory::default();
    let table = table(&store, 8);
    let quota = quota(1, SECOND, 1);
    let mut counters = Counters::default();
    for n in 0..100_u64 {
        let (identity, now) = (n.to_string(), NOW + n * SECOND);
        take_all(&table, &store, &|| now, &[ask("l", &identity, &quota, 1)], &mut counters)
            .unwrap();
    }
    assert_eq!(counters.live_evictions, 0);
}

#[test]
fn the_first_to_open_decides_seed_and_size() {
    let store = Memory::default();
    let first = Table::open(&store, "p", 64, [1; 16]).unwrap();
    let before = store.dump();
    let second = Table::open(&store, "p", 128, [2; 16]).unwrap();
    assert_eq!((first.slots(), second.slots()), (8, 8));
    assert!(!first.keeps_other_size() && second.keeps_other_size());
    let quota = quota(1, SECOND, 1);
    let request = ask("l", "alice", &quota, 1);
    assert_eq!(place(&first, &request), place(&second, &request));
    assert_eq!(before, store.dump());
    let other = Table::open(&store, "q", 128, [2; 16]).unwrap();
    assert_eq!((other.slots(), other.keeps_other_size()), (16, false));
    assert!(other.slots() <= MAX_SLOTS);
}

#[test]
fn slots_that_are_missing_are_created_by_the_take() {
    let store = Memory::default();
    let table = table(&store, 8);
    let quota = quota(1, MINUTE, 1);
    store.map.lock().unwrap().remove("tollgate/p/b2/0");
    let request = [ask("l", "alice", &quota, 1)];
    assert!(passes(&take(&table, &store, NOW, &request)));
    assert!(!passes(&take(&table, &store, NOW, &request)));
}

// --- Several limits, one after the other.

#[test]
fn a_denial_names_the_limit_that_takes_longest_and_takes_from_none() {
    let store = Memory::default();
    for identities in [8, 131_072] {
        let plugin = identities.to_string();
        let table = Table::open(&store, &plugin, identities, [7; 16]).unwrap();
        let (free, slow, slower) = (quota(1, HOUR, 9), quota(1, SECOND, 1), quota(1, MINUTE, 1));
        let requests =
            [ask("f", "x", &free, 1), ask("s", "x", &slow, 1), ask("m", "x", &slower, 1)];
        let Answer::Allowed(standings) = take(&table, &store, NOW, &requests) else {
            panic!("denied")
        };
        let left: Vec<u64> = standings.iter().map(|standing| standing.remaining).collect();
        assert_eq!(left, [8, 0, 0]);
        assert_eq!(standings[2].reset_ns, MINUTE);
        for _ in 0..20 {
            let Answer::Denied { index, retry_after_ns, standings } =
                take(&table, &store, NOW, &requests)
            else {
                panic!("passed")
            };
            assert_eq!((index, retry_after_ns), (2, MINUTE));
            // Every limit is shown as it is, those included that had tokens.
            let left: Vec<_> = standings.iter().map(|s| (s.remaining, s.ruling)).collect();
            assert_eq!(left, [(8, Ruling::Pass), (0, Ruling::NotYet), (0, Ruling::NotYet)]);
        }
        assert_eq!(remaining(&table, &store, NOW, requests[0]), 8);
    }
}

#[test]
fn of_limits_that_take_as_long_the_first_is_named_wherever_their_buckets_are() {
    let store = Memory::default();
    let table = table(&store, 131_072);
    let minute = quota(1, MINUTE, 1);
    for caller in 0..20 {
        let caller = caller.to_string();
        let requests = ["a", "b", "c"].map(|limit| ask(limit, &caller, &minute, 1));
        assert!(passes(&take(&table, &store, NOW, &requests)));
        let denied = take(&table, &store, NOW, &requests);
        assert_eq!(later(&denied), Some((0, MINUTE)), "{caller}");
    }
}

#[test]
fn a_charge_that_loses_every_race_counts_them_and_is_given_up() {
    let memory = Memory::default();
    let table = table(&memory, 8);
    let store = Unreliable { inner: &memory, refuse: |_: &str| Some(Ok(Swap::Lost)) };
    let quota = quota(1, SECOND, 1).with_debt();
    let mut counters = Counters::default();
    charge(&table, &store, &|| NOW, &ask("l", "x", &quota, 1), &mut counters);
    assert_eq!((counters.retries, counters.uncharged), (u64::from(TRIES), 1));
}

#[test]
fn a_cost_above_any_burst_never_passes_and_no_limits_always_do() {
    let store = Memory::default();
    let table = table(&store, 8);
    let (small, large) = (quota(1, SECOND, 1), quota(1, SECOND, 10));
    let requests = [ask("a", "x", &large, 5), ask("b", "x", &small, 5)];
    let before = store.dump();
    let Answer::Never { index: 1, standings } = take(&table, &store, NOW, &requests) else {
        panic!("not refused for good")
    };
    let shown: Vec<_> = standings.iter().map(|s| (s.remaining, s.ruling)).collect();
    assert_eq!(shown, [(10, Ruling::Pass), (1, Ruling::Never)]);
    assert_eq!(take(&table, &store, NOW, &[]), Answer::Allowed(vec![]));
    assert_eq!(before, store.dump());
}

#[test]
fn limits_of_one_request_do_not_evict_each_other() {
    let store = Memory::default();
    let table = table(&store, 8);
    let hour = quota(1, HOUR, 100);
    for n in 0..8 {
        take(&table, &store, NOW, &[ask("l", &n.to_string(), &hour, 50)]);
    }
    // All ways are deep in debt: each newcomer is the nearest to full.
    let quick = quota(1, SECOND, 1);
    let requests = [ask("a", "x", &quick, 1), ask("b", "x", &quick, 1), ask("c", "x", &quick, 1)];
    assert!(passes(&take(&table, &store, NOW, &requests)));
    for request in requests {
        assert_eq!(remaining(&table, &store, NOW, request), 0);
    }
}

#[test]
fn a_step_back_persists_its_clamp_at_the_denial() {
    let store = Memory::default();
    let table = table(&store, 8);
    let quota = quota(1, SECOND, 10);
    let request = [ask("l", "alice", &quota, 1)];
    assert!(passes(&take(&table, &store, NOW, &request)));
    let back = NOW - HOUR;
    assert_eq!(later(&take(&table, &store, back, &request)), Some((0, SECOND)));
    assert!(!passes(&take(&table, &store, back + SECOND - 1, &request)));
    assert!(passes(&take(&table, &store, back + SECOND, &request)));
}

// --- Dry runs.

#[test]
fn a_dry_run_denies_nothing_and_takes_what_it_can() {
    let store = Memory::default();
    let table = table(&store, 8);
    let (small, large) = (quota(1, MINUTE, 2), quota(1, HOUR, 5));
    let dry = Request { dry_run: true, ..ask("dry", "x", &small, 1) };
    let real = ask("real", "x", &large, 1);
    let rulings: Vec<_> = (0..6)
        .map(|_| match take(&table, &store, NOW, &[dry, real]) {
            Answer::Allowed(standings) => (true, standings[0].ruling),
            Answer::Denied { index, standings, .. } => {
                assert_eq!(index, 1);
                (false, standings[0].ruling)
            }
            Answer::Never { .. } => panic!("never"),
        })
        .collect();
    let (pass, not_yet) = (Ruling::Pass, Ruling::NotYet);
    let passed = [(true, pass), (true, pass), (true, not_yet), (true, not_yet), (true, not_yet)];
    assert_eq!(rulings, [&passed[..], &[(false, not_yet)]].concat());
    // What the real limit refuses costs the dry one nothing either.
    let later = NOW + 30 * MINUTE;
    assert!(!passes(&take(&table, &store, later, &[dry, real])));
    assert_eq!(remaining(&table, &store, later, dry), 2);
    // A cost that the dry limit could never hold passes, too.
    let dear = Request { cost: 3, ..dry };
    let Answer::Allowed(standings) = take(&table, &store, later, &[dear]) else { panic!("denied") };
    assert_eq!(standings[0].ruling, Ruling::Never);
}

// --- Charging by the response.

#[test]
fn a_response_is_charged_whatever_is_there_and_the_debt_delays_the_next_request() {
    let store = Memory::default();
    let table = table(&store, 8);
    let quota = quota(1, SECOND, 10).with_debt();
    let asks = Request { mode: Mode::Ask, ..ask("chat", "alice", &quota, 1) };
    let mut counters = Counters::default();
    let mut pay = |now: u64, cost: u64| {
        charge(&table, &store, &|| now, &Request { cost, ..asks }, &mut counters);
    };
    // Asking takes nothing.
    for _ in 0..20 {
        assert!(passes(&take(&table, &store, NOW, &[asks])));
    }
    pay(NOW, 4);
    assert_eq!(remaining(&table, &store, NOW, asks), 6);
    assert!(passes(&take(&table, &store, NOW, &[asks])));
    pay(NOW, 16);
    assert_eq!(later(&take(&table, &store, NOW, &[asks])), Some((0, 11 * SECOND)));
    assert!(!passes(&take(&table, &store, NOW + 11 * SECOND - 1, &[asks])));
    assert!(passes(&take(&table, &store, NOW + 11 * SECOND, &[asks])));
    assert_eq!(counters, Counters::default());
}

#[test]
fn concurrent_charges_are_all_counted() {
    let store = Memory::default();
    let table = table(&store, 8);
    let quota = quota(1, MINUTE, 1_000).with_debt();
    let asks = Request { mode: Mode::Ask, ..ask("chat", "alice", &quota, 3) };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    charge(&table, &store, &|| NOW, &asks, &mut Counters::default());
                }
            });
        }
    });
    // 6,000 tokens of 1,000: 5,001 are lacking for the next.
    let answer = take(&table, &store, NOW, &[asks]);
    assert_eq!(later(&answer), Some((0, 5_001 * MINUTE)));
}

// --- A store that fails.

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
    let table = table(&Memory::default(), 8);
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
    let memory = Memory::default();
    let table = table(&memory, 8);
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
fn what_was_taken_before_a_failure_is_given_back() {
    let failures = [
        (Ok(Swap::Lost), TakeError::Contended),
        (Err(StoreError::Host(10)), TakeError::Store(StoreError::Host(10))),
    ];
    for (failure, expected) in failures {
        let memory = Memory::default();
        let table = table(&memory, 512);
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
fn what_cannot_be_given_back_is_counted() {
    let memory = Memory::default();
    let table = table(&memory, 512);
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

#[test]
fn what_nobody_touched_is_given_back_whole_however_long_it_took() {
    let memory = Memory::default();
    let table = table(&memory, 512);
    let (one, two) = (quota(1, 10 * SECOND, 3), quota(1, HOUR, 1));
    let (first, second) = in_order(&table, &one, &two);
    let (first, second) = (ask(first, "x", &one, 1), ask(second, "x", &two, 1));
    assert!(passes(&take(&table, &memory, NOW, &[ask(first.limit, "x", &one, 2)])));
    let second_key = format!("tollgate/p/b2/{}", place(&table, &second).slot);
    let now = Cell::new(NOW);
    let store = Meanwhile {
        inner: &memory,
        at: |write, key: &str| write && key == second_key,
        meanwhile: Cell::new(Some(|| {
            assert!(passes(&take(&table, &memory, NOW, &[second])));
            now.set(NOW + 10 * SECOND);
        })),
    };
    let mut counters = Counters::default();
    let answer = take_all(&table, &store, &|| now.get(), &[first, second], &mut counters).unwrap();
    assert!(matches!(answer, Answer::Denied { .. }), "{answer:?}");
    assert_eq!(remaining(&table, &memory, now.get(), first), 2);
}

#[test]
fn a_slot_of_another_length_is_counted_and_mended() {
    let store = Memory::default();
    let table = table(&store, 8);
    let quota = quota(1, MINUTE, 1);
    let request = [ask("l", "alice", &quota, 1)];
    let mut counters = Counters::default();
    for (value, damaged) in [(vec![], 0), (vec![9; 100], 1)] {
        store.put("tollgate/p/b2/0", &value);
        assert!(passes(&take_all(&table, &store, &|| NOW, &request, &mut counters).unwrap()));
        assert!(!passes(&take(&table, &store, NOW, &request)));
        assert_eq!(counters.damaged, damaged);
    }
    assert_eq!(store.load("tollgate/p/b2/0").unwrap().unwrap().0.len(), 160);
    assert_ne!(CREATE, 0);
}
