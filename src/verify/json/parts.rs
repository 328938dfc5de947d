//! Splits a JSON document into the texts of its members or items, so that a bad part can be skipped and
//! the others used.
//!
//! The parts are not parsed here: each may still contain a duplicate member or a number outside of
//! `f64`.

use serde::de::IgnoredAny;
use serde_json::Value;

use super::parse;

/// The members of a JSON object in their order, each with the text of its value; `None` if `text` is not
/// exactly one JSON object in UTF-8.
pub fn members(text: &[u8]) -> Option<Vec<(String, &[u8])>> {
    let mut members = Vec::new();
    let mut reader = Reader { rest: std::str::from_utf8(text).ok()?.as_bytes() };
    reader.each(b'{', b'}', |reader| {
        // Parsed as any value: the error of a `String` would link the formatting of floats.
        let Value::String(name) = parse(reader.value()?)? else { return None };
        reader.take(b':').then_some(())?;
        members.push((name, reader.value()?));
        Some(())
    })?;
    Some(members)
}

/// The texts of the items of a JSON array, at most `most`; `None` if `text` is not an array. The text must
/// be one that [`members`] returned.
pub fn items(text: &[u8], most: usize) -> Option<Vec<&[u8]>> {
    let mut items = Vec::new();
    let mut reader = Reader { rest: text };
    let whole = reader.each(b'[', b']', |reader| {
        items.push(reader.value()?);
        (items.len() < most).then_some(())
    });
    (whole.is_some() || items.len() >= most).then_some(items)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads a list in brackets; `part` reads one of its parts.
    fn each(
        &mut self,
        open: u8,
        close: u8,
        mut part: impl FnMut(&mut Self) -> Option<()>,
    ) -> Option<()> {
        self.take(open).then_some(())?;
        if !self.take(close) {
            loop {
                part(self)?;
                if self.take(close) {
                    break;
                }
                self.take(b',').then_some(())?;
            }
        }
        self.space();
        self.rest.is_empty().then_some(())
    }

    fn space(&mut self) {
        let space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        let count = self.rest.iter().take_while(space).count();
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    fn take(&mut self, byte: u8) -> bool {
        self.space();
        let rest = self.rest.strip_prefix(&[byte]);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Skips one value and returns its text.
    fn value(&mut self) -> Option<&'a [u8]> {
        self.space();
        let mut stream = serde_json::Deserializer::from_slice(self.rest).into_iter::<IgnoredAny>();
        stream.next()?.ok()?;
        let (text, rest) = self.rest.split_at_checked(stream.byte_offset())?;
        self.rest = rest;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(parts: Option<Vec<&[u8]>>) -> Option<Vec<&str>> {
        parts.map(|parts| parts.iter().map(|part| std::str::from_utf8(part).unwrap()).collect())
    }

    #[test]
    fn each_part_keeps_its_text() {
        let text = br#" { "a" : 1e400 ,"\u0062":{"x":1,"x":2}, "a": [ "]" , null ] } "#;
        let got = members(text).unwrap();
        let names: Vec<&str> = got.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "b", "a"]);
        let values = got.iter().map(|(_, value)| *value).collect();
        assert_eq!(
            texts(Some(values)).unwrap(),
            ["1e400", r#"{"x":1,"x":2}"#, r#"[ "]" , null ]"#]
        );
        assert_eq!(texts(items(got[2].1, 8)).unwrap(), [r#""]""#, "null"]);
        assert_eq!(members(b"{}"), Some(vec![]));
        assert_eq!(items(b"[ ]", 8), Some(vec![]));
        assert_eq!(items(b"[1,2,3]", 2).map(|items| items.len()), Some(2));
    }

    #[test]
    fn what_is_no_object_or_array_has_no_parts() {
        for text in [
            "",
            " ",
            "[]",
            "1",
            "null",
            "\"a\"",
            "{",
            "}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "{\"a\":1}x",
            "{\"a\":1}{}",
            "{a:1}",
            "{'a':1}",
            "{\"a\":01}",
            "{\"a\":tru}",
            "{\"a\":\"\u{1}\"}",
            "{\"\\ud800\":1}",
            "{\"a\":[}",
            "\u{feff}{}",
        ] {
            assert_eq!(members(text.as_bytes()), None, "{text}");
        }
        assert_eq!(members(b"{\"a\":\"\xff\"}"), None);
        for text in ["{}", "1", "[1", "[1,]", "[1 2]", "[1]2", "[,]"] {
            assert_eq!(items(text.as_bytes(), 8), None, "{text}");
        }
        // At any depth, without a stack frame for each level.
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(members(deep.as_bytes()).map(|members| members.len()), Some(1));
    }
}
