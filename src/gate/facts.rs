//! The findings about a request, stage by stage.

use std::rc::Rc;
use std::time::Duration;

use super::verdict::LimitReport;
use crate::body::Refusal;
use crate::caller::cache::Look;
use crate::caller::principal::Caller;
use crate::few::Few;
use crate::limit::{Counters, Ruling};
use crate::policy::Policy;
use crate::policy::rule::Rule;
use crate::reason::Reason;
use crate::verify::{Attempt, Stage, VerifyError};

/// The findings of the stages that a request has been through. Stages that it has not reached have left
/// their defaults.
#[derive(Debug, Default)]
pub struct Facts {
    /// The rule that matched.
    pub rule: Option<Rc<Rule>>,
    /// The cost by the rule; after the body, that of its rows. `None`: no rule matched.
    pub cost: Option<u64>,
    /// How the token was judged.
    pub token: TokenReport,
    /// The verified caller, with the tags that depend on the token alone.
    pub caller: Option<Rc<Caller>>,
    /// The other tags of a verified caller: index into `Policy::tags`, and the safe value.
    pub own_tags: Vec<(usize, String)>,
    /// The tags that depend on the connection, the path and the rule alone, for filter state, if there is
    /// no verified caller.
    pub match_tags: Vec<(usize, String)>,
    /// The reason why the guard refused the body, for the log.
    pub refusal: Option<Refusal>,
    /// The report of each limit that was asked.
    pub limits: Few<LimitReport>,
    /// What the store did for this request.
    pub store: Counters,
}

/// How the token of a request was judged.
#[derive(Debug, Default)]
pub struct TokenReport {
    /// Index of the provider that judged it.
    pub provider: Option<usize>,
    /// Whether the token was cached; `None` if the cache is off or there is no token.
    pub look: Option<Look>,
    /// Why it was refused.
    pub error: Option<VerifyError>,
    /// The error of each provider of the token's issuer that was asked and refused it.
    pub attempts: Vec<Attempt>,
}

impl TokenReport {
    /// Whether keys were tried on the token and none of them had signed it.
    pub fn tried_in_vain(&self) -> bool {
        use VerifyError::{SignatureInvalid, TooManyKeys};
        let mut errors = self.attempts.iter().map(|attempt| attempt.error);
        let signed = errors.clone().any(|error| error.stage() > Stage::Signature);
        !signed && errors.any(|error| matches!(error, SignatureInvalid | TooManyKeys))
    }
}

impl Facts {
    /// Whether the request is judged in a dry run, of all rules or of its own.
    pub fn is_dry(&self, policy: &Policy) -> bool {
        policy.dry_run || self.rule.as_ref().is_some_and(|rule| rule.dry_run)
    }

    /// The tokens left in the limit that has the fewest, as a share of its burst in whole percent, rounded
    /// down; `None` if no limit was asked.
    pub fn remaining_percent(&self) -> Option<u64> {
        let percent = |report: &LimitReport| {
            let (left, burst) = (report.remaining, report.quota.burst().max(1));
            match left <= u64::MAX / 100 {
                true => left.wrapping_mul(100) / burst,
                false => u64::try_from(u128::from(left) * 100 / u128::from(burst)).unwrap_or(100),
            }
        };
        self.limits.iter().map(percent).min()
    }

    /// The limit that refused the request for `reason`, or would have: of several, the one with the longest wait,
    /// after which the request passes, or else the first. `None` for `concurrency_limited`, which is the rule's own.
    pub fn limited_by(&self, reason: Reason) -> Option<&LimitReport> {
        let wait = |report: &LimitReport| match (reason, report.ruling) {
            (Reason::RateLimited, Ruling::NotYet(wait)) => Some(wait),
            (Reason::CostExceedsBurst, Ruling::Never) => Some(Duration::ZERO),
            _ => None,
        };
        let refusing = self.limits.iter().filter(|report| wait(report).is_some());
        // A limit with `dry_run` refuses no request; it counts only if no other would have refused. Of equals,
        // the last is the greatest.
        refusing.rev().max_by_key(|report| (!report.limit.dry_run, wait(report)))
    }

    /// All tags of a verified caller: index into `Policy::tags`, and the safe value.
    pub fn tags(&self) -> impl Iterator<Item = &(usize, String)> {
        let of_token = self.caller.as_ref().map_or(&[][..], |caller| caller.tags());
        of_token.iter().chain(&self.own_tags)
    }
}
