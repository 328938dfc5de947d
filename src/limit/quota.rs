//! What a limit grants: a rate, exact to fractions of a nanosecond, and a burst.

use std::time::Duration;

use crate::time::nanos;

/// The maximum time in which an empty bucket fills: ten years of 365 days.
///
/// This is far above any useful quota. It keeps `burst · period` below 2⁹¹ ns, so that the products in
/// `u128` cannot overflow.
pub const MAX_REFILL: Duration = Duration::from_secs(10 * 365 * 24 * 3_600);

/// The number of bursts that an empty bucket may owe if responses are charged.
///
/// A response may cost more than the bucket holds, and several may be under way at once, so the bound
/// is well above one. A wrong number or a clock that was set back can lock a caller out for this long,
/// so the bound is low.
pub const DEBT_BURSTS: u32 = 10;

/// Tokens per period and the size of the bucket, checked and in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    tokens: u32,
    period_ns: u64,
    burst: u64,
    debt_bursts: u32,
}

/// Why numbers are not a [`Quota`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaError {
    /// The rate, the period or the burst is zero. Zero must not mean "no limit", and a rule can refuse
    /// all requests without one.
    Zero,
    /// The rate has more than `u32::MAX` tokens per period in lowest terms.
    RateTooFine,
    /// An empty bucket would fill in more than [`MAX_REFILL`].
    RefillTooLong,
}

impl std::fmt::Display for QuotaError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Zero => "rate, period and burst must not be zero",
            Self::RateTooFine => "the rate has too many tokens per period",
            Self::RefillTooLong => "an empty bucket would take more than ten years to fill",
        })
    }
}

impl std::error::Error for QuotaError {}

impl Quota {
    /// `tokens` per `period` into a bucket of `burst` tokens.
    ///
    /// # Errors
    /// See [`QuotaError`].
    pub fn new(tokens: u64, period: Duration, burst: u64) -> Result<Self, QuotaError> {
        let period_ns = nanos(period);
        if tokens == 0 || period_ns == 0 || burst == 0 {
            return Err(QuotaError::Zero);
        }
        let divisor = gcd(tokens, period_ns);
        let period_ns = period_ns / divisor;
        let tokens = u32::try_from(tokens / divisor).map_err(|_| QuotaError::RateTooFine)?;
        // Both products are exact: each factor is at most 64 bits wide.
        if u128::from(burst) * u128::from(period_ns) > MAX_REFILL.as_nanos() * u128::from(tokens) {
            return Err(QuotaError::RefillTooLong);
        }
        Ok(Self { tokens, period_ns, burst, debt_bursts: 0 })
    }

    /// The same quota for a bucket that responses are charged to: it may owe [`DEBT_BURSTS`] bursts, but
    /// not more than [`MAX_REFILL`] repays.
    #[must_use]
    pub fn with_debt(self) -> Self {
        Self { debt_bursts: DEBT_BURSTS, ..self }
    }

    /// Tokens per [`Quota::period`], in lowest terms.
    pub fn tokens(&self) -> u32 {
        self.tokens
    }

    /// The period, in lowest terms.
    pub fn period(&self) -> Duration {
        Duration::from_nanos(self.period_ns)
    }

    /// The size of the bucket in tokens.
    pub fn burst(&self) -> u64 {
        self.burst
    }

    /// The time in which an empty bucket fills, rounded up to a nanosecond.
    pub fn refill(&self) -> Duration {
        self.span(self.burst_units())
    }

    /// The bytes that distinguish the quota from all others. They place buckets, see [`super::table`].
    pub(super) fn bytes(&self) -> [[u8; 8]; 3] {
        let small = u64::from(self.tokens) << 32 | u64::from(self.debt_bursts);
        [small, self.period_ns, self.burst].map(u64::to_le_bytes)
    }

