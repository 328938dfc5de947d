//! What came of verifying a token at each of the providers that share its issuer.

use super::claims::{Claims, RefusedClaims};
use super::error::Stage;
use super::error::VerifyError;
use super::json::Document;
use super::jwk::Key;

/// A token was accepted.
#[derive(Debug)]
pub struct Accepted<T> {
    /// The caller's value, made from the claims.
    pub value: T,
    /// The providers of the issuer that were tried before and refused the token.
    pub attempts: Vec<Attempt>,
}

/// A token was refused.
#[derive(Debug)]
pub struct Failure {
    /// The reason; if several providers share the issuer, the error of the one that got furthest.
    pub error: VerifyError,
    /// The provider whose issuer is the token's `iss`, if one matched. Not verified if `error`
    /// belongs to a step up to the signature.
    pub provider: Option<usize>,
    /// The error of each provider of the issuer, in the order of the rule.
    pub attempts: Vec<Attempt>,
    /// The claims, if a key of the provider signed them.
    pub claims: Option<Box<RefusedClaims>>,
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        Self { error, provider: None, attempts: Vec::new(), claims: None }
    }
}

/// One provider of the issuer refused the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The index of the provider.
    pub provider: usize,
    /// The reason.
    pub error: VerifyError,
}

/// The attempt that got furthest so far; the first one if several got equally far.
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

    pub(super) fn failure(self, attempts: Vec<Attempt>, payload: Document) -> Failure {
        let error = self.error.unwrap_or(VerifyError::IssuerNotAllowed);
        let provider = attempts.get(self.attempt).map(|attempt| attempt.provider);
        let claims = self.key.zip(provider).map(|(key, provider)| {
            Box::new(Claims::signed(provider, key.kid(), payload).refused())
        });
        Failure { error, provider, attempts, claims }
    }
}

/// How far a token got. A provider whose keys could not be tried ranks above one whose keys did not
/// sign the token, because the missing key may be the right one.
fn distance(error: VerifyError) -> (Stage, bool) {
    match error {
        VerifyError::KeysUnavailable | VerifyError::TooManyKeys => (Stage::Signature, true),
        error => (error.stage(), false),
    }
}
