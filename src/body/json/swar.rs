//! Looks at eight bytes at once.

/// A word with this byte in each place.
const fn repeated(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// The high bit of each byte of a word that equals `byte`. A byte above one that equals it may be marked as well.
pub(crate) fn equal(word: u64, byte: u8) -> u64 {
    let other = word ^ repeated(byte);
    other.wrapping_sub(repeated(1)) & !other & repeated(0x80)
}

/// The length of the plain ASCII text of a string at the start of a piece, in whole words.
pub(super) fn plain_text(piece: &[u8]) -> usize {
    let (words, _) = piece.as_chunks();
    let is_plain = |word: &[u8; 8]| {
        let [word, quotes, backslashes, controls] =
            [0, b'"', b'\\', 0].map(|byte| u64::from_le_bytes(*word) ^ repeated(byte));
        let marks = quotes.wrapping_sub(repeated(1))
            | backslashes.wrapping_sub(repeated(1))
            | controls.wrapping_sub(repeated(0x20));
        (word | marks) & repeated(0x80) == 0
    };
    words.iter().take_while(|word| is_plain(word)).count().saturating_mul(8)
}
