//! The configuration: one JSON document becomes a [`Policy`], or a list of what is wrong with it.
//!
//! A document goes through three readings. `document` makes a tree of values of it and refuses what
//! parsers disagree about; `schema` gives it its shape and refuses unknown members; `compile/` turns
//! each section into what the filter decides by. Each notes all that it finds, and the next one runs
//! only where nothing was found. After that nothing is left to parse.

mod compile;
mod document;
mod report;
mod schema;
mod units;

pub use report::{Problem, Warning};

use crate::policy::Policy;
use report::{At, Report};
use schema::{RawConfig, Read};

/// The largest document that is read, bytes: a hundred times the largest sensible one, and small
/// beside the memory of a VM.
pub const MAX_DOCUMENT: usize = 4 << 20;

/// What the configuration may ask of the machine it is loaded on.
pub trait Environment {
    /// The value of an environment variable of the VM.
    fn variable(&self, name: &str) -> Option<String>;
}

/// A machine without environment variables.
#[derive(Clone, Copy, Debug)]
pub struct NoVariables;

impl Environment for NoVariables {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
}

/// Compiles a document; reads no clock and no network, so that every worker comes to the same
/// result.
///
/// # Errors
/// All problems of shape at once (an unknown member, a wrong type, `null`), or, where there are none,
/// all problems of meaning; an error of JSON syntax comes alone, because what follows it cannot be
/// read.
pub fn compile(
    document: &[u8],
    env: &dyn Environment,
) -> Result<(Policy, Vec<Warning>), Vec<Problem>> {
    let mut report = Report::default();
    let policy =
        parse(document, &mut report).and_then(|raw| compile::policy(&raw, env, &mut report));
    match policy {
        Some(policy) if report.problems.is_empty() => Ok((policy, report.warnings)),
        _ => Err(report.problems),
    }
}

/// Gives a document its shape.
fn parse(text: &[u8], report: &mut Report) -> Option<RawConfig> {
    if text.len() > MAX_DOCUMENT {
        let found = text.len();
        report.problem(
            &At::root(),
            format_args!("has {found} bytes; allowed: at most {MAX_DOCUMENT}"),
        );
        return None;
    }
    if text.trim_ascii().is_empty() {
        report.problem(&At::root(), "is empty; a filter with no provider protects nothing");
        return None;
    }
    // The first byte of a protobuf `Struct` is the tag of its map of fields.
    if text.first() == Some(&b'\n') && text.trim_ascii().first() != Some(&b'{') {
        report.problem(
            &At::root(),
            "is protobuf, not JSON; allowed: JSON text, in Envoy a google.protobuf.StringValue \
             (a google.protobuf.Struct reaches a filter in binary form)",
        );
        return None;
    }
    let value = document::read(text, report)?;
    let raw = RawConfig::read(&value, &At::root(), report);
    raw.filter(|_| report.problems.is_empty())
}

/// The JSON Schema (2020-12) of the document. It tells shapes and bounds; what one part of a
/// document asks of another, [`compile`] alone knows.
#[cfg(any(feature = "cli", test))]
pub fn json_schema() -> serde_json::Value {
    schema::document::document()
}

#[cfg(test)]
pub(crate) mod tests;
