//! What a caller must be granted: entries of `rules[].allow`, and `when` of a tier.

use super::read;
use crate::config::report::{At, Report};
use crate::config::schema::{RawClaimTest, RawGrant};

/// Judges one entry. An empty one would admit everybody, which `allow` says by being absent.
pub(super) fn grant(raw: &RawGrant, at: &At, report: &mut Report) {
    let lists = [
        ("roles_any", &raw.roles_any),
        ("roles_all", &raw.roles_all),
        ("scopes_any", &raw.scopes_any),
        ("scopes_all", &raw.scopes_all),
        ("groups_any", &raw.groups_any),
        ("clients", &raw.clients),
    ];
    if raw.claims.is_none() && lists.iter().all(|(_, list)| list.is_none()) {
        report.problem(
            at,
            "is empty and would hold for everybody; allowed: roles_any, roles_all, scopes_any, \
             scopes_all, groups_any, clients, claims",
        );
    }
    for (name, list) in lists {
        let Some(list) = list else { continue };
        let at = at.field(name);
        read::texts(list, &at, report);
        if name.starts_with("scopes") {
            for (index, _) in list.iter().enumerate().filter(|(_, s)| s.contains(' ')) {
                report.problem(&at.index(index), "holds a space, which separates scopes");
            }
        }
    }
    let Some(claims) = &raw.claims else { return };
    let at = at.field("claims");
    if claims.is_empty() {
        read::texts(&[], &at, report);
    }
    for (index, test) in claims.iter().enumerate() {
        claim_test(test, &at.index(index), report);
    }
}

/// Judges one entry of `claims`: a claim and exactly one test.
fn claim_test(raw: &RawClaimTest, at: &At, report: &mut Report) {
    read::claim(raw.claim.as_ref(), &at.field("claim"), report);
    let given = [raw.any_of.is_some(), raw.equals.is_some(), raw.exists.is_some()];
    if given.into_iter().filter(|given| *given).count() != 1 {
        report.problem(at, "has not exactly one test; allowed: one of any_of, equals, exists");
    }
    if raw.any_of.as_ref().is_some_and(Vec::is_empty) {
        read::texts(&[], &at.field("any_of"), report);
    }
}
