//! The whole document as written.

use super::limit::RawLimit;
use super::provider::RawProvider;
use super::record::record;
use super::response::RawResponses;
use super::rule::RawRule;
use super::settings::{RawAmbiguousPaths, RawClientAddress, RawStore, RawTelemetry, RawTokenCache};
use super::settings::{RawPrivacy, RawTag};
use super::token::RawToken;
use crate::policy::{Crypto, FailureMode};

record! {
    /// The configuration of tollgate.
    RawConfig [
        /// The issuers whose tokens are accepted, and their keys.
        providers: Vec<RawProvider> {
            "required": true, "minItems": 1,
            "examples": [[{
                "name": "main", "issuers": ["https://issuer.example"],
                "audiences": ["api://scoring"], "keys": {"env": "TOLLGATE_JWKS"},
            }]],
        },
        /// Where the filter looks for tokens. Default: only the authorization header.
        token: RawToken { "examples": [{"forward": false}] },
        /// Which requests require a token, what the caller must be granted, and which limits apply.
        /// The first matching rule decides; a request without a matching rule is refused
        /// (`no_rule`). Default: one rule named `default` that matches all requests and requires a
        /// token.
        rules: Vec<RawRule> {
            "minItems": 1,
            "examples": [[{
                "name": "score", "match": {"paths": ["/score"], "methods": ["POST"]},
                "limits": ["per-caller"],
            }]],
        },
        /// The limits that rules refer to by name.
        limits: Vec<RawLimit> {
            "examples": [[{"name": "per-caller", "rate": "10/s", "burst": 20}]],
        },
        /// The tags of verified requests. Default: `identity` (`{@identity}`), `subject` (`{sub}`)
        /// and `issuer` (`{iss}`), each also in the header `x-auth-<name>`.
        tags: Vec<RawTag> {
            "examples": [[{"name": "subject", "value": "{sub}", "header": "x-auth-subject"}]],
        },
        /// How decisions are reported to callers.
        responses: RawResponses { "examples": [{"realm": "scoring"}] },
        /// How decisions are reported to logs and metrics.
        telemetry: RawTelemetry { "examples": [{"filter_state": "denied"}] },
        /// The key for hashed tags.
        privacy: RawPrivacy { "examples": [{"hash_key_env": "TOLLGATE_HASH_KEY"}] },
        /// The signature verifier. `auto`: the host's native verifier for algorithms that pass a
        /// self-test, otherwise the module; `module`: always the module.
        crypto: Crypto { "default": "auto", "examples": ["module"] },
        /// The cache of verified tokens; each worker has its own.
        token_cache: RawTokenCache { "examples": [{"entries": 50_000}] },
        /// The table of buckets, shared by all workers.
        store: RawStore { "examples": [{"max_identities": 1_000_000}] },
        /// How client addresses are grouped into callers in limits, in `concurrency` and in
        /// `{@client_address}`.
        client_address: RawClientAddress { "examples": [{"ipv4_prefix": 24}] },
        /// Whether the headers of a guarded request wait for the verdict on its body. Requires
        /// `allow_on_headers_stop_iteration: true` in Envoy's plugin configuration. Where that
        /// cannot be set, use Envoy's buffer filter behind tollgate instead.
        hold_head: bool { "default": false, "examples": [true] },
        /// What happens when the bucket store cannot answer. `deny`: the request is refused
        /// (`store_unavailable`); `allow`: it passes.
        failure_mode: FailureMode { "default": "deny", "examples": ["allow"] },
        /// How to treat a path that can be read in more than one way: `%2F`, `%5C`, `\`, `//`,
        /// `/../`, `/./` or invalid percent-encoding. `reject`: the request is refused
        /// (`path_ambiguous`); `allow`: rules match the path as it is.
        ambiguous_paths: RawAmbiguousPaths { "default": "reject", "examples": ["allow"] },
        /// Whether the filter makes and reports decisions without refusing any request.
        dry_run: bool { "default": false, "examples": [true] },
    ]
}
