//! The results of the gate: a decision, or a request whose body decides.

use std::rc::Rc;

use super::facts::Facts;
use super::quotas;
use super::resources::{Gate, Request};
use super::scope::RequestScope;
use super::verdict::Verdict;
use crate::body::{Check, Edit, Guard, IncludeUsage, Refusal};
use crate::caller::principal::Caller;
use crate::few::Few;
use crate::limit::concurrency::Lease;
use crate::limit::plan::{Limit, Planned};
use crate::policy::Policy;
use crate::reason::Reason;
use crate::template::Template;

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
    pub charges: Few<Planned>,
    /// The place in flight that a request holds until its stream ends.
    pub lease: Option<Lease>,
    /// The change of its body before it passes.
    pub edit: Option<Edit>,
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
    pub(super) plan: Few<Planned>,
}

impl Default for Judged {
    /// A request that no stage has seen.
    fn default() -> Self {
        Self::Decided(Verdict::Allow(Reason::Anonymous).into())
    }
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
    /// What follows from a decision so far.
    pub(super) fn of(decision: &mut Decision, guard: Rc<Guard>) -> Self {
        let Decision { facts, charges, lease, .. } = decision;
        let (facts, plan) = (std::mem::take(facts), std::mem::take(charges));
        Self { facts, lease: lease.take(), guard, plan }
    }

    /// Whether the body may change before it passes.
    pub fn may_change(&self, policy: &Policy) -> bool {
        self.guard.include_usage == IncludeUsage::Add && !self.facts.is_dry(policy)
    }

    /// The verdict for a body that is admitted and costs nothing more.
    pub fn verdict_if_admitted(&self) -> Verdict {
        passed(&self.facts)
    }

    /// Decides the request by its body, as far as it was `read`, and by the number of rows in it or the reason
    /// why it is refused. Takes what the headers could not: the cost of the rows beyond one token, and the cost
    /// from limits whose key is in the body. `request` is that of [`Gate::judge`].
    pub fn conclude(
        self,
        gate: &Gate<'_>,
        request: &Request<'_>,
        read: &Check,
        body: Result<u64, Refusal>,
    ) -> Decision {
        let Self { mut facts, lease, mut plan, guard } = self;
        facts.refusal = body.err();
        let (rule, caller) = (facts.rule.clone(), facts.caller.clone());
        let principal = caller.as_deref().map(Caller::principal);
        let scope = rule.as_deref().map(|rule| {
            let body = Some(read);
            RequestScope { gate, request, rule, principal, body }
        });
        let outcome = match (body, &scope) {
            (Err(refusal), _) => Err(refusal.reason().into()),
            (Ok(_), None) => Err(Reason::NoRule.into()),
            (Ok(rows), Some(scope)) => {
                let admitted = scope.admit_body();
                admitted.and_then(|()| scope.take_rest(rows, &mut plan, &mut facts))
            }
        };
        let mut decision = Decision { facts, lease, ..Verdict::Allow(Reason::Anonymous).into() };
        match outcome {
            Ok(()) => {
                decision.charges = plan;
                decision.pass();
                // A dry run changes nothing that a client could notice.
                decision.edit = read.edit(&guard).filter(|_| !decision.facts.is_dry(gate.policy));
            }
            Err(denial) => {
                decision.verdict = gate.refusal(denial, &decision.facts);
            }
        }
        if guard.pointers.captures()
            && principal.is_some()
            && decision.shows_body(body)
            && let Some(scope) = scope
        {
            decision.facts.own_tags.extend(scope.tags_where(Template::reads_body));
        }
        decision
    }
}

impl Decision {
    /// Lets a request with these findings pass. Of the limits it took from, those stay that charge its response.
    pub(super) fn pass(&mut self) {
        self.verdict = passed(&self.facts);
        quotas::keep_charges(&mut self.charges);
    }

    /// Whether the tags may have values of the body. What is written for the upstream must be certain, so that the
    /// body was read to its end; a log may have what was read of a body that does not pass.
    fn shows_body(&self, body: Result<u64, Refusal>) -> bool {
        match body {
            Ok(_) | Err(Refusal::Rows(_) | Refusal::Lacking) => true,
            Err(Refusal::Malformed(_)) => false,
            Err(_) => matches!(self.verdict, Verdict::Deny(_)),
        }
    }

    /// The limit that refused the request, or would have.
    pub fn limited_by(&self) -> Option<&Limit> {
        let report = self.facts.limited_by(self.verdict.denial()?.reason)?;
        Some(&report.limit)
    }
}

impl From<Verdict> for Decision {
    /// A verdict without findings.
    fn from(verdict: Verdict) -> Self {
        Self {
            verdict,
            facts: Facts::default(),
            denied_tags: Vec::new(),
            charges: Few::default(),
            lease: None,
            edit: None,
        }
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
