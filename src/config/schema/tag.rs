//! `tags` and `privacy` as written.

use super::record::record;

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
    /// The key for hashed tags.
    RawPrivacy [
        /// The VM environment variable that holds the HMAC-SHA256 key of at least 32 bytes.
        hash_key_env: String { "required": true, "pattern": "^[A-Za-z_][A-Za-z0-9_]{0,127}$" },
    ]
}
