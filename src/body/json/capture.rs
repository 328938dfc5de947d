//! The values at the captured pointers, noted while they stream by: where each begins, and the JSON of texts,
//! numbers and booleans.

use super::name::end_of_name;
use super::pointers::PointerSet;

/// The longest value that is kept, bytes of JSON: 256 bytes of text, all written as `\u0041`, and two quotation
/// marks.
const MOST: usize = 256 * 6 + 2;

/// The values so far, and the one that is being read.
#[derive(Clone, Debug, Default)]
pub(super) struct Captures {
    complete: Vec<(PointerSet, Vec<u8>)>,
    /// Where the value at each of these pointers begins, whatever it is.
    begun: Vec<(PointerSet, Place)>,
    /// The pointers to members of an object that has none.
    lacking: PointerSet,
    /// The pointers that lead to the current value.
    at: PointerSet,
    /// What was read of it.
    text: Vec<u8>,
    /// It goes on in the next piece.
    pub(super) cut: bool,
}

/// The place of a value in its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The number of bytes before it.
    pub offset: u64,
    /// Its first byte, which shows what it is.
    pub first: u8,
}

impl Captures {
    /// The place of the value at a pointer; `None` if there is none.
    pub(super) fn place(&self, pointer: PointerSet) -> Option<Place> {
        let mut places = self.begun.iter().filter(|(at, _)| at.intersects(pointer));
        places.next().map(|(_, place)| *place)
    }

    /// Whether the object around a pointer is there and has no members.
    pub(super) fn lacks(&self, pointer: PointerSet) -> bool {
        self.lacking.intersects(pointer)
    }

    /// An object ended that has no members, and these pointers lead to members of it.
    pub(super) fn lack(&mut self, pointers: PointerSet) {
        self.lacking = self.lacking.union(pointers);
    }

    /// A value begins to which these pointers lead.
    pub(super) fn place_at(&mut self, at: PointerSet, place: Place) {
        if !at.is_empty() {
            self.begun.push((at, place));
        }
    }

    /// The JSON of the value at a pointer, if it is complete and not too long. The scanner checks that it is
    /// well-formed.
    pub(super) fn value(&self, pointer: PointerSet) -> Option<&[u8]> {
        let mut values = self.complete.iter().filter(|(at, _)| at.intersects(pointer));
        values.next().map(|(_, text)| text.as_slice())
    }

    /// A value begins to which these pointers lead; `rest` of the piece begins with it.
    pub(super) fn begin(&mut self, at: PointerSet, rest: &[u8]) {
        if !at.is_empty() {
            self.at = at;
            self.text.clear();
            self.goes_on(rest);
        }
    }

    /// The value goes on in this piece.
    pub(super) fn goes_on(&mut self, piece: &[u8]) {
        let room = MOST.saturating_sub(self.text.len());
        let part = piece.get(..=room).unwrap_or(piece);
        let end = match (self.text.first(), part) {
            (Some(b'"'), _) => {
                let backslashes = self.text.iter().rev().take_while(|byte| **byte == b'\\');
                end_of_text(part, backslashes.count() % 2 == 1)
            }
            (None, [b'"', inside @ ..]) => {
                end_of_text(inside, false).map(|end| end.saturating_add(1))
            }
            _ => part.iter().position(|byte| !is_of_word(*byte)),
        };
        self.cut = end.is_none() && part.len() <= room;
        if let Some(end) = end {
            self.text.extend_from_slice(part.get(..end).unwrap_or_default());
            self.complete.push((self.at, std::mem::take(&mut self.text)));
        } else if self.cut {
            self.text.extend_from_slice(part);
        }
    }
}

/// The length of the rest of a string with its closing quotation mark.
fn end_of_text(rest: &[u8], escaped: bool) -> Option<usize> {
    end_of_name(rest, escaped).map(|end| end.saturating_add(1))
}

/// Whether a byte belongs to a number or a literal.
fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')
}
