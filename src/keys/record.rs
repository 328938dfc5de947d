//! The numbers that all workers share about one remote key set.

use std::time::Duration;

use crate::time::{Moment, nanos};
use crate::verify::provider::Remote;

const SECOND: Duration = Duration::from_secs(1);

/// The time that a lease lasts beyond two timeouts, one for the discovery document and one for the
/// key set, so that a slow answer is not fetched twice.
const LEASE_GRACE: Duration = SECOND;

/// The maximum pause between attempts while the last good keys are in use.
const MAX_BACKOFF: Duration = Duration::from_secs(60);

/// The maximum pause while there are no keys. With it, a provider that recovers is used within 5 s,
/// including tick and fetch.
const MAX_BACKOFF_WITHOUT_KEYS: Duration = Duration::from_secs(3);

/// A time stamp that is more than this ahead means that the clock was set back, because all workers
/// read the same clock.
const STEP: Duration = Duration::from_secs(5);

/// The number of fetches that unknown `kid`s may cause at once; then one per interval.
pub const BURST: u32 = 3;

/// The layout of the record and of the stored set. It is part of their names, so that an older and a
/// newer module in one process never read each other's data. Increase it with every change of either.
pub const LAYOUT: u8 = 2;

/// The minimum age of a set before new keys count as a rotation, which does not use up the allowance
/// for unknown `kid`s. Without it, an issuer whose servers return different keys would be fetched
/// without end.
const SETTLED: Duration = SECOND;

/// The reason for a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A refresh is due.
    Due,
    /// A token names a key that is not in the set.
    UnknownKid {
        /// The time of that request; a fetch that begins later answers it.
        since: Moment,
    },
}

/// A time of [`Moment::EPOCH`] means never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Grows with each new set; 0 if there is none.
    pub version: u64,
    /// The number of finished fetches, good or bad.
    pub attempts: u64,
    /// The time of the last good fetch.
    pub good_at: Moment,
    /// The time of the next fetch.
    pub next_at: Moment,
    /// The end of the lease of the worker that fetches.
    pub lease_until: Moment,
    /// The time at which the allowance for unknown `kid`s is complete again: one interval for each
    /// fetch that it paid for.
    pub unknown_until: Moment,
    /// The time at which the last fetch began or ended.
    pub tried_at: Moment,
    /// The number of due fetches that failed since the last good one.
    pub failures: u64,
    /// The time at which the last fetch began.
    pub began_at: Moment,
    /// 1 during a fetch that an unknown `kid` caused.
    pub unknown_leased: u64,
}

impl Record {
    /// Encodes the record: ten little-endian words.
    pub fn encode(&self) -> Vec<u8> {
        [
            self.version,
            self.attempts,
            self.good_at.as_nanos(),
            self.next_at.as_nanos(),
            self.lease_until.as_nanos(),
            self.unknown_until.as_nanos(),
            self.tried_at.as_nanos(),
            self.failures,
            self.began_at.as_nanos(),
            self.unknown_leased,
        ]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect()
    }

    /// Decodes a record. Missing bytes count as 0, and a record of zeros is due for a fetch.
    pub fn decode(bytes: &[u8]) -> Self {
        let (words, _) = bytes.as_chunks::<8>();
        let word = |index: usize| words.get(index).map_or(0, |word| u64::from_le_bytes(*word));
        let moment = |index| Moment::from_nanos(word(index));
        Self {
            version: word(0),
            attempts: word(1),
            good_at: moment(2),
            next_at: moment(3),
            lease_until: moment(4),
            unknown_until: moment(5),
            tried_at: moment(6),
            failures: word(7),
            began_at: moment(8),
            unknown_leased: word(9),
        }
    }

    /// Whether a fetch is due.
    pub fn due(&self, timing: &Timing, now: Moment) -> bool {
        now >= self.next_try(timing, now)
    }

    /// The time of the next fetch. A long pause ends early if the keys become too old meanwhile, and at
    /// once if the clock was set back, which would lengthen the pause.
    pub fn next_try(&self, timing: &Timing, now: Moment) -> Moment {
        if self.stepped_back(now) {
            now
        } else if self.usable(timing, now) {
            self.next_at
        } else {
            self.next_at.min(self.tried_at + MAX_BACKOFF_WITHOUT_KEYS)
        }
    }

