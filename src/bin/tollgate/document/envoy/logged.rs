//! Checks that filter state which the proxy's logs and traces read is written by a tag.

use regex_lite::Regex;
use serde_json::Value;
use tollgate::config::RESERVED_TAGS;

use super::super::tree::member;
use super::super::{Finding, Found};

/// The tag of an audit line that may be absent: not every API names an endpoint in its paths.
const OPTIONAL: &str = "endpoint";

/// The tags of a configuration without `tags`, and the usual values of others.
const USUAL: [(&str, &str); 5] = [
    ("identity", "{@identity}"),
    ("subject", "{sub}"),
    ("issuer", "{iss}"),
    ("kid", "{@kid}"),
    ("model", "{@body:/model}"),
];
const DEFAULT: usize = 3;

/// Warns of fields that stay empty because no filter of the document has their tag.
pub fn check(document: &Value, all: &mut [Found]) {
    // A configuration that cannot be read may have any tag.
    if all.iter().any(|found| !found.configuration().is_object()) {
        return;
    }
    let written: Vec<String> = all.iter().flat_map(|found| tags(&found.configuration())).collect();
    let Some(first) = all.first_mut() else { return };
    let Ok(pattern) = Regex::new(r"FILTER_STATE\(wasm\.tollgate\.([A-Za-z0-9_-]+)") else { return };
    walk(document, String::new(), &mut |text, path| {
        for name in pattern.captures_iter(text).filter_map(|found| found.get(1)) {
            let name = name.as_str();
            if RESERVED_TAGS.contains(&name)
                || name == OPTIONAL
                || written.iter().any(|tag| tag == name)
            {
                continue;
            }
            let value = USUAL.iter().find(|(usual, _)| *usual == name);
            let value = value.map_or("…", |(_, value)| value);
            let why = format!(
                "reads wasm.tollgate.{name}, and no tag of this name writes it: the field stays empty; add \
                 {{name: {name}, value: \"{value}\"}} to tags, or remove the field"
            );
            first.findings.push(Finding::warning(path, why));
        }
    });
}

/// The names of the tags that a configuration writes into filter state.
fn tags(config: &Value) -> Vec<String> {
    let Some(tags) = config.get("tags").and_then(Value::as_array) else {
        return USUAL.iter().take(DEFAULT).map(|(name, _)| (*name).to_owned()).collect();
    };
    let written = tags.iter().filter(|tag| tag.get("filter_state") != Some(&Value::Bool(false)));
    written.filter_map(|tag| tag.get("name")?.as_str().map(str::to_owned)).collect()
}

/// Calls `see` with each text in a value and its path.
fn walk(value: &Value, path: String, see: &mut impl FnMut(&str, &str)) {
    match value {
        Value::String(text) => see(text, &path),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, format!("{path}[{index}]"), see);
            }
        }
        Value::Object(members) => {
            for (name, value) in members {
                walk(value, member(&path, name), see);
            }
        }
        _ => {}
    }
}
