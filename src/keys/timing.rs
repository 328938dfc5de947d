//! The durations of a remote key set.

use std::time::Duration;

use crate::verify::provider::Remote;

/// One second in nanoseconds.
pub(super) const SECOND: u64 = 1_000_000_000;

/// The shortest time to a refresh that `Cache-Control: max-age` of the provider can cause.
const MIN_MAX_AGE: u64 = 60 * SECOND;

/// The durations of [`Remote`] in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// The timeout of one fetch.
    pub timeout: u64,
    /// The usual time between fetches.
    pub refresh: u64,
    /// The mean time between fetches that unknown `kid`s cause.
    pub unknown_kid: u64,
    /// How long the last good keys stay in use.
    pub max_stale: u64,
}

impl Timing {
    /// The durations of the configuration.
    pub fn of(remote: &Remote) -> Self {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Self {
            timeout: nanos(remote.timeout),
            refresh: nanos(remote.refresh_interval),
            unknown_kid: nanos(remote.unknown_kid_interval),
            max_stale: nanos(remote.max_stale),
        }
    }

    /// The time to the next fetch: the configured interval, or `max_age` (seconds) of the provider if
    /// that is shorter, but at least a minute. A provider cannot lengthen it, because a withdrawn
    /// key is trusted that long. `jitter` from -1 to 1 changes it by up to 10 %; the keys never
    /// become too old before the fetch.
    pub fn refresh_after(&self, max_age: Option<u64>, jitter: f64) -> u64 {
        let asked = max_age.map_or(u64::MAX, |seconds| seconds.saturating_mul(SECOND));
        let base = self.refresh.min(asked.max(MIN_MAX_AGE));
        jittered(base, jitter).min(self.max_stale - self.max_stale / 10)
    }
}

/// Changes a time by up to 10 %; `jitter` is from -1 to 1.
pub(super) fn jittered(time: u64, jitter: f64) -> u64 {
    let tenth = time / 10;
    // `as` saturates; a tenth of a day in nanoseconds is far below 2⁵³.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let shift = (tenth as f64 * jitter.abs().min(1.0)) as u64;
    if jitter < 0.0 { time.saturating_sub(shift) } else { time.saturating_add(shift) }
}
