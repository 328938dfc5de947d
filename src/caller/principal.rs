//! The authenticated caller: verified claims and an identity.

use super::actor::actor;
use super::grant::entries::Entries;
use super::grant::{Grant, Unmet};
use super::memo::{self, Kept, Memo, Places, Topic};
use crate::base64url;
use crate::template::{Filled, Part, PartValue, Scope};
use crate::verify::VerifyError;
use crate::verify::claims::{Claims, RefusedClaims};
use crate::verify::provider::Provider;

/// A caller with a verified token; it exists only if [`Claims`] do.
#[derive(Debug)]
pub struct Principal {
    claims: Claims,
    identity: String,
    memo: Memo,
    places: Places,
}

impl Principal {
    /// Finds the identity: the first of the provider's templates that has a value.
    ///
    /// # Errors
    /// `Unidentified`, with the claims, if no template has a value, or if the first one that has a
    /// value has an empty part: with the next template, two callers could share an identity.
    pub fn of(claims: Claims, provider: &Provider) -> Result<Self, Box<(VerifyError, Claims)>> {
        match identity(&claims, provider) {
            Ok(identity) => {
                let (memo, places) = (Memo::default(), Places::default());
                Ok(Self { claims, identity, memo, places })
            }
            Err(error) => Err(Box::new((error, claims))),
        }
    }

    /// Checks `bind: mtls` (RFC 8705 §3): `cnf.x5t#S256` of the token must be the SHA-256 of the
    /// caller's certificate. `peer` is the certificate's SHA-256 in hexadecimal, which the host knows
    /// from the handshake.
    ///
    /// # Errors
    /// `claim_missing` and `claim_malformed` are about `cnf`; every other error is `binding_mismatch`.
    pub fn check_binding(claims: &Claims, peer: Option<Vec<u8>>) -> Result<(), VerifyError> {
        const NAME: &str = "cnf.x5t#S256";
        const SHA_256: usize = 32;
        let cnf = claims.member("cnf").ok_or(VerifyError::ClaimMissing("cnf"))?;
        let cnf = Some(cnf).filter(|cnf| cnf.is_object());
        let cnf = cnf.ok_or(VerifyError::ClaimMalformed("cnf"))?;
        let named = cnf.get("x5t#S256").ok_or(VerifyError::ClaimMissing(NAME))?;
        let named = named.as_str().and_then(|text| base64url::decode(text.as_bytes()));
        let named = named.filter(|digest| digest.len() == SHA_256);
        let named = named.ok_or(VerifyError::ClaimMalformed(NAME))?;
        let mut digest = [0; SHA_256];
        let peer = peer.as_ref().and_then(|hex| base16ct::mixed::decode(hex, &mut digest).ok());
        if peer == Some(&named) { Ok(()) } else { Err(VerifyError::BindingMismatch) }
    }

    /// The verified claims.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Checks the grants of the rule at this position, once for each token.
    ///
    /// # Errors
    /// As [`Entries::judge`].
    pub fn check_grants(&self, rule: u32, entries: &Entries<Grant>) -> Result<(), Unmet> {
        let judge = || match entries.judge(&self.claims) {
            Ok(()) => (None, None),
            Err(Unmet { entry, reason }) => (u32::try_from(entry).ok(), Some(reason)),
        };
        match self.memo.of(Topic::Rule(rule), judge) {
            (_, None) => Ok(()),
            (entry, Some(reason)) => {
                let entry = entry.and_then(|entry| entry.try_into().ok()).unwrap_or(usize::MAX);
                Err(Unmet { entry, reason })
            }
        }
    }

    /// The position of the first tier that holds, of the limit at this position; it is found once for each
    /// token.
    pub fn tier<T: AsRef<Grant>>(&self, limit: u32, tiers: &Entries<T>) -> Option<usize> {
        let find = || tiers.first_held(&self.claims, |_| true).and_then(|at| at.try_into().ok());
        let (tier, _) = self.memo.of(Topic::Limit(limit), || (find(), None));
        tier?.try_into().ok()
    }

    /// The bucket under the limit at this position, if one was kept.
    pub fn kept(&self, limit: u32) -> Option<Kept> {
        self.places.of(limit)
    }

    /// Keeps the bucket under the limit at this position.
    pub fn keep(&self, limit: u32, kept: Kept) {
        self.places.keep(limit, kept);
    }

    /// The key of the caller in limits, tags and logs.
    pub fn identity(&self) -> &str {
        &self.identity
    }
}

/// The identity of a caller.
fn identity(claims: &Claims, provider: &Provider) -> Result<String, VerifyError> {
    let scope = IdentityScope { claims, provider: &provider.name };
    let mut identity = String::new();
    for (index, template) in provider.identity.iter().enumerate() {
        match template.identify(&scope, &mut identity) {
            Filled::Whole => return Ok(identity),
            Filled::WithEmptyPart => return Err(VerifyError::Unidentified(Some(index))),
            Filled::Absent => {}
        }
    }
    Err(VerifyError::Unidentified(None))
}

/// The identity of a refused token, for telemetry; `None` if its claims give none.
pub fn refused_identity(refused: &RefusedClaims, provider: &Provider) -> Option<String> {
    identity(refused.claims(), provider).ok()
}

/// A caller with all results that depend on its token alone: the cached value of a token.
#[derive(Debug)]
pub struct Caller {
    principal: Principal,
    tags: Vec<(usize, String)>,
}

impl Caller {
    /// `tags`: index into `Policy::tags` and encoded value of each tag that depends on the token alone.
    pub fn new(principal: Principal, tags: Vec<(usize, String)>) -> Self {
        Self { principal, tags }
    }

    /// The claims and the identity.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The verified claims.
    pub fn claims(&self) -> &Claims {
        &self.principal.claims
    }

    /// The tags: index into `Policy::tags` and encoded value.
    pub fn tags(&self) -> &[(usize, String)] {
        &self.tags
    }

    /// The approximate memory that it uses, in bytes.
    pub fn bytes(&self) -> usize {
        const FIXED: usize = 256;
        let tags: usize = self.tags.iter().map(|(_, value)| value.len().saturating_add(16)).sum();
        let texts = self.principal.identity.len().saturating_add(self.claims().bytes());
        tags.saturating_add(texts).saturating_add(FIXED + memo::BYTES)
    }
}

/// Claims and their provider. An identity never depends on other parts of a request.
struct IdentityScope<'a> {
    claims: &'a Claims,
    provider: &'a str,
}

impl Scope for IdentityScope<'_> {
    fn value(&self, part: &Part) -> Option<PartValue<'_>> {
        match part {
            Part::Claim(claim) => self.claims.identity_part(claim),
            Part::Provider => Some(PartValue::Text(self.provider.into())),
            Part::Actor => Some(PartValue::Text(actor(self.claims)?.into())),
            _ => None,
        }
    }
}
