//! The keys that may have signed a token, and how many of them one request tries.

use super::algorithm::Algorithm;
use super::error::VerifyError;
use super::header::Header;
use super::issuer::{self, IssuerMatch};
use super::jwk::Key;
use super::keyset::KeySet;
use super::provider::Provider;

/// The maximum number of keys that one request tries, over all its providers. If more may have signed
/// the token, none is tried.
pub const MAX_KEYS: usize = 2;

/// The keys of one or several sets that may have signed a token, without duplicates.
#[derive(Default)]
pub struct Candidates<'k> {
    /// The keys that the token names, at most one more than [`MAX_KEYS`].
    named: Vec<&'k Key>,
    /// The others: keys without a name, or all keys that fit if the token names none; at most one
    /// more than [`MAX_KEYS`].
    others: Vec<&'k Key>,
}

impl<'k> Candidates<'k> {
    /// The keys of a provider's set that may have signed a token with this header. A `kid` is a hint
    /// (RFC 7515 §4.1.4), so that keys without one are always candidates.
    ///
    /// # Errors
    /// `KeyUnknown` if no key has the name or fits; `KeySkipped` if the key of that name is not used;
    /// `AlgorithmNotAllowed` if it is for another algorithm; `IssuerNotAllowed` if it is for another
    /// issuer.
    pub fn of(
        keys: &'k KeySet,
        provider: &Provider,
        matched: &IssuerMatch<'_>,
        header: &Header,
    ) -> Result<Self, VerifyError> {
        let mut found = Self::default();
        let skipped = header.kid.as_deref().and_then(|kid| keys.skipped(kid));
        let mut error = skipped.map_or(VerifyError::KeyUnknown, VerifyError::KeySkipped);
        for key in keys.iter() {
            let named = match (header.kid.as_deref(), key.kid()) {
                (Some(kid), Some(own)) if kid != own => continue,
                (Some(_), Some(_)) => true,
                _ => false,
            };
            let fits = key.fits(header.algorithm);
            if !fits || !may_use(provider, key, header.algorithm) {
                if error == VerifyError::KeyUnknown && (named || fits) {
                    error = VerifyError::AlgorithmNotAllowed;
                }
                continue;
            }
            if !issuer::signs_for(provider, key, matched) {
                error = VerifyError::IssuerNotAllowed;
                continue;
            }
            found.push(key, named);
        }
        if found.count() > 0 { Ok(found) } else { Err(error) }
    }

    fn push(&mut self, key: &'k Key, named: bool) {
        if self.named.iter().any(|known| known.is_same(key)) {
            return;
        }
        let same = |known: &Key| known.is_same(key);
        match named {
            true => self.others.retain(|known| !same(known)),
            false if self.others.iter().any(|known| same(known)) => return,
            false => {}
        }
        let list = if named { &mut self.named } else { &mut self.others };
        if list.len() <= MAX_KEYS {
            list.push(key);
        }
    }

    /// The number of candidates; more than [`MAX_KEYS`] are not all counted.
    pub fn count(&self) -> usize {
        self.named.len().saturating_add(self.others.len())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &'k Key> {
        self.named.iter().chain(&self.others).copied()
    }

    /// The candidates that rank highest: the named ones, else the others.
    pub(super) fn first(&self) -> &[&'k Key] {
        if self.named.is_empty() { &self.others } else { &self.named }
    }

    /// Adds the candidates of another set.
    pub(super) fn extend(&mut self, other: &Self) {
        other.named.iter().for_each(|key| self.push(key, true));
        other.others.iter().for_each(|key| self.push(key, false));
    }

    /// The keys that are tried, in order. If the token names a key, the others are tried only if all
    /// keys together are within the bound.
    pub(super) fn tried(&self) -> impl Iterator<Item = &'k Key> {
        let named = if self.named.len() > MAX_KEYS { &[][..] } else { &self.named[..] };
        let room = match self.named.is_empty() {
            true => self.others.len() <= MAX_KEYS,
            false => !named.is_empty() && self.count() <= MAX_KEYS,
        };
        let others = if room { &self.others[..] } else { &[][..] };
        named.iter().chain(others).copied()
    }
}

/// PSS is the most expensive algorithm in the module, and Envoy's verifier does not support it.
/// Therefore the key or the configuration must name it.
fn may_use(provider: &Provider, key: &Key, algorithm: Algorithm) -> bool {
    !algorithm.is_pss() || provider.algorithms.is_some() || key.names_algorithm()
}

#[cfg(test)]
mod tests;
