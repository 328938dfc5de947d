//! What the filter decided, before it becomes headers, filter state or a reply.

use crate::concurrency::Lease;
use crate::limit::quota::Quota;
use crate::limit::{Counters, Ruling};
use crate::quota_plan::ResponseCharge;
use crate::reason::Reason;

/// The decision on one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The request passes: `ok` or `anonymous`.
    Allow(Reason),
    /// The request passes because of `dry_run`; this is what would have refused it.
    WouldDeny(Denial),
    /// The request is refused.
    Deny(Denial),
}

impl Verdict {
    /// The word that says why.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Allow(reason) => *reason,
            Self::WouldDeny(denial) | Self::Deny(denial) => denial.reason,
        }
    }

    /// The word for `wasm.tollgate.decision` and the metrics.
    pub fn decision(&self) -> &'static str {
        match self {
            Self::Allow(_) => "allow",
            Self::WouldDeny(_) => "would_deny",
            Self::Deny(_) => "deny",
        }
    }
}

/// Why a request is refused and when it may come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The word of the contract.
    pub reason: Reason,
    /// When the same request would pass, nanoseconds from now; only where waiting helps.
    pub retry_after: Option<u64>,
}

impl From<Reason> for Denial {
    fn from(reason: Reason) -> Self {
        Self { reason, retry_after: None }
    }
}

/// What one limit said of a request, and what is left of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitReport {
    /// Index into `Policy::limits`.
    pub limit: usize,
    /// What the bucket grants: the limit's own quota, or that of a tier or of the token.
    pub quota: Quota,
    /// How many more requests of cost 1 would pass now.
    pub remaining: u64,
    /// When the bucket is full again, nanoseconds from now.
    pub reset: u64,
    /// What it said.
    pub ruling: Ruling,
    /// Whether the limit is a dry run: the caller does not learn of it.
    pub dry_run: bool,
}

/// Everything the shell has to carry out for one request.
#[derive(Debug)]
pub struct Judgement {
    /// The decision.
    pub verdict: Verdict,
    /// Index of the rule that matched.
    pub rule: Option<usize>,
    /// Index of the provider that the token was judged by.
    pub provider: Option<usize>,
    /// Tags of a verified request: index into `Policy::tags`, and the safe value.
    pub tags: Vec<(usize, String)>,
    /// What is left of each limit that was asked.
    pub limits: Vec<LimitReport>,
    /// What to charge when the response ends, of a request that passes.
    pub charges: Vec<ResponseCharge>,
    /// The place in flight that a request which passes holds until its stream ends.
    pub lease: Option<Lease>,
    /// What the store went through for it.
    pub store: Counters,
}
