//! What the contract has and this version does not do yet: refused rather than ignored.
//!
//! One line for each feature; a step that builds one deletes its line.

use super::report::{At, Report};
use super::schema::{RawCharge, RawConfig, RawCost, RawLimit, RawRule};

/// Notes each use of a feature that is not supported yet.
pub(super) fn refuse(raw: &RawConfig, report: &mut Report) {
    let each = |name: &str, index: usize| At::root().field(name).index(index);
    for (index, raw) in raw.rules.iter().flatten().enumerate() {
        note(&rule(raw), &each("rules", index), report);
    }
    for (index, raw) in raw.limits.iter().flatten().enumerate() {
        note(&limit(raw), &each("limits", index), report);
    }
}

/// Where a feature stands, whether it is used, and what it is called.
type Feature = (&'static str, bool, &'static str);

fn rule(raw: &RawRule) -> Vec<Feature> {
    let header = matches!(&raw.cost, Some(RawCost::From(from)) if from.header.is_some());
    vec![
        ("cost.header", header, "a cost from a header"),
        ("concurrency", raw.concurrency.is_some(), "concurrency limits"),
    ]
}

fn limit(raw: &RawLimit) -> Vec<Feature> {
    vec![
        ("tiers", raw.tiers.is_some(), "tiers"),
        ("rate_claim", raw.rate_claim.is_some(), "a rate from a claim"),
        ("charge", raw.charge == Some(RawCharge::Response), "charging by the response"),
        ("dry_run", raw.dry_run == Some(true), "dry runs"),
    ]
}

fn note(features: &[Feature], at: &At, report: &mut Report) {
    for (member, used, feature) in features {
        if *used {
            report.problem(&at.field(member), format_args!("not supported yet: {feature}"));
        }
    }
}
