//! The verdict on a request, and the reports of its limits.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::caller::grant::{Grant, Unmet};
use crate::limit::Ruling;
use crate::limit::plan::Limit;
use crate::limit::quota::Quota;
use crate::reason::Reason;

/// The decision on one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The request passes: `ok` or `anonymous`.
    Allow(Reason),
    /// The filter answers in place of the upstream; nothing was refused.
    Answer(OwnAnswer),
    /// The request passes because of `dry_run`; without it, this would refuse the request.
    WouldDeny(Denial),
    /// The request is refused.
    Deny(Denial),
}

/// A request that the filter answers itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnAnswer {
    /// A CORS preflight of an origin that is allowed.
    Preflight,
    /// The metadata of a protected resource (RFC 9728), by its position in the configuration.
    ResourceMetadata(usize),
}

impl Verdict {
    /// The reason.
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

    /// Notes when the keys are fetched again, if they are missing.
    pub fn next_fetch(&mut self, next: Option<Duration>) {
        if let Self::WouldDeny(denial) | Self::Deny(denial) = self
            && denial.reason == Reason::KeysUnavailable
        {
            denial.retry_after = next.or(denial.retry_after);
        }
    }

    /// The denial, carried out or not.
    pub fn denial(&self) -> Option<&Denial> {
        match self {
            Self::WouldDeny(denial) | Self::Deny(denial) => Some(denial),
            Self::Allow(_) | Self::Answer(_) => None,
        }
    }
}

/// The reason for a refusal, and when to retry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The word of the contract.
    pub reason: Reason,
    /// The time until the same request would pass; `None` if waiting does not help.
    pub retry_after: Option<Duration>,
    /// The required scopes, if a grant was missing (RFC 6750 §3).
    pub scope: Option<Arc<str>>,
}

/// The `retry-after` for a failing store, and for missing keys unless the next fetch is known: 1 s.
const OWN_RETRY_AFTER: Duration = Duration::from_secs(1);

impl Denial {
    /// A denial of a request that would pass later.
    pub fn for_now(reason: Reason, retry_after: Duration) -> Self {
        Self { reason, retry_after: Some(retry_after), scope: None }
    }

    /// A denial for lack of a grant; it names the scopes of the closest entry.
    pub fn of_unmet(Unmet { entry, reason }: Unmet, entries: &[Grant]) -> Self {
        let scope = entries.get(entry).and_then(|entry| entry.scope.clone());
        Self { reason, retry_after: None, scope }
    }
}

impl From<Reason> for Denial {
    fn from(reason: Reason) -> Self {
        let ours = matches!(reason, Reason::KeysUnavailable | Reason::StoreUnavailable);
        Self { reason, retry_after: ours.then_some(OWN_RETRY_AFTER), scope: None }
    }
}

/// The ruling of one limit on a request, and the tokens that are left.
#[derive(Clone, Debug)]
pub struct LimitReport {
    /// The limit.
    pub limit: Rc<Limit>,
    /// The quota of the bucket: the limit's, a tier's or the token's own.
    pub quota: Quota,
    /// How many more requests of cost 1 would pass now.
    pub remaining: u64,
    /// The time until the bucket is full again.
    pub reset: Duration,
    /// The ruling. The caller does not see that of a limit with `dry_run`.
    pub ruling: Ruling,
}
