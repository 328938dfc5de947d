//! Values of the contract that may have more than one JSON type, and texts with a meaning.

use std::fmt;

use serde_json::Value;
#[cfg(any(feature = "cli", test))]
use serde_json::{Map, json};

use super::record::{self, Read};
use super::{RawCostFrom, RawResource};
use crate::config::report::{At, Report};

/// A list of texts, or the word `any`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) enum AnyOr {
    /// The word.
    Any,
    /// The list.
    Only(Vec<String>),
}

/// A whole number that is not negative.
///
/// A number written as a double is one, too, when it is whole: a document that went through a
/// protobuf `Struct` has no other numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) struct Count(pub(in crate::config) u64);

/// Bytes, or a text such as `64KiB`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) enum Size {
    /// A number.
    Bytes(u64),
    /// A text, not read yet.
    Text(String),
}

/// A text that should be a duration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct DurationText(pub(in crate::config) String);

/// A text that should be a rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct RateText(pub(in crate::config) String);

/// `cost`.
#[derive(Debug)]
pub(in crate::config) enum RawCost {
    /// The same for each request.
    Fixed(u64),
    /// Found in the request.
    From(RawCostFrom),
}

/// `responses.resource_metadata`.
#[derive(Debug)]
pub(in crate::config) enum RawMetadata {
    /// The URL of the one document.
    Url(String),
    /// Several resources.
    List(Vec<RawResource>),
}

/// A text, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) enum OneOrMore {
    /// One text.
    One(String),
    /// The list.
    More(Vec<String>),
}

/// A text, a number or a truth value.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::config) struct Scalar(pub(in crate::config) Value);

/// A JSON value that may hold key material and therefore does not print.
pub(in crate::config) struct Secret(pub(in crate::config) Value);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// The number that a value is; a double counts when it is whole and within what a double holds
/// exactly (2^53).
fn whole(value: &Value) -> Option<u64> {
    let Value::Number(number) = value else { return None };
    number.as_u64().or_else(|| {
        let number = number.as_f64()?;
        // What is cut off by the conversion is gone when the number comes back.
        let cut = number as u64;
        let fits = number <= 9_007_199_254_740_992.0 && cut as f64 == number;
        fits.then_some(cut)
    })
}

impl Read for AnyOr {
    #[cold]
    fn read(value: &Value, at: &At, report: &mut Report) -> Option<Self> {
        match value {
            Value::String(text) if text == "any" => Some(Self::Any),
            Value::Array(_) => Read::read(value, at, report).map(Self::Only),
            _ => {
                record::wrong(value, "a list of texts, or the word `any`", at, report);
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

impl Read for Count {
    #[cold]
    fn read(value: &Value, at: &At, report: &mut Report) -> Option<Self> {
        let count = whole(value).map(Self);
        if count.is_none() {
            record::wrong(value, "a whole number", at, report);
        }
        count
    }

    #[cfg(any(feature = "cli", test))]
    fn schema(_: &mut Map<String, Value>) -> Value {
        json!({ "type": "integer", "minimum": 0 })
    }
}

impl Read for Size {
    #[cold]
    fn read(value: &Value, at: &At, report: &mut Report) -> Option<Self> {
        if let Some(bytes) = whole(value) {
            return Some(Self::Bytes(bytes));
        }
        let expected = "a size: bytes, or a text such as `64KiB` or `1MiB`";
        record::text(value, expected, at, report).map(Self::Text)
    }

    #[cfg(any(feature = "cli", test))]
    fn schema(definitions: &mut Map<String, Value>) -> Value {
        let size = json!({
            "description": "A size: bytes, or a text in KiB or MiB.",
            "oneOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": "^[0-9]+(KiB|MiB)?$" },
            ],
        });
        super::json::definition("size", size, definitions)
    }
}

impl Read for DurationText {
    fn read(value: &Value, at: &At, report: &mut Report) -> Option<Self> {
        let expected = "a duration: a text such as `500ms`, `5s`, `10m` or `1h`";
        record::text(value, expected, at, report).map(Self)
    }

    #[cfg(any(feature = "cli", test))]
    fn schema(definitions: &mut Map<String, Value>) -> Value {
        let duration = json!({
            "description": "A duration: a whole number with ms, s, m or h, as in 500ms, 10m, 24h.",
            "type": "string",
            "pattern": "^[0-9]+(ms|s|m|h)$",
        });
        super::json::definition("duration", duration, definitions)
    }
}

impl Read for RateText {
    fn read(value: &Value, at: &At, report: &mut Report) -> Option<Self> {
        let expected = "a rate: a text such as `10/s` or `100/15m`";
        record::text(value, expected, at, report).map(Self)
    }

    #[cfg(any(feature = "cli", test))]
    fn schema(definitions: &mut Map<String, Value>) -> Value {
        let rate = json!({
            "description": "A rate: N per second, minute, hour, day or duration, as in 10/s, \
                            100/15m.",
            "type": "string",
            "pattern": "^[0-9]*[1-9][0-9]*/(s|m|h|d|[0-9]*[1-9][0-9]*(ms|s|m|h))$",
        });
        super::json::definition("rate", rate, definitions)
    }
}

impl Read for RawCost {
    fn read(value: &Value, at: &At, report: &mut Report) -> Option<Self> {
        if let Value::Object(_) = value {
            return RawCostFrom::read(value, at, report).map(Self::From);
        }
        let cost = whole(value).map(Self::Fixed);
        if cost.is_none() {
            let expected = "a whole number, or an object with header or json_rows";
            record::wrong(value, expected, at, report);
        }
        cost
    }

    #[cfg(any(feature = "cli", test))]
    fn schema(definitions: &mut Map<String, Value>) -> Value {
        json!({ "oneOf": [
            { "type": "integer", "minimum": 1, "maximum": 1_000_000_000 },
            RawCostFrom::schema(definitions),
        ]})
    }
}

impl Read for RawMetadata {
    fn read(value: &Value, at: &At, report: &mut Report) -> Option<Self> {
        if let Value::Array(_) = value {
            return Read::read(value, at, report).map(Self::List);
        }
        record::text(value, "a URL, or a list of resources", at, report).map(Self::Url)
    }

    #[cfg(any(feature = "cli", test))]
    fn schema(definitions: &mut Map<String, Value>) -> Value {
        json!({ "oneOf": [
            { "type": "string" },
            { "type": "array", "items": RawResource::schema(definitions), "minItems": 1 },
        ]})
    }
}

impl Read for OneOrMore {
    #[cold]
    fn read(value: &Value, at: &At, report: &mut Report) -> Option<Self> {
        if let Value::Array(_) = value {
            return Read::read(value, at, report).map(Self::More);
        }
        record::text(value, "a text, or a list of texts", at, report).map(Self::One)
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
        record::wrong(value, "a text, a number, true or false", at, report);
        None
    }

    #[cfg(any(feature = "cli", test))]
    fn schema(_: &mut Map<String, Value>) -> Value {
        json!({ "type": ["string", "number", "boolean"] })
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
