//! Claims whose signature was verified and whose content was judged.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Map, Value};

use super::VerifyError;
use super::date::{NumericDate, seconds};
use super::issuer::{self, IssuerMatch};
use crate::template::{ClaimRef, PartValue};
use crate::verify::provider::{Audiences, Provider, TokenUse};

/// The claims of a token that passed every check. There is no other way to get one, and no copy.
pub struct Claims {
    provider: usize,
    kid: Option<String>,
    members: Map<String, Value>,
    dates: Dates,
}

/// The claims of a token whose signature verified and which was refused all the same. They name the
/// caller in the telemetry of the denial; no principal is made of them.
pub struct RefusedClaims(Claims);

#[derive(Default)]
struct Dates {
    exp: Option<NumericDate>,
    nbf: Option<NumericDate>,
    iat: Option<NumericDate>,
}

impl Claims {
    /// What a verified signature vouches for: a draft to be judged. Only the verifier calls it.
    pub(super) fn signed(provider: usize, kid: Option<&str>, members: Map<String, Value>) -> Draft {
        let kid = kid.map(str::to_owned);
        Draft(Self { provider, kid, members, dates: Dates::default() })
    }

    /// The index of the provider that issued them.
    pub fn provider(&self) -> usize {
        self.provider
    }

    /// The name of the key that verified them, if it has one.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The first moment, in nanoseconds since the Unix epoch, at which [`Self::check_times`] calls
    /// them expired; `None` if they never are.
    pub fn expires(&self, provider: &Provider) -> Option<u64> {
        let end = self.dates.exp?.nanos().saturating_add(seconds(provider.clock_skew));
        Some(u64::try_from(end.max(0)).unwrap_or(u64::MAX))
    }

    /// The value of a top-level claim.
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    /// The value of a claim.
    pub fn get(&self, claim: &ClaimRef) -> Option<&Value> {
        match claim {
            ClaimRef::Name(name) => self.members.get(name),
            ClaimRef::Pointer(tokens) => {
                let (first, rest) = tokens.split_first()?;
                rest.iter().try_fold(self.members.get(first)?, |value, token| step(value, token))
            }
        }
    }

    /// What a claim fills a template with: a string as it is, a number or boolean printed, an array
    /// of those as a list. Objects, null and arrays with anything else in them have no value, and
    /// neither has a number that a double no longer holds exactly.
    pub fn part(&self, claim: &ClaimRef) -> Option<PartValue<'_>> {
        match self.named(claim)? {
            Value::Array(items) => {
                items.iter().map(scalar).collect::<Option<_>>().map(PartValue::List)
            }
            value => scalar(value).map(PartValue::Text),
        }
    }

    /// What a claim fills an identity with: no list, and no number above 2^53, because parsers differ
    /// on which of two such numbers they read (RFC 8259 §6).
    pub fn identity_part(&self, claim: &ClaimRef) -> Option<PartValue<'_>> {
        match self.named(claim)? {
            Value::Number(number) if !is_exact(number) => None,
            value => scalar(value).map(PartValue::Text),
        }
    }

    /// The value of a claim; of a refused token, a subject that is no string has none.
    fn named(&self, claim: &ClaimRef) -> Option<&Value> {
        let is_subject = match claim {
            ClaimRef::Name(name) => name == "sub",
            ClaimRef::Pointer(tokens) => matches!(tokens.as_slice(), [name] if name == "sub"),
        };
        self.get(claim).filter(|value| !is_subject || value.is_string())
    }

    /// Judges the times alone, `now` in nanoseconds since the Unix epoch. Called at each use of
    /// remembered claims too: verified once does not mean valid now.
    pub fn check_times(&self, provider: &Provider, now: u64) -> Result<(), VerifyError> {
        let Dates { exp, nbf, iat } = &self.dates;
        let now = i128::from(now);
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
            // Before 1970 it says nothing of when the token was issued, so that the lifetime is open.
            let dated = iat.nanos() >= 0;
            if !dated || exp.nanos().saturating_sub(iat.nanos()) > seconds(most) {
                return Err(VerifyError::LifetimeTooLong);
            }
        }
        Ok(())
    }
}

/// Claims of which the signature alone is verified. The verifier turns them into [`Claims`], or back
/// into members for the next provider of the issuer.
pub(super) struct Draft(Claims);

