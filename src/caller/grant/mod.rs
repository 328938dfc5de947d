//! Grants: requirements on the claims of a caller, from `rules[].allow` and `when` of a tier.
//!
//! An absent or malformed claim never admits a caller. Names are compared byte by byte, without
//! patterns, prefixes or case folding.

use std::sync::Arc;

use serde_json::Value;

use crate::reason::Reason;
use crate::template::ClaimRef;
use crate::verify::claims::Claims;

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

/// A test of one claim.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimTest {
    /// The location of the claim.
    pub claim: ClaimRef,
    /// The required value.
    pub test: Test,
}

/// A requirement on a claim. Values are strings, numbers or booleans, and their JSON types must be
/// equal: `1` and `"1"` differ, `1` and `1.0` do not.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Exactly this value.
    Equals(Value),
    /// One of these values, or an array that contains one of them.
    AnyOf(Vec<Value>),
    /// An array with this item.
    Contains(Value),
    /// Present and not `null` (`true`), or absent (`false`).
    Exists(bool),
}

/// Why no entry admits the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// The first unmet field.
    pub reason: Reason,
    /// The scopes that the entry requires.
    pub scope: Option<Arc<str>>,
}

/// Checks the entries of a rule; one entry that holds admits the caller.
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
    /// Whether all fields of the entry hold.
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

impl Test {
    fn holds(&self, given: Option<&Value>) -> bool {
        match (self, given) {
            (Self::Exists(wanted), given) => given.is_some_and(|v| !v.is_null()) == *wanted,
            (_, None) => false,
            (Self::Equals(wanted), Some(given)) => same(wanted, given),
            (Self::AnyOf(wanted), Some(given)) => wanted.iter().any(|wanted| match given {
                Value::Array(items) => items.iter().any(|item| same(wanted, item)),
                given => same(wanted, given),
            }),
            (Self::Contains(wanted), Some(given)) => {
                given.as_array().is_some_and(|items| items.iter().any(|item| same(wanted, item)))
            }
        }
    }
}

/// Whether two scalars are the same value of the same JSON type.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        // All numbers of a document that passed through a protobuf `Struct` are doubles, so that `1` may
        // become `1.0`. A double above 2^53 is not exact, so there only equal spellings are equal.
        (Value::Number(a), Value::Number(b)) if a.is_f64() != b.is_f64() => {
            const EXACT: f64 = 9_007_199_254_740_992.0;
            match (a.as_f64(), b.as_f64()) {
                (Some(a), Some(b)) => a.abs() <= EXACT && a == b,
                _ => false,
            }
        }
        (Value::String(_) | Value::Number(_) | Value::Bool(_), _) => a == b,
        _ => false,
    }
}

fn any(wanted: &[String], given: &[&str]) -> bool {
    wanted.iter().any(|wanted| given.contains(&wanted.as_str()))
}

/// The names in a claim: a string is one name, an array of strings is a list of names. Any other value,
/// including an array with other items, has no names.
fn names(claim: Option<&Value>) -> Vec<&str> {
    match claim {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(items)) => {
            items.iter().map(Value::as_str).collect::<Option<_>>().unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

/// The names in `scp` or `scope`, which separate names by spaces (RFC 8693 §4.2). No other claim
/// does: `Not Admins` is one group.
fn scope_names(claim: Option<&Value>) -> Vec<&str> {
    match claim {
        Some(Value::String(text)) => text.split(' ').filter(|word| !word.is_empty()).collect(),
        claim => names(claim),
    }
}

/// The client application: `azp` (OpenID Connect Core §2, Entra v2), `appid` (Entra v1),
/// `client_id` (RFC 9068 §2.2). The first one that is present decides, even if it is malformed.
fn client(claims: &Claims) -> Option<&str> {
    ["azp", "appid", "client_id"].iter().find_map(|name| claims.member(name))?.as_str()
}

/// Whether the token states that its groups were omitted (Entra "groups overage claim").
fn groups_left_out(claims: &Claims) -> bool {
    let named = claims.member("_claim_names").is_some_and(|names| names.get("groups").is_some());
    let has = claims.member("hasgroups").is_some_and(|has| {
        has.as_bool() == Some(true) || has.as_str().is_some_and(|t| t.eq_ignore_ascii_case("true"))
    });
    named || has
}

#[cfg(test)]
mod tests;
