//! JSON objects, read strictly: a document has one meaning or it is refused.
//!
//! `serde_json` keeps the last of two members with one name, other parsers the first. RFC 7515
//! §5.2 and RFC 7519 §4 let a verifier refuse such documents, and this one does, at any depth.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

pub mod parts;

/// How deep objects and arrays may nest. `serde_json` itself stops at 128; headers, claims and key
/// sets are shallow, and each level is a stack frame in a wasm stack of 1 MiB.
const MAX_DEPTH: u8 = 32;

/// The object that `text` is, or `None` if it is not exactly one JSON object with unique member
/// names, numbers within `f64` and at most 32 levels.
pub fn parse_object(text: &[u8]) -> Option<Map<String, Value>> {
    match parse(text)? {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

/// The value that `text` is, under the same rules.
pub fn parse(text: &[u8]) -> Option<Value> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = Strict { depth: MAX_DEPTH }.deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    Some(value)
}

/// Why a document is no JSON object, as far as its first bytes show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is coded by gzip (RFC 1952 §2.3.1).
    Gzip,
    /// A byte order mark stands before it (RFC 8259 §8.1).
    ByteOrderMark,
    /// It is a page.
    Markup,
    /// It is no JSON, another value than an object, or has a member twice.
    NotAnObject,
}

impl Unreadable {
    /// Looks at a document that [`parse_object`] did not read.
    pub fn of(text: &[u8]) -> Self {
        if text.starts_with(b"\x1f\x8b") {
            Self::Gzip
        } else if text.starts_with(b"\xef\xbb\xbf") {
            Self::ByteOrderMark
        } else if text.trim_ascii_start().starts_with(b"<") {
            Self::Markup
        } else {
            Self::NotAnObject
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "coded by gzip",
            Self::ByteOrderMark => "a byte order mark before the JSON",
            Self::Markup => "a page of HTML or XML",
            Self::NotAnObject => "not a JSON object with unique members",
        })
    }
}

/// Reads one value that may nest `depth` levels more.
#[derive(Clone, Copy)]
struct Strict {
    depth: u8,
}

impl Strict {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth }),
            None => Err(E::custom("nested too deep")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let seed = self.deeper()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(seed)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let seed = self.deeper()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(seed)?;
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a member twice"));
            }
        }
        Ok(Value::Object(object))
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
