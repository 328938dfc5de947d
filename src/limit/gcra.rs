//! The arithmetic of a bucket: the generic cell rate algorithm (ITU-T I.371) over exact
//! rationals.
//!
//! A bucket is one time, the theoretical arrival time (TAT) at which it is full again. With `N` tokens
//! per period `P`, a token is worth `P/N` ns; a TAT is kept in units of `1/N` ns, so that no rate
//! drifts, not even 3/s or 7/m. All functions are pure; the caller repeats them inside compare-and-swap
//! after each lost race.

use std::time::Duration;

use super::quota::{Quota, divide, product};
use crate::time::{Moment, nanos};

/// The state of one bucket, which is full once its TAT has come. The default is always full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// The TAT, rounded down to a nanosecond.
    pub tat: Moment,
    /// The rest of the TAT in units of `1/N` ns of the bucket's quota.
    pub frac: u32,
}

/// The outcome of a [`take`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The tokens are taken.
    Allowed {
        /// Whole tokens left.
        remaining: u64,
        /// The time until the bucket is full, rounded up to a nanosecond.
        reset: Duration,
    },
    /// Not yet; nothing is taken.
    Denied {
        /// The time until the same take passes, exact to the nanosecond; never zero.
        retry_after: Duration,
    },
    /// Never: the cost is above the burst.
    Never,
}

/// An outcome, and the bucket after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The bucket afterwards. After a denial it differs from the previous one only by the clamp. It
    /// must be stored all the same, because the announced time counts from it.
    pub bucket: Bucket,
    /// The outcome.
    pub outcome: Outcome,
}

/// Takes `cost` tokens at `now`, or computes when they will be there. A cost of 0 changes nothing.
///
/// A bucket cannot owe more than one burst, or [`DEBT_BURSTS`] more if responses are charged. A TAT
/// further ahead means that the clock was set back since, and is clamped to that debt: no caller waits
/// longer than for the largest debt, and no real debt is lost. Therefore `now` must be read after the
/// bucket was loaded: a time before its last write would look like a clock that was set back.
///
/// [`DEBT_BURSTS`]: super::quota::DEBT_BURSTS
#[must_use]
pub fn take(bucket: Bucket, quota: &Quota, now: Moment, cost: u64) -> Taken {
    if cost > quota.burst() {
        return Taken { bucket, outcome: Outcome::Never };
    }
    let capacity = quota.burst_units();
    let ceiling = quota.ceiling_units();
    let stored = debt(bucket, quota, now);
    let used = stored.min(ceiling);
    let after = used + product(cost, quota.period_ns());
    if after > capacity && cost > 0 {
        let bucket = if stored > ceiling { owing(ceiling, quota, now) } else { bucket };
        let retry_after = quota.span(after - capacity);
        return Taken { bucket, outcome: Outcome::Denied { retry_after } };
    }
    let (remaining, reset) = level(after, quota);
    let outcome = Outcome::Allowed { remaining, reset };
    Taken { bucket: if cost == 0 { bucket } else { owing(after, quota, now) }, outcome }
}

/// The whole tokens in a bucket, and the time until it is full.
#[must_use]
pub fn look(bucket: Bucket, quota: &Quota, now: Moment) -> (u64, Duration) {
    level(debt(bucket, quota, now).min(quota.ceiling_units()), quota)
}

/// The same for a bucket that owes `units`.
fn level(units: u128, quota: &Quota) -> (u64, Duration) {
    let (left, _) = divide(quota.burst_units().saturating_sub(units), quota.token_units());
    (narrow(left), quota.span(units))
}

/// Takes `cost` tokens even if they are not there. The rest becomes a debt, up to the bound of the
/// quota, and later takes wait until it is repaid.
#[must_use]
pub fn charge(bucket: Bucket, quota: &Quota, now: Moment, cost: u64) -> Bucket {
    let units = u128::from(cost).saturating_mul(quota.token_units());
    let owed = debt(bucket, quota, now).saturating_add(units);
    if cost == 0 { bucket } else { owing(owed.min(quota.ceiling_units()), quota, now) }
}

