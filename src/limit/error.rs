//! Why a request could not be judged.

use crate::store::StoreError;

/// The number of races that one request may lose.
///
/// A request loses a race if another worker writes the slot between its load and its swap, about
/// 1 µs. If 16 workers did nothing else, one attempt would still succeed in one of 16 cases, and all
/// of 256 would fail with a probability of 10⁻⁷. They take less than half a millisecond.
pub const TRIES: u32 = 256;

/// Why a request could not be judged. Nothing stays taken; the failure mode of the policy applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakeError {
    /// [`TRIES`] races were lost.
    Contended,
    /// The store failed.
    Store(StoreError),
    /// The slot of a concurrency limit has no room for another owner.
    Crowded,
}

impl From<StoreError> for TakeError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl std::fmt::Display for TakeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Contended => f.write_str("too many workers wrote the same slot at once"),
            Self::Store(error) => error.fmt(f),
            Self::Crowded => f.write_str("too many identities are in flight in the same slot"),
        }
    }
}

impl std::error::Error for TakeError {}

#[cfg(test)]
mod tests {
    use super::{StoreError, TakeError};

    #[test]
    fn an_error_names_its_cause() {
        for (error, part) in [
            (TakeError::Contended, "same slot at once"),
            (TakeError::Crowded, "in flight in the same slot"),
            (TakeError::from(StoreError::Host(7)), "status 7"),
            (TakeError::from(StoreError::Unversioned), "no versions"),
            (TakeError::from(StoreError::Damaged), "cannot be read"),
        ] {
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
