//! Server-sent events (WHATWG HTML §9.2.6): the `data` of each is a document.

use memchr::memchr2;

use super::document::Document;
use super::measure::Measure;
use super::sieve::{Sieve, last_empty_line};
use crate::body::json::pointers::Pointers;

/// The field of an event that holds the document.
const FIELD: &[u8] = b"data";

/// The fewest bytes before a name that are looked through for the end of an event.
const WORTH: usize = 1024;

/// The place in a stream of server-sent events.
#[derive(Clone, Debug, Default)]
pub(super) struct Events {
    line: Line,
    /// A CR ended the last line; an LF may follow and belongs to it.
    after_cr: bool,
    /// The event has a `data` line, and no empty line has ended it.
    pub(super) open: bool,
}

#[derive(Clone, Copy, Debug)]
enum Line {
    /// In the field name: the bytes of `data` read so far.
    Field(usize),
    /// After the colon of `data`; one space is not part of the value.
    Space,
    /// In the value of `data`.
    Data,
    /// A comment, or another field.
    Ignored,
}

impl Default for Line {
    fn default() -> Self {
        Self::Field(0)
    }
}

impl Events {
    /// Reads the next piece. A malformed document is no error: it has no number.
    pub(super) fn feed(&mut self, document: &mut Document, measure: &Measure, piece: &[u8]) {
        let pointers = &measure.pointers;
        let mut rest = piece;
        // Before the last so many bytes of the piece, no further event can be left out.
        let mut tried = usize::MAX;
        let mut looked_back = false;
        while !rest.is_empty() {
            if !self.open && matches!(self.line, Line::Field(0)) && rest.len() < tried {
                let clear = measure.sieve.clear(rest);
                tried = rest.len().saturating_sub(clear);
                let events = match rest.get(..clear) {
                    Some(part) if tried == 0 || clear >= WORTH => last_empty_line(part),
                    _ => 0,
                };
                if events > 0 {
                    self.after_cr = false;
                    rest = rest.get(events..).unwrap_or_default();
                    continue;
                }
                if !std::mem::replace(&mut looked_back, true) {
                    let events = self.last_first(document, measure, rest);
                    if events > 0 {
                        rest = rest.get(events..).unwrap_or_default();
                        continue;
                    }
                }
            }
            rest = self.step(document, pointers, rest);
        }
    }

    /// Reads a value or a byte; returns what follows.
    fn step<'a>(
        &mut self,
        document: &mut Document,
        pointers: &Pointers,
        piece: &'a [u8],
    ) -> &'a [u8] {
        if let Line::Data = self.line {
            let end = memchr2(b'\r', b'\n', piece).unwrap_or(piece.len());
            let (value, rest) = piece.split_at_checked(end).unwrap_or_default();
            if !value.is_empty() {
                document.feed(pointers, value);
                return rest;
            }
        }
        let Some((byte, rest)) = piece.split_first() else { return piece };
        self.byte(document, pointers, *byte);
        rest
    }

    /// Reads the last whole event of a piece, which begins with an event. Only the last number counts: if all events
    /// before it can have no others than it has, how many bytes they have with it; otherwise 0.
    fn last_first(&mut self, document: &mut Document, measure: &Measure, piece: &[u8]) -> usize {
        let end = last_empty_line(piece);
        let start = last_empty_line(piece.get(..end.saturating_sub(1)).unwrap_or_default());
        let (before, last) =
            piece.get(..end).and_then(|whole| whole.split_at_checked(start)).unwrap_or_default();
        if before.is_empty() {
            return 0;
        }
        let (after_cr, earlier) = (std::mem::take(&mut self.after_cr), document.take_numbers());
        let mut rest = last;
        while !rest.is_empty() {
            rest = self.step(document, &measure.pointers, rest);
        }
        let clear = Sieve::is_clear_but(&measure.pointers, &document.numbers, before);
        document.add_earlier(&earlier);
        if clear {
            return end;
        }
        self.after_cr = after_cr;
        0
    }

    /// Reads a byte outside of a value.
    fn byte(&mut self, document: &mut Document, pointers: &Pointers, byte: u8) {
        let after_cr = std::mem::take(&mut self.after_cr);
        self.line = match self.line {
            _ if byte == b'\n' && after_cr => return,
            line if matches!(byte, b'\r' | b'\n') => {
                self.after_cr = byte == b'\r';
                if matches!(line, Line::Field(0)) && std::mem::take(&mut self.open) {
                    document.end();
                }
                Line::Field(0)
            }
            Line::Field(read) if FIELD.get(read) == Some(&byte) => {
                Line::Field(read.saturating_add(1))
            }
            Line::Field(read) if read == FIELD.len() && byte == b':' => {
                // A line feed joins the `data` lines of an event. Some servers leave out the empty line between
                // events, and some clients do not miss it.
                if std::mem::replace(&mut self.open, true) {
                    if document.is_complete() {
                        document.end();
                    } else {
                        document.feed(pointers, b"\n");
                    }
                }
                Line::Space
            }
            Line::Space if byte == b' ' => Line::Data,
            Line::Space | Line::Data => {
                document.feed(pointers, &[byte]);
                Line::Data
            }
            Line::Field(_) | Line::Ignored => Line::Ignored,
        };
    }
}
