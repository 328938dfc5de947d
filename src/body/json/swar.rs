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

/// The length of the ASCII text of a string at the start of a piece: up to a quotation mark, a backslash, a control
/// character or a byte outside of ASCII.
#[inline]
pub(super) fn plain_prefix(piece: &[u8]) -> usize {
    prefix(piece, |word| {
        let controls = word.wrapping_sub(repeated(0x20));
        equal(word, b'"') | equal(word, b'\\') | ((controls | word) & repeated(0x80))
    })
}

/// The bytes before the first one that is marked. `marks` marks it by its high bit, and no byte before it.
#[inline]
fn prefix(piece: &[u8], marks: impl Fn(u64) -> u64) -> usize {
    let first =
        |word: [u8; 8]| (marks(u64::from_le_bytes(word)).trailing_zeros() / u8::BITS) as usize;
    let (words, last) = piece.as_chunks::<8>();
    let mut read = 0_usize;
    for word in words {
        let plain = first(*word);
        read = read.wrapping_add(plain);
        if plain < 8 {
            return read;
        }
    }
    let mut word = [0; 8];
    word.iter_mut().zip(last).for_each(|(place, byte)| *place = *byte);
    read.wrapping_add(first(word).min(last.len()))
}
