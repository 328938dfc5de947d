//! Every shipped example: the documents under `envoy/`, `istio/` and `examples/`, and what they
//! configure.

use serde_json::Value;

use super::manifests::{self, files};

/// A part of a file under `envoy/`, `istio/` or `examples/`.
pub struct Example {
    /// The file; for a configuration inside a ConfigMap, with the key.
    pub name: String,
    pub value: Value,
}

/// Every document of every file, and every configuration of Envoy inside one.
pub fn examples() -> Vec<Example> {
    let mut found = Vec::new();
    for path in ["envoy", "istio", "examples"].iter().flat_map(|folder| files(folder)) {
        for value in manifests::read(&path) {
            let name = path.display().to_string();
            let data = if value["kind"] == "ConfigMap" { value["data"].as_object() } else { None };
            for (key, text) in data.into_iter().flatten() {
                let text = text.as_str().unwrap();
                let inside = manifests::documents(text).into_iter();
                let inside = inside.map(|value| Example { name: format!("{name}#{key}"), value });
                found.extend(inside);
            }
            found.push(Example { name, value });
        }
    }
    found
}

/// Each object in a value, the value itself first.
pub fn objects(value: &Value) -> Vec<&Value> {
    let below = |values: Vec<_>| values.into_iter().flat_map(objects).collect();
    match value {
        Value::Array(list) => below(list.iter().collect()),
        Value::Object(map) => {
            let mut all: Vec<_> = below(map.values().collect());
            all.insert(0, value);
            all
        }
        _ => Vec::new(),
    }
}

fn has_type(object: &Value, name: &str) -> bool {
    object["@type"].as_str().is_some_and(|found| found.ends_with(&format!(".{name}")))
}

/// The connection managers of an example that run the filter.
pub fn managers(example: &Example) -> Vec<&Value> {
    let runs_it = |manager: &&Value| {
        let filters = objects(&manager["http_filters"]);
        filters.iter().any(|filter| filter["config"]["name"] == "tollgate")
    };
    let all = objects(&example.value).into_iter();
    all.filter(|object| has_type(object, "HttpConnectionManager")).filter(runs_it).collect()
}

/// The configurations of the filter in a value, as Envoy, Istio and Envoy Gateway write them.
pub fn configurations(value: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    for object in objects(value) {
        if has_type(object, "StringValue") {
            found.push(serde_json::from_str(object["value"].as_str().unwrap()).unwrap());
        }
        let bare = object.get("pluginConfig").or(object.get("config"));
        found.extend(bare.filter(|config| config.get("providers").is_some()).cloned());
    }
    found
}
