//! Server-sent events (WHATWG HTML §9.2.6): the `data` of each is a document.

use memchr::memchr2;

use super::document::Document;
use super::measure::Measure;
use super::sieve::last_empty_line;
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
        while let Some((byte, after)) = rest.split_first() {
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
            }
            if let Line::Data = self.line {
                let end = memchr2(b'\r', b'\n', rest);
                let (value, next) =
                    rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or_default();
                if !value.is_empty() {
                    document.feed(pointers, value);
                    rest = next;
                    continue;
                }
            }
            rest = after;
            self.byte(document, pointers, *byte);
        }
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
