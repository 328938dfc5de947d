//! What the filter decided, before it becomes headers, filter state or a reply.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::body::Refusal;
use crate::caller::cache::Look;
use crate::caller::grant::Unmet;
use crate::caller::principal::Caller;
use crate::limit::concurrency::Lease;
use crate::limit::plan::{Limit, Planned};
use crate::limit::quota::Quota;
use crate::limit::{Counters, Ruling};
use crate::policy::rule::Rule;
use crate::reason::Reason;
use crate::verify::{Attempt, RefusedClaims, Stage, VerifyError};

/// The decision on one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The request passes: `ok` or `anonymous`.
    Allow(Reason),
    /// The filter answers in the upstream's place; nothing was refused.
    Answer(OwnAnswer),
    /// The request passes because of `dry_run`; this is what would have refused it.
    WouldDeny(Denial),
    /// The request is refused.
    Deny(Denial),
}

/// What the filter answers itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnAnswer {
    /// A CORS preflight of an origin that is allowed.
    Preflight,
    /// The metadata of a protected resource (RFC 9728), by its position in the configuration.
    ResourceMetadata(usize),
}

impl Verdict {
    /// The word that says why.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Allow(reason) => *reason,
            Self::Answer(OwnAnswer::Preflight) => Reason::Preflight,
            Self::Answer(OwnAnswer::ResourceMetadata(_)) => Reason::Anonymous,
            Self::WouldDeny(denial) | Self::Deny(denial) => denial.reason,
        }
    }

    /// The word for `wasm.tollgate.decision` and the metrics.
    pub fn decision(&self) -> &'static str {
        match self {
            Self::Allow(_) | Self::Answer(_) => "allow",
            Self::WouldDeny(_) => "would_deny",
            Self::Deny(_) => "deny",
        }
    }

    /// What refused the request, or would have.
    pub fn denial(&self) -> Option<&Denial> {
        match self {
            Self::WouldDeny(denial) | Self::Deny(denial) => Some(denial),
            Self::Allow(_) | Self::Answer(_) => None,
        }
    }
}

/// Why a request is refused and when it may come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The word of the contract.
    pub reason: Reason,
    /// The time until the same request would pass; only where waiting helps.
    pub retry_after: Option<Duration>,
    /// The scopes that were asked for, where a grant lacks (RFC 6750 §3).
    pub scope: Option<Arc<str>>,
}

impl Denial {
    /// A denial that waiting cures.
    pub fn for_now(reason: Reason, retry_after: Duration) -> Self {
        Self { reason, retry_after: Some(retry_after), scope: None }
    }
}

impl From<Reason> for Denial {
    fn from(reason: Reason) -> Self {
        Self { reason, retry_after: None, scope: None }
    }
}

impl From<Unmet> for Denial {
    fn from(unmet: Unmet) -> Self {
        Self { reason: unmet.reason, retry_after: None, scope: unmet.scope }
    }
}

/// What one limit said of a request, and what is left of it.
#[derive(Clone, Debug)]
pub struct LimitReport {
    /// The limit.
    pub limit: Rc<Limit>,
    /// What the bucket grants: the limit's own quota, or that of a tier or of the token.
    pub quota: Quota,
    /// How many more requests of cost 1 would pass now.
    pub remaining: u64,
    /// The time until the bucket is full again.
    pub reset: Duration,
    /// What it said. The caller does not learn of a limit that is a dry run.
    pub ruling: Ruling,
}

