//! One request for a discovery document or a key set.

use std::fmt;
use std::time::Duration;

use proxy_wasm::hostcalls;
use proxy_wasm::types::Status;

use super::fetch::Fetch;
use crate::keys::answer::FetchError;
use crate::uri::HttpUri;
use crate::verify::provider::{Remote, RemoteSource};

/// The API server of Kubernetes sends only the type of key sets (RFC 7517 §8.5). Most providers send JSON, some
/// plain text.
const ACCEPT: &str = "application/jwk-set+json, application/json;q=0.9, */*;q=0.5";

/// Appears in the logs of providers.
const USER_AGENT: &str = concat!("tollgate/", env!("CARGO_PKG_VERSION"));

/// A request for a discovery document or a key set.
pub struct Asked {
    /// The provider's index.
    pub provider: usize,
    /// Whether it requests a discovery document.
    pub discovery: bool,
    uri: HttpUri,
    cluster: String,
}

impl Asked {
    /// The first request of a fetch: for the discovery document, if one is configured.
    pub fn first(fetch: &Fetch<'_>) -> Self {
        let source = &fetch.remote.source;
        Self {
            discovery: matches!(source, RemoteSource::Discovery(_)),
            ..Self::keys(fetch, source.uri().clone())
        }
    }

    /// The request for a key set.
    pub fn keys(fetch: &Fetch<'_>, uri: HttpUri) -> Self {
        let cluster = fetch.remote.cluster_of(&uri).to_owned();
        Self { provider: fetch.index, discovery: false, uri, cluster }
    }

    /// Sends the request and returns the number of the call. The SDK routes the answer to the root context.
    ///
    /// # Errors
    /// `Dispatch`, `Unreachable`.
    pub fn send(&self, timeout: Duration) -> Result<u32, FetchError> {
        let headers = vec![
            (":method", "GET"),
            (":scheme", self.uri.scheme.as_str()),
            (":authority", self.uri.authority.as_str()),
            (":path", self.uri.path.as_str()),
            ("accept", ACCEPT),
            // Without it, a server may choose any coding (RFC 9110 §12.5.3).
            ("accept-encoding", "identity"),
            ("user-agent", USER_AGENT),
        ];
        hostcalls::dispatch_http_call(&self.cluster, headers, None, vec![], timeout).map_err(
            |status| match status {
                Status::BadArgument => FetchError::Dispatch,
                // The call failed before it left: no healthy host, or an open circuit breaker.
                _ => FetchError::Unreachable,
            },
        )
    }

    /// A hint for the operator after a failure; empty if the error suffices.
    pub fn hint(&self, remote: &Remote, error: &FetchError) -> &'static str {
        let own = remote.source.uri().authority_and_port();
        if *error == FetchError::Dispatch {
            "; check that a cluster of exactly this name exists (in Istio: outbound|443||HOST, \
             which needs a ServiceEntry), that it is known before this filter loads (static, or \
             discovered by then), and that the URI has a host"
        } else if remote.keys_cluster.is_none() && self.uri.authority_and_port() != own {
            "; this jwks_uri is on another host than the discovery document: check that the \
             cluster reaches it, or name one that does in keys.remote.keys_cluster"
        } else {
            ""
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} through cluster {}", self.uri, self.cluster)
    }
}
