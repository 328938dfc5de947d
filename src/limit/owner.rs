//! The owner of a bucket or of a place in flight.

use super::region::Region;

/// The owner of a bucket or of a place in flight. Two kinds never share one, whatever text a token or
/// a request contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner<T = String> {
    /// A verified caller: its provider, and the key of the limit as its claims fill it.
    Identity(T),
    /// A key without a claim, which a client can choose.
    Unverified(T),
    /// The client address, where the key of the limit has no value.
    Address(T),
}

impl Owner {
    /// The same owner with a borrowed text.
    pub fn as_deref(&self) -> Owner<&str> {
        match self {
            Self::Identity(text) => Owner::Identity(text),
            Self::Unverified(text) => Owner::Unverified(text),
            Self::Address(text) => Owner::Address(text),
        }
    }
}

impl Owner<&str> {
    /// The region of the owner's slots.
    pub(super) fn region(self) -> Region {
        match self {
            Self::Identity(_) => Region::Verified,
            Self::Unverified(_) | Self::Address(_) => Region::Open,
        }
    }

    /// The bytes that distinguish the owner from all others. They place buckets, see
    /// [`super::table`].
    pub(super) fn bytes(&self) -> [&[u8]; 2] {
        match self {
            Self::Identity(text) => [b"i", text.as_bytes()],
            Self::Unverified(text) => [b"r", text.as_bytes()],
            Self::Address(text) => [b"a", text.as_bytes()],
        }
    }
}