/// Corrects a reservation of `held` tokens to the `used` ones: gives the rest back, or charges what was used
/// beyond it.
///
/// The rest comes back whole, unlike in [`give_back`]: a response takes minutes, in which the refill would
/// repay most reservations. A bucket never holds more than its burst by it, because a TAT that has passed is
/// no more than full. Over its whole life, a bucket grants at most its burst and its refill: what comes back
/// was taken out of it before. In a shorter time it can grant in addition what was reserved before that time
/// and comes back in it.
#[must_use]
pub fn settle(bucket: Bucket, quota: &Quota, now: Moment, held: u64, used: u64) -> Bucket {
    match held.checked_sub(used) {
        None => charge(bucket, quota, now, used.saturating_sub(held)),
        Some(rest) => give_back(bucket, quota, rest, Duration::ZERO),
    }
}

/// Undoes a take of `cost` tokens, `elapsed` after it.
///
/// A full bucket wastes its refill. A take that the refill has repaid must not be given back as well,
/// because that would forgive the take of another request. The bucket can have wasted at most the
/// elapsed time, so this much is not given back. If no other request wrote the bucket in between, an
/// `elapsed` of zero is exact.
#[must_use]
pub fn give_back(bucket: Bucket, quota: &Quota, cost: u64, elapsed: Duration) -> Bucket {
    let taken = u128::from(cost).saturating_mul(quota.token_units());
    let amount = taken.saturating_sub(units(nanos(elapsed), quota));
    from_units(tat_units(bucket, quota).saturating_sub(amount), quota)
}

/// The time from `now` to the TAT in units of `1/N` ns.
fn debt(bucket: Bucket, quota: &Quota, now: Moment) -> u128 {
    tat_units(bucket, quota).saturating_sub(units(now.as_nanos(), quota))
}

/// The bucket that owes `debt` units at `now`.
fn owing(debt: u128, quota: &Quota, now: Moment) -> Bucket {
    // At most 2⁹⁶ + 2⁹¹.
    from_units(units(now.as_nanos(), quota).saturating_add(debt), quota)
}

/// Nanoseconds in units of `1/N` ns.
fn units(nanos: u64, quota: &Quota) -> u128 {
    product(nanos, quota.tokens().into())
}

fn tat_units(bucket: Bucket, quota: &Quota) -> u128 {
    units(bucket.tat.as_nanos(), quota) + u128::from(bucket.frac)
}

fn from_units(units: u128, quota: &Quota) -> Bucket {
    let tokens = u128::from(quota.tokens());
    let (nanos, rest) = divide(units, tokens);
    // A remainder by a u32 fits into a u32. Whole nanoseconds saturate in the year 2554.
    let frac = u32::try_from(rest).unwrap_or(u32::MAX);
    Bucket { tat: Moment::from_nanos(narrow(nanos)), frac }
}

