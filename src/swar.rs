//! Looks for the ends of texts, and for digits, in eight bytes at once.

/// A word with this byte in each place.
const fn repeated(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// The high bit of each byte of a word that equals `byte`. A byte above one that equals it may be marked as well.
pub(crate) fn equal(word: u64, byte: u8) -> u64 {
    let other = word ^ repeated(byte);
    other.wrapping_sub(repeated(1)) & !other & repeated(0x80)
}

/// The bytes of a JSON string at the start of a text: up to a quotation mark, a backslash or a control character.
#[inline]
pub(crate) fn string_prefix(text: &[u8]) -> usize {
    prefix(text, |word| {
        // With this bit turned, a quotation mark stands next to the control characters.
        let turned = word ^ repeated(b'"' ^ b' ');
        let low = turned.wrapping_sub(repeated(b' ' + 1)) & !word & repeated(0x80);
        equal(word, b'\\') | low
    })
}

/// The length of the ASCII text of a string at the start of a piece: up to a quotation mark, a backslash, a control
/// character or a byte outside of ASCII.
#[inline(never)]
pub(crate) fn plain_prefix(piece: &[u8]) -> usize {
    prefix(piece, plain_marks)
}

/// The high bits of the bytes that end such a text. A byte above one of them may be marked as well.
#[inline]
pub(crate) fn plain_marks(word: u64) -> u64 {
    // With this bit turned, a quotation mark stands next to the control characters.
    let turned = word ^ repeated(b'"' ^ b' ');
    let low = turned.wrapping_sub(repeated(b' ' + 1));
    equal(word, b'\\') | ((low | word) & repeated(0x80))
}

/// How many digits a word begins with.
#[inline]
pub(crate) fn digits(word: u64) -> usize {
    let values = word ^ repeated(b'0');
    let others = (values.wrapping_add(repeated(0x80 - 10)) | values) & repeated(0x80);
    (others.trailing_zeros() / u8::BITS) as usize
}

/// The number of bytes of a word that equal `byte`.
#[inline]
pub(crate) fn count(word: u64, byte: u8) -> u64 {
    let other = word ^ repeated(byte);
    let low = repeated(0x7f);
    let equal = !(((other & low).wrapping_add(low)) | other | low);
    equal.count_ones().into()
}

/// The bytes before the first one that is marked. `marks` marks it by its high bit, and no byte before it.
#[inline]
fn prefix(piece: &[u8], marks: impl Fn(u64) -> u64) -> usize {
    let marks = |word: [u8; 8]| marks(u64::from_le_bytes(word));
    let (words, last) = piece.as_chunks::<8>();
    let plain = words.iter().take_while(|word| marks(**word) == 0).count();
    let first = words.get(plain).map_or_else(
        || {
            let mut word = [0; 8];
            word.iter_mut().zip(last).for_each(|(place, byte)| *place = *byte);
            (marks(word).trailing_zeros() / u8::BITS).min(last.len() as u32)
        },
        |word| marks(*word).trailing_zeros() / u8::BITS,
    );
    plain.wrapping_mul(8).wrapping_add(first as usize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_string_ends_where_a_walk_finds_its_end(text in "[ab,\u{1f}\u{20}\u{7f}-\u{ff}\"\\\\]{0,40}") {
            let text = text.as_bytes();
            let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
            let end = text.iter().position(ends).unwrap_or(text.len());
            prop_assert_eq!(string_prefix(text), end);
        }

        #[test]
        fn digits_and_bytes_are_counted_as_by_a_walk(bytes in any::<[u8; 8]>(), text in "[09,./:a]{8}") {
            for bytes in [bytes, text.as_bytes().try_into().unwrap()] {
                let word = u64::from_le_bytes(bytes);
                let walked = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
                prop_assert_eq!(digits(word), walked);
                let commas = bytes.iter().filter(|byte| **byte == b',').count();
                prop_assert_eq!(count(word, b','), commas as u64);
            }
        }
    }
}
