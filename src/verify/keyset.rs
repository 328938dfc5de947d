//! A provider's keys (RFC 7517 §5): parsed once, bad ones set aside.

use std::collections::BTreeSet;

use serde_json::Value;

pub use self::error::{KeySetError, SkippedKey};
use super::json::{self, Unreadable, parts};
pub use super::jwk::{Key, KeyError, Public, SecretKeys};

/// The largest key set that is parsed, bytes: 2 KiB for each of the most keys.
pub const MAX_BYTES: usize = 512 * 1024;

/// The most entries of a set: a bound on the work of one parse, far above what rotation needs.
pub const MAX_KEYS: usize = 256;

/// The most skipped keys that one message names.
const MAX_NAMED: usize = 8;

/// The usable keys of a set, in its order, and the names of those that are skipped.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<Key>,
    skipped: Vec<(String, KeyError)>,
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

    /// Why the key of this name is not used; `None` where the set has no such entry.
    pub fn skipped(&self, kid: &str) -> Option<KeyError> {
        self.skipped.iter().find(|(skipped, _)| skipped == kid).map(|(_, why)| *why)
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

/// The texts of the entries of a set, one more than the most at most. All around them is read as
/// strictly as tokens are; a bad entry harms no other (RFC 7517 §5).
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

/// The name of an entry, whatever else is wrong with it.
fn kid(entry: &[u8]) -> Option<String> {
    let members = parts::members(entry)?;
    let mut kids = members.iter().filter(|(name, _)| name == "kid");
    let (_, kid) = kids.next()?;
    match (json::parse(kid)?, kids.next()) {
        (Value::String(kid), None) if !kid.is_empty() => Some(kid),
        _ => None,
    }
}

mod error;

#[cfg(test)]
mod tests;