    /// Whether a worker is fetching.
    pub fn leased(&self, now: Moment) -> bool {
        now < self.lease_until && !self.stepped_back(now)
    }

    fn stepped_back(&self, now: Moment) -> bool {
        self.tried_at > now + STEP
    }

    /// Whether a request of the time `since` may cause a fetch for its unknown `kid`: no fetch has begun
    /// since, and the allowance of all requests is not used up.
    pub fn admits_unknown_kid(&self, timing: &Timing, since: Moment, now: Moment) -> bool {
        let spent = self.unknown_spent(timing, now);
        self.began_at <= since && spent <= timing.unknown_kid.saturating_mul(BURST - 1)
    }

    /// The time until the allowance for unknown `kid`s is complete again. A larger value than a whole
    /// allowance means that the clock was set back or the interval was longer, and counts as 0.
    fn unknown_spent(&self, timing: &Timing, now: Moment) -> Duration {
        let spent = self.unknown_until.since(now);
        if spent > timing.unknown_kid.saturating_mul(BURST) { Duration::ZERO } else { spent }
    }

    /// Whether the stored set may still be used.
    pub fn usable(&self, timing: &Timing, now: Moment) -> bool {
        self.version > 0 && now.since(self.good_at) <= timing.max_stale
    }

    /// The record during a fetch.
    #[must_use]
    pub fn fetching(&self, timing: &Timing, cause: Cause, now: Moment) -> Self {
        let longest = timing.timeout.saturating_mul(2).saturating_add(LEASE_GRACE);
        let lease_until = now + longest;
        let began = Self { lease_until, tried_at: now, began_at: now, ..*self };
        match cause {
            Cause::Due => Self { next_at: self.next_at.min(now), unknown_leased: 0, ..began },
            Cause::UnknownKid { .. } => {
                let spent = self.unknown_spent(timing, now).saturating_add(timing.unknown_kid);
                Self { unknown_until: now + spent, unknown_leased: 1, ..began }
            }
        }
    }

    /// The record after a good fetch, whose set is stored as `version`. `new_keys`: whether the set has
    /// keys that the previous one had not; then the fetch does not count against unknown `kid`s.
    #[must_use]
    pub fn succeeded(
        &self,
        timing: &Timing,
        version: u64,
        new_keys: bool,
        now: Moment,
        refresh: Duration,
    ) -> Self {
        // A version is the time at which the set was stored.
        let settled = now.since(Moment::from_nanos(self.version)) >= SETTLED;
        let free = self.unknown_leased == 1 && new_keys && settled;
        let refund = if free { timing.unknown_kid } else { Duration::ZERO };
        Self {
            version,
            attempts: self.attempts.saturating_add(1),
            good_at: now,
            next_at: now + refresh,
            lease_until: Moment::EPOCH,
            unknown_until: self.unknown_until - refund,
            tried_at: now,
            failures: 0,
            began_at: self.began_at,
            unknown_leased: 0,
        }
    }

    /// The record after a failed fetch. The next attempts follow after 1 s, 2 s, 4 s and so on. If an
    /// unknown `kid` caused the fetch, the next refresh keeps its time.
    #[must_use]
    pub fn failed(&self, timing: &Timing, jitter: f64, now: Moment) -> Self {
        let most = if self.usable(timing, now) { MAX_BACKOFF } else { MAX_BACKOFF_WITHOUT_KEYS };
        let doublings = u32::try_from(self.failures.min(16)).unwrap_or(16);
        let pause = SECOND.saturating_mul(1 << doublings).min(most);
        let retry = now + jittered(pause, -jitter.abs());
        let due = self.due(timing, now);
        Self {
            attempts: self.attempts.saturating_add(1),
            next_at: if due { retry } else { self.next_at },
            lease_until: Moment::EPOCH,
            tried_at: now,
            failures: self.failures.saturating_add(u64::from(due)),
            unknown_leased: 0,
            ..*self
        }
    }
}

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
