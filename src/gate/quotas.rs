//! The stages that count: first a place in flight, then tokens.

use std::rc::Rc;
use std::time::Duration;

use super::dues::depends_on_body;
use super::facts::Facts;
use super::resources::{Gate, Request};
use super::scope::RequestScope;
use super::verdict::{Denial, LimitReport};
use crate::body::Check;
use crate::caller::principal::Caller;
use crate::few::Few;
use crate::limit::concurrency::Lease;
use crate::limit::owner::Owner;
use crate::limit::plan::Planned;
use crate::limit::{self, Answer, Counters, Mode, Ruling, Standing, TakeError};
use crate::policy::FailureMode;
use crate::reason::Reason;
use crate::store::StoreError;
use crate::time::Moment;

/// The `retry-after` for too many requests in flight: 1 s. It is unknown when one of them ends.
const CONCURRENCY_RETRY_AFTER: Duration = Duration::from_secs(1);

impl Gate<'_> {
    /// The tokens that a judged request takes from the limits of its rule by its headers, or with its whole body
    /// from all of them: for explanations.
    pub fn plan(&self, request: &Request<'_>, facts: &Facts, body: Option<&Check>) -> Few<Planned> {
        let Some(rule) = facts.rule.as_deref() else { return Few::default() };
        let principal = facts.caller.as_deref().map(Caller::principal);
        let scope = RequestScope { gate: self, request, rule, principal, body };
        scope.named_plan(facts.cost.unwrap_or(1))
    }

    /// Takes a place in flight if the rule limits them.
    pub(super) fn occupy(
        &self,
        scope: &RequestScope<'_>,
        counters: &mut Counters,
    ) -> Result<Option<Lease>, Denial> {
        let Some(most) = scope.rule.concurrency else { return Ok(None) };
        let owner = scope.owner(None);
        let answer = self.concurrency.and_then(|concurrency| {
            let mut concurrency = concurrency.borrow_mut();
            let whose = (scope.rule.name.as_str(), owner.as_deref());
            concurrency.acquire(self.store, scope.request.clock, whose, most, counters).ok()
        });
        match answer {
            Some(Some(lease)) => Ok(Some(lease)),
            Some(None) => Err(Denial::for_now(Reason::ConcurrencyLimited, CONCURRENCY_RETRY_AFTER)),
            None => self.store_failed().map(|()| None),
        }
    }

    /// Returns the place of a request that is refused after all.
    pub(super) fn vacate(
        &self,
        lease: Option<Lease>,
        clock: &dyn Fn() -> Moment,
        counters: &mut Counters,
    ) {
        if let (Some(lease), Some(concurrency)) = (lease, self.concurrency) {
            concurrency.borrow_mut().release(self.store, clock, lease, counters);
        }
    }

    /// Takes a token from the limit of the metadata documents. No dry run asks it: the upstream has no such
    /// document.
    pub(super) fn limit_metadata(
        &self,
        request: &Request<'_>,
        facts: &mut Facts,
    ) -> Result<(), Denial> {
        let limit = self.policy.responses.metadata_limit.as_ref();
        let Some(limit) = limit.filter(|_| !self.policy.dry_run) else { return Ok(()) };
        let owner = Owner::Address(self.client_address(request).unwrap_or_default());
        self.take(&mut [Planned::new(limit, owner, None, 1)], request.clock, facts)
    }

    /// Takes from every limit of the plan or from none. The reports are empty if the store failed.
    pub(super) fn take(
        &self,
        plan: &mut [Planned],
        clock: &dyn Fn() -> Moment,
        facts: &mut Facts,
    ) -> Result<(), Denial> {
        match plan.is_empty() {
            true => Ok(()),
            false => self.take_as(plan, 0, clock, facts),
        }
    }

    /// [`Gate::take`]; the first `begun` limits have given one token before the cost was known, and give the
    /// cost beyond it.
    fn take_as(
        &self,
        plan: &mut [Planned],
        begun: usize,
        clock: &dyn Fn() -> Moment,
        facts: &mut Facts,
    ) -> Result<(), Denial> {
        let answer = self.take_all(plan, begun, clock, &mut facts.store);
        let standings = match &answer {
            Ok(
                Answer::Allowed(standings)
                | Answer::Denied { standings, .. }
                | Answer::Never { standings, .. },
            ) => standings,
            Err(_) => &[][..],
        };
        let allowed = matches!(answer, Ok(Answer::Allowed(_)));
        // Where the store fails, nothing was taken, whatever the headers asked before.
        for (index, planned) in plan.iter_mut().enumerate() {
            let passes = |standing: &Standing| standing.ruling == Ruling::Pass;
            planned.was_taken(allowed && standings.get(index).is_some_and(passes));
        }
        let mut planned = plan.iter();
        facts.limits = match standings {
            [standing] => planned.next().map(|planned| report(planned, standing)).into(),
            _ => {
                Few::Many(planned.zip(standings).map(|(p, standing)| report(p, standing)).collect())
            }
        };
        match answer {
            Ok(Answer::Allowed(_)) => Ok(()),
            Ok(Answer::Denied { retry_after, .. }) => {
                Err(Denial::for_now(Reason::RateLimited, retry_after))
            }
            Ok(Answer::Never { .. }) => Err(Reason::CostExceedsBurst.into()),
            Err(_) => self.store_failed(),
        }
    }

    fn take_all<'p>(
        &self,
        plan: &'p [Planned],
        begun: usize,
        clock: &dyn Fn() -> Moment,
        counters: &mut Counters,
    ) -> Result<Answer, TakeError> {
        let request = |(index, planned): (usize, &'p Planned)| {
            let mut request = planned.request();
            if index < begun && request.mode == Mode::Take && planned.reserved.is_none() {
                request.mode = Mode::Rest;
            }
            request
        };
        let requests = plan.iter().enumerate().map(request);
        match self.table {
            Some(table) => limit::take_each(table, self.store, clock, requests, counters),
            None => Err(TakeError::Store(StoreError::Damaged)),
        }
    }

    /// `failure_mode`.
    fn store_failed(&self) -> Result<(), Denial> {
        match self.policy.failure_mode {
            FailureMode::Allow => Ok(()),
            FailureMode::Deny => Err(Reason::StoreUnavailable.into()),
        }
    }
}

