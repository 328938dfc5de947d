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
        /// Who may issue tokens.
        providers: Vec<RawProvider> { "required": true, "minItems": 1 },
        /// Where tokens are looked for. By default in the authorization header alone.
        token: RawToken,
        /// Which requests need a token, what its caller must be granted, and which limits they take
        /// from. The first rule that matches decides; a request that none matches is refused
        /// (`no_rule`). By default one rule `default` that matches all and requires a token.
        rules: Vec<RawRule> { "minItems": 1 },
        /// The limits that rules name.
        limits: Vec<RawLimit>,
        /// What a verified request is tagged with. By default `identity` (`{@identity}`), `subject`
        /// (`{sub}`) and `issuer` (`{iss}`), each in a header `x-auth-<name>`.
        tags: Vec<RawTag>,
        /// What callers see of a decision.
        responses: RawResponses,
        /// What observers see of a decision.
        telemetry: RawTelemetry,
        /// How hashed tags are keyed.
        privacy: RawPrivacy,
        /// Who checks signatures. `auto`: the host's native verifier where a self-test passes, else
        /// the module; `module`: the module.
        crypto: RawCrypto { "default": "auto" },
        /// The memory of verified tokens, for each worker.
        token_cache: RawTokenCache,
        /// The memory of limits, shared by all workers.
        store: RawStore,
        /// How much of an address is one caller, where callers are known by their address: in limits,
        /// concurrency and `{@client_address}`.
        client_address: RawClientAddress,
        /// Whether the head of a guarded request waits for the verdict on its body. The plugin must
        /// have `allow_on_headers_stop_iteration: true` beside it (Envoy); elsewhere Envoy's buffer
        /// filter behind tollgate does the same.
        hold_head: bool { "default": false },
        /// What happens when the store cannot answer. `deny`: the request is refused
        /// (`store_unavailable`); `allow`: it passes.
        failure_mode: RawFailureMode { "default": "deny" },
        /// What happens to a path with more than one reading: `%2F`, `%5C`, `\`, `//`, `/../`,
        /// `/./` or invalid percent-encoding. `reject`: it is refused (`path_ambiguous`); `allow`:
        /// rules judge it as it is.
        ambiguous_paths: RawAmbiguousPaths { "default": "reject" },
        /// Whether everything is decided and reported, and nothing refused.
        dry_run: bool { "default": false },
    ]
}

record! {
    /// Where tokens are looked for.
    RawToken [
        /// The places of a token. A request with two different tokens is refused
        /// (`token_multiple`). By default the authorization header with the prefix `Bearer `.
        from: Vec<RawFrom> { "minItems": 1 },
        /// Whether the upstream gets the token; otherwise it is removed from wherever it was found.
        forward: bool { "default": true },
        /// The longest token that is looked at.
        max_bytes: Size { "default": "16KiB", "bounds": "256 to 65536" },
    ]
}

record! {
    /// A place of a token: exactly one of `header`, `cookie`, `query`, `websocket_protocol` and
    /// `websocket_protocol_after`.
    RawFrom { "oneOf": [
        { "required": ["header"] }, { "required": ["cookie"] }, { "required": ["query"] },
        { "required": ["websocket_protocol"] }, { "required": ["websocket_protocol_after"] },
    ], "dependentRequired": { "prefix": ["header"] } } [
        /// A request header.
        header: String,
        /// What stands before the token in the header; letter case does not matter.
        prefix: String { "default": "" },
        /// A cookie.
        cookie: String,
        /// A parameter of the query.
        query: String,
        /// The beginning of a WebSocket subprotocol, whose rest is the token: in base64url where it
        /// begins with `base64url.`, else as it is.
        websocket_protocol: String,
        /// The WebSocket subprotocol that the token follows in the list, such as `bearer`; both are
        /// removed with `forward: false`.
        websocket_protocol_after: String,
    ]
}

