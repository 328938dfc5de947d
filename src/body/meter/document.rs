//! The current document of a response, and the numbers of the documents before it.

use crate::body::json::flaw::Malformed;
use crate::body::json::pointers::Pointers;
use crate::body::json::scanner::Scanner;
use crate::body::json::value::Found;

/// How many arrays and objects may be nested; a document with more carries no number.
const MAX_DEPTH: usize = 512;

/// The current document, and the last number that each pointer led to.
#[derive(Clone, Debug)]
pub(super) struct Document {
    scanner: Scanner,
    numbers: Vec<Option<u64>>,
}

impl Document {
    pub(super) fn new(pointers: &Pointers) -> Self {
        let scanner = Scanner::new(pointers, MAX_DEPTH);
        Self { scanner, numbers: vec![None; pointers.len()] }
    }

    /// Reads the next piece of the current document; returns its first flaw, also in later calls.
    pub(super) fn feed(&mut self, pointers: &Pointers, piece: &[u8]) -> Option<Malformed> {
        self.scanner.feed(pointers, piece).err()
    }

    /// The current document ends. Its numbers count if it is well-formed.
    pub(super) fn end(&mut self, pointers: &Pointers) {
        if self.scanner.finish().is_ok() {
            self.keep_numbers();
        }
        self.renew(pointers);
    }

    /// The next document begins.
    pub(super) fn renew(&mut self, pointers: &Pointers) {
        self.scanner = Scanner::new(pointers, MAX_DEPTH);
    }

    /// The numbers of the current document count.
    pub(super) fn keep_numbers(&mut self) {
        for (number, found) in self.numbers.iter_mut().zip(self.scanner.found()) {
            if let Found::Number(found) = found {
                *number = Some(*found);
            }
        }
    }

    /// The number of the first pointer that has one.
    pub(super) fn number(&self) -> Option<u64> {
        self.numbers.iter().flatten().next().copied()
    }
}
