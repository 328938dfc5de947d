//! Values by token, bounded in entries and bytes. A value without a recent hit is evicted first.
//!
//! The entries form a ring ("second chance"). A hit sets a flag and moves nothing. To evict, a hand
//! moves along the ring: an entry with the flag loses it and stays, the first one without is removed.

use crate::bytes::equal;
use crate::lookup::ByHash;

/// The maximum number of entries that the hand passes in one eviction, which bounds the time of an
/// insertion.
const MOST_PASSED: usize = 64;

/// The key of a value. Two keys are equal if all their bytes are.
#[derive(Clone, Copy)]
pub struct Key<'a> {
    /// The keyed hash of the token.
    pub hash: u64,
    /// Equal tokens of two classes have different values.
    pub class: u32,
    /// The whole token.
    pub token: &'a [u8],
}

/// A bounded map.
pub struct Ring<V> {
    /// From a hash to the position in `entries`. Of two tokens with one hash, only the later one is
    /// stored: that costs a verification and nothing else.
    index: ByHash,
    /// The last one is the newest.
    entries: Vec<Entry<V>>,
    /// The position of the next candidate for eviction.
    hand: usize,
    bytes: usize,
    most_entries: usize,
    most_bytes: usize,
}

struct Entry<V> {
    hash: u64,
    class: u32,
    token: Box<[u8]>,
    value: V,
    bytes: usize,
    /// Whether there was a hit since the hand last passed.
    used: bool,
}

impl<V> Ring<V> {
    /// An empty map with these bounds; `most_bytes` bounds tokens and values together.
    pub fn new(most_entries: usize, most_bytes: usize) -> Self {
        Self {
            index: ByHash::default(),
            entries: Vec::new(),
            hand: 0,
            bytes: 0,
            most_entries,
            most_bytes,
        }
    }

    /// Whether the bounds allow any entry.
    pub fn has_room(&self) -> bool {
        self.most_entries > 0
    }

    /// The value of a key.
    pub fn get(&mut self, key: Key<'_>) -> Option<&V> {
        let entry = self.entries.get_mut(*self.index.get(&key.hash)?)?;
        if entry.class != key.class || !equal(&entry.token, key.token) {
            return None;
        }
        entry.used = true;
        Some(&entry.value)
    }

    /// Stores a value of `bytes` bytes, without the token. A value that alone exceeds the bounds is not
    /// stored.
    pub fn insert(&mut self, key: Key<'_>, value: V, bytes: usize) {
        self.remove(key.hash);
        let bytes = bytes.saturating_add(key.token.len());
        if self.most_entries == 0 || bytes > self.most_bytes {
            return;
        }
        while self.entries.len() >= self.most_entries
            || self.bytes.saturating_add(bytes) > self.most_bytes
        {
            if !self.evict() {
                return;
            }
        }
        let Key { hash, class, token } = key;
        let token = token.into();
        self.index.insert(hash, self.entries.len());
        self.bytes = self.bytes.saturating_add(bytes);
        self.entries.push(Entry { hash, class, token, value, bytes, used: false });
    }

    /// Removes one entry. Returns `false` if there is none.
    fn evict(&mut self) -> bool {
        for passed in 0..=MOST_PASSED {
            // The last entry is the newest. An eviction moves it behind the hand.
            if self.hand.saturating_add(1) >= self.entries.len() {
                self.hand = 0;
            }
            let Some(entry) = self.entries.get_mut(self.hand) else { return false };
            let (hash, used) = (entry.hash, std::mem::take(&mut entry.used));
            if !used || passed == MOST_PASSED {
                self.remove(hash);
            }
            self.hand = self.hand.saturating_add(1);
            if !used {
                break;
            }
        }
        true
    }

