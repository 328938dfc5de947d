//! Sets of pointers.

/// The most pointers that are followed at once: a set of them is one word.
pub const MAX_POINTERS: usize = u64::BITS as usize;

/// A set of pointers, each by its index in [`Pointers`](super::pointers::Pointers).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PointerSet(u64);

impl PointerSet {
    pub(super) const EMPTY: Self = Self(0);

    /// The first `count` pointers.
    pub(super) fn first(count: usize) -> Self {
        Self(!u64::MAX.checked_shl(count as u32).unwrap_or(0))
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The indices in ascending order.
    pub(super) fn iter(self) -> impl Iterator<Item = usize> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let index = rest.trailing_zeros();
            rest &= rest.wrapping_sub(1);
            (index < u64::BITS).then_some(index as usize)
        })
    }
}

impl FromIterator<usize> for PointerSet {
    fn from_iter<I: IntoIterator<Item = usize>>(indices: I) -> Self {
        let bit = |index: usize| 1_u64.checked_shl(index as u32).unwrap_or(0);
        Self(indices.into_iter().map(bit).fold(0, |set, bit| set | bit))
    }
}
