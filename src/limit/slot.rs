//! The value of one slot: eight buckets, each with a fingerprint of its owner and quota.
//!
//! It has 8 ways of 20 bytes, all little-endian: fingerprint `u64` (0: the way is empty), TAT `u64` in
//! nanoseconds since the Unix epoch, its fraction `u32`. Any bytes are a slot: a value of another
//! length is read up to its last whole way, which keeps most of the debt, and the next write corrects
//! the length. Nonsense in a way affects only the owner whose 64-bit fingerprint it happens to be, and
//! [`super::gcra`] bounds that to one refill.

use super::gcra::Bucket;
use super::quota::MAX_REFILL;
use crate::time::Moment;

/// Buckets per slot.
pub const WAYS: usize = 8;
/// Bytes per bucket.
pub const WAY_BYTES: usize = 20;
/// Bytes per slot; few, because the host copies values under a mutex of the whole process.
pub const SLOT_BYTES: usize = WAYS * WAY_BYTES;

/// One bucket in its slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Way {
    /// The 64 bits of the keyed hash that did not select the slot; 0 if the way is empty.
    pub fingerprint: u64,
    /// The bucket as last written.
    pub bucket: Bucket,
}

/// The value of one slot, as the store returned it. Only the ways that a request needs are decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// [`SLOT_BYTES`] of them, or none yet.
    bytes: Vec<u8>,
}

/// The bucket that another one replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evicted {
    /// None: the bucket was there, or a way was empty.
    Nothing,
    /// A full bucket, or one that no quota can have written; nothing is lost.
    Spent,
    /// A bucket with a debt, which is lost. It is counted, because the table is too small.
    Live,
}

impl Slot {
    /// The slot of a request that has not loaded it.
    pub(super) const UNREAD: Self = Self { bytes: Vec::new() };

    /// Decodes any bytes, see the module documentation.
    pub fn decode(mut value: Vec<u8>) -> Self {
        if value.len() != SLOT_BYTES {
            let part = value.len() % WAY_BYTES;
            value.truncate(value.len().saturating_sub(part));
            value.resize(SLOT_BYTES, 0);
        }
        Self { bytes: value }
    }

    /// The value of the slot.
    pub fn encode(&self) -> &[u8] {
        &self.bytes
    }

    /// The way with this fingerprint.
    pub fn find(&self, fingerprint: u64) -> Option<Way> {
        let (ways, _) = self.bytes.as_chunks::<WAY_BYTES>();
        let way = ways.iter().find(|way| fingerprint_of(way) == fingerprint);
        way.filter(|_| fingerprint != 0).map(Way::decode)
    }

    fn ways_mut(&mut self) -> &mut [[u8; WAY_BYTES]] {
        self.bytes.as_chunks_mut().0
    }

    /// Writes `way` over its own earlier state, else into an empty way, else over a full bucket, else
    /// over the bucket that is closest to full.
    ///
    /// The buckets in `keep` are evicted last: a request with several limits in one slot must not evict
    /// a bucket from which it has just taken.
    pub fn place(&mut self, way: Way, now: Moment, keep: &[u64]) -> Evicted {
        let known =
            |wanted: u64| move |bytes: &&mut [u8; WAY_BYTES]| fingerprint_of(bytes) == wanted;
        for wanted in [way.fingerprint, 0] {
            if let Some(place) = self.ways_mut().iter_mut().find(known(wanted)) {
                way.encode(place);
                return Evicted::Nothing;
            }
        }
        self.evict(way, now, keep)
    }

    /// Writes `way` into a slot in which it has no place.
    #[cold]
    #[inline(never)]
    fn evict(&mut self, way: Way, now: Moment, keep: &[u64]) -> Evicted {
        let rank = |bytes: &[u8; WAY_BYTES]| {
            let other = Way::decode(bytes);
            match () {
                () if other.is_spent(now) => (0, Moment::EPOCH),
                () if keep.contains(&other.fingerprint) => (2, other.bucket.tat),
                () => (1, other.bucket.tat),
            }
        };
        let Some(place) = self.ways_mut().iter_mut().min_by_key(|bytes| rank(bytes)) else {
            return Evicted::Nothing;
        };
        let evicted = if rank(place).0 == 0 { Evicted::Spent } else { Evicted::Live };
        way.encode(place);
        evicted
    }
}

