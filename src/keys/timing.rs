//! The durations of a remote key set.

use std::time::Duration;

use crate::time::nanos;
use crate::verify::provider::Remote;

/// The shortest time to a refresh that `Cache-Control: max-age` of the provider can cause.
const MIN_MAX_AGE: Duration = Duration::from_secs(60);

/// The durations of [`Remote`].
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// The timeout of one fetch.
    pub timeout: Duration,
    /// The usual time between fetches.
    pub refresh: Duration,
    /// The mean time between fetches that unknown `kid`s cause.
    pub unknown_kid: Duration,
    /// How long the last good keys stay in use.
    pub max_stale: Duration,
}

impl Timing {
    /// The durations of the configuration.
    pub fn of(remote: &Remote) -> Self {
        Self {
            timeout: remote.timeout,
            refresh: remote.refresh_interval,
            unknown_kid: remote.unknown_kid_interval,
            max_stale: remote.max_stale,
        }
    }

    /// The time to the next fetch: the configured interval, or `max_age` of the provider if that is
    /// shorter, but at least a minute. A provider cannot lengthen it, because a withdrawn
    /// key is trusted that long. `jitter` from -1 to 1 changes it by up to 10 %; the keys never
    /// become too old before the fetch.
    pub fn refresh_after(&self, max_age: Option<Duration>, jitter: f64) -> Duration {
        let asked = max_age.unwrap_or(Duration::MAX);
        let base = self.refresh.min(asked.max(MIN_MAX_AGE));
        jittered(base, jitter).min(self.max_stale.saturating_sub(self.max_stale / 10))
    }
}

/// Changes a time by up to 10 %; `jitter` is from -1 to 1.
pub(super) fn jittered(time: Duration, jitter: f64) -> Duration {
    let tenth = nanos(time) / 10;
    // `as` saturates; a tenth of a day in nanoseconds is far below 2⁵³.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let shift = Duration::from_nanos((tenth as f64 * jitter.abs().min(1.0)) as u64);
    if jitter < 0.0 { time.saturating_sub(shift) } else { time.saturating_add(shift) }
}
