//! Grants: requirements on the claims of a caller, from `rules[].allow` and `when` of a tier.
//!
//! An absent or malformed claim never admits a caller. Names are compared byte by byte, without
//! patterns, prefixes or case folding.

mod claim_test;
pub mod entries;
mod finder;
mod given;
mod names;

use std::sync::Arc;

use crate::lookup::Texts;
use crate::reason::Reason;
use crate::verify::claims::Claims;
use given::{Given, NameSet};

pub(crate) use claim_test::same;
pub use claim_test::{BodyTest, ClaimTest, Test, Values};

/// One entry. All of its fields must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grant {
    /// Application roles: the claim `roles`.
    pub roles: Demand,
    /// Scopes: the claims `scp` and `scope` together.
    pub scopes: Demand,
    /// Any of these must be in the claim `groups`.
    pub groups_any: Option<Texts>,
    /// Any of these must be the client: `azp`, else `appid`, else `client_id`.
    pub clients: Option<Texts>,
    /// Any of these must act for the subject: `act.sub`, else the agent of an Entra agent token.
    pub actors_any: Option<Texts>,
    /// Tests of single claims.
    pub claims: Vec<ClaimTest>,
    /// Tests of single values in the body. They are judged apart, because the body comes later.
    pub body: Vec<BodyTest>,
    /// The required scopes for the `scope` attribute of a challenge (RFC 6750 §3).
    pub scope: Option<Arc<str>>,
}

/// A requirement on a set of names; an absent part requires nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// At least one of these.
    pub any: Option<Texts>,
    /// Each of these.
    pub all: Option<Vec<String>>,
}

/// Why no entry admits the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// The position of the closest entry.
    pub entry: usize,
    /// Its first unmet field.
    pub reason: Reason,
}

impl Grant {
    /// Whether all fields of the entry but `body` hold.
    pub fn holds(&self, claims: &Claims) -> bool {
        self.unmet(&Given::of(claims)).is_none()
    }

    /// The first field that does not hold, in the order of the reasons, and how many follow.
    #[inline(never)] // The copies would take 70 KiB.
    fn unmet(&self, given: &Given<'_>) -> Option<(Reason, usize)> {
        let mut unmet: Option<(Reason, usize)> = None;
        let mut note = |holds: bool, reason: Reason| match &mut unmet {
            _ if holds => {}
            Some((_, more)) => *more = more.saturating_add(1),
            None => unmet = Some((reason, 0)),
        };
        note(self.roles.holds(|| given.roles()), Reason::RoleInsufficient);
        note(self.scopes.holds(|| given.scopes()), Reason::ScopeInsufficient);
        let groups = self.groups_any.as_ref().is_none_or(|wanted| any(wanted, given.groups()));
        let left_out = !groups && given.groups_left_out();
        note(groups, if left_out { Reason::GroupsOverage } else { Reason::ClaimInsufficient });
        let client = is_one_of(self.clients.as_ref(), || *given.client());
        note(client, Reason::ClientNotAllowed);
        let actor = is_one_of(self.actors_any.as_ref(), || *given.actor());
        note(actor, Reason::ClaimInsufficient);
        for test in &self.claims {
            note(test.test.holds(given.claim(&test.claim)), Reason::ClaimInsufficient);
        }
        unmet
    }
}

impl Demand {
    fn holds<'g, 'c: 'g>(&self, given: impl FnOnce() -> &'g NameSet<'c>) -> bool {
        if self.any.is_none() && self.all.is_none() {
            return true;
        }
        let given = given();
        self.any.as_ref().is_none_or(|wanted| any(wanted, given))
            && self.all.as_ref().is_none_or(|wanted| wanted.iter().all(|wanted| given.has(wanted)))
    }
}

/// Whether the name is one of the wanted names, if any are wanted.
fn is_one_of<'c>(wanted: Option<&Texts>, name: impl FnOnce() -> Option<&'c str>) -> bool {
    wanted.is_none_or(|wanted| name().is_some_and(|name| wanted.has(name)))
}

/// Whether two sets have a name in common. The shorter one is walked.
fn any(wanted: &Texts, given: &NameSet<'_>) -> bool {
    match wanted.len() > given.all().len() {
        true => given.all().iter().any(|name| wanted.has(name)),
        false => wanted.iter().any(|wanted| given.has(wanted)),
    }
}

#[cfg(test)]
mod tests;
