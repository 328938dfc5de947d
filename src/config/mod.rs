//! The configuration: one JSON document becomes a [`Policy`], or a list of what is wrong with it.
//!
//! A document goes through three readings. `strict` refuses what parsers disagree about; `schema`
//! gives it its shape and refuses unknown members; `compile/` turns each section into what the
//! filter decides by and collects every error of meaning. After that nothing is left to parse.

mod compile;
mod report;
mod schema;
mod strict;
mod units;

use std::marker::PhantomData;

use serde::de::DeserializeSeed;

pub use report::{Problem, Warning};

use crate::policy::Policy;
use report::{At, Report};
use schema::RawConfig;

/// The largest document that is read, bytes: a hundred times the largest sensible one, and small
/// beside the memory of a VM.
pub const MAX_DOCUMENT: usize = 4 << 20;

/// What the configuration may ask of the machine it is loaded on.
pub trait Environment {
    /// The value of an environment variable of the VM.
    fn variable(&self, name: &str) -> Option<String>;
}

/// Compiles a document; reads no clock and no network, so that every worker comes to the same
/// result.
///
/// # Errors
/// All problems of meaning at once; an error of shape (JSON syntax, an unknown member, a wrong
/// type) comes alone, because what follows it cannot be read.
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
fn parse(document: &[u8], report: &mut Report) -> Option<RawConfig> {
    if document.len() > MAX_DOCUMENT {
        let found = document.len();
        report.problem(
            &At::root(),
            format_args!("has {found} bytes; allowed: at most {MAX_DOCUMENT}"),
        );
        return None;
    }
    if document.trim_ascii().is_empty() {
        report.problem(&At::root(), "is empty; a filter with no provider protects nothing");
        return None;
    }
    // The first byte of a protobuf `Struct` is the tag of its map of fields.
    if document.first() == Some(&b'\n') && document.trim_ascii().first() != Some(&b'{') {
        report.problem(
            &At::root(),
            "is protobuf, not JSON; allowed: JSON text, in Envoy a google.protobuf.StringValue \
             (a google.protobuf.Struct reaches a filter in binary form)",
        );
        return None;
    }
    shape(document, strict::Strict::document())
        .and_then(|()| shape(document, PhantomData::<RawConfig>))
        .map_err(|(at, message)| report.problem(&at, message))
        .ok()
}

/// Reads the document once; an error comes with its JSON path.
fn shape<'de, S: DeserializeSeed<'de>>(
    document: &'de [u8],
    seed: S,
) -> Result<S::Value, (At, String)> {
    let mut track = serde_path_to_error::Track::new();
    let mut json = serde_json::Deserializer::from_slice(document);
    let result = seed.deserialize(serde_path_to_error::Deserializer::new(&mut json, &mut track));
    result.and_then(|value| json.end().map(|()| value)).map_err(|error| {
        let path = track.path().to_string();
        let at = if path == "." { At::root() } else { At::root().field(&path) };
        (at, without_secrets(&path, error.to_string()))
    })
}

/// serde quotes a text of the wrong type; where keys are written it must not.
fn without_secrets(path: &str, message: String) -> String {
    let secret = [".keys", "upstream_authorization", "privacy"];
    if !secret.iter().any(|name| path.contains(name)) {
        return message;
    }
    match (message.split_once("string \""), message.rsplit_once("\", expected ")) {
        (Some((before, _)), Some((_, after))) => format!("{before}a text, expected {after}"),
        _ => message,
    }
}

#[cfg(test)]
mod tests;
