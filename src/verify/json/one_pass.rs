//! Reads a document in one pass, as strictly as `reader` does with `serde_json`.

use serde_json::Value;

use super::document::{Document, Kind, Node, number};
use super::reader;
use super::refuse::Refuse;
use crate::swar;

/// The most members of an object whose names are compared with each other.
const FEW: u32 = 64;

/// Reads a document of at most `depth` levels of objects and arrays.
pub(super) fn read(text: Vec<u8>, depth: u8) -> Option<Document> {
    let text = String::from_utf8(text).ok()?;
    // A claim is a name and a value, seldom shorter than 32 bytes together.
    let nodes = Vec::with_capacity((text.len() / 16).saturating_add(8));
    let document = Document { text, unescaped: String::new(), nodes };
    let mut reader = Reader { document, at: 0, has_many: false };
    reader.value(depth)?;
    if reader.space().is_some() {
        return None;
    }
    let Reader { document, has_many, .. } = reader;
    if has_many {
        reader::read(document.text.as_bytes(), depth, &mut Refuse).ok()?;
    }
    Some(document)
}

struct Reader {
    document: Document,
    /// The place of the next byte.
    at: usize,
    /// Whether an object has more than a [`FEW`] members. Then the other reader looks for duplicates, in a
    /// time that does not grow with the square of their number.
    has_many: bool,
}

/// The names of the members of an object up to now.
#[derive(Default)]
struct Names {
    count: u32,
    /// A bit for some of the bits of each name.
    seen: u64,
}

impl Reader {
    /// The next byte.
    fn peek(&self) -> Option<u8> {
        self.document.text.as_bytes().get(self.at).copied()
    }

    /// The first byte after white space.
    fn space(&mut self) -> Option<u8> {
        loop {
            match self.peek()? {
                b' ' | b'\n' | b'\t' | b'\r' => self.skip(1),
                byte => return Some(byte),
            }
        }
    }

    fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
    }

    /// Passes over white space and this byte.
    fn take(&mut self, byte: u8) -> Option<()> {
        (self.space()? == byte).then(|| self.skip(1))
    }

    /// Passes over this text.
    fn word(&mut self, word: &str, kind: Kind) -> Option<()> {
        let rest = self.document.text.as_bytes().get(self.at..)?;
        rest.starts_with(word.as_bytes()).then(|| self.skip(word.len()))?;
        self.push(kind, 0, 0)
    }

    fn push(&mut self, kind: Kind, start: usize, end: usize) -> Option<()> {
        let (start, end) = (u32::try_from(start).ok()?, u32::try_from(end).ok()?);
        self.document.nodes.push(Node { kind, start, end });
        Some(())
    }

    fn value(&mut self, depth: u8) -> Option<()> {
        match self.space()? {
            b'"' => self.text(),
            b'{' => self.object(depth.checked_sub(1)?),
            b'[' => self.array(depth.checked_sub(1)?),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word("true", Kind::True),
            b'f' => self.word("false", Kind::False),
            b'n' => self.word("null", Kind::Null),
            _ => None,
        }
    }

    fn number(&mut self) -> Option<()> {
        let start = self.at;
        while let Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E') = self.peek() {
            self.skip(1);
        }
        number(self.document.text.get(start..self.at)?)?;
        self.push(Kind::Number, start, self.at)
    }

    fn text(&mut self) -> Option<()> {
        self.take(b'"')?;
        let bytes = self.document.text.as_bytes();
        let (start, mut end, mut escaped) = (self.at, self.at, false);
        loop {
            end = end.saturating_add(swar::string_prefix(bytes.get(end..)?));
            match bytes.get(end)? {
                b'"' => break,
                b'\\' => end = end.saturating_add(2),
                _ => return None,
            }
            escaped = true;
        }
        self.at = end.saturating_add(1);
        if escaped { self.unescape(start, end) } else { self.push(Kind::Text, start, end) }
    }

    /// Reads a text with escapes by `serde_json`.
    fn unescape(&mut self, start: usize, end: usize) -> Option<()> {
        let quoted = self.document.text.get(start.checked_sub(1)?..end.checked_add(1)?)?;
        let read = reader::read(quoted.as_bytes(), 0, &mut Refuse);
        let Ok(Value::String(text)) = read else { return None };
        let unescaped = &mut self.document.unescaped;
        let start = unescaped.len();
        unescaped.push_str(&text);
        let end = unescaped.len();
        self.push(Kind::Unescaped, start, end)
    }

    fn array(&mut self, depth: u8) -> Option<()> {
        let at = self.open(Kind::Array)?;
        if self.space()? == b']' {
            return self.close(at);
        }
        loop {
            self.value(depth)?;
            match self.space()? {
                b',' => self.skip(1),
                b']' => return self.close(at),
                _ => return None,
            }
        }
    }

    fn object(&mut self, depth: u8) -> Option<()> {
        let at = self.open(Kind::Object)?;
        if self.space()? == b'}' {
            return self.close(at);
        }
        let mut names = Names::default();
        loop {
            self.text()?;
            self.check_name(at, &mut names)?;
            self.take(b':')?;
            self.value(depth)?;
            match self.space()? {
                b',' => self.skip(1),
                b'}' => return self.close(at),
                _ => return None,
            }
        }
    }

    /// Begins an array or object.
    fn open(&mut self, kind: Kind) -> Option<usize> {
        self.skip(1);
        let at = self.document.nodes.len();
        self.document.nodes.push(Node { kind, start: 0, end: u32::MAX });
        Some(at)
    }

    /// Ends an array or object.
    fn close(&mut self, at: usize) -> Option<()> {
        self.skip(1);
        let end = u32::try_from(self.document.nodes.len()).ok()?;
        self.document.nodes.get_mut(at)?.end = end;
        Some(())
    }

    /// Refuses the name that was read last if a member of the object has it. Names that differ in the bits
    /// that are kept are not compared.
    fn check_name(&mut self, object: usize, names: &mut Names) -> Option<()> {
        names.count = names.count.saturating_add(1);
        self.has_many |= names.count > FEW;
        if names.count > FEW {
            return Some(());
        }
        let name = self.document.value(self.document.nodes.len().saturating_sub(1)).bytes();
        let bit = 1 << (bits(name) % u64::BITS);
        let may_be_known = names.seen & bit != 0;
        names.seen |= bit;
        let known = may_be_known && self.document.value(object).member(name).is_some();
        (!known).then_some(())
    }
}

/// Some bits of a name.
fn bits(name: &[u8]) -> u32 {
    let byte = |byte: Option<&u8>| byte.map_or(0, |byte| u32::from(*byte));
    let length = u32::try_from(name.len()).unwrap_or(0);
    let ends = byte(name.first()).wrapping_mul(5) ^ byte(name.last()).wrapping_mul(11);
    ends ^ length.wrapping_mul(7)
}

#[cfg(test)]
mod tests;