/// Everything the shell has to carry out for one request.
#[derive(Debug)]
pub struct Judgement {
    /// The decision.
    pub verdict: Verdict,
    /// The rule that matched.
    pub rule: Option<Rc<Rule>>,
    /// Index of the provider that the token was judged by.
    pub provider: Option<usize>,
    /// Who sent a verified request, with the tags that follow from the token.
    pub caller: Option<Rc<Caller>>,
    /// The other tags of a verified request: index into `Policy::tags`, and the safe value.
    pub own_tags: Vec<(usize, String)>,
    /// What the request costs, by its rule; the rows of its body once they are counted. `None`: no
    /// rule matched.
    pub cost: Option<u64>,
    /// Why the token was refused.
    pub error: Option<VerifyError>,
    /// Why each provider of the token's issuer that was asked refused it.
    pub attempts: Vec<Attempt>,
    /// The claims of a token that was refused although its signature verified.
    pub refused: Option<Box<RefusedClaims>>,
    /// A caller who does not hold the certificate that the token is bound to.
    pub unbound: Option<Rc<Caller>>,
    /// The tags of a caller whose verified token is why the request is denied, for filter state alone:
    /// index into `Policy::tags`, and the safe value. Empty where the request passes.
    pub denied_tags: Vec<(usize, String)>,
    /// Whether the token was remembered; `None` where nobody looked.
    pub look: Option<Look>,
    /// What is left of each limit that was asked.
    pub limits: Vec<LimitReport>,
    /// What to charge when the response ends, of a request that passes.
    pub charges: Vec<Planned>,
    /// The place in flight that a request which passes holds until its stream ends.
    pub lease: Option<Lease>,
    /// What the store went through for it.
    pub store: Counters,
    /// What is left to do once the body is judged. While it is there, the verdict is what the
    /// headers allow: nothing of the body may pass yet.
    pub needs_body: Option<NeedsBody>,
    /// What is wrong with the body, for the log.
    pub refusal: Option<Refusal>,
}

/// A request that passed by its headers and waits for its body.
#[derive(Debug)]
pub struct NeedsBody {
    /// What it took from each limit of the rule by its headers, the rows of its body not counted.
    pub plan: Vec<Planned>,
}

impl From<Verdict> for Judgement {
    /// A verdict of which nothing else is known yet.
    fn from(verdict: Verdict) -> Self {
        Self {
            verdict,
            rule: None,
            provider: None,
            caller: None,
            own_tags: Vec::new(),
            cost: None,
            error: None,
            attempts: Vec::new(),
            refused: None,
            unbound: None,
            denied_tags: Vec::new(),
            look: None,
            limits: Vec::new(),
            charges: Vec::new(),
            lease: None,
            store: Counters::default(),
            needs_body: None,
            refusal: None,
        }
    }
}

impl Judgement {
    /// The limit that refused the request, or would have: the first of the rule that did.
    /// `None` for `concurrency_limited`, which is the rule's own.
    pub fn limited_by(&self) -> Option<&Limit> {
        let ruling = match self.verdict.denial()?.reason {
            Reason::RateLimited => Ruling::NotYet,
            Reason::CostExceedsBurst => Ruling::Never,
            _ => return None,
        };
        let refused = |report: &&LimitReport| report.ruling == ruling;
        let mut refusing = self.limits.iter().filter(refused);
        // A limit that is a dry run refuses nobody; it is named only where no other would have.
        let first = refusing.clone().next()?;
        Some(&refusing.find(|report| !report.limit.dry_run).unwrap_or(first).limit)
    }

    /// Whether keys were tried on the token and none of them signed it.
    pub fn tried_in_vain(&self) -> bool {
        use VerifyError::{SignatureInvalid, TooManyKeys};
        let mut errors = self.attempts.iter().map(|attempt| attempt.error);
        let signed = errors.clone().any(|error| error.stage() > Stage::Signature);
        !signed && errors.any(|error| matches!(error, SignatureInvalid | TooManyKeys))
    }

    /// The least that is left in a limit, as a share of its burst in whole percent, rounded down;
    /// `None` where no limit was asked.
    pub fn remaining_percent(&self) -> Option<u64> {
        let percent = |report: &LimitReport| {
            let share =
                u128::from(report.remaining) * 100 / u128::from(report.quota.burst().max(1));
            u64::try_from(share).unwrap_or(100)
        };
        self.limits.iter().map(percent).min()
    }

    /// Every tag of a verified request: index into `Policy::tags`, and the safe value.
    pub fn tags(&self) -> impl Iterator<Item = &(usize, String)> {
        let of_token = self.caller.as_ref().map_or(&[][..], |caller| caller.tags());
        of_token.iter().chain(&self.own_tags)
    }
}
