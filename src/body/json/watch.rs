//! What is looked for in a document: JSON Pointers, followed while the document streams by.

use super::flaw::Flaw;
use super::grammar::{self, State};
use super::level::Level;
use super::name::{Spelling, end_of_name, may_begin, spells};
use super::number::Number;
use super::pointers::Pointers;
use super::rows::{self, Part, Words};

/// What stands where a pointer leads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    #[default]
    Absent,
    /// `null`.
    Null,
    /// So many rows, where they are counted.
    Rows(u64),
    /// A number, rounded up; a negative one is 0, and one above 2⁶⁴ − 1 is that.
    Number(u64),
    /// Any other value.
    Other,
}

/// What kind of value begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Array,
    Object,
    Number,
    Null,
    Other,
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
    /// The same of the members of tensors.
    word: Words,
    /// The name is one that is looked for but for its letter case.
    other_case: bool,
    /// The name goes on in the next piece, and this is its text so far.
    cut: bool,
    text: Vec<u8>,
    /// The pointers that lead to the number at hand, whether it is a dimension, and its value so far.
    number: u64,
    dimension: bool,
    value: Number,
}

impl Watch {
    pub(super) fn new(pointers: &Pointers) -> Self {
        Self {
            levels: Vec::new(),
            found: vec![Found::Absent; pointers.len()],
            elements: None,
            name: 0,
            word: 0,
            other_case: false,
            cut: false,
            text: Vec::new(),
            number: 0,
            dimension: false,
            value: Number::default(),
        }
    }

    pub(super) fn found(&self) -> &[Found] {
        &self.found
    }

    pub(super) fn elements(&self) -> Option<u64> {
        self.elements
    }

    /// How many containers, from the outermost, are watched.
    pub(super) fn depth(&self) -> usize {
        self.levels.len()
    }

    /// From which state on the innermost watched container is to be told of, if none is open inside
    /// it; in the document itself no comma can be right.
    pub(super) fn limit(&self) -> State {
        match self.levels.last() {
            None => grammar::ELEMENT,
            _ if self.name != 0 || self.word != 0 || self.other_case => grammar::NAME_ENDED,
            Some(level) if level.minds_values() => grammar::BEGUN,
            Some(level) if level.minds_names() && level.next == 0 => grammar::NAME_BEGUN,
            Some(level) if level.further == 0 => grammar::EVENT,
            Some(level) if !level.array && level.next == 0 => grammar::NAME_BEGUN,
            _ => grammar::BEGUN,
        }
    }

    /// Whether it is to be told of containers that begin in it, whatever the limit.
    pub(super) fn minds_containers(&self) -> bool {
        self.levels.last().is_some_and(|level| level.array && level.counts())
    }

    /// So many commas between the elements of the innermost container.
    pub(super) fn count(&mut self, commas: u64) {
        if let Some(level) = self.levels.last_mut() {
            level.count = level.count.saturating_add(commas);
        }
    }

    /// A piece of the document begins so, or what is left of it after the quotation mark of a name:
    /// the name or number at hand may go on in it.
    pub(super) fn goes_on(&mut self, pointers: &Pointers, piece: &[u8]) {
        if self.cut {
            self.name_goes_on(pointers, piece);
        } else if self.number != 0 || self.dimension {
            self.number_goes_on(piece);
        }
    }

    /// A name begins, and `rest` of the piece follows its quotation mark.
    pub(super) fn name_begins(&mut self, pointers: &Pointers, rest: &[u8]) {
        let at = self.levels.len().saturating_sub(1);
        let Some(level) = self.levels.last_mut() else { return };
        level.count = level.count.saturating_add(1);
        // Most names are told by their first byte.
        let may = |name: &str| match rest.first() {
            None | Some(b'"') => true,
            Some(first) => may_begin(*first, name.as_bytes().first().copied()),
        };
        self.name = pointers
            .retain(level.further, |tokens| tokens.get(at).is_some_and(|token| may(&token.name)));
        self.word = match level.part {
            Part::Record => rows::retain(rows::ANY_WORD, may),
            _ => 0,
        };
        if self.name != 0 || self.word != 0 {
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
            (self.cut, self.name, self.word) = (false, 0, 0);
        } else if self.cut || !self.text.is_empty() {
            self.text.extend_from_slice(part);
        }
        if !self.cut && (self.name != 0 || self.word != 0) {
            let text = if self.text.is_empty() { part } else { &self.text };
            let at = self.levels.len().saturating_sub(1);
            let mut other_case = false;
            self.name = pointers.retain(self.name, |tokens| {
                let spelling = tokens.get(at).and_then(|token| spells(text, &token.name));
                other_case |= spelling == Some(Spelling::OtherCase);
                spelling == Some(Spelling::Same)
            });
            self.other_case = other_case && self.name == 0;
            self.word = rows::spelled(self.word, text);
        }
    }