/// The fingerprint of an encoded way.
fn fingerprint_of(way: &[u8; WAY_BYTES]) -> u64 {
    way.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

impl Way {
    /// Whether the bucket is full, or so far ahead that no quota can have written it; kept, the latter
    /// would occupy the way for ever.
    fn is_spent(&self, now: Moment) -> bool {
        let Bucket { tat, frac } = self.bucket;
        let full = tat < now || (tat == now && frac == 0);
        full || tat > now + MAX_REFILL
    }

    fn decode(bytes: &[u8; WAY_BYTES]) -> Self {
        let (words, frac) = bytes.as_chunks::<8>();
        let ([fingerprint, tat], Some(frac)) = (words, frac.first_chunk()) else {
            return Self::default();
        };
        Self {
            fingerprint: u64::from_le_bytes(*fingerprint),
            bucket: Bucket {
                tat: Moment::from_nanos(u64::from_le_bytes(*tat)),
                frac: u32::from_le_bytes(*frac),
            },
        }
    }

    fn encode(&self, bytes: &mut [u8; WAY_BYTES]) {
        let (words, _) = bytes.as_chunks_mut::<8>();
        let [fingerprint, tat] = words else { return };
        *fingerprint = self.fingerprint.to_le_bytes();
        *tat = self.bucket.tat.as_nanos().to_le_bytes();
        if let Some(frac) = bytes.last_chunk_mut() {
            *frac = self.bucket.frac.to_le_bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_nanos(1_000);

    fn way(fingerprint: u64, tat: u64) -> Way {
        Way { fingerprint, bucket: Bucket { tat: Moment::from_nanos(tat), frac: 0 } }
    }

    fn full_of(tats: [u64; WAYS]) -> Slot {
        let mut slot = Slot::decode(Vec::new());
        for (fingerprint, tat) in (1..).zip(tats) {
            assert_eq!(slot.place(way(fingerprint, tat), Moment::EPOCH, &[]), Evicted::Nothing);
        }
        slot
    }

    #[test]
    fn a_slot_reads_back_as_written_in_little_endian() {
        let mut slot = Slot::decode(Vec::new());
        let written = Way {
            fingerprint: 0x0807_0605_0403_0201,
            bucket: Bucket { tat: Moment::from_nanos(0x100f_0e0d_0c0b_0a09), frac: 0x1413_1211 },
        };
        slot.place(written, Moment::EPOCH, &[]);
        let bytes = slot.encode();
        let expected: Vec<u8> = (1..=20).collect();
        assert_eq!(bytes[..20], expected[..]);
        assert_eq!(bytes[20..], [0; 140]);
        assert_eq!(Slot::decode(bytes.to_vec()), slot);
    }

    #[test]
    fn a_value_of_another_length_keeps_its_whole_ways() {
        let full = full_of([9; WAYS]);
        let bytes = full.encode();
        for length in 0..=SLOT_BYTES {
            let slot = Slot::decode(bytes[..length].to_vec());
            for fingerprint in 1..=8 {
                let whole = usize::try_from(fingerprint).unwrap() * WAY_BYTES <= length;
                assert_eq!(slot.find(fingerprint).is_some(), whole);
            }
        }
        let mut longer = bytes.to_vec();
        longer.extend([0xff; 500]);
        assert_eq!(Slot::decode(longer), Slot::decode(bytes.to_vec()));
    }

    #[test]
    fn an_empty_way_belongs_to_no_owner() {
        assert_eq!(Slot::decode(Vec::new()).find(0), None);
    }

    #[test]
    fn eviction_takes_the_way_that_loses_least() {
        let far = (NOW + MAX_REFILL).as_nanos() + 1;
        let live = [1_010, 1_020, 1_030, 1_040, 1_050, 1_060, 1_070, 1_080];
        let mut one_full = live;
        one_full[5] = NOW.as_nanos();
        let mut one_nonsense = live;
        one_nonsense[6] = far;
        for (tats, keep, gone, evicted) in [
            (one_full, &[][..], 6, Evicted::Spent),
            (one_nonsense, &[][..], 7, Evicted::Spent),
            (live, &[][..], 1, Evicted::Live),
            (live, &[1, 2][..], 3, Evicted::Live),
            (live, &[1, 2, 3, 4, 5, 6, 7, 8][..], 1, Evicted::Live),
        ] {
            let mut slot = full_of(tats);
            assert_eq!(slot.place(way(99, 2_000), NOW, keep), evicted);
            assert_eq!(slot.find(gone), None);
            assert!(slot.find(99).is_some());
        }
    }

    #[test]
    fn a_bucket_is_written_over_its_own_earlier_state() {
        let mut slot = full_of([NOW.as_nanos(); WAYS]);
        assert_eq!(slot.place(way(5, 2_000), NOW, &[]), Evicted::Nothing);
        assert_eq!(slot.find(5), Some(way(5, 2_000)));
        assert!((1..=8).all(|fingerprint| slot.find(fingerprint).is_some()));
    }
}
