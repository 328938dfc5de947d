//! Grants: the entries of `rules[].allow`, and `when` of a tier.

use super::read;
use crate::caller::grant::{ClaimTest, Demand, Grant, Test};
use crate::config::report::{At, Report, quoted};
use crate::config::schema::{RawClaimTest, RawGrant, Scalar};

/// Compiles one entry. An empty entry is refused because it would admit every caller, which is the
/// meaning of an absent `allow`.
pub(super) fn grant(raw: &RawGrant, at: &At, report: &mut Report) -> Grant {
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
            "is empty and would apply to every caller; allowed: roles_any, roles_all, scopes_any, \
             scopes_all, groups_any, clients, claims",
        );
    }
    for (name, list) in lists {
        let Some(list) = list else { continue };
        let at = at.field(name);
        read::texts(list, &at, report);
        if name.starts_with("scopes") {
            scopes(list, &at, report);
        }
    }
    let claims = claims(raw.claims.as_deref(), &at.field("claims"), report);
    let scopes = Demand { any: raw.scopes_any.clone(), all: raw.scopes_all.clone() };
    let asked: Vec<&str> =
        scopes.all.iter().chain(&scopes.any).flatten().map(String::as_str).collect();
    Grant {
        roles: Demand { any: raw.roles_any.clone(), all: raw.roles_all.clone() },
        scope: (!asked.is_empty()).then(|| asked.join(" ").into()),
        scopes,
        groups_any: raw.groups_any.clone(),
        clients: raw.clients.clone(),
        claims,
    }
}

/// Notes texts that are not scopes (RFC 6749 §3.3: printable ASCII without space, quote, backslash).
pub(super) fn scopes(list: &[String], at: &At, report: &mut Report) {
    for (index, scope) in list.iter().enumerate() {
        if scope.contains(' ') {
            report.problem(
                &at.index(index),
                "contains a space, which separates scopes; write each as an entry",
            );
        } else if !scope.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\')) {
            report.problem(&at.index(index), format_args!("{} is not a scope", quoted(scope)));
        }
    }
}

fn claims(raw: Option<&[RawClaimTest]>, at: &At, report: &mut Report) -> Vec<ClaimTest> {
    let Some(raw) = raw else { return Vec::new() };
    if raw.is_empty() {
        read::texts(&[], at, report);
    }
    read::all(raw, at, report, claim_test).unwrap_or_default()
}

/// Compiles one entry of `claims`: a claim and exactly one test.
fn claim_test(raw: &RawClaimTest, at: &At, report: &mut Report) -> Option<ClaimTest> {
    let claim = read::claim(raw.claim.as_deref(), &at.field("claim"), report);
    let value = |scalar: &Scalar| scalar.0.clone();
    let given = [
        raw.equals.as_ref().map(|wanted| Test::Equals(value(wanted))),
        raw.any_of.as_ref().map(|wanted| Test::AnyOf(wanted.iter().map(value).collect())),
        raw.contains.as_ref().map(|wanted| Test::Contains(value(wanted))),
        raw.exists.map(Test::Exists),
    ];
    let mut given = given.into_iter().flatten();
    let test = given.next();
    if test.is_none() || given.next().is_some() {
        report.problem(
            at,
            "must have exactly one test; allowed: one of equals, any_of, contains, exists",
        );
    }
    if raw.any_of.as_ref().is_some_and(Vec::is_empty) {
        read::texts(&[], &at.field("any_of"), report);
    }
    Some(ClaimTest { claim: claim?, test: test? })
}
