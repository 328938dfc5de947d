//! The document as written: one struct for each object of the contract, nothing judged yet.
//!
//! Each object is declared once, by `record!`: its reader, its JSON Schema and the reference under
//! `docs/` come from the same lines.

#[cfg(any(feature = "cli", test))]
pub(super) mod json;
mod limit;
mod provider;
mod record;
mod rule;
mod unions;

use record::{record, words};

pub(super) use limit::{RawLimit, RawRateClaim, RawTier};
pub(super) use provider::{RawProvider, RawRemote};
pub(super) use record::Read;
pub(super) use rule::{RawClaimTest, RawCostFrom, RawGrant, RawMatch, RawPayload, RawRule};
pub(super) use unions::{
    AnyOr, Count, DurationText, OneOrMore, RateText, RawCost, RawMetadata, Scalar, Secret, Size,
};

record! {
    /// The configuration of tollgate.
    RawConfig [
        /// The issuers whose tokens are accepted, and their keys.
        providers: Vec<RawProvider> { "required": true, "minItems": 1 },
        /// Where the filter looks for tokens. Default: only the authorization header.
        token: RawToken,
        /// Which requests require a token, what the caller must be granted, and which limits apply.
        /// The first matching rule decides; a request without a matching rule is refused
        /// (`no_rule`). Default: one rule named `default` that matches all requests and requires a
        /// token.
        rules: Vec<RawRule> { "minItems": 1 },
        /// The limits that rules refer to by name.
        limits: Vec<RawLimit>,
        /// The tags of verified requests. Default: `identity` (`{@identity}`), `subject` (`{sub}`)
        /// and `issuer` (`{iss}`), each also in the header `x-auth-<name>`.
        tags: Vec<RawTag>,
        /// How decisions are reported to callers.
        responses: RawResponses,
        /// How decisions are reported to logs and metrics.
        telemetry: RawTelemetry,
        /// The key for hashed tags.
        privacy: RawPrivacy,
        /// The signature verifier. `auto`: the host's native verifier for algorithms that pass a
        /// self-test, otherwise the module; `module`: always the module.
        crypto: RawCrypto { "default": "auto" },
        /// The cache of verified tokens; each worker has its own.
        token_cache: RawTokenCache,
        /// The table of buckets, shared by all workers.
        store: RawStore,
        /// How client addresses are grouped into callers in limits, in `concurrency` and in
        /// `{@client_address}`.
        client_address: RawClientAddress,
        /// Whether the headers of a guarded request wait for the verdict on its body. Requires
        /// `allow_on_headers_stop_iteration: true` in Envoy's plugin configuration. Where that
        /// cannot be set, use Envoy's buffer filter behind tollgate instead.
        hold_head: bool { "default": false },
        /// What happens when the bucket store cannot answer. `deny`: the request is refused
        /// (`store_unavailable`); `allow`: it passes.
        failure_mode: RawFailureMode { "default": "deny" },
        /// How to treat a path that can be read in more than one way: `%2F`, `%5C`, `\`, `//`,
        /// `/../`, `/./` or invalid percent-encoding. `reject`: the request is refused
        /// (`path_ambiguous`); `allow`: rules match the path as it is.
        ambiguous_paths: RawAmbiguousPaths { "default": "reject" },
        /// Whether the filter makes and reports decisions without refusing any request.
        dry_run: bool { "default": false },
    ]
}

record! {
    /// Where the filter looks for tokens.
    RawToken [
        /// The locations of a token. A request with two different tokens is refused
        /// (`token_multiple`). Default: the authorization header with the prefix `Bearer `.
        from: Vec<RawFrom> { "minItems": 1 },
        /// Whether the token is forwarded to the upstream. If false, it is removed from every
        /// location where it was found.
        forward: bool { "default": true },
        /// The maximum length of a token; longer tokens are refused (`token_too_large`).
        max_bytes: Size { "default": "16KiB", "bounds": "256 to 65536" },
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
        header: String,
        /// The text before the token in the header; compared without regard to case.
        prefix: String { "default": "" },
        /// The name of a cookie.
        cookie: String,
        /// The name of a query parameter.
        query: String,
        /// The prefix of a WebSocket subprotocol whose remainder is the token. With a prefix that
        /// starts with `base64url.` the remainder is base64url-encoded.
        websocket_protocol: String,
        /// The WebSocket subprotocol, such as `bearer`, whose next list entry is the token.
        /// `forward: false` removes both entries.
        websocket_protocol_after: String,
    ]
}

record! {
    /// One tag of verified requests: a request header, filter state, or both.
    RawTag [
        /// The name of the tag. It is written to filter state `wasm.tollgate.<name>` unless
        /// `filter_state` is false.
        name: String { "required": true, "pattern": "^[a-z0-9_-]{1,32}$" },
        /// The template of the value.
        value: String { "required": true, "minLength": 1 },
        /// The request header for the value. The filter first removes it, in all spellings, from
        /// every incoming request.
        header: String,
        /// Whether the value is replaced with its keyed hash; see `privacy`.
        hash: bool { "default": false },
        /// Whether the value is written to filter state.
        filter_state: bool { "default": true },
    ]
}

