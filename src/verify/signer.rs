//! Finds the key that signed a token.

use super::algorithm::Algorithm;
use super::candidates::Candidates;
use super::engine::{Budget, Engine, Signed};
use super::error::VerifyError;
use super::jwk::Key;
use super::token::Token;

/// The key that signed a token, and the keys that did not.
pub(super) struct Signer<'k> {
    good: Option<&'k Key>,
    bad: Vec<&'k Key>,
}

impl<'k> Signer<'k> {
    /// Tries the candidates of all providers together: a key that two providers have is tried once.
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
            let signed = Signed { key, algorithm, input: token.signing_input(), signature };
            match engine.check(&mut budget, signed) {
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
    /// `SignatureInvalid`; `TooManyKeys` if one of the first candidates was not tried.
    pub(super) fn among(&self, candidates: &Candidates<'k>) -> Result<&'k Key, VerifyError> {
        if let Some(good) = self.good {
            let own = candidates.iter().find(|key| key.is_same(good));
            return own.ok_or(VerifyError::SignatureInvalid);
        }
        let was_tried = |key: &&Key| self.bad.iter().any(|bad| bad.is_same(key));
        match candidates.first().iter().all(was_tried) {
            true => Err(VerifyError::SignatureInvalid),
            false => Err(VerifyError::TooManyKeys),
        }
    }
}
