//! Finds the parts of a stream that can hold no number, so that they are not read.

use crate::body::json::pointers::Pointers;
use crate::swar::equal;

/// The most bytes at the end of a name that are compared.
const TAIL: usize = 6;

/// A number stands at a pointer only where the last name of the pointer is written, or an escape that may spell a
/// part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sieve {
    /// The ends of the names, each once.
    tails: Vec<Vec<u8>>,
    /// The last bytes of them, which are one or two; `None`: everything may hold a number.
    ends: Option<[u8; 2]>,
}

impl Sieve {
    pub(super) fn new(pointers: &Pointers) -> Self {
        Self::of(&pointers.last_names().collect::<Vec<_>>(), TAIL)
    }

    /// `most`: so many bytes of each name are compared.
    fn of(names: &[&str], most: usize) -> Self {
        let mut tails: Vec<Vec<u8>> = Vec::new();
        let mut ends: Vec<u8> = Vec::new();
        // Only these bytes are written as themselves or as `\u00..`.
        let plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\' | b'/');
        let mut all = true;
        for name in names.iter().map(|name| name.as_bytes()) {
            // Without escapes, a quotation mark precedes it.
            let mut tail = [b"\"", name].concat();
            tail.drain(..tail.len().saturating_sub(most));
            if !tails.contains(&tail) {
                tails.push(tail);
            }
            ends.extend(name.last().filter(|end| !ends.contains(end)));
            // Elements of an array have no name.
            all &= !name.iter().all(u8::is_ascii_digit) && name.iter().all(plain);
        }
        let ends = match ends.as_slice() {
            [one] if all => Some([*one; 2]),
            [one, two] if all => Some([*one, *two]),
            _ => None,
        };
        Self { tails, ends }
    }

    /// Whether a piece holds no number of the pointers whose number is 0 or unknown: no name and no escape.
    pub(super) fn is_clear_but(pointers: &Pointers, numbers: &[Option<u64>], piece: &[u8]) -> bool {
        let unknown = pointers.last_names().zip(numbers).filter(|(_, n)| n.is_none_or(|n| n == 0));
        let unknown: Vec<&str> = unknown.map(|(name, _)| name).collect();
        let sieve = Self::of(&unknown, usize::MAX);
        sieve.tails.is_empty() || sieve.clear(piece) == piece.len()
    }

    /// How many bytes at the start of a piece hold no name and no escape. A name that the start or the end of the
    /// piece cuts is not seen.
    pub(super) fn clear(&self, piece: &[u8]) -> usize {
        let Some([one, two]) = self.ends else { return 0 };
        let (words, _) = piece.as_chunks::<8>();
        for (index, word) in words.iter().enumerate() {
            let at = index.saturating_mul(8);
            let word = u64::from_le_bytes(*word);
            // The byte after each; after the last one, a quotation mark for all that is known.
            let after = (word >> 8) | (u64::from(b'"') << 56);
            let ends = equal(word, one) | equal(word, two);
            let mut marks = (ends & equal(after, b'"')) | equal(word, b'\\');
            while marks != 0 {
                let place = at.saturating_add((marks.trailing_zeros() / u8::BITS) as usize);
                if self.matters(piece, place) {
                    return place;
                }
                marks &= marks.wrapping_sub(1);
            }
        }
        let rest = words.len().saturating_mul(8);
        (rest..piece.len()).find(|place| self.matters(piece, *place)).unwrap_or(piece.len())
    }

    /// Whether a name ends at this place, or an escape begins that may spell a part of one.
    fn matters(&self, piece: &[u8], place: usize) -> bool {
        match piece.get(place..).unwrap_or_default() {
            [b'\\', b'u', b'0', b'0', b'2'..=b'7', ..] => true,
            [_, b'"', ..] => {
                let end = place.saturating_add(1);
                self.tails.iter().any(|tail| {
                    let start = end.checked_sub(tail.len());
                    let text = start.and_then(|start| piece.get(start..end)).unwrap_or_default();
                    // The first byte rules most texts out.
                    text.first() == tail.first() && text == tail
                })
            }
            _ => false,
        }
    }
}

/// The place after the last line feed.
pub(super) fn last_line(piece: &[u8]) -> usize {
    piece.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place.saturating_add(1))
}

/// The place after the last empty line that is sure to be one, wherever the piece begins.
pub(super) fn last_empty_line(piece: &[u8]) -> usize {
    let is_empty = |end: &usize| {
        let before = piece.get(..*end).unwrap_or_default();
        before.ends_with(b"\n\n") || before.ends_with(b"\n\r\n")
    };
    (1..=piece.len()).rev().find(is_empty).unwrap_or(0)
}
