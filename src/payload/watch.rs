//! What is looked for in a document: JSON Pointers, followed while the document streams by.

use super::flaw::Flaw;
use super::grammar::{self, State};
use super::name::{end_of_name, spells};
use super::pointers::Pointers;

/// What stands where a pointer leads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    #[default]
    Absent,
    /// An array of so many elements.
    Array(u64),
    /// A whole number without sign, fraction or exponent, at most 2⁶⁴ − 1.
    Integer(u64),
    /// Any other value, `null` included.
    Other,
}

/// What kind of value begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Array,
    Object,
    Number,
    Other,
}

/// A container on the way of a pointer, or the document's own.
#[derive(Clone, Debug, Default)]
struct Level {
    array: bool,
    /// The pointers whose array this is.
    own: u64,
    /// The pointers that lead further into it.
    further: u64,
    /// The pointers whose next token was met in it.
    seen: u64,
    /// The pointers whose next token is the member at hand.
    next: u64,
    /// How many commas of an array were read: the index of the element at hand.
    commas: u64,
}

/// Follows pointers through one document. Its memory is bounded by the longest pointer.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    levels: Vec<Level>,
    found: Vec<Found>,
    /// How many elements the document has, if it is an array.
    elements: Option<u64>,
    /// The pointers that the member name at hand belongs to, or may while it is `cut`.
    name: u64,
    /// The name goes on in the next piece, and this is its text so far.
    cut: bool,
    text: Vec<u8>,
    /// The pointers that lead to the number at hand, and its value so far.
    number: u64,
    value: u64,
}

impl Watch {
    pub(super) fn new(pointers: &Pointers) -> Self {
        Self {
            levels: Vec::new(),
            found: vec![Found::Absent; pointers.len()],
            elements: None,
            name: 0,
            cut: false,
            text: Vec::new(),
            number: 0,
            value: 0,
        }
    }

    pub(super) fn found(&self) -> &[Found] {
        &self.found
    }

    pub(super) fn elements(&self) -> Option<u64> {
        self.elements
    }

    /// How many containers, from the outermost, are on the way of a pointer.
    pub(super) fn depth(&self) -> usize {
        self.levels.len()
    }

    /// From which state on the innermost container on the way is to be told of, if none is open
    /// inside it; in the document itself no comma can be right.
    pub(super) fn limit(&self) -> State {
        match self.levels.last() {
            None => grammar::ELEMENT,
            _ if self.name != 0 => grammar::NAME_ENDED,
            Some(level) if level.further == 0 => grammar::EVENT,
            Some(level) if !level.array && level.next == 0 => grammar::NAME_BEGUN,
            _ => grammar::BEGUN,
        }
    }

    /// So many commas between the elements of the innermost container.
    pub(super) fn count(&mut self, commas: u64) {
        if let Some(level) = self.levels.last_mut() {
            level.commas = level.commas.saturating_add(commas);
        }
    }

    /// A piece of the document begins so, or what is left of it after the quotation mark of a name:
    /// the name or number at hand may go on in it.
    pub(super) fn goes_on(&mut self, pointers: &Pointers, piece: &[u8]) {
        if self.cut {
            self.name_goes_on(pointers, piece);
        } else if self.number != 0 {
            self.number_goes_on(piece);
        }
    }

    /// A name begins, and `rest` of the piece follows its quotation mark.
    pub(super) fn name_begins(&mut self, pointers: &Pointers, rest: &[u8]) {
        let further = self.levels.last().map_or(0, |level| level.further);
        let at = self.levels.len().saturating_sub(1);
        // Most names are told by their first byte.
        self.name = pointers.retain(further, |tokens| match rest.first() {
            None | Some(b'"' | b'\\') => true,
            first => tokens.get(at).is_some_and(|token| token.name.as_bytes().first() == first),
        });
        if self.name != 0 {
            self.text.clear();
            self.name_goes_on(pointers, rest);
        }
    }

