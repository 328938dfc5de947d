//! Warnings about the compiled policy: parts of it that contradict each other or have no effect.

use std::rc::Rc;

use serde_json::Value;

use super::body_warnings;
use crate::caller::grant::{Grant, Test, same};
use crate::config::report::{At, Report, quoted};
use crate::policy::Policy;
use crate::policy::rule::Rule;
use crate::template::{ClaimRef, Part, Template};

/// Notes all warnings of a policy.
pub(super) fn warn(policy: &Policy, report: &mut Report) {
    shared_identities(policy, report);
    shadowed_rules(policy, report);
    contradictions(policy, report);
    limits(policy, report);
    late_verdicts(policy, report);
    body_warnings::warn(policy, report);
    bared_hashes(policy, report);
    hidden_metadata(policy, report);
}

/// Identities that callers of another provider may have as well. Limits distinguish the two callers,
/// headers and logs do not.
fn shared_identities(policy: &Policy, report: &mut Report) {
    let at = At::root().field("providers");
    for (index, provider) in policy.providers.iter().enumerate() {
        for (place, template) in provider.identity.iter().enumerate() {
            if policy.providers.len() > 1 && !names_provider(template, provider.entra) {
                report.warning(
                    &at.index(index).field("identity").index(place),
                    "may also be the identity of another provider's caller; add {iss} or {@provider}",
                );
            }
        }
    }
}

/// Whether the template contains the provider. The tenant of Entra ID is checked with the issuer.
fn names_provider(template: &Template, entra: bool) -> bool {
    let names = |claim: &ClaimRef| match claim.top_level() {
        Some("iss") => true,
        Some("tid") => entra,
        _ => false,
    };
    template.parts().iter().any(|part| match part {
        Part::Provider => true,
        Part::Claim(claim) => names(claim),
        _ => false,
    })
}

/// The most rules that one is compared with, so that a long list of rules for one path loads in time.
const MOST_COMPARED: usize = 1_000;

/// Rules that never match because of an earlier one.
fn shadowed_rules(policy: &Policy, report: &mut Report) {
    for (index, rule) in policy.rules.iter().enumerate() {
        let wider = policy.rules.wider(&rule.matcher).take(MOST_COMPARED);
        let mut earlier = wider.take_while(|(position, _)| *position < index);
        if let Some((_, earlier)) =
            earlier.find(|(_, earlier)| earlier.matcher.covers(&rule.matcher))
        {
            report.warning(
                &At::rule(index),
                format_args!(
                    "the rule {} never matches: {} matches all of its requests first; move it up, or remove it",
                    quoted(&rule.name),
                    quoted(&earlier.name)
                ),
            );
        }
    }
}

/// Entries of `allow` whose tests contradict each other.
fn contradictions(policy: &Policy, report: &mut Report) {
    for (index, rule) in policy.rules.iter().enumerate() {
        for (place, grant) in rule.allow.iter().flatten().enumerate() {
            let at = At::rule(index).field("allow").index(place).field("claims");
            for (index, test) in grant.claims.iter().enumerate() {
                let at = at.index(index);
                let mut earlier = grant.claims.iter().take(index);
                if earlier.any(|e| e.claim == test.claim && excludes(&e.test, &test.test)) {
                    let message = "contradicts an earlier test of the same claim and is never true; remove one of them";
                    report.warning(&at, message);
                } else if test.test == Test::Exists(false) && is_needed(&test.claim, grant) {
                    let message = "requires the absence of a claim that must be present: never true; remove it";
                    report.warning(&at, message);
                }
            }
        }
    }
}

/// Whether no value passes both tests of a claim.
fn excludes(a: &Test, b: &Test) -> bool {
    let among = |list: &[Value], value: &Value| list.iter().any(|item| same(item, value));
    match (a, b) {
        (Test::Exists(a), Test::Exists(b)) => a != b,
        (Test::Exists(exists), _) | (_, Test::Exists(exists)) => !exists,
        (Test::Equals(a), Test::Equals(b)) => !same(a, b),
        // One requires an array, the other a single value.
        (Test::Equals(_), Test::Contains(_)) | (Test::Contains(_), Test::Equals(_)) => true,
        (Test::Equals(value), Test::AnyOf(list)) | (Test::AnyOf(list), Test::Equals(value)) => {
            !among(list, value)
        }
        // An array may contain both.
        (Test::AnyOf(_) | Test::Contains(_), Test::AnyOf(_) | Test::Contains(_)) => false,
    }
}

/// Whether every accepted token has the claim, or the same entry requires it.
fn is_needed(claim: &ClaimRef, grant: &Grant) -> bool {
    match claim.top_level() {
        Some("iss") => true,
        Some("roles") => grant.roles.any.is_some() || grant.roles.all.is_some(),
        Some("groups") => grant.groups_any.is_some(),
        _ => false,
    }
}

/// Limits that no rule uses, and rules that cost more than a limit of theirs can hold.
fn limits(policy: &Policy, report: &mut Report) {
    for (index, limit) in policy.limits.iter().enumerate() {
        let name = quoted(&limit.name);
        let uses = |rule: &Rule| rule.limits.iter().any(|other| Rc::ptr_eq(other, limit));
        if !policy.rules.iter().any(|rule| uses(rule)) {
            let at = At::root().field("limits").index(index);
            report.warning(
                &at,
                format_args!(
                    "no rule uses the limit {name}; add it to the limits of a rule, or remove it"
                ),
            );
        }
        let fixed = limit.tiers.is_empty() && limit.rate_claim.is_none();
        for (position, rule) in policy.rules.iter().enumerate().filter(|_| fixed) {
            if uses(rule) && limit.quota.burst() < rule.cost.least() {
                report.warning(
                    &At::rule(position).field("cost"),
                    format_args!("is more than the burst of {name}: every request is refused; raise the burst"),
                );
            }
        }
    }
}

/// Dry runs that do not send the configured key, because the headers leave before the verdict on the
/// body.
fn late_verdicts(policy: &Policy, report: &mut Report) {
    for (index, rule) in policy.rules.iter().enumerate() {
        let lends_late = rule.upstream_authorization.is_some() && rule.payload.is_some();
        if lends_late && (policy.dry_run || rule.dry_run) && !policy.hold_head {
            report.warning(
                &At::rule(index).field("upstream_authorization"),
                "is not sent while the rule is a dry run: without hold_head the headers are forwarded before the verdict on the body",
            );
        }
    }
}

/// Values that one tag hashes and another one shows.
fn bared_hashes(policy: &Policy, report: &mut Report) {
    for (index, tag) in policy.tags.iter().enumerate().filter(|(_, tag)| tag.hash.is_none()) {
        let mut hashed = policy.tags.iter().filter(|tag| tag.hash.is_some());
        if hashed.any(|hashed| hashed.value == tag.value) {
            let at = At::root().field("tags").index(index).field("value");
            report.warning(&at, "shows what another tag hashes; set hash: true here too");
        }
    }
}

/// Metadata that no challenge names.
fn hidden_metadata(policy: &Policy, report: &mut Report) {
    let at = At::root().field("responses").field("resource_metadata");
    let list = &policy.responses.resource_metadata;
    for (index, metadata) in list.iter().enumerate() {
        if list.iter().take(index).any(|earlier| earlier.requests.covers(&metadata.requests)) {
            let message = "no challenge names it: an earlier entry matches all of its requests; move it up, or remove it";
            report.warning(&at.index(index), message);
        }
    }
}
