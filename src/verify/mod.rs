//! From the bytes of a token to verified claims.
//!
//! The order is fixed: size, shape, header, `typ`, algorithm, provider by `iss`, key, signature,
//! claims. Nothing of the payload is trusted before the signature but `iss`, and that only to
//! choose whose keys must verify it. A [`Claims`] exists only past the last step.
//!
//! - [`token`]: three parts and their size · [`base64url`], [`json`]: strict decoding
//! - [`header`]: what a header may say · [`algorithm`]: names and key families
//! - [`jwk`], [`keyset`]: keys bound to their family · [`engine`]: who does the arithmetic
//! - [`host`]: the proxy's own arithmetic, after a self-test · `der`: what it reads
//! - [`issuer`]: whose token it is, tenants, Entra ID's extra rules
//! - [`claims`], [`date`]: what is judged after the signature · [`error`]: why a token is refused

pub mod algorithm;
pub mod base64url;
pub mod claims;
pub mod date;
mod der;
pub mod engine;
pub mod error;
pub mod header;
pub mod host;
pub mod issuer;
pub mod json;
pub mod jwk;
pub mod keyset;
mod self_test;
pub mod token;

use serde_json::{Map, Value};

pub use self::claims::Claims;
use self::engine::Engine;
pub use self::error::VerifyError;
use self::header::Header;
use self::issuer::IssuerMatch;
use self::keyset::{Key, KeySet, NoKey};
use self::token::Token;
use crate::provider::Provider;

/// Where the current keys of each provider are found.
pub trait Keys {
    /// The key set of the provider with this index; `None`: never had, or older than `max_stale`.
    fn keys(&self, provider: usize) -> Option<&KeySet>;

    /// A number that another key set of the provider does not have; `None` where [`Self::keys`] is.
    fn version(&self, provider: usize) -> Option<u64> {
        self.keys(provider).map(|_| 0)
    }
}

/// Judges tokens.
#[derive(Clone, Copy)]
pub struct Verifier<'a> {
    /// Who may issue tokens; indexes below are into this.
    pub providers: &'a [Provider],
    /// Their keys.
    pub keys: &'a dyn Keys,
    /// Who checks signatures.
    pub engine: &'a dyn Engine,
    /// The longest token that is looked at, bytes.
    pub max_bytes: usize,
}

/// A token was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub error: VerifyError,
    /// Whose token it claims to be, once `iss` has been matched; unverified where the error is one
    /// of the steps up to the signature.
    pub provider: Option<usize>,
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        Self { error, provider: None }
    }
}

impl<'a> Verifier<'a> {
    /// Verifies a token. `admitted` holds the indexes of the providers that the rule admits, in
    /// its order; `None` admits all. `now` is in nanoseconds since the Unix epoch.
    pub fn verify(
        &self,
        token: &[u8],
        admitted: Option<&[usize]>,
        now: u64,
    ) -> Result<Claims, Failure> {
        let token = Token::split(token, self.max_bytes)?;
        let header = Header::parse(token.header())?;
        if token.signature().is_empty() {
            return Err(VerifyError::Shape.into());
        }
        self.check_header(&header, admitted)?;
        let signature = base64url::decode(token.signature()).ok_or(VerifyError::Encoding)?;
        let payload = base64url::decode(token.payload()).ok_or(VerifyError::Encoding)?;
        let payload = json::parse_object(&payload).ok_or(VerifyError::PayloadJson)?;
        let iss = issuer_claim(&payload)?.to_owned();
        let (index, provider, matched) = self.choose(&iss, admitted)?;
        let judge = || {
            let key =
                self.check_signature(index, provider, &matched, &header, &token, &signature)?;
            issuer::check(provider, &matched, &payload)?;
            Claims::judge(index, provider, key.kid(), payload, now)
        };
        judge().map_err(|error| Failure { error, provider: Some(index) })
    }

