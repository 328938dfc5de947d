//! The verifier: runs all steps for one token.

use crate::time::Moment;

use super::algorithm::AlgorithmSet;
use super::candidates::Candidates;
use super::claims::{Claims, Draft};
use super::engine::Engine;
use super::error::VerifyError;
use super::header::{self, Header};
use super::issuer::{self, IssuerMatch};
use super::json::{self, Document};
use super::keyset::Keys;
use super::outcome::{Accepted, Attempt, Failure, Furthest};
use super::provider::Provider;
use super::providers::Providers;
use super::signer::Signer;
use super::token::Token;
use crate::base64url;

/// Verifies tokens.
#[derive(Clone, Copy)]
pub struct Verifier<'a> {
    /// The providers; the indexes below refer to this list.
    pub providers: &'a Providers,
    /// Their keys.
    pub keys: &'a dyn Keys,
    /// The engine that checks signatures.
    pub engine: &'a dyn Engine,
    /// The maximum length of a token in bytes.
    pub max_bytes: usize,
}

/// A provider with the token's `iss`, and its keys that may have signed the token.
struct Issuing<'a, 'i> {
    index: usize,
    provider: &'a Provider,
    matched: IssuerMatch<'i>,
    candidates: Result<Candidates<'a>, VerifyError>,
}

impl<'a> Verifier<'a> {
    /// Verifies a token. `admitted` holds the indexes of the providers that the rule admits, in its
    /// order; `None` admits all.
    pub fn verify(
        &self,
        token: &[u8],
        admitted: Option<&[usize]>,
        now: Moment,
    ) -> Result<Claims, Failure> {
        self.verify_as(token, admitted, now, |claims, _| Ok(claims)).map(|taken| taken.value)
    }

    /// Verifies a token and makes a value from its claims. The providers of its issuer are tried in
    /// order until one accepts it; `make` can still refuse it for its provider.
    pub fn verify_as<T>(
        &self,
        token: &[u8],
        admitted: Option<&[usize]>,
        now: Moment,
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
        let mut payload = json::read_object(payload).ok_or(VerifyError::PayloadJson)?;
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
                            payload = draft.into_payload();
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

    /// Refuses a header that no admitted provider accepts, before the payload is parsed.
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

    /// The admitted providers that have `iss` as an issuer, at least one.
    fn issuing<'i>(
        &self,
        iss: &'i str,
        header: &Header,
        admitted: Option<&[usize]>,
    ) -> Result<Vec<Issuing<'a, 'i>>, Failure> {
        let known = self.providers.of_issuer(iss);
        let admits = |index: &usize| known.binary_search(index).is_ok();
        let admitted = admitted.map(|list| list.iter().copied().filter(admits).collect());
        let issuing = |index: &usize| {
            let provider = self.providers.get(*index)?;
            let matched = issuer::find(provider, iss)?;
            let candidates = self.candidates(*index, provider, &matched, header);
            Some(Issuing { index: *index, provider, matched, candidates })
        };
        let issuing: Vec<_> =
            admitted.as_ref().unwrap_or(&known).iter().filter_map(issuing).collect();
        match issuing.is_empty() {
            false => Ok(issuing),
            true => Err(Failure {
                provider: known.first().copied(),
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
        // Checked again for this provider: `typ` and algorithm of another one do not count.
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
        let providers: &'a [Provider] = self.providers;
        let all = match admitted {
            None => 0..providers.len(),
            Some(_) => 0..0,
        };
        all.chain(admitted.unwrap_or_default().iter().copied())
            .filter_map(move |index| Some((index, providers.get(index)?)))
    }
}

/// Whether `typ` is in the list, if there is one. A token without `typ` passes a list of several
/// values, but not a single value, by which the operator requires that kind of token (RFC 9068 §4).
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
    provider.algorithms.unwrap_or(AlgorithmSet::ASYMMETRIC).contains(header.algorithm)
}

fn issuer_claim(payload: &Document) -> Result<&str, VerifyError> {
    let iss = payload.get("iss").ok_or(VerifyError::ClaimMissing("iss"))?;
    // CVE-2025-30144: an array that contains the right issuer is not an issuer.
    iss.as_str().ok_or(VerifyError::ClaimMalformed("iss"))
}
