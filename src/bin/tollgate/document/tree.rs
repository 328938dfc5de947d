//! Walks values in protobuf's JSON form, which allows two spellings of each field.

use serde_json::Value;

/// A field by its `snake_case` name, in either spelling.
pub fn field<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    value.get(name).or_else(|| value.get(camel(name))).filter(|value| !value.is_null())
}

/// A field below fields.
pub fn at<'v>(value: &'v Value, names: &[&str]) -> Option<&'v Value> {
    names.iter().try_fold(value, |value, name| field(value, name))
}

/// The text of a field below fields.
pub fn text<'v>(value: &'v Value, names: &[&str]) -> Option<&'v str> {
    at(value, names)?.as_str()
}

/// The items of a list below fields; empty if there is no list.
pub fn items<'v>(value: &'v Value, names: &[&str]) -> impl Iterator<Item = &'v Value> + use<'v> {
    at(value, names).and_then(Value::as_array).into_iter().flatten()
}

/// The path of a member.
pub fn member(path: &str, name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '@' | '/');
    match (path.is_empty(), name.chars().all(plain) && !name.is_empty()) {
        (true, true) => name.to_owned(),
        (false, true) => format!("{path}.{name}"),
        (_, false) => format!("{path}[{name:?}]"),
    }
}

/// `per_connection_buffer_limit_bytes` → `perConnectionBufferLimitBytes`.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut out = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    out
}
