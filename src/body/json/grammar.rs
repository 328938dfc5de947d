//! The grammar of JSON (RFC 8259): the state that each byte leads to.

use super::flaw::Flaw;
use super::state::*;
use super::string;

/// Whether the document may end in this state if no container is open.
pub(super) fn is_complete(state: State) -> bool {
    matches!(unreported(state), AFTER_VALUE | ZERO | INTEGER | FRACTION | EXPONENT)
}

/// Whether a number has just begun.
pub(super) fn number_begun(state: State) -> bool {
    matches!(state, MINUS_BEGUN..=INTEGER_BEGUN)
}

/// The flaw of a byte that a state does not admit. `open`: inside an array or object.
pub(super) fn flaw(state: State, byte: u8, open: bool) -> Flaw {
    let state = unreported(state);
    match state {
        VALUE | FIRST_ELEMENT => Flaw::Value,
        MEMBER | FIRST_MEMBER => Flaw::Name,
        COLON => Flaw::Colon,
        STRING..VALUE => string::flaw(state % IN_NAME, byte),
        MINUS | POINT | EXPONENT_MARK | EXPONENT_SIGN => Flaw::Number,
        REST_RUE..=REST_L => Flaw::Literal,
        _ if open => Flaw::Separator,
        _ => Flaw::Trailing,
    }
}

/// The state that admits the same bytes and reports nothing.
pub(super) const fn unreported(state: State) -> State {
    match state {
        ELEMENT => VALUE,
        NAME_ENDED => COLON,
        MINUS_BEGUN => MINUS,
        ZERO_BEGUN => ZERO,
        INTEGER_BEGUN => INTEGER,
        STRING_BEGUN => STRING,
        RUE_BEGUN => REST_RUE,
        ALSE_BEGUN => REST_ALSE,
        NULL_BEGUN => REST_ULL,
        NAME_BEGUN => NAME,
        _ => state,
    }
}

/// The state or action that a byte leads to. `object`: a comma separates members.
pub(super) const fn next(state: State, byte: u8, object: bool) -> State {
    match (unreported(state), byte) {
        (STRING, b'"') => AFTER_VALUE,
        (NAME, b'"') => NAME_ENDED,
        (state @ STRING..NAME, _) => string::next(state, byte),
        (state @ NAME..VALUE, _) => match string::next(state - IN_NAME, byte) {
            WRONG => WRONG,
            state => state + IN_NAME,
        },

        (state @ VALUE..=AFTER_VALUE, b' ' | b'\t' | b'\n' | b'\r') => state,
        (FIRST_ELEMENT | FIRST_MEMBER, b']' | b'}') => CLOSE,
        (VALUE | FIRST_ELEMENT, _) => value(byte),
        (MEMBER | FIRST_MEMBER, b'"') => NAME_BEGUN,
        (COLON, b':') => VALUE,

        (MINUS, b'0') => ZERO,
        (MINUS, b'1'..=b'9') | (INTEGER, b'0'..=b'9') => INTEGER,
        (ZERO | INTEGER, b'.') => POINT,
        (POINT | FRACTION, b'0'..=b'9') => FRACTION,
        (ZERO | INTEGER | FRACTION, b'e' | b'E') => EXPONENT_MARK,
        (EXPONENT_MARK, b'+' | b'-') => EXPONENT_SIGN,
        (EXPONENT_MARK | EXPONENT_SIGN | EXPONENT, b'0'..=b'9') => EXPONENT,

        (REST_RUE, b'r') => REST_UE,
        (REST_UE, b'u') => REST_E,
        (REST_ALSE, b'a') => REST_LSE,
        (REST_LSE, b'l') => REST_SE,
        (REST_SE, b's') => REST_E,
        (REST_ULL, b'u') => REST_LL,
        (REST_LL, b'l') => REST_L,
        (REST_E, b'e') | (REST_L, b'l') => AFTER_VALUE,

        (AFTER_VALUE | ZERO | INTEGER | FRACTION | EXPONENT, _) => match byte {
            b' ' | b'\t' | b'\n' | b'\r' => AFTER_VALUE,
            b',' if object => MEMBER,
            b',' => ELEMENT,
            b']' | b'}' => CLOSE,
            _ => WRONG,
        },
        _ => WRONG,
    }
}

/// The state or action that the first byte of a value leads to.
const fn value(byte: u8) -> State {
    match byte {
        b'[' => OPEN_ARRAY,
        b'{' => OPEN_OBJECT,
        b'"' => STRING_BEGUN,
        b't' => RUE_BEGUN,
        b'f' => ALSE_BEGUN,
        b'n' => NULL_BEGUN,
        b'-' => MINUS_BEGUN,
        b'0' => ZERO_BEGUN,
        b'1'..=b'9' => INTEGER_BEGUN,
        _ => WRONG,
    }
}
