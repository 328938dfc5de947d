//! Checks what surrounds a filter: the headers that Envoy removes before it, and the labels of its metrics.

use regex_lite::Regex;
use serde_json::Value;

use super::super::tree::{at, items, text};
use super::super::{Finding, Found};

/// The headers of the default tags.
const DEFAULT: [&str; 3] = ["x-auth-identity", "x-auth-subject", "x-auth-issuer"];

/// Warns of tags whose headers the connection manager does not remove, if it removes any before its filters.
pub fn check_removal(manager: &Value, found: &mut Found) {
    let extensions = items(manager, &["early_header_mutation_extensions"]);
    let removed: Vec<&Value> =
        extensions.flat_map(|extension| items(extension, &["typed_config", "mutations"])).collect();
    if removed.is_empty() {
        return;
    }
    let config = found.configuration();
    let lacking = |header: &str| !removed.iter().any(|mutation| removes(mutation, header));
    let why = |header: &str| {
        format!(
            "{header} is not among the headers that early_header_mutation_extensions removes: if the filter is \
             missing, the upstream believes what a caller writes there; add it"
        )
    };
    match config.get("tags").and_then(Value::as_array) {
        Some(tags) => found.inside.extend(tags.iter().enumerate().filter_map(|(index, tag)| {
            let header = tag.get("header")?.as_str().filter(|header| lacking(header))?;
            Some(Finding::warning(format!("tags[{index}].header"), why(header)))
        })),
        None => {
            let headers = DEFAULT.into_iter().filter(|header| lacking(header));
            let warning = |header| Finding::warning("(document)", why(header));
            found.inside.extend(headers.map(warning));
        }
    }
}

/// Whether a mutation removes this header. An expression that is not understood may.
fn removes(mutation: &Value, header: &str) -> bool {
    if text(mutation, &["remove"]).is_some_and(|name| name.eq_ignore_ascii_case(header)) {
        return true;
    }
    let Some(matcher) = at(mutation, &["remove_on_match", "key_matcher"]) else { return false };
    let header = header.to_ascii_lowercase();
    if let Some(expression) = text(matcher, &["safe_regex", "regex"]) {
        return Regex::new(&format!("^(?:{expression})$"))
            .map_or(true, |expression| expression.is_match(&header));
    }
    // Envoy has the names in lower case, and compares the letter case unless it is told otherwise.
    let folds = at(matcher, &["ignore_case"]) == Some(&Value::Bool(true));
    let part = |name| {
        let part = text(matcher, &[name])?;
        Some(if folds { part.to_ascii_lowercase() } else { part.to_owned() })
    };
    match (part("exact"), part("prefix"), part("suffix"), part("contains")) {
        (Some(name), ..) => name == header,
        (_, Some(start), ..) => header.starts_with(&start),
        (_, _, Some(end), _) => header.ends_with(&end),
        (_, _, _, Some(inside)) => header.contains(&inside),
        _ => true,
    }
}

/// Warns of a bootstrap that shows metrics and gives them no labels.
pub fn check_labels(document: &Value, found: &mut Found) {
    let shows = at(document, &["admin"]).is_some() || at(document, &["stats_sinks"]).is_some();
    let config = found.configuration();
    let counts = config.pointer("/telemetry/metrics") != Some(&Value::Bool(false));
    let mut tags = items(document, &["stats_config", "stats_tags"]);
    let labels =
        |tag: &Value| text(tag, &["regex"]).is_some_and(|regex| regex.contains("tollgate"));
    if at(document, &["static_resources"]).is_some() && shows && counts && !tags.any(labels) {
        let why = "has no stats_tags for the filter's metrics: rule, reason and limit become parts of their \
                   names, which the dashboard and the alerts do not find; copy stats_config from envoy/envoy.yaml";
        found.findings.push(Finding::warning("stats_config", why));
    }
}
