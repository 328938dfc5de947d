//! Checks the answer of a provider before it is used.

mod error;

use std::time::Duration;

use serde_json::Value;

pub use self::error::{FetchError, MAX_BODY};
use crate::request::headers::Headers;
use crate::uri::HttpUri;
use crate::verify::issuer;
use crate::verify::json::{self, Unreadable};
use crate::verify::keyset::{KeySet, SecretKeys, SkippedKey};
use crate::verify::provider::{Issuer, Provider};

/// The maximum length of a `jwks_uri` in bytes.
const MAX_URI: usize = 2048;

/// The maximum length of one text of an answer in a log line, in bytes.
const MAX_SHOWN: usize = 256;

/// Checks that an answer is complete, small, without content coding and 200, before its body is read
/// from the host. An answer that never arrived has no headers.
///
/// # Errors
/// `Unreachable`, `Status`, `Redirect`, `Coded`, `TooLarge`.
pub fn check_head(headers: &Headers, body_size: usize) -> Result<(), FetchError> {
    let status = headers.value(":status").ok_or(FetchError::Unreachable)?;
    let status = std::str::from_utf8(status).ok().and_then(|status| status.parse().ok());
    match status {
        Some(200) => match headers.all("content-encoding").find(|coding| !is_identity(coding)) {
            Some(coding) => Err(FetchError::Coded(shown(coding, MAX_SHOWN))),
            None if body_size > MAX_BODY => Err(FetchError::TooLarge),
            None => Ok(()),
        },
        Some(status @ 300..400) => match headers.value("location") {
            Some(location) => Err(FetchError::Redirect { status, to: place(location) }),
            None => Err(FetchError::Status(status)),
        },
        Some(other) => Err(FetchError::Status(other)),
        None => Err(FetchError::Unreachable),
    }
}

fn is_identity(coding: &[u8]) -> bool {
    let coding = coding.trim_ascii();
    coding.is_empty() || coding.eq_ignore_ascii_case(b"identity")
}

/// Host and path of a `location`. User information, query and fragment are left out because they may
/// contain a secret.
fn place(location: &[u8]) -> String {
    let end = location.iter().position(|byte| matches!(byte, b'?' | b'#'));
    let location = location.get(..end.unwrap_or(location.len())).unwrap_or_default();
    // `//` before any other slash begins an authority.
    let slash = location.iter().position(|byte| *byte == b'/').unwrap_or(location.len());
    let from_slash = location.get(slash..).unwrap_or_default();
    let Some(rest) = from_slash.strip_prefix(b"//") else { return shown(location, MAX_SHOWN) };
    let path = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(path).unwrap_or_default();
    let host = authority.rsplit(|byte| *byte == b'@').next().unwrap_or_default();
    shown(&[host, path].concat(), MAX_SHOWN)
}

/// A text of an answer, safe and short enough for a log line.
fn shown(text: &[u8], most: usize) -> String {
    let safe = |byte: &u8| if matches!(byte, 0x20..0x7f) { char::from(*byte) } else { '?' };
    let mut shown: String = text.iter().take(most).map(safe).collect();
    if text.len() > most {
        shown.push_str("...");
    }
    shown
}

/// The beginnings of Envoy's own replies when the provider does not answer. Their status is 503 or
/// 504, as if the provider had sent it (`source/common/router/router.cc`).
const PROXY_SAYS: [&[u8]; 4] =
    [b"upstream connect error", b"upstream request timeout", b"no healthy upstream", b"no cluster"];

/// The maximum length of such a reply in a log line, in bytes. It ends with the reason of a failed TLS
/// handshake.
const MAX_WORDS: usize = 320;

/// The proxy's own reply when the provider did not answer, safe for a log line; `None` if the provider
/// sent the body.
pub fn words_of_proxy(status: u16, body: &[u8]) -> Option<String> {
    let own = matches!(status, 503 | 504) && PROXY_SAYS.iter().any(|words| body.starts_with(words));
    let body = body.get(..MAX_WORDS).unwrap_or(body);
    own.then(|| shown(body, MAX_WORDS))
}

/// Parses a fetched key set. `oct` keys from the network are never accepted.
///
/// # Errors
/// `KeySet`.
pub fn key_set(body: &[u8]) -> Result<(KeySet, Vec<SkippedKey>), FetchError> {
    KeySet::parse(body, SecretKeys::Refuse).map_err(FetchError::KeySet)
}

/// Finds the address of the key set in a discovery document, which is read as strictly as a token.
/// The document must name an issuer of the provider: as written in the configuration (Microsoft's
/// common document also contains `{tenantid}`), or one whose tokens are accepted.
///
/// # Errors
/// `Document`, `KeysForDocument`, `Lacks`, `IssuerMismatch`, `KeysAddress`.
pub fn jwks_uri(body: &[u8], provider: &Provider) -> Result<HttpUri, FetchError> {
    let document =
        json::parse_object(body).ok_or_else(|| FetchError::Document(Unreadable::of(body)))?;
    let text = |name| document.get(name).and_then(Value::as_str).ok_or(FetchError::Lacks(name));
    if document.contains_key("keys") && !document.contains_key("issuer") {
        return Err(FetchError::KeysForDocument);
    }
    let iss = text("issuer")?;
    let accepted = || issuer::find(provider, iss).is_some_and(|matched| matched.tenant_admitted);
    if !provider.issuers.iter().map(Issuer::text).any(|known| known == iss) && !accepted() {
        let known: Vec<String> = provider.issuers.iter().map(Issuer::text).collect();
        return Err(FetchError::IssuerMismatch {
            found: shown(iss.as_bytes(), MAX_SHOWN),
            known: shown(known.join(", ").as_bytes(), MAX_SHOWN),
        });
    }
    let uri = Some(text("jwks_uri")?).filter(|uri| uri.len() <= MAX_URI);
    uri.and_then(HttpUri::parse).ok_or(FetchError::KeysAddress)
}

/// `Cache-Control: max-age` (RFC 9111 §5.2.2.1).
pub fn max_age(headers: &Headers) -> Option<Duration> {
    headers.all("cache-control").find_map(|value| {
        std::str::from_utf8(value).ok()?.split(',').find_map(|directive| {
            let (name, seconds) = directive.trim().split_once('=')?;
            let seconds = seconds.trim_matches('"').parse().ok()?;
            name.eq_ignore_ascii_case("max-age").then_some(Duration::from_secs(seconds))
        })
    })
}
