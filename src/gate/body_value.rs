//! `{@body:/pointer}`: the text of a value in the body.

use serde_json::Value;

use crate::verify::json;

/// The longest text, bytes.
const MOST: usize = 256;

/// The text of a string, number or boolean in JSON. Numbers have one text however they are written: `1` for `1.0`
/// and `10e-1`. A number that a double cannot represent exactly has none, because servers read it in different
/// ways (RFC 8259 §6).
pub(super) fn text(value: &[u8]) -> Option<String> {
    let text = match scalar(value)? {
        Value::String(text) => text,
        Value::Number(number) => {
            let double = number.as_f64()?;
            #[allow(clippy::cast_possible_truncation)] // It is whole and below 2^53.
            let whole = double as i64;
            if whole as f64 == double { whole.to_string() } else { number.to_string() }
        }
        Value::Bool(value) => value.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    (text.len() <= MOST).then_some(text)
}

/// A string, number or boolean in JSON with one meaning for all servers.
pub(super) fn scalar(value: &[u8]) -> Option<Value> {
    match json::parse(value)? {
        Value::Number(number) => {
            let exact = number.as_f64().is_some_and(|n| n.abs() < 9_007_199_254_740_992.0);
            exact.then_some(Value::Number(number))
        }
        Value::String(text) => (text.len() <= MOST).then_some(Value::String(text)),
        Value::Bool(value) => Some(Value::Bool(value)),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_numbers_and_booleans_have_one_text_each() {
        for (json, want) in [
            (r#""gpt-5""#, Some("gpt-5")),
            (r#""""#, Some("")),
            (r#""\u0067pt\n\ud83d\ude00""#, Some("gpt\n😀")),
            ("true", Some("true")),
            ("false", Some("false")),
            ("7", Some("7")),
            ("7.0", Some("7")),
            ("70e-1", Some("7")),
            ("-0", Some("0")),
            ("-0.0", Some("0")),
            ("0.70", Some("0.7")),
            ("9007199254740991", Some("9007199254740991")),
            ("9007199254740992", None),
            ("9007199254740993", None),
            ("1e300", None),
            ("null", None),
            ("[]", None),
            ("{}", None),
            ("", None),
            (r#""cut"#, None),
        ] {
            assert_eq!(text(json.as_bytes()).as_deref(), want, "{json}");
        }
        let long = |size: usize| format!("\"{}\"", "é".repeat(size));
        assert_eq!(text(long(128).as_bytes()), Some("é".repeat(128)));
        assert_eq!(text(long(129).as_bytes()), None);
    }
}
