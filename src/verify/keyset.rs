//! A provider's key set (RFC 7517 §5). Bad keys are skipped, the others are used.

mod error;

use std::collections::BTreeSet;

use serde_json::Value;

pub use self::error::{KeySetError, MAX_BYTES, MAX_KEYS, SkippedKey};
use super::json::{self, Unreadable, parts};
pub use super::jwk::{Key, KeyError, Public, SecretKeys};

/// The key sets of all providers.
pub trait Keys {
    /// The current key set of the provider with this index; `None` if there never was one, or if it
    /// is older than `max_stale`.
    fn keys(&self, provider: usize) -> Option<&KeySet>;

    /// A number that changes with the key set of the provider; `None` if [`Self::keys`] is `None`.
    fn version(&self, provider: usize) -> Option<u64> {
        self.keys(provider).map(|_| 0)
    }
}

/// The usable keys of a set, in its order, and the names of the skipped ones.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<Key>,
    skipped: Vec<(String, KeyError)>,
}

impl KeySet {
    /// Parses a JWKS. Bad keys are skipped and reported.
    ///
    /// A P-521 key counts as usable although only a host can use it: a set may contain nothing
    /// else.
    pub fn parse(json: &[u8], secrets: SecretKeys) -> Result<(Self, Vec<SkippedKey>), KeySetError> {
        if json.len() > MAX_BYTES {
            return Err(KeySetError::TooLarge);
        }
        let entries = entries(json)?;
        if entries.len() > MAX_KEYS {
            return Err(KeySetError::TooManyKeys);
        }
        let mut set = Self { keys: Vec::with_capacity(entries.len()), skipped: Vec::new() };
        let mut skipped = Vec::new();
        for (index, entry) in entries.into_iter().enumerate() {
            match Key::read(entry, secrets) {
                Ok(key) => set.keys.push(key),
                Err(why) => {
                    skipped.push(SkippedKey { index, why });
                    set.skipped.extend(kid(entry).map(|kid| (kid, why)));
                }
            }
        }
        if set.keys.is_empty() {
            return Err(KeySetError::NoUsableKey(skipped));
        }
        Ok((set, skipped))
    }

    /// Why the key of this name is not used; `None` if the set has no such entry.
    pub fn skipped(&self, kid: &str) -> Option<KeyError> {
        self.skipped.iter().find(|(skipped, _)| skipped == kid).map(|(_, why)| *why)
    }

    /// The number of usable keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Never true for a parsed set.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The usable keys, in the order of the set.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter()
    }
}

/// The texts of the entries of a set, at most one more than allowed. The rest of the document is
/// read as strictly as a token; a bad entry does not affect the others (RFC 7517 §5).
fn entries(json: &[u8]) -> Result<Vec<&[u8]>, KeySetError> {
    let members =
        parts::members(json).ok_or_else(|| KeySetError::Unreadable(Unreadable::of(json)))?;
    let mut names = BTreeSet::new();
    for (name, value) in &members {
        if !names.insert(name) || (name != "keys" && json::parse(value).is_none()) {
            return Err(KeySetError::Unreadable(Unreadable::NotAnObject));
        }
    }
    let keys = members.iter().find(|(name, _)| name == "keys");
    keys.and_then(|(_, keys)| parts::items(keys, MAX_KEYS.saturating_add(1)))
        .ok_or_else(|| KeySetError::of_members(&members))
}

/// The name of an entry that is not used.
fn kid(entry: &[u8]) -> Option<String> {
    let members = parts::members(entry)?;
    let mut kids = members.iter().filter(|(name, _)| name == "kid");
    let (_, kid) = kids.next()?;
    match (json::parse(kid)?, kids.next()) {
        (Value::String(kid), None) if !kid.is_empty() => Some(kid),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
