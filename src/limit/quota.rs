//! What a limit grants: a rate, exact to the nanosecond and beyond, and a burst.

/// The longest time an empty bucket may take to fill: ten years of 365 days, in nanoseconds.
///
/// Far above any quota that means something, and low enough that `burst · period` stays below
/// 2⁹¹, so that the limiter's `u128` products cannot overflow.
pub const MAX_REFILL_NS: u64 = 10 * 365 * 24 * 3_600 * 1_000_000_000;

/// How many bursts a bucket that is charged afterwards may owe beyond being empty.
///
/// One reply may cost more than the bucket holds, and several may be under way at once, so the bound
/// must be well above one; and it is the longest that a wrong number or a clock that stepped back
/// can lock anyone out, so it must be low.
pub const DEBT_BURSTS: u32 = 10;

/// Tokens per period and the size of the bucket, checked and in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    tokens: u32,
    period_ns: u64,
    burst: u64,
    interval_bits: u32,
    debt_bursts: u32,
}

/// Why numbers do not make a [`Quota`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaError {
    /// The rate, the period or the burst is zero: a limit that admits nothing is a rule, not a
    /// limit, and zero must never come to mean "no limit".
    Zero,
    /// In lowest terms, more than `u32::MAX` tokens per period.
    RateTooFine,
    /// An empty bucket would take longer than [`MAX_REFILL_NS`] to fill.
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
    /// `tokens` per `period_ns` nanoseconds into a bucket of `burst` tokens.
    ///
    /// # Errors
    /// See [`QuotaError`].
    pub fn new(tokens: u64, period_ns: u64, burst: u64) -> Result<Self, QuotaError> {
        if tokens == 0 || period_ns == 0 || burst == 0 {
            return Err(QuotaError::Zero);
        }
        let divisor = gcd(tokens, period_ns);
        let period_ns = period_ns / divisor;
        let tokens = u32::try_from(tokens / divisor).map_err(|_| QuotaError::RateTooFine)?;
        // Both products are exact: each factor is at most 64 bits wide.
        if u128::from(burst) * u128::from(period_ns)
            > u128::from(MAX_REFILL_NS) * u128::from(tokens)
        {
            return Err(QuotaError::RefillTooLong);
        }
        let interval_bits = interval_below(period_ns, tokens);
        Ok(Self { tokens, period_ns, burst, interval_bits, debt_bursts: 0 })
    }

    /// The same quota for a bucket that is charged after the fact: it may owe [`DEBT_BURSTS`] bursts
    /// beyond being empty, though never more than [`MAX_REFILL_NS`] repays.
    #[must_use]
    pub fn with_debt(self) -> Self {
        Self { debt_bursts: DEBT_BURSTS, ..self }
    }

    /// Tokens per [`Quota::period_ns`], in lowest terms.
    #[must_use]
    pub fn tokens(&self) -> u32 {
        self.tokens
    }

    /// The period in nanoseconds, in lowest terms.
    #[must_use]
    pub fn period_ns(&self) -> u64 {
        self.period_ns
    }

    /// The size of the bucket in tokens; also the `q` of `RateLimit-Policy`.
    #[must_use]
    pub fn burst(&self) -> u64 {
        self.burst
    }

    /// The `w` of `RateLimit-Policy`: seconds in which an empty bucket fills, rounded up.
    #[must_use]
    pub fn window_seconds(&self) -> u64 {
        let second = u128::from(self.tokens) * 1_000_000_000;
        u64::try_from(self.burst_units().div_ceil(second)).unwrap_or(u64::MAX)
    }

    /// Time from empty to full, in nanoseconds, rounded up.
    #[must_use]
    pub fn refill_ns(&self) -> u64 {
        u64::try_from(self.burst_units().div_ceil(u128::from(self.tokens))).unwrap_or(u64::MAX)
    }

    /// Nanoseconds per token as the bits of an `f32`, rounded down.
    ///
    /// Stored beside each bucket to translate its debt when the rate changes. Rounded down, it
    /// never makes a debt smaller than it was.
    #[must_use]
    pub fn interval_bits(&self) -> u32 {
        self.interval_bits
    }

    /// Time from empty to full in units of `1/tokens` ns. One token is `period_ns` such units.
    pub(super) fn burst_units(&self) -> u128 {
        u128::from(self.burst) * u128::from(self.period_ns)
    }

    /// The most that a bucket can be short of full, in units of `1/tokens` ns. Beyond it, a TAT does
    /// not come from takes and charges.
    pub(super) fn ceiling_units(&self) -> u128 {
        let most = u128::from(MAX_REFILL_NS) * u128::from(self.tokens);
        (self.burst_units() * (u128::from(self.debt_bursts) + 1)).min(most)
    }
}

/// Greatest common divisor; of two non-zero numbers never zero.
fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The bits of the largest `f32` that is not above `period / tokens`.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
fn interval_below(period: u64, tokens: u32) -> u32 {
    let mut bits = (period as f64 / f64::from(tokens)) as f32;
    // Two roundings to nearest may have gone up by at most one step each.
    for _ in 0..2 {
        if is_above(bits, period, tokens) {
            bits = bits.next_down();
        }
    }
    bits.to_bits()
}

