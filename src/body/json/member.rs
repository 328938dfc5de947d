//! The name of the current member, compared with the awaited names while it streams by.

use super::name::{Spelling, end_of_name, may_begin, spells};
use super::pointers::PointerSet;
use super::pointers::Pointers;
use super::tensor::Members;

/// The current name, as far as it may be one that is awaited.
#[derive(Clone, Debug, Default)]
pub(super) struct MemberName {
    /// The pointers that it belongs to, or may belong to while it is incomplete.
    pointers: PointerSet,
    /// The member of a tensor that it is, or those that it may be while it is incomplete.
    tensor: Members,
    /// It differs from an awaited name by letter case alone.
    other_case: bool,
    /// It goes on in the next piece.
    pub(super) cut: bool,
    /// Its text so far, if it came in several pieces.
    text: Vec<u8>,
}

impl MemberName {
    /// Whether its end must be reported.
    pub(super) fn is_awaited(&self) -> bool {
        self.may_match() || self.other_case
    }

    fn may_match(&self) -> bool {
        !self.pointers.is_empty() || !self.tensor.is_empty()
    }

    /// A name begins; `rest` follows its quotation mark in this piece. `awaited`: the pointers and
    /// the members that it may belong to; `depth`: the index of its token in those pointers.
    pub(super) fn begin(
        &mut self,
        pointers: &Pointers,
        awaited: (PointerSet, Members),
        depth: usize,
        rest: &[u8],
    ) {
        // The first byte rules most names out.
        let may = |name: &str| match rest.first() {
            None | Some(b'"') => true,
            Some(first) => may_begin(*first, name.as_bytes().first().copied()),
        };
        self.pointers = pointers.filter(awaited.0, depth, |token| may(&token.name));
        self.tensor = awaited.1.intersection(Members::beginning(rest.first().copied()));
        if self.may_match() {
            self.text.clear();
            self.resume(pointers, depth, rest);
        }
    }

    /// The name goes on in this piece.
    pub(super) fn resume(&mut self, pointers: &Pointers, depth: usize, piece: &[u8]) {
        let backslashes = self.text.iter().rev().take_while(|byte| **byte == b'\\').count();
        let room = pointers.longest.saturating_sub(self.text.len());
        let part = piece.get(..=room).unwrap_or(piece);
        let end = end_of_name(part, backslashes % 2 == 1);
        let part = end.and_then(|end| part.get(..end)).unwrap_or(part);
        self.cut = end.is_none();
        if self.cut && part.len() > room {
            // Longer than every awaited name.
            (self.cut, self.pointers, self.tensor) = (false, PointerSet::EMPTY, Members::NONE);
        } else if self.cut || !self.text.is_empty() {
            self.text.extend_from_slice(part);
        }
        if !self.cut && self.may_match() {
            let text = if self.text.is_empty() { part } else { &self.text };
            let mut other_case = false;
            self.pointers = pointers.filter(self.pointers, depth, |token| {
                let spelling = spells(text, &token.name);
                other_case |= spelling == Some(Spelling::OtherCase);
                spelling == Some(Spelling::Same)
            });
            self.other_case = other_case && self.pointers.is_empty();
            self.tensor = self.tensor.spelled(text);
        }
    }

    /// The name ended: the pointers that it belongs to and the member of a tensor that it is; `None`
    /// if it is an awaited name in another letter case.
    pub(super) fn end(&mut self) -> Option<(PointerSet, Members)> {
        let names = (std::mem::take(&mut self.pointers), std::mem::take(&mut self.tensor));
        (!std::mem::take(&mut self.other_case)).then_some(names)
    }
}
