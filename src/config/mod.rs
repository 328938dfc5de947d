//! The configuration: one JSON document becomes a [`Policy`], or a list of problems.
//!
//! A document passes three stages. `document` parses it into a tree of values and refuses duplicate
//! members; `schema` reads the values into types and refuses unknown members; `compile` turns each
//! section into the compiled policy. Each stage reports all problems that it finds, and the next one
//! runs only if there are none. After that nothing is left to parse. An invalid document is rejected
//! with one log line per problem; the previous configuration stays in effect.
//!
//! - `environment`: variables of the VM · `report`: problems and warnings with their paths · `units`: durations, rates and sizes
//! - `misplaced`: where a member belongs that stands in the wrong object

mod compile;
mod document;
mod environment;
#[cfg(any(feature = "cli", test))]
mod misplaced;
mod report;
mod schema;
mod units;

pub use compile::RESERVED_TAGS;
pub use environment::{Environment, NoVariables};
pub use report::{Problem, Warning};
pub use units::{UnitError, duration};

use crate::policy::Policy;
use report::{At, Report};
use schema::{RawConfig, Read};

/// The maximum size of a document in bytes: a hundred times a large configuration, and small compared
/// with the memory of a VM.
pub const MAX_DOCUMENT: usize = 4 << 20;

/// Compiles a document. The result depends on no clock and no network, so that all workers get the
/// same.
///
/// # Errors
/// All problems of shape at once (an unknown member, a wrong type, `null`) or, if there are none, all
/// problems of meaning. An error of JSON syntax comes alone, because the rest cannot be read.
pub fn compile(
    document: &[u8],
    env: &dyn Environment,
) -> Result<(Policy, Vec<Warning>), Vec<Problem>> {
    let mut report = Report::default();
    let policy =
        parse(document, &mut report).and_then(|raw| compile::policy(&raw, env, &mut report));
    match policy {
        Some(policy) if report.problems.is_empty() => Ok((policy, report.warnings)),
        _ => {
            #[cfg(any(feature = "cli", test))]
            misplaced::add_places(&mut report.problems);
            Err(report.problems)
        }
    }
}

/// Parses a document into its types.
fn parse(text: &[u8], report: &mut Report) -> Option<RawConfig> {
    if text.len() > MAX_DOCUMENT {
        let found = text.len();
        report.problem(
            &At::root(),
            format_args!("has {found} bytes; allowed: at most {MAX_DOCUMENT}"),
        );
        return None;
    }
    if let Some(why) = no_json(text) {
        report.problem(&At::root(), why);
        return None;
    }
    let value = document::read(text, report)?;
    let raw = RawConfig::read(&value, &At::root(), report);
    raw.filter(|_| report.problems.is_empty())
}

/// What a text is that is no JSON at all.
fn no_json(text: &[u8]) -> Option<&'static str> {
    let trimmed = text.trim_ascii();
    match trimmed.first() {
        None => Some("is empty; a filter with no provider protects nothing"),
        // The first byte of a protobuf `Struct` is the tag of its map of fields.
        Some(first) if text.first() == Some(&b'\n') && *first != b'{' => Some(
            "is protobuf, not JSON; allowed: JSON text, in Envoy a google.protobuf.StringValue (the filter receives a google.protobuf.Struct in binary form)",
        ),
        // JSON values that begin so have no colon.
        Some(b'a'..=b'z' | b'#' | b'-') if trimmed.contains(&b':') => Some(
            "looks like YAML; allowed: JSON, as `tollgate json FILE` prints it for the YAML in FILE",
        ),
        _ => None,
    }
}

/// The JSON Schema (2020-12) of the document. It describes types and bounds; only [`compile`] checks
/// how the parts of a document depend on each other.
#[cfg(any(feature = "cli", test))]
pub fn json_schema() -> serde_json::Value {
    schema::document::document()
}

#[cfg(test)]
pub(crate) mod tests;
