//! Puts a configuration into the text of a file of Envoy, which stays as it is around it.

use std::path::Path;

use super::{Content, Found, Host};
use crate::output::Failure;

/// The text of a file of Envoy with `json` as the configuration of its filter.
pub fn replace(content: &Content, json: &str, file: &Path) -> Result<String, Failure> {
    let file = file.display();
    let refuse = |why: &str| Err(Failure::usage(format_args!("{file}: {why}")));
    if let Some(finding) = content.findings.first() {
        return refuse(&finding.message);
    }
    let [(document, found)] = content.found.as_slice() else {
        return refuse("has several filters; allowed: one");
    };
    if !matches!(found.host, Host::Envoy { .. }) {
        return refuse(
            "is not a configuration of Envoy; Istio and Envoy Gateway take YAML as it is",
        );
    }
    match content.with(*document, found, json) {
        Some(text) => Ok(text),
        None => refuse("has no block of text to replace; write `value: |`, and the text below it"),
    }
}

impl Content {
    /// The text of the file with other lines in the block of a configuration; `None` if that is no block.
    fn with(&self, document: usize, found: &Found, json: &str) -> Option<String> {
        let value =
            self.lines.get(document.checked_sub(1)?)?.block(&format!("{}.value", found.at))?;
        let lines: Vec<&str> = self.text.lines().collect();
        let (before, rest) = lines.split_at_checked(value.line)?;
        // The column counts from 1, so that the text of the block is indented by as much or more.
        let inside = |line: &&&str| indentation(line) >= value.column || line.trim().is_empty();
        let block = rest.iter().take_while(inside).count();
        let (block, after) = rest.split_at_checked(block)?;
        // Empty lines below the text belong to what follows.
        let text = block.iter().rposition(|line| !line.trim().is_empty())?.saturating_add(1);
        let (text, blank) = block.split_at_checked(text)?;
        let by = text.iter().find(|line| !line.trim().is_empty()).map(|line| indentation(line))?;
        let json: Vec<String> = json.lines().map(|line| format!("{:by$}{line}", "")).collect();
        let json = json.iter().map(String::as_str);
        let all = before.iter().copied().chain(json).chain(blank.iter().copied());
        Some(all.chain(after.iter().copied()).flat_map(|line| [line, "\n"]).collect())
    }
}

/// The spaces before the text of a line.
fn indentation(line: &str) -> usize {
    line.len().saturating_sub(line.trim_start_matches(' ').len())
}
