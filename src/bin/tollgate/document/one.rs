//! One of the configurations of a file, for commands that need a single one.

use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{Content, Found};
use crate::output::Failure;

/// The configuration of this number, from 1, if the filter could read it.
pub fn one<'c>(
    content: &'c Content,
    number: usize,
    file: &Path,
) -> Result<&'c (usize, Found), Failure> {
    let file = file.display();
    if let Some(finding) = content.findings.first() {
        return Err(Failure::usage(format_args!("{file}: {}", finding.message)));
    }
    let count = content.found.len();
    let found = number.checked_sub(1).and_then(|index| content.found.get(index));
    match found {
        None => Err(Failure::usage(format_args!(
            "{file}: --number {number}: the file has {count} configuration(s)"
        ))),
        Some((_, Found { text: None, .. })) => Err(Failure::usage(format_args!(
            "{file}: has no configuration that the filter can read; `tollgate check {file}` says why"
        ))),
        Some(found) => Ok(found),
    }
}

/// The text of one as JSON for people: as its author wrote it, or a line for each member.
pub fn json(content: &Content, number: usize, file: &Path) -> Result<String, Failure> {
    let (document, found) = one(content, number, file)?;
    let text = found.text.as_deref().unwrap_or_default();
    let is_bare = found.at.is_empty();
    let pretty = match serde_json::from_str::<IgnoredAny>(&content.text) {
        // YAML itself, for the order of its members, which JSON values do not keep.
        Err(_) if is_bare => {
            let mut documents = serde_yaml_ng::Deserializer::from_str(&content.text);
            let yaml = documents.nth(document.saturating_sub(1));
            let yaml = yaml.and_then(|yaml| serde_yaml_ng::Value::deserialize(yaml).ok());
            serde_json::to_string_pretty(&yaml).ok()
        }
        _ if is_bare || found.is_text => None,
        _ => serde_json::from_slice::<Value>(text).ok().map(|value| format!("{value:#}")),
    };
    Ok(pretty.unwrap_or_else(|| String::from_utf8_lossy(text).into_owned()))
}