    /// A time in units of `1/tokens` ns, rounded up to a nanosecond.
    pub(super) fn span(&self, units: u128) -> Duration {
        let (whole, rest) = divide(units, u128::from(self.tokens));
        let nanos = whole.saturating_add(u128::from(rest > 0));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The period in nanoseconds: one token in units of `1/tokens` ns.
    pub(super) fn period_ns(&self) -> u64 {
        self.period_ns
    }

    /// One token in units of `1/tokens` ns.
    pub(super) fn token_units(&self) -> u128 {
        u128::from(self.period_ns)
    }

    /// The time in which an empty bucket fills in units of `1/tokens` ns.
    pub(super) fn burst_units(&self) -> u128 {
        product(self.burst, self.period_ns)
    }

    /// The maximum time to a TAT in units of `1/tokens` ns. Takes and charges cannot exceed it.
    pub(super) fn ceiling_units(&self) -> u128 {
        let burst = self.burst_units();
        if self.debt_bursts == 0 {
            return burst;
        }
        let most = product(nanos(MAX_REFILL), self.tokens.into());
        (burst * (u128::from(self.debt_bursts) + 1)).min(most)
    }
}

/// A product. Most fit into the 64 bits that the processor multiplies by itself.
pub(super) fn product(a: u64, b: u64) -> u128 {
    match a.leading_zeros() + b.leading_zeros() >= u64::BITS {
        true => a.wrapping_mul(b).into(),
        false => u128::from(a) * u128::from(b),
    }
}

/// Quotient and remainder. Most numbers fit into the 64 bits that the processor divides by itself.
pub(super) fn divide(a: u128, b: u128) -> (u128, u128) {
    match (u64::try_from(a), u64::try_from(b)) {
        (Ok(a), Ok(b)) if b > 0 => ((a / b).into(), (a % b).into()),
        _ => (a / b, a % b),
    }
}

/// The greatest common divisor; never zero for two numbers above zero.
fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    const NANO: Duration = Duration::from_nanos(1);
    const SECOND: Duration = Duration::from_secs(1);
    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn zero_in_any_place_is_refused() {
        for (n, p, b) in [(0, 1, 1), (1, 0, 1), (1, 1, 0)] {
            assert_eq!(Quota::new(n, p * NANO, b), Err(QuotaError::Zero));
        }
    }

    #[test]
    fn rates_are_kept_in_lowest_terms() {
        let quota = Quota::new(60, MINUTE, 5).unwrap();
        assert_eq!((quota.tokens(), quota.period()), (1, SECOND));
        assert_eq!(quota, Quota::new(1, SECOND, 5).unwrap());
    }

    #[test]
    fn numbers_that_would_overflow_are_refused() {
        let max = u64::MAX;
        assert_eq!(Quota::new(1 << 32, NANO, 1), Err(QuotaError::RateTooFine));
        assert!(Quota::new((1 << 32) - 1, NANO, 1).is_ok());
        assert_eq!(Quota::new(1, MAX_REFILL + NANO, 1), Err(QuotaError::RefillTooLong));
        assert!(Quota::new(1, MAX_REFILL, 1).is_ok());
        assert_eq!(Quota::new(1, SECOND, max), Err(QuotaError::RefillTooLong));
        assert_eq!(
            Quota::new(max, Duration::from_nanos(max - 1), max),
            Err(QuotaError::RateTooFine)
        );
        assert!(Quota::new((1 << 32) - 1, NANO, nanos(MAX_REFILL)).is_ok());
    }

    #[test]
    fn a_bucket_fills_in_time_and_owes_ten_bursts_more_where_replies_are_charged() {
        assert_eq!(MAX_REFILL, 315_360_000 * SECOND);
        for (n, p, b, refill) in [
            (10, SECOND, 20, 2 * SECOND),
            (3, SECOND, 10, Duration::from_nanos(3_333_333_334)),
            (1, MAX_REFILL, 1, MAX_REFILL),
        ] {
            let quota = Quota::new(n, p, b).unwrap();
            assert_eq!(quota.refill(), refill);
            let most = MAX_REFILL.as_nanos() * u128::from(quota.tokens());
            assert_eq!(quota.ceiling_units(), quota.burst_units());
            let indebted = quota.with_debt().ceiling_units();
            assert_eq!(indebted, (11 * quota.burst_units()).min(most));
        }
    }

    #[test]
    fn an_error_says_what_is_wrong() {
        for (error, part) in [
            (QuotaError::Zero, "not be zero"),
            (QuotaError::RateTooFine, "too many tokens"),
            (QuotaError::RefillTooLong, "ten years"),
        ] {
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
