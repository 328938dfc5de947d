//! JSON that is no event stream: one document, one on each line, several in a row, or the parts of an
//! array, each of which is one.

use super::Document;
use crate::body::json::flaw::Flaw;
use crate::body::json::pointers::Pointers;

/// Where a reader of documents stands.
#[derive(Clone, Debug)]
pub(super) struct Documents {
    /// A line feed ends a document.
    lines: bool,
    /// The elements of the array that the response is are documents; `None`: it has not begun, and may
    /// be one.
    parts: Option<bool>,
    /// Nothing of the document at hand was read.
    fresh: bool,
    /// How many bytes of it were.
    fed: u64,
    /// It is malformed, and no other begins before a line does.
    broken: bool,
}

impl Documents {
    /// `parts`: an array is the documents in it.
    pub(super) fn new(lines: bool, parts: bool) -> Self {
        let parts = if parts { None } else { Some(false) };
        Self { lines, parts, fresh: true, fed: 0, broken: false }
    }

    /// Whether the document at hand is malformed.
    pub(super) fn broken(&self) -> bool {
        self.broken
    }

    /// Takes the next piece.
    pub(super) fn feed(&mut self, document: &mut Document, pointers: &Pointers, piece: &[u8]) {
        let mut rest = piece;
        while self.lines
            && let Some(end) = rest.iter().position(|byte| *byte == b'\n')
        {
            let (line, after) = rest.split_at_checked(end.saturating_add(1)).unwrap_or_default();
            self.feed_line(document, pointers, line);
            document.ends(pointers);
            (self.fresh, self.broken) = (true, false);
            rest = after;
        }
        self.feed_line(document, pointers, rest);
    }

    fn feed_line(&mut self, document: &mut Document, pointers: &Pointers, piece: &[u8]) {
        let mut rest = piece;
        while !self.broken {
            if self.fresh {
                rest = self.between(rest);
                if rest.is_empty() {
                    return;
                }
                (self.fresh, self.fed) = (false, 0);
            }
            match document.scanner.feed(pointers, rest) {
                Ok(()) => {
                    self.fed = self.fed.saturating_add(rest.len() as u64);
                    return;
                }
                // It was complete, and something follows.
                Err(malformed) if malformed.flaw == Flaw::Trailing => {
                    document.counts();
                    let read = malformed.offset.saturating_sub(self.fed);
                    let read = usize::try_from(read).unwrap_or(usize::MAX);
                    rest = rest.get(read..).unwrap_or_default();
                    document.renew(pointers);
                    self.fresh = true;
                }
                Err(_) => self.broken = true,
            }
        }
    }

    /// Leaves out what stands between documents; what is left begins one.
    fn between<'a>(&mut self, piece: &'a [u8]) -> &'a [u8] {
        let mut rest = piece;
        while let Some((byte, after)) = rest.split_first() {
            match byte {
                // A record separator begins each text of a sequence (RFC 7464 §2.1).
                b' ' | b'\t' | b'\r' | b'\n' | 0x1e => {}
                b'[' if self.parts.is_none() => self.parts = Some(true),
                b',' | b']' if self.parts == Some(true) => {}
                _ => {
                    self.parts = Some(self.parts == Some(true));
                    return rest;
                }
            }
            rest = after;
        }
        rest
    }
}
