//! The stable words for each outcome, shared by replies, filter state, metrics and logs.

/// Declares the reasons, each with its word.
macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// Why a request was allowed or refused.
        ///
        /// A released word never changes, because dashboards and alerts depend on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            /// Every reason, in the order of the documentation.
            pub const ALL: [Self; [$($word),*].len()] = [$(Self::$name),*];

            /// The reason of a word; `None` if there is none.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|reason| reason.as_str() == word)
            }

            /// The word, in `snake_case`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

reasons! {
    /// The token is verified and no limit is exceeded.
    Ok = "ok",
    /// The rule requires no token, and none was used.
    Anonymous = "anonymous",
    /// A CORS preflight that was answered or allowed.
    Preflight = "preflight",
    /// Two different tokens in one request.
    TokenMultiple = "token_multiple",
    /// The token is longer than `token.max_bytes`.
    TokenTooLarge = "token_too_large",
    /// The path has more than one reading; see `ambiguous_paths`.
    PathAmbiguous = "path_ambiguous",
    /// The authority is not a host with an optional port, or its port or trailing dot decides
    /// which rule applies.
    HostAmbiguous = "host_ambiguous",
    /// `TRACE` or `TRACK`, or a method whose reading decides which rule applies.
    MethodNotAllowed = "method_not_allowed",
    /// A token is required and there is none.
    TokenMissing = "token_missing",
    /// The token is not a well-formed compact JWS with unique JSON members (RFC 7515 §3.1).
    TokenMalformed = "token_malformed",
    /// The `typ` header is not allowed.
    TypeNotAllowed = "type_not_allowed",
    /// The `crit` header names extensions; none is supported (RFC 7515 §4.1.11).
    CritUnsupported = "crit_unsupported",
    /// `alg` is not allowed for the provider, or does not fit the key.
    AlgorithmNotAllowed = "algorithm_not_allowed",
    /// No key of the provider has the token's `kid` or fits its algorithm.
    KeyUnknown = "key_unknown",
    /// The signature does not verify.
    SignatureInvalid = "signature_invalid",
    /// `iss` belongs to no provider that the rule admits.
    IssuerNotAllowed = "issuer_not_allowed",
    /// The tenant is not one of `tenants`, or differs from that of `iss`.
    TenantNotAllowed = "tenant_not_allowed",
    /// `aud` names none of the provider's audiences.
    AudienceMismatch = "audience_mismatch",
    /// A required claim is absent.
    ClaimMissing = "claim_missing",
    /// A claim has the wrong type or form.
    ClaimMalformed = "claim_malformed",
    /// `exp` plus the allowed clock skew has passed.
    Expired = "expired",
    /// `nbf` minus the allowed clock skew is in the future.
    NotYetValid = "not_yet_valid",
    /// `iat` minus the allowed clock skew is in the future.
    IssuedInFuture = "issued_in_future",
    /// `exp - iat` is more than `max_lifetime`.
    LifetimeTooLong = "lifetime_too_long",
    /// An ID token, although `token_use: access` requires an access token.
    TokenUseMismatch = "token_use_mismatch",
    /// The token is bound to another client certificate (RFC 8705 §3.1).
    BindingMismatch = "binding_mismatch",
    /// No rule matches the request.
    NoRule = "no_rule",
    /// The caller lacks roles that the rule requires.
    RoleInsufficient = "role_insufficient",
    /// The caller lacks scopes that the rule requires.
    ScopeInsufficient = "scope_insufficient",
    /// The rule does not admit the client application.
    ClientNotAllowed = "client_not_allowed",
    /// A claim does not have a value that the rule admits.
    ClaimInsufficient = "claim_insufficient",
    /// The issuer omitted the groups because of their size, and the rule requires groups.
    GroupsOverage = "groups_overage",
    /// The rule admits the caller, but not with this body.
    BodyNotAllowed = "body_not_allowed",
    /// The body is not well-formed JSON or lacks a member that the rule requires.
    PayloadMalformed = "payload_malformed",
    /// The body asks for a stream and not for its usage, which the rule requires.
    UsageRequired = "usage_required",
    /// The body is larger than `payload.max_bytes`.
    PayloadTooLarge = "payload_too_large",
    /// The body has more rows than `payload.max_rows`.
    RowsExceeded = "rows_exceeded",
    /// The body nests deeper than `payload.max_depth`.
    DepthExceeded = "depth_exceeded",
    /// The rule does not admit the content type or encoding.
    ContentTypeNotAllowed = "content_type_not_allowed",
    /// A limit has no tokens left.
    RateLimited = "rate_limited",
    /// Too many requests of the identity are in flight.
    ConcurrencyLimited = "concurrency_limited",
    /// The request costs more than the bucket can ever hold.
    CostExceedsBurst = "cost_exceeds_burst",
    /// The provider's keys are not available.
    KeysUnavailable = "keys_unavailable",
    /// The shared store did not answer.
    StoreUnavailable = "store_unavailable",
}
