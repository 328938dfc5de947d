//! Comparison and search of bytes by whole words. The functions of the target look at single bytes.

/// The words that are looked at in one step.
const BLOCK: usize = 8;
type Block = [[u8; 8]; BLOCK];

/// Whether two texts are equal. The time depends on how much of them is, so neither may be a secret.
pub fn equal(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    match (one.last_chunk(), other.last_chunk()) {
        (Some(end), Some(other_end)) => word(end) == word(other_end) && words_equal(one, other),
        _ => short_equal(one, other),
    }
}

/// [`equal`] for texts of one length, shorter than a word.
fn short_equal(one: &[u8], other: &[u8]) -> bool {
    let half = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes);
    let ends = |text: &[u8]| Some((half(text.first_chunk()?), half(text.last_chunk()?)));
    match (ends(one), ends(other)) {
        (Some(ends), Some(other_ends)) => ends == other_ends,
        _ => one.iter().zip(other).all(|(a, b)| a == b),
    }
}

/// Whether all whole words of two texts of one length are equal.
fn words_equal(one: &[u8], other: &[u8]) -> bool {
    let ((words, _), (other_words, _)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    let (blocks, words) = words.as_chunks::<BLOCK>();
    let (other_blocks, other_words) = other_words.as_chunks::<BLOCK>();
    let differs = |(a, b): (&[u8; 8], &[u8; 8])| word(a) ^ word(b);
    let block_equal = |(one, other): (&Block, &Block)| {
        one.iter().zip(other).map(differs).fold(0, |all, bits| all | bits) == 0
    };
    blocks.iter().zip(other_blocks).all(block_equal)
        && words.iter().zip(other_words).all(|pair| differs(pair) == 0)
}

/// The position of the first such byte.
pub fn find(text: &[u8], wanted: u8) -> Option<usize> {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = LOW << 7;
    let pattern = LOW * u64::from(wanted);
    // A byte that equals the wanted one becomes zero and borrows. So may the byte after it, and one that is not
    // ASCII sets the bit, too: such blocks are looked at by single bytes.
    let borrows = |bytes: &[u8; 8]| (word(bytes) ^ pattern).wrapping_sub(LOW);
    let (words, rest) = text.as_chunks::<8>();
    let (blocks, words) = words.as_chunks::<BLOCK>();
    let mut passed = 0_usize;
    for block in blocks {
        if block.iter().fold(0, |all, bytes| all | borrows(bytes)) & HIGH != 0
            && let Some(at) = position(block.as_flattened(), wanted)
        {
            return Some(passed.saturating_add(at));
        }
        passed = passed.saturating_add(size_of::<Block>());
    }
    for bytes in words {
        if borrows(bytes) & HIGH != 0
            && let Some(at) = position(bytes, wanted)
        {
            return Some(passed.saturating_add(at));
        }
        passed = passed.saturating_add(8);
    }
    position(rest, wanted).map(|at| passed.saturating_add(at))
}

fn position(text: &[u8], wanted: u8) -> Option<usize> {
    text.iter().position(|byte| *byte == wanted)
}

fn word(bytes: &[u8; 8]) -> u64 {
    u64::from_le_bytes(*bytes)
}

/// A set of bytes. It is asked in fewer steps than a list of ranges.
pub struct Set([bool; 256]);

impl Set {
    /// The set of these bytes.
    pub const fn of(mut bytes: &[u8]) -> Self {
        let mut set = [false; 256];
        while let Some((byte, rest)) = bytes.split_first() {
            if let Some((place, _)) = set.split_at_mut(*byte as usize).1.split_first_mut() {
                *place = true;
            }
            bytes = rest;
        }
        Self(set)
    }

    /// Whether the set has this byte.
    pub fn has(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte)).is_some_and(|has| *has)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_byte_is_found_where_the_standard_library_finds_it(
            text in prop::collection::vec(prop::sample::select(&b"ab,\x00\x2d\x80\xac\xff"[..]), 0..120),
            wanted in prop::sample::select(&b",\x00\xff/"[..]),
        ) {
            prop_assert_eq!(find(&text, wanted), text.iter().position(|byte| *byte == wanted));
        }

        #[test]
        fn texts_are_equal_where_the_standard_library_finds_them_equal(
            text in prop::collection::vec(any::<u8>(), 0..200),
            start in 0..8_usize,
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        ) {
            // The texts begin at other addresses.
            let mut other = [vec![0; start], text.clone()].concat();
            if !text.is_empty() {
                changes.iter().for_each(|(at, byte)| other[start + at.index(text.len())] ^= byte);
            }
            let other = &other[start..];
            prop_assert_eq!(equal(&text, other), text == other);
        }
    }

    #[test]
    fn texts_are_equal_only_if_every_byte_is() {
        for length in 0..100 {
            let text = vec![b'a'; length];
            assert!(equal(&text, &text.clone()));
            assert!(!equal(&text, &vec![b'a'; length + 1]));
            for at in 0..length {
                let mut other = text.clone();
                other[at] = b'b';
                assert!(!equal(&text, &other) && !equal(&other, &text), "{at} of {length}");
            }
        }
    }

    #[test]
    fn a_set_has_its_bytes_alone() {
        let set = Set::of(b"\0a\xff");
        let has: Vec<u8> = (0..=255).filter(|byte| set.has(*byte)).collect();
        assert_eq!(has, b"\0a\xff");
    }
}
