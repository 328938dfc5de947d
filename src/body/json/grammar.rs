//! The grammar of JSON (RFC 8259): which state each byte leads to.

use super::flaw::Flaw;
use super::text::{self, TEXT};

/// What may come next. Below [`VALUE`] it is the inside of a string.
pub(super) type State = u8;

/// A state inside a string plus this is the same inside a name.
const NAME_TEXT: State = text::STATES;

/// A value.
pub(super) const VALUE: State = 46;
/// A value, or the end of the array that has just begun.
pub(super) const FIRST_ELEMENT: State = 47;
/// A name, or the end of the object that has just begun.
const NAME: State = 48;
pub(super) const FIRST_NAME: State = 49;
/// The colon after a name.
const COLON: State = 50;
/// What follows a value.
pub(super) const AFTER: State = 51;
/// The parts of a number (RFC 8259 §6): which of them was read last.
const MINUS: State = 52;
const ZERO: State = 53;
const INTEGER: State = 54;
const POINT: State = 55;
const FRACTION: State = 56;
const EXPONENT: State = 57;
const SIGN: State = 58;
const POWER: State = 59;
/// Inside `true`, `false` and `null`: what is left of them.
const RUE: State = 60;
const UE: State = 61;
const E: State = 62;
const ALSE: State = 63;
const LSE: State = 64;
const SE: State = 65;
const ULL: State = 66;
const LL: State = 67;
const L: State = 68;

/// The states that something has just begun or ended with, for who counts it or looks for it.
/// A comma: an element of an array follows, and outside of one it is wrong.
pub(super) const ELEMENT: State = 69;
/// A name ended.
pub(super) const NAME_ENDED: State = 70;
/// A value began that is no array or object: a number,
pub(super) const BEGUN: State = 71;
const MINUS_BEGUN: State = 71;
const ZERO_BEGUN: State = 72;
const INTEGER_BEGUN: State = 73;
/// or something else.
const TEXT_BEGUN: State = 74;
const RUE_BEGUN: State = 75;
const ALSE_BEGUN: State = 76;
pub(super) const NULL_BEGUN: State = 77;
/// A name began.
pub(super) const NAME_BEGUN: State = 78;

/// From here on it is no state but something to do.
pub(super) const EVENT: u8 = 79;
pub(super) const OPEN_ARRAY: u8 = 79;
pub(super) const OPEN_OBJECT: u8 = 80;
pub(super) const CLOSE: u8 = 81;
pub(super) const WRONG: u8 = 82;

/// Whether plain text changes nothing.
pub(super) fn in_text(state: State) -> bool {
    matches!(state, TEXT | NAME_TEXT)
}

/// Whether the document may end here if nothing is open.
pub(super) fn complete(state: State) -> bool {
    matches!(state, AFTER | ZERO | ZERO_BEGUN | INTEGER | INTEGER_BEGUN | FRACTION | POWER)
}

/// Whether a number has just begun.
pub(super) fn number_begun(state: State) -> bool {
    matches!(state, MINUS_BEGUN..=INTEGER_BEGUN)
}

/// What is wrong with a byte that a state does not admit. `open`: inside an array or object.
pub(super) fn flaw(state: State, byte: u8, open: bool) -> Flaw {
    let state = same(state);
    match state {
        VALUE | FIRST_ELEMENT => Flaw::Value,
        NAME | FIRST_NAME => Flaw::Name,
        COLON => Flaw::Colon,
        TEXT..VALUE => text::flaw(state % NAME_TEXT, byte),
        MINUS | POINT | EXPONENT | SIGN => Flaw::Number,
        RUE..=L => Flaw::Literal,
        _ if open => Flaw::Separator,
        _ => Flaw::Trailing,
    }
}

/// The state that admits the same.
pub(super) const fn same(state: State) -> State {
    match state {
        ELEMENT => VALUE,
        NAME_ENDED => COLON,
        MINUS_BEGUN => MINUS,
        ZERO_BEGUN => ZERO,
        INTEGER_BEGUN => INTEGER,
        TEXT_BEGUN => TEXT,
        RUE_BEGUN => RUE,
        ALSE_BEGUN => ALSE,
        NULL_BEGUN => ULL,
        NAME_BEGUN => NAME_TEXT,
        _ => state,
    }
}

/// The grammar. `object`: a comma separates members.
pub(super) const fn next(state: State, byte: u8, object: bool) -> u8 {
    match (same(state), byte) {
        (TEXT, b'"') => AFTER,
        (NAME_TEXT, b'"') => NAME_ENDED,
        (state @ TEXT..NAME_TEXT, _) => text::next(state, byte),
        (state @ NAME_TEXT..VALUE, _) => match text::next(state - NAME_TEXT, byte) {
            WRONG => WRONG,
            state => state + NAME_TEXT,
        },

        (state @ VALUE..=AFTER, b' ' | b'\t' | b'\n' | b'\r') => state,
        (FIRST_ELEMENT | FIRST_NAME, b']' | b'}') => CLOSE,
        (VALUE | FIRST_ELEMENT, _) => value(byte),
        (NAME | FIRST_NAME, b'"') => NAME_BEGUN,
        (COLON, b':') => VALUE,

        (MINUS, b'0') => ZERO,
        (MINUS, b'1'..=b'9') | (INTEGER, b'0'..=b'9') => INTEGER,
        (ZERO | INTEGER, b'.') => POINT,
        (POINT | FRACTION, b'0'..=b'9') => FRACTION,
        (ZERO | INTEGER | FRACTION, b'e' | b'E') => EXPONENT,
        (EXPONENT, b'+' | b'-') => SIGN,
        (EXPONENT | SIGN | POWER, b'0'..=b'9') => POWER,

        (RUE, b'r') => UE,
        (UE, b'u') => E,
        (ALSE, b'a') => LSE,
        (LSE, b'l') => SE,
        (SE, b's') => E,
        (ULL, b'u') => LL,
        (LL, b'l') => L,
        (E, b'e') | (L, b'l') => AFTER,

        (AFTER | ZERO | INTEGER | FRACTION | POWER, _) => match byte {
            b' ' | b'\t' | b'\n' | b'\r' => AFTER,
            b',' if object => NAME,
            b',' => ELEMENT,
            b']' | b'}' => CLOSE,
            _ => WRONG,
        },
        _ => WRONG,
    }
}

/// The first byte of a value.
const fn value(byte: u8) -> u8 {
    match byte {
        b'[' => OPEN_ARRAY,
        b'{' => OPEN_OBJECT,
        b'"' => TEXT_BEGUN,
        b't' => RUE_BEGUN,
        b'f' => ALSE_BEGUN,
        b'n' => NULL_BEGUN,
        b'-' => MINUS_BEGUN,
        b'0' => ZERO_BEGUN,
        b'1'..=b'9' => INTEGER_BEGUN,
        _ => WRONG,
    }
}