record! {
    /// What a verified request is tagged with: a request header, filter state, or both.
    RawTag [
        /// The name: filter state `wasm.tollgate.<name>`, unless `filter_state` is false.
        name: String { "required": true, "pattern": "^[a-z0-9_-]{1,32}$" },
        /// A template: the value.
        value: String { "required": true, "minLength": 1 },
        /// The request header that carries the value. It is removed from every incoming request
        /// first, in all its spellings.
        header: String,
        /// Whether the value is replaced by its keyed hash; see `privacy`.
        hash: bool { "default": false },
        /// Whether the value becomes filter state.
        filter_state: bool { "default": true },
    ]
}

record! {
    /// What callers see of a decision.
    RawResponses [
        /// The realm of `WWW-Authenticate`.
        realm: String { "minLength": 1 },
        /// The body of a refusal. `problem`: a problem document (RFC 9457); `empty`: none.
        body: RawBody { "default": "problem" },
        /// The headers about limits. `ietf`: RateLimit and RateLimit-Policy; `x`: X-RateLimit-*;
        /// `both`; `off`.
        ratelimit_headers: RawRatelimitHeaders { "default": "ietf" },
        /// The URL of the metadata of the protected resource (RFC 9728), which the filter serves and
        /// names in its challenges. Or a list of several resources: a challenge names the first that
        /// fits the host and path of the request.
        resource_metadata: RawMetadata,
        /// What browsers are told on replies of the filter, and whether it answers preflights.
        cors: RawCors,
    ]
}

record! {
    /// One protected resource and its metadata (RFC 9728).
    RawResource [
        /// The URL of the document, which the filter serves at its path; where two have the same
        /// path, at its host.
        url: String { "required": true },
        /// The identifier of the resource. By default what the URL is the metadata of:
        /// `https://host/path` for `https://host/.well-known/oauth-protected-resource/path`.
        resource: String,
        /// The hosts whose challenges name it, as in `match.hosts`. By default all.
        hosts: Vec<String> { "minItems": 1 },
        /// The paths whose challenges name it, as in `match.paths`. By default all.
        paths: Vec<String> { "minItems": 1 },
        /// The providers whose issuers are listed as authorization servers. By default all.
        providers: Vec<String> { "minItems": 1 },
        /// The scopes that are listed. By default those that rules ask for.
        scopes: Vec<String> { "minItems": 1 },
    ]
}

record! {
    /// Which pages may read the filter's own replies.
    RawCors [
        /// Origins such as `https://app.example.com` or `https://[::1]:8443`; `https://*.example.com`
        /// for every host below one; or `*` for all.
        allow_origins: Vec<String> { "required": true, "minItems": 1 },
        /// Whether browsers may send credentials; not beside `*`.
        allow_credentials: bool { "default": false },
    ]
}

record! {
    /// What observers see of a decision.
    RawTelemetry [
        /// Which decisions write filter state `wasm.tollgate.*`.
        filter_state: RawFilterState { "default": "all" },
        /// Whether the filter counts.
        metrics: bool { "default": true },
    ]
}

record! {
    /// How hashed tags are keyed.
    RawPrivacy [
        /// The environment variable of the VM with the key of HMAC-SHA256. At least 32 bytes.
        hash_key_env: String { "required": true, "pattern": "^[A-Za-z_][A-Za-z0-9_]{0,127}$" },
    ]
}

record! {
    /// The memory of verified tokens, for each worker.
    RawTokenCache [
        /// How many tokens; 0 turns it off.
        entries: Count { "default": 10_000, "maximum": 1_000_000 },
        /// How long a token is remembered at most.
        max_age: DurationText { "default": "5m", "bounds": "1s to 24h" },
    ]
}

record! {
    /// The memory of limits, shared by all workers.
    RawStore [
        /// How many identities have buckets of their own at once.
        max_identities: Count { "default": 131_072, "minimum": 8, "maximum": 16_777_216 },
    ]
}

record! {
    /// How much of an address is one caller.
    RawClientAddress [
        /// How many bits of an IPv4 address. An IPv4 address in an IPv6 one (`::ffff:192.0.2.1`) is
        /// that IPv4 address.
        ipv4_prefix: Count { "default": 32, "minimum": 1, "maximum": 32 },
        /// How many bits of an IPv6 address: a host may use any address of its /64.
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
