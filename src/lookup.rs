//! Finds one of many texts by its hash, so that a long list takes no longer than a short one.
//!
//! A hash only narrows the search: the caller compares what is found. Letter case does not change a hash,
//! so that one table serves comparisons with and without it.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Deref;
use std::rc::Rc;

/// From a hash to a position in a list.
pub type ByHash = HashMap<u64, usize, BuildHasherDefault<AsItIs>>;

/// The hasher for keys that are hashes already.
#[derive(Clone, Debug, Default)]
pub struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// Adds a word to a hash.
pub fn mix(hash: u64, word: u64) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let hash = (hash.rotate_left(29) ^ word).wrapping_mul(ODD);
    // Maps use the low bits, which a product mixes least.
    hash ^ hash >> 32
}

/// The hash of a text, which is the same for all letter cases. Different texts may have one hash.
pub fn hash(text: &[u8]) -> u64 {
    // Sets the bit in which the cases of an ASCII letter differ.
    const CASE: u64 = 0x2020_2020_2020_2020;
    let (words, rest) = text.as_chunks::<8>();
    let length = u64::try_from(text.len()).unwrap_or(0);
    let start = words.iter().fold(length, |hash, word| mix(hash, u64::from_le_bytes(*word) | CASE));
    mix(start, rest.iter().fold(0, |rest, byte| rest << 8 | u64::from(*byte)) | CASE)
}

/// The positions of texts in a list, by their hashes.
#[derive(Clone, Debug, Default)]
pub struct Positions {
    last: ByHash,
    /// For each position, the one before it with the same hash.
    before: Vec<Option<usize>>,
}

impl Positions {
    /// Adds the next text of the list.
    pub fn push(&mut self, text: &[u8]) {
        let before = self.last.insert(hash(text), self.before.len());
        self.before.push(before);
    }

    /// The positions of the texts that may equal this one.
    pub fn of(&self, text: &[u8]) -> impl Iterator<Item = usize> {
        let last = self.last.get(&hash(text)).copied();
        std::iter::successors(last, |at| self.before.get(*at).copied().flatten())
    }
}

/// The numbers that belong to a hash, in ascending order.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    by_hash: ByHash,
    lists: Vec<Vec<u32>>,
}

impl Groups {
    /// Adds a number that is at least as large as all before.
    #[inline(never)] // The copies would take 3 KiB.
    pub fn push(&mut self, hash: u64, number: u32) {
        let at = *self.by_hash.entry(hash).or_insert(self.lists.len());
        if at == self.lists.len() {
            self.lists.push(Vec::new());
        }
        if let Some(list) = self.lists.get_mut(at)
            && list.last() != Some(&number)
        {
            list.push(number);
        }
    }

    /// The numbers of a hash.
    pub fn of(&self, hash: u64) -> &[u32] {
        let list = self.by_hash.get(&hash).and_then(|at| self.lists.get(*at));
        list.map_or(&[], Vec::as_slice)
    }
}

/// A list of texts of the configuration in which one is looked for.
#[derive(Clone, Debug)]
pub struct Texts(Rc<Inner>); // Without the `Rc`, the code that drops them would take 60 KiB.

#[derive(Debug)]
struct Inner {
    list: Vec<String>,
    positions: Positions,
}

impl Texts {
    /// Whether the list has this text.
    pub fn has(&self, text: &str) -> bool {
        self.alike(text).any(|own| own == text)
    }

    /// Whether the list has this text; ASCII case does not count.
    pub fn has_in_any_case(&self, text: &str) -> bool {
        self.alike(text).any(|own| own.eq_ignore_ascii_case(text))
    }

    fn alike(&self, text: &str) -> impl Iterator<Item = &str> {
        let Inner { list, positions } = &*self.0;
        positions.of(text.as_bytes()).filter_map(|at| list.get(at).map(String::as_str))
    }
}

impl From<Vec<String>> for Texts {
    fn from(list: Vec<String>) -> Self {
        let mut positions = Positions::default();
        list.iter().for_each(|text| positions.push(text.as_bytes()));
        Self(Rc::new(Inner { list, positions }))
    }
}

impl PartialEq for Texts {
    fn eq(&self, other: &Self) -> bool {
        self.0.list == other.0.list
    }
}

impl Eq for Texts {}

impl Deref for Texts {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.0.list
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Nine bytes are a word and a rest.
        #[test]
        fn a_text_is_found_as_in_a_walk(
            list in prop::collection::vec("[aAb]{0,9}", 0..40),
            wanted in "[aAb]{0,9}",
        ) {
            let texts = Texts::from(list.clone());
            prop_assert_eq!(texts.has(&wanted), list.contains(&wanted));
            let same = |own: &String| own.eq_ignore_ascii_case(&wanted);
            prop_assert_eq!(texts.has_in_any_case(&wanted), list.iter().any(same));
            prop_assert!(list.iter().all(|own| texts.has(own)));
        }
    }

    #[test]
    fn texts_of_one_hash_are_all_found() {
        // The bit of the letter case is all in which they differ.
        let texts = Texts::from(["@", "`", "A", "a", "!"].map(str::to_owned).to_vec());
        assert_eq!(hash(b"@"), hash(b"`"));
        for text in ["@", "`", "A", "a", "!"] {
            assert!(texts.has(text), "{text}");
        }
        assert!(!texts.has("\u{1}") && !texts.has(""));
    }

    #[test]
    fn a_group_has_each_number_once() {
        let mut groups = Groups::default();
        for (hash, number) in [(7, 0), (7, 0), (9, 0), (7, 3), (9, 4)] {
            groups.push(hash, number);
        }
        assert_eq!(groups.of(7), [0, 3]);
        assert_eq!(groups.of(9), [0, 4]);
        assert_eq!(groups.of(8), [0_u32; 0]);
    }
}
