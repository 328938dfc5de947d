//! JSON other than server-sent events: one document, one per line, several in a row, or an array of
//! documents.

use memchr::memchr;

use super::document::Document;
use super::measure::Measure;
use super::sieve::last_line;
use crate::body::json::flaw::Flaw;
use crate::body::json::pointers::Pointers;

/// The place in a series of documents.
#[derive(Clone, Debug)]
pub(super) struct Documents {
    /// A line feed ends a document.
    lines: bool,
    /// The response is an array whose elements are documents; `None`: not known yet.
    elements: Option<bool>,
    /// No byte of the current document was read.
    fresh: bool,
    /// The bytes of the current document read so far.
    fed: u64,
    /// The current document is malformed; the next may begin on the next line.
    pub(super) broken: bool,
}

impl Documents {
    /// `lines`: a line feed ends a document. `elements`: the elements of an array are documents.
    pub(super) fn new(lines: bool, elements: bool) -> Self {
        let elements = if elements { None } else { Some(false) };
        Self { lines, elements, fresh: true, fed: 0, broken: false }
    }

    /// Reads the next piece.
    pub(super) fn feed(&mut self, document: &mut Document, measure: &Measure, piece: &[u8]) {
        let pointers = &measure.pointers;
        let mut rest = piece;
        // Before the last so many bytes of the piece, no further line can be left out.
        let mut tried = usize::MAX;
        while self.lines {
            if self.fresh && self.elements.is_some() && rest.len() < tried {
                let clear = measure.sieve.clear(rest);
                tried = rest.len().saturating_sub(clear);
                let lines = last_line(rest.get(..clear).unwrap_or_default());
                if lines > 0 {
                    (self.broken, document.was_last) = (false, false);
                    rest = rest.get(lines..).unwrap_or_default();
                }
            }
            let Some(end) = memchr(b'\n', rest) else { break };
            let (line, after) = rest.split_at_checked(end.saturating_add(1)).unwrap_or_default();
            self.feed_line(document, pointers, line);
            document.end();
            (self.fresh, self.broken) = (true, false);
            rest = after;
        }
        self.feed_line(document, pointers, rest);
    }

    /// Whether the last line is the last document of a stream.
    pub(super) fn is_done(&self, document: &Document) -> bool {
        self.lines && self.fresh && document.was_last
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
            match document.feed(pointers, rest) {
                None => {
                    self.fed = self.fed.saturating_add(rest.len() as u64);
                    return;
                }
                // The document was complete, and another may follow.
                Some(malformed) if malformed.flaw == Flaw::Trailing => {
                    document.keep_numbers();
                    let read = malformed.offset.saturating_sub(self.fed);
                    let read = usize::try_from(read).unwrap_or(usize::MAX);
                    rest = rest.get(read..).unwrap_or_default();
                    document.renew();
                    self.fresh = true;
                }
                Some(_) => self.broken = true,
            }
        }
    }

    /// Skips the bytes between documents; the rest of the piece begins one.
    fn between<'a>(&mut self, piece: &'a [u8]) -> &'a [u8] {
        let mut rest = piece;
        while let Some((byte, after)) = rest.split_first() {
            match byte {
                // A record separator begins each text of a sequence (RFC 7464 §2.1).
                b' ' | b'\t' | b'\r' | b'\n' | 0x1e => {}
                b'[' if self.elements.is_none() => self.elements = Some(true),
                b',' | b']' if self.elements == Some(true) => {}
                _ => {
                    self.elements = Some(self.elements == Some(true));
                    return rest;
                }
            }
            rest = after;
        }
        rest
    }
}
