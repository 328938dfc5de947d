//! Reads the values of a document into types. Each type reads itself from a [`Value`], notes a value
//! that does not fit, and describes itself in JSON Schema on native builds.
//!
//! Everything that does not depend on the type is a plain function, because generic readers of a
//! hundred members were a quarter of the module.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::nearest::{alternatives, nearest};
use crate::config::report::{At, Report, quoted};

/// A type that a value of the document can have.
pub(in crate::config) trait Read: Sized {
    /// Reads the value; `None`, with a problem, if the value does not fit.
    fn read(value: &Value, at: &At, report: &mut Report) -> Option<Self>;

    /// The JSON Schema of the type. The schema of an object is added to `definitions` and referred to.
    #[cfg(any(feature = "cli", test))]
    fn schema(definitions: &mut Map<String, Value>) -> Value;
}

/// Reads a member if it is given.
pub(super) fn member<T: Read>(
    object: &Map<String, Value>,
    name: &str,
    at: &At,
    report: &mut Report,
) -> Option<T> {
    let value = object.get(name)?;
    T::read(value, &at.field(name), report)
}

/// The members of an object; a member that is not in `names` is a problem.
#[cold]
pub(super) fn object<'v>(
    value: &'v Value,
    names: &[&str],
    at: &At,
    report: &mut Report,
) -> Option<&'v Map<String, Value>> {
    let Value::Object(object) = value else {
        let listed = names.join(", ");
        if at.is_root() {
            wrong(value, "an object: the configuration", at, report);
        } else {
            wrong(value, &["an object with ", &listed].concat(), at, report);
        }
        return None;
    };
    for name in object.keys() {
        if !names.contains(&name.as_str()) {
            let hint = nearest(name, names);
            let listed = alternatives(names);
            report.problem(
                &at.field(name),
                format_args!("unknown field `{name}`{hint}; expected {listed}"),
            );
        }
    }
    Some(object)
}

/// The position of a word in the list of allowed words.
#[cold]
pub(super) fn word(value: &Value, words: &[&str], at: &At, report: &mut Report) -> Option<usize> {
    let found = value.as_str().and_then(|text| words.iter().position(|word| *word == text));
    if found.is_none() {
        wrong(value, &alternatives(words), at, report);
    }
    found
}

/// The entries of a list.
#[cold]
pub(super) fn list<'v>(
    value: &'v Value,
    expected: &str,
    at: &At,
    report: &mut Report,
) -> Option<&'v [Value]> {
    let Value::Array(list) = value else {
        no_list(value, expected, at, report);
        return None;
    };
    Some(list)
}

/// Notes that a value is not a list, and shows it as the entry of one.
#[cold]
pub(super) fn no_list(value: &Value, expected: &str, at: &At, report: &mut Report) {
    match value {
        Value::String(text) if !at.is_secret() => {
            wrong(value, &[expected, ": [", &quoted(text), "]"].concat(), at, report);
        }
        Value::Object(_) => wrong(value, &[expected, ": [{…}]"].concat(), at, report),
        _ => wrong(value, expected, at, report),
    }
}

/// Notes that a value does not fit.
#[cold]
pub(super) fn wrong(value: &Value, expected: &str, at: &At, report: &mut Report) {
    let found = match value {
        // A section whose content is commented out must not silently become its default.
        Value::Null => {
            let message = "is null; write a value, or leave the member out for its default";
            return report.problem(at, message);
        }
        Value::Bool(true) => "true".to_owned(),
        Value::Bool(false) => "false".to_owned(),
        Value::Number(number) => number.to_string(),
        // In place of a key, a text of the wrong type may be a secret.
        Value::String(_) if at.is_secret() => "a text".to_owned(),
        Value::String(text) => quoted(text),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    };
    report.problem(at, ["is ", &found, ", expected ", expected].concat());
}

impl Read for String {
    fn read(value: &Value, at: &At, report: &mut Report) -> Option<Self> {
        text(value, "a text", at, report)
    }

    #[cfg(any(feature = "cli", test))]
    fn schema(_: &mut Map<String, Value>) -> Value {
        serde_json::json!({ "type": "string" })
    }
}

/// The value of a text.
#[cold]
pub(super) fn text(value: &Value, expected: &str, at: &At, report: &mut Report) -> Option<String> {
    if let Value::String(text) = value {
        return Some(text.clone());
    }
    wrong(value, expected, at, report);
    None
}

impl Read for bool {
    #[cold]
    fn read(value: &Value, at: &At, report: &mut Report) -> Option<Self> {
        if let Value::Bool(value) = value {
            return Some(*value);
        }
        wrong(value, "a boolean: true or false", at, report);
        None
    }

    #[cfg(any(feature = "cli", test))]
    fn schema(_: &mut Map<String, Value>) -> Value {
        serde_json::json!({ "type": "boolean" })
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(value: &Value, at: &At, report: &mut Report) -> Option<Self> {
        let list = list(value, "a list", at, report)?;
        let entries = list.iter().enumerate();
        // A wrong entry is a problem, so that the document is refused.
        Some(entries.filter_map(|(i, value)| T::read(value, &at.index(i), report)).collect())
    }

    #[cfg(any(feature = "cli", test))]
    fn schema(definitions: &mut Map<String, Value>) -> Value {
        serde_json::json!({ "type": "array", "items": T::schema(definitions) })
    }
}

impl Read for BTreeMap<String, String> {
    #[cold]
    fn read(value: &Value, at: &At, report: &mut Report) -> Option<Self> {
        let Value::Object(object) = value else {
            wrong(value, "an object of names and texts", at, report);
            return None;
        };
        let mut map = BTreeMap::new();
        for (name, value) in object {
            if let Some(value) = String::read(value, &at.field(name), report) {
                map.insert(name.clone(), value);
            }
        }
        Some(map)
    }

    #[cfg(any(feature = "cli", test))]
    fn schema(_: &mut Map<String, Value>) -> Value {
        serde_json::json!({ "type": "object", "additionalProperties": { "type": "string" } })
    }
}
