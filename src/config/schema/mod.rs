//! The document as written: one struct for each object of the contract, nothing judged yet.
//!
//! Members are optional here even where the contract requires them, so that everything missing is
//! reported at once by the compiler and not one at a time by the parser.

mod limit;
mod object;
mod provider;
mod rule;
mod unions;

use object::object;
use serde::Deserialize;

pub(super) use limit::{RawLimit, RawRateClaim, RawTier};
pub(super) use provider::{RawProvider, RawRemote};
pub(super) use rule::{RawClaimTest, RawCostFrom, RawGrant, RawMatch, RawPayload, RawRule};
pub(super) use unions::{AnyOr, Count, DurationText, RateText, RawCost, Scalar, Secret, Size};

/// The whole document.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub(super) struct RawConfig {
    pub(super) providers: Option<Vec<RawProvider>>,
    pub(super) token: Option<RawToken>,
    pub(super) rules: Option<Vec<RawRule>>,
    pub(super) limits: Option<Vec<RawLimit>>,
    pub(super) tags: Option<Vec<RawTag>>,
    pub(super) responses: Option<RawResponses>,
    pub(super) telemetry: Option<RawTelemetry>,
    pub(super) privacy: Option<RawPrivacy>,
    pub(super) crypto: Option<RawCrypto>,
    pub(super) token_cache: Option<RawTokenCache>,
    pub(super) store: Option<RawStore>,
    pub(super) failure_mode: Option<RawFailureMode>,
    pub(super) ambiguous_paths: Option<RawAmbiguousPaths>,
    pub(super) dry_run: Option<bool>,
}
object!(RawConfig, "an object: the configuration");

/// `token`.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub(super) struct RawToken {
    pub(super) from: Option<Vec<RawFrom>>,
    pub(super) forward: Option<bool>,
    pub(super) max_bytes: Option<Size>,
}
object!(RawToken, "an object with from, forward, max_bytes");

/// An entry of `token.from`; exactly one of its places is given.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub(super) struct RawFrom {
    pub(super) header: Option<String>,
    pub(super) prefix: Option<String>,
    pub(super) cookie: Option<String>,
    pub(super) query: Option<String>,
    pub(super) websocket_protocol: Option<String>,
}
object!(RawFrom, "an object with one of header, cookie, query, websocket_protocol");

/// An entry of `tags`.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub(super) struct RawTag {
    pub(super) name: Option<String>,
    pub(super) value: Option<String>,
    pub(super) header: Option<String>,
    pub(super) hash: Option<bool>,
    pub(super) filter_state: Option<bool>,
}
object!(RawTag, "an object with name, value, header, hash, filter_state");

/// `responses`.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub(super) struct RawResponses {
    pub(super) realm: Option<String>,
    pub(super) body: Option<RawBody>,
    pub(super) ratelimit_headers: Option<RawRatelimitHeaders>,
    pub(super) resource_metadata: Option<String>,
    pub(super) cors: Option<RawCors>,
}
object!(RawResponses, "an object with realm, body, ratelimit_headers, resource_metadata, cors");

/// `responses.cors`.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub(super) struct RawCors {
    pub(super) allow_origins: Option<Vec<String>>,
    pub(super) allow_credentials: Option<bool>,
}
object!(RawCors, "an object with allow_origins, allow_credentials");

/// `telemetry`.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub(super) struct RawTelemetry {
    pub(super) filter_state: Option<RawFilterState>,
    pub(super) metrics: Option<bool>,
}
object!(RawTelemetry, "an object with filter_state, metrics");

/// `privacy`.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub(super) struct RawPrivacy {
    pub(super) hash_key_env: Option<String>,
}
object!(RawPrivacy, "an object with hash_key_env");

/// `token_cache`.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub(super) struct RawTokenCache {
    pub(super) entries: Option<Count>,
    pub(super) max_age: Option<DurationText>,
}
object!(RawTokenCache, "an object with entries, max_age");

/// `store`.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub(super) struct RawStore {
    pub(super) max_identities: Option<Count>,
}
object!(RawStore, "an object with max_identities");

/// Declares a closed set of words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident),+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub(super) enum $name { $($variant),+ }
    };
}

words!(/// `responses.body`.
    RawBody { Problem, Empty });
words!(/// `responses.ratelimit_headers`.
    RawRatelimitHeaders { Ietf, X, Both, Off });
words!(/// `telemetry.filter_state`.
    RawFilterState { All, Denied, Off });
words!(/// `crypto`.
    RawCrypto { Auto, Module });
words!(/// `failure_mode`.
    RawFailureMode { Deny, Allow });
words!(/// `ambiguous_paths`.
    RawAmbiguousPaths { Reject, Allow });
words!(/// `providers[].preset`.
    RawPreset { Entra });
words!(/// `providers[].token_use`.
    RawTokenUse { Any, Access });
words!(/// `providers[].bind`.
    RawBind { None, Mtls });
words!(/// `rules[].auth`.
    RawAuth { Required, Optional, None });
words!(/// `limits[].charge`.
    RawCharge { Request, Response });
