//! Checks of the payload after the signature: audience, names, kind of token.

use serde_json::{Map, Value};

use super::error::VerifyError;
use super::issuer;
use super::provider::{Audiences, Provider, TokenUse};

/// `aud` is a string or an array of strings, and one of them must be an audience of the provider
/// (RFC 7519 §4.1.3).
pub(super) fn audience(
    provider: &Provider,
    claims: &Map<String, Value>,
) -> Result<(), VerifyError> {
    let Audiences::Only(ours) = &provider.audiences else { return Ok(()) };
    let is_ours = |aud: &str| match provider.entra {
        true => issuer::names_application(ours, aud),
        false => ours.has(aud),
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

/// The subject and the token identifiers are strings (RFC 7519 §4.1.2, §4.1.7; `uti` is Entra ID's
/// `jti`). Another type could print as the same text as a string, and lists of revoked tokens name
/// tokens by that text.
pub(super) fn names(claims: &Map<String, Value>) -> Result<(), VerifyError> {
    for name in ["sub", "jti", "uti"] {
        if claims.get(name).is_some_and(|value| !value.is_string()) {
            return Err(VerifyError::ClaimMalformed(name));
        }
    }
    Ok(())
}

/// An access token has `scp`, `scope` or `roles`; an ID token has none of them.
pub(super) fn token_use(
    provider: &Provider,
    claims: &Map<String, Value>,
) -> Result<(), VerifyError> {
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
