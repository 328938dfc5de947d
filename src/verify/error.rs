//! Why tokens are refused.

use std::fmt;

use crate::reason::Reason;

/// Why a token was refused. Holds names of members, never their values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifyError {
    /// Longer than `token.max_bytes`.
    TooLarge,
    /// Not three parts, or an empty one (RFC 7515 §7.1).
    Shape,
    /// A part is not canonical, unpadded base64url (RFC 7515 §2).
    Encoding,
    /// The header is not one JSON object with unique members.
    HeaderJson,
    /// A header member is of the wrong type, or `alg` is absent.
    HeaderMember(&'static str),
    /// The header has `enc`: a JWE.
    Encrypted,
    /// The header has `zip`.
    Compressed,
    /// The header has `cty: JWT`: a token in a token.
    Nested,
    /// The payload is not one JSON object with unique members.
    PayloadJson,
    /// The header has `crit`, or a `b64` that is not true.
    CritUnsupported,
    /// `typ` is not one of the provider's.
    TypeNotAllowed,
    /// `alg` is unknown, not the provider's, not the key's, or beyond the engine.
    AlgorithmNotAllowed,
    /// `iss` is no provider's, not an admitted one's, or not the key's.
    IssuerNotAllowed,
    /// The provider has no key set at the moment.
    KeysUnavailable,
    /// The provider has a key set, and no key in it is named or fits.
    KeyUnknown,
    /// No candidate key verifies the signature.
    SignatureInvalid,
    /// The tenant is not one of the provider's, or `tid` is another than in `iss`.
    TenantNotAllowed,
    /// `aud` names none of the provider's audiences.
    AudienceMismatch,
    /// A claim that is required is absent.
    ClaimMissing(&'static str),
    /// A claim that is judged has the wrong type or shape.
    ClaimMalformed(&'static str),
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
}

impl VerifyError {
    /// The word of the contract for it.
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
            Self::KeyUnknown => Reason::KeyUnknown,
            Self::SignatureInvalid => Reason::SignatureInvalid,
            Self::TenantNotAllowed => Reason::TenantNotAllowed,
            Self::AudienceMismatch => Reason::AudienceMismatch,
            Self::ClaimMissing(_) => Reason::ClaimMissing,
            Self::ClaimMalformed(_) => Reason::ClaimMalformed,
            Self::Expired => Reason::Expired,
            Self::NotYetValid => Reason::NotYetValid,
            Self::IssuedInFuture => Reason::IssuedInFuture,
            Self::LifetimeTooLong => Reason::LifetimeTooLong,
            Self::TokenUseMismatch => Reason::TokenUseMismatch,
        }
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason().as_str())?;
        match self {
            Self::HeaderMember(name) | Self::ClaimMissing(name) | Self::ClaimMalformed(name) => {
                write!(f, " ({name})")
            }
            _ => Ok(()),
        }
    }
}

impl std::error::Error for VerifyError {}

#[cfg(test)]
mod tests {
    use super::VerifyError;

    #[test]
    fn an_error_is_its_reason_and_the_member_that_it_is_about() {
        for (error, text) in [
            (VerifyError::Expired, "expired"),
            (VerifyError::HeaderMember("alg"), "token_malformed (alg)"),
            (VerifyError::ClaimMissing("tid"), "claim_missing (tid)"),
            (VerifyError::ClaimMalformed("exp"), "claim_malformed (exp)"),
        ] {
            assert_eq!(error.to_string(), text);
        }
    }
}