record! {
    /// How decisions are reported to callers.
    RawResponses [
        /// The realm in `WWW-Authenticate`.
        realm: String { "minLength": 1 },
        /// The body of a refusal. `problem`: a problem document (RFC 9457); `empty`: no body.
        body: RawBody { "default": "problem" },
        /// The rate limit headers of responses. `ietf`: RateLimit and RateLimit-Policy; `x`:
        /// X-RateLimit-*; `both`; `off`.
        ratelimit_headers: RawRatelimitHeaders { "default": "ietf" },
        /// The URL of the protected resource metadata (RFC 9728). The filter serves the document
        /// and names its URL in challenges. For several resources, a list: a challenge names the
        /// first entry that matches the host and path of the request.
        resource_metadata: RawMetadata,
        /// CORS headers on the filter's own replies. If set, the filter also answers preflight
        /// requests.
        cors: RawCors,
    ]
}

record! {
    /// One protected resource and its metadata (RFC 9728).
    RawResource [
        /// The URL of the document. The filter serves the document at the path of the URL; if two
        /// entries share a path, the host selects the document.
        url: String { "required": true },
        /// The resource identifier. Default: derived from the URL, `https://host/path` for
        /// `https://host/.well-known/oauth-protected-resource/path`.
        resource: String,
        /// The hosts whose challenges name this document, as in `match.hosts`. Default: all.
        hosts: Vec<String> { "minItems": 1 },
        /// The paths whose challenges name this document, as in `match.paths`. Default: all.
        paths: Vec<String> { "minItems": 1 },
        /// The providers whose issuers are listed as authorization servers. Default: all.
        providers: Vec<String> { "minItems": 1 },
        /// The listed scopes. Default: the scopes that rules require.
        scopes: Vec<String> { "minItems": 1 },
    ]
}

record! {
    /// Which origins may read the filter's own replies.
    RawCors [
        /// Origins such as `https://app.example.com` or `https://[::1]:8443`;
        /// `https://*.example.com` for all subdomains; or `*` for all origins.
        allow_origins: Vec<String> { "required": true, "minItems": 1 },
        /// Whether browsers may send credentials. Cannot be combined with the origin `*`.
        allow_credentials: bool { "default": false },
    ]
}

record! {
    /// How decisions are reported to logs and metrics.
    RawTelemetry [
        /// Which decisions are written to filter state `wasm.tollgate.*`.
        filter_state: RawFilterState { "default": "all" },
        /// Whether the filter emits metrics.
        metrics: bool { "default": true },
    ]
}

record! {
    /// The key for hashed tags.
    RawPrivacy [
        /// The VM environment variable that holds the HMAC-SHA256 key of at least 32 bytes.
        hash_key_env: String { "required": true, "pattern": "^[A-Za-z_][A-Za-z0-9_]{0,127}$" },
    ]
}

record! {
    /// The cache of verified tokens; each worker has its own.
    RawTokenCache [
        /// The maximum number of cached tokens; 0 disables the cache.
        entries: Count { "default": 10_000, "maximum": 1_000_000 },
        /// The maximum time that a token stays in the cache.
        max_age: DurationText { "default": "5m", "bounds": "1s to 24h" },
    ]
}

record! {
    /// The table of buckets, shared by all workers.
    RawStore [
        /// The number of buckets for verified callers in the table.
        max_identities: Count { "default": 131_072, "minimum": 8, "maximum": 16_777_216 },
    ]
}

record! {
    /// How client addresses are grouped into callers.
    RawClientAddress [
        /// The prefix length for IPv4 addresses. An IPv4-mapped IPv6 address (`::ffff:192.0.2.1`)
        /// counts as IPv4.
        ipv4_prefix: Count { "default": 32, "minimum": 1, "maximum": 32 },
        /// The prefix length for IPv6 addresses. The default is /64 because a host can use any
        /// address of its /64.
        ipv6_prefix: Count { "default": 64, "minimum": 1, "maximum": 128 },
    ]
}

words!(/// `responses.body`.
    RawBody { Problem = "problem", Empty = "empty" });
words!(/// `responses.ratelimit_headers`.
    RawRatelimitHeaders { Ietf = "ietf", X = "x", Both = "both", Off = "off" });
words!(/// `telemetry.filter_state`.
    RawFilterState { All = "all", Denied = "denied", Off = "off" });
words!(/// `crypto`.
    RawCrypto { Auto = "auto", Module = "module" });
words!(/// `failure_mode`.
    RawFailureMode { Deny = "deny", Allow = "allow" });
words!(/// `ambiguous_paths`.
    RawAmbiguousPaths { Reject = "reject", Allow = "allow" });
words!(/// `rules[].match.trailing_slash`.
    RawTrailingSlash { Strict = "strict", Ignore = "ignore" });
words!(/// `providers[].preset`.
    RawPreset { Entra = "entra" });
words!(/// `providers[].token_use`.
    RawTokenUse { Any = "any", Access = "access" });
words!(/// `providers[].bind`.
    RawBind { None = "none", Mtls = "mtls" });
words!(/// `rules[].auth`.
    RawAuth { Required = "required", Optional = "optional", None = "none" });
words!(/// `limits[].charge`.
    RawCharge { Request = "request", Response = "response" });

#[cfg(test)]
mod tests;
