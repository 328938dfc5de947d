//! Values by token: bounded in entries and bytes, the least recently used goes first.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// What a value is found by. Two keys are one if all of their bytes are.
#[derive(Clone, Copy)]
pub struct Key<'a> {
    /// The keyed hash of the rest.
    pub hash: u64,
    /// Tokens are remembered apart for each of these.
    pub class: u32,
    /// The whole token.
    pub token: &'a [u8],
}

/// A map that forgets.
pub struct Lru<V> {
    /// From hash to the place in `entries`. Of two tokens with one hash the later one stays: that
    /// costs a verification and nothing else.
    index: HashMap<u64, usize, BuildHasherDefault<AsItIs>>,
    entries: Vec<Entry<V>>,
    /// The ends of the list through `entries`, in order of use.
    newest: Option<usize>,
    oldest: Option<usize>,
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
    newer: Option<usize>,
    older: Option<usize>,
}

impl<V> Lru<V> {
    /// Room for so many entries, and for so many bytes of tokens and values.
    pub fn new(most_entries: usize, most_bytes: usize) -> Self {
        Self {
            index: HashMap::default(),
            entries: Vec::new(),
            newest: None,
            oldest: None,
            bytes: 0,
            most_entries,
            most_bytes,
        }
    }

    /// Whether it can ever hold anything.
    pub fn has_room(&self) -> bool {
        self.most_entries > 0
    }

    /// How many entries there are.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// What is charged for them.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The value of a key, which is now the most recently used.
    pub fn get(&mut self, key: Key<'_>) -> Option<&V> {
        let at = *self.index.get(&key.hash)?;
        let entry = self.entries.get(at)?;
        if entry.class != key.class || !same(&entry.token, key.token) {
            return None;
        }
        if self.newest != Some(at) {
            self.unlink(at);
            self.link(at);
        }
        self.entries.get(at).map(|entry| &entry.value)
    }

    /// Remembers a value; `bytes` is what it is charged beside the token. One that alone is beyond
    /// the bounds is not remembered.
    pub fn insert(&mut self, key: Key<'_>, value: V, bytes: usize) {
        self.remove(key.hash);
        let bytes = bytes.saturating_add(key.token.len());
        if self.most_entries == 0 || bytes > self.most_bytes {
            return;
        }
        while self.entries.len() >= self.most_entries
            || self.bytes.saturating_add(bytes) > self.most_bytes
        {
            let Some(oldest) = self.oldest.and_then(|at| self.entries.get(at)) else { return };
            self.remove(oldest.hash);
        }
        let at = self.entries.len();
        let Key { hash, class, token } = key;
        let token = token.into();
        self.entries.push(Entry { hash, class, token, value, bytes, newer: None, older: None });
        self.index.insert(hash, at);
        self.bytes = self.bytes.saturating_add(bytes);
        self.link(at);
    }

    /// Forgets what is stored by this hash.
    pub fn remove(&mut self, hash: u64) {
        let Some(at) = self.index.remove(&hash) else { return };
        self.unlink(at);
        // The last entry moves into the gap, so that `entries` never has holes.
        let last = self.entries.len().saturating_sub(1);
        if at != last {
            self.renumber(last, at);
        }
        if at <= last {
            let gone = self.entries.swap_remove(at);
            self.bytes = self.bytes.saturating_sub(gone.bytes);
        }
    }

    /// Redirects everything that points at `from` to `to`.
    fn renumber(&mut self, from: usize, to: usize) {
        let Some(entry) = self.entries.get(from) else { return };
        let (hash, newer, older) = (entry.hash, entry.newer, entry.older);
        self.index.insert(hash, to);
        match newer.and_then(|at| self.entries.get_mut(at)) {
            Some(newer) => newer.older = Some(to),
            None => self.newest = Some(to),
        }
        match older.and_then(|at| self.entries.get_mut(at)) {
            Some(older) => older.newer = Some(to),
            None => self.oldest = Some(to),
        }
    }

    fn unlink(&mut self, at: usize) {
        let Some(entry) = self.entries.get(at) else { return };
        let (newer, older) = (entry.newer, entry.older);
        match newer.and_then(|at| self.entries.get_mut(at)) {
            Some(newer) => newer.older = older,
            None => self.newest = older,
        }
        match older.and_then(|at| self.entries.get_mut(at)) {
            Some(older) => older.newer = newer,
            None => self.oldest = newer,
        }
    }

