//! Numbers, sizes, durations and rates as written.

use serde_json::Value;
#[cfg(any(feature = "cli", test))]
use serde_json::{Map, json};

#[cfg(any(feature = "cli", test))]
use super::json::definition;
use super::read::{self, Read};
use crate::config::report::{At, Report};

/// A whole number that is not negative. A double without a fraction counts as well, because a document
/// that went through a protobuf `Struct` contains only doubles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) struct Count(pub(in crate::config) u64);

/// Bytes, or a text such as `64KiB`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) enum Size {
    /// A number of bytes.
    Bytes(u64),
    /// A text, not parsed yet.
    Text(String),
}

/// The text of a duration, not parsed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct DurationText(pub(in crate::config) String);

/// The text of a rate, not parsed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct RateText(pub(in crate::config) String);

/// The whole number of a value; `None` for a double with a fraction or above 2^53, the largest number
/// that a double holds exactly.
pub(super) fn whole(value: &Value) -> Option<u64> {
    let Value::Number(number) = value else { return None };
    number.as_u64().or_else(|| {
        let number = number.as_f64()?;
        // A conversion that cuts off a fraction does not lead back to the same number.
        let cut = number as u64;
        let fits = number <= 9_007_199_254_740_992.0 && cut as f64 == number;
        fits.then_some(cut)
    })
}

impl Read for Count {
    #[cold]
    fn read(value: &Value, at: &At, report: &mut Report) -> Option<Self> {
        let count = whole(value).map(Self);
        if count.is_none() {
            read::wrong(value, "a whole number", at, report);
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
        read::text(value, expected, at, report).map(Self::Text)
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
        definition("size", size, definitions)
    }
}

impl Read for DurationText {
    fn read(value: &Value, at: &At, report: &mut Report) -> Option<Self> {
        let expected = "a duration: a text such as `500ms`, `5s`, `10m` or `1h`";
        read::text(value, expected, at, report).map(Self)
    }

    #[cfg(any(feature = "cli", test))]
    fn schema(definitions: &mut Map<String, Value>) -> Value {
        let duration = json!({
            "description": "A duration: a whole number with ms, s, m or h, as in 500ms, 10m, 24h.",
            "type": "string",
            "pattern": "^[0-9]+(ms|s|m|h)$",
        });
        definition("duration", duration, definitions)
    }
}

impl Read for RateText {
    fn read(value: &Value, at: &At, report: &mut Report) -> Option<Self> {
        let expected = "a rate: a text such as `10/s` or `100/15m`";
        read::text(value, expected, at, report).map(Self)
    }

    #[cfg(any(feature = "cli", test))]
    fn schema(definitions: &mut Map<String, Value>) -> Value {
        let rate = json!({
            "description": "A rate: N per second, minute, hour, day or duration, as in 10/s, \
                            100/15m.",
            "type": "string",
            "pattern": "^[0-9]*[1-9][0-9]*/(s|m|h|d|[0-9]*[1-9][0-9]*(ms|s|m|h))$",
        });
        definition("rate", rate, definitions)
    }
}
