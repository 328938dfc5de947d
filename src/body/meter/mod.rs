//! The number that a response carries (`response_cost`), read while the response streams through.
//!
//! Each framing is a series of JSON documents: `events` has those of server-sent events,
//! `documents` all others. The last document with a number counts.

mod documents;
mod events;

use super::json::pointers::Pointers;
use super::json::scanner::Scanner;
use super::json::value::Found;
use documents::Documents;
use events::Events;

/// How deep a response may nest; one that goes deeper carries no number.
const MAX_DEPTH: usize = 512;

/// UTF-8 texts may begin with it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The media types of JSON texts with a line for each.
const LINES: [&[u8]; 10] = [
    b"application/x-ndjson",
    b"application/ndjson",
    b"application/jsonl",
    b"application/x-jsonl",
    b"application/jsonlines",
    b"application/x-jsonlines",
    b"application/json-lines",
    b"application/x-json-stream",
    b"application/stream+json",
    b"application/json-seq",
];

/// Reads one response. It holds nothing of the response but numbers.
#[derive(Clone, Debug)]
pub struct ResponseMeter {
    document: Document,
    framing: Framing,
    /// How many bytes of a byte order mark were read at the start; all when that is over.
    mark: usize,
}

#[derive(Clone, Debug)]
enum Framing {
    Events(Events),
    Documents(Documents),
}

/// The document at hand, and what those before it said.
#[derive(Clone, Debug)]
struct Document {
    scanner: Scanner,
    /// The last number that each pointer led to.
    numbers: Vec<Option<u64>>,
}

impl Document {
    /// The document at hand is complete: takes its numbers over, if it is well-formed.
    fn ends(&mut self, pointers: &Pointers) {
        if self.scanner.finish().is_ok() {
            self.counts();
        }
        self.renew(pointers);
    }

    /// The next document may begin.
    fn renew(&mut self, pointers: &Pointers) {
        self.scanner = Scanner::new(pointers, MAX_DEPTH);
    }

    /// Takes the numbers of the document at hand over.
    fn counts(&mut self) {
        for (number, found) in self.numbers.iter_mut().zip(self.scanner.found()) {
            if let Found::Number(found) = found {
                *number = Some(*found);
            }
        }
    }
}

impl ResponseMeter {
    /// A meter of one response. `pointers`: where its number may stand, the first before the others.
    /// `content_type` chooses between `text/event-stream`, JSON with a line for each document, and
    /// one document, an array of them or several in a row.
    pub fn new(pointers: &Pointers, content_type: &[u8]) -> Self {
        let media_type = super::media_type(content_type);
        let framing = if media_type.eq_ignore_ascii_case(b"text/event-stream") {
            Framing::Events(Events::default())
        } else {
            let lines = LINES.iter().any(|lines| media_type.eq_ignore_ascii_case(lines));
            // Where a pointer leads into the array, the array is one document.
            Framing::Documents(Documents::new(lines, !pointers.any_begins_with_an_index()))
        };
        let document = Document {
            scanner: Scanner::new(pointers, MAX_DEPTH),
            numbers: vec![None; pointers.len()],
        };
        Self { document, framing, mark: 0 }
    }

    /// Takes the next piece, cut anywhere; `pointers` are those of [`ResponseMeter::new`].
    pub fn feed(&mut self, pointers: &Pointers, piece: &[u8]) {
        let mut piece = piece;
        while let (Some(mark), Some((first, rest))) =
            (BYTE_ORDER_MARK.get(self.mark), piece.split_first())
        {
            if mark == first {
                (self.mark, piece) = (self.mark.saturating_add(1), rest);
            } else {
                self.mark = BYTE_ORDER_MARK.len();
            }
        }
        match &mut self.framing {
            Framing::Events(events) => events.feed(&mut self.document, pointers, piece),
            Framing::Documents(documents) => documents.feed(&mut self.document, pointers, piece),
        }
    }

    /// The response ended; its number, rounded up, if it carried one.
    pub fn finish(mut self, pointers: &Pointers) -> Option<u64> {
        match &self.framing {
            // An event that no empty line ended is not one (WHATWG HTML §9.2.6), yet providers end
            // their last one so, and it is the one that counts.
            Framing::Events(events) if !events.open() => {}
            Framing::Documents(documents) if documents.broken() => {}
            _ => self.document.ends(pointers),
        }
        self.document.numbers.into_iter().flatten().next()
    }
}

#[cfg(test)]
mod tests;
