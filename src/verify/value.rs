//! Reads the JSON values of claims.

use std::borrow::Cow;

use serde_json::{Number, Value};

/// One step of a JSON Pointer (RFC 6901 §4): a member of an object, or an item of an array by its
/// index without leading zeros.
pub(super) fn step<'v>(value: &'v Value, token: &str) -> Option<&'v Value> {
    match value {
        Value::Object(members) => members.get(token),
        Value::Array(items) => {
            let digits = token.bytes().all(|byte| byte.is_ascii_digit());
            let canonical = token == "0" || !token.starts_with('0');
            if digits && canonical { items.get(token.parse::<usize>().ok()?) } else { None }
        }
        _ => None,
    }
}

/// Whether a double distinguishes the number from its neighbours: integers up to 2^53, and doubles
/// below it.
pub(super) fn is_exact(number: &Number) -> bool {
    const EXACT: u64 = 1 << 53;
    let whole = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
    let double = |n: f64| n.abs() < 9_007_199_254_740_992.0;
    whole.map_or_else(|| number.as_f64().is_some_and(double), |n| n <= EXACT)
}

/// The text of a string, number or boolean.
pub(super) fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        // Several numbers in the token parse to this double.
        Value::Number(number) if number.is_f64() && !is_exact(number) => None,
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(true) => Some(Cow::Borrowed("true")),
        Value::Bool(false) => Some(Cow::Borrowed("false")),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
