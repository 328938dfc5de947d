//! The reasons for which a fetch fails.

use std::fmt;

use crate::verify::json::Unreadable;
use crate::verify::keyset::KeySetError;

/// The maximum size of a body in bytes. The key sets of large providers are below 20 KiB.
pub const MAX_BODY: usize = 512 * 1024;

/// Why a fetch failed; [`FetchError::label`] is its label in metrics. Its texts come from the answer and
/// are safe and short enough for a log line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchError {
    /// The proxy refused the call, usually because the cluster does not exist.
    Dispatch,
    /// No answer: timeout, reset, refused connection, failed TLS handshake, no healthy host.
    Unreachable,
    /// A status other than 200.
    Status(u16),
    /// A redirect; redirects are not followed.
    Redirect {
        /// The status.
        status: u16,
        /// Host and path of `location`.
        to: String,
    },
    /// A body with this content coding, although the request asked for none.
    Coded(String),
    /// A body larger than [`MAX_BODY`].
    TooLarge,
    /// A body that is not a usable key set.
    KeySet(KeySetError),
    /// A body that is not a discovery document because it is not a JSON object.
    Document(Unreadable),
    /// A key set instead of a discovery document.
    KeysForDocument,
    /// A discovery document without this member of type string.
    Lacks(&'static str),
    /// The discovery document of another issuer (OpenID Connect Discovery 1.0 §4.3).
    IssuerMismatch {
        /// The issuer that it names.
        found: String,
        /// The issuers of the provider.
        known: String,
    },
    /// A discovery document whose `jwks_uri` cannot be fetched: it is relative, has another scheme, user
    /// information or a fragment, or its host is not ASCII.
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
                write!(f, "a body with the content coding {coding}, although accept-encoding was identity")
            }
            Self::TooLarge => write!(f, "a body larger than {MAX_BODY} bytes"),
            Self::KeySet(error) => write!(f, "not a usable key set: {error}"),
            Self::Document(why) => write!(f, "not a discovery document: {why}"),
            Self::KeysForDocument => f.write_str(
                "a key set in place of a discovery document; its address belongs in keys.remote.uri",
            ),
            Self::Lacks(name) => write!(f, "a discovery document without a string {name}"),
            Self::IssuerMismatch { found, known } => write!(
                f,
                "a discovery document of another issuer: it names {found}, and the provider has \
                 {known}"
            ),
            Self::KeysAddress => f.write_str(
                "a discovery document whose jwks_uri is not an absolute http(s) address",
            ),
        }
    }
}
