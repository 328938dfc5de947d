//! Checks of the payload after the signature: audience, names, kind of token.

use super::error::VerifyError;
use super::issuer;
use super::json::{Document, Json};
use super::provider::{Audiences, Provider, TokenUse};

/// `aud` is a string or an array of strings, and one of them must be an audience of the provider
/// (RFC 7519 §4.1.3).
pub(super) fn audience(provider: &Provider, claims: &Document) -> Result<(), VerifyError> {
    let Audiences::Only(ours) = &provider.audiences else { return Ok(()) };
    let is_ours = |aud: &str| match provider.entra {
        true => issuer::names_application(ours, aud),
        false => ours.has(aud),
    };
    let aud = claims.get("aud").ok_or(VerifyError::ClaimMissing("aud"))?;
    let found = match (aud.as_str(), aud.items()) {
        (Some(aud), _) => is_ours(aud),
        (None, Some(items)) => {
            let strings: Option<Vec<&str>> = items.map(Json::as_str).collect();
            let strings = strings.ok_or(VerifyError::ClaimMalformed("aud"))?;
            strings.into_iter().any(is_ours)
        }
        (None, None) => return Err(VerifyError::ClaimMalformed("aud")),
    };
    if found { Ok(()) } else { Err(VerifyError::AudienceMismatch) }
}

/// The subject and the token identifiers are strings (RFC 7519 §4.1.2, §4.1.7; `uti` is Entra ID's
/// `jti`). Another type could print as the same text as a string, and lists of revoked tokens name
/// tokens by that text.
pub(super) fn names(claims: &Document) -> Result<(), VerifyError> {
    for name in ["sub", "jti", "uti"] {
        if claims.get(name).is_some_and(|value| value.as_str().is_none()) {
            return Err(VerifyError::ClaimMalformed(name));
        }
    }
    Ok(())
}

/// An access token has `scp`, `scope` or `roles`; an ID token has none of them.
pub(super) fn token_use(provider: &Provider, claims: &Document) -> Result<(), VerifyError> {
    let is_name = |value: Json<'_>| value.as_str().is_some_and(|text| !text.trim().is_empty());
    let grants = |name: &&str| {
        let claim = claims.get(name);
        claim.is_some_and(|value| {
            is_name(value) || value.items().is_some_and(|mut items| items.any(is_name))
        })
    };
    match provider.token_use {
        TokenUse::Any => Ok(()),
        TokenUse::Access if ["scp", "scope", "roles"].iter().any(grants) => Ok(()),
        TokenUse::Access => Err(VerifyError::TokenUseMismatch),
    }
}
