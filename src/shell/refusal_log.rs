//! The filter's own log of refusals: enough to see that something is wrong and what to do, never so
//! much that a flood of bad tokens becomes a flood of lines.

use std::cell::RefCell;
use std::mem::{Discriminant, discriminant};
use std::time::Duration;

use log::{Level, log};

use crate::body::Refusal;
use crate::body::json::flaw::{Flaw, Malformed};
use crate::reason::Reason;
use crate::time::Moment;
use crate::verify::VerifyError;

/// One line for each cause in this time, in each worker: 1 min.
const INTERVAL: Duration = Duration::from_secs(60);

/// What was refused in one worker since it was last told.
///
/// A line names the reason, the rule and the provider of the request that caused it, what was wrong
/// with its body, and how many were refused for that since the line before. Nothing of the request
/// itself is in it: who called is told by the access log.
#[derive(Debug, Default)]
pub struct RefusalLog {
    /// There are few, and a walk finds them as soon as a hash.
    causes: RefCell<Vec<(Kind, Told)>>,
}

/// Why a request was refused, or would have been.
#[derive(Clone, Copy)]
pub struct Cause<'a> {
    /// `deny` or `would_deny`.
    pub decision: &'static str,
    /// Its reason.
    pub reason: Reason,
    /// Why its token was refused.
    pub error: Option<VerifyError>,
    /// What was wrong with its body.
    pub body: Option<&'a Refusal>,
}

/// What makes two causes one: decision, reason, the token's error, and what kind of flaw a body had.
/// All from closed lists, so that their number is bounded.
type Kind = (Reason, Option<VerifyError>, Option<FlawKind>, &'static str);

type FlawKind = (Discriminant<Refusal>, Option<Discriminant<Flaw>>);

/// When a cause was last told, and how often it came up after that.
#[derive(Debug)]
struct Told {
    at: Moment,
    since: u64,
}

impl RefusalLog {
    /// Counts a refusal, and tells it if its cause was not told within the last minute. `detail`: the
    /// claim, template or bound that the token's error is about. A clock
    /// that steps back logs early, not never.
    pub fn note(
        &self,
        cause: Cause<'_>,
        rule: &str,
        provider: &str,
        detail: Option<&str>,
        now: Moment,
    ) {
        let Cause { decision, reason, error, body } = cause;
        let kind = (reason, error, body.map(kind), decision);
        let Some(count) = self.count(kind, now) else { return };
        let (level, advice) = match body {
            Some(Refusal::Withheld) => (Level::Warn, "set both for this plugin, or neither"),
            _ => advice(reason, error),
        };
        let body = body.map(|refusal| format!("request body refused: {refusal}; "));
        let detail = detail.map(|detail| format!("{detail}; "));
        log!(
            level,
            "tollgate: {decision}: reason={} rule={rule} provider={provider} count={count}: \
             {}{}{advice}; see docs/runbook.md#{}",
            reason.as_str(),
            detail.unwrap_or_default(),
            body.unwrap_or_default(),
            reason.as_str()
        );
    }

    /// How many refusals to tell of; `None` while the cause has been told.
    fn count(&self, cause: Kind, now: Moment) -> Option<u64> {
        let mut causes = self.causes.borrow_mut();
        let Some((_, told)) = causes.iter_mut().find(|(kind, _)| *kind == cause) else {
            causes.push((cause, Told { at: now, since: 0 }));
            return Some(1);
        };
        told.since = told.since.saturating_add(1);
        if now.abs_diff(told.at) < INTERVAL {
            return None;
        }
        told.at = now;
        Some(std::mem::take(&mut told.since))
    }
}

/// What kind of flaw a body has, wherever in it and however large.
fn kind(refusal: &Refusal) -> FlawKind {
    let flaw = match refusal {
        Refusal::Malformed(Malformed { flaw, .. }) => Some(discriminant(flaw)),
        _ => None,
    };
    (discriminant(refusal), flaw)
}

/// How loud a refusal is, and the first thing to do about it. What only the caller can cure is
/// `info`, what the operator can is `warn`.
const fn advice(reason: Reason, error: Option<VerifyError>) -> (Level, &'static str) {
    if let Some(VerifyError::TooManyKeys) = error {
        return (Level::Warn, "have the issuer name keys in the header (kid), or publish fewer");
    }
    if let Some(VerifyError::KeySkipped(_)) = error {
        return (Level::Warn, "the issuer has to replace this key");
    }
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

    const START: Moment = Moment::from_secs(1_800_000_000);
    const NANO: Duration = Duration::from_nanos(1);

    #[test]
    fn a_flood_of_one_reason_is_told_once_a_minute_with_its_count() {
        let log = RefusalLog::default();
        let count = |reason, now| log.count((reason, None, None, "deny"), now);
        assert_eq!(count(Reason::Expired, START), Some(1));
        for step in 1..=1000 {
            assert_eq!(count(Reason::Expired, START + NANO * step), None);
        }
        assert_eq!(count(Reason::TokenMissing, START), Some(1));
        assert_eq!(count(Reason::Expired, START + INTERVAL), Some(1001));
        assert_eq!(count(Reason::Expired, START + INTERVAL + NANO), None);
        // The clock steps back by an hour.
        assert_eq!(count(Reason::Expired, START - INTERVAL * 60), Some(2));
    }

    #[test]
    fn bodies_with_one_flaw_in_different_places_are_one_cause_and_another_flaw_is_another() {
        let log = RefusalLog::default();
        let malformed = |offset, flaw| Refusal::Malformed(Malformed { offset, flaw });
        for (refusal, told) in [
            (malformed(3, Flaw::Utf8), Some(1)),
            (malformed(4, Flaw::Utf8), None),
            (malformed(4, Flaw::Escape), Some(1)),
            (Refusal::Lacking, Some(1)),
            (Refusal::Rows(7), Some(1)),
            (Refusal::Rows(8), None),
        ] {
            let cause = (refusal.reason(), None, Some(kind(&refusal)), "deny");
            assert_eq!(log.count(cause, START), told, "{refusal}");
        }
    }
}