/// Whether `interval > period / tokens`, exactly.
fn is_above(interval: f32, period: u64, tokens: u32) -> bool {
    let Some(Binary { mantissa, exponent }) = Binary::of(interval.to_bits()) else {
        return false;
    };
    let left = u128::from(mantissa) * u128::from(tokens);
    let right = u128::from(period);
    // An interval lies between 2⁻³² and 2⁵⁹ ns, so shifts stay within 2⁶⁴ and nothing is lost.
    if exponent >= 0 {
        left << exponent.unsigned_abs().min(64) > right
    } else {
        left > right << exponent.unsigned_abs().min(64)
    }
}

/// A positive, finite `f32` taken apart: `mantissa · 2^exponent`.
pub(super) struct Binary {
    pub(super) mantissa: u32,
    pub(super) exponent: i32,
}

impl Binary {
    /// None for zero, subnormal, negative, infinite and NaN: no quota has such an interval.
    pub(super) fn of(bits: u32) -> Option<Self> {
        let biased = bits >> 23; // the sign bit included: a negative number exceeds 254
        if biased == 0 || biased > 254 {
            return None;
        }
        let exponent = i32::try_from(biased).ok()? - 150;
        Some(Self { mantissa: (bits & 0x007f_ffff) | 0x0080_0000, exponent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn zero_in_any_place_is_refused() {
        for (n, p, b) in [(0, 1, 1), (1, 0, 1), (1, 1, 0)] {
            assert_eq!(Quota::new(n, p, b), Err(QuotaError::Zero));
        }
    }

    #[test]
    fn rates_are_kept_in_lowest_terms() {
        let quota = Quota::new(60, 60 * SECOND, 5).unwrap();
        assert_eq!((quota.tokens(), quota.period_ns()), (1, SECOND));
        assert_eq!(quota, Quota::new(1, SECOND, 5).unwrap());
    }

    #[test]
    fn numbers_that_would_overflow_are_refused() {
        let max = u64::MAX;
        assert_eq!(Quota::new(1 << 32, 1, 1), Err(QuotaError::RateTooFine));
        assert!(Quota::new((1 << 32) - 1, 1, 1).is_ok());
        assert_eq!(Quota::new(1, MAX_REFILL_NS + 1, 1), Err(QuotaError::RefillTooLong));
        assert!(Quota::new(1, MAX_REFILL_NS, 1).is_ok());
        assert_eq!(Quota::new(1, SECOND, max), Err(QuotaError::RefillTooLong));
        assert_eq!(Quota::new(max, max - 1, max), Err(QuotaError::RateTooFine));
        assert!(Quota::new((1 << 32) - 1, 1, MAX_REFILL_NS).is_ok());
    }

    #[test]
    fn the_window_is_the_time_to_fill_rounded_up() {
        for (n, p, b, seconds) in [
            (10, SECOND, 20, 2),
            (3, SECOND, 10, 4),
            (1, 60 * SECOND, 10, 600),
            (1000, SECOND, 1, 1),
            (7, 60 * SECOND, 7, 60),
        ] {
            assert_eq!(Quota::new(n, p, b).unwrap().window_seconds(), seconds);
        }
    }

    #[test]
    fn the_interval_is_exact_where_it_can_be_and_never_above() {
        for (n, p) in [
            (1, SECOND),
            (3, SECOND),
            (7, 60 * SECOND),
            (1, 3600 * SECOND),
            (u64::from(u32::MAX), 1),
        ] {
            let quota = Quota::new(n, p, 1).unwrap();
            let interval = f32::from_bits(quota.interval_bits());
            assert!(!is_above(interval, quota.period_ns(), quota.tokens()), "{n}/{p}");
            assert!(is_above(interval.next_up(), quota.period_ns(), quota.tokens()), "{n}/{p}");
        }
        for (n, p, exact) in [(10, SECOND, 1e8_f32), (1, 1000, 1000.0), (2, 1, 0.5)] {
            assert_eq!(Quota::new(n, p, 1).unwrap().interval_bits(), exact.to_bits(), "{n}/{p}");
        }
    }

    #[test]
    fn only_the_bits_of_a_positive_finite_number_are_an_interval() {
        for (number, parts) in [
            (1.0, Some((1 << 23, -23))),
            (1.5, Some((3 << 22, -23))),
            (f32::MIN_POSITIVE, Some((1 << 23, -149))),
            (f32::MAX, Some(((1 << 24) - 1, 104))),
            (f32::MIN_POSITIVE.next_down(), None),
            (0.0, None),
            (-1.0, None),
            (f32::INFINITY, None),
            (f32::NAN, None),
        ] {
            let got = Binary::of(number.to_bits()).map(|b| (b.mantissa, b.exponent));
            assert_eq!(got, parts, "{number}");
        }
    }

    #[test]
    fn a_bucket_fills_in_time_and_owes_ten_bursts_more_where_replies_are_charged() {
        assert_eq!(MAX_REFILL_NS, 315_360_000 * SECOND);
        for (n, p, b, refill) in [
            (10, SECOND, 20, 2 * SECOND),
            (3, SECOND, 10, 3_333_333_334),
            (1, MAX_REFILL_NS, 1, MAX_REFILL_NS),
        ] {
            let quota = Quota::new(n, p, b).unwrap();
            assert_eq!(quota.refill_ns(), refill);
            let most = u128::from(MAX_REFILL_NS) * u128::from(quota.tokens());
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
