//! JSON, read strictly: a document has one meaning or is refused.
//!
//! `serde_json` keeps the last of two members with one name, other parsers keep the first. RFC 7515
//! §5.2 and RFC 7519 §4 allow a verifier to refuse such documents, and this reader refuses them at any
//! depth.

pub mod document;
mod one_pass;
pub mod parts;
pub mod reader;
mod refuse;
mod unreadable;

use serde_json::{Map, Value};

pub use self::document::{Document, Json};
use self::refuse::Refuse;
pub use self::unreadable::Unreadable;

/// The maximum nesting depth of objects and arrays. `serde_json` itself stops at 128; headers, claims
/// and key sets are shallow, and each level is a stack frame in a wasm stack of 1 MiB.
const MAX_DEPTH: u8 = 32;

/// Parses `text`, which must be one JSON object with unique member names, numbers within `f64` and at
/// most 32 levels; otherwise `None`.
pub fn parse_object(text: &[u8]) -> Option<Map<String, Value>> {
    match parse(text)? {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

/// Parses `text` into any value, by the same rules.
pub fn parse(text: &[u8]) -> Option<Value> {
    reader::read(text, MAX_DEPTH, &mut Refuse).ok()
}

/// Reads what [`parse_object`] parses, in one pass and without a map of values.
pub fn read_object(text: Vec<u8>) -> Option<Document> {
    let document = one_pass::read(text, MAX_DEPTH)?;
    document.root().is_object().then_some(document)
}

/// A member of type string; one that is null counts as absent.
///
/// # Errors
/// The name of a member of another type.
pub fn text<'a>(
    members: &'a Map<String, Value>,
    name: &'static str,
) -> Result<Option<&'a str>, &'static str> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize) -> String {
        format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1))
    }

    #[test]
    fn an_object_with_unique_members_is_read_as_serde_json_reads_it() {
        let text = r#" {"a":[1,-2,2.5,1e3,null,true,"x\u00e9\n",{"b":{}}],"":"", "A":18446744073709551615}
"#;
        let expected: Value = serde_json::from_str(text).unwrap();
        assert_eq!(parse_object(text.as_bytes()).map(Value::Object), Some(expected));
    }

    #[test]
    fn a_document_with_two_readings_is_refused() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":{"a":1,"b":2,"a":3}}"#,
            r#"{"x":[{"a":1,"a":1}]}"#,
            r#"{"a":1}{"#,
            r#"{"a":1} x"#,
            r#"{"a":1},"#,
            "{\"a\":1}\0",
            r#"{"a":1,}"#,
            r#"{"a":01}"#,
            r#"{"a":1e400}"#,
            r#"{"a":NaN}"#,
            r#"{"a":"\ud800"}"#,
            r#"{'a':1}"#,
            "{\"a\":\"\t\"}",
            "\u{feff}{}",
            "[]",
            "\"a\"",
            "null",
            "1",
            "",
            " ",
        ] {
            assert_eq!(parse_object(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse_object(b"{\"a\":\"\xff\"}"), None);
        assert_eq!(parse_object(b"{\"\xc0\xaf\":1}"), None);
    }

    #[test]
    fn nesting_is_bounded() {
        assert!(parse_object(nested(usize::from(MAX_DEPTH)).as_bytes()).is_some());
        assert!(parse_object(nested(usize::from(MAX_DEPTH) + 1).as_bytes()).is_none());
        assert!(parse_object(nested(20_000).as_bytes()).is_none());
        assert!(parse_object("{\"a\":".repeat(20_000).as_bytes()).is_none());
    }
}
