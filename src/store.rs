//! The host's shared data as the limiter and the key sets use it: load and compare-and-swap.

pub mod memory;

/// The version for a write that creates a key and never overwrites one.
///
/// Envoy compares versions only if the key exists. A version that cannot match creates an absent key
/// and fails on a present one.
pub const CREATE: u32 = u32::MAX;

/// The shared data of the host: one map for all workers with a version per key.
pub trait Store {
    /// The value of `key` and its version; `None` if the key is absent. An empty value is
    /// `Some((vec![], version))`.
    ///
    /// # Errors
    /// [`StoreError::Host`] with the host's status.
    fn load(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, StoreError>;

    /// Writes `value` if the version of `key` is still `version`; with [`CREATE`], if the key is absent.
    ///
    /// Callers never pass 0, which Envoy treats as an unconditional write. It would lose the writes of
    /// other workers.
    ///
    /// # Errors
    /// [`StoreError::Host`] with the host's status, except for a lost race.
    fn swap(&self, key: &str, value: &[u8], version: u32) -> Result<Swap, StoreError>;
}

/// The outcome of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    /// The value is written.
    Done,
    /// Another worker wrote first; nothing changed.
    Lost,
}

/// Why the store cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// A host call failed with this status.
    Host(u32),
    /// A value has the version 0. It cannot be written back, because 0 overwrites unconditionally, and
    /// a bucket that is only read limits no caller. Envoy counts from 1 and skips 0.
    Unversioned,
    /// The record of the table could be neither read nor replaced.
    Damaged,
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Host(status) => write!(f, "the host's shared data answered with status {status}"),
            Self::Unversioned => f.write_str("the host's shared data has no versions"),
            Self::Damaged => f.write_str("the bucket table's record cannot be read or replaced"),
        }
    }
}

impl std::error::Error for StoreError {}

/// Loads a value, and fails for a version that cannot be written back.
pub(crate) fn load(store: &dyn Store, key: &str) -> Result<Option<(Vec<u8>, u32)>, StoreError> {
    match store.load(key)? {
        Some((_, 0)) => Err(StoreError::Unversioned),
        loaded => Ok(loaded),
    }
}
