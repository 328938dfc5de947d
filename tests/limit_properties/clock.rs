//! Announced moments, clock steps, long runs.

use tollgate::limit::gcra::{self, Bucket, Outcome};

use super::*;

proptest! {
    #![proptest_config(config())]

    #[test]
    fn denied_until_exactly_the_announced_moment_and_allowed_at_it(
        first in any_quota(), second in any_quota(),
        steps in prop::collection::vec((spans(Duration::ZERO..MINUTE), 1_u64..12_000, 1_u64..12_000), 1..30),
    ) {
        let (store, table) = opened(8);
        let mut now = NOW;
        for (elapsed, one, two) in steps {
            now = now + elapsed;
            let limits = [ask("a", "x", &first, one), ask("b", "x", &second, two)];
            let before = store.dump();
            match take(&table, &store, now, &limits) {
                Answer::Allowed(_) => prop_assert!(one <= first.burst() && two <= second.burst()),
                Answer::Never { index, .. } => {
                    let limit = limits[index];
                    prop_assert!(limit.cost > limit.quota.burst());
                    prop_assert_eq!(before, store.dump());
                }
                Answer::Denied { retry_after, .. } => {
                    prop_assert_eq!(before, store.dump());
                    prop_assert!(retry_after > Duration::ZERO);
                    let early = take(&table, &store, now + retry_after - NANO, &limits);
                    let only_one_left =
                        matches!(early, Answer::Denied { retry_after: NANO, .. });
                    prop_assert!(only_one_left);
                    now = now + retry_after;
                    prop_assert!(passes(&take(&table, &store, now, &limits)));
                }
            }
        }
    }

    #[test]
    fn clock_steps_grant_no_more_than_a_burst_and_lock_out_no_longer_than_a_refill(
        quota in small_quota(),
        steps in prop::collection::vec((0_u8..4, spans(Duration::ZERO..SECOND), 0_u64..7), 1..40),
    ) {
        let (store, table) = opened(8);
        let (mut wall, mut elapsed, mut forward, mut admitted) = (NOW, Duration::ZERO, 0_u64, 0_u64);
        for (kind, by, cost) in steps {
            match kind {
                0 => wall = wall - HOUR,
                1 => (wall, forward) = (wall + HOUR, forward + 1),
                _ => (wall, elapsed) = (wall + by, elapsed + by),
            }
            let cost = cost.min(quota.burst());
            let request = [ask("l", "alice", &quota, cost)];
            match take(&table, &store, wall, &request) {
                Answer::Allowed(_) => admitted += cost,
                Answer::Denied { retry_after, .. } => {
                    prop_assert!(retry_after <= quota.refill());
                    if by.subsec_nanos() % 2 == 0 {
                        (wall, elapsed) = (wall + retry_after, elapsed + retry_after);
                        prop_assert!(passes(&take(&table, &store, wall, &request)));
                        admitted += cost;
                    }
                }
                Answer::Never { .. } => prop_assert!(false),
            }
            let above = u128::from(admitted.saturating_sub(quota.burst() * (1 + forward)));
            prop_assert!(
                above * quota.period().as_nanos()
                    <= elapsed.as_nanos() * u128::from(quota.tokens())
            );
        }
    }
}

#[test]
fn a_step_back_persists_its_clamp_at_the_denial() {
    let (store, table) = opened(8);
    let quota = quota(1, SECOND, 10);
    let request = [ask("l", "alice", &quota, 1)];
    assert!(passes(&take(&table, &store, NOW, &request)));
    let back = NOW - HOUR;
    assert_eq!(later(&take(&table, &store, back, &request)), Some((0, SECOND)));
    assert!(!passes(&take(&table, &store, back + SECOND - NANO, &request)));
    assert!(passes(&take(&table, &store, back + SECOND, &request)));
}

#[test]
fn a_million_seconds_at_odd_rates_do_not_drift() {
    for (tokens, period) in [(3, 1), (7, 60)] {
        let quota = quota(tokens, SECOND * period, 5);
        let end = NOW + 1_000_000 * SECOND;
        let (mut bucket, mut now, mut admitted) = (Bucket::default(), NOW, 0);
        while now <= end {
            let taken = gcra::take(bucket, &quota, now, 1);
            bucket = taken.bucket;
            match taken.outcome {
                Outcome::Allowed { .. } => admitted += 1,
                Outcome::Denied { retry_after } => now = now + retry_after,
                Outcome::Never => panic!("never"),
            }
        }
        assert_eq!(admitted, 5 + 1_000_000 * tokens / u64::from(period), "{tokens} per {period} s");
    }
}
