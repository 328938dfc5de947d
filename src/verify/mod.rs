//! From the bytes of a token to verified claims.
//!
//! The order is fixed: size, shape, header, `typ`, algorithm, provider by `iss`, key, signature,
//! claims. Nothing of the payload is trusted before the signature but `iss`, and that only to
//! choose whose keys must verify it. A [`Claims`] exists only past the last step.
//!
//! - [`token`]: three parts and their size · [`base64url`], [`json`]: strict decoding
//! - [`header`]: what a header may say · [`algorithm`]: names and key families
//! - [`jwk`], [`keyset`]: keys bound to their family · [`engine`]: who does the arithmetic
//! - [`candidates`]: the keys that may have signed a token, and how many of them are tried
//! - [`rsa`]: RSA in the module · [`host`]: the proxy's own arithmetic, after a self-test · `der`: what it reads
//! - [`issuer`]: whose token it is, tenants, Entra ID's extra rules
//! - `outcome`: the providers that share an issuer, one after the other
//! - [`claims`], [`date`]: what is judged after the signature · [`error`]: why a token is refused

pub mod algorithm;
mod outcome;
pub mod base64url;
pub mod candidates;
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
pub mod provider;
pub mod rsa;
mod self_test;
pub mod token;

use serde_json::{Map, Value};

use self::outcome::Furthest;
pub use self::outcome::{Accepted, Attempt};
pub use self::candidates::Candidates;
use self::candidates::Signer;
use self::claims::Draft;
pub use self::claims::{Claims, RefusedClaims};
use self::engine::Engine;
pub use self::error::{Stage, VerifyError};
use self::header::Header;
use self::issuer::IssuerMatch;
use self::keyset::KeySet;
use self::token::Token;
use crate::verify::provider::Provider;

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
#[derive(Debug)]
pub struct Failure {
    /// Why: of several providers of one issuer, what the one says that came furthest.
    pub error: VerifyError,
    /// Whose token it claims to be, once `iss` has been matched; unverified where the error is one
    /// of the steps up to the signature.
    pub provider: Option<usize>,
    /// Why each provider of the issuer refused it, in the order of the rule.
    pub attempts: Vec<Attempt>,
    /// Its claims, if the provider's key signed them.
    pub claims: Option<Box<RefusedClaims>>,
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        Self { error, provider: None, attempts: Vec::new(), claims: None }
    }
}

/// A provider that issues as the token's `iss`, and its keys that may have signed the token.
struct Issuing<'a, 'i> {
    index: usize,
    provider: &'a Provider,
    matched: IssuerMatch<'i>,
    candidates: Result<Candidates<'a>, VerifyError>,
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
        self.verify_as(token, admitted, now, |claims, _| Ok(claims)).map(|taken| taken.value)
    }

    /// Verifies a token and makes something of its claims. Providers that share its issuer are tried
    /// in their order until one takes it; `make` may still refuse in the name of its provider.
    pub fn verify_as<T>(
        &self,
        token: &[u8],
        admitted: Option<&[usize]>,
        now: u64,
        make: impl Fn(Claims, &Provider) -> Result<T, Box<(VerifyError, Claims)>>,
    ) -> Result<Accepted<T>, Failure> {
        let token = Token::split(token, self.max_bytes)?;
        let header = Header::parse(token.header())?;
        if token.signature().is_empty() {
            return Err(VerifyError::Shape.into());
        }
        self.check_header(&header, admitted)?;
        let signature = base64url::decode(token.signature()).ok_or(VerifyError::Encoding)?;
        let payload = base64url::decode(token.payload()).ok_or(VerifyError::Encoding)?;
        let mut payload = json::parse_object(&payload).ok_or(VerifyError::PayloadJson)?;
        let iss = issuer_claim(&payload)?.to_owned();
        let issuing = self.issuing(&iss, &header, admitted)?;
        let candidates = issuing.iter().filter_map(|issuing| issuing.candidates.as_ref().ok());
        let signer = Signer::find(candidates, self.engine, header.algorithm, &token, &signature);
        let mut attempts = Vec::new();
        let mut furthest = Furthest::default();
        for Issuing { index, provider, matched, candidates } in &issuing {
            let signed_by = candidates.as_ref().map_err(|error| *error);
            let error = match signed_by.and_then(|candidates| signer.among(candidates)) {
                Err(error) => {
                    furthest.note(attempts.len(), error, None);
                    error
                }
                Ok(key) => {
                    let draft = Claims::signed(*index, key.kid(), payload);
                    let judged = draft.judge(provider, matched, now).and_then(|claims| {
                        make(claims, provider).map_err(|refused| {
                            let (error, claims) = *refused;
                            Box::new((error, Draft::of(claims)))
                        })
                    });
                    match judged {
                        Ok(value) => return Ok(Accepted { value, attempts }),
                        Err(refused) => {
                            let (error, draft) = *refused;
                            payload = draft.into_members();
                            furthest.note(attempts.len(), error, Some(key));
                            error
                        }
                    }
                }
            };
            attempts.push(Attempt { provider: *index, error });
        }
        Err(furthest.failure(attempts, payload))
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

    /// The admitted providers that issue as `iss`, at least one.
    fn issuing<'i>(
        &self,
        iss: &'i str,
        header: &Header,
        admitted: Option<&[usize]>,
    ) -> Result<Vec<Issuing<'a, 'i>>, Failure> {
        let issuing = |(index, provider): (usize, &'a Provider)| {
            let matched = issuer::find(provider, iss)?;
            let candidates = self.candidates(index, provider, &matched, header);
            Some(Issuing { index, provider, matched, candidates })
        };
        let issuing: Vec<_> = self.admitted(admitted).filter_map(issuing).collect();
        match issuing.is_empty() {
            false => Ok(issuing),
            true => Err(Failure {
                provider: self.providers.iter().position(|p| issuer::find(p, iss).is_some()),
                ..VerifyError::IssuerNotAllowed.into()
            }),
        }
    }

    /// The keys of one provider that may have signed the token.
    fn candidates(
        &self,
        index: usize,
        provider: &Provider,
        matched: &IssuerMatch<'_>,
        header: &Header,
    ) -> Result<Candidates<'a>, VerifyError> {
        // Asked again now that the provider is known: another's `typ` or algorithm does not count.
        if !admits_type(provider, header) {
            return Err(VerifyError::TypeNotAllowed);
        }
        if !admits_algorithm(provider, header) {
            return Err(VerifyError::AlgorithmNotAllowed);
        }
        let keys = self.keys.keys(index).ok_or(VerifyError::KeysUnavailable)?;
        Candidates::of(keys, provider, matched, header)
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
