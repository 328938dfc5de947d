//! `token` as written.

use super::record::record;
use super::units::Size;

record! {
    /// Where the filter looks for tokens.
    RawToken [
        /// The locations of a token. A request with two different tokens is refused
        /// (`token_multiple`). Default: the authorization header with the prefix `Bearer `.
        from: Vec<RawFrom> {
            "minItems": 1,
            "examples": [
                [{"header": "authorization", "prefix": "Bearer "}, {"cookie": "access_token"}],
            ],
        },
        /// Whether the token is forwarded to the upstream. If false, it is removed from every
        /// location where it was found.
        forward: bool { "default": true, "examples": [false] },
        /// The maximum length of a token; longer tokens are refused (`token_too_large`).
        max_bytes: Size { "default": "16KiB", "bounds": "256 to 65536", "examples": ["8KiB"] },
    ]
}

record! {
    /// One location of a token: exactly one of `header`, `cookie`, `query`, `websocket_protocol`
    /// and `websocket_protocol_after`.
    RawFrom { "oneOf": [
        { "required": ["header"] }, { "required": ["cookie"] }, { "required": ["query"] },
        { "required": ["websocket_protocol"] }, { "required": ["websocket_protocol_after"] },
    ], "dependentRequired": { "prefix": ["header"] } } [
        /// The name of a request header.
        header: String { "examples": ["x-user-token"] },
        /// The text before the token in the header; compared without regard to case.
        prefix: String { "default": "", "examples": ["Bearer "] },
        /// The name of a cookie.
        cookie: String { "examples": ["access_token"] },
        /// The name of a query parameter.
        query: String { "examples": ["access_token"] },
        /// The prefix of a WebSocket subprotocol whose remainder is the token. With a prefix that
        /// starts with `base64url.` the remainder is base64url-encoded.
        websocket_protocol: String { "examples": ["base64url.bearer.authorization.k8s.io."] },
        /// The WebSocket subprotocol, such as `bearer`, whose next list entry is the token.
        /// `forward: false` removes both entries.
        websocket_protocol_after: String { "examples": ["bearer"] },
    ]
}
