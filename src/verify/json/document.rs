//! A JSON document that was read in one pass: its text, and a node for each value.
//!
//! No value is copied, unless it is a text with escapes. A token has dozens of claims, of which few are
//! looked at.

use std::ops::Range;

use serde_json::{Number, Value};

use super::reader;
use super::refuse::Refuse;
use crate::bytes::equal;

/// A JSON document. [`super::read_object`] makes it.
pub struct Document {
    pub(super) text: String,
    /// The texts that have escapes in the document, without them.
    pub(super) unescaped: String,
    /// The values in their order. The members of an object stand behind it, each name before its value, and
    /// so do the items of an array.
    pub(super) nodes: Vec<Node>,
}

/// A value, or the name of a member.
#[derive(Clone, Copy)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) start: u32,
    pub(super) end: u32,
}

/// What a node is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    False,
    True,
    /// From `start` to `end` in the document.
    Number,
    /// From `start` to `end` in the document, without its quotation marks.
    Text,
    /// From `start` to `end` in `unescaped`.
    Unescaped,
    /// `end` is the place of the node after its last item.
    Array,
    /// `end` is the place of the node after its last member.
    Object,
}

/// A value of a document.
#[derive(Clone, Copy)]
pub struct Json<'d> {
    document: &'d Document,
    at: usize,
}

/// The items of an array; the names and values of an object.
pub struct Items<'d> {
    next: Json<'d>,
    end: usize,
}

impl Document {
    /// The value of a member, if the document is an object.
    pub fn get(&self, name: &str) -> Option<Json<'_>> {
        self.root().get(name)
    }

    /// The whole document.
    pub fn root(&self) -> Json<'_> {
        self.value(0)
    }

    /// The value at a place.
    pub(super) fn value(&self, at: usize) -> Json<'_> {
        Json { document: self, at }
    }

    /// The bytes of a text or of the name of a member.
    fn bytes_of(&self, node: Node) -> &[u8] {
        let text = if node.kind == Kind::Text { &self.text } else { &self.unescaped };
        text.as_bytes().get(node.range()).unwrap_or_default()
    }

    /// The memory that it uses beside itself, in bytes.
    pub fn bytes(&self) -> usize {
        let nodes = self.nodes.capacity().saturating_mul(size_of::<Node>());
        nodes.saturating_add(self.text.capacity()).saturating_add(self.unescaped.capacity())
    }
}

