//! Tests of single claims, and of single values in the body.

use serde_json::{Number, Value};

use crate::template::ClaimRef;
use crate::verify::json::Json;

/// A test of one claim.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimTest {
    /// The location of the claim.
    pub claim: ClaimRef,
    /// The required value.
    pub test: Test,
}

/// A test of one value in the body of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct BodyTest {
    /// The reference tokens of the JSON Pointer to the value.
    pub pointer: Vec<String>,
    /// The required value; not [`Test::Contains`].
    pub test: Test,
}

/// A requirement on a claim. Values are strings, numbers or booleans, and their JSON types must be
/// equal: `1` and `"1"` differ, `1` and `1.0` do not.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Exactly this value.
    Equals(Value),
    /// One of these values, or an array that contains one of them.
    AnyOf(Vec<Value>),
    /// An array with this item.
    Contains(Value),
    /// Present and not `null` (`true`), or absent (`false`).
    Exists(bool),
}

impl Test {
    /// Whether the test holds for a value of which only its presence is known.
    pub(crate) fn holds_for_presence(&self, present: bool) -> bool {
        matches!(self, Self::Exists(wanted) if *wanted == present)
    }

    /// Whether the test holds for a string, number or boolean.
    pub(crate) fn holds_for_scalar(&self, given: &Value) -> bool {
        match self {
            Self::Exists(wanted) => *wanted,
            Self::Equals(wanted) => same(wanted, given),
            Self::AnyOf(wanted) => wanted.iter().any(|wanted| same(wanted, given)),
            Self::Contains(_) => false,
        }
    }

    /// Whether the test holds for a claim.
    pub(super) fn holds(&self, given: Option<Json<'_>>) -> bool {
        let contains = |given: Json<'_>, wanted: &Value| {
            given.items().is_some_and(|mut items| items.any(|item| is(item, wanted)))
        };
        match (self, given) {
            (Self::Exists(wanted), given) => given.is_some_and(|v| !v.is_null()) == *wanted,
            (_, None) => false,
            (Self::Equals(wanted), Some(given)) => is(given, wanted),
            (Self::AnyOf(wanted), Some(given)) => {
                wanted.iter().any(|wanted| is(given, wanted) || contains(given, wanted))
            }
            (Self::Contains(wanted), Some(given)) => contains(given, wanted),
        }
    }
}

/// Whether a claim is this scalar.
fn is(given: Json<'_>, wanted: &Value) -> bool {
    match wanted {
        Value::String(wanted) => given.as_str() == Some(wanted),
        Value::Bool(wanted) => given.as_bool() == Some(*wanted),
        Value::Number(wanted) => given.as_number().is_some_and(|given| same_number(wanted, &given)),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

/// Whether two scalars are the same value of the same JSON type.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => same_number(a, b),
        (Value::String(_) | Value::Bool(_), _) => a == b,
        _ => false,
    }
}

/// Whether two numbers are the same. All numbers of a document that passed through a protobuf `Struct` are
/// doubles, so that `1` may become `1.0`. A double above 2^53 is not exact, so there only equal spellings are
/// equal.
fn same_number(a: &Number, b: &Number) -> bool {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if a.is_f64() == b.is_f64() {
        return a == b;
    }
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a.abs() <= EXACT && a == b,
        _ => false,
    }
}
