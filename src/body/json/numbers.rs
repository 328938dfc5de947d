//! Reads numbers and commas of an array without a branch for each byte.

use super::grammar::next;
use super::state::{self, State};
use crate::swar::{count, equal};

/// The states that are entered, each by six bits of a word; the last one stays.
const STATES: [State; 10] = [
    state::VALUE,
    state::MINUS,
    state::ZERO,
    state::INTEGER,
    state::POINT,
    state::FRACTION,
    state::EXPONENT_MARK,
    state::EXPONENT_SIGN,
    state::EXPONENT,
    state::WRONG,
];
const BITS: u32 = 6;
const STOP: u64 = 9 * BITS as u64;

/// For each byte, the shift of the state that follows from each state, at the shift of that state.
static STEPS: [u64; 256] = steps();

/// Reads numbers of an array up to something else or white space before a comma: the bytes read, the state after them and
/// the commas. A number begins the piece.
pub(super) fn numbers(piece: &[u8]) -> (usize, State, u64) {
    let step = |state: u64, byte: u8| {
        STEPS.get(usize::from(byte)).copied().unwrap_or_default().wrapping_shr(state as u32)
    };
    let (mut state, mut read, mut commas) = (0, 0_usize, 0_u64);
    let (words, _) = piece.as_chunks::<8>();
    for word in words {
        let after = word.iter().fold(state, |state, byte| step(state, *byte));
        if after & 63 == STOP {
            break;
        }
        state = after;
        read = read.wrapping_add(8);
        commas = commas.wrapping_add(count(u64::from_le_bytes(*word), b','));
    }
    for byte in piece.get(read..).unwrap_or_default() {
        let after = step(state, *byte);
        if after & 63 == STOP {
            break;
        }
        state = after;
        read = read.wrapping_add(1);
        commas = commas.wrapping_add(u64::from(*byte == b','));
    }
    let index = ((state & 63) as u32).wrapping_div(BITS) as usize;
    (read, STATES.get(index).copied().unwrap_or(state::WRONG), commas)
}

/// Whether the next bytes neither begin a string nor end the array, so that it is worth to look for numbers.
#[inline]
pub(super) fn is_row(piece: &[u8]) -> bool {
    let other = |word: &[u8; 8]| {
        let word = u64::from_le_bytes(*word);
        equal(word, b']') | equal(word, b'"') != 0
    };
    piece.first_chunk::<16>().is_some_and(|words| !words.as_chunks().0.iter().any(other))
}

const fn steps() -> [u64; 256] {
    let mut steps = [0; 256];
    let mut rest = steps.as_mut_slice();
    let mut byte = 0_u8;
    while let Some((entry, more)) = rest.split_first_mut() {
        let mut states = STATES.as_slice();
        let mut shift = 0;
        while let Some((from, others)) = states.split_first() {
            let after = match *from {
                state::WRONG => state::WRONG,
                from => super::grammar::unreported(next(from, byte, false)),
            };
            *entry |= place(after) << shift;
            shift += BITS;
            states = others;
        }
        byte = byte.wrapping_add(1);
        rest = more;
    }
    steps
}

/// The shift of a state; that of the last one for all others.
const fn place(wanted: State) -> u64 {
    let mut states = STATES.as_slice();
    let mut shift = 0;
    while let Some((state, others)) = states.split_first() {
        if *state == wanted {
            return shift;
        }
        shift += BITS as u64;
        states = others;
    }
    STOP
}

#[cfg(test)]
mod tests {
    use super::super::grammar::unreported;
    use super::*;

    #[test]
    fn every_step_is_that_of_the_grammar_or_none() {
        for (index, from) in STATES.into_iter().enumerate() {
            for byte in 0..=u8::MAX {
                let want = match from {
                    state::WRONG => state::WRONG,
                    _ => unreported(next(from, byte, false)),
                };
                let after = (STEPS[usize::from(byte)] >> (index as u32 * BITS)) & 63;
                assert_eq!(after, place(want), "{from} {byte}");
            }
        }
    }

    #[test]
    fn numbers_are_read_up_to_the_first_byte_that_is_no_part_of_them() {
        for (piece, read, state, commas) in [
            ("1", 1, state::INTEGER, 0),
            ("12,-0.5e+7,", 11, state::VALUE, 2),
            ("0.25, 17]", 8, state::INTEGER, 1),
            ("1,2,3,4,5,6,7,8,9 ,10", 17, state::INTEGER, 8),
            ("1,\"a\"", 2, state::VALUE, 1),
            ("-x", 1, state::MINUS, 0),
            ("123456789.x", 10, state::POINT, 0),
            ("01", 1, state::ZERO, 0),
        ] {
            assert_eq!(numbers(piece.as_bytes()), (read, state, commas), "{piece}");
        }
    }
}