fn report(planned: &Planned, standing: &Standing) -> LimitReport {
    LimitReport {
        limit: Rc::clone(&planned.limit),
        quota: planned.quota,
        remaining: standing.remaining,
        reset: standing.reset,
        ruling: standing.ruling,
    }
}

/// Leaves the limits to charge when the response to a request with this plan ends.
pub(super) fn keep_charges(plan: &mut Few<Planned>) {
    let charged = |planned: &Planned| planned.limit.response_cost.is_some();
    if plan.iter().all(charged) {
        return;
    }
    let mut left = Vec::new();
    if plan.iter().any(charged) {
        left = Vec::from(std::mem::take(plan));
        left.retain(charged);
    }
    *plan = Few::Many(left);
}

/// The denial of the limits with `dry_run` for a request that passes.
pub(super) fn would_deny(limits: &[LimitReport]) -> Option<Denial> {
    let mut refusing = limits.iter().map(|report| report.ruling).filter(|r| *r != Ruling::Pass);
    let first = refusing.next()?;
    Some(match first == Ruling::Never || refusing.any(|ruling| ruling == Ruling::Never) {
        true => Reason::CostExceedsBurst.into(),
        false => Reason::RateLimited.into(),
    })
}

impl RequestScope<'_> {
    /// Takes what was unknown before the body was read, from every limit or from none: the cost of its `rows`
    /// or of its model beyond the token that the headers took, reservations, and the cost from limits that
    /// waited for it.
    pub(super) fn take_rest(
        &self,
        rows: u64,
        plan: &mut Few<Planned>,
        facts: &mut Facts,
    ) -> Result<(), Denial> {
        let rows = self.rule.cost.of_rows(rows);
        facts.cost = rows.or(facts.cost);
        let cost = facts.cost.unwrap_or(1);
        // What the headers gave stays. Without a report the store has failed.
        let (mut open, mut asked, mut settled) = (Vec::new(), Vec::new(), Vec::<Planned>::new());
        let mut reports = Vec::from(std::mem::take(&mut facts.limits)).into_iter();
        let mut kept = Vec::new();
        for mut planned in Vec::from(std::mem::take(plan)) {
            let report = reports.next();
            if rows.is_some() {
                planned.cost = cost;
            }
            self.add_dues(&mut planned, cost);
            if rows.is_some() || depends_on_body(&planned.limit) {
                open.push(planned);
                asked.push(report.map(|report| report.ruling));
            } else {
                settled.push(planned);
                kept.extend(report);
            }
        }
        let begun = open.len();
        open.append(&mut self.plan(cost).into());
        let outcome = match open.is_empty() {
            true => Ok(()),
            false => self.gate.take_as(&mut open, begun, self.request.clock, facts),
        };
        // A limit with `dry_run` that would have refused the headers would have refused the request.
        for (report, before) in facts.limits.iter_mut().zip(asked) {
            if report.ruling == Ruling::Pass {
                report.ruling = before.unwrap_or(Ruling::Pass);
            }
        }
        kept.append(&mut std::mem::take(&mut facts.limits).into());
        facts.limits = Few::Many(kept);
        settled.append(&mut open);
        *plan = Few::Many(settled);
        outcome
    }
}
