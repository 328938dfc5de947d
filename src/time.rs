//! Moments on the host's clock. Spans are [`Duration`]s.

use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment: whole nanoseconds since the Unix epoch, to the year 2554. The default is the epoch.
///
/// Sums and differences saturate, so that no time in shared data or in a token can
/// overflow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// The Unix epoch; in shared data, an event that has not happened yet.
    pub const EPOCH: Self = Self(0);

    /// The last moment.
    pub const MAX: Self = Self(u64::MAX);

    /// The moment `nanos` nanoseconds after the Unix epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The moment `seconds` seconds after the Unix epoch.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(nanos(Duration::from_secs(seconds)))
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time since an earlier moment; zero if that moment is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The time between two moments, in either order.
    pub const fn abs_diff(self, other: Self) -> Duration {
        Duration::from_nanos(self.0.abs_diff(other.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(nanos(span)))
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(span)))
    }
}

/// A span in nanoseconds, at most 584 years.
pub const fn nanos(span: Duration) -> u64 {
    const SECOND: u64 = 1_000_000_000;
    let (seconds, rest) = (span.as_secs(), span.subsec_nanos() as u64);
    // A product that may overflow takes several of the processor's.
    match seconds < u64::MAX / SECOND {
        true => seconds.wrapping_mul(SECOND).wrapping_add(rest),
        false => seconds.saturating_mul(SECOND).saturating_add(rest),
    }
}

/// Whole seconds, rounded up: a caller that waits so long is never early.
pub fn seconds_up(span: Duration) -> u64 {
    span.as_secs().saturating_add(u64::from(span.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        let second = Duration::from_secs(1);
        assert_eq!(Moment::MAX + second, Moment::MAX);
        assert_eq!(Moment::EPOCH - second, Moment::EPOCH);
        assert_eq!(Moment::EPOCH.since(Moment::MAX), Duration::ZERO);
        assert_eq!(Moment::EPOCH.abs_diff(Moment::MAX), Duration::from_nanos(u64::MAX));
        assert_eq!(Moment::from_secs(u64::MAX), Moment::MAX);
        assert_eq!(nanos(Duration::MAX), u64::MAX);
        assert_eq!(nanos(Duration::new(2, 5)), 2_000_000_005);
    }
}
