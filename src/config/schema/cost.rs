//! `cost` as written.

use serde_json::Value;
#[cfg(any(feature = "cli", test))]
use serde_json::{Map, json};

use super::read::{self, Read};
use super::record::record;
use super::units::{self, Count};
use crate::config::report::{At, Report};

/// `cost`.
#[derive(Debug)]
pub(in crate::config) enum RawCost {
    /// The same number for each request.
    Fixed(u64),
    /// A number in the request.
    From(RawCostFrom),
}

impl Read for RawCost {
    fn read(value: &Value, at: &At, report: &mut Report) -> Option<Self> {
        if let Value::Object(_) = value {
            return RawCostFrom::read(value, at, report).map(Self::From);
        }
        let cost = units::whole(value).map(Self::Fixed);
        if cost.is_none() {
            let expected = "a whole number, or an object with header or json_rows";
            read::wrong(value, expected, at, report);
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

record! {
    /// The source of the cost: exactly one of `header` and `json_rows`.
    RawCostFrom { "minProperties": 2, "maxProperties": 2 } [
        /// The name of a request header that holds a number.
        header: String { "examples": ["x-batch"] },
        /// JSON Pointers into the body. The filter counts the rows at each pointer and uses the
        /// largest count. An array counts its length, an object of arrays or objects its longest
        /// member, V2 tensors the largest first dimension of their `shape`; any other value except
        /// `null` is refused (`payload_malformed`). A body that is an array counts its length, a
        /// `text/csv` body its records without the header, and a body without rows costs `max`.
        json_rows: Vec<String> { "minItems": 1, "examples": [["/input_data/data", "/data"]] },
        /// The maximum cost of one request.
        max: Count { "required": true, "minimum": 1, "maximum": 1_000_000_000, "examples": [1000] },
    ]
}
