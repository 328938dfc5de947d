//! Why tokens are refused.

use std::borrow::Cow;
use std::fmt;

use crate::reason::Reason;
use crate::verify::jwk::KeyError;
use crate::verify::provider::Provider;

/// Why a token is refused. It holds the names of members, never their values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VerifyError {
    /// Longer than `token.max_bytes`.
    TooLarge,
    /// Not three parts, or an empty part (RFC 7515 §7.1).
    Shape,
    /// A part is not canonical, unpadded base64url (RFC 7515 §2).
    Encoding,
    /// The header is not one JSON object with unique members.
    HeaderJson,
    /// A header member has the wrong type, or `alg` is absent.
    HeaderMember(&'static str),
    /// The header has `enc`: the token is a JWE.
    Encrypted,
    /// The header has `zip`.
    Compressed,
    /// The header has `cty: JWT`: the payload is another token.
    Nested,
    /// The payload is not one JSON object with unique members.
    PayloadJson,
    /// The header has `crit`, or a `b64` that is not true.
    CritUnsupported,
    /// `typ` is not one of the provider's.
    TypeNotAllowed,
    /// The provider, the key or the engine does not allow `alg`, or it is unknown.
    AlgorithmNotAllowed,
    /// `iss` is not an issuer of an admitted provider, or not the issuer of the key.
    IssuerNotAllowed,
    /// The provider has no key set at the moment.
    KeysUnavailable,
    /// No key of the provider's set has the token's `kid`, or fits the token.
    KeyUnknown,
    /// The key that the token names is in the set, but was skipped for this reason.
    KeySkipped(KeyError),
    /// More keys may have signed the token than one request tries.
    TooManyKeys,
    /// No candidate key verifies the signature.
    SignatureInvalid,
    /// The provider does not admit the tenant, or `tid` differs from the tenant in `iss`.
    TenantNotAllowed,
    /// `aud` contains none of the provider's audiences.
    AudienceMismatch,
    /// A required claim is absent.
    ClaimMissing(&'static str),
    /// A claim has the wrong type or form.
    ClaimMalformed(&'static str),
    /// A date is after the year 9999; it may be in milliseconds.
    DateTooFar(&'static str),
    /// `now >= exp + skew` (RFC 7519 §4.1.4).
    Expired,
    /// `now + skew < nbf` (RFC 7519 §4.1.5).
    NotYetValid,
    /// `now + skew < iat`.
    IssuedInFuture,
    /// `exp - iat` is more than `max_lifetime`.
    LifetimeTooLong,
    /// Not an access token.
    TokenUseMismatch,
    /// No template of the provider's `identity` has a value; or the first one that has a value, at
    /// this index, has an empty part.
    Unidentified(Option<usize>),
    /// The token is bound to another client certificate (RFC 8705 §3).
    BindingMismatch,
}

impl VerifyError {
    /// The reason that responses, logs and metrics use (docs/runbook.md).
    pub const fn reason(self) -> Reason {
        match self {
            Self::TooLarge => Reason::TokenTooLarge,
            Self::Shape | Self::Encoding | Self::HeaderJson | Self::HeaderMember(_) => {
                Reason::TokenMalformed
            }
            Self::Encrypted | Self::Compressed | Self::Nested | Self::PayloadJson => {
                Reason::TokenMalformed
            }
            Self::CritUnsupported => Reason::CritUnsupported,
            Self::TypeNotAllowed => Reason::TypeNotAllowed,
            Self::AlgorithmNotAllowed => Reason::AlgorithmNotAllowed,
            Self::IssuerNotAllowed => Reason::IssuerNotAllowed,
            Self::KeysUnavailable => Reason::KeysUnavailable,
            Self::KeyUnknown | Self::KeySkipped(_) | Self::TooManyKeys => Reason::KeyUnknown,
            Self::SignatureInvalid => Reason::SignatureInvalid,
            Self::TenantNotAllowed => Reason::TenantNotAllowed,
            Self::AudienceMismatch => Reason::AudienceMismatch,
            Self::ClaimMissing(_) | Self::Unidentified(_) => Reason::ClaimMissing,
            Self::ClaimMalformed(_) | Self::DateTooFar(_) => Reason::ClaimMalformed,
            Self::Expired => Reason::Expired,
            Self::NotYetValid => Reason::NotYetValid,
            Self::IssuedInFuture => Reason::IssuedInFuture,
            Self::LifetimeTooLong => Reason::LifetimeTooLong,
            Self::TokenUseMismatch => Reason::TokenUseMismatch,
            Self::BindingMismatch => Reason::BindingMismatch,
        }
    }

    /// The check that the token failed.
    pub fn stage(self) -> Stage {
        match self {
            Self::TooLarge | Self::Shape | Self::Encoding => Stage::Token,
            Self::HeaderJson | Self::HeaderMember(_) | Self::Encrypted => Stage::Header,
            Self::Compressed | Self::Nested | Self::CritUnsupported => Stage::Header,
            Self::TypeNotAllowed | Self::AlgorithmNotAllowed => Stage::Header,
            Self::PayloadJson => Stage::Payload,
            Self::IssuerNotAllowed => Stage::Issuer,
            Self::KeysUnavailable | Self::KeyUnknown => Stage::Keys,
            Self::KeySkipped(_) | Self::TooManyKeys => Stage::Keys,
            Self::SignatureInvalid => Stage::Signature,
            Self::TenantNotAllowed => Stage::Tenant,
            Self::AudienceMismatch => Stage::Audience,
            Self::ClaimMissing(name) | Self::ClaimMalformed(name) => match name {
                "iss" => Stage::Issuer,
                "tid" => Stage::Tenant,
                "aud" => Stage::Audience,
                "exp" | "nbf" | "iat" => Stage::Times,
                "cnf" | "cnf.x5t#S256" => Stage::Binding,
                _ => Stage::Members,
            },
            Self::DateTooFar(_) | Self::Expired | Self::NotYetValid => Stage::Times,
            Self::IssuedInFuture | Self::LifetimeTooLong => Stage::Times,
            Self::TokenUseMismatch => Stage::Use,
            Self::Unidentified(_) => Stage::Identity,
            Self::BindingMismatch => Stage::Binding,
        }
    }

    /// Whether a new key set may change the verdict.
    pub const fn lacks_keys(self) -> bool {
        matches!(self, Self::KeysUnavailable | Self::KeyUnknown)
    }

    /// Details that the reason leaves open: the claim, the header member, the templates of the
    /// provider's `identity`, or why no key was tried.
    pub fn detail(self, provider: Option<&Provider>) -> Option<Cow<'static, str>> {
        match self {
            Self::HeaderMember(name) | Self::ClaimMissing(name) | Self::ClaimMalformed(name) => {
                Some(name.into())
            }
            Self::DateTooFar(name) => Some(format!("{name} is beyond 9999: milliseconds?").into()),
            Self::KeySkipped(why) => Some(format!("its key was skipped: {why}").into()),
            Self::TooManyKeys => Some("too many candidates".into()),
            Self::Unidentified(which) => {
                let templates = provider?.identity.iter().enumerate();
                let wanted = templates.filter(|(index, _)| which.is_none_or(|one| one == *index));
                let texts: Vec<&str> = wanted.map(|(_, template)| template.text()).collect();
                Some(texts.join(", ").into())
            }
            _ => None,
        }
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason().as_str())?;
        match self.detail(None) {
            Some(detail) => write!(f, " ({detail})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for VerifyError {}

/// One check. A later one compares greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Its size and its three parts.
    Token,
    /// Its header.
    Header,
    /// The JSON of its payload.
    Payload,
    /// `iss`.
    Issuer,
    /// The keys that may have signed it.
    Keys,
    /// The signature.
    Signature,
    /// The tenant.
    Tenant,
    /// `aud`.
    Audience,
    /// `exp`, `nbf`, `iat`.
    Times,
    /// Claims whose type is fixed.
    Members,
    /// Whether it is an access token.
    Use,
    /// The identity of the caller.
    Identity,
    /// The client certificate that it is bound to.
    Binding,
}

#[cfg(test)]
mod tests {
    use super::{KeyError, VerifyError};

    #[test]
    fn an_error_is_its_reason_and_the_member_that_it_is_about() {
        for (error, text) in [
            (VerifyError::Expired, "expired"),
            (VerifyError::HeaderMember("alg"), "token_malformed (alg)"),
            (VerifyError::ClaimMissing("tid"), "claim_missing (tid)"),
            (VerifyError::ClaimMalformed("exp"), "claim_malformed (exp)"),
            (VerifyError::DateTooFar("exp"), "claim_malformed (exp is beyond 9999: milliseconds?)"),
            (
                VerifyError::KeySkipped(KeyError::RsaTooLong),
                "key_unknown (its key was skipped: an RSA modulus of more than 4096 bits)",
            ),
            (VerifyError::TooManyKeys, "key_unknown (too many candidates)"),
            (VerifyError::Unidentified(None), "claim_missing"),
        ] {
            assert_eq!(error.to_string(), text);
        }
    }
}
