//! The number that a response carries (`response_cost`), read while the response streams through.
//!
//! Every response is a series of JSON documents (`document`): those of server-sent events (`events`, `done`)
//! or those of any other JSON (`documents`). The last document with a number counts, for each place that a
//! [`Measure`] names. A [`Preset`] is the measure of an API. Parts of a stream that can hold no number, or
//! none that counts beside a later one, are not read (`sieve`).

mod document;
mod documents;
mod done;
mod events;
mod measure;
mod preset;
mod sieve;

use super::guard::media_type;
use document::Document;
use documents::Documents;
use done::Done;
use events::Events;
pub use measure::{Measure, Part};
pub use preset::Preset;

/// A UTF-8 text may begin with it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The text after the byte order mark has begun.
const BEGUN: usize = BYTE_ORDER_MARK.len() + 1;

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
    /// The bytes of a byte order mark read so far, or [`BEGUN`].
    mark: usize,
    done: Done,
}

#[derive(Clone, Debug)]
enum Framing {
    Events(Events),
    Documents(Documents),
}

impl Framing {
    /// `lines`: a line feed ends a document.
    fn documents(measure: &Measure, lines: bool) -> Self {
        // If a pointer leads into the array, the array is one document.
        Self::Documents(Documents::new(lines, !measure.pointers.any_begins_with_an_index()))
    }
}

impl ResponseMeter {
    /// A meter for one response. `measure`: where its numbers are.
    /// `content_type` decides between server-sent events, one document per line, and other JSON: one
    /// document, several in a row, or an array of documents. The first byte of the response overrules it.
    pub fn new(measure: &Measure, content_type: &[u8]) -> Self {
        let media_type = media_type(content_type);
        let framing = if media_type.eq_ignore_ascii_case(b"text/event-stream") {
            Framing::Events(Events::default())
        } else {
            let lines = LINES.iter().any(|lines| media_type.eq_ignore_ascii_case(lines));
            Framing::documents(measure, lines)
        };
        Self { document: Document::new(measure), framing, mark: 0, done: Done::default() }
    }

    /// Reads the next piece, cut anywhere. `measure` must be that of [`ResponseMeter::new`].
    pub fn feed(&mut self, measure: &Measure, piece: &[u8]) {
        let mut piece = piece;
        while self.mark < BEGUN
            && let Some((first, rest)) = piece.split_first()
        {
            if BYTE_ORDER_MARK.get(self.mark) == Some(first) {
                (self.mark, piece) = (self.mark.saturating_add(1), rest);
            } else {
                self.mark = BEGUN;
                self.begin(measure, *first);
            }
        }
        match &mut self.framing {
            Framing::Events(events) => {
                self.done.feed(piece);
                events.feed(&mut self.document, measure, piece);
            }
            Framing::Documents(documents) => documents.feed(&mut self.document, measure, piece),
        }
    }

    /// The first byte of the response: it shows the framing where the media type is wrong.
    fn begin(&mut self, measure: &Measure, first: u8) {
        match (&self.framing, first) {
            // The fields of an event, and a comment. No JSON text begins with these.
            (Framing::Documents(_), b'd' | b'e' | b'i' | b'r' | b':') => {
                self.framing = Framing::Events(Events::default());
            }
            (Framing::Events(_), b'{' | b'[') => {
                self.framing = Framing::documents(measure, false);
            }
            _ => {}
        }
    }

    /// Whether the last event or line so far is one that no other follows: clients may leave the response there.
    pub fn is_done(&self) -> bool {
        match &self.framing {
            Framing::Events(_) => self.done.is_read(),
            Framing::Documents(documents) => documents.is_done(&self.document),
        }
    }

    /// The response ended: its number, rounded up, if it carried one.
    pub fn finish(mut self, measure: &Measure) -> Option<u64> {
        match &self.framing {
            // An event must end with an empty line (WHATWG HTML §9.2.6), but some providers omit it
            // after their last event, which is the one that counts.
            Framing::Events(events) if !events.open => {}
            Framing::Documents(documents) if documents.broken => {}
            _ => self.document.end(),
        }
        measure.number(&self.document.numbers)
    }
}

#[cfg(test)]
mod tests;
