//! Reads the JSON values of claims.

use std::borrow::Cow;

use serde_json::Number;

use super::json::Json;

/// Whether a double distinguishes the number from its neighbours: integers up to 2^53, and doubles
/// below it.
pub(super) fn is_exact(number: &Number) -> bool {
    const EXACT: u64 = 1 << 53;
    let whole = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
    let double = |n: f64| n.abs() < 9_007_199_254_740_992.0;
    whole.map_or_else(|| number.as_f64().is_some_and(double), |n| n <= EXACT)
}

/// The text of a string, number or boolean.
pub(super) fn scalar(value: Json<'_>) -> Option<Cow<'_, str>> {
    if let Some(text) = value.as_str() {
        return Some(Cow::Borrowed(text));
    }
    if let Some(value) = value.as_bool() {
        return Some(Cow::Borrowed(if value { "true" } else { "false" }));
    }
    // Several numbers in the token parse to one double.
    let number = value.as_number().filter(|number| !number.is_f64() || is_exact(number))?;
    Some(Cow::Owned(number.to_string()))
}
