//! The keys that may have signed a token, and how many of them are tried on one request.

use super::VerifyError;
use super::algorithm::{Algorithm, Family};
use super::engine::Engine;
use super::header::Header;
use super::issuer::{self, IssuerMatch};
use super::jwk::Key;
use super::keyset::KeySet;
use super::token::Token;
use crate::verify::provider::Provider;

/// The most keys that are tried on one request, those of all its providers together: where more may
/// have signed a token, none is.
pub const MAX_KEYS: usize = 2;

/// What the signatures of one request may still cost.
///
/// The proxy takes tens of microseconds for most signatures. The module takes up to 3 ms (ES384), so
/// that one check alone stays below a hundred requests without a token.
#[derive(Debug)]
pub struct Budget {
    module: bool,
}

impl Default for Budget {
    fn default() -> Self {
        Self { module: true }
    }
}

impl Budget {
    /// Whether the module may check one more signature of `algorithm`, which counts if it may. An
    /// HMAC costs no more than the hash of the token and is not counted.
    pub fn take_in_module(&mut self, algorithm: Algorithm) -> bool {
        algorithm.family() == Family::Secret || std::mem::take(&mut self.module)
    }
}

/// The keys of one or several sets that may have signed a token, each once.
#[derive(Default)]
pub struct Candidates<'k> {
    /// Those that the token names, at most one more than are tried.
    named: Vec<&'k Key>,
    /// The others: those without a name, or all that fit where the token names none. At most one
    /// more than are tried.
    others: Vec<&'k Key>,
}

impl<'k> Candidates<'k> {
    /// The keys of a provider's set that may have signed a token with this header. A `kid` is a hint
    /// (RFC 7515 §4.1.4), so that keys without one are candidates whatever the token says.
    ///
    /// # Errors
    /// `KeyUnknown` where no key has the name or fits; `KeySkipped` where the one of that name is not
    /// used; `AlgorithmNotAllowed` where it is for another algorithm; `IssuerNotAllowed` where it is
    /// another issuer's.
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

    /// How many they are; of more than are tried, not all.
    pub fn count(&self) -> usize {
        self.named.len().saturating_add(self.others.len())
    }

    fn iter(&self) -> impl Iterator<Item = &'k Key> {
        self.named.iter().chain(&self.others).copied()
    }

    /// Adds those of another set.
    fn extend(&mut self, other: &Self) {
        other.named.iter().for_each(|key| self.push(key, true));
        other.others.iter().for_each(|key| self.push(key, false));
    }

    /// Those that are tried, in their order. Where the token names a key, the others are tried only
    /// as far as there is room for all.
    fn tried(&self) -> impl Iterator<Item = &'k Key> {
        let named = if self.named.len() > MAX_KEYS { &[][..] } else { &self.named[..] };
        let room = match self.named.is_empty() {
            true => self.others.len() <= MAX_KEYS,
            false => !named.is_empty() && self.count() <= MAX_KEYS,
        };
        let others = if room { &self.others[..] } else { &[][..] };
        named.iter().chain(others).copied()
    }
}

/// PSS costs the module the most, and Envoy's verifier does not know it. So it is used with a key
/// that says so, or where the configuration does.
fn may_use(provider: &Provider, key: &Key, algorithm: Algorithm) -> bool {
    !algorithm.is_pss() || provider.algorithms.is_some() || key.names_algorithm()
}

/// Which key signed a token, and which ones did not.
pub(super) struct Signer<'k> {
    good: Option<&'k Key>,
    bad: Vec<&'k Key>,
}

impl<'k> Signer<'k> {
    /// Tries the candidates of all providers together: a key that two of them have is tried once.
    pub(super) fn find<'c>(
        all: impl Iterator<Item = &'c Candidates<'k>>,
        engine: &dyn Engine,
        algorithm: Algorithm,
        token: &Token<'_>,
        signature: &[u8],
    ) -> Self
    where
        'k: 'c,
    {
        let mut candidates = Candidates::default();
        all.for_each(|of_one| candidates.extend(of_one));
        let mut budget = Budget::default();
        let mut bad = Vec::new();
        for key in candidates.tried() {
            let signed = token.signing_input();
            match engine.check(&mut budget, key, algorithm, signed, signature) {
                Some(true) => return Self { good: Some(key), bad },
                Some(false) => bad.push(key),
                None => break,
            }
        }
        Self { good: None, bad }
    }

    /// The key among a provider's candidates that signed the token.
    ///
    /// # Errors
    /// `SignatureInvalid`; `TooManyKeys` where a key that is as good a candidate was not tried.
    pub(super) fn among(&self, candidates: &Candidates<'k>) -> Result<&'k Key, VerifyError> {
        if let Some(good) = self.good {
            let own = candidates.iter().find(|key| key.is_same(good));
            return own.ok_or(VerifyError::SignatureInvalid);
        }
        let first = match candidates.named.is_empty() {
            true => &candidates.others,
            false => &candidates.named,
        };
        let was_tried = |key: &&Key| self.bad.iter().any(|bad| bad.is_same(key));
        match first.iter().all(was_tried) {
            true => Err(VerifyError::SignatureInvalid),
            false => Err(VerifyError::TooManyKeys),
        }
    }
}

#[cfg(test)]
mod tests;