    /// Refuses early what no admitted provider would take, before the payload is parsed.
    fn check_header(&self, header: &Header, admitted: Option<&[usize]>) -> Result<(), VerifyError> {
        let admitted = || self.admitted(admitted).map(|(_, provider)| provider);
        if admitted().next().is_none() {
            return Err(VerifyError::IssuerNotAllowed);
        }
        if !admitted().any(|provider| admits_type(provider, header)) {
            return Err(VerifyError::TypeNotAllowed);
        }
        let supported = self.engine.supports(header.algorithm);
        match supported && admitted().any(|provider| admits_algorithm(provider, header)) {
            true => Ok(()),
            false => Err(VerifyError::AlgorithmNotAllowed),
        }
    }

    /// The first admitted provider that issues as `iss`; one whose tenants hold the tenant goes
    /// before one whose tenants do not, so that two tenants of one issuer can be two providers.
    fn choose<'i>(
        &self,
        iss: &'i str,
        admitted: Option<&[usize]>,
    ) -> Result<(usize, &'a Provider, IssuerMatch<'i>), Failure> {
        let mut second = None;
        for (index, provider) in self.admitted(admitted) {
            match issuer::find(provider, iss) {
                Some(matched) if matched.tenant_admitted => return Ok((index, provider, matched)),
                Some(matched) if second.is_none() => second = Some((index, provider, matched)),
                _ => {}
            }
        }
        second.ok_or_else(|| Failure {
            error: VerifyError::IssuerNotAllowed,
            provider: self.providers.iter().position(|p| issuer::find(p, iss).is_some()),
        })
    }

    /// Verifies the signature and returns the key that did.
    fn check_signature(
        &self,
        index: usize,
        provider: &Provider,
        matched: &IssuerMatch<'_>,
        header: &Header,
        token: &Token<'_>,
        signature: &[u8],
    ) -> Result<&'a Key, VerifyError> {
        // Asked again now that the provider is known: another's `typ` or algorithm does not count.
        if !admits_type(provider, header) {
            return Err(VerifyError::TypeNotAllowed);
        }
        if !admits_algorithm(provider, header) {
            return Err(VerifyError::AlgorithmNotAllowed);
        }
        let keys = self.keys.keys(index).ok_or(VerifyError::KeysUnavailable)?;
        let mut candidates =
            keys.candidates(header.kid.as_deref(), header.algorithm).map_err(|no| match no {
                NoKey::Unknown => VerifyError::KeyUnknown,
                NoKey::Unfit => VerifyError::AlgorithmNotAllowed,
            })?;
        candidates.retain(|key| issuer::signs_for(provider, key, matched));
        if candidates.is_empty() {
            return Err(VerifyError::IssuerNotAllowed);
        }
        candidates
            .into_iter()
            .find(|key| self.engine.verify(key, header.algorithm, token.signing_input(), signature))
            .ok_or(VerifyError::SignatureInvalid)
    }

    fn admitted<'l>(
        &self,
        admitted: Option<&'l [usize]>,
    ) -> impl Iterator<Item = (usize, &'a Provider)> + use<'a, 'l> {
        let providers = self.providers;
        let all = match admitted {
            None => 0..providers.len(),
            Some(_) => 0..0,
        };
        all.chain(admitted.unwrap_or_default().iter().copied())
            .filter_map(move |index| Some((index, providers.get(index)?)))
    }
}

/// `typ` is one of those listed, if any are. An absent one passes a list, but not where a single
/// value is all there is: then the operator asks for that kind of token (RFC 9068 §4).
fn admits_type(provider: &Provider, header: &Header) -> bool {
    match (&provider.typ, &header.typ) {
        (None, _) => true,
        (Some(allowed), None) => allowed.len() != 1,
        (Some(allowed), Some(typ)) => {
            allowed.iter().any(|allowed| header::same_media_type(allowed, typ))
        }
    }
}

fn admits_algorithm(provider: &Provider, header: &Header) -> bool {
    let allowed = provider.algorithms.unwrap_or(algorithm::AlgorithmSet::ASYMMETRIC);
    allowed.contains(header.algorithm)
}

fn issuer_claim(payload: &Map<String, Value>) -> Result<&str, VerifyError> {
    match payload.get("iss") {
        Some(Value::String(iss)) => Ok(iss),
        // CVE-2025-30144: an array with one good member is not an issuer.
        Some(_) => Err(VerifyError::ClaimMalformed("iss")),
        None => Err(VerifyError::ClaimMissing("iss")),
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod properties;
