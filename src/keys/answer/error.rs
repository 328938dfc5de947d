//! Why fetches bring nothing.

use std::fmt;

use super::MAX_BODY;
use crate::verify::json::Unreadable;
use crate::verify::keyset::KeySetError;

/// Why a fetch brought nothing; [`FetchError::label`] is its word in metrics. The texts in it come
/// from the answer and are safe and short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchError {
    /// The proxy refused the call as such: no such cluster, as a rule.
    Dispatch,
    /// No answer: timeout, reset, refused connection, failed TLS handshake, no healthy host.
    Unreachable,
    /// Another status than 200.
    Status(u16),
    /// A redirect, which is not followed.
    Redirect {
        /// The status.
        status: u16,
        /// Host and path of `location`.
        to: String,
    },
    /// A body under a content coding, although none was asked for; its name.
    Coded(String),
    /// A body over [`MAX_BODY`].
    TooLarge,
    /// A body that is no key set to verify with.
    KeySet(KeySetError),
    /// A body that is no discovery document, because it is no JSON object.
    Document(Unreadable),
    /// A key set where a discovery document was asked for.
    KeysForDocument,
    /// A discovery document without this text member.
    Lacks(&'static str),
    /// A discovery document of another issuer (OpenID Connect Discovery 1.0 §4.3).
    IssuerMismatch {
        /// The issuer that it names.
        found: String,
        /// The issuers of the provider.
        known: String,
    },
    /// A discovery document whose `jwks_uri` cannot be fetched: it is relative, of another scheme, or
    /// has user information, a fragment or a host beyond ASCII.
    KeysAddress,
}

impl FetchError {
    /// The value of the label `result` of `tollgate_jwks_fetch`.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Dispatch => "dispatch",
            Self::Unreachable => "unreachable",
            Self::Status(_) | Self::Redirect { .. } => "status",
            Self::TooLarge => "too_large",
            Self::KeySet(KeySetError::NoUsableKey(_)) => "no_usable_key",
            Self::KeySet(_) | Self::Coded(_) | Self::Document(_) => "malformed",
            Self::KeysForDocument | Self::Lacks(_) | Self::KeysAddress => "malformed",
            Self::IssuerMismatch { .. } => "issuer_mismatch",
        }
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dispatch => f.write_str("the proxy refused the call"),
            Self::Unreachable => f.write_str("no answer"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::Redirect { status, to } => {
                write!(f, "status {status}, a redirect to {to}, which is not followed")
            }
            Self::Coded(coding) => {
                write!(f, "a body coded by {coding}, although accept-encoding was identity")
            }
            Self::TooLarge => write!(f, "a body over {MAX_BODY} bytes"),
            Self::KeySet(error) => write!(f, "not a key set to verify with: {error}"),
            Self::Document(why) => write!(f, "not a discovery document: {why}"),
            Self::KeysForDocument => f.write_str(
                "a key set in place of a discovery document; its address belongs in keys.remote.uri",
            ),
            Self::Lacks(name) => write!(f, "a discovery document without a text {name}"),
            Self::IssuerMismatch { found, known } => write!(
                f,
                "a discovery document of another issuer: it names {found}, and the provider has \
                 {known}"
            ),
            Self::KeysAddress => f.write_str(
                "a discovery document whose jwks_uri is no absolute http(s) address",
            ),
        }
    }
}
