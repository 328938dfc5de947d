//! The inside of a JSON string (RFC 8259 §7, §8): UTF-8, escapes and surrogates.

use super::flaw::Flaw;
use super::state::*;

/// The flaw of a byte that a state does not admit.
pub(super) fn flaw(state: State, byte: u8) -> Flaw {
    match state {
        STRING if byte < 0x20 => Flaw::Control,
        ESCAPE => Flaw::Escape,
        HEX_1..=HIGH_4 | LOW_1..=LONE_4 if !byte.is_ascii_hexdigit() => Flaw::Escape,
        HIGH_3..=LONE_4 => Flaw::Surrogate,
        _ => Flaw::Utf8,
    }
}

/// The state after a byte, except for the quotation mark that ends the string. Surrogates must come
/// in pairs: parsers disagree on the meaning of a lone one (RFC 8259 §8.2).
pub(super) const fn next(state: State, byte: u8) -> State {
    let hex = byte.is_ascii_hexdigit();
    match (state, byte) {
        (STRING, b'\\') => ESCAPE,
        (STRING, 0x20..=0x7f) => STRING,
        (STRING, 0xc2..=0xdf) => TAIL_1,
        (STRING, 0xe0) => AFTER_E0,
        (STRING, 0xed) => AFTER_ED,
        (STRING, 0xe1..=0xef) => TAIL_2,
        (STRING, 0xf0) => AFTER_F0,
        (STRING, 0xf1..=0xf3) => TAIL_3,
        (STRING, 0xf4) => AFTER_F4,
        (TAIL_1, 0x80..=0xbf) => STRING,
        (TAIL_2, 0x80..=0xbf) | (AFTER_E0, 0xa0..=0xbf) | (AFTER_ED, 0x80..=0x9f) => TAIL_1,
        (TAIL_3, 0x80..=0xbf) | (AFTER_F0, 0x90..=0xbf) | (AFTER_F4, 0x80..=0x8f) => TAIL_2,

        (ESCAPE, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => STRING,
        (ESCAPE, b'u') => HEX_1,
        (HEX_1, b'd' | b'D') => HEX_2_AFTER_D,
        (HEX_1, _) if hex => HEX_2,
        (HEX_2_AFTER_D, b'0'..=b'7') => HEX_3,
        (HEX_2_AFTER_D, b'8' | b'9' | b'a' | b'b' | b'A' | b'B') => HIGH_3,
        (HEX_2_AFTER_D, _) if hex => LONE_3,
        (HEX_2, _) if hex => HEX_3,
        (HEX_3, _) if hex => HEX_4,
        (HEX_4, _) if hex => STRING,
        (HIGH_3, _) if hex => HIGH_4,
        (HIGH_4, _) if hex => LOW_BACKSLASH,
        (LOW_BACKSLASH, b'\\') => LOW_U,
        (LOW_U, b'u') => LOW_1,
        (LOW_1, b'd' | b'D') => LOW_2,
        (LOW_1, _) if hex => LONE_2,
        (LOW_2, b'c'..=b'f' | b'C'..=b'F') => HEX_3,
        (LOW_2, _) if hex => LONE_3,
        (LONE_2, _) if hex => LONE_3,
        (LONE_3, _) if hex => LONE_4,
        _ => WRONG,
    }
}
