//! The last event of a stream: SDKs and programs leave at it, before the response ends.

use memchr::memrchr2_iter;

/// The names of the last events of Anthropic's API and of OpenAI's Responses API.
const NAMES: [&[u8]; 4] =
    [b"message_stop", b"response.completed", b"response.incomplete", b"response.failed"];

/// The longest way to write the first line of these events, with one byte of its ending.
const LONGEST_NAME: usize = 27;

/// The longest way to write `data: [DONE]`, the last event of OpenAI's other APIs: a line ending, and two after it.
const LONGEST: usize = 18;

/// The first bytes of the last event so far, and the last bytes of the response.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done {
    first: [u8; LONGEST_NAME],
    /// How many of the first bytes were read.
    read: usize,
    last: [u8; LONGEST],
}

impl Default for Done {
    /// A response begins with a line.
    fn default() -> Self {
        Self { first: [0; LONGEST_NAME], read: 0, last: [b'\n'; LONGEST] }
    }
}

impl Done {
    /// Reads the next piece.
    pub(super) fn feed(&mut self, piece: &[u8]) {
        let endings = piece.iter().take_while(|byte| is_ending(byte)).count();
        let (endings, text) = piece.split_at_checked(endings).unwrap_or_default();
        self.note_last(endings);
        let event = match last_event(text) {
            None if text.is_empty() || !ends_event(&self.last) => piece,
            event => {
                self.read = 0;
                event.unwrap_or(text)
            }
        };
        let free = self.first.get_mut(self.read..).unwrap_or_default();
        self.read = self.read.saturating_add(free.len().min(event.len()));
        free.iter_mut().zip(event).for_each(|(first, byte)| *first = *byte);
        self.note_last(text);
    }

    fn note_last(&mut self, piece: &[u8]) {
        let last = piece.get(piece.len().saturating_sub(LONGEST)..).unwrap_or_default();
        self.last.rotate_left(last.len());
        if let Some(end) = self.last.get_mut(LONGEST.saturating_sub(last.len())..) {
            end.copy_from_slice(last);
        }
    }

    /// Whether the last event is one that no other follows. One space after a colon is no part of a value (WHATWG
    /// HTML §9.2.6).
    pub(super) fn is_read(&self) -> bool {
        let line = self.last.trim_ascii_end().strip_suffix(b"[DONE]");
        let field = line.map(|line| line.strip_suffix(b" ").unwrap_or(line));
        let before = field.and_then(|field| field.strip_suffix(b"data:"));
        if before.and_then(<[u8]>::last).is_some_and(is_ending) {
            return true;
        }
        let value = self.first.get(..self.read).and_then(|first| first.strip_prefix(b"event:"));
        let value = value.map(|value| value.strip_prefix(b" ").unwrap_or(value));
        let end = value.and_then(|value| NAMES.iter().find_map(|name| value.strip_prefix(*name)));
        end.and_then(<[u8]>::first).is_some_and(is_ending) && ends_event(&self.last)
    }
}

fn is_ending(byte: &u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// Whether a text ends with an empty line.
fn ends_event(text: &[u8]) -> bool {
    let line = text.strip_suffix(b"\r\n").or_else(|| text.split_last().map(|(_, line)| line));
    text.last().is_some_and(is_ending) && line.and_then(<[u8]>::last).is_some_and(is_ending)
}

/// The last event that begins after an empty line.
fn last_event(text: &[u8]) -> Option<&[u8]> {
    // Of many empty lines at the end, each would otherwise be followed to it.
    let end = text.iter().rposition(|byte| !is_ending(byte))?;
    memrchr2_iter(b'\r', b'\n', text.get(..end)?).find_map(|place| {
        let (before, after) = text.split_at_checked(place.saturating_add(1))?;
        let first =
            after.iter().position(|byte| !is_ending(byte)).filter(|_| ends_event(before))?;
        after.get(first..)
    })
}
