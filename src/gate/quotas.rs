//! The part of a judgement that counts: places in flight, then tokens.

use super::{Gate, RequestScope};
use crate::concurrency::Lease;
use crate::limit::store::StoreError;
use crate::limit::{self, Answer, Counters, Ruling, Standing, TakeError};
use crate::policy::FailureMode;
use crate::principal::Principal;
use crate::quota_plan::{self, Planned};
use crate::reason::Reason;
use crate::template::Template;
use crate::verdict::{Denial, Judgement, LimitReport};

/// When a caller may come back after the store could not answer: 1 s, in nanoseconds.
const STORE_RETRY_AFTER: u64 = 1_000_000_000;

/// When a caller may come back that has too many requests in flight: 1 s, in nanoseconds. Nobody
/// knows when one of them ends.
const CONCURRENCY_RETRY_AFTER: u64 = 1_000_000_000;

impl Gate<'_> {
    /// A place in flight first, then the tokens: a place is given back without a trace.
    pub(super) fn limit(
        &self,
        scope: &RequestScope<'_>,
        found: &mut Judgement,
    ) -> Result<(), Denial> {
        let lease = self.occupy(scope, &mut found.store)?;
        let taken = self.take(scope, found);
        match (taken, lease) {
            (Ok(()), lease) => {
                found.lease = lease;
                Ok(())
            }
            (Err(denial), None) => Err(denial),
            (Err(denial), Some(lease)) => {
                if let Some(concurrency) = self.concurrency {
                    let mut concurrency = concurrency.borrow_mut();
                    concurrency.release(self.store, scope.request.clock, lease, &mut found.store);
                }
                Err(denial)
            }
        }
    }

    fn occupy(
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

    fn take(&self, scope: &RequestScope<'_>, found: &mut Judgement) -> Result<(), Denial> {
        if scope.rule.limits.is_empty() {
            return Ok(());
        }
        let claims = scope.principal.map(Principal::claims);
        let cost = quota_plan::cost(&scope.rule.cost, scope.request.headers);
        let plan: Vec<Planned<'_>> = scope
            .rule
            .limits
            .iter()
            .filter_map(|index| Some((*index, self.policy.limits.get(*index)?)))
            .map(|(index, limit)| {
                Planned::new((index, limit), scope.owner(Some(&limit.key)), claims, cost)
            })
            .collect();
        let answer = self.take_all(scope, &plan, &mut found.store);
        let standings = match &answer {
            Ok(
                Answer::Allowed(standings)
                | Answer::Denied { standings, .. }
                | Answer::Never { standings, .. },
            ) => standings.as_slice(),
            Err(_) => &[],
        };
        found.limits = plan.iter().zip(standings).map(report).collect();
        match answer {
            Ok(Answer::Allowed(_)) => {
                found.charges = plan.into_iter().filter_map(Planned::response_charge).collect();
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
        scope: &RequestScope<'_>,
        plan: &[Planned<'_>],
        counters: &mut Counters,
    ) -> Result<Answer, TakeError> {
        let takes: Vec<limit::Request<'_>> = plan.iter().map(Planned::request).collect();
        match self.table {
            Some(table) => {
                limit::take_all(table, self.store, scope.request.clock, &takes, counters)
            }
            None => Err(TakeError::Store(StoreError::Damaged)),
        }
    }

    /// `failure_mode`.
    fn store_failed(&self) -> Result<(), Denial> {
        match self.policy.failure_mode {
            FailureMode::Allow => Ok(()),
            FailureMode::Deny => Err(Denial::for_now(Reason::StoreUnavailable, STORE_RETRY_AFTER)),
        }
    }
}

fn report((planned, standing): (&Planned<'_>, &Standing)) -> LimitReport {
    LimitReport {
        limit: planned.index,
        quota: planned.quota,
        remaining: standing.remaining,
        reset: standing.reset_ns,
        ruling: standing.ruling,
        dry_run: planned.limit.dry_run,
    }
}

/// What the limits that are dry runs would have answered to a request that passes.
pub(super) fn would_deny(limits: &[LimitReport]) -> Option<Denial> {
    let refusing = limits.iter().filter(|report| report.ruling != Ruling::Pass);
    refusing.map(|report| report.ruling).max_by_key(|ruling| *ruling == Ruling::Never).map(
        |ruling| match ruling {
            Ruling::Never => Reason::CostExceedsBurst.into(),
            Ruling::Pass | Ruling::NotYet => Reason::RateLimited.into(),
        },
    )
}

impl RequestScope<'_> {
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