    pub(super) fn name_ends(&mut self) -> Result<(), Flaw> {
        let (name, word) = (std::mem::take(&mut self.name), std::mem::take(&mut self.word));
        if std::mem::take(&mut self.other_case) {
            return Err(Flaw::Case);
        }
        if let Some(level) = self.levels.last_mut() {
            if level.seen & name != 0 {
                return Err(Flaw::Duplicate);
            }
            level.seen |= name;
            level.next = name;
            level.word = word;
            level.tally.name(word);
        }
        Ok(())
    }

    /// A value begins: the document, an element, or what belongs to the last name.
    pub(super) fn value(&mut self, pointers: &Pointers, kind: Kind) -> Result<(), Flaw> {
        let depth = self.levels.len();
        let container = matches!(kind, Kind::Array | Kind::Object);
        let (way, part) = match self.levels.last_mut() {
            None => (pointers.all(), Part::None),
            Some(level) => (level.way(pointers, depth.saturating_sub(1)), level.part(kind)?),
        };
        let own = pointers.ending(way, depth);
        self.set(own, if kind == Kind::Null { Found::Null } else { Found::Other });
        if container && (depth == 0 || way != 0 || part != Part::None) {
            let array = kind == Kind::Array;
            let further = pointers.retain(way & !own, |tokens| {
                !array || tokens.get(depth).is_some_and(|token| token.index.is_some())
            });
            let rows = own & pointers.rows;
            let labels = rows & pointers.labels != 0;
            self.levels.push(Level { array, further, rows, labels, part, ..Level::default() });
        } else if !container && kind != Kind::Null && own & pointers.strict != 0 {
            return Err(Flaw::Rows);
        } else if kind == Kind::Number {
            (self.number, self.dimension) = (own, part == Part::Shape);
            self.value = Number::default();
        }
        Ok(())
    }

    /// The innermost container on the way ends.
    pub(super) fn close(&mut self, empty: bool) -> Result<(), Flaw> {
        let Some(level) = self.levels.pop() else { return Ok(()) };
        let size = level.count.saturating_add(u64::from(level.array && !empty));
        if level.rows != 0 {
            let rows = match level.array {
                true => level.tally.rows_of_array(size).ok_or(Flaw::Rows)?,
                false if level.labels => level.tally.rows_of_object().max(size),
                false => level.tally.rows_of_object(),
            };
            self.set(level.rows, Found::Rows(rows));
        }
        match self.levels.last_mut() {
            None if level.array => self.elements = Some(size),
            None => {}
            Some(around) => around.tally.ended(level.part, size, &level.tally)?,
        }
        Ok(())
    }

    fn number_goes_on(&mut self, piece: &[u8]) {
        if piece.iter().any(|byte| !self.value.take(*byte)) {
            self.number_ends();
        }
    }

    /// A number begins, and `rest` of the piece with it.
    pub(super) fn number_begins(&mut self, pointers: &Pointers, rest: &[u8]) -> Result<(), Flaw> {
        self.value(pointers, Kind::Number)?;
        if self.number != 0 || self.dimension {
            self.number_goes_on(rest);
        }
        Ok(())
    }

    /// The number at hand, if it is looked for, was read to its end.
    pub(super) fn number_ends(&mut self) {
        let own = std::mem::take(&mut self.number);
        let value = self.value.rounded_up();
        if std::mem::take(&mut self.dimension)
            && let Some(level) = self.levels.last_mut()
        {
            level.tally.dimension(value, self.value.negative());
        }
        self.set(own, Found::Number(value));
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
