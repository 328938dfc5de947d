//! The number that a response carries (`response_cost`), read while the response streams through.
//!
//! Every response is a series of JSON documents (`document`): those of server-sent events (`events`)
//! or those of any other JSON (`documents`). The last document with a number counts.

mod document;
mod documents;
mod events;

use super::guard::media_type;
use super::json::pointers::Pointers;
use document::Document;
use documents::Documents;
use events::Events;

/// A UTF-8 text may begin with it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The media types of JSON with one document per line.
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

/// Reads one response and keeps only numbers.
#[derive(Clone, Debug)]
pub struct ResponseMeter {
    document: Document,
    framing: Framing,
    /// The bytes of a byte order mark read so far; its length once the response has begun.
    mark: usize,
}

#[derive(Clone, Debug)]
enum Framing {
    Events(Events),
    Documents(Documents),
}

impl ResponseMeter {
    /// A meter for one response. `pointers`: where its number may be, in order of precedence.
    /// `content_type` decides between server-sent events, one document per line, and other JSON: one
    /// document, several in a row, or an array of documents.
    pub fn new(pointers: &Pointers, content_type: &[u8]) -> Self {
        let media_type = media_type(content_type);
        let framing = if media_type.eq_ignore_ascii_case(b"text/event-stream") {
            Framing::Events(Events::default())
        } else {
            let lines = LINES.iter().any(|lines| media_type.eq_ignore_ascii_case(lines));
            // If a pointer leads into the array, the array is one document.
            Framing::Documents(Documents::new(lines, !pointers.any_begins_with_an_index()))
        };
        Self { document: Document::new(pointers), framing, mark: 0 }
    }

    /// Reads the next piece, cut anywhere. `pointers` must be those of [`ResponseMeter::new`].
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

    /// The response ended: its number, rounded up, if it carried one.
    pub fn finish(mut self, pointers: &Pointers) -> Option<u64> {
        match &self.framing {
            // An event must end with an empty line (WHATWG HTML §9.2.6), but some providers omit it
            // after their last event, which is the one that counts.
            Framing::Events(events) if !events.open => {}
            Framing::Documents(documents) if documents.broken => {}
            _ => self.document.end(pointers),
        }
        self.document.number()
    }
}

#[cfg(test)]
mod tests;
