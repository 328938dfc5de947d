//! Values that may have more than one JSON type, as written.

use std::fmt;

use serde_json::Value;
#[cfg(any(feature = "cli", test))]
use serde_json::{Map, json};

use super::read::{self, Read};
use super::units::Count;
use crate::config::report::{At, Report};

/// A list of texts, or the word `any`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) enum AnyOr {
    /// The word.
    Any,
    /// The list.
    Only(Vec<String>),
}

/// A text, or a list of texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) enum OneOrMore {
    /// One text.
    One(String),
    /// The list.
    More(Vec<String>),
}

/// A text, a number or a boolean.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::config) struct Scalar(pub(in crate::config) Value);

/// Names and their prices, in the order of the names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct Prices(pub(in crate::config) Vec<(String, Count)>);

/// A JSON value that may contain key material and is therefore never printed.
pub(in crate::config) struct Secret(pub(in crate::config) Value);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Read for AnyOr {
    #[cold]
    fn read(value: &Value, at: &At, report: &mut Report) -> Option<Self> {
        match value {
            Value::String(text) if text == "any" => Some(Self::Any),
            Value::Array(_) => Read::read(value, at, report).map(Self::Only),
            _ => {
                read::no_list(value, "the word `any`, or a list", at, report);
                None
            }
        }
    }

    #[cfg(any(feature = "cli", test))]
    fn schema(_: &mut Map<String, Value>) -> Value {
        json!({ "oneOf": [
            { "const": "any" },
            { "type": "array", "items": { "type": "string", "minLength": 1 }, "minItems": 1 },
        ]})
    }
}

impl Read for OneOrMore {
    #[cold]
    fn read(value: &Value, at: &At, report: &mut Report) -> Option<Self> {
        if let Value::Array(_) = value {
            return Read::read(value, at, report).map(Self::More);
        }
        read::text(value, "a text, or a list of texts", at, report).map(Self::One)
    }

    #[cfg(any(feature = "cli", test))]
    fn schema(_: &mut Map<String, Value>) -> Value {
        json!({ "oneOf": [
            { "type": "string", "minLength": 1 },
            { "type": "array", "items": { "type": "string", "minLength": 1 }, "minItems": 1 },
        ]})
    }
}

impl Read for Scalar {
    #[cold]
    fn read(value: &Value, at: &At, report: &mut Report) -> Option<Self> {
        if let Value::Bool(_) | Value::Number(_) | Value::String(_) = value {
            return Some(Self(value.clone()));
        }
        read::wrong(value, "a text, a number, true or false", at, report);
        None
    }

    #[cfg(any(feature = "cli", test))]
    fn schema(_: &mut Map<String, Value>) -> Value {
        json!({ "type": ["string", "number", "boolean"] })
    }
}

impl Read for Prices {
    #[cold]
    fn read(value: &Value, at: &At, report: &mut Report) -> Option<Self> {
        let Value::Object(object) = value else {
            read::wrong(value, "an object of names and prices", at, report);
            return None;
        };
        let price = |(name, value): (&String, &Value)| {
            Some((name.clone(), Count::read(value, &at.field(name), report)?))
        };
        Some(Self(object.iter().filter_map(price).collect()))
    }

    #[cfg(any(feature = "cli", test))]
    fn schema(_: &mut Map<String, Value>) -> Value {
        json!({
            "type": "object",
            "minProperties": 1,
            "propertyNames": { "minLength": 1, "maxLength": 256 },
            "additionalProperties": { "type": "integer", "minimum": 1, "maximum": 1_000_000 },
        })
    }
}

impl Read for Secret {
    fn read(value: &Value, _: &At, _: &mut Report) -> Option<Self> {
        Some(Self(value.clone()))
    }

    #[cfg(any(feature = "cli", test))]
    fn schema(_: &mut Map<String, Value>) -> Value {
        json!({ "type": "object" })
    }
}
