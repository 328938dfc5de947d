//! The configured places of a token.

/// `token`.
#[derive(Clone, Debug)]
pub struct TokenRules {
    /// The places of the token in the order of the configuration; never empty.
    pub from: Vec<Place>,
    /// Whether the token is forwarded to the upstream.
    pub forward: bool,
    /// The maximum length of a token in bytes.
    pub max_bytes: usize,
}

/// A place of the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A request header.
    Header {
        /// The name in lower case.
        name: String,
        /// The text before the token; ASCII case is ignored.
        prefix: String,
    },
    /// A cookie; its name is case-sensitive (RFC 6265 §4.1.1).
    Cookie(String),
    /// A query parameter.
    Query(String),
    /// An entry of `sec-websocket-protocol` that begins with this text. Behind a prefix that begins
    /// with `base64url.`, the token is encoded in base64url once more, as in Kubernetes, because
    /// browsers cannot send another header with a WebSocket. The filter does not change the protocol
    /// that the upstream selects, so the client offers a second one for it (RFC 6455 §4.2.2).
    WebsocketProtocol(String),
    /// The entry of `sec-websocket-protocol` after this one: `bearer, <token>`.
    WebsocketProtocolAfter(String),
}

impl Place {
    /// The header of the place in lower case; `None` for the query, which is part of the path.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Header { name, .. } => Some(name),
            Self::Cookie(_) => Some(COOKIE),
            Self::Query(_) => None,
            Self::WebsocketProtocol(_) | Self::WebsocketProtocolAfter(_) => {
                Some(WEBSOCKET_PROTOCOL)
            }
        }
    }
}

pub(super) const COOKIE: &str = "cookie";
pub(super) const PATH: &str = ":path";
pub(super) const WEBSOCKET_PROTOCOL: &str = "sec-websocket-protocol";
