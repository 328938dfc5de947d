//! Grants: requirements on the claims of a caller, from `rules[].allow` and `when` of a tier.
//!
//! An absent or malformed claim never admits a caller. Names are compared byte by byte, without
//! patterns, prefixes or case folding.

mod claim_test;
mod names;

use std::sync::Arc;

use crate::reason::Reason;
use crate::verify::claims::Claims;
use names::{client, groups_left_out, names, scope_names};

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// The first unmet field.
    pub reason: Reason,
    /// The scopes that the entry requires.
    pub scope: Option<Arc<str>>,
}

/// Checks the entries of a rule but for their tests of the body; one entry that holds admits the caller.
///
/// # Errors
/// If no entry holds, the closest one is reported: the one with the fewest unmet fields, the first of
/// several. Its first unmet field in the order roles, scopes, groups, clients, claims is the
/// reason.
pub fn judge(entries: &[Grant], claims: &Claims) -> Result<(), Unmet> {
    let mut closest: Option<(usize, Unmet)> = None;
    for entry in entries {
        let mut unmet = entry.unmet(claims);
        let Some(reason) = unmet.next() else { return Ok(()) };
        let count = unmet.count();
        if closest.as_ref().is_none_or(|(least, _)| count < *least) {
            closest = Some((count, Unmet { reason, scope: entry.scope.clone() }));
        }
    }
    // An empty list admits no caller. The configuration rejects empty lists.
    let nobody = || Unmet { reason: Reason::ClaimInsufficient, scope: None };
    Err(closest.map_or_else(nobody, |(_, unmet)| unmet))
}

impl Grant {
    /// Whether all fields of the entry but `body` hold.
    pub fn holds(&self, claims: &Claims) -> bool {
        self.unmet(claims).next().is_none()
    }

    /// The fields that do not hold, in the order of the reasons.
    fn unmet<'a>(&'a self, claims: &'a Claims) -> impl Iterator<Item = Reason> + 'a {
        let roles = || self.roles.holds(|| names(claims.member("roles")));
        let scopes = || {
            self.scopes.holds(|| {
                let mut given = scope_names(claims.member("scp"));
                given.extend(scope_names(claims.member("scope")));
                given
            })
        };
        let groups = || match &self.groups_any {
            Some(wanted) => any(wanted, &names(claims.member("groups"))),
            None => true,
        };
        let groups_reason = match groups_left_out(claims) {
            true => Reason::GroupsOverage,
            false => Reason::ClaimInsufficient,
        };
        let clients = || match &self.clients {
            Some(wanted) => client(claims).is_some_and(|client| any(wanted, &[client])),
            None => true,
        };
        [
            (roles(), Reason::RoleInsufficient),
            (scopes(), Reason::ScopeInsufficient),
            (groups(), groups_reason),
            (clients(), Reason::ClientNotAllowed),
        ]
        .into_iter()
        .filter_map(|(holds, reason)| (!holds).then_some(reason))
        .chain(self.claims.iter().filter_map(|test| {
            (!test.test.holds(claims.get(&test.claim))).then_some(Reason::ClaimInsufficient)
        }))
    }
}

impl Demand {
    fn holds<'c>(&self, given: impl FnOnce() -> Vec<&'c str>) -> bool {
        if self.any.is_none() && self.all.is_none() {
            return true;
        }
        let given = given();
        self.any.as_ref().is_none_or(|wanted| any(wanted, &given))
            && self
                .all
                .as_ref()
                .is_none_or(|wanted| wanted.iter().all(|wanted| given.contains(&wanted.as_str())))
    }
}

fn any(wanted: &[String], given: &[&str]) -> bool {
    wanted.iter().any(|wanted| given.contains(&wanted.as_str()))
}

#[cfg(test)]
mod tests;
