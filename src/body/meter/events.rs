//! Server-sent events (WHATWG HTML §9.2.6): the `data` of each is a document.

use super::document::Document;
use crate::body::json::pointers::Pointers;

/// The field of an event that holds the document.
const FIELD: &[u8] = b"data";

/// The place in a stream of server-sent events.
#[derive(Clone, Debug, Default)]
pub(super) struct Events {
    line: Line,
    /// A CR ended the last line; an LF may follow and belongs to it.
    after_cr: bool,
    /// The event has a `data` line.
    data: bool,
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

/// The effect of a byte outside of a value on the current document.
enum Step {
    Nothing,
    /// It belongs to the document.
    Byte,
    /// Another `data` line begins: a line feed joins the two.
    NextData,
    /// The event is complete.
    End,
}

impl Events {
    /// Whether no empty line has ended the current event.
    pub(super) fn open(&self) -> bool {
        self.data
    }

    /// Reads the next piece. A malformed document is no error: it has no number.
    pub(super) fn feed(&mut self, document: &mut Document, pointers: &Pointers, piece: &[u8]) {
        let mut rest = piece;
        while let Some((byte, after)) = rest.split_first() {
            if let Line::Data = self.line {
                let end = rest.iter().position(|b| matches!(b, b'\r' | b'\n'));
                let (value, next) =
                    rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or_default();
                if !value.is_empty() {
                    let _ = document.feed(pointers, value);
                    rest = next;
                    continue;
                }
            }
            rest = after;
            match self.step(*byte) {
                Step::Nothing => {}
                Step::Byte => drop(document.feed(pointers, &[*byte])),
                Step::NextData => drop(document.feed(pointers, b"\n")),
                Step::End => document.end(pointers),
            }
        }
    }

    fn step(&mut self, byte: u8) -> Step {
        let after_cr = std::mem::take(&mut self.after_cr);
        if matches!(byte, b'\r' | b'\n') {
            self.after_cr = byte == b'\r';
            if byte == b'\n' && after_cr {
                return Step::Nothing;
            }
            let empty = matches!(self.line, Line::Field(0));
            self.line = Line::Field(0);
            return if empty && std::mem::take(&mut self.data) { Step::End } else { Step::Nothing };
        }
        let (line, step) = match self.line {
            Line::Field(length) if FIELD.get(length) == Some(&byte) => {
                (Line::Field(length.saturating_add(1)), Step::Nothing)
            }
            Line::Field(length) if length == FIELD.len() && byte == b':' => {
                let more = std::mem::replace(&mut self.data, true);
                (Line::Space, if more { Step::NextData } else { Step::Nothing })
            }
            Line::Space if byte == b' ' => (Line::Data, Step::Nothing),
            Line::Space | Line::Data => (Line::Data, Step::Byte),
            Line::Field(_) | Line::Ignored => (Line::Ignored, Step::Nothing),
        };
        self.line = line;
        step
    }
}
