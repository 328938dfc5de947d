//! The JSON Schema (2020-12) of the whole document.

use serde_json::{Map, Value, json};

use super::config::RawConfig;
use super::json::ORDER;
use super::read::Read;

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
