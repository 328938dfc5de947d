//! Definitions of Kubernetes' custom resources, and the check of an object against them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use support::manifests::{documents, text};
use support::skip;

/// The definitions in the folder `crds` of [`skip::shared`].
pub struct Definitions(BTreeMap<(String, String), jsonschema::Validator>);

impl Definitions {
    /// `None` after [`skip::absent`] without them.
    pub fn load() -> Option<Self> {
        let folder = skip::shared("crds")?;
        let mut kinds = BTreeMap::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "yaml") {
                continue;
            }
            for definition in documents(&std::fs::read_to_string(path).unwrap()) {
                let Some(versions) = definition.pointer("/spec/versions") else { continue };
                for version in versions.as_array().unwrap() {
                    let group = text(&definition, "/spec/group");
                    let api = format!("{group}/{}", text(version, "/name"));
                    let kind = text(&definition, "/spec/names/kind").to_owned();
                    let schema = "/schema/openAPIV3Schema/properties/spec";
                    let mut schema = version.pointer(schema).unwrap().clone();
                    close(&mut schema);
                    let validator = jsonschema::validator_for(&schema)
                        .unwrap_or_else(|e| panic!("{api} {kind}: {e}"));
                    kinds.insert((api, kind), validator);
                }
            }
        }
        Some(Self(kinds))
    }

    /// The errors in the `spec` of an object; `None` if its kind is not defined here.
    pub fn errors(&self, object: &Value) -> Option<Vec<String>> {
        let kind = (text(object, "/apiVersion").to_owned(), text(object, "/kind").to_owned());
        let errors = self.0.get(&kind)?.iter_errors(&object["spec"]);
        Some(errors.map(|error| format!("spec{}: {error}", error.instance_path())).collect())
    }
}

/// An API server drops fields that a definition does not name, and `kubectl` refuses them: so does
/// this, where a definition lists properties and does not say that others are kept.
fn close(schema: &mut Value) {
    let Value::Object(object) = schema else { return };
    let open = object.contains_key("x-kubernetes-preserve-unknown-fields")
        || object.contains_key("additionalProperties");
    if object.get("properties").is_some_and(Value::is_object) && !open {
        object.insert("additionalProperties".to_owned(), json!(false));
    }
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        properties.values_mut().for_each(close);
    }
    for name in ["items", "additionalProperties"] {
        object.get_mut(name).into_iter().for_each(close);
    }
}
