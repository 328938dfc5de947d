//! The number that a response carries (`response_cost`), read while the response streams through.

use super::pointers::Pointers;
use super::scanner::Scanner;
use super::watch::Found;

/// How deep a response may nest; one that goes deeper carries no number.
const MAX_DEPTH: usize = 512;

/// The longest field name of an event that matters is `data`.
const FIELD: &[u8] = b"data";

/// Reads one response. It holds nothing of the response but the number.
#[derive(Clone, Debug)]
pub struct ResponseMeter {
    scanner: Scanner,
    events: Option<Events>,
    number: Option<u64>,
}

/// Where a reader of server-sent events stands (WHATWG HTML §9.2.6).
#[derive(Clone, Debug, Default)]
struct Events {
    line: Line,
    /// A CR ended the last line: an LF that follows belongs to it.
    after_cr: bool,
    /// How many bytes of a byte order mark were read at the start; 3 when that is over.
    mark: usize,
    /// The event has a `data` line.
    data: bool,
}

#[derive(Clone, Copy, Debug)]
enum Line {
    /// Inside the name: how much of `data` was read.
    Field(usize),
    /// After the colon of `data`: one space is not part of the value.
    Space,
    /// Inside the value of `data`.
    Data,
    /// A comment, or another field.
    Ignored,
}

impl Default for Line {
    fn default() -> Self {
        Self::Field(0)
    }
}

impl ResponseMeter {
    /// A meter of one response; `pointer` is the one pointer to the number. `content_type` chooses
    /// between one JSON document and `text/event-stream`, whose last event with a number counts.
    pub fn new(pointer: &Pointers, content_type: &[u8]) -> Self {
        let media_type = content_type.split(|b| *b == b';').next().unwrap_or_default();
        let events = media_type.trim_ascii().eq_ignore_ascii_case(b"text/event-stream");
        Self {
            scanner: Scanner::new(pointer, MAX_DEPTH),
            events: events.then(Events::default),
            number: None,
        }
    }

    /// Takes the next piece, cut anywhere; `pointer` is that of [`ResponseMeter::new`].
    pub fn feed(&mut self, pointer: &Pointers, piece: &[u8]) {
        match &mut self.events {
            // What is wrong with a response is not ours to say: it carries no number then.
            None => drop(self.scanner.feed(pointer, piece)),
            Some(_) => self.feed_events(pointer, piece),
        }
    }

    /// The response ended; the number, if it carried one.
    pub fn finish(mut self) -> Option<u64> {
        if self.events.is_none() {
            self.read_number();
        }
        // An event that no empty line ended is not one (WHATWG HTML §9.2.6), yet providers end
        // their last one so, and it is the one that counts.
        if self.events.as_ref().is_some_and(|events| events.data) {
            self.read_number();
        }
        self.number
    }

    fn feed_events(&mut self, pointer: &Pointers, piece: &[u8]) {
        let mut rest = piece;
        while let Some((byte, after)) = rest.split_first() {
            let Some(events) = &mut self.events else { return };
            if let Line::Data = events.line {
                let end = rest.iter().position(|b| matches!(b, b'\r' | b'\n'));
                let (value, next) =
                    rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or_default();
                if !value.is_empty() {
                    let _ = self.scanner.feed(pointer, value);
                    rest = next;
                    continue;
                }
            }
            rest = after;
            match events.step(*byte) {
                Step::Nothing => {}
                Step::Byte => drop(self.scanner.feed(pointer, &[*byte])),
                Step::NextData => drop(self.scanner.feed(pointer, b"\n")),
                Step::End => {
                    self.read_number();
                    self.scanner = Scanner::new(pointer, MAX_DEPTH);
                }
            }
        }
    }

    fn read_number(&mut self) {
        if self.scanner.finish().is_ok()
            && let Some(Found::Integer(number)) = self.scanner.found().first()
        {
            self.number = Some(*number);
        }
    }
}

/// What a byte outside a value means for the document at hand.
enum Step {
    Nothing,
    /// It belongs to the document.
    Byte,
    /// A further `data` line: a line feed stands between the two.
    NextData,
    /// The event is complete.
    End,
}

impl Events {
    fn step(&mut self, byte: u8) -> Step {
        if self.mark < 3 {
            if b"\xef\xbb\xbf".get(self.mark) == Some(&byte) {
                self.mark = self.mark.saturating_add(1);
                return Step::Nothing;
            }
            self.mark = 3;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer() -> Pointers {
        Pointers::new([&["usage".to_owned(), "total_tokens".to_owned()][..]])
    }

    /// The number, the same for every way to cut the text.
    fn number(content_type: &str, text: &[u8]) -> Option<u64> {
        let pointer = pointer();
        let read = |size: usize| {
            let mut meter = ResponseMeter::new(&pointer, content_type.as_bytes());
            text.chunks(size).for_each(|piece| meter.feed(&pointer, piece));
            meter.finish()
        };
        let whole = read(text.len().max(1));
        for size in 1..text.len().min(40) {
            assert_eq!(read(size), whole, "{size}: {}", text.escape_ascii());
        }
        whole
    }

    #[test]
    fn a_json_response_carries_its_number() {
        for (text, want) in [
            (&b"{\"id\":1,\"usage\":{\"total_tokens\":42}}"[..], Some(42)),
            (b"{\"usage\":{\"total_tokens\":42,\"total_tokens\":43}}", None),
            (b"{\"usage\":{\"total_tokens\":-1}}", None),
            (b"{\"usage\":{\"total_tokens\":1.5}}", None),
            (b"{\"usage\":{\"total_tokens\":18446744073709551616}}", None),
            (b"{\"usage\":null}", None),
            (b"{\"usage\":{\"total_tokens\":42}", None),
            (b"<html>", None),
            (b"", None),
        ] {
            assert_eq!(number("application/json", text), want, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn the_last_event_with_a_number_counts() {
        let last = r#"{"choices":[],"usage":{"total_tokens":7}}"#;
        for (text, want) in [
            (format!("data: {{\"usage\":null}}\n\ndata: {last}\n\ndata: [DONE]\n\n"), Some(7)),
            (format!("data:{last}\r\n\r\ndata: [DONE]\r\n\r\n"), Some(7)),
            (format!("\u{feff}data: {last}\r\rdata: [DONE]\r\r"), Some(7)),
            (format!(": hi\nevent: x\nid: 1\ndata: {last}\nretry: 5\n\n"), Some(7)),
            (format!("data: {last}"), Some(7)),
            (format!("data: {last}\n\ndata: {}\n\n", last.replace('7', "9")), Some(9)),
            ("data: {\"usage\":\ndata: {\"total_tokens\":\ndata: 5}}\n\n".to_owned(), Some(5)),
            (format!("database: {last}\n\n"), None),
            (format!(" data: {last}\n\n"), None),
            (String::new(), None),
        ] {
            let got = number("Text/Event-Stream; charset=utf-8", text.as_bytes());
            assert_eq!(got, want, "{text:?}");
        }
    }
}
