//! Tests of single claims, and of single values in the body.

use std::ops::Deref;

use serde_json::{Number, Value};

use crate::lookup::Texts;
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
    AnyOf(Values),
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
            Self::AnyOf(wanted) => wanted.have(given),
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
                wanted.have_claim(given)
                    || given.items().is_some_and(|mut items| items.any(|i| wanted.have_claim(i)))
            }
            (Self::Contains(wanted), Some(given)) => contains(given, wanted),
        }
    }
}

/// Some strings, numbers or booleans. The strings are found however many there are.
#[derive(Clone, Debug)]
pub struct Values {
    list: Vec<Value>,
    texts: Texts,
}

impl Values {
    /// The strings, if there are no others.
    pub(super) fn texts(&self) -> Option<&[String]> {
        (self.texts.len() == self.list.len()).then_some(&self.texts)
    }

    fn have(&self, given: &Value) -> bool {
        match given {
            Value::String(given) => self.texts.has(given),
            given => self.list.iter().any(|wanted| same(wanted, given)),
        }
    }

    fn have_claim(&self, given: Json<'_>) -> bool {
        match given.as_str() {
            Some(given) => self.texts.has(given),
            None => self.list.iter().any(|wanted| is(given, wanted)),
        }
    }
}

impl From<Vec<Value>> for Values {
    fn from(list: Vec<Value>) -> Self {
        let mut texts = Vec::new();
        for value in &list {
            texts.extend(value.as_str().map(str::to_owned));
        }
        Self { list, texts: texts.into() }
    }
}

impl PartialEq for Values {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

impl Deref for Values {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.list
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