    /// Makes an entry that is in no list the newest.
    fn link(&mut self, at: usize) {
        let before = self.newest.replace(at);
        if let Some(entry) = self.entries.get_mut(at) {
            (entry.newer, entry.older) = (None, before);
        }
        match before.and_then(|before| self.entries.get_mut(before)) {
            Some(before) => before.newer = Some(at),
            None => self.oldest = Some(at),
        }
    }
}

/// Whole words at a time: the target's `memcmp` goes byte by byte.
fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let ((words, rest), (other_words, other_rest)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    let equal = words
        .iter()
        .zip(other_words)
        .all(|(a, b)| u64::from_le_bytes(*a) == u64::from_le_bytes(*b));
    equal && rest.iter().zip(other_rest).all(|(a, b)| a == b)
}

/// Keys are hashes already.
#[derive(Default)]
struct AsItIs(u64);

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

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    fn key(hash: u64, token: &[u8]) -> Key<'_> {
        Key { hash, class: 0, token }
    }

    #[test]
    fn one_hash_is_not_one_key() {
        let mut lru = Lru::new(10, 1000);
        lru.insert(key(1, b"alice"), 'a', 0);
        assert_eq!(lru.get(key(1, b"alicf")), None);
        assert_eq!(lru.get(key(1, b"alice ")), None);
        assert_eq!(lru.get(Key { class: 1, ..key(1, b"alice") }), None);
        assert_eq!(lru.get(key(1, b"alice")), Some(&'a'));
        lru.insert(key(1, b"bob"), 'b', 0);
        assert_eq!((lru.get(key(1, b"alice")).copied(), lru.len()), (None, 1));
        assert_eq!((lru.get(key(1, b"bob")).copied(), lru.bytes()), (Some('b'), 3));
    }

    #[test]
    fn no_room_is_no_entry() {
        let mut none = Lru::new(0, 1000);
        none.insert(key(1, b"a"), (), 0);
        assert_eq!((none.len(), none.get(key(1, b"a")).copied()), (0, None));
        let mut small = Lru::new(10, 10);
        small.insert(key(1, b"abc"), 'a', 0);
        small.insert(key(2, b"abcdef"), 'b', 5);
        assert_eq!(small.get(key(1, b"abc")), Some(&'a'), "nothing goes for what cannot stay");
        assert_eq!(small.get(key(2, b"abcdef")), None);
    }

    #[test]
    fn tokens_compare_in_every_byte() {
        for length in 0..40 {
            let token = vec![7; length];
            assert!(same(&token, &token));
            for at in 0..length {
                let mut other = token.clone();
                other[at] ^= 0x80;
                assert!(!same(&token, &other), "{at} of {length}");
            }
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Get(u8),
        Insert(u8, u8),
        Remove(u8),
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        /// Against a plain list, newest first.
        #[test]
        fn it_forgets_the_least_recently_used_and_nothing_else(
            steps in proptest::collection::vec(
                prop_oneof![
                    (0..12_u8).prop_map(Step::Get),
                    (0..12_u8, 0..30_u8).prop_map(|(key, bytes)| Step::Insert(key, bytes)),
                    (0..12_u8).prop_map(Step::Remove),
                ],
                0..200,
            ),
        ) {
            let (mut lru, mut model) = (Lru::new(6, 100), VecDeque::<(u8, usize)>::new());
            for step in steps {
                match step {
                    Step::Get(id) => {
                        let found = lru.get(key(id.into(), &[id])).copied();
                        let place = model.iter().position(|(other, _)| *other == id);
                        prop_assert_eq!(found, place.map(|_| id));
                        if let Some(entry) = place.and_then(|place| model.remove(place)) {
                            model.push_front(entry);
                        }
                    }
                    Step::Insert(id, bytes) => {
                        lru.insert(key(id.into(), &[id]), id, bytes.into());
                        model.retain(|(other, _)| *other != id);
                        model.push_front((id, usize::from(bytes) + 1));
                        let total = |model: &VecDeque<(u8, usize)>| {
                            model.iter().map(|(_, bytes)| bytes).sum::<usize>()
                        };
                        while model.len() > 6 || total(&model) > 100 {
                            model.pop_back();
                        }
                    }
                    Step::Remove(id) => {
                        lru.remove(id.into());
                        model.retain(|(other, _)| *other != id);
                    }
                }
                prop_assert_eq!(lru.len(), model.len());
                prop_assert_eq!(lru.bytes(), model.iter().map(|(_, bytes)| bytes).sum::<usize>());
            }
            for (id, _) in model {
                prop_assert_eq!(lru.get(key(id.into(), &[id])), Some(&id));
            }
        }
    }
}
