//! What the contract has and this version does not do yet: refused rather than ignored.
//!
//! One line for each feature; a step that builds one deletes its line.

use super::report::{At, Report};
use super::schema::{RawConfig, RawTag};

/// Notes each use of a feature that is not supported yet.
pub(super) fn refuse(raw: &RawConfig, report: &mut Report) {
    let each = |name: &str, index: usize| At::root().field(name).index(index);
    for (index, raw) in raw.tags.iter().flatten().enumerate() {
        note(&tag(raw), &each("tags", index), report);
    }
}

/// Where a feature stands, whether it is used, and what it is called.
type Feature = (&'static str, bool, &'static str);

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
