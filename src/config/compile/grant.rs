//! Grants: the entries of `rules[].allow`, and `when` of a tier.

use super::read;
use crate::caller::grant::{BodyTest, ClaimTest, Demand, Grant, Test};
use crate::config::report::{At, Report, quoted};
use crate::config::schema::{RawBodyTest, RawClaimTest, RawGrant, Scalar};
use crate::template::ClaimRef;

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
        ("actors_any", &raw.actors_any),
    ];
    let empty = raw.claims.is_none() && raw.body.is_none();
    if empty && lists.iter().all(|(_, list)| list.is_none()) {
        report.problem(
            at,
            "is empty and would apply to every caller; allowed: roles_any, roles_all, scopes_any, \
             scopes_all, groups_any, clients, actors_any, claims, and in allow body",
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
    if raw.body.as_ref().is_some_and(Vec::is_empty) {
        read::texts(&[], &at.field("body"), report);
    }
    let claims = claims(raw.claims.as_deref(), &at.field("claims"), report);
    let texts = |list: &Option<Vec<String>>| list.clone().map(Into::into);
    let scopes = Demand { any: texts(&raw.scopes_any), all: raw.scopes_all.clone() };
    let lists = [&raw.scopes_all, &raw.scopes_any];
    let asked: Vec<&str> = lists.into_iter().flatten().flatten().map(String::as_str).collect();
    Grant {
        roles: Demand { any: texts(&raw.roles_any), all: raw.roles_all.clone() },
        scope: (!asked.is_empty()).then(|| asked.join(" ").into()),
        scopes,
        groups_any: texts(&raw.groups_any),
        clients: texts(&raw.clients),
        actors_any: texts(&raw.actors_any),
        claims,
        body: read::all(
            raw.body.as_deref().unwrap_or_default(),
            &at.field("body"),
            report,
            body_test,
        )
        .unwrap_or_default(),
    }
}

/// Refuses tests of the body where it is not known yet.
pub(super) fn without_body(raw: &RawGrant, at: &At, report: &mut Report) {
    if raw.body.is_some() {
        report.problem(
            &at.field("body"),
            "is not known when the tier of a caller is chosen; use it in rules[].allow, or the body in the key of a limit",
        );
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
    let contains = raw.contains.as_ref().map(|wanted| Test::Contains(wanted.0.clone()));
    let given = [contains, raw.exists.map(Test::Exists)];
    let allowed = "must have exactly one test; allowed: one of equals, any_of, contains, exists";
    let test = test(raw.equals.as_ref(), raw.any_of.as_deref(), given, allowed, at, report);
    Some(ClaimTest { claim: claim?, test: test? })
}

/// Compiles one entry of `body`: a pointer and exactly one test.
fn body_test(raw: &RawBodyTest, at: &At, report: &mut Report) -> Option<BodyTest> {
    let place = at.field("json");
    let pointer = match &raw.json {
        Some(text) => read::pointer(text, &place, report),
        None => {
            report.required(&place, "a JSON Pointer into the body");
            None
        }
    };
    let given = [raw.exists.map(Test::Exists), None];
    let allowed = "must have exactly one test; allowed: one of equals, any_of, exists";
    let test = test(raw.equals.as_ref(), raw.any_of.as_deref(), given, allowed, at, report);
    match pointer? {
        ClaimRef::Pointer(pointer) => Some(BodyTest { pointer, test: test? }),
        ClaimRef::Name(_) => None,
    }
}

/// The only test that is given.
fn test(
    equals: Option<&Scalar>,
    any_of: Option<&[Scalar]>,
    others: [Option<Test>; 2],
    allowed: &str,
    at: &At,
    report: &mut Report,
) -> Option<Test> {
    let value = |scalar: &Scalar| scalar.0.clone();
    let equals = equals.map(|wanted| Test::Equals(value(wanted)));
    let any = any_of.map(|wanted| Test::AnyOf(Vec::from_iter(wanted.iter().map(value)).into()));
    let mut given = [equals, any].into_iter().chain(others).flatten();
    let test = given.next();
    if test.is_none() || given.next().is_some() {
        report.problem(at, allowed);
    }
    if any_of.is_some_and(<[Scalar]>::is_empty) {
        read::texts(&[], &at.field("any_of"), report);
    }
    test
}
