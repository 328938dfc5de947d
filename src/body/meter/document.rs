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
    pub(super) numbers: Vec<Option<u64>>,
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

    /// Whether the current document is an array, an object or a word that has ended.
    pub(super) fn is_complete(&self) -> bool {
        self.scanner.has_closed()
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
