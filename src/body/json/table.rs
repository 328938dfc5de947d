//! The grammar as a table by class of byte and state, filled in at compile time.
//!
//! A look-up takes the same time for every document. Branches would not: a hostile mixture of
//! strings, numbers and literals could make the processor mispredict them.

use super::grammar::next;
use super::state::{ACTION, State, WRONG};

const STATES: usize = ACTION as usize;
/// How many classes of bytes there are: bytes of one class lead to the same from every state.
const CLASSES: usize = 43;

/// For each byte, the place in [`TABLE`] where the entries of its class begin.
pub(super) type Classes = [u16; 256];
/// The classes inside an array and outside of all containers.
pub(super) static ARRAY: Classes = classes(b'[');
/// The classes inside an object.
pub(super) static OBJECT: Classes = classes(b'{');

/// The state or action that each class leads to from each state.
static TABLE: [State; CLASSES * STATES] = table();

/// The state or action that a byte leads to.
#[inline]
pub(super) fn step(classes: &Classes, state: State, byte: u8) -> State {
    let class = classes.get(usize::from(byte)).copied().unwrap_or(0);
    TABLE.get(usize::from(class).wrapping_add(usize::from(state))).copied().unwrap_or(WRONG)
}

/// The class of a byte.
const fn class(byte: u8) -> u8 {
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
        // Never in UTF-8, and as wrong as control characters.
        0xc0.. => 0,
        _ => PLAIN,
    }
}

/// The class of a comma in an object.
const MEMBER_COMMA: u8 = 7;
/// The class of bytes that only strings may contain.
const PLAIN: u8 = 42;

/// `container`: the bracket that opened it.
const fn classes(container: u8) -> Classes {
    let mut classes = [0; 256];
    let mut rest = classes.as_mut_slice();
    let mut byte = 0_u8;
    while let Some((place, more)) = rest.split_first_mut() {
        let class = match (container, byte) {
            (b'[', b'}') | (b'{', b']') => PLAIN,
            (b'{', b',') => MEMBER_COMMA,
            _ => class(byte),
        };
        *place = class as u16 * STATES as u16;
        byte = byte.wrapping_add(1);
        rest = more;
    }
    classes
}

const fn table() -> [State; CLASSES * STATES] {
    let mut table = [WRONG; CLASSES * STATES];
    let mut rest = table.as_mut_slice();
    let mut place = 0;
    while let Some((entry, more)) = rest.split_first_mut() {
        let class = (place / STATES) as u8;
        let object = class == MEMBER_COMMA;
        let byte = if object { b',' } else { first_of(class) };
        *entry = next((place % STATES) as State, byte, object);
        place += 1;
        rest = more;
    }
    table
}

/// The first byte of a class.
const fn first_of(wanted: u8) -> u8 {
    let mut byte = 0;
    while class(byte) != wanted {
        byte += 1;
    }
    byte
}

#[cfg(test)]
mod tests {
    use super::super::grammar::unreported;
    use super::super::state::VALUE;
    use super::*;

    #[test]
    fn the_table_agrees_with_the_grammar_for_every_state_and_byte() {
        for byte in 0..=u8::MAX {
            for state in 0..ACTION {
                let want = |object| next(state, byte, object);
                let wrong = |closing: &[u8]| closing.contains(&byte) && unreported(state) >= VALUE;
                let array = if wrong(b"}") { WRONG } else { want(false) };
                let object = if wrong(b"]") { WRONG } else { want(true) };
                assert_eq!(step(&ARRAY, state, byte), array, "{state} {byte}");
                assert_eq!(step(&OBJECT, state, byte), object, "{state} {byte}");
            }
        }
    }
}
