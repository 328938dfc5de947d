//! The JSON Schema (2020-12) of the configuration, from the declarations beside this file.

use serde_json::{Map, Value, json};

use super::{RawConfig, Read};

/// A member: its name, its description, the schema of its type, and what else is said of it.
pub(super) type Member = (&'static str, &'static [&'static str], Value, Value);

/// The schema of the whole document.
pub(in crate::config) fn document() -> Value {
    let mut definitions = Map::new();
    RawConfig::schema(&mut definitions);
    let mut root = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tollgate",
    });
    let config = definitions.remove(&key("RawConfig"));
    if let (Some(root), Some(Value::Object(config))) = (root.as_object_mut(), config) {
        root.extend(config);
        root.insert("$defs".into(), Value::Object(definitions));
    }
    root
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
    for (name, doc, of, keywords) in members(definitions) {
        let mut description = prose(doc);
        let mut schema = Map::new();
        let reference = of.get("$ref").is_some();
        if let Value::Object(of) = of {
            schema.extend(of);
        }
        if let Value::Object(keywords) = keywords {
            for (keyword, value) in keywords {
                match (keyword.as_str(), value) {
                    ("required", _) => required.push(json!(name)),
                    ("bounds", Value::String(bounds)) => {
                        description = format!("{description} Allowed: {bounds}.");
                    }
                    (_, value) => {
                        schema.insert(keyword, value);
                    }
                }
            }
        }
        // The description of the member stands beside the reference to its type.
        let _ = reference;
        schema.insert("description".into(), json!(description));
        properties.insert(name.into(), Value::Object(schema));
    }
    let mut definition = json!({
        "description": prose(about),
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if let Some(definition) = definition.as_object_mut() {
        if !required.is_empty() {
            definition.insert("required".into(), Value::Array(required));
        }
        if let Value::Object(extra) = extra {
            definition.extend(extra);
        }
    }
    self::definition(&key(name), definition, definitions)
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
