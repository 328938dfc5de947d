//! The log of refusals: it shows that something is wrong and what to do, and a flood of bad tokens does not
//! become a flood of lines.

use std::cell::RefCell;
use std::mem::{Discriminant, discriminant};
use std::time::Duration;

use log::{Level, log};

use crate::body::Refusal;
use crate::body::json::flaw::{Flaw, Malformed};
use crate::reason::Reason;
use crate::time::Moment;
use crate::verify::VerifyError;

/// The time between two lines of one cause in one worker: 1 min.
const INTERVAL: Duration = Duration::from_secs(60);

/// The refusals of one worker since the last line of each cause.
///
/// A line has the reason, the rule and the provider of the request that caused it, the flaw of its body, and
/// the number of refusals for this cause since the previous line. It contains no part of the request: the
/// access log names the caller.
#[derive(Debug, Default)]
pub struct RefusalLog {
    /// There are few, so a walk finds them as soon as a hash.
    causes: RefCell<Vec<(Kind, Logged)>>,
}

/// The cause of a refusal, carried out or not.
#[derive(Clone, Copy)]
pub struct Cause<'a> {
    /// `deny` or `would_deny`.
    pub decision: &'static str,
    /// The reason.
    pub reason: Reason,
    /// The error of the token.
    pub error: Option<VerifyError>,
    /// The reason to refuse the body.
    pub body: Option<&'a Refusal>,
}

/// Refusals of one kind share a line: reason, token error, kind of flaw in the body, and decision. All come from
/// closed lists, so that their number is bounded.
type Kind = (Reason, Option<VerifyError>, Option<FlawKind>, &'static str);

type FlawKind = (Discriminant<Refusal>, Option<Discriminant<Flaw>>);

/// The last line of a cause, and the number of refusals since.
#[derive(Debug)]
struct Logged {
    at: Moment,
    since: u64,
}

impl RefusalLog {
    /// Counts a refusal, and logs it if its cause was not logged within the last minute. `detail`: the claim,
    /// template or bound that the token's error is about. If the clock steps back, it logs early, not never.
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

    /// The number of refusals to log; `None` if the cause was logged within the last minute.
    fn count(&self, cause: Kind, now: Moment) -> Option<u64> {
        let mut causes = self.causes.borrow_mut();
        let Some((_, logged)) = causes.iter_mut().find(|(kind, _)| *kind == cause) else {
            causes.push((cause, Logged { at: now, since: 0 }));
            return Some(1);
        };
        logged.since = logged.since.saturating_add(1);
        if now.abs_diff(logged.at) < INTERVAL {
            return None;
        }
        logged.at = now;
        Some(std::mem::take(&mut logged.since))
    }
}

/// The kind of flaw in a body, without its place and size.
fn kind(refusal: &Refusal) -> FlawKind {
    let flaw = match refusal {
        Refusal::Malformed(Malformed { flaw, .. }) => Some(discriminant(flaw)),
        _ => None,
    };
    (discriminant(refusal), flaw)
}

/// The level of a refusal, and the first thing to do about it: `info` if the caller can cure it, or who grants roles
/// and scopes, `warn` if the operator can.
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
        Reason::RoleInsufficient
        | Reason::ScopeInsufficient
        | Reason::ClientNotAllowed
        | Reason::ClaimInsufficient => (
            Level::Info,
            "allow of the rule asks for what the token lacks; tollgate explain names it",
        ),
        _ => (Level::Info, "the caller can cure it; the access log names the requests"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment::from_secs(1_800_000_000);
    const NANO: Duration = Duration::from_nanos(1);

    #[test]
    fn a_flood_of_one_reason_is_logged_once_a_minute_with_its_count() {
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
    fn only_what_the_caller_can_cure_is_left_to_it() {
        for (reason, level, left) in [
            (Reason::Expired, Level::Info, true),
            (Reason::TokenMissing, Level::Info, true),
            (Reason::RoleInsufficient, Level::Info, false),
            (Reason::ScopeInsufficient, Level::Info, false),
            (Reason::RateLimited, Level::Info, false),
            (Reason::AudienceMismatch, Level::Warn, false),
        ] {
            let (told, advice) = advice(reason, None);
            assert_eq!(told as i32, level as i32, "{reason:?}");
            assert_eq!(advice.contains("the caller can cure it"), left, "{reason:?}: {advice}");
        }
    }

    #[test]
    fn bodies_with_one_flaw_in_different_places_are_one_cause_and_another_flaw_is_another() {
        let log = RefusalLog::default();
        let malformed = |offset, flaw| Refusal::Malformed(Malformed { offset, flaw });
        for (refusal, count) in [
            (malformed(3, Flaw::Utf8), Some(1)),
            (malformed(4, Flaw::Utf8), None),
            (malformed(4, Flaw::Escape), Some(1)),
            (Refusal::Lacking, Some(1)),
            (Refusal::Rows(7), Some(1)),
            (Refusal::Rows(8), None),
        ] {
            let cause = (refusal.reason(), None, Some(kind(&refusal)), "deny");
            assert_eq!(log.count(cause, START), count, "{refusal}");
        }
    }
}