impl Draft {
    /// Judges what a good signature leaves open: tenant, audience, times, types, use.
    pub(super) fn judge(
        mut self,
        provider: &Provider,
        matched: &IssuerMatch<'_>,
        now: u64,
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
        now: u64,
    ) -> Result<(), VerifyError> {
        let Claims { members, dates, .. } = &mut self.0;
        issuer::check(provider, matched, members)?;
        check_audience(provider, members)?;
        *dates = Dates {
            exp: NumericDate::claim(members, "exp")?,
            nbf: NumericDate::claim(members, "nbf")?,
            iat: NumericDate::claim(members, "iat")?,
        };
        self.0.check_times(provider, now)?;
        check_names(&self.0.members)?;
        check_use(provider, &self.0.members)
    }

    /// Claims that were judged and not taken after all.
    pub(super) fn of(claims: Claims) -> Self {
        Self(claims)
    }

    /// The payload, to be judged by another provider.
    pub(super) fn into_members(self) -> Map<String, Value> {
        self.0.members
    }

    /// The claims of a refused token.
    pub(super) fn refused(self) -> RefusedClaims {
        RefusedClaims(self.0)
    }
}

impl RefusedClaims {
    /// The claims, for what names the caller. Nothing that admits takes a reference.
    pub(crate) fn claims(&self) -> &Claims {
        &self.0
    }
}

/// Says nothing of the claims: they are personal data.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").field("provider", &self.provider).finish_non_exhaustive()
    }
}

impl fmt::Debug for RefusedClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefusedClaims").field("provider", &self.0.provider).finish_non_exhaustive()
    }
}

/// RFC 6901 §4: a member of an object, or the item of an array by its index without leading zeros.
fn step<'v>(value: &'v Value, token: &str) -> Option<&'v Value> {
    match value {
        Value::Object(members) => members.get(token),
        Value::Array(items) => {
            let digits = token.bytes().all(|byte| byte.is_ascii_digit());
            let canonical = token == "0" || !token.starts_with('0');
            if digits && canonical { items.get(token.parse::<usize>().ok()?) } else { None }
        }
        _ => None,
    }
}

/// Whether a number is one that a double tells from its neighbours: up to 2^53 for whole numbers,
/// below it for what was read as a double.
fn is_exact(number: &serde_json::Number) -> bool {
    const EXACT: u64 = 1 << 53;
    let whole = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
    let double = |n: f64| n.abs() < 9_007_199_254_740_992.0;
    whole.map_or_else(|| number.as_f64().is_some_and(double), |n| n <= EXACT)
}

fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        // Several numbers of the token were read as this one.
        Value::Number(number) if number.is_f64() && !is_exact(number) => None,
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(true) => Some(Cow::Borrowed("true")),
        Value::Bool(false) => Some(Cow::Borrowed("false")),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// RFC 7519 §4.1.3: `aud` is one string or an array of them, and one must be ours.
fn check_audience(provider: &Provider, claims: &Map<String, Value>) -> Result<(), VerifyError> {
    let Audiences::Only(ours) = &provider.audiences else { return Ok(()) };
    let is_ours = |aud: &str| {
        ours.iter().any(|own| match provider.entra {
            true => issuer::same_application(own, aud),
            false => own == aud,
        })
    };
    let found = match claims.get("aud") {
        None => return Err(VerifyError::ClaimMissing("aud")),
        Some(Value::String(aud)) => is_ours(aud),
        Some(Value::Array(items)) => {
            let strings: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            let strings = strings.ok_or(VerifyError::ClaimMalformed("aud"))?;
            strings.into_iter().any(is_ours)
        }
        Some(_) => return Err(VerifyError::ClaimMalformed("aud")),
    };
    if found { Ok(()) } else { Err(VerifyError::AudienceMismatch) }
}

/// The subject and the names of a token are strings (RFC 7519 §4.1.2, §4.1.7; `uti` is Entra ID's
/// `jti`): another type must not become the same text, and a list of revoked tokens names them by it.
fn check_names(claims: &Map<String, Value>) -> Result<(), VerifyError> {
    for name in ["sub", "jti", "uti"] {
        if claims.get(name).is_some_and(|value| !value.is_string()) {
            return Err(VerifyError::ClaimMalformed(name));
        }
    }
    Ok(())
}

/// An access token grants something: `scp`, `scope` or `roles` says what. An ID token does not.
fn check_use(provider: &Provider, claims: &Map<String, Value>) -> Result<(), VerifyError> {
    let grants = |name: &&str| match claims.get(*name) {
        Some(Value::String(text)) => !text.trim().is_empty(),
        Some(Value::Array(items)) => {
            items.iter().any(|item| item.as_str().is_some_and(|text| !text.trim().is_empty()))
        }
        _ => false,
    };
    match provider.token_use {
        TokenUse::Any => Ok(()),
        TokenUse::Access if ["scp", "scope", "roles"].iter().any(grants) => Ok(()),
        TokenUse::Access => Err(VerifyError::TokenUseMismatch),
    }
}