impl<'d> Json<'d> {
    /// The text of a string.
    pub fn as_str(self) -> Option<&'d str> {
        let node = self.node();
        match node.kind {
            Kind::Text => self.document.text.get(node.range()),
            Kind::Unescaped => self.document.unescaped.get(node.range()),
            _ => None,
        }
    }

    /// The value of a boolean.
    pub fn as_bool(self) -> Option<bool> {
        match self.node().kind {
            Kind::True => Some(true),
            Kind::False => Some(false),
            _ => None,
        }
    }

    /// The value of a number.
    pub fn as_number(self) -> Option<Number> {
        let node = self.node();
        let text = self.document.text.get(node.range())?;
        (node.kind == Kind::Number).then(|| number(text))?
    }

    /// Whether it is `null`.
    pub fn is_null(self) -> bool {
        self.node().kind == Kind::Null
    }

    /// Whether it is an object.
    pub fn is_object(self) -> bool {
        self.node().kind == Kind::Object
    }

    /// The items of an array.
    pub fn items(self) -> Option<Items<'d>> {
        (self.node().kind == Kind::Array).then(|| self.inside())
    }

    /// The names and values of an object, one after the other.
    pub fn members(self) -> Option<Items<'d>> {
        self.is_object().then(|| self.inside())
    }

    /// The value of a member of an object.
    pub fn get(self, name: &str) -> Option<Json<'d>> {
        self.member(name.as_bytes())
    }

    /// The value of a member of an object that is read or being read.
    #[inline(never)]
    pub(super) fn member(self, name: &[u8]) -> Option<Json<'d>> {
        let Items { next, end } = self.members()?;
        let nodes = self.document.nodes.get(next.at..end.min(self.document.nodes.len()))?;
        let length = u32::try_from(name.len()).ok()?;
        let mut place = 0_usize;
        while let Some([own, value, ..]) = nodes.get(place..) {
            if own.end.wrapping_sub(own.start) == length {
                let own = self.document.bytes_of(*own);
                if own.first() == name.first() && equal(own, name) {
                    let at = next.at.saturating_add(place).saturating_add(1);
                    return Some(self.document.value(at));
                }
            }
            place = match value.kind {
                Kind::Array | Kind::Object => {
                    usize::try_from(value.end).ok()?.saturating_sub(next.at)
                }
                _ => place.saturating_add(2),
            };
        }
        None
    }

    /// One step of a JSON Pointer (RFC 6901 §4): a member of an object, or an item of an array by its
    /// index without leading zeros.
    pub fn step(self, token: &str) -> Option<Json<'d>> {
        let Some(mut items) = self.items() else { return self.get(token) };
        let digits = token.bytes().all(|byte| byte.is_ascii_digit());
        let canonical = token == "0" || !token.starts_with('0');
        if digits && canonical { items.nth(token.parse::<usize>().ok()?) } else { None }
    }

    /// The bytes of a text or of the name of a member.
    pub(super) fn bytes(self) -> &'d [u8] {
        self.document.bytes_of(self.node())
    }

    fn inside(self) -> Items<'d> {
        let end = usize::try_from(self.node().end).unwrap_or(usize::MAX);
        Items { next: self.document.value(self.at.saturating_add(1)), end }
    }

    fn node(self) -> Node {
        self.document.nodes.get(self.at).copied().unwrap_or(Node {
            kind: Kind::Null,
            start: 0,
            end: 0,
        })
    }
}

impl<'d> Iterator for Items<'d> {
    type Item = Json<'d>;

    fn next(&mut self) -> Option<Json<'d>> {
        let Json { document, at } = self.next;
        let node = document.nodes.get(at).filter(|_| at < self.end)?;
        let after = match node.kind {
            Kind::Array | Kind::Object => usize::try_from(node.end).ok()?,
            _ => at.saturating_add(1),
        };
        Some(std::mem::replace(&mut self.next, document.value(after)))
    }
}

/// The values are equal as `serde_json` reads them.
impl PartialEq<Value> for Json<'_> {
    fn eq(&self, other: &Value) -> bool {
        match other {
            Value::Null => self.is_null(),
            Value::Bool(other) => self.as_bool() == Some(*other),
            Value::Number(other) => self.as_number().as_ref() == Some(other),
            Value::String(other) => self.as_str() == Some(other),
            Value::Array(other) => self.items().is_some_and(|mut items| {
                let mut same = |other: &Value| items.next().is_some_and(|own| own == *other);
                other.iter().all(&mut same) && items.next().is_none()
            }),
            Value::Object(other) => {
                let length = self.members().map(Iterator::count);
                length == Some(other.len().saturating_mul(2))
                    && other
                        .iter()
                        .all(|(name, value)| self.get(name).is_some_and(|own| own == *value))
            }
        }
    }
}

impl Node {
    fn range(self) -> Range<usize> {
        let place = |at| usize::try_from(at).unwrap_or(usize::MAX);
        place(self.start)..place(self.end)
    }
}

/// Reads a number; `None` if it is none, or outside of `f64`.
pub(super) fn number(text: &str) -> Option<Number> {
    if let Some(number) = small(text.as_bytes()) {
        return Some(number.into());
    }
    match reader::read(text.as_bytes(), 0, &mut Refuse) {
        Ok(Value::Number(number)) => Some(number),
        _ => None,
    }
}

/// A whole number of at most 18 digits.
fn small(text: &[u8]) -> Option<u64> {
    if matches!(text, [] | [b'0', _, ..]) || text.len() > 18 {
        return None;
    }
    text.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        let number = number.wrapping_mul(10).wrapping_add(digit.into());
        (digit < 10).then_some(number)
    })
}
