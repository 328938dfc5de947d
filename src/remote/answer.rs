//! Judging what a provider answered, before any of it is believed.

use serde_json::Value;

use crate::headers::Headers;
use crate::provider::{Issuer, Provider};
use crate::uri::HttpUri;
use crate::verify::issuer;
use crate::verify::keyset::{KeySet, KeySetError, SecretKeys, SkippedKey};

/// The largest body that is looked at, bytes. The key sets of large providers are below 20 KiB.
pub const MAX_BODY: usize = 512 * 1024;

/// Why a fetch brought nothing; [`FetchError::label`] is its word in metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchError {
    /// The proxy refused the call as such: no such cluster, as a rule.
    Dispatch,
    /// No answer: timeout, reset, refused connection, failed TLS handshake, no healthy host.
    Unreachable,
    /// Another status than 200.
    Status(u16),
    /// A body over [`MAX_BODY`].
    TooLarge,
    /// A body that is no JSON of the expected shape.
    Malformed,
    /// A key set without a key that the provider's configuration could use.
    NoUsableKey,
    /// A discovery document of another issuer (OpenID Connect Discovery 1.0 §4.3).
    IssuerMismatch,
}

impl FetchError {
    /// The value of the label `result` of `tollgate_jwks_fetch`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Dispatch => "dispatch",
            Self::Unreachable => "unreachable",
            Self::Status(_) => "status",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::NoUsableKey => "no_usable_key",
            Self::IssuerMismatch => "issuer_mismatch",
        }
    }
}

impl std::fmt::Display for FetchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dispatch => f.write_str("the proxy refused the call"),
            Self::Unreachable => f.write_str("no answer"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::TooLarge => write!(f, "a body over {MAX_BODY} bytes"),
            Self::Malformed => f.write_str("a body that is not the expected JSON"),
            Self::NoUsableKey => f.write_str("a key set without a usable key"),
            Self::IssuerMismatch => f.write_str("a discovery document of another issuer"),
        }
    }
}

/// Checks that an answer is complete, small and 200 before its body is fetched from the host. An
/// answer that never came has no headers.
///
/// # Errors
/// `Unreachable`, `Status`, `TooLarge`.
pub fn check_head(headers: &Headers, body_size: usize) -> Result<(), FetchError> {
    let status = headers.value(":status").ok_or(FetchError::Unreachable)?;
    let status = std::str::from_utf8(status).ok().and_then(|status| status.parse().ok());
    match status {
        Some(200) if body_size > MAX_BODY => Err(FetchError::TooLarge),
        Some(200) => Ok(()),
        Some(other) => Err(FetchError::Status(other)),
        None => Err(FetchError::Unreachable),
    }
}

/// How Envoy begins what it says in place of an answer that did not come; the status is 503 or 504
/// then, as if the provider had sent it (`source/common/router/router.cc`).
const PROXY_SAYS: [&[u8]; 4] =
    [b"upstream connect error", b"upstream request timeout", b"no healthy upstream", b"no cluster"];

/// What of the proxy's words is told: they end with the reason of a failed TLS handshake.
const MAX_WORDS: usize = 320;

/// The proxy's own words about an answer that did not come, made safe for a log line; `None` where
/// the provider sent the body.
pub fn words_of_proxy(status: u16, body: &[u8]) -> Option<String> {
    let own = matches!(status, 503 | 504) && PROXY_SAYS.iter().any(|words| body.starts_with(words));
    let safe = |byte: &u8| if matches!(byte, 0x20..0x7f) { char::from(*byte) } else { '?' };
    own.then(|| body.iter().take(MAX_WORDS).map(safe).collect())
}

/// Parses a fetched key set. `oct` keys are never taken from the network.
///
/// # Errors
/// `Malformed`, `NoUsableKey`.
pub fn key_set(body: &[u8]) -> Result<(KeySet, Vec<SkippedKey>), FetchError> {
    KeySet::parse(body, SecretKeys::Refuse).map_err(|error| match error {
        KeySetError::NoUsableKey(_) => FetchError::NoUsableKey,
        _ => FetchError::Malformed,
    })
}

/// Finds the key set's address in a discovery document. It must be the provider's: of an issuer as
/// it stands in the configuration (Microsoft's common document has `{tenantid}` too), or of one
/// whose tokens are accepted.
///
/// # Errors
/// `Malformed`, `IssuerMismatch`.
pub fn jwks_uri(body: &[u8], provider: &Provider) -> Result<HttpUri, FetchError> {
    let document: Value = serde_json::from_slice(body).map_err(|_| FetchError::Malformed)?;
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    let iss = text("issuer").ok_or(FetchError::Malformed)?;
    let accepted = || issuer::find(provider, iss).is_some_and(|matched| matched.tenant_admitted);
    if !provider.issuers.iter().map(Issuer::text).any(|known| known == iss) && !accepted() {
        return Err(FetchError::IssuerMismatch);
    }
    text("jwks_uri").and_then(HttpUri::parse).ok_or(FetchError::Malformed)
}

/// The seconds of `Cache-Control: max-age` (RFC 9111 §5.2.2.1).
pub fn max_age(headers: &Headers) -> Option<u64> {
    headers.all("cache-control").find_map(|value| {
        std::str::from_utf8(value).ok()?.split(',').find_map(|directive| {
            let (name, seconds) = directive.trim().split_once('=')?;
            let seconds = seconds.trim_matches('"').parse().ok()?;
            name.eq_ignore_ascii_case("max-age").then_some(seconds)
        })
    })
}
