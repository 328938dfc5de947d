//! Why keys of a set are skipped, and why whole sets are refused.

use std::fmt;

use super::super::json::Unreadable;
use super::{KeyError, MAX_BYTES, MAX_KEYS, MAX_NAMED};

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
    /// Not one JSON object with unique members.
    Unreadable(Unreadable),
    /// An object without an array `keys`.
    NoKeys,
    /// A JWK by itself.
    OneKey,
    /// A map of X.509 certificates, as Google and Firebase publish beside their key sets.
    Certificates,
    /// A discovery document: the key set is at its `jwks_uri`.
    Discovery,
    /// More than 256 entries.
    TooManyKeys,
    /// No entry can verify anything; what is wrong with each.
    NoUsableKey(Vec<SkippedKey>),
}

impl KeySetError {
    /// What an object without an array `keys` is instead.
    pub(super) fn of_members(members: &[(String, &[u8])]) -> Self {
        let has = |wanted: &str| members.iter().any(|(name, _)| name == wanted);
        let certificate = |(_, value): &(String, &[u8])| value.starts_with(b"\"-----BEGIN CERT");
        if has("keys") {
            Self::NoKeys
        } else if has("kty") {
            Self::OneKey
        } else if has("jwks_uri") {
            Self::Discovery
        } else if !members.is_empty() && members.iter().all(certificate) {
            Self::Certificates
        } else {
            Self::NoKeys
        }
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
            Self::TooLarge => write!(f, "more than {MAX_BYTES} bytes"),
            Self::Unreadable(why) => why.fmt(f),
            Self::NoKeys => f.write_str("a JSON object without an array keys"),
            Self::OneKey => f.write_str("a single key (JWK); a key set has it in an array keys"),
            Self::Certificates => f.write_str(
                "a map of X.509 certificates; the key set (JWKS) of this issuer is at another address",
            ),
            Self::Discovery => f.write_str(
                "a discovery document; its address belongs in keys.remote.discovery",
            ),
            Self::TooManyKeys => write!(f, "more than {MAX_KEYS} keys"),
            Self::NoUsableKey(skipped) if skipped.is_empty() => f.write_str("keys is empty"),
            Self::NoUsableKey(skipped) => {
                f.write_str("no usable key")?;
                let mut separator = ": ";
                // The set may hold 256; a log line need not.
                for key in skipped.iter().take(MAX_NAMED) {
                    write!(f, "{separator}{key}")?;
                    separator = "; ";
                }
                match skipped.len().saturating_sub(MAX_NAMED) {
                    0 => Ok(()),
                    more => write!(f, "; and {more} more"),
                }
            }
        }
    }
}

impl std::error::Error for KeySetError {}
