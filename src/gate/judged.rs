//! The results of the gate: a decision, or a request whose body decides.

use std::rc::Rc;

use super::facts::Facts;
use super::quotas::{self, Taken};
use super::resources::Gate;
use super::verdict::{Denial, LimitReport, Verdict};
use crate::body::{Guard, Refusal};
use crate::limit::Ruling;
use crate::limit::concurrency::Lease;
use crate::limit::plan::{Limit, Planned};
use crate::reason::Reason;
use crate::time::Moment;

/// The result of [`Gate::judge`].
#[derive(Debug)]
pub enum Judged {
    /// The request is decided.
    Decided(Decision),
    /// The headers are admitted, and the body decides.
    Body(Pending),
}

/// The decision on a request, with everything that the shell needs to carry it out.
#[derive(Debug)]
pub struct Decision {
    /// The verdict.
    pub verdict: Verdict,
    /// The findings behind it.
    pub facts: Facts,
    /// The tags of the caller that a refused token names, for filter state only: index into
    /// `Policy::tags`, and the safe value. Empty if the request passes.
    pub denied_tags: Vec<(usize, String)>,
    /// The limits to charge when the response ends. Empty if the request is refused.
    pub charges: Vec<Planned>,
    /// The place in flight that a request holds until its stream ends.
    pub lease: Option<Lease>,
}

/// A request whose headers are admitted and have taken their cost from the limits. Nothing of its body may
/// pass before [`Pending::conclude`].
#[derive(Debug)]
pub struct Pending {
    /// The findings so far.
    pub facts: Facts,
    /// The place in flight that the request holds until its stream ends.
    pub lease: Option<Lease>,
    /// The requirements on the body.
    pub guard: Rc<Guard>,
    /// The tokens that the headers took from each limit of the rule.
    pub(super) plan: Vec<Planned>,
}

impl Judged {
    /// The findings so far.
    pub fn facts(&self) -> &Facts {
        match self {
            Self::Decided(Decision { facts, .. }) | Self::Body(Pending { facts, .. }) => facts,
        }
    }
}

impl Pending {
    /// The verdict for a body that is admitted and costs nothing more.
    pub fn verdict_if_admitted(&self) -> Verdict {
        passed(&self.facts)
    }

    /// Decides the request by the number of rows in its body, or by the reason why the body is refused.
    /// Takes the cost of the rows beyond the token that the headers took.
    pub fn conclude(
        self,
        gate: &Gate<'_>,
        body: Result<u64, Refusal>,
        clock: &dyn Fn() -> Moment,
    ) -> Decision {
        let Self { mut facts, lease, mut plan, guard: _ } = self;
        let outcome = match (body, facts.rule.as_ref()) {
            (Err(refusal), _) => {
                facts.refusal = Some(refusal);
                Err(refusal.reason().into())
            }
            (Ok(_), None) => Err(Reason::NoRule.into()),
            (Ok(rows), Some(rule)) => match rule.cost.of_rows(rows) {
                None => Ok(()),
                Some(cost) => {
                    facts.cost = Some(cost);
                    plan.iter_mut().for_each(|planned| planned.cost = cost);
                    let before = std::mem::take(&mut facts.limits);
                    let Taken { reports, outcome } =
                        gate.take_rest(&plan, before, clock, &mut facts.store);
                    facts.limits = reports;
                    outcome
                }
            },
        };
        match outcome {
            Ok(()) => Decision::passed(facts, plan, lease),
            Err(denial) => {
                let verdict = gate.refusal(denial, &facts);
                Decision { lease, ..Decision::new(verdict, facts) }
            }
        }
    }
}

impl Decision {
    /// A verdict with these findings.
    pub(super) fn new(verdict: Verdict, facts: Facts) -> Self {
        Self { verdict, facts, denied_tags: Vec::new(), charges: Vec::new(), lease: None }
    }

    /// A request that passes.
    pub(super) fn passed(facts: Facts, plan: Vec<Planned>, lease: Option<Lease>) -> Self {
        Self { charges: quotas::charges(plan), lease, ..Self::new(passed(&facts), facts) }
    }

    /// The limit that refused the request, or would have: the first of the rule that did. `None` for
    /// `concurrency_limited`, which is the rule's own.
    pub fn limited_by(&self) -> Option<&Limit> {
        let ruling = match self.verdict.denial()?.reason {
            Reason::RateLimited => Ruling::NotYet,
            Reason::CostExceedsBurst => Ruling::Never,
            _ => return None,
        };
        let refused = |report: &&LimitReport| report.ruling == ruling;
        let mut refusing = self.facts.limits.iter().filter(refused);
        // A limit with `dry_run` refuses no request; it counts only if no other would have refused.
        let first = refusing.clone().next()?;
        Some(&refusing.find(|report| !report.limit.dry_run).unwrap_or(first).limit)
    }
}

impl From<Denial> for Decision {
    /// A refusal without findings.
    fn from(denial: Denial) -> Self {
        Self::new(Verdict::Deny(denial), Facts::default())
    }
}

/// The verdict on a request that passes: a limit with `dry_run` can report a refusal.
fn passed(facts: &Facts) -> Verdict {
    match quotas::would_deny(&facts.limits) {
        Some(denial) => Verdict::WouldDeny(denial),
        None if facts.caller.is_some() => Verdict::Allow(Reason::Ok),
        None => Verdict::Allow(Reason::Anonymous),
    }
}
