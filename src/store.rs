//! What the limiter asks of the host's shared data: load and compare-and-swap.

pub mod memory;

/// The version that creates a key and never overwrites one.
///
/// Envoy compares versions only where the key exists, so that one which cannot match creates an
/// absent key and fails on a present one.
pub const CREATE: u32 = u32::MAX;

/// Shared data of the host: one map for all workers, versioned per key.
pub trait Store {
    /// The value of `key` and its version, None where the key is absent. An empty value is
    /// `Some((vec![], version))`.
    ///
    /// # Errors
    /// [`StoreError::Host`] with the host's status.
    fn load(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, StoreError>;

    /// Writes `value` if the version of `key` is still `version`; [`CREATE`] writes an absent key
    /// only.
    ///
    /// The limiter never passes 0: Envoy takes it for an unconditional write, which would forget
    /// what another worker took in between.
    ///
    /// # Errors
    /// [`StoreError::Host`] with the host's status, a lost race excepted.
    fn swap(&self, key: &str, value: &[u8], version: u32) -> Result<Swap, StoreError>;
}

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    /// The value is written.
    Done,
    /// Another worker wrote first; nothing changed.
    Lost,
}

/// Why the store cannot serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The host refused a call with this status.
    Host(u32),
    /// The host gave a value the version 0. It cannot be written back safely (0 overwrites
    /// blindly), and a bucket that is only read limits nobody, so this is a failure and not a
    /// reason to guess. Envoy numbers from 1 and skips 0.
    Unversioned,
    /// The table's record could neither be read nor replaced.
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

/// Loads a value and refuses a version that cannot be written back.
pub(crate) fn load(store: &dyn Store, key: &str) -> Result<Option<(Vec<u8>, u32)>, StoreError> {
    match store.load(key)? {
        Some((_, 0)) => Err(StoreError::Unversioned),
        loaded => Ok(loaded),
    }
}
