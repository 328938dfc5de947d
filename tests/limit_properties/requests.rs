//! One request with several limits, dry runs, and charges by the response.

use tollgate::few::Few;

use super::*;

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
        assert_eq!(standings[2].reset, MINUTE);
        for _ in 0..20 {
            let Answer::Denied { index, retry_after, standings } =
                take(&table, &store, NOW, &requests)
            else {
                panic!("passed")
            };
            assert_eq!((index, retry_after), (2, MINUTE));
            // Every limit is shown as it is, those included that had tokens.
            let left: Vec<_> = standings.iter().map(|s| (s.remaining, s.ruling)).collect();
            assert_eq!(
                left,
                [(8, Ruling::Pass), (0, Ruling::NotYet(SECOND)), (0, Ruling::NotYet(MINUTE))]
            );
        }
        assert_eq!(remaining(&table, &store, NOW, requests[0]), 8);
    }
}

#[test]
fn of_limits_that_take_as_long_the_first_is_named_wherever_their_buckets_are() {
    let (store, table) = opened(131_072);
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
fn a_cost_above_any_burst_never_passes_and_no_limits_always_do() {
    let (store, table) = opened(8);
    let (small, large) = (quota(1, SECOND, 1), quota(1, SECOND, 10));
    let requests = [ask("a", "x", &large, 5), ask("b", "x", &small, 5)];
    let before = store.dump();
    let Answer::Never { index: 1, standings } = take(&table, &store, NOW, &requests) else {
        panic!("not refused for good")
    };
    let shown: Vec<_> = standings.iter().map(|s| (s.remaining, s.ruling)).collect();
    assert_eq!(shown, [(10, Ruling::Pass), (1, Ruling::Never)]);
    assert_eq!(take(&table, &store, NOW, &[]), Answer::Allowed(Few::default()));
    assert_eq!(before, store.dump());
}

#[test]
fn a_dry_run_denies_nothing_and_takes_what_it_can() {
    let (store, table) = opened(8);
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
    let (pass, not_yet) = (Ruling::Pass, Ruling::NotYet(MINUTE));
    let passed = [(true, pass), (true, pass), (true, not_yet), (true, not_yet), (true, not_yet)];
    assert_eq!(rulings, [&passed[..], &[(false, not_yet)]].concat());
    // A request that the real limit refuses is not charged to the dry run either.
    let later = NOW + 30 * MINUTE;
    assert!(!passes(&take(&table, &store, later, &[dry, real])));
    assert_eq!(remaining(&table, &store, later, dry), 2);
    // A cost that the dry limit could never hold passes, too.
    let dear = Request { cost: 3, ..dry };
    let Answer::Allowed(standings) = take(&table, &store, later, &[dear]) else { panic!("denied") };
    assert_eq!(standings[0].ruling, Ruling::Never);
}

#[test]
fn a_response_is_charged_whatever_is_there_and_the_debt_delays_the_next_request() {
    let (store, table) = opened(8);
    let quota = quota(1, SECOND, 10).with_debt();
    let asks = Request { mode: Mode::Ask, ..ask("chat", "alice", &quota, 1) };
    let mut counters = Counters::default();
    let mut pay = |now: Moment, cost: u64| {
        settle(&table, &store, &|| now, &Request { cost, ..asks }, 0, &mut counters);
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
    assert!(!passes(&take(&table, &store, NOW + 11 * SECOND - NANO, &[asks])));
    assert!(passes(&take(&table, &store, NOW + 11 * SECOND, &[asks])));
    assert_eq!(counters, Counters::default());
}
