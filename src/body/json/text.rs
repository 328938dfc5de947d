//! The inside of a JSON string (RFC 8259 §7, §8), as states: UTF-8, escapes and surrogates.

use super::flaw::Flaw;
use super::grammar::{State, WRONG};

/// Between the characters of a string.
pub(super) const TEXT: State = 0;
/// After a backslash.
const ESCAPE: State = 1;
/// The digits of `\uXXXX`, unless they are those of a surrogate.
const HEX_1: State = 2;
const HEX_2: State = 3;
const HEX_3: State = 4;
const HEX_4: State = 5;
/// The second digit, after a `d`: it tells surrogates.
const HEX_D: State = 6;
/// The third and fourth digit of a high surrogate.
const HIGH_3: State = 7;
const HIGH_4: State = 8;
/// After a high surrogate: the backslash of the low one must follow, then `u`, then its digits.
const LOW_ESCAPE: State = 9;
const LOW_MARK: State = 10;
const LOW_1: State = 11;
const LOW_2: State = 12;
/// The digits left of a surrogate without its partner; that is told after the last.
const LONE_2: State = 13;
const LONE_3: State = 14;
const LONE_4: State = 15;
/// One, two or three bytes left of a character.
const TAIL_1: State = 16;
const TAIL_2: State = 17;
const TAIL_3: State = 18;
/// After the first bytes that do not admit all second ones (RFC 3629 §4: no overlong forms, no
/// surrogates, nothing past U+10FFFF).
const LEAD_E0: State = 19;
const LEAD_ED: State = 20;
const LEAD_F0: State = 21;
const LEAD_F4: State = 22;

/// How many states there are.
pub(super) const STATES: State = 23;

/// What is wrong with a byte that a state does not admit.
pub(super) fn flaw(state: State, byte: u8) -> Flaw {
    match state {
        TEXT if byte < 0x20 => Flaw::Control,
        ESCAPE => Flaw::Escape,
        HEX_1..=HIGH_4 | LOW_1..=LONE_4 if !byte.is_ascii_hexdigit() => Flaw::Escape,
        HIGH_3..=LONE_4 => Flaw::Surrogate,
        _ => Flaw::Utf8,
    }
}

/// What a byte leads to, the quotation mark at the end apart. Surrogates stand in pairs only:
/// parsers disagree on what one alone stands for.
pub(super) const fn next(state: State, byte: u8) -> u8 {
    let hex = byte.is_ascii_hexdigit();
    match (state, byte) {
        (TEXT, b'\\') => ESCAPE,
        (TEXT, 0x20..=0x7f) => TEXT,
        (TEXT, 0xc2..=0xdf) => TAIL_1,
        (TEXT, 0xe0) => LEAD_E0,
        (TEXT, 0xed) => LEAD_ED,
        (TEXT, 0xe1..=0xef) => TAIL_2,
        (TEXT, 0xf0) => LEAD_F0,
        (TEXT, 0xf1..=0xf3) => TAIL_3,
        (TEXT, 0xf4) => LEAD_F4,
        (TAIL_1, 0x80..=0xbf) => TEXT,
        (TAIL_2, 0x80..=0xbf) | (LEAD_E0, 0xa0..=0xbf) | (LEAD_ED, 0x80..=0x9f) => TAIL_1,
        (TAIL_3, 0x80..=0xbf) | (LEAD_F0, 0x90..=0xbf) | (LEAD_F4, 0x80..=0x8f) => TAIL_2,

        (ESCAPE, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => TEXT,
        (ESCAPE, b'u') => HEX_1,
        (HEX_1, b'd' | b'D') => HEX_D,
        (HEX_1, _) if hex => HEX_2,
        (HEX_D, b'0'..=b'7') => HEX_3,
        (HEX_D, b'8' | b'9' | b'a' | b'b' | b'A' | b'B') => HIGH_3,
        (HEX_D, _) if hex => LONE_3,
        (HEX_2, _) if hex => HEX_3,
        (HEX_3, _) if hex => HEX_4,
        (HEX_4, _) if hex => TEXT,
        (HIGH_3, _) if hex => HIGH_4,
        (HIGH_4, _) if hex => LOW_ESCAPE,
        (LOW_ESCAPE, b'\\') => LOW_MARK,
        (LOW_MARK, b'u') => LOW_1,
        (LOW_1, b'd' | b'D') => LOW_2,
        (LOW_1, _) if hex => LONE_2,
        (LOW_2, b'c'..=b'f' | b'C'..=b'F') => HEX_3,
        (LOW_2, _) if hex => LONE_3,
        (LONE_2, _) if hex => LONE_3,
        (LONE_3, _) if hex => LONE_4,
        _ => WRONG,
    }
}
