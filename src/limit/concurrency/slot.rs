//! The value of one slot: the shares of the owners that hash to it, in no order.
//!
//! Each has 32 bytes, all little-endian: fingerprint `u64`, holder `u64`, expiry `u64` (nanoseconds
//! since the Unix epoch), count `u64`. Any bytes are a slot: a part of a share is ignored, and
//! nonsense that looks like a share expires.

use std::time::Duration;

use crate::time::Moment;

/// The maximum number of shares in one slot, 2 KiB: the host copies values under a mutex of the whole
/// process. With half as many in use on average, one slot in a million overflows.
pub(super) const MAX_SHARES: usize = 64;

const SHARE_BYTES: usize = 32;

/// The open streams of one owner in one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    /// The owner under a rule.
    pub(super) fingerprint: u64,
    /// The worker.
    pub(super) holder: u64,
    /// The time from which the share no longer counts.
    pub(super) expiry: Moment,
    /// Open streams.
    pub(super) count: u32,
}

/// The decoded value of one slot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Slot {
    shares: Vec<Share>,
}

impl Slot {
    /// Decodes any bytes.
    pub(super) fn decode(bytes: &[u8]) -> Self {
        let (shares, _) = bytes.as_chunks::<SHARE_BYTES>();
        Self { shares: shares.iter().take(MAX_SHARES).map(Share::decode).collect() }
    }

    /// The slot's value.
    pub(super) fn encode(&self) -> Vec<u8> {
        self.shares.iter().flat_map(Share::encode).collect()
    }

    /// Removes expired shares and shortens expiries that are further ahead than a lease. Returns
    /// whether it shortened one.
    pub(super) fn expire(&mut self, now: Moment, lease: Duration) -> bool {
        self.shares.retain(|share| share.expiry > now);
        let latest = now + lease;
        let mut shortened = false;
        for share in self.shares.iter_mut().filter(|share| share.expiry > latest) {
            share.expiry = latest;
            shortened = true;
        }
        shortened
    }

    /// The open streams of an owner in the other workers.
    pub(super) fn others(&self, fingerprint: u64, holder: u64) -> u32 {
        self.shares
            .iter()
            .filter(|share| share.fingerprint == fingerprint && share.holder != holder)
            .fold(0, |sum, share| sum.saturating_add(share.count))
    }

    /// Replaces the earlier share of the holder; an empty share removes it. Returns `false` if the slot
    /// has no room.
    pub(super) fn put(&mut self, share: Share) -> bool {
        self.shares.retain(|s| s.fingerprint != share.fingerprint || s.holder != share.holder);
        if share.count == 0 {
            return true;
        }
        let room = self.shares.len() < MAX_SHARES;
        if room {
            self.shares.push(share);
        }
        room
    }
}

impl Share {
    fn decode(bytes: &[u8; SHARE_BYTES]) -> Self {
        let (words, _) = bytes.as_chunks::<8>();
        let word = |at: usize| words.get(at).map_or(0, |word| u64::from_le_bytes(*word));
        Self {
            fingerprint: word(0),
            holder: word(1),
            expiry: Moment::from_nanos(word(2)),
            count: u32::try_from(word(3)).unwrap_or(u32::MAX),
        }
    }

    fn encode(&self) -> [u8; SHARE_BYTES] {
        let mut bytes = [0; SHARE_BYTES];
        let (words, _) = bytes.as_chunks_mut::<8>();
        let values = [self.fingerprint, self.holder, self.expiry.as_nanos(), u64::from(self.count)];
        for (word, value) in words.iter_mut().zip(values) {
            *word = value.to_le_bytes();
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_nanos(10);

    const fn at(nanos: u64) -> Moment {
        Moment::from_nanos(nanos)
    }

    fn share(fingerprint: u64, holder: u64, count: u32) -> Share {
        Share { fingerprint, holder, expiry: at(100), count }
    }

    #[test]
    fn a_slot_reads_back_as_written_and_any_bytes_are_one() {
        let mut slot = Slot::default();
        assert!(slot.put(share(1, 2, 3)) && slot.put(share(4, 5, u32::MAX)));
        let bytes = slot.encode();
        assert_eq!(Slot::decode(&bytes), slot);
        for length in 0..bytes.len() {
            assert_eq!(Slot::decode(&bytes[..length]).shares.len(), length / 32);
        }
        assert_eq!(Slot::decode(&[0xff; 5_000]).shares.len(), MAX_SHARES);
    }

    #[test]
    fn a_holder_has_one_share_of_an_identity_and_an_empty_one_is_none() {
        let mut slot = Slot::default();
        for count in [1, 5, 2] {
            assert!(slot.put(share(1, 2, count)));
            assert_eq!(slot.others(1, 9), count);
        }
        assert_eq!((slot.others(1, 2), slot.others(7, 9)), (0, 0));
        assert!(slot.put(share(1, 2, 0)));
        assert_eq!(slot, Slot::default());
    }

    #[test]
    fn a_full_slot_takes_no_further_share_and_keeps_what_it_has() {
        let mut slot = Slot::default();
        for holder in 0..64 {
            assert!(slot.put(share(1, holder, 1)));
        }
        assert!(!slot.put(share(1, 64, 1)));
        assert!(slot.put(share(1, 63, 2)));
        assert_eq!(slot.others(1, 99), 65);
    }

    #[test]
    fn a_share_counts_up_to_its_expiry_and_no_longer_than_a_lease() {
        let mut slot = Slot::default();
        slot.put(share(1, 2, 3));
        assert!(!slot.expire(at(99), LEASE));
        assert_eq!(slot.others(1, 9), 3);
        assert!(slot.expire(at(50), LEASE));
        assert!(!slot.expire(at(59), LEASE));
        slot.expire(at(60), LEASE);
        assert_eq!(slot.others(1, 9), 0);
    }
}