    fn name_goes_on(&mut self, pointers: &Pointers, piece: &[u8]) {
        let slashes = self.text.iter().rev().take_while(|byte| **byte == b'\\').count();
        let left = pointers.longest.saturating_sub(self.text.len());
        let part = piece.get(..=left).unwrap_or(piece);
        let end = end_of_name(part, slashes % 2 == 1);
        let part = end.and_then(|end| part.get(..end)).unwrap_or(part);
        self.cut = end.is_none();
        if self.cut && part.len() > left {
            (self.cut, self.name) = (false, 0);
        } else if self.cut || !self.text.is_empty() {
            self.text.extend_from_slice(part);
        }
        if !self.cut && self.name != 0 {
            let text = if self.text.is_empty() { part } else { &self.text };
            let at = self.levels.len().saturating_sub(1);
            self.name = pointers.retain(self.name, |tokens| {
                tokens.get(at).is_some_and(|token| spells(text, &token.name))
            });
        }
    }

    pub(super) fn name_ends(&mut self) -> Result<(), Flaw> {
        let name = std::mem::take(&mut self.name);
        if let Some(level) = self.levels.last_mut() {
            if level.seen & name != 0 {
                return Err(Flaw::Duplicate);
            }
            level.seen |= name;
            level.next = name;
        }
        Ok(())
    }

    /// A value begins: the document, an element, or what belongs to the last name.
    pub(super) fn value(&mut self, pointers: &Pointers, kind: Kind) {
        let depth = self.levels.len();
        let way = match self.levels.last_mut() {
            None => pointers.all(),
            Some(level) if level.array => {
                let index = level.commas;
                let at = depth.saturating_sub(1);
                pointers.retain(level.further, |tokens| {
                    tokens.get(at).is_some_and(|token| token.index == Some(index))
                })
            }
            Some(level) => std::mem::take(&mut level.next),
        };
        let own = pointers.ending(way, depth);
        self.set(own, Found::Other);
        match kind {
            Kind::Array | Kind::Object if depth == 0 || way != 0 => {
                let array = kind == Kind::Array;
                let further = pointers.retain(way & !own, |tokens| {
                    !array || tokens.get(depth).is_some_and(|token| token.index.is_some())
                });
                self.levels.push(Level { array, own, further, ..Level::default() });
            }
            Kind::Number => (self.number, self.value) = (own, 0),
            _ => {}
        }
    }

    /// The innermost container on the way ends.
    pub(super) fn close(&mut self, empty: bool) {
        if let Some(level) = self.levels.pop()
            && level.array
        {
            let elements = if empty { 0 } else { level.commas.saturating_add(1) };
            self.set(level.own, Found::Array(elements));
            if self.levels.is_empty() {
                self.elements = Some(elements);
            }
        }
    }

    fn number_goes_on(&mut self, piece: &[u8]) {
        for byte in piece {
            let grown = match byte {
                b'0'..=b'9' => self
                    .value
                    .checked_mul(10)
                    .and_then(|value| value.checked_add(u64::from(byte.wrapping_sub(b'0')))),
                b'-' | b'.' | b'e' | b'E' => None,
                _ => return self.number_ends(),
            };
            let Some(value) = grown else {
                self.number = 0;
                return;
            };
            self.value = value;
        }
    }

    /// A number begins, and `rest` of the piece with it.
    pub(super) fn number_begins(&mut self, pointers: &Pointers, rest: &[u8]) {
        self.value(pointers, Kind::Number);
        if self.number != 0 {
            self.number_goes_on(rest);
        }
    }

    /// The number at hand, if it is looked for, was read to its end: it is a whole one.
    pub(super) fn number_ends(&mut self) {
        let own = std::mem::take(&mut self.number);
        self.set(own, Found::Integer(self.value));
    }

    fn set(&mut self, pointers: u64, value: Found) {
        if pointers == 0 {
            return;
        }
        for (index, found) in self.found.iter_mut().enumerate() {
            if pointers & 1_u64.wrapping_shl(index as u32) != 0 {
                *found = value;
            }
        }
    }
}
