//! Grants: requirements on the claims of a caller, from `rules[].allow` and `when` of a tier.
//!
//! An absent or malformed claim never admits a caller. Names are compared byte by byte, without
//! patterns, prefixes or case folding.

mod claim_test;
mod given;
mod names;

use std::sync::Arc;

use crate::reason::Reason;
use crate::verify::claims::Claims;
use given::{Given, NameSet};

pub(crate) use claim_test::same;
pub use claim_test::{BodyTest, ClaimTest, Test};

/// One entry. All of its fields must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grant {
    /// Application roles: the claim `roles`.
    pub roles: Demand,
    /// Scopes: the claims `scp` and `scope` together.
    pub scopes: Demand,
    /// Any of these must be in the claim `groups`.
    pub groups_any: Option<Vec<String>>,
    /// Any of these must be the client: `azp`, else `appid`, else `client_id`.
    pub clients: Option<Vec<String>>,
    /// Any of these must act for the subject: `act.sub`, else the agent of an Entra agent token.
    pub actors_any: Option<Vec<String>>,
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
    pub any: Option<Vec<String>>,
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

/// Checks the entries of a rule but for their tests of the body; one entry that holds admits the caller.
///
/// # Errors
/// If no entry holds, the closest one is reported: the one with the fewest unmet fields, the first of
/// several. Its first unmet field in the order roles, scopes, groups, clients, actors, claims
/// is the reason.
pub fn judge(entries: &[Grant], claims: &Claims) -> Result<(), Unmet> {
    let given = Given::of(claims);
    let mut closest: Option<(usize, Unmet)> = None;
    for (position, entry) in entries.iter().enumerate() {
        let mut unmet = entry.unmet(&given);
        let Some(reason) = unmet.next() else { return Ok(()) };
        let count = unmet.count();
        if closest.as_ref().is_none_or(|(least, _)| count < *least) {
            closest = Some((count, Unmet { entry: position, reason }));
        }
    }
    // An empty list admits no caller. The configuration rejects empty lists.
    let nobody = Unmet { entry: 0, reason: Reason::ClaimInsufficient };
    Err(closest.map_or(nobody, |(_, unmet)| unmet))
}

/// The position of the first entry that holds.
pub fn first_held<'g>(
    mut entries: impl Iterator<Item = &'g Grant>,
    claims: &Claims,
) -> Option<usize> {
    let given = Given::of(claims);
    entries.position(|entry| entry.unmet(&given).next().is_none())
}

impl Grant {
    /// Whether all fields of the entry but `body` hold.
    pub fn holds(&self, claims: &Claims) -> bool {
        self.unmet(&Given::of(claims)).next().is_none()
    }

    /// The fields that do not hold, in the order of the reasons.
    fn unmet<'a>(&'a self, given: &'a Given<'_>) -> impl Iterator<Item = Reason> + 'a {
        let groups = || match &self.groups_any {
            Some(wanted) => any(wanted, given.groups()),
            None => true,
        };
        [
            (!self.roles.holds(|| given.roles())).then_some(Reason::RoleInsufficient),
            (!self.scopes.holds(|| given.scopes())).then_some(Reason::ScopeInsufficient),
            (!groups()).then(|| match given.groups_left_out() {
                true => Reason::GroupsOverage,
                false => Reason::ClaimInsufficient,
            }),
            (!is_one_of(self.clients.as_deref(), || given.client()))
                .then_some(Reason::ClientNotAllowed),
            (!is_one_of(self.actors_any.as_deref(), || given.actor()))
                .then_some(Reason::ClaimInsufficient),
        ]
        .into_iter()
        .flatten()
        .chain(self.claims.iter().filter_map(|test| {
            (!test.test.holds(given.claim(&test.claim))).then_some(Reason::ClaimInsufficient)
        }))
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
fn is_one_of<'c>(wanted: Option<&[String]>, name: impl FnOnce() -> Option<&'c str>) -> bool {
    wanted.is_none_or(|wanted| name().is_some_and(|name| wanted.iter().any(|w| w == name)))
}

fn any(wanted: &[String], given: &NameSet<'_>) -> bool {
    wanted.iter().any(|wanted| given.has(wanted))
}

#[cfg(test)]
mod tests;
