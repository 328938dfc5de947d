//! The part of a judgement that counts: a place in flight first, then tokens.

use super::{Gate, OWN_RETRY_AFTER, RequestScope};
use crate::concurrency::Lease;
use crate::limit::store::StoreError;
use crate::limit::{self, Answer, Counters, Ruling, Standing, TakeError};
use crate::policy::{FailureMode, Limit};
use crate::principal::Principal;
use crate::quota_plan::Planned;
use crate::reason::Reason;
use crate::template::Template;
use crate::verdict::{Denial, Judgement, LimitReport};

/// When a caller may come back that has too many requests in flight: 1 s, in nanoseconds. Nobody
/// knows when one of them ends.
const CONCURRENCY_RETRY_AFTER: u64 = 1_000_000_000;

impl Gate<'_> {
    /// Takes a place in flight where the rule limits them.
    pub(super) fn occupy(
        &self,
        scope: &RequestScope<'_>,
        counters: &mut Counters,
    ) -> Result<Option<Lease>, Denial> {
        let Some(most) = scope.rule.concurrency else { return Ok(None) };
        let owner = scope.owner(None);
        let answer = self.concurrency.and_then(|concurrency| {
            let mut concurrency = concurrency.borrow_mut();
            let whose = (scope.rule.name.as_str(), owner.as_str());
            concurrency.acquire(self.store, scope.request.clock, whose, most, counters).ok()
        });
        match answer {
            Some(Some(lease)) => Ok(Some(lease)),
            Some(None) => Err(Denial::for_now(Reason::ConcurrencyLimited, CONCURRENCY_RETRY_AFTER)),
            None => self.store_failed().map(|()| None),
        }
    }

    /// Gives back the place of a request that is refused after all.
    pub(super) fn vacate(&self, clock: &dyn Fn() -> u64, found: &mut Judgement) {
        if let (Some(lease), Some(concurrency)) = (found.lease.take(), self.concurrency) {
            concurrency.borrow_mut().release(self.store, clock, lease, &mut found.store);
        }
    }

    /// Takes from every limit of the plan or from none.
    pub(super) fn take(
        &self,
        plan: Vec<Planned>,
        clock: &dyn Fn() -> u64,
        found: &mut Judgement,
    ) -> Result<(), Denial> {
        if plan.is_empty() {
            return Ok(());
        }
        let answer = self.take_all(&plan, clock, &mut found.store);
        let standings = match &answer {
            Ok(
                Answer::Allowed(standings)
                | Answer::Denied { standings, .. }
                | Answer::Never { standings, .. },
            ) => standings.as_slice(),
            Err(_) => &[],
        };
        found.limits =
            plan.iter().zip(standings).filter_map(|pair| self.limit_report(pair)).collect();
        match answer {
            Ok(Answer::Allowed(_)) => {
                let by_response = |planned: &Planned| {
                    self.limit_of(planned).is_some_and(|limit| limit.response_cost.is_some())
                };
                found.charges = plan.into_iter().filter(by_response).collect();
                Ok(())
            }
            Ok(Answer::Denied { retry_after_ns, .. }) => {
                Err(Denial::for_now(Reason::RateLimited, retry_after_ns))
            }
            Ok(Answer::Never { .. }) => Err(Reason::CostExceedsBurst.into()),
            Err(_) => self.store_failed(),
        }
    }

    fn take_all(
        &self,
        plan: &[Planned],
        clock: &dyn Fn() -> u64,
        counters: &mut Counters,
    ) -> Result<Answer, TakeError> {
        let takes: Vec<limit::Request<'_>> = plan
            .iter()
            .filter_map(|planned| Some(planned.request(self.limit_of(planned)?)))
            .collect();
        match self.table {
            Some(table) => limit::take_all(table, self.store, clock, &takes, counters),
            None => Err(TakeError::Store(StoreError::Damaged)),
        }
    }

    fn limit_of(&self, planned: &Planned) -> Option<&Limit> {
        self.policy.limits.get(planned.limit)
    }

    fn limit_report(&self, (planned, standing): (&Planned, &Standing)) -> Option<LimitReport> {
        Some(LimitReport {
            limit: planned.limit,
            quota: planned.quota,
            remaining: standing.remaining,
            reset: standing.reset_ns,
            ruling: standing.ruling,
            dry_run: self.limit_of(planned)?.dry_run,
        })
    }

    /// `failure_mode`.
    fn store_failed(&self) -> Result<(), Denial> {
        match self.policy.failure_mode {
            FailureMode::Allow => Ok(()),
            FailureMode::Deny => Err(Denial::for_now(Reason::StoreUnavailable, OWN_RETRY_AFTER)),
        }
    }
}

/// What the limits that are dry runs would have answered to a request that passes.
pub(super) fn would_deny(limits: &[LimitReport]) -> Option<Denial> {
    let mut refusing = limits.iter().map(|report| report.ruling).filter(|r| *r != Ruling::Pass);
    let first = refusing.next()?;
    Some(match first == Ruling::Never || refusing.any(|ruling| ruling == Ruling::Never) {
        true => Reason::CostExceedsBurst.into(),
        false => Reason::RateLimited.into(),
    })
}

impl RequestScope<'_> {
    /// What the request takes from the limits of its rule; the rows of its body are not in it.
    pub(super) fn plan(&self, cost: u64) -> Vec<Planned> {
        if self.rule.limits.is_empty() {
            return Vec::new();
        }
        let claims = self.principal.map(Principal::claims);
        let plan = |index: &usize| {
            let limit = self.gate.policy.limits.get(*index)?;
            Some(Planned::new((*index, limit), self.owner(Some(&limit.key)), claims, cost))
        };
        self.rule.limits.iter().filter_map(plan).collect()
    }

    /// Whose bucket or place a request takes: what the template says, by default the identity. The
    /// first byte keeps callers known by identity and callers known by address apart, whatever an
    /// issuer puts into its claims.
    fn owner(&self, template: Option<&Template>) -> String {
        let mut owner = String::from("i");
        let known = match template {
            Some(template) => template.render(self, &mut owner),
            None => self.principal.is_some_and(|principal| {
                owner.push_str(principal.identity());
                true
            }),
        };
        if !known {
            owner.clear();
            owner.push('a');
            owner.push_str(&(self.request.client_address)().unwrap_or_default());
        }
        owner
    }
}
