//! One container of a document, as far as it is watched.

use super::flaw::Flaw;
use super::pointers::Pointers;
use super::rows::{Part, Tally, Words};
use super::watch::Kind;

/// A container on the way of a pointer, or a part of one whose rows are counted, or the document's
/// own.
#[derive(Clone, Debug, Default)]
pub(super) struct Level {
    pub(super) array: bool,
    /// The pointers that lead further into it.
    pub(super) further: u64,
    /// The pointers whose next token was met in it.
    pub(super) seen: u64,
    /// The pointers whose next token is the member at hand.
    pub(super) next: u64,
    /// How many commas of an array were read: the index of the element at hand. How many names of an
    /// object were.
    pub(super) count: u64,
    /// The pointers whose rows are counted in it.
    pub(super) rows: u64,
    /// Its rows are labels.
    pub(super) labels: bool,
    /// What it is to the container around it.
    pub(super) part: Part,
    /// The member at hand, if it is one that tensors have.
    pub(super) word: Words,
    pub(super) tally: Tally,
}

impl Level {
    /// Whether it is to be told of its elements that are containers.
    pub(super) fn counts(&self) -> bool {
        self.rows != 0 || self.part == Part::Data
    }

    /// Whether it is to be told of each value.
    pub(super) fn minds_values(&self) -> bool {
        self.part == Part::Shape || self.word != 0 || (self.rows != 0 && !self.array)
    }

    /// Whether it is to be told of each name.
    pub(super) fn minds_names(&self) -> bool {
        !self.array && matches!(self.part, Part::Column | Part::Record)
    }

    /// The pointers that lead to the value that begins in it. `at`: how many containers are around
    /// it.
    pub(super) fn way(&mut self, pointers: &Pointers, at: usize) -> u64 {
        if !self.array {
            return std::mem::take(&mut self.next);
        }
        let index = self.count;
        pointers.retain(self.further, |tokens| {
            tokens.get(at).is_some_and(|token| token.index == Some(index))
        })
    }

    /// What the value that begins in it is to it.
    pub(super) fn part(&mut self, kind: Kind) -> Result<Part, Flaw> {
        match (self.rows != 0, self.array) {
            (true, true) if self.labels => Ok(self.tally.label(kind)),
            (true, true) => Ok(self.tally.element(kind)),
            (true, false) if self.labels => Ok(Part::None),
            (true, false) => Tally::member(kind),
            (false, _) => self.tally.value(self.part, std::mem::take(&mut self.word), kind),
        }
    }
}
