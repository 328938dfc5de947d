//! How the values of a document get their types: each type reads itself from a [`Value`], notes
//! what it cannot be, and says on native builds what it is in JSON Schema.
//!
//! Everything that does not depend on the type is a plain function here, because generic readers
//! of a hundred members were a quarter of the module.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::config::report::{At, Report, quoted};

/// A type that a value of the document can have.
pub(in crate::config) trait Read: Sized {
    /// Reads the value; `None` when it is something else, which is then noted.
    fn read(value: &Value, at: &At, report: &mut Report) -> Option<Self>;

    /// The JSON Schema of the type; objects put theirs into `definitions` and refer to it.
    #[cfg(any(feature = "cli", test))]
    fn schema(definitions: &mut Map<String, Value>) -> Value;
}

/// Declares an object of the contract once: the struct, its reader and its schema.
///
/// A member is `name: Type`, or `field = "name": Type` where the name is a word of Rust, and may be
/// followed by what JSON Schema says of it beside its type, with two words of our own: `required`,
/// and `bounds`, which become the end of its description. Members are optional in the struct even
/// where the contract requires them, so that everything missing is reported at once by the
/// compiler.
macro_rules! record {
    (
        $(#[doc = $about:literal])*
        $type:ident $({ $($extra:tt)* })? [
            $(
                $(#[doc = $doc:literal])*
                $field:ident $(= $name:literal)?: $of:ty $({ $($keyword:tt)* })?
            ),* $(,)?
        ]
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Default)]
        pub(in crate::config) struct $type {
            $($(#[doc = $doc])* pub(in crate::config) $field: Option<$of>,)*
        }

        impl $crate::config::schema::record::Read for $type {
            fn read(
                value: &serde_json::Value,
                at: &$crate::config::report::At,
                report: &mut $crate::config::report::Report,
            ) -> Option<Self> {
                use $crate::config::schema::record;
                const NAMES: &[&str] = &[$(record::name!($field $($name)?)),*];
                let object = record::object(value, NAMES, at, report)?;
                Some(Self {
                    $($field: record::member(object, record::name!($field $($name)?), at, report),)*
                })
            }

            #[cfg(any(feature = "cli", test))]
            fn schema(
                definitions: &mut serde_json::Map<String, serde_json::Value>,
            ) -> serde_json::Value {
                use $crate::config::schema::{json, record};
                let extra = serde_json::json!({ $($($extra)*)? });
                json::object(stringify!($type), &[$($about),*], extra, definitions, |definitions| {
                    vec![$((
                        record::name!($field $($name)?),
                        &[$($doc),*],
                        <$of as record::Read>::schema(definitions),
                        serde_json::json!({ $($($keyword)*)? }),
                    )),*]
                })
            }
        }
    };
}

/// The name of a member: that of its field, unless it has another.
macro_rules! name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $name:literal) => {
        $name
    };
}

/// Declares a closed set of words.
macro_rules! words {
    ($(#[doc = $about:literal])* $type:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        $(#[doc = $about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(in crate::config) enum $type {
            $(#[doc = $word] $variant),+
        }

        impl $crate::config::schema::record::Read for $type {
            fn read(
                value: &serde_json::Value,
                at: &$crate::config::report::At,
                report: &mut $crate::config::report::Report,
            ) -> Option<Self> {
                use $crate::config::schema::record;
                let index = record::word(value, &[$($word),+], at, report)?;
                [$(Self::$variant),+].get(index).copied()
            }

            #[cfg(any(feature = "cli", test))]
            fn schema(
                _: &mut serde_json::Map<String, serde_json::Value>,
            ) -> serde_json::Value {
                serde_json::json!({ "enum": [$($word),+] })
            }
        }
    };
}

pub(super) use {name, record, words};

/// Reads a member where it is given.
pub(super) fn member<T: Read>(
    object: &Map<String, Value>,
    name: &str,
    at: &At,
    report: &mut Report,
) -> Option<T> {
    let value = object.get(name)?;
    T::read(value, &at.field(name), report)
}

/// The members of an object; those that are not among `names` are noted.
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
                format_args!("unknown field `{name}`{hint}, expected {listed}"),
            );
        }
    }
    Some(object)
}

/// The position of a word among those that are allowed.
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
        wrong(value, expected, at, report);
        return None;
    };
    Some(list)
}

/// Notes that a value is not what it should be.
#[cold]
pub(super) fn wrong(value: &Value, expected: &str, at: &At, report: &mut Report) {
    let found = match value {
        // A section whose content is commented out must not silently become its default.
        Value::Null => {
            let message = "null is not a value here; leave the member out to have its default";
            return report.problem(at, message);
        }
        Value::Bool(true) => "true".to_owned(),
        Value::Bool(false) => "false".to_owned(),
        Value::Number(number) => number.to_string(),
        // Where keys are written, a text of the wrong type may be one.
        Value::String(_) if at.is_secret() => "a text".to_owned(),
        Value::String(text) => quoted(text),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    };
    report.problem(at, ["is ", &found, ", expected ", expected].concat());
}

/// `` `a` ``, `` `a` or `b` ``, or `` one of `a`, `b`, `c` ``.
fn alternatives(names: &[&str]) -> String {
    match names {
        [a, b] => ["`", a, "` or `", b, "`"].concat(),
        [a] => ["`", a, "`"].concat(),
        _ => ["one of `", &names.join("`, `"), "`"].concat(),
    }
}

/// Where the name is a slip of the pen, what was meant. In a proxy's log the list is enough.
fn nearest(name: &str, names: &[&str]) -> String {
    if cfg!(target_family = "wasm") || name.len() > 64 {
        return String::new();
    }
    let nearest = names.iter().map(|known| (distance(name, known), known)).min();
    match nearest {
        Some((1..=2, known)) => [" (is `", known, "` meant?)"].concat(),
        _ => String::new(),
    }
}

/// How many bytes must be added, removed or changed to make one name the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (index, a) in a.bytes().enumerate() {
        let mut above_left = index;
        let mut left = index.saturating_add(1);
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, b) in row.iter_mut().skip(1).zip(b.bytes()) {
            let changed = above_left.saturating_add(usize::from(a != b));
            above_left = *cell;
            left = changed.min(left.min(above_left).saturating_add(1));
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
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

/// A copy of a text.
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
        // An entry that is wrong is noted, and then nothing of the document is used.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_was_mistyped_is_recognised() {
        let names = ["issuers", "audiences", "keys"];
        for (name, known) in [
            ("issuer", "issuers"),
            ("isuers", "issuers"),
            ("audience", "audiences"),
            ("key", "keys"),
        ] {
            assert_eq!(nearest(name, &names), format!(" (is `{known}` meant?)"));
        }
        for name in ["", "issue_time", "x", "issuers".repeat(20).as_str()] {
            assert_eq!(nearest(name, &names), "");
        }
    }

    #[test]
    fn the_distance_of_two_names_is_the_fewest_changes() {
        for (a, b, want) in
            [("", "", 0), ("a", "", 1), ("", "ab", 2), ("kitten", "sitting", 3), ("abc", "abc", 0)]
        {
            assert_eq!((distance(a, b), distance(b, a)), (want, want), "{a} {b}");
        }
    }
}
