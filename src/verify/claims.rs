//! Claims whose signature was verified and whose content was checked.

use std::fmt;

use super::checks;
use super::date::{NumericDate, seconds};
use super::error::VerifyError;
use super::issuer::{self, IssuerMatch};
use super::json::{Document, Json};
use super::provider::Provider;
use super::value::{is_exact, scalar};
use crate::template::{ClaimRef, PartValue};
use crate::time::Moment;

/// The claims of a token that passed every check. Only the verifier creates them, and they cannot
/// be cloned.
pub struct Claims {
    provider: usize,
    kid: Option<String>,
    payload: Document,
    dates: Dates,
}

/// The claims of a refused token whose signature is good. They name the caller in the telemetry of
/// the denial; a principal is never made from them.
#[derive(Debug)]
pub struct RefusedClaims(Claims);

/// Claims of which only the signature is verified. The verifier turns them into [`Claims`], or back
/// into a payload for the next provider of the issuer.
pub(super) struct Draft(Claims);

#[derive(Default)]
struct Dates {
    exp: Option<NumericDate>,
    nbf: Option<NumericDate>,
    iat: Option<NumericDate>,
}

impl Claims {
    /// The payload of a token whose signature was verified. Only the verifier calls this.
    pub(super) fn signed(provider: usize, kid: Option<&str>, payload: Document) -> Draft {
        let kid = kid.map(str::to_owned);
        Draft(Self { provider, kid, payload, dates: Dates::default() })
    }

    /// The index of the provider that issued them.
    pub fn provider(&self) -> usize {
        self.provider
    }

    /// The name of the key that verified them, if it has one.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The first time at which [`Self::check_times`] reports them as expired; `None` if they never
    /// expire.
    pub fn expires(&self, provider: &Provider) -> Option<Moment> {
        let end = self.dates.exp?.nanos().saturating_add(seconds(provider.clock_skew));
        Some(Moment::from_nanos(u64::try_from(end.max(0)).unwrap_or(u64::MAX)))
    }

    /// The value of a top-level claim.
    pub fn member(&self, name: &str) -> Option<Json<'_>> {
        self.payload.get(name)
    }

    /// The value of a claim.
    pub fn get(&self, claim: &ClaimRef) -> Option<Json<'_>> {
        match claim {
            ClaimRef::Name(name) => self.member(name),
            ClaimRef::Pointer(tokens) => {
                let (first, rest) = tokens.split_first()?;
                rest.iter().try_fold(self.member(first)?, |value, token| value.step(token))
            }
        }
    }

    /// The value of a claim in a template: a string as it is, a number or boolean as text, an array
    /// of those as a list. Objects, null, other arrays and numbers that a double does not hold
    /// exactly have no value.
    pub fn part(&self, claim: &ClaimRef) -> Option<PartValue<'_>> {
        let value = self.named(claim)?;
        match value.items() {
            Some(items) => items.map(scalar).collect::<Option<_>>().map(PartValue::List),
            None => scalar(value).map(PartValue::Text),
        }
    }

    /// The value of a claim in an identity: no lists, and no numbers above 2^53, because parsers
    /// disagree on the value of such numbers (RFC 8259 §6).
    pub fn identity_part(&self, claim: &ClaimRef) -> Option<PartValue<'_>> {
        let value = self.named(claim)?;
        let exact = value.as_number().is_none_or(|number| is_exact(&number));
        scalar(value).filter(|_| exact).map(PartValue::Text)
    }

    /// The value of a claim. A subject that is not a string, which only a refused token can have,
    /// has no value.
    fn named(&self, claim: &ClaimRef) -> Option<Json<'_>> {
        let is_subject = claim.top_level() == Some("sub");
        self.get(claim).filter(|value| !is_subject || value.as_str().is_some())
    }

    /// The memory of the payload in bytes.
    pub fn bytes(&self) -> usize {
        self.payload.bytes()
    }

    /// Checks the times alone. Cached claims are checked again on every use, because a verified token
    /// expires.
    ///
    /// # Errors
    /// `Expired`, `NotYetValid`, `IssuedInFuture`, `LifetimeTooLong`, `ClaimMissing`.
    pub fn check_times(&self, provider: &Provider, now: Moment) -> Result<(), VerifyError> {
        let Dates { exp, nbf, iat } = &self.dates;
        let now = i128::from(now.as_nanos());
        let skew = seconds(provider.clock_skew);
        let latest = now.saturating_add(skew);
        match exp {
            Some(exp) if now >= exp.nanos().saturating_add(skew) => {
                return Err(VerifyError::Expired);
            }
            None if provider.require_exp => return Err(VerifyError::ClaimMissing("exp")),
            _ => {}
        }
        if nbf.is_some_and(|nbf| latest < nbf.nanos()) {
            return Err(VerifyError::NotYetValid);
        }
        if iat.is_some_and(|iat| latest < iat.nanos()) {
            return Err(VerifyError::IssuedInFuture);
        }
        if let Some(most) = provider.max_lifetime {
            let exp = exp.ok_or(VerifyError::ClaimMissing("exp"))?;
            let iat = iat.ok_or(VerifyError::ClaimMissing("iat"))?;
            // An `iat` before 1970 was never set, so that the lifetime is unknown.
            let dated = iat.nanos() >= 0;
            if !dated || exp.nanos().saturating_sub(iat.nanos()) > seconds(most) {
                return Err(VerifyError::LifetimeTooLong);
            }
        }
        Ok(())
    }
}

impl Draft {
    /// Makes all checks that follow the signature: tenant, audience, times, types, use.
    pub(super) fn judge(
        mut self,
        provider: &Provider,
        matched: &IssuerMatch<'_>,
        now: Moment,
    ) -> Result<Claims, Box<(VerifyError, Self)>> {
        match self.check(provider, matched, now) {
            Ok(()) => Ok(self.0),
            Err(error) => Err(Box::new((error, self))),
        }
    }

    fn check(
        &mut self,
        provider: &Provider,
        matched: &IssuerMatch<'_>,
        now: Moment,
    ) -> Result<(), VerifyError> {
        let Claims { payload, dates, .. } = &mut self.0;
        issuer::check(provider, matched, payload)?;
        checks::audience(provider, payload)?;
        *dates = Dates {
            exp: NumericDate::claim(payload, "exp")?,
            nbf: NumericDate::claim(payload, "nbf")?,
            iat: NumericDate::claim(payload, "iat")?,
        };
        self.0.check_times(provider, now)?;
        checks::names(&self.0.payload)?;
        checks::token_use(provider, &self.0.payload)
    }

    /// Claims that passed the checks and were refused afterwards.
    pub(super) fn of(claims: Claims) -> Self {
        Self(claims)
    }

    /// The payload, for the checks of another provider.
    pub(super) fn into_payload(self) -> Document {
        self.0.payload
    }

    /// The claims of a refused token.
    pub(super) fn refused(self) -> RefusedClaims {
        RefusedClaims(self.0)
    }
}

impl RefusedClaims {
    /// The claims, to name the caller. Nothing that admits a caller accepts `RefusedClaims`.
    pub(crate) fn claims(&self) -> &Claims {
        &self.0
    }
}

/// Prints no claim: claims are personal data.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").field("provider", &self.provider).finish_non_exhaustive()
    }
}
