//! `providers` as written.

use super::record::{record, words};
use super::unions::{AnyOr, Secret};
use super::units::DurationText;
use crate::verify::provider::{Bind, TokenUse};

record! {
    /// A token issuer and its keys.
    RawProvider { "anyOf": [{ "required": ["preset"] }, { "required": ["issuers"] }] } [
        /// The unique name, used in rules, metrics and logs.
        name: String { "required": true, "pattern": "^[a-z0-9_-]{1,32}$", "examples": ["main"] },
        /// Fills absent members with the values for an identity provider. `entra`: Microsoft Entra
        /// ID.
        preset: RawPreset { "examples": ["entra"] },
        /// The accepted `iss` values. `{tenantid}`, at most once, stands for a tenant. Required
        /// without a preset. Several providers may share an issuer: the filter tries those that the
        /// rule admits, in order.
        issuers: Vec<String> { "minItems": 1, "examples": [["https://issuer.example"]] },
        /// The accepted tenants, or the word `any`. Required if an issuer contains `{tenantid}`;
        /// otherwise it has no effect.
        tenants: AnyOr { "examples": [["72f988bf-86f1-41af-91ab-2d7cd011db47"]] },
        /// The accepted `aud` values, or the word `any`.
        audiences: AnyOr { "required": true, "examples": [["api://scoring"], "any"] },
        /// The accepted signature algorithms. Default: every asymmetric algorithm that the keys
        /// allow, but PS* only with keys that name it. HS* must be listed here.
        algorithms: Vec<String> { "minItems": 1, "items": { "enum": [
            "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
            "ES256K", "EdDSA", "Ed25519", "HS256", "HS384", "HS512",
        ] }, "examples": [["RS256", "ES256"]] },
        /// The source of the keys.
        keys: RawKeys { "required": true, "examples": [{"env": "TOLLGATE_JWKS"}] },
        /// The tolerated clock difference, in whole seconds.
        clock_skew: DurationText { "default": "60s", "bounds": "0s to 10m", "examples": ["10s"] },
        /// Whether a token without `exp` is refused.
        require_exp: bool { "default": true, "examples": [false] },
        /// The maximum time from `iat` to `exp`, in whole seconds. If set, `iat` is required.
        /// Default: unlimited.
        max_lifetime: DurationText { "bounds": "1s to 8784h", "examples": ["24h"] },
        /// The accepted `typ` values of the token header. A token without `typ` is accepted unless
        /// exactly one value is listed. Default: any.
        typ: Vec<String> { "minItems": 1, "examples": [["JWT", "at+jwt"]] },
        /// The accepted kind of token. `access`: tokens with `scp`, `scope` or `roles`, which ID
        /// tokens lack; `any`: all tokens. The preset sets `access`.
        token_use: TokenUse { "default": "any", "examples": ["access"] },
        /// The required binding of tokens. `mtls`: the client certificate (RFC 8705 §3); `none`.
        bind: Bind { "default": "none", "examples": ["mtls"] },
        /// Templates of claims. The first template that has a value is the identity of the caller.
        identity: Vec<String> {
            "default": ["{iss}/{sub}"], "minItems": 1,
            "examples": [["{tid}/{oid}", "{iss}/{sub}"]],
        },
    ]
}

record! {
    /// The source of the keys: exactly one of `inline`, `env` and `remote`.
    RawKeys { "minProperties": 1, "maxProperties": 1 } [
        /// The JWKS itself.
        inline: Secret {
            "examples": [{"keys": [{
                "kty": "OKP", "crv": "Ed25519", "kid": "1",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            }]}],
        },
        /// The VM environment variable that holds a JWKS. Keeps HS* secrets out of the document.
        env: String { "pattern": "^[A-Za-z_][A-Za-z0-9_]{0,127}$", "examples": ["TOLLGATE_JWKS"] },
        /// A JWKS that the filter fetches.
        remote: RawRemote {
            "examples": [{"uri": "https://issuer.example/jwks", "cluster": "issuer"}],
        },
    ]
}

record! {
    /// A JWKS that the filter fetches. Requires exactly one of `uri` and `discovery`, unless a
    /// preset fills it.
    RawRemote { "not": { "required": ["uri", "discovery"] } } [
        /// The URL of the JWKS.
        uri: String { "pattern": "^https?://", "examples": ["https://issuer.example/jwks"] },
        /// The URL of a discovery document that names the JWKS.
        discovery: String {
            "pattern": "^https?://",
            "examples": ["https://issuer.example/.well-known/openid-configuration"],
        },
        /// The Envoy cluster for the request.
        cluster: String {
            "required": true, "minLength": 1,
            "examples": ["issuer", "outbound|443||issuer.example"],
        },
        /// The Envoy cluster for the `jwks_uri` of a discovery document, if the keys are on another
        /// host than the document (Google). Default: `cluster`.
        keys_cluster: String { "minLength": 1, "examples": ["issuer-keys"] },
        /// The timeout of one fetch.
        timeout: DurationText { "default": "5s", "bounds": "10ms to 1m", "examples": ["2s"] },
        /// The time between fetches, ± 10 %. The `max-age` of a response can shorten it, to no less
        /// than a minute, and never lengthens it.
        refresh_interval: DurationText {
            "default": "1h", "bounds": "1s to 168h",
            "examples": ["15m"],
        },
        /// The mean time between fetches triggered by tokens with an unknown `kid`: at most three
        /// at once, then one per interval. A fetch that returns new keys does not count.
        unknown_kid_interval: DurationText {
            "default": "30s", "bounds": "1s to 1h",
            "examples": ["1m"],
        },
        /// How long the last good keys stay in use while fetches fail; at least `refresh_interval`.
        max_stale: DurationText { "default": "24h", "bounds": "1s to 720h", "examples": ["48h"] },
    ]
}

words! {
    /// `providers[].preset`.
    enum RawPreset { Entra = "entra" }
}

words!(TokenUse { Any = "any", Access = "access" });

words!(Bind { None = "none", Mtls = "mtls" });
