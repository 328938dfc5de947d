//! The JSON Schema (2020-12) of the configuration, from the declarations beside this file.

use serde_json::{Map, Value, json};

use super::{RawConfig, Read};

/// A member: its name, its description, the schema of its type, and what else is said of it.
pub(super) type Member = (&'static str, &'static [&'static str], Value, Value);

/// The names of the members in their order, which a JSON object does not keep: for readers of the
/// definitions, and left out of the document.
pub(super) const ORDER: &str = "x-order";

/// The schema of the whole document.
pub(in crate::config) fn document() -> Value {
    let mut definitions = definitions();
    for definition in definitions.values_mut().filter_map(Value::as_object_mut) {
        definition.remove(ORDER);
    }
    let mut root = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tollgate",
    });
    let config = definitions.remove(ROOT);
    if let (Some(root), Some(Value::Object(config))) = (root.as_object_mut(), config) {
        root.extend(config);
        root.insert("$defs".into(), Value::Object(definitions));
    }
    root
}

/// The name of the definition of the whole document.
pub(super) const ROOT: &str = "config";

/// All definitions by name.
pub(super) fn definitions() -> Map<String, Value> {
    let mut definitions = Map::new();
    RawConfig::schema(&mut definitions);
    definitions
}

/// Defines an object and refers to it.
pub(super) fn object(
    name: &str,
    about: &[&str],
    extra: Value,
    definitions: &mut Map<String, Value>,
    members: impl FnOnce(&mut Map<String, Value>) -> Vec<Member>,
) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    let mut order = Vec::new();
    for (name, doc, of, keywords) in members(definitions) {
        let mut description = prose(doc);
        let mut schema = of.as_object().cloned().unwrap_or_default();
        for (keyword, value) in keywords.as_object().cloned().unwrap_or_default() {
            match (keyword.as_str(), value) {
                ("required", _) => required.push(name),
                ("bounds", Value::String(bounds)) => {
                    description.extend([" Allowed: ", &bounds, "."]);
                }
                (_, value) => {
                    schema.insert(keyword, value);
                }
            }
        }
        schema.insert("description".into(), json!(description));
        properties.insert(name.into(), Value::Object(schema));
        order.push(name);
    }
    let mut definition = Map::new();
    definition.insert("description".into(), json!(prose(about)));
    definition.insert("type".into(), json!("object"));
    definition.insert("properties".into(), Value::Object(properties));
    definition.insert("additionalProperties".into(), json!(false));
    definition.insert(ORDER.into(), json!(order));
    if !required.is_empty() {
        definition.insert("required".into(), json!(required));
    }
    definition.extend(extra.as_object().cloned().unwrap_or_default());
    self::definition(&key(name), Value::Object(definition), definitions)
}

/// Defines a type under a name and refers to it.
pub(super) fn definition(name: &str, schema: Value, definitions: &mut Map<String, Value>) -> Value {
    definitions.insert(name.to_owned(), schema);
    json!({ "$ref": format!("#/$defs/{name}") })
}

/// The lines of a doc comment as one paragraph.
fn prose(lines: &[&str]) -> String {
    let lines: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
    lines.join(" ")
}

/// `RawRateClaim` is `rate_claim`.
fn key(name: &str) -> String {
    let mut key = String::new();
    for c in name.trim_start_matches("Raw").chars() {
        if c.is_ascii_uppercase() && !key.is_empty() {
            key.push('_');
        }
        key.push(c.to_ascii_lowercase());
    }
    key
}
