//! Matches `iss` to a provider and its tenants, with Microsoft's rules for multi-tenant keys.

use super::error::VerifyError;
use super::json::Document;
use super::jwk::Key;
use super::provider::{Issuer, Provider, Tenants};
use crate::bytes::equal;
use crate::lookup::Texts;

/// The maximum length of a tenant in bytes: a GUID has 36, a domain name at most 253.
const MAX_TENANT: usize = 253;

/// An `iss` that matches an issuer of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssuerMatch<'a> {
    /// The claim itself.
    pub iss: &'a str,
    /// The tenant, if the issuer is a template.
    pub tenant: Option<&'a str>,
    /// Whether the provider admits the tenant; true without a tenant.
    pub tenant_admitted: bool,
}

/// Matches `iss` to the provider's issuers; a match with an admitted tenant takes precedence.
pub fn find<'a>(provider: &Provider, iss: &'a str) -> Option<IssuerMatch<'a>> {
    let mut second = None;
    for issuer in &provider.issuers {
        let tenant = match issuer {
            Issuer::Exact(exact) if equal(exact.as_bytes(), iss.as_bytes()) => None,
            Issuer::Exact(_) => continue,
            Issuer::Tenanted { prefix, suffix } => match tenant(iss, prefix, suffix) {
                None => continue,
                tenant => tenant,
            },
        };
        let tenant_admitted = tenant.is_none_or(|tenant| admits(&provider.tenants, tenant));
        let matched = IssuerMatch { iss, tenant, tenant_admitted };
        if tenant_admitted {
            return Some(matched);
        }
        second = second.or(Some(matched));
    }
    second
}

/// Whether a key may sign for this issuer. A key of Entra ID may name its issuer; such a key signs
/// for no other tenant or cloud, whatever its `kid`.
///
/// Microsoft's common key set names only the v2.0 issuer, but its keys also sign v1.0 tokens.
/// Therefore the key's issuer, with the tenant of the token, may also equal another of the
/// provider's `issuers` for the same tenant, as in Microsoft's own validator
/// (`AadIssuerValidator`).
pub fn signs_for(provider: &Provider, key: &Key, matched: &IssuerMatch<'_>) -> bool {
    let Some(issuer) = key.issuer().filter(|_| provider.entra) else { return true };
    if issuer == matched.iss {
        return true;
    }
    let Some(own) = tenant_part(matched) else { return false };
    let issuer = issuer.replacen(Issuer::TENANT, own, 1);
    issuer == matched.iss
        || provider.issuers.iter().any(|form| match form {
            Issuer::Exact(exact) => *exact == issuer && guid_in(exact) == Some(own),
            Issuer::Tenanted { prefix, suffix } => tenant(&issuer, prefix, suffix) == Some(own),
        })
}

/// Checks the tenant of verified claims.
///
/// # Errors
/// `TenantNotAllowed`; `ClaimMissing` and `ClaimMalformed` for `tid`.
pub fn check(
    provider: &Provider,
    matched: &IssuerMatch<'_>,
    claims: &Document,
) -> Result<(), VerifyError> {
    if !matched.tenant_admitted {
        return Err(VerifyError::TenantNotAllowed);
    }
    if !provider.entra {
        return Ok(());
    }
    let tid = claims.get("tid").ok_or(VerifyError::ClaimMissing("tid"))?;
    let tid = tid.as_str().filter(|tid| is_guid(tid));
    let tid = tid.ok_or(VerifyError::ClaimMalformed("tid"))?;
    match tenant_part(matched) {
        Some(tenant) if !tenant.eq_ignore_ascii_case(tid) => Err(VerifyError::TenantNotAllowed),
        _ => Ok(()),
    }
}

/// Whether an audience of Entra ID names one of the configured applications: it is in the list, or the list
/// has the same GUID, with or without `api://`.
pub fn names_application(configured: &Texts, aud: &str) -> bool {
    const SCHEME: &str = "api://";
    let bare = aud.strip_prefix(SCHEME).unwrap_or(aud);
    let other_form = || configured.has(bare) || configured.has(&[SCHEME, bare].concat());
    configured.has(aud) || (is_guid(bare) && other_form())
}

/// Whether `text` is a GUID of the form 8-4-4-4-12 hexadecimal digits (RFC 9562 §4).
pub fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// The tenant of an issuer: the part that the template leaves open, or the GUID in an exact issuer.
fn tenant_part<'a>(matched: &IssuerMatch<'a>) -> Option<&'a str> {
    matched.tenant.or_else(|| guid_in(matched.iss))
}

/// The GUID in an issuer without a template.
fn guid_in(issuer: &str) -> Option<&str> {
    issuer.split('/').find(|segment| is_guid(segment))
}

/// The text between `prefix` and `suffix`: one path segment, not empty.
fn tenant<'a>(iss: &'a str, prefix: &str, suffix: &str) -> Option<&'a str> {
    let tenant = iss.strip_prefix(prefix)?.strip_suffix(suffix)?;
    (!tenant.is_empty() && tenant.len() <= MAX_TENANT && !tenant.contains('/')).then_some(tenant)
}

fn admits(tenants: &Tenants, tenant: &str) -> bool {
    match tenants {
        Tenants::None => false,
        Tenants::Any => true,
        Tenants::Only(admitted) => admitted.has_in_any_case(tenant),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_exactly_one_segment() {
        for (iss, expected) in [
            ("https://i/t/v2.0", Some("t")),
            ("https://i//v2.0", None),
            ("https://i/v2.0", None),
            ("https://i/a/b/v2.0", None),
            ("https://i/t/v2.0/", None),
            ("https://i/t/V2.0", None),
            ("HTTPS://i/t/v2.0", None),
            ("x https://i/t/v2.0", None),
            ("https://i/../v2.0", Some("..")),
        ] {
            assert_eq!(tenant(iss, "https://i/", "/v2.0"), expected, "{iss}");
        }
        let long = "t".repeat(MAX_TENANT + 1);
        assert_eq!(tenant(&long, "", ""), None);
        // Prefix and suffix may not share characters of the issuer.
        assert_eq!(tenant("https://i/", "https://i/", "/"), None);
    }

    #[test]
    fn audiences_of_one_application_are_the_same() {
        const GUID: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
        let uri = format!("api://{GUID}");
        for (configured, aud, same) in [
            (GUID, GUID, true),
            (GUID, uri.as_str(), true),
            (uri.as_str(), GUID, true),
            ("api://scoring", "api://scoring", true),
            ("api://scoring", "scoring", false),
            ("scoring", "api://scoring", false),
            (GUID, "api://api://72f988bf-86f1-41af-91ab-2d7cd011db47", false),
            (GUID, "72f988bf-86f1-41af-91ab-2d7cd011db48", false),
        ] {
            let configured = Texts::from(vec![configured.to_owned()]);
            assert_eq!(names_application(&configured, aud), same, "{configured:?} {aud}");
        }
    }

    #[test]
    fn only_the_usual_form_is_a_guid() {
        assert!(is_guid("72F988bf-86f1-41af-91ab-2d7cd011db47"));
        for text in [
            "",
            "72f988bf86f141af91ab2d7cd011db47",
            "72f988bf-86f1-41af-91ab-2d7cd011db4",
            "72f988bf-86f1-41af-91ab-2d7cd011db4g",
            "{2f988bf-86f1-41af-91ab-2d7cd011db47",
            "72f988bf-86f1-41af-91ab_2d7cd011db47",
        ] {
            assert!(!is_guid(text), "{text}");
        }
    }
}
