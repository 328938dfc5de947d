//! The filter's own log of refusals: enough to see that something is wrong and what to do, never so
//! much that a flood of bad tokens becomes a flood of lines.

use std::cell::RefCell;
use std::collections::HashMap;

use log::{Level, log};

use crate::reason::Reason;

/// One line for each reason in this time, in each worker: 1 min, in nanoseconds.
const INTERVAL: u64 = 60_000_000_000;

/// What was refused in one worker since it was last told.
///
/// A line names the reason, the rule and the provider of the request that caused it, and how many
/// were refused for that reason since the line before. Nothing of the request itself is in it: who
/// called is told by the access log.
#[derive(Debug, Default)]
pub struct RefusalLog {
    reasons: RefCell<HashMap<Cause, Told>>,
}

/// A decision, `deny` or `would_deny`, and its reason.
type Cause = (&'static str, Reason);

/// When a reason was last told, and how often it came up after that.
#[derive(Debug)]
struct Told {
    at: u64,
    since: u64,
}

impl RefusalLog {
    /// Counts a refusal, and tells it if this reason was not told within the last minute. `now`:
    /// nanoseconds since the Unix epoch; a clock that steps back tells early, not never.
    pub fn note(
        &self,
        decision: &'static str,
        reason: Reason,
        rule: &str,
        provider: &str,
        now: u64,
    ) {
        let Some(count) = self.count((decision, reason), now) else { return };
        let (level, advice) = advice(reason);
        log!(
            level,
            "tollgate: {decision}: reason={} rule={rule} provider={provider} count={count}: {advice}; \
             see docs/runbook.md#{}",
            reason.as_str(),
            reason.as_str()
        );
    }

    /// How many refusals to tell of; `None` while the reason has been told.
    fn count(&self, cause: Cause, now: u64) -> Option<u64> {
        let mut reasons = self.reasons.borrow_mut();
        match reasons.get_mut(&cause) {
            Some(told) if now.abs_diff(told.at) < INTERVAL => {
                told.since = told.since.saturating_add(1);
                None
            }
            told => {
                let since = told.map_or(0, |told| told.since);
                reasons.insert(cause, Told { at: now, since: 0 });
                Some(since.saturating_add(1))
            }
        }
    }
}

/// How loud a refusal is, and the first thing to do about it. What only the caller can cure is
/// `info`, what the operator can is `warn`.
const fn advice(reason: Reason) -> (Level, &'static str) {
    match reason {
        Reason::KeysUnavailable => (
            Level::Warn,
            "there are no keys to verify with; look for failed fetches above this line",
        ),
        Reason::StoreUnavailable => {
            (Level::Warn, "the bucket table did not answer; look at tollgate_store_retries")
        }
        Reason::NoRule => {
            (Level::Warn, "no rule matches; add one for this path, or ignore scanners")
        }
        Reason::IssuerNotAllowed | Reason::TenantNotAllowed | Reason::AudienceMismatch => (
            Level::Warn,
            "if these callers are yours, compare the token's iss, tid and aud with the provider's",
        ),
        Reason::KeyUnknown => {
            (Level::Warn, "the key set lacks the token's kid; check that it is the issuer's")
        }
        Reason::GroupsOverage => {
            (Level::Warn, "the token's groups were left out for size; use roles instead")
        }
        Reason::NotYetValid | Reason::IssuedInFuture => {
            (Level::Warn, "compare this machine's clock with the issuer's")
        }
        Reason::RateLimited | Reason::ConcurrencyLimited | Reason::CostExceedsBurst => {
            (Level::Info, "callers are at their limit; the access log names them")
        }
        _ => (Level::Info, "the caller can cure it; the access log names the requests"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_reason_is_told_once_a_minute_with_its_count() {
        let log = RefusalLog::default();
        let start = 1_800_000_000_000_000_000;
        assert_eq!(log.count(("deny", Reason::Expired), start), Some(1));
        for step in 1..=1000 {
            assert_eq!(log.count(("deny", Reason::Expired), start + step), None);
        }
        assert_eq!(log.count(("deny", Reason::TokenMissing), start), Some(1));
        assert_eq!(log.count(("deny", Reason::Expired), start + INTERVAL), Some(1001));
        assert_eq!(log.count(("deny", Reason::Expired), start + INTERVAL + 1), None);
        // The clock steps back by an hour.
        assert_eq!(log.count(("deny", Reason::Expired), start - 60 * INTERVAL), Some(2));
    }
}
