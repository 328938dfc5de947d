//! The place of a bucket in the table.

/// The place of one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The slot.
    pub slot: u32,
    /// The bucket in the slot; never 0.
    pub fingerprint: u64,
}
