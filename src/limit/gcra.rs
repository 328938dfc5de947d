//! The bucket's arithmetic: the generic cell rate algorithm over exact rationals.
//!
//! A bucket is one moment, the theoretical arrival time (TAT): when it will be full again. A token
//! is worth `P/N` ns, so a TAT is kept in units of `1/N` ns and no rate drifts, 3/s and 7/m
//! included. Everything here is a pure function of (bucket, quota, now); the caller runs it inside
//! compare-and-swap, as often as races ask for.

use super::quota::{Binary, MAX_REFILL_NS, Quota};

/// The state of one bucket: full when its TAT is not after now. The default is always full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// The TAT's whole nanoseconds since the Unix epoch.
    pub tat_ns: u64,
    /// What is beyond them, in units of `1/N` ns of the quota it was written under.
    pub frac: u32,
}

/// What [`take`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The tokens are taken.
    Allowed {
        /// Whole tokens left.
        remaining: u64,
        /// Nanoseconds until the bucket is full, rounded up.
        reset_ns: u64,
    },
    /// Not yet: nothing is taken.
    Denied {
        /// Nanoseconds until the same take passes, to the nanosecond. Never zero.
        retry_after_ns: u64,
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

/// Takes `cost` tokens at `now` (ns), or says when that will pass. A cost of 0 changes nothing.
///
/// A TAT further ahead than the quota lets a bucket owe (one full burst, or [`DEBT_BURSTS`] more
/// where replies are charged) can only come from a clock that has stepped back since. It is clamped
/// to that: nobody waits longer than a true debt could make them, and as no true debt is larger,
/// none is lost. `now` must therefore be read after the bucket was: a `now` older than the write it
/// meets would look like such a step.
///
/// [`DEBT_BURSTS`]: super::quota::DEBT_BURSTS
#[must_use]
pub fn take(bucket: Bucket, quota: &Quota, now: u64, cost: u64) -> Taken {
    if cost > quota.burst() {
        return Taken { bucket, outcome: Outcome::Never };
    }
    let capacity = quota.burst_units();
    let ceiling = quota.ceiling_units();
    let stored = debt(bucket, quota, now);
    let used = stored.min(ceiling);
    let after = used + u128::from(cost) * u128::from(quota.period_ns());
    let tokens = u128::from(quota.tokens());
    if after > capacity && cost > 0 {
        let bucket = if stored > ceiling { owing(ceiling, quota, now) } else { bucket };
        let retry_after_ns = narrow((after - capacity).div_ceil(tokens));
        return Taken { bucket, outcome: Outcome::Denied { retry_after_ns } };
    }
    let outcome = Outcome::Allowed {
        remaining: narrow(capacity.saturating_sub(after) / u128::from(quota.period_ns())),
        reset_ns: narrow(after.div_ceil(tokens)),
    };
    Taken { bucket: if cost == 0 { bucket } else { owing(after, quota, now) }, outcome }
}

/// Charges `cost` tokens after the fact: whatever is not there becomes a debt, up to the quota's
/// bound, and later takes wait until it is repaid.
#[must_use]
pub fn charge(bucket: Bucket, quota: &Quota, now: u64, cost: u64) -> Bucket {
    let units = u128::from(cost).saturating_mul(u128::from(quota.period_ns()));
    let owed = debt(bucket, quota, now).saturating_add(units);
    if cost == 0 { bucket } else { owing(owed.min(quota.ceiling_units()), quota, now) }
}

/// Undoes a take of `cost` tokens that `elapsed_ns` may have partly undone already.
///
/// While a bucket stands full, refill is wasted, and a take that time has repaid must not be repaid
/// again: that would forgive someone else's. At most the elapsed time can have been wasted since,
/// so that much is held back. 0 is exact when nobody wrote the bucket in between.
#[must_use]
pub fn give_back(bucket: Bucket, quota: &Quota, cost: u64, elapsed_ns: u64) -> Bucket {
    let tokens = u128::from(quota.tokens());
    let amount = u128::from(cost)
        .saturating_mul(u128::from(quota.period_ns()))
        .saturating_sub(u128::from(elapsed_ns) * tokens);
    let units = u128::from(bucket.tat_ns) * tokens + u128::from(bucket.frac);
    from_units(units.saturating_sub(amount), quota)
}

/// Reads a bucket that was written under `interval_bits` ([`Quota::interval_bits`]) as one of
/// `quota`: the debt in tokens stays, the time to pay it changes.
///
/// Rounded up to less than a nanosecond and to the 24 bits of the interval, never down, so that
/// alternating between two quotas earns nothing. What cannot be read (an interval that no quota
/// has, a TAT out of all reach, a product beyond `u128`) counts as an empty bucket: no free refill,
/// and a wait of one refill at most.
#[must_use]
pub fn carry_over(bucket: Bucket, interval_bits: u32, quota: &Quota, now: u64) -> Bucket {
    if interval_bits == quota.interval_bits() {
        // Two rates may share an interval's 24 bits and differ in N: a fraction out of range is
        // rounded up to the next nanosecond.
        if bucket.frac < quota.tokens() {
            return bucket;
        }
        return Bucket { tat_ns: bucket.tat_ns.saturating_add(1), frac: 0 };
    }
    let debt_ns = bucket.tat_ns.saturating_add(u64::from(bucket.frac > 0)).saturating_sub(now);
    if debt_ns == 0 {
        return Bucket { tat_ns: bucket.tat_ns, frac: 0 };
    }
    let units = translate(debt_ns, interval_bits, quota).unwrap_or_else(|| quota.burst_units());
    owing(units.min(quota.ceiling_units()), quota, now)
}

/// `debt_ns` at the old interval in units of the new quota, rounded up.
fn translate(debt_ns: u64, interval_bits: u32, quota: &Quota) -> Option<u128> {
    let Binary { mantissa, exponent } = Binary::of(interval_bits)?;
    if debt_ns > MAX_REFILL_NS {
        return None;
    }
    let product = u128::from(debt_ns) * u128::from(quota.period_ns());
    let shift = exponent.unsigned_abs();
    if exponent < 0 {
        let widened = product.checked_mul(1_u128.checked_shl(shift)?)?;
        Some(widened.div_ceil(u128::from(mantissa)))
    } else {
        let divisor = u128::from(mantissa).checked_mul(1_u128.checked_shl(shift)?)?;
        Some(product.div_ceil(divisor))
    }
}

/// How far the TAT is ahead of `now`, in units of `1/N` ns.
fn debt(bucket: Bucket, quota: &Quota, now: u64) -> u128 {
    let tokens = u128::from(quota.tokens());
    let tat = u128::from(bucket.tat_ns) * tokens + u128::from(bucket.frac);
    tat.saturating_sub(u128::from(now) * tokens)
}

/// The bucket that owes `units` at `now`.
fn owing(units: u128, quota: &Quota, now: u64) -> Bucket {
    // At most 2⁹⁶ + 2⁹¹.
    from_units((u128::from(now) * u128::from(quota.tokens())).saturating_add(units), quota)
}

fn from_units(units: u128, quota: &Quota) -> Bucket {
    let tokens = u128::from(quota.tokens());
    // A remainder by a u32 fits one. Whole nanoseconds saturate in the year 2554.
    let frac = u32::try_from(units % tokens).unwrap_or(u32::MAX);
    Bucket { tat_ns: narrow(units / tokens), frac }
}

fn narrow(wide: u128) -> u64 {
    u64::try_from(wide).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const NOW: u64 = 1_700_000_000 * SECOND;

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
        assert_eq!(taken.outcome, Outcome::Denied { retry_after_ns: 333_333_334 });
        assert_eq!(taken.bucket, bucket);
    }

    #[test]
    fn a_cost_above_the_burst_never_passes_and_a_cost_of_zero_always_does() {
        let quota = Quota::new(1, SECOND, 2).unwrap();
        let empty = take(Bucket::default(), &quota, NOW, 2).bucket;
        assert_eq!(take(empty, &quota, NOW, 3), Taken { bucket: empty, outcome: Outcome::Never });
        let free = take(empty, &quota, NOW, 0);
        assert_eq!(free.bucket, empty);
        assert_eq!(free.outcome, Outcome::Allowed { remaining: 0, reset_ns: 2 * SECOND });
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
        assert_eq!(denied.outcome, Outcome::Denied { retry_after_ns: SECOND });
        assert!(!allowed(take(denied.bucket, &quota, back + SECOND - 1, 1)));
        assert!(allowed(take(denied.bucket, &quota, back + SECOND, 1)));
    }

    #[test]
    fn giving_back_restores_the_bucket_but_not_what_time_has_repaid() {
        let quota = Quota::new(7, 60 * SECOND, 10).unwrap();
        let before = take(Bucket::default(), &quota, NOW, 3).bucket;
        let after = take(before, &quota, NOW, 2).bucket;
        assert_eq!(give_back(after, &quota, 2, 0), before);
        assert_eq!(give_back(after, &quota, 2, 60 * SECOND), after);
        let part = give_back(after, &quota, 2, 1);
        assert_eq!((part.tat_ns, part.frac), (before.tat_ns + 1, before.frac));
    }

    #[test]
    fn a_changed_rate_keeps_the_debt_in_tokens() {
        let old = Quota::new(10, SECOND, 100).unwrap();
        let bucket = take(Bucket::default(), &old, NOW, 40).bucket;
        for (n, p) in
            [(1, SECOND), (3, SECOND), (1000, SECOND), (7, 60 * SECOND), (1, 3600 * SECOND)]
        {
            let new = Quota::new(n, p, 100).unwrap();
            let carried = carry_over(bucket, old.interval_bits(), &new, NOW);
            let Outcome::Allowed { remaining, .. } = take(carried, &new, NOW, 0).outcome else {
                panic!("denied")
            };
            assert_eq!(remaining, 60, "{n}/{p}");
        }
    }

    #[test]
    fn a_charge_beyond_the_bucket_is_a_debt_that_delays_takes_and_is_bounded() {
        let quota = Quota::new(1, SECOND, 10).unwrap().with_debt();
        let owing = charge(Bucket::default(), &quota, NOW, 35);
        let denied = |wait| Outcome::Denied { retry_after_ns: wait };
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
    fn a_debt_survives_a_changed_rate_and_not_a_quota_without_debts() {
        let old = Quota::new(1, SECOND, 10).unwrap().with_debt();
        let owing = charge(Bucket::default(), &old, NOW, 35);
        let faster = Quota::new(2, SECOND, 10).unwrap();
        let carried = carry_over(owing, old.interval_bits(), &faster.with_debt(), NOW);
        let wait = |quota: &Quota, bucket| take(bucket, quota, NOW, 1).outcome;
        let denied = |retry_after_ns| Outcome::Denied { retry_after_ns };
        assert_eq!(wait(&faster.with_debt(), carried), denied(13 * SECOND));
        let carried = carry_over(owing, old.interval_bits(), &faster, NOW);
        assert_eq!(wait(&faster, carried), denied(SECOND / 2));
    }

    #[test]
    fn a_nonsense_interval_reads_as_an_empty_bucket() {
        let quota = Quota::new(1, SECOND, 10).unwrap();
        let bucket = Bucket { tat_ns: NOW + 1, frac: 0 };
        for interval in [0.0, -1.0, f32::NAN, f32::INFINITY, f32::MIN_POSITIVE, 1e-40] {
            let carried = carry_over(bucket, interval.to_bits(), &quota, NOW);
            let denied = Outcome::Denied { retry_after_ns: SECOND };
            assert_eq!(take(carried, &quota, NOW, 1).outcome, denied, "{interval}");
            let full = carry_over(bucket, interval.to_bits(), &quota, NOW + 1);
            assert!(allowed(take(full, &quota, NOW + 1, 10)), "{interval}");
        }
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        let quota = Quota::new(u64::from(u32::MAX), 1, MAX_REFILL_NS).unwrap();
        for now in [0, u64::MAX] {
            for tat_ns in [0, u64::MAX] {
                let bucket = Bucket { tat_ns, frac: u32::MAX };
                let taken = take(bucket, &quota, now, MAX_REFILL_NS);
                let _ = charge(bucket, &quota.with_debt(), now, u64::MAX);
                let _ = give_back(taken.bucket, &quota, u64::MAX, 0);
                let _ = carry_over(bucket, u32::MAX, &quota, now);
                let _ = carry_over(bucket, 0x7f7f_ffff, &quota, now);
            }
        }
    }

    #[test]
    fn what_is_carried_over_is_rounded_up_and_never_to_nothing() {
        let (old, new) = (Quota::new(3, SECOND, 5).unwrap(), Quota::new(2, SECOND, 5).unwrap());
        let bucket = |tat_ns, frac| Bucket { tat_ns, frac };
        // A fraction that the quota does not have is the next nanosecond.
        for (frac, want) in [(2, bucket(NOW, 2)), (3, bucket(NOW + 1, 0)), (9, bucket(NOW + 1, 0))]
        {
            assert_eq!(carry_over(bucket(NOW, frac), old.interval_bits(), &old, NOW), want);
        }
        for (given, owes) in [(bucket(NOW, 0), false), (bucket(NOW, 1), true)] {
            let carried = carry_over(given, old.interval_bits(), &new, NOW);
            assert_eq!(debt(carried, &new, NOW) > 0, owes, "{given:?}");
        }
        // Five tokens are five tokens, at a rate whose interval is a small number or a large one.
        for tokens in [1, 10, 125, 1_000, 1_000_000] {
            let fast = Quota::new(tokens, SECOND, 5).unwrap();
            let five = translate(5 * SECOND / tokens, fast.interval_bits(), &new);
            assert_eq!(five, Some(5 * u128::from(new.period_ns())), "{tokens}/s");
        }
        for (over, some) in [(0, true), (1, false), (2, false)] {
            let units = translate(MAX_REFILL_NS + over, old.interval_bits(), &new);
            assert_eq!(units.is_some(), some, "{over}");
        }
    }
}
