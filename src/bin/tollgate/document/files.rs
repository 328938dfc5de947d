//! The files that an Envoy configuration names: the module, and the certificates of clusters for keys.

use std::path::Path;

use serde_json::Value;

use super::tree::{at, member, text};
use super::{Finding, Found, Level};

/// The members that hold a data source of a file which Envoy cannot start without.
const SOURCES: [&[&str]; 2] = [&["code", "local"], &["trusted_ca"]];

/// A note for each module and each file of authorities in the document that is not here. Envoy may run in
/// another folder, or on another machine.
pub fn check(document: &Value, found: &mut [Found]) {
    let Some(first) = found.first_mut() else { return };
    visit(document, String::new(), &mut first.findings);
}

fn visit(value: &Value, path: String, notes: &mut Vec<Finding>) {
    for source in SOURCES {
        let Some(name) = at(value, source).and_then(|source| text(source, &["filename"])) else {
            continue;
        };
        if !Path::new(name).exists() {
            let place = source.iter().fold(path.clone(), |path, name| member(&path, name));
            let why = match Path::new(name).is_absolute() {
                true => "is not on this machine",
                false => "is not here; Envoy looks for it in the folder in which it starts",
            };
            notes.push(Finding::new(
                Level::Note,
                member(&place, "filename"),
                format!("{name} {why}"),
            ));
        }
    }
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                visit(value, member(&path, name), notes);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                visit(item, format!("{path}[{index}]"), notes);
            }
        }
        _ => {}
    }
}