    /// Removes the entry with this hash.
    pub fn remove(&mut self, hash: u64) {
        let Some(at) = self.index.remove(&hash) else { return };
        if at >= self.entries.len() {
            return;
        }
        let gone = self.entries.swap_remove(at);
        self.bytes = self.bytes.saturating_sub(gone.bytes);
        // The last entry has filled the gap.
        if let Some(moved) = self.entries.get(at) {
            self.index.insert(moved.hash, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn key(hash: u64, token: &[u8]) -> Key<'_> {
        Key { hash, class: 0, token }
    }

    /// Whether each of the numbers is in the map.
    fn all_in(ring: &mut Ring<u64>, numbers: std::ops::Range<u64>) -> bool {
        numbers.into_iter().all(|number| ring.get(key(number, &number.to_le_bytes())).is_some())
    }

    fn insert_all(ring: &mut Ring<u64>, numbers: std::ops::Range<u64>) {
        numbers.for_each(|number| ring.insert(key(number, &number.to_le_bytes()), number, 0));
    }

    #[test]
    fn one_hash_is_not_one_key() {
        let mut ring = Ring::new(10, 1000);
        ring.insert(key(1, b"alice"), 'a', 0);
        assert_eq!(ring.get(key(1, b"alicf")), None);
        assert_eq!(ring.get(key(1, b"alice ")), None);
        assert_eq!(ring.get(Key { class: 1, ..key(1, b"alice") }), None);
        assert_eq!(ring.get(key(1, b"alice")), Some(&'a'));
        ring.insert(key(1, b"bob"), 'b', 0);
        assert_eq!((ring.get(key(1, b"alice")).copied(), ring.entries.len()), (None, 1));
        assert_eq!((ring.get(key(1, b"bob")).copied(), ring.bytes), (Some('b'), 3));
    }

    #[test]
    fn no_room_is_no_entry() {
        let mut none = Ring::new(0, 1000);
        none.insert(key(1, b"a"), (), 0);
        assert_eq!((none.entries.len(), none.get(key(1, b"a")).copied()), (0, None));
        let mut small = Ring::new(10, 10);
        small.insert(key(1, b"abc"), 'a', 0);
        small.insert(key(2, b"abcdef"), 'b', 5);
        assert_eq!(small.get(key(1, b"abc")), Some(&'a'), "a value that is too large evicts none");
        assert_eq!(small.get(key(2, b"abcdef")), None);
        let mut one = Ring::new(1, 1000);
        for number in 0..5 {
            insert_all(&mut one, number..number + 1);
            assert!(all_in(&mut one, number..number + 1));
        }
    }

    #[test]
    fn as_many_tokens_as_there_are_entries_stay_whatever_the_order_of_their_hits() {
        let mut ring = Ring::new(100, 10_000);
        insert_all(&mut ring, 0..100);
        for stride in 1..100 {
            for number in 0..100 {
                let number = number * stride % 100;
                if ring.get(key(number, &number.to_le_bytes())).is_none() {
                    insert_all(&mut ring, number..number + 1);
                }
            }
            assert!(all_in(&mut ring, 0..100), "{stride}");
        }
    }

    #[test]
    fn entries_without_a_hit_go_first_and_the_newest_of_them_last() {
        let mut ring = Ring::new(100, 10_000);
        insert_all(&mut ring, 0..100);
        assert!(all_in(&mut ring, 0..50));
        insert_all(&mut ring, 100..149);
        assert!(all_in(&mut ring, 0..50) && all_in(&mut ring, 100..149));
        // During a flood of tokens without hits, the newest two are always there.
        for number in 1_000..2_000 {
            insert_all(&mut ring, number..number + 1);
            assert!(all_in(&mut ring, number..number + 1));
            insert_all(&mut ring, number + 1..number + 2);
            assert!(all_in(&mut ring, number..number + 2), "{number}");
        }
    }

    #[test]
    fn an_eviction_takes_bounded_time_even_if_all_entries_had_hits() {
        let mut ring = Ring::new(1_000, 1 << 20);
        insert_all(&mut ring, 0..1_000);
        assert!(all_in(&mut ring, 0..1_000));
        insert_all(&mut ring, 1_000..1_001);
        assert_eq!(ring.entries.len(), 1_000);
        let passed = ring.entries.iter().filter(|entry| !entry.used).count();
        assert_eq!(passed, MOST_PASSED + 1, "and the new one");
    }

    #[derive(Clone, Debug)]
    enum Step {
        Get(u8),
        Insert(u8, u8),
        Remove(u8),
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn it_stays_within_its_bounds_and_evicts_only_when_they_are_reached(
            steps in proptest::collection::vec(
                prop_oneof![
                    (0..12_u8).prop_map(Step::Get),
                    (0..12_u8, 0..30_u8).prop_map(|(key, bytes)| Step::Insert(key, bytes)),
                    (0..12_u8).prop_map(Step::Remove),
                ],
                0..200,
            ),
        ) {
            // The expected entries: their values and bytes.
            let (mut ring, mut stored) = (Ring::new(6, 100), HashMap::<u8, (usize, usize)>::new());
            for (number, step) in steps.into_iter().enumerate() {
                let evicts = match step {
                    Step::Get(id) => {
                        let found = ring.get(key(id.into(), &[id])).copied();
                        let known = stored.get(&id).map(|(value, _)| *value);
                        prop_assert_eq!(found, known);
                        false
                    }
                    Step::Insert(id, bytes) => {
                        let bytes = usize::from(bytes) + 1;
                        stored.remove(&id);
                        let total: usize = stored.values().map(|(_, bytes)| bytes).sum();
                        let full = stored.len() == 6 || total + bytes > 100;
                        ring.insert(key(id.into(), &[id]), number, bytes - 1);
                        stored.insert(id, (number, bytes));
                        prop_assert!(ring.index.contains_key(&id.into()));
                        full
                    }
                    Step::Remove(id) => {
                        ring.remove(id.into());
                        stored.remove(&id);
                        false
                    }
                };
                let before = stored.len();
                stored.retain(|id, _| ring.index.contains_key(&u64::from(*id)));
                prop_assert_eq!(stored.len() < before, evicts);
                prop_assert_eq!(ring.entries.len(), stored.len());
                prop_assert_eq!(ring.bytes, stored.values().map(|(_, bytes)| bytes).sum::<usize>());
                prop_assert!(ring.entries.len() <= 6 && ring.bytes <= 100);
                for (at, entry) in ring.entries.iter().enumerate() {
                    prop_assert_eq!(ring.index.get(&entry.hash), Some(&at));
                }
            }
        }
    }
}
