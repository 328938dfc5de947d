//! Reads one token at the start of a piece, eight bytes at once. What is cut by the end of the piece, or may be wrong,
//! is left to the table.

use super::text::text;
use crate::swar::{digits, plain_marks, plain_prefix};

/// Names by a hash of their first eight letters, in either case: what is not in the set spells none of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Names(u64);

impl Names {
    /// The set of no name.
    pub(super) const NONE: Self = Self(0);

    /// The set of this name and others. Letters outside of ASCII may spell letters of it, and the reverse, so that a
    /// name with some makes it the set of all.
    #[inline(never)]
    pub(super) const fn of(name: &str) -> Self {
        let (mut word, mut rest, mut place) = (0, name.as_bytes(), 0);
        while let ([byte, others @ ..], 0..64) = (rest, place) {
            word |= (*byte as u64) << place;
            (rest, place) = (others, place + 8);
        }
        match name.is_ascii() {
            true => Self::bit(word, place),
            false => Self(u64::MAX),
        }
    }

    /// The set of names that begin with the first bytes of a word, of which there are so many bits.
    #[inline(always)]
    const fn bit(word: u64, bits: u32) -> Self {
        let letters = word | 0x2020_2020_2020_2020;
        let letters = if bits < 64 {
            (letters << 8).wrapping_shl(56_u32.wrapping_sub(bits))
        } else {
            letters
        };
        Self(1 << (letters.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58))
    }

    /// The names of both sets.
    pub(super) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[inline(always)]
    const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// What follows a name that begins after this quotation mark, if it is none of these names. Otherwise the place up to
/// which it needs no second look; `None`: the watch must look at it.
#[inline(always)]
pub(super) fn name(inside: &[u8], names: Names) -> Result<&[u8], Option<&[u8]>> {
    if names == Names::NONE {
        return string(inside).map_err(Some);
    }
    let word = u64::from_le_bytes(*inside.first_chunk().ok_or(None)?);
    let marks = plain_marks(word);
    let (bits, rest) = if marks == 0 {
        (64, inside.get(plain_prefix(inside)..).unwrap_or_default())
    } else {
        let bits = marks.trailing_zeros() & 56;
        (bits, inside.get((bits / 8) as usize..).unwrap_or_default())
    };
    match rest.split_first() {
        Some((b'"', rest)) if !names.meets(Names::bit(word, bits)) => Ok(rest),
        _ => Err(None),
    }
}

/// What follows a string that begins after this quotation mark. If it is cut or wrong: the rest of it.
#[inline(always)]
pub(super) fn string(inside: &[u8]) -> Result<&[u8], &[u8]> {
    let mut rest = inside;
    while let Some(word) = rest.first_chunk() {
        let word = u64::from_le_bytes(*word);
        let marks = plain_marks(word);
        if marks != 0 {
            let bits = marks.trailing_zeros() & 56;
            if word.wrapping_shr(bits) as u8 != b'"' {
                break;
            }
            return Ok(rest.get((bits / 8).wrapping_add(1) as usize..).unwrap_or_default());
        }
        rest = rest.get(8..).unwrap_or_default();
    }
    let rest = rest.get(long(rest)..).unwrap_or_default();
    rest.strip_prefix(b"\"").ok_or(rest)
}

/// The length of a text with escapes or other characters than those of ASCII.
#[inline(never)]
fn long(inside: &[u8]) -> usize {
    inside.len().wrapping_sub(text(inside).len())
}

/// What follows a number, if a byte follows.
#[inline(always)]
pub(super) fn number(piece: &[u8]) -> Option<&[u8]> {
    // No branch: signs come in any order.
    let sign = usize::from(piece.first() == Some(&b'-'));
    let whole = piece.get(sign..)?;
    let rest = some_digits(whole)?;
    if let [b'0', b'0'..=b'9', ..] = whole {
        return None;
    }
    match rest.first()? {
        b'.' | b'e' | b'E' => fraction(rest),
        _ => Some(rest),
    }
}

#[inline(always)]
fn fraction(rest: &[u8]) -> Option<&[u8]> {
    let rest = match rest {
        [b'.', rest @ ..] => some_digits(rest)?,
        _ => rest,
    };
    match rest {
        [b'e' | b'E', rest @ ..] => exponent(rest),
        _ => Some(rest),
    }
}

#[inline(never)]
fn exponent(rest: &[u8]) -> Option<&[u8]> {
    match rest {
        [b'+' | b'-', rest @ ..] | rest => some_digits(rest),
    }
}

/// What follows digits, of which there is one at least.
#[inline(always)]
fn some_digits(piece: &[u8]) -> Option<&[u8]> {
    let mut rest = piece;
    loop {
        let read = digits(u64::from_le_bytes(*rest.first_chunk()?));
        rest = rest.get(read..)?;
        if read < 8 {
            return (rest.len() < piece.len()).then_some(rest);
        }
    }
}

/// The literals by two bits of their first letters, which no branch compares: they come in any order.
static LITERALS: [&[u8; 8]; 4] =
    [b"false\0\0\0", b"null\0\0\0\0", b"true\0\0\0\0", b"true\0\0\0\0"];

/// What follows a literal.
#[inline(always)]
pub(super) fn literal(piece: &[u8]) -> Option<&[u8]> {
    let word = u64::from_le_bytes(*piece.first_chunk()?);
    let index = (word >> 3) as usize & 3;
    let length = if index == 0 { 5 } else { 4 };
    let wanted = u64::from_le_bytes(**LITERALS.get(index)?);
    let letters = word & !u64::MAX.wrapping_shl(length * u8::BITS);
    (letters == wanted).then(|| piece.get(length as usize..)).flatten()
}

/// What follows this byte, if it comes next but for white space.
#[inline(always)]
pub(super) fn after(piece: &[u8], byte: u8) -> Option<&[u8]> {
    let rest = match piece {
        [first, ..] if *first == byte => piece,
        _ => space(piece),
    };
    rest.strip_prefix(&[byte])
}

/// What follows white space.
#[inline(always)]
pub(super) fn space(piece: &[u8]) -> &[u8] {
    match piece {
        [b' ', b'!'..=b'~', ..] => piece.get(1..).unwrap_or_default(),
        _ => spaces(piece),
    }
}

/// The same where there is seldom a single space.
#[inline(never)]
pub(super) fn spaces(piece: &[u8]) -> &[u8] {
    let mut rest = piece;
    loop {
        let spaces = rest.first_chunk().map_or(0, |word| {
            (u64::from_le_bytes(*word) ^ 0x2020_2020_2020_2020).trailing_zeros() / u8::BITS
        });
        let read = match rest {
            _ if spaces > 0 => spaces as usize,
            [b' ' | b'\t' | b'\n' | b'\r', ..] => 1,
            _ => return rest,
        };
        rest = rest.get(read..).unwrap_or_default();
    }
}
