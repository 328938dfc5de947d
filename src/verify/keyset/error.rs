//! The reasons for which keys are skipped and whole sets refused, and the bounds of a set.

use std::fmt;

use super::super::json::Unreadable;
use super::super::jwk::KeyError;

/// The maximum size of a key set in bytes: 2 KiB for each key.
pub const MAX_BYTES: usize = 512 * 1024;

/// The maximum number of entries. It bounds the work of one parse and is far above what rotation
/// needs.
pub const MAX_KEYS: usize = 256;

/// The maximum number of skipped keys in one message.
const MAX_NAMED: usize = 8;

/// An entry of a set that is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SkippedKey {
    /// Its position in `keys`, from zero.
    pub index: usize,
    /// The reason.
    pub why: KeyError,
}

/// The reason for which a set is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySetError {
    /// More than 512 KiB.
    TooLarge,
    /// Not one JSON object with unique members.
    Unreadable(Unreadable),
    /// An object without an array `keys`.
    NoKeys,
    /// A single JWK instead of a set.
    OneKey,
    /// A map of X.509 certificates, as Google and Firebase publish beside their key sets.
    Certificates,
    /// A discovery document: the key set is at its `jwks_uri`.
    Discovery,
    /// More than 256 entries.
    TooManyKeys,
    /// No entry is usable; the reason of each.
    NoUsableKey(Vec<SkippedKey>),
}

impl KeySetError {
    /// The error for an object without an array `keys`.
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
                // A set has up to 256 keys, too many for a log line.
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
