//! What becomes of a token at each of the providers that share its issuer.

use serde_json::{Map, Value};

use super::jwk::Key;
use super::{Claims, Failure, Stage, VerifyError};

/// One provider of the issuer refused the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its index.
    pub provider: usize,
    /// Why.
    pub error: VerifyError,
}

/// A token was taken.
#[derive(Debug)]
pub struct Accepted<T> {
    /// What was made of its claims.
    pub value: T,
    /// The providers of its issuer that were asked before and refused it.
    pub attempts: Vec<Attempt>,
}

/// The attempt that came furthest, so far; of several that came as far, the first.
#[derive(Default)]
pub(super) struct Furthest<'k> {
    error: Option<VerifyError>,
    attempt: usize,
    /// The key that signed the token, if one did.
    key: Option<&'k Key>,
}

impl<'k> Furthest<'k> {
    pub(super) fn note(&mut self, attempt: usize, error: VerifyError, key: Option<&'k Key>) {
        if self.error.is_none_or(|known| distance(error) > distance(known)) {
            *self = Self { error: Some(error), attempt, key };
        }
    }

    pub(super) fn failure(self, attempts: Vec<Attempt>, payload: Map<String, Value>) -> Failure {
        let error = self.error.unwrap_or(VerifyError::IssuerNotAllowed);
        let provider = attempts.get(self.attempt).map(|attempt| attempt.provider);
        let claims = self.key.zip(provider).map(|(key, provider)| {
            Box::new(Claims::signed(provider, key.kid(), payload).refused())
        });
        Failure { error, provider, attempts, claims }
    }
}

/// How far a token came. A provider whose keys could not be tried goes before one whose keys did not
/// sign the token: it may be its own.
fn distance(error: VerifyError) -> (Stage, bool) {
    match error {
        VerifyError::KeysUnavailable | VerifyError::TooManyKeys => (Stage::Signature, true),
        error => (error.stage(), false),
    }
}
