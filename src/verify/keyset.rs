//! A provider's keys (RFC 7517 §5): parsed once, bad ones set aside.

use std::fmt;

use serde_json::Value;

use super::json;
pub use super::jwk::{Key, KeyError, Public, SecretKeys};

/// The largest key set that is parsed, bytes: 2 KiB for each of the most keys.
pub const MAX_BYTES: usize = 512 * 1024;

/// The most entries of a set: a bound on the work of one parse, far above what rotation needs.
pub const MAX_KEYS: usize = 256;

/// The usable keys of a set, in its order.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<Key>,
}

/// An entry of a set that is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SkippedKey {
    /// Its place in `keys`, from zero.
    pub index: usize,
    /// What is wrong with it.
    pub why: KeyError,
}

/// Why a whole set is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySetError {
    /// More than 512 KiB.
    TooLarge,
    /// Not one JSON object with unique members and an array `keys`.
    Malformed,
    /// More than 256 entries.
    TooManyKeys,
    /// No entry can verify anything; what is wrong with each.
    NoUsableKey(Vec<SkippedKey>),
}

impl KeySet {
    /// Parses a JWKS. Bad keys are skipped and reported; the rest is used. `secrets` says whether
    /// `oct` keys are taken: only from the operator's own sets.
    ///
    /// A P-521 key is usable where the host's engine is: a set may hold nothing else.
    pub fn parse(json: &[u8], secrets: SecretKeys) -> Result<(Self, Vec<SkippedKey>), KeySetError> {
        if json.len() > MAX_BYTES {
            return Err(KeySetError::TooLarge);
        }
        let document = json::parse_object(json).ok_or(KeySetError::Malformed)?;
        let Some(Value::Array(entries)) = document.get("keys") else {
            return Err(KeySetError::Malformed);
        };
        if entries.len() > MAX_KEYS {
            return Err(KeySetError::TooManyKeys);
        }
        let mut keys = Vec::with_capacity(entries.len());
        let mut skipped = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            match Key::parse(entry, secrets) {
                Ok(key) => keys.push(key),
                Err(why) => skipped.push(SkippedKey { index, why }),
            }
        }
        if keys.is_empty() {
            return Err(KeySetError::NoUsableKey(skipped));
        }
        Ok((Self { keys }, skipped))
    }

    /// How many keys are used.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Never true for a parsed set.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys, in the order of the set.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter()
    }
}

impl fmt::Display for SkippedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "keys[{}]: {}", self.index, self.why)
    }
}

impl fmt::Display for KeySetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(f, "a key set of more than {MAX_BYTES} bytes"),
            Self::Malformed => {
                f.write_str("not a JSON object with unique members and an array keys")
            }
            Self::TooManyKeys => write!(f, "more than {MAX_KEYS} keys"),
            Self::NoUsableKey(skipped) => {
                f.write_str("no usable key")?;
                let mut separator = ": ";
                // The set may hold 256; a log line need not.
                for key in skipped.iter().take(8) {
                    write!(f, "{separator}{key}")?;
                    separator = "; ";
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for KeySetError {}

#[cfg(test)]
mod tests;
