//! The few numbers that all workers share about one remote key set.

use super::{Cause, Timing};

const SECOND: u64 = 1_000_000_000;

/// What is added to a lease beyond the fetch's own timeout, so that a slow answer is not fetched
/// twice: discovery and key set may take one timeout each.
const LEASE_GRACE: u64 = SECOND;

/// The longest pause between tries while the last good keys serve.
const MAX_BACKOFF: u64 = 60 * SECOND;

/// The longest pause while there are no keys to serve with: a provider that comes back is used
/// within 5 s,
/// pause, tick and fetch together.
const MAX_BACKOFF_WITHOUT_KEYS: u64 = 3 * SECOND;

/// How far ahead of our clock another worker's time stamp may be before it counts as one of a
/// clock that has since stepped back: all workers read the same clock.
const STEP: u64 = 5 * SECOND;

/// The least time to a refresh that the provider's `Cache-Control: max-age` can ask for.
const MIN_MAX_AGE: u64 = 60 * SECOND;

/// How many fetches unknown kids may cause at once; after them one per interval.
pub const BURST: u64 = 3;

/// The layout of a record and of what is stored beside it: part of their names, so that an older and
/// a newer module in one process never read each other's. To be raised with every change of either.
pub const LAYOUT: u8 = 2;

/// How old a set must be that new keys replace for free. An issuer whose servers disagree, so that
/// each fetch brings keys that the last one did not, would else be asked without end.
const SETTLED: u64 = SECOND;

/// All times are nanoseconds since the Unix epoch; 0 means never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Grows with each new set; 0: there is none.
    pub version: u64,
    /// Grows with each finished fetch, good or bad.
    pub attempts: u64,
    /// When the stored set was fetched.
    pub good_at: u64,
    /// When the next fetch is due.
    pub next_at: u64,
    /// Until when somebody fetches.
    pub lease_until: u64,
    /// When the allowance of fetches for unknown kids is whole again: one interval ahead for each
    /// that is spent.
    pub unknown_until: u64,
    /// When the last fetch began or ended.
    pub tried_at: u64,
    /// Fetches that were due and failed since the last good one.
    pub failures: u64,
    /// When the last fetch began.
    pub began_at: u64,
    /// 1 while a fetch is under way that an unknown kid caused.
    pub unknown_leased: u64,
}

impl Record {
    /// The record as bytes: ten little-endian words.
    pub fn encode(&self) -> Vec<u8> {
        [
            self.version,
            self.attempts,
            self.good_at,
            self.next_at,
            self.lease_until,
            self.unknown_until,
            self.tried_at,
            self.failures,
            self.began_at,
            self.unknown_leased,
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
            unknown_until: word(5),
            tried_at: word(6),
            failures: word(7),
            began_at: word(8),
            unknown_leased: word(9),
        }
    }

    /// Whether a fetch is due.
    pub fn due(&self, timing: &Timing, now: u64) -> bool {
        now >= self.next_try(timing, now)
    }

    /// When the next fetch is due. A long pause ends early when the keys grow too old during it,
    /// and at once when the clock has stepped back, which would stretch it by the step.
    pub fn next_try(&self, timing: &Timing, now: u64) -> u64 {
        if self.stepped_back(now) {
            now
        } else if self.usable(timing, now) {
            self.next_at
        } else {
            self.next_at.min(self.tried_at.saturating_add(MAX_BACKOFF_WITHOUT_KEYS))
        }
    }

    /// Whether somebody is fetching.
    pub fn leased(&self, now: u64) -> bool {
        now < self.lease_until && !self.stepped_back(now)
    }

    fn stepped_back(&self, now: u64) -> bool {
        self.tried_at > now.saturating_add(STEP)
    }

    /// Whether a request that lacks a key since `since` may cause a fetch: one has not begun after
    /// that already, and the allowance of all requests is not spent, whatever the set holds.
    pub fn admits_unknown_kid(&self, timing: &Timing, since: u64, now: u64) -> bool {
        let spent = self.unknown_spent(timing, now);
        self.began_at <= since && spent <= timing.unknown_kid.saturating_mul(BURST - 1)
    }

    /// How long it takes until the allowance for unknown kids is whole again. More than a whole
    /// allowance cannot be spent: the clock has stepped back, or the interval was a longer one.
    fn unknown_spent(&self, timing: &Timing, now: u64) -> u64 {
        let spent = self.unknown_until.saturating_sub(now);
        if spent > timing.unknown_kid.saturating_mul(BURST) { 0 } else { spent }
    }

    /// Whether the stored set may still serve.
    pub fn usable(&self, timing: &Timing, now: u64) -> bool {
        self.version > 0 && now.saturating_sub(self.good_at) <= timing.max_stale
    }

    /// The record while somebody fetches.
    #[must_use]
    pub fn fetching(&self, timing: &Timing, cause: Cause, now: u64) -> Self {
        let longest = timing.timeout.saturating_mul(2).saturating_add(LEASE_GRACE);
        let lease_until = now.saturating_add(longest);
        let began = Self { lease_until, tried_at: now, began_at: now, ..*self };
        match cause {
            Cause::Due => Self { next_at: self.next_at.min(now), unknown_leased: 0, ..began },
            Cause::UnknownKid { .. } => {
                let spent = self.unknown_spent(timing, now).saturating_add(timing.unknown_kid);
                Self { unknown_until: now.saturating_add(spent), unknown_leased: 1, ..began }
            }
        }
    }

    /// The record after a good fetch, whose set is stored as `version`. `new_keys`: it has keys that
    /// the set before it had not, so that it does not count against unknown kids.
    #[must_use]
    pub fn succeeded(
        &self,
        timing: &Timing,
        version: u64,
        new_keys: bool,
        now: u64,
        refresh: u64,
    ) -> Self {
        // A version is the time at which its set was stored.
        let settled = now.saturating_sub(self.version) >= SETTLED;
        let free = self.unknown_leased == 1 && new_keys && settled;
        let refund = if free { timing.unknown_kid } else { 0 };
        Self {
            version,
            attempts: self.attempts.saturating_add(1),
            good_at: now,
            next_at: now.saturating_add(refresh),
            lease_until: 0,
            unknown_until: self.unknown_until.saturating_sub(refund),
            tried_at: now,
            failures: 0,
            began_at: self.began_at,
            unknown_leased: 0,
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
        let due = self.due(timing, now);
        Self {
            attempts: self.attempts.saturating_add(1),
            next_at: if due { retry } else { self.next_at },
            lease_until: 0,
            tried_at: now,
            failures: self.failures.saturating_add(u64::from(due)),
            unknown_leased: 0,
            ..*self
        }
    }
}

/// The time to the next fetch: the configured interval, or less where the provider asks for that by
/// `max-age`, down to a minute; never more, because a key that was withdrawn is trusted as long.
/// ± 10 % by `jitter` in -1 … 1, and always before the keys are too old.
pub fn refresh_after(timing: &Timing, max_age: Option<u64>, jitter: f64) -> u64 {
    let asked = max_age.map_or(u64::MAX, |seconds| seconds.saturating_mul(SECOND));
    let base = timing.refresh.min(asked.max(MIN_MAX_AGE));
    jittered(base, jitter).min(timing.max_stale - timing.max_stale / 10)
}

fn jittered(time: u64, jitter: f64) -> u64 {
    let tenth = time / 10;
    // Saturating by definition of `as`; a tenth of a day in ns is far below 2⁵³.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let shift = (tenth as f64 * jitter.abs().min(1.0)) as u64;
    if jitter < 0.0 { time.saturating_sub(shift) } else { time.saturating_add(shift) }
}
