//! The few numbers that all workers share about one remote key set.

use super::Timing;

const SECOND: u64 = 1_000_000_000;

/// The longest pause between tries while the last good keys serve.
const MAX_BACKOFF: u64 = 60 * SECOND;

/// The longest pause while there are no keys to serve with: a provider that comes back is used
/// within 5 s (THREATS "Figures to hold").
const MAX_BACKOFF_WITHOUT_KEYS: u64 = 4 * SECOND;

/// Bounds of a refresh that the provider's `Cache-Control: max-age` asks for.
const MIN_MAX_AGE: u64 = 300 * SECOND;
const MAX_MAX_AGE: u64 = 24 * 3600 * SECOND;

/// All times are nanoseconds since the Unix epoch; 0 means never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Grows with each stored set; 0: there is none.
    pub version: u64,
    /// Grows with each finished fetch, good or bad.
    pub attempts: u64,
    /// When the stored set was fetched.
    pub good_at: u64,
    /// When the next fetch is due.
    pub next_at: u64,
    /// Until when somebody fetches.
    pub lease_until: u64,
    /// When an unknown kid last caused a fetch.
    pub unknown_at: u64,
    /// Fetches that failed since the last good one.
    pub failures: u64,
}

impl Record {
    /// The record as bytes: seven little-endian words.
    pub fn encode(&self) -> Vec<u8> {
        [
            self.version,
            self.attempts,
            self.good_at,
            self.next_at,
            self.lease_until,
            self.unknown_at,
            self.failures,
        ]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect()
    }

    /// Reads a record; bytes that are missing read as 0, which is a record that wants a fetch.
    pub fn decode(bytes: &[u8]) -> Self {
        let word = |index: usize| {
            let word = bytes.chunks_exact(8).nth(index).and_then(|word| word.try_into().ok());
            word.map_or(0, u64::from_le_bytes)
        };
        Self {
            version: word(0),
            attempts: word(1),
            good_at: word(2),
            next_at: word(3),
            lease_until: word(4),
            unknown_at: word(5),
            failures: word(6),
        }
    }

    /// Whether a fetch is due. A `next_at` that a clock step has put further ahead than any
    /// refresh is due, too.
    pub fn due(&self, now: u64) -> bool {
        now >= self.next_at || self.next_at > now.saturating_add(2 * MAX_MAX_AGE)
    }

    /// Whether somebody is fetching. A lease from a clock that has since stepped back ends at once.
    pub fn leased(&self, now: u64) -> bool {
        now < self.lease_until && self.lease_until < now.saturating_add(MAX_MAX_AGE)
    }

    /// Whether an unknown kid may cause a fetch: at most one per interval, whatever the set holds.
    pub fn admits_unknown_kid(&self, timing: &Timing, now: u64) -> bool {
        now.abs_diff(self.unknown_at) >= timing.unknown_kid
    }

    /// Whether the stored set may still serve.
    pub fn usable(&self, timing: &Timing, now: u64) -> bool {
        self.version > 0 && now.saturating_sub(self.good_at) <= timing.max_stale
    }

    /// The record after a good fetch.
    #[must_use]
    pub fn succeeded(&self, now: u64, refresh: u64) -> Self {
        Self {
            version: self.version.saturating_add(1),
            attempts: self.attempts.saturating_add(1),
            good_at: now,
            next_at: now.saturating_add(refresh),
            lease_until: 0,
            unknown_at: self.unknown_at,
            failures: 0,
        }
    }

    /// The record after a failed fetch: tries follow after 1 s, 2 s, 4 s and so on, and a refresh
    /// that was not due yet (an unknown kid had caused it) stays where it was.
    #[must_use]
    pub fn failed(&self, timing: &Timing, jitter: f64, now: u64) -> Self {
        let most = if self.usable(timing, now) { MAX_BACKOFF } else { MAX_BACKOFF_WITHOUT_KEYS };
        let doublings = u32::try_from(self.failures.min(16)).unwrap_or(16);
        let pause = SECOND.saturating_mul(1 << doublings).min(most);
        let retry = now.saturating_add(jittered(pause, -jitter.abs()));
        Self {
            attempts: self.attempts.saturating_add(1),
            next_at: if self.due(now) { retry } else { self.next_at },
            lease_until: 0,
            failures: self.failures.saturating_add(1),
            ..*self
        }
    }
}

/// The time to the next fetch: what the provider asks for by `max-age` within 5 min … 24 h, else
/// the configured interval; ± 10 % by `jitter` in -1 … 1.
pub fn refresh_after(timing: &Timing, max_age: Option<u64>, jitter: f64) -> u64 {
    let base = match max_age {
        Some(seconds) => seconds.saturating_mul(SECOND).clamp(MIN_MAX_AGE, MAX_MAX_AGE),
        None => timing.refresh,
    };
    jittered(base, jitter)
}

fn jittered(time: u64, jitter: f64) -> u64 {
    let tenth = time / 10;
    // Saturating by definition of `as`; a tenth of a day in ns is far below 2⁵³.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let shift = (tenth as f64 * jitter.abs().min(1.0)) as u64;
    if jitter < 0.0 { time.saturating_sub(shift) } else { time.saturating_add(shift) }
}
