//! The current document of a response, and the numbers of the documents before it.

use super::measure::Measure;
use crate::body::json::flaw::Malformed;
use crate::body::json::pointers::Pointers;
use crate::body::json::scanner::Scanner;
use crate::body::json::value::Found;

/// The current document, of which only what pointers lead to is checked, and the last number that each pointer led to.
#[derive(Clone, Debug)]
pub(super) struct Document {
    scanner: Scanner,
    pub(super) numbers: Vec<Option<u64>>,
    /// The pointer to a number that only the last document of a stream has.
    last: Option<usize>,
    /// The document that ended last has that number.
    pub(super) was_last: bool,
}

impl Document {
    pub(super) fn new(measure: &Measure) -> Self {
        Self::with(Scanner::finding(&measure.pointers), measure)
    }

    /// One that checks every byte of its documents.
    #[cfg(test)]
    pub(super) fn strict(measure: &Measure) -> Self {
        Self::with(Scanner::new(&measure.pointers, 512), measure)
    }

    fn with(scanner: Scanner, measure: &Measure) -> Self {
        let numbers = vec![None; measure.pointers.len()];
        Self { scanner, numbers, last: measure.last, was_last: false }
    }

    /// Reads the next piece of the current document; returns its first flaw, also in later calls.
    pub(super) fn feed(&mut self, pointers: &Pointers, piece: &[u8]) -> Option<Malformed> {
        self.scanner.feed(pointers, piece).err()
    }

    /// Whether the current document is an array, an object or a word that has ended.
    pub(super) fn is_complete(&self) -> bool {
        self.scanner.has_closed()
    }

    /// The current document ends. Its numbers count if it is well-formed.
    pub(super) fn end(&mut self) {
        self.was_last = false;
        if self.scanner.finish().is_ok() {
            let found = self.last.and_then(|last| self.scanner.found().get(last));
            self.was_last = matches!(found, Some(Found::Number(_)));
            self.keep_numbers();
        }
        self.renew();
    }

    /// The next document begins.
    pub(super) fn renew(&mut self) {
        self.scanner.restart();
    }

    /// Forgets the numbers so far; returns them.
    pub(super) fn take_numbers(&mut self) -> Vec<Option<u64>> {
        let none = vec![None; self.numbers.len()];
        std::mem::replace(&mut self.numbers, none)
    }

    /// Earlier numbers count, too.
    pub(super) fn add_earlier(&mut self, earlier: &[Option<u64>]) {
        for (number, earlier) in self.numbers.iter_mut().zip(earlier) {
            if matches!(number, None | Some(0)) && earlier.is_some() {
                *number = *earlier;
            }
        }
    }

    /// The numbers of the current document count. Counts of tokens only grow while a stream runs, so a zero after
    /// another number is no count but the lack of one.
    pub(super) fn keep_numbers(&mut self) {
        for (number, found) in self.numbers.iter_mut().zip(self.scanner.found()) {
            match found {
                Found::Number(0) if number.is_some() => {}
                Found::Number(found) => *number = Some(*found),
                _ => {}
            }
        }
    }
}
