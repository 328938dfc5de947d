//! The bucket's arithmetic: the generic cell rate algorithm over exact rationals.
//!
//! A bucket is one moment, the theoretical arrival time (TAT): when it will be full again. A token
//! is worth `P/N` ns, so a TAT is kept in units of `1/N` ns and no rate drifts, 3/s and 7/m
//! included. Everything here is a pure function of (bucket, quota, now); the caller runs it inside
//! compare-and-swap, as often as races ask for.

use std::time::Duration;

use super::quota::Quota;
use crate::time::{Moment, nanos};

/// The state of one bucket: full when its TAT is not after now. The default is always full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// The TAT, rounded down to a nanosecond.
    pub tat: Moment,
    /// What is beyond it, in units of `1/N` ns of the bucket's quota.
    pub frac: u32,
}

/// What [`take`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The tokens are taken.
    Allowed {
        /// Whole tokens left.
        remaining: u64,
        /// Time until the bucket is full, rounded up to a nanosecond.
        reset: Duration,
    },
    /// Not yet: nothing is taken.
    Denied {
        /// Time until the same take passes, to the nanosecond. Never zero.
        retry_after: Duration,
    },
    /// Not ever: the cost is above the burst, and waiting cannot cure that.
    Never,
}

/// An outcome and the bucket to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The bucket afterwards. When denied it differs from the one before only by the clamp, and
    /// has to be kept all the same: the announced moment counts from it.
    pub bucket: Bucket,
    /// What happened.
    pub outcome: Outcome,
}

/// Takes `cost` tokens at `now`, or says when that will pass. A cost of 0 changes nothing.
///
/// A TAT further ahead than the quota lets a bucket owe (one full burst, or [`DEBT_BURSTS`] more
/// where replies are charged) can only come from a clock that has stepped back since. It is clamped
/// to that: nobody waits longer than a true debt could make them, and as no true debt is larger,
/// none is lost. `now` must therefore be read after the bucket was: a `now` older than the write it
/// meets would look like such a step.
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
    let after = used + u128::from(cost) * quota.token_units();
    let tokens = u128::from(quota.tokens());
    if after > capacity && cost > 0 {
        let bucket = if stored > ceiling { owing(ceiling, quota, now) } else { bucket };
        let retry_after = Duration::from_nanos(narrow((after - capacity).div_ceil(tokens)));
        return Taken { bucket, outcome: Outcome::Denied { retry_after } };
    }
    let outcome = Outcome::Allowed {
        remaining: narrow(capacity.saturating_sub(after) / quota.token_units()),
        reset: Duration::from_nanos(narrow(after.div_ceil(tokens))),
    };
    Taken { bucket: if cost == 0 { bucket } else { owing(after, quota, now) }, outcome }
}

/// Charges `cost` tokens after the fact: whatever is not there becomes a debt, up to the quota's
/// bound, and later takes wait until it is repaid.
#[must_use]
pub fn charge(bucket: Bucket, quota: &Quota, now: Moment, cost: u64) -> Bucket {
    let units = u128::from(cost).saturating_mul(quota.token_units());
    let owed = debt(bucket, quota, now).saturating_add(units);
    if cost == 0 { bucket } else { owing(owed.min(quota.ceiling_units()), quota, now) }
}

/// Undoes a take of `cost` tokens that `elapsed` may have partly undone already.
///
/// While a bucket stands full, refill is wasted, and a take that time has repaid must not be repaid
/// again: that would forgive someone else's. At most the elapsed time can have been wasted since,
/// so that much is held back. 0 is exact when nobody wrote the bucket in between.
#[must_use]
pub fn give_back(bucket: Bucket, quota: &Quota, cost: u64, elapsed: Duration) -> Bucket {
    let tokens = u128::from(quota.tokens());
    let amount = u128::from(cost)
        .saturating_mul(quota.token_units())
        .saturating_sub(u128::from(nanos(elapsed)) * tokens);
    let units = u128::from(bucket.tat.as_nanos()) * tokens + u128::from(bucket.frac);
    from_units(units.saturating_sub(amount), quota)
}

/// How far the TAT is ahead of `now`, in units of `1/N` ns.
fn debt(bucket: Bucket, quota: &Quota, now: Moment) -> u128 {
    let tokens = u128::from(quota.tokens());
    let tat = u128::from(bucket.tat.as_nanos()) * tokens + u128::from(bucket.frac);
    tat.saturating_sub(u128::from(now.as_nanos()) * tokens)
}

/// The bucket that owes `units` at `now`.
fn owing(units: u128, quota: &Quota, now: Moment) -> Bucket {
    // At most 2⁹⁶ + 2⁹¹.
    from_units(
        (u128::from(now.as_nanos()) * u128::from(quota.tokens())).saturating_add(units),
        quota,
    )
}

fn from_units(units: u128, quota: &Quota) -> Bucket {
    let tokens = u128::from(quota.tokens());
    // A remainder by a u32 fits one. Whole nanoseconds saturate in the year 2554.
    let frac = u32::try_from(units % tokens).unwrap_or(u32::MAX);
    Bucket { tat: Moment::from_nanos(narrow(units / tokens)), frac }
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
    fn the_ends_of_time_do_not_overflow() {
        let quota = Quota::new(u64::from(u32::MAX), NANO, nanos(MAX_REFILL)).unwrap();
        for now in [Moment::EPOCH, Moment::MAX] {
            for tat in [Moment::EPOCH, Moment::MAX] {
                let bucket = Bucket { tat, frac: u32::MAX };
                let taken = take(bucket, &quota, now, nanos(MAX_REFILL));
                let _ = charge(bucket, &quota.with_debt(), now, u64::MAX);
                let _ = give_back(taken.bucket, &quota, u64::MAX, Duration::ZERO);
            }
        }
    }
}
