//! The sections of one or two members, and the words of single settings, as written.

use crate::config::schema::record::{record, words};
use crate::config::schema::units::{Count, DurationText};
use crate::policy::{Crypto, FailureMode, FilterState};

record! {
    /// How decisions are reported to logs and metrics.
    RawTelemetry [
        /// Which decisions are written to filter state `wasm.tollgate.*`. `auto`: all, but a tag with a
        /// `header` is written only when the request is denied. Logs then read the header.
        filter_state: FilterState { "default": "all", "examples": ["denied"] },
        /// Whether the filter emits metrics.
        metrics: bool { "default": true, "examples": [false] },
        /// Whether the metrics include histograms of the requests that pass, by rule: the sizes of
        /// request and response, the rows that `cost` counts, and the time of the upstream.
        histograms: bool { "default": false, "examples": [true] },
    ]
}

words!(FilterState { All = "all", Auto = "auto", Denied = "denied", Off = "off" });

record! {
    /// The cache of verified tokens; each worker has its own.
    RawTokenCache [
        /// The maximum number of cached tokens; 0 disables the cache.
        entries: Count { "default": 10_000, "maximum": 1_000_000, "examples": [50_000] },
        /// The maximum time that a token stays in the cache.
        max_age: DurationText { "default": "5m", "bounds": "1s to 24h", "examples": ["1m"] },
    ]
}

record! {
    /// The table of buckets, shared by all workers.
    RawStore [
        /// The number of buckets for verified callers in the table.
        max_identities: Count {
            "default": 131_072, "minimum": 8, "maximum": 16_777_216,
            "examples": [1_000_000],
        },
    ]
}

record! {
    /// How client addresses are grouped into callers.
    RawClientAddress [
        /// The prefix length for IPv4 addresses. An IPv4-mapped IPv6 address (`::ffff:192.0.2.1`)
        /// counts as IPv4.
        ipv4_prefix: Count { "default": 32, "minimum": 1, "maximum": 32, "examples": [24] },
        /// The prefix length for IPv6 addresses. The default is /64 because a host can use any
        /// address of its /64.
        ipv6_prefix: Count { "default": 64, "minimum": 1, "maximum": 128, "examples": [48] },
    ]
}

words!(Crypto { Auto = "auto", Module = "module" });

words!(FailureMode { Deny = "deny", Allow = "allow" });

words! {
    /// `ambiguous_paths`.
    enum RawAmbiguousPaths { Reject = "reject", Allow = "allow" }
}

record! {
    /// One tag of verified requests: a request header, filter state, or both.
    RawTag [
        /// The name of the tag. It is written to filter state `wasm.tollgate.<name>` unless
        /// `filter_state` is false.
        name: String { "required": true, "pattern": "^[a-z0-9_-]{1,32}$", "examples": ["subject"] },
        /// The template of the value.
        value: String { "required": true, "minLength": 1, "examples": ["{sub}"] },
        /// The request header for the value. The filter first removes it, in all spellings, from
        /// every incoming request.
        header: String { "examples": ["x-auth-subject"] },
        /// Whether the value is replaced with its keyed hash; see `privacy`.
        hash: bool { "default": false, "examples": [true] },
        /// Whether the value is written to filter state.
        filter_state: bool { "default": true, "examples": [false] },
    ]
}

record! {
    /// The key for hashed tags.
    RawPrivacy [
        /// The VM environment variable that holds the HMAC-SHA256 key of at least 32 bytes.
        hash_key_env: String {
            "required": true, "pattern": "^[A-Za-z_][A-Za-z0-9_]{0,127}$",
            "examples": ["TOLLGATE_HASH_KEY"],
        },
    ]
}
