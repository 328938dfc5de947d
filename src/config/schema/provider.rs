//! `providers` as written.

use super::record::record;
use super::{AnyOr, DurationText, RawBind, RawPreset, RawTokenUse, Secret};

record! {
    /// One who may issue tokens.
    RawProvider { "anyOf": [{ "required": ["preset"] }, { "required": ["issuers"] }] } [
        /// The name: a label in metrics, rules and logs; unique.
        name: String { "required": true, "pattern": "^[a-z0-9_-]{1,32}$" },
        /// Fills what is not given as tokens of Microsoft Entra ID need it.
        preset: RawPreset,
        /// The `iss` values of the provider's tokens; `{tenantid}`, once, stands for a tenant.
        /// Required without a preset. Providers may share one: those that the rule admits are tried
        /// in their order.
        issuers: Vec<String> { "minItems": 1 },
        /// The tenants that are let in, or the word `any`. Required where an issuer has
        /// `{tenantid}`, and without effect elsewhere.
        tenants: AnyOr,
        /// The `aud` values that are let in, or the word `any`.
        audiences: AnyOr { "required": true },
        /// The algorithms of signatures. By default every asymmetric one that the keys allow; PS*
        /// only with keys that name it, HS* only where it is named here.
        algorithms: Vec<String> { "minItems": 1, "items": { "enum": [
            "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
            "ES256K", "EdDSA", "Ed25519", "HS256", "HS384", "HS512",
        ] } },
        /// Where the keys come from.
        keys: RawKeys { "required": true },
        /// How far clocks may be apart; whole seconds.
        clock_skew: DurationText { "default": "60s", "bounds": "0ms to 10m" },
        /// Whether a token without `exp` is refused.
        require_exp: bool { "default": true },
        /// The longest time from `iat` to `exp`; `iat` is then required. By default any; whole
        /// seconds.
        max_lifetime: DurationText { "bounds": "1s to 8784h" },
        /// The values of `typ` that are let in. A token without it passes, unless only one is
        /// listed. By default any.
        typ: Vec<String> { "minItems": 1 },
        /// Which tokens are let in. `access`: those with `scp`, `scope` or `roles`, which an ID token
        /// has not; `any`. With the preset `access`.
        token_use: RawTokenUse { "default": "any" },
        /// What a token must be bound to. `mtls`: the certificate of the peer (RFC 8705 §3); `none`.
        bind: RawBind { "default": "none" },
        /// Templates of claims: the first that has a value is the identity of the caller.
        identity: Vec<String> { "default": ["{iss}/{sub}"], "minItems": 1 },
    ]
}

record! {
    /// Where the keys come from: exactly one of `inline`, `env` and `remote`.
    RawKeys { "minProperties": 1, "maxProperties": 1 } [
        /// A JWKS.
        inline: Secret,
        /// The environment variable of the VM that holds a JWKS: keeps secrets of HS* out of the
        /// document.
        env: String { "pattern": "^[A-Za-z_][A-Za-z0-9_]{0,127}$" },
        /// A JWKS that is fetched.
        remote: RawRemote,
    ]
}

record! {
    /// A JWKS that is fetched: exactly one of `uri` and `discovery`, which the preset fills.
    RawRemote { "not": { "required": ["uri", "discovery"] } } [
        /// The address of the JWKS.
        uri: String { "pattern": "^https?://" },
        /// The address of a discovery document that names it.
        discovery: String { "pattern": "^https?://" },
        /// The Envoy cluster that reaches it.
        cluster: String { "required": true, "minLength": 1 },
        /// The Envoy cluster that reaches the `jwks_uri` of a discovery document where that is on
        /// another host than the document, as Google's is. By default `cluster`.
        keys_cluster: String { "minLength": 1 },
        /// How long one fetch may take.
        timeout: DurationText { "default": "5s", "bounds": "10ms to 1m" },
        /// How often the keys are fetched, ± 10 %. The `max-age` of an answer may shorten this, to a
        /// minute at least, and never lengthens it.
        refresh_interval: DurationText { "default": "1h", "bounds": "1s to 168h" },
        /// The mean time between fetches that tokens with an unknown `kid` cause: three at once, then
        /// one per interval. A fetch that brings new keys does not count.
        unknown_kid_interval: DurationText { "default": "30s", "bounds": "1s to 1h" },
        /// How long the last good keys serve while fetches fail; at least `refresh_interval`.
        max_stale: DurationText { "default": "24h", "bounds": "1s to 720h" },
    ]
}
