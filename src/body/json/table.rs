//! The grammar as a table by state and kind of byte, filled in by the compiler.
//!
//! A table takes the same time for every document that it reads: there is no branch that a hostile
//! mixture of strings, numbers and words could make the processor guess wrong.

use super::grammar::{EVENT, State, WRONG, next};

const STATES: usize = EVENT as usize;
/// Kinds of bytes.
const KINDS: usize = 43;

/// What an array, or the document, and what an object makes of each byte: where in [`TABLE`] that
/// begins which its kind leads to.
pub(super) type Rows = [u16; 256];
pub(super) static ARRAY: Rows = rows(b'[');
pub(super) static OBJECT: Rows = rows(b'{');

/// What each state leads to, by kind of byte.
static TABLE: [u8; KINDS * STATES] = table();

/// What a byte leads to: a state, or something to do.
#[inline]
pub(super) fn step(rows: &Rows, state: State, byte: u8) -> u8 {
    let row = rows.get(usize::from(byte)).copied().unwrap_or(0);
    match TABLE.get(usize::from(row).wrapping_add(usize::from(state))) {
        Some(next) => *next,
        None => WRONG,
    }
}

/// The kinds of bytes: those of a kind lead to the same from every state.
const fn kind(byte: u8) -> u8 {
    match byte {
        b'\t' | b'\n' | b'\r' => 1,
        0..=0x1f => 0,
        b' ' => 2,
        b'"' => 3,
        b'\\' => 4,
        b'/' => 5,
        b',' => 6,
        b':' => 8,
        b'[' => 9,
        b'{' => 10,
        b']' | b'}' => 11,
        b'-' => 12,
        b'+' => 13,
        b'.' => 14,
        b'0' => 15,
        b'1'..=b'7' => 16,
        b'8' | b'9' => 17,
        b'a' => 18,
        b'A' | b'B' => 19,
        b'b' => 20,
        b'c' | b'C' | b'F' => 21,
        b'd' | b'D' => 22,
        b'e' => 23,
        b'E' => 24,
        b'f' => 25,
        b'l' => 26,
        b'n' => 27,
        b'r' => 28,
        b's' => 29,
        b't' => 30,
        b'u' => 31,
        0x80..=0x8f => 32,
        0x90..=0x9f => 33,
        0xa0..=0xbf => 34,
        0xc2..=0xdf => 35,
        0xe0 => 36,
        0xed => 37,
        0xe1..=0xef => 38,
        0xf0 => 39,
        0xf1..=0xf3 => 40,
        0xf4 => 41,
        // In no UTF-8 text, and as wrong as control characters.
        0xc0.. => 0,
        _ => PLAIN,
    }
}

/// The kind of a comma between members.
const MEMBER_COMMA: u8 = 7;
/// The kind of what stands in strings alone.
const PLAIN: u8 = 42;

/// `container`: the bracket that opened it.
const fn rows(container: u8) -> Rows {
    let mut rows = [0; 256];
    let mut rest = rows.as_mut_slice();
    let mut byte = 0_u8;
    while let Some((row, more)) = rest.split_first_mut() {
        let kind = match (container, byte) {
            (b'[', b'}') | (b'{', b']') => PLAIN,
            (b'{', b',') => MEMBER_COMMA,
            _ => kind(byte),
        };
        *row = kind as u16 * STATES as u16;
        byte = byte.wrapping_add(1);
        rest = more;
    }
    rows
}

const fn table() -> [u8; KINDS * STATES] {
    let mut table = [WRONG; KINDS * STATES];
    let mut rest = table.as_mut_slice();
    let mut place = 0;
    while let Some((entry, more)) = rest.split_first_mut() {
        let kind = (place / STATES) as u8;
        let member = kind == MEMBER_COMMA;
        let byte = if member { b',' } else { any_of(kind) };
        *entry = next((place % STATES) as State, byte, member);
        place += 1;
        rest = more;
    }
    table
}

/// The first byte of a kind.
const fn any_of(wanted: u8) -> u8 {
    let mut byte = 0;
    while kind(byte) != wanted {
        byte += 1;
    }
    byte
}

#[cfg(test)]
mod tests {
    use super::super::grammar::{VALUE, same};
    use super::*;

    #[test]
    fn the_table_says_what_the_grammar_says_for_every_state_and_byte() {
        for byte in 0..=u8::MAX {
            for state in 0..EVENT {
                let want = |object| next(state, byte, object);
                let wrong = |elsewhere: &[u8]| elsewhere.contains(&byte) && same(state) >= VALUE;
                let array = if wrong(b"}") { WRONG } else { want(false) };
                let object = if wrong(b"]") { WRONG } else { want(true) };
                assert_eq!(step(&ARRAY, state, byte), array, "{state} {byte}");
                assert_eq!(step(&OBJECT, state, byte), object, "{state} {byte}");
            }
        }
    }
}
