//! Builds the JSON Schema (2020-12) of an object from its declaration.

use serde_json::{Map, Value, json};

/// A member: its name, its description, the schema of its type, and further keywords.
pub(super) type Member = (&'static str, &'static [&'static str], Value, Value);

/// The names of the members in their order, which a JSON object does not keep. The generated reference
/// uses it; the published schema does not contain it.
pub(super) const ORDER: &str = "x-order";

/// Adds the definition of an object and refers to it.
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

/// Adds the definition of a type and refers to it.
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
