//! The regions of a table: owners of different regions never evict each other.

/// A part of a table with slots of its own. A client without a token can use any number of addresses;
/// it must not evict the buckets of verified callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Region {
    /// Buckets of verified callers.
    Verified,
    /// All other buckets; a quarter as many slots.
    Open,
}

impl Region {
    /// The slots of both regions, if [`Region::Verified`] has `slots`.
    pub(super) fn all(slots: u32) -> u32 {
        slots.saturating_add(Self::open(slots))
    }

    /// The slot of a hash, if [`Region::Verified`] has `slots`, a power of two.
    pub(super) fn slot(self, hash: u64, slots: u32) -> u32 {
        // The mask leaves 21 bits at most.
        let within = |size: u32| u32::try_from(hash & u64::from(size - 1)).unwrap_or(0);
        match self {
            Self::Verified => within(slots),
            Self::Open => slots.saturating_add(within(Self::open(slots))),
        }
    }

    /// A quarter of a power of two, and a power of two as well.
    fn open(slots: u32) -> u32 {
        (slots / 4).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::layout::MAX_SLOTS;

    #[test]
    fn the_regions_have_slots_of_their_own() {
        for slots in [1, 2, 4, 8, 1 << 14, MAX_SLOTS] {
            let open = (slots / 4).max(1);
            assert_eq!(Region::all(slots), slots + open);
            for hash in [0, 1, 7, u64::MAX, 0x1234_5678_9abc_def0] {
                assert!(Region::Verified.slot(hash, slots) < slots);
                assert!((slots..slots + open).contains(&Region::Open.slot(hash, slots)));
            }
        }
    }
}
