//! Reads the text of strings (RFC 8259 §7, §8) eight bytes at once, and characters and escapes as a whole.
//!
//! What is cut by the end of a piece or wrong is left to the table, so that the verdict and the place of a flaw are
//! the table's.

use crate::swar::plain_prefix;

/// The rest of a string after text that is well-formed and whole; it begins between two characters, and so does the
/// rest.
pub(super) fn text(piece: &[u8]) -> &[u8] {
    let mut rest = piece;
    loop {
        rest = rest.get(plain_prefix(rest)..).unwrap_or_default();
        let length = match rest {
            [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [b'\\', b'u', digits @ ..] => escape(digits),
            [0x80..=0xff, ..] => wide(rest),
            _ => 0,
        };
        match rest.get(length..) {
            Some(after) if length > 0 => rest = after,
            _ => return rest,
        }
    }
}

/// The length of an escape, or of two that make one character; 0: it is cut or wrong. `digits` follow its `u`.
fn escape(digits: &[u8]) -> usize {
    let unit = |digits: &[u8]| {
        let digits = digits.first_chunk::<4>()?;
        let digit = |unit: u32, digit: &u8| Some((unit << 4) | char::from(*digit).to_digit(16)?);
        digits.iter().try_fold(0, digit)
    };
    match unit(digits) {
        Some(0xd800..0xdc00) => match digits.get(4..) {
            Some([b'\\', b'u', low @ ..]) if matches!(unit(low), Some(0xdc00..0xe000)) => 12,
            _ => 0,
        },
        Some(0xdc00..0xe000) | None => 0,
        Some(_) => 6,
    }
}

/// The length of the characters outside of ASCII that a text begins with (RFC 3629 §4), up to one that is cut or wrong.
fn wide(text: &[u8]) -> usize {
    let mut rest = text;
    loop {
        let length = match rest {
            _ if rest.first_chunk().is_some_and(|word| are_two(u64::from_le_bytes(*word))) => 6,
            [0xc2..=0xdf, 0x80..=0xbf, ..] => 2,
            [0xe0, 0xa0..=0xbf, 0x80..=0xbf, ..]
            | [0xed, 0x80..=0x9f, 0x80..=0xbf, ..]
            | [0xe1..=0xec | 0xee | 0xef, 0x80..=0xbf, 0x80..=0xbf, ..] => 3,
            [0xf0, 0x90..=0xbf, 0x80..=0xbf, 0x80..=0xbf, ..]
            | [0xf4, 0x80..=0x8f, 0x80..=0xbf, 0x80..=0xbf, ..]
            | [0xf1..=0xf3, 0x80..=0xbf, 0x80..=0xbf, 0x80..=0xbf, ..] => 4,
            _ => return text.len().saturating_sub(rest.len()),
        };
        rest = rest.get(length..).unwrap_or_default();
    }
}

/// Whether a word begins with two characters of three bytes each.
#[inline]
fn are_two(word: u64) -> bool {
    // The bits that no shorter form and no surrogate has in common with a character.
    let (one, two) = (word & 0x200f, (word >> 24) & 0x200f);
    let is_some = |bits: u64| bits != 0 && bits != 0x200d;
    word & 0xc0c0_f0c0_c0f0 == 0x8080_e080_80e0 && is_some(one) && is_some(two)
}
