//! Reads the documents of a file: one JSON document, or any number of YAML documents.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::{Chosen, Content, Finding, Found, Level, search};

/// How many brackets may be open at once. The parser allows 128 levels, but reads the whole document before it
/// counts them, in time that grows with the square of the levels. Brackets inside of texts count here too.
const MAX_OPEN: usize = 4_096;

/// Reads every document of a file.
pub fn read(bytes: &[u8], path: &Path, chosen: Chosen, content: &mut Content) {
    if most_open(bytes) > MAX_OPEN {
        content.findings.push(invalid(chosen.level(), "(file)", "recursion limit exceeded"));
        return;
    }
    content.place_values(bytes);
    let broken = chosen.of(bytes);
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    match serde_json::from_slice::<Value>(bytes) {
        Ok(value) => search(&value, Some(bytes), chosen, 1, content),
        // The filter's own reader gives the best errors for JSON.
        Err(_) if is_json && broken == Chosen::ByName => {
            let found = Found { text: Some(bytes.to_vec()), ..Found::default() };
            content.found.push((1, found));
        }
        Err(_) if is_json => {}
        Err(_) => read_yaml(bytes, chosen, content),
    }
    if chosen == Chosen::ByName && content.found.is_empty() && content.findings.is_empty() {
        let why = "contains no configuration of tollgate; allowed: the configuration itself, or a \
                   Wasm filter of Envoy (also in a ConfigMap), a WasmPlugin, a TrafficExtension or an \
                   EnvoyExtensionPolicy with one";
        content.findings.push(Finding::problem("(file)", why));
    }
}

/// The most brackets that are open at one place.
fn most_open(bytes: &[u8]) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    for byte in bytes {
        match byte {
            b'[' | b'{' => open = open.saturating_add(1),
            b']' | b'}' => open = open.saturating_sub(1),
            _ => continue,
        }
        most = most.max(open);
    }
    most
}

/// The usual mistake behind an error of syntax.
fn hint(message: &str) -> &'static str {
    match message {
        _ if message.contains("cannot start any token") => "; indent with spaces, and quote texts",
        _ if message.contains("expected ':'") => "; write a space after each colon",
        _ if message.contains("did not find expected") => "; indent members of one level equally",
        _ if message.contains("mapping values are not allowed") => {
            "; indent members of one level equally, and quote texts with a colon"
        }
        _ if message.contains("duplicate") => "; remove one of the two, or correct the indentation",
        _ => "",
    }
}

/// One YAML document. Parsed as YAML values first, which rejects duplicate keys.
pub fn value(document: serde_yaml_ng::Deserializer<'_>) -> Result<Value, String> {
    let value = serde_yaml_ng::Value::deserialize(document).map_err(|error| error.to_string())?;
    serde_json::to_value(value).map_err(|error| error.to_string())
}

/// The finding for a text that is not YAML.
pub fn invalid(level: Level, path: &str, message: &str) -> Finding {
    let message = format!("is not valid YAML: {message}{}", hint(message));
    let mut finding = Finding::new(level, path, message);
    finding.split();
    finding
}

fn read_yaml(bytes: &[u8], chosen: Chosen, content: &mut Content) {
    for (at, document) in serde_yaml_ng::Deserializer::from_slice(bytes).enumerate() {
        match value(document) {
            Ok(Value::Null) => {}
            Ok(value) => search(&value, None, chosen, at.saturating_add(1), content),
            Err(message) => {
                let mut finding = invalid(chosen.of(bytes).level(), "(file)", &message);
                // The parser's own place is that of the mapping around the name.
                if finding.message.contains("duplicate") {
                    let twice = content.lines.get(at).and_then(|lines| lines.twice);
                    finding.place = twice.or(finding.place);
                }
                content.findings.push(finding);
                return;
            }
        }
    }
}