fn narrow(wide: u128) -> u64 {
    u64::try_from(wide).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::quota::MAX_REFILL;

    const NANO: Duration = Duration::from_nanos(1);
    const SECOND: Duration = Duration::from_secs(1);
    const NOW: Moment = Moment::from_secs(1_700_000_000);

    fn allowed(taken: Taken) -> bool {
        matches!(taken.outcome, Outcome::Allowed { .. })
    }

    #[test]
    fn a_fresh_bucket_grants_its_burst_and_no_more() {
        let quota = Quota::new(3, SECOND, 5).unwrap();
        let mut bucket = Bucket::default();
        for left in (0..5).rev() {
            let taken = take(bucket, &quota, NOW, 1);
            assert!(
                matches!(taken.outcome, Outcome::Allowed { remaining, .. } if remaining == left)
            );
            bucket = taken.bucket;
        }
        let taken = take(bucket, &quota, NOW, 1);
        assert_eq!(
            taken.outcome,
            Outcome::Denied { retry_after: Duration::from_nanos(333_333_334) }
        );
        assert_eq!(taken.bucket, bucket);
    }

    #[test]
    fn a_cost_above_the_burst_never_passes_and_a_cost_of_zero_always_does() {
        let quota = Quota::new(1, SECOND, 2).unwrap();
        let empty = take(Bucket::default(), &quota, NOW, 2).bucket;
        assert_eq!(take(empty, &quota, NOW, 3), Taken { bucket: empty, outcome: Outcome::Never });
        let free = take(empty, &quota, NOW, 0);
        assert_eq!(free.bucket, empty);
        assert_eq!(free.outcome, Outcome::Allowed { remaining: 0, reset: 2 * SECOND });
        // After a step back as well, when the debt is above what the bucket holds, or after a charge.
        assert!(allowed(take(empty, &quota, NOW - 3600 * SECOND, 0)));
        let indebted = quota.with_debt();
        let owing = charge(empty, &indebted, NOW, 7);
        assert!(allowed(take(owing, &indebted, NOW, 0)));
        assert!(!allowed(take(owing, &indebted, NOW, 1)));
    }

    #[test]
    fn a_step_back_is_clamped_and_the_clamped_bucket_keeps_the_announced_moment() {
        let quota = Quota::new(1, SECOND, 10).unwrap();
        let bucket = take(Bucket::default(), &quota, NOW, 4).bucket;
        let back = NOW - 3600 * SECOND;
        let denied = take(bucket, &quota, back, 1);
        assert_eq!(denied.outcome, Outcome::Denied { retry_after: SECOND });
        assert!(!allowed(take(denied.bucket, &quota, back + SECOND - NANO, 1)));
        assert!(allowed(take(denied.bucket, &quota, back + SECOND, 1)));
    }

    #[test]
    fn giving_back_restores_the_bucket_but_not_what_time_has_repaid() {
        let quota = Quota::new(7, 60 * SECOND, 10).unwrap();
        let before = take(Bucket::default(), &quota, NOW, 3).bucket;
        let after = take(before, &quota, NOW, 2).bucket;
        assert_eq!(give_back(after, &quota, 2, Duration::ZERO), before);
        assert_eq!(give_back(after, &quota, 2, 60 * SECOND), after);
        let part = give_back(after, &quota, 2, NANO);
        assert_eq!((part.tat, part.frac), (before.tat + NANO, before.frac));
    }

    #[test]
    fn a_charge_beyond_the_bucket_is_a_debt_that_delays_takes_and_is_bounded() {
        let quota = Quota::new(1, SECOND, 10).unwrap().with_debt();
        let owing = charge(Bucket::default(), &quota, NOW, 35);
        let denied = |wait| Outcome::Denied { retry_after: wait };
        assert_eq!(take(owing, &quota, NOW, 1).outcome, denied(26 * SECOND));
        assert!(allowed(take(owing, &quota, NOW + 26 * SECOND, 1)));
        // A second charge adds to the first, whether or not time has passed.
        let more = charge(owing, &quota, NOW + SECOND, 2);
        assert_eq!(take(more, &quota, NOW + SECOND, 1).outcome, denied(27 * SECOND));
        // Ten bursts beyond empty, and no more.
        for cost in [1_000, u64::MAX] {
            let most = charge(more, &quota, NOW, cost);
            assert_eq!(take(most, &quota, NOW, 1).outcome, denied(101 * SECOND));
        }
        assert_eq!(charge(owing, &quota, NOW, 0), owing);
    }

    #[test]
    fn a_reservation_is_settled_to_the_token_and_never_above_the_burst() {
        let quota = Quota::new(1, SECOND, 100).unwrap().with_debt();
        let reserved =
            take(take(Bucket::default(), &quota, NOW, 30).bucket, &quota, NOW, 50).bucket;
        for (used, left) in [(0, 70), (1, 69), (50, 20), (51, 19), (70, 0), (80, 0)] {
            let settled = settle(reserved, &quota, NOW, 50, used);
            assert_eq!(look(settled, &quota, NOW).0, left, "{used}");
            // As if it had been charged and never reserved.
            let charged =
                charge(take(Bucket::default(), &quota, NOW, 30).bucket, &quota, NOW, used);
            assert_eq!(settled, charged, "{used}");
            // The refill since then is not taken off.
            let later = NOW + 20 * SECOND;
            let settled = settle(reserved, &quota, later, 50, used);
            let refilled = look(charged, &quota, later).0;
            assert_eq!(look(settled, &quota, later).0, refilled, "{used}");
        }
        let later = NOW + 500 * SECOND;
        let full = settle(reserved, &quota, later, 50, 0);
        assert_eq!(look(full, &quota, later), (100, Duration::ZERO));
        assert_eq!(look(take(full, &quota, later, 1).bucket, &quota, later).0, 99);
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        let quota = Quota::new(u64::from(u32::MAX), NANO, nanos(MAX_REFILL)).unwrap();
        for now in [Moment::EPOCH, Moment::MAX] {
            for tat in [Moment::EPOCH, Moment::MAX] {
                let bucket = Bucket { tat, frac: u32::MAX };
                let taken = take(bucket, &quota, now, nanos(MAX_REFILL));
                let _ = charge(bucket, &quota.with_debt(), now, u64::MAX);
                let _ = give_back(taken.bucket, &quota, u64::MAX, Duration::ZERO);
                let _ = settle(bucket, &quota, now, u64::MAX, 0);
                let _ = settle(bucket, &quota, now, 0, u64::MAX);
            }
        }
    }
}
