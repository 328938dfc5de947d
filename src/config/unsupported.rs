//! What the contract has and this version does not do yet: refused rather than ignored.
//!
//! One line for each feature; a step that builds one deletes its line.

use super::report::{At, Report};
use super::schema::{RawCharge, RawConfig, RawCost, RawLimit, RawProvider, RawRule, RawTag};

/// Notes each use of a feature that is not supported yet.
pub(super) fn refuse(raw: &RawConfig, report: &mut Report) {
    let each = |name: &str, index: usize| At::root().field(name).index(index);
    for (index, raw) in raw.providers.iter().flatten().enumerate() {
        note(&provider(raw), &each("providers", index), report);
    }
    for (index, raw) in raw.rules.iter().flatten().enumerate() {
        note(&rule(raw), &each("rules", index), report);
    }
    for (index, raw) in raw.limits.iter().flatten().enumerate() {
        note(&limit(raw), &each("limits", index), report);
    }
    for (index, raw) in raw.tags.iter().flatten().enumerate() {
        note(&tag(raw), &each("tags", index), report);
    }
}

/// Where a feature stands, whether it is used, and what it is called.
type Feature = (&'static str, bool, &'static str);

fn provider(raw: &RawProvider) -> Vec<Feature> {
    let remote = raw.keys.as_ref().is_some_and(|keys| keys.remote.is_some());
    let tenanted = raw.issuers.iter().flatten().any(|issuer| issuer.contains("{tenantid}"));
    vec![
        ("keys.remote", remote, "remote key sets"),
        ("preset", raw.preset.is_some(), "presets"),
        ("issuers", tenanted, "{tenantid} in issuers"),
    ]
}

fn rule(raw: &RawRule) -> Vec<Feature> {
    let rows = matches!(&raw.cost, Some(RawCost::From(from)) if from.json_rows.is_some());
    vec![
        ("cost", rows, "a cost that is found in the body"),
        ("payload", raw.payload.is_some(), "the body guard"),
    ]
}

fn limit(raw: &RawLimit) -> Vec<Feature> {
    vec![("charge", raw.charge == Some(RawCharge::Response), "charging by the response")]
}

fn tag(raw: &RawTag) -> Vec<Feature> {
    vec![("hash", raw.hash == Some(true), "hashed tags")]
}

fn note(features: &[Feature], at: &At, report: &mut Report) {
    for (member, used, feature) in features {
        if *used {
            report.problem(&at.field(member), format_args!("not supported yet: {feature}"));
        }
    }
}
