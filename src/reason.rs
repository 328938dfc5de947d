//! The stable words for each outcome, shared by replies, filter state, metrics and logs.

/// Why a request was allowed or refused.
///
/// A released word never changes, because dashboards and alerts depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The token is verified and no limit is exceeded.
    Ok,
    /// The rule requires no token, and none was used.
    Anonymous,
    /// A CORS preflight that was answered or allowed.
    Preflight,
    /// Two different tokens in one request.
    TokenMultiple,
    /// The token is longer than `token.max_bytes`.
    TokenTooLarge,
    /// The path has more than one reading; see `ambiguous_paths`.
    PathAmbiguous,
    /// The authority is not a host with an optional port, or its port or trailing dot decides
    /// which rule applies.
    HostAmbiguous,
    /// `TRACE` or `TRACK`, or a method whose reading decides which rule applies.
    MethodNotAllowed,
    /// A token is required and there is none.
    TokenMissing,
    /// The token is not a well-formed compact JWS with unique JSON members (RFC 7515 §3.1).
    TokenMalformed,
    /// The `typ` header is not allowed.
    TypeNotAllowed,
    /// The `crit` header names extensions; none is supported (RFC 7515 §4.1.11).
    CritUnsupported,
    /// `alg` is not allowed for the provider, or does not fit the key.
    AlgorithmNotAllowed,
    /// No key of the provider has the token's `kid` or fits its algorithm.
    KeyUnknown,
    /// The signature does not verify.
    SignatureInvalid,
    /// `iss` belongs to no provider that the rule admits.
    IssuerNotAllowed,
    /// The tenant is not one of `tenants`, or differs from that of `iss`.
    TenantNotAllowed,
    /// `aud` names none of the provider's audiences.
    AudienceMismatch,
    /// A required claim is absent.
    ClaimMissing,
    /// A claim has the wrong type or form.
    ClaimMalformed,
    /// `exp` plus the allowed clock skew has passed.
    Expired,
    /// `nbf` minus the allowed clock skew is in the future.
    NotYetValid,
    /// `iat` minus the allowed clock skew is in the future.
    IssuedInFuture,
    /// `exp - iat` is more than `max_lifetime`.
    LifetimeTooLong,
    /// An ID token, although `token_use: access` requires an access token.
    TokenUseMismatch,
    /// The token is bound to another client certificate (RFC 8705 §3.1).
    BindingMismatch,
    /// No rule matches the request.
    NoRule,
    /// The caller lacks roles that the rule requires.
    RoleInsufficient,
    /// The caller lacks scopes that the rule requires.
    ScopeInsufficient,
    /// The rule does not admit the client application.
    ClientNotAllowed,
    /// A claim does not have a value that the rule admits.
    ClaimInsufficient,
    /// The issuer omitted the groups because of their size, and the rule requires groups.
    GroupsOverage,
    /// The body is not well-formed JSON or lacks a member that the rule requires.
    PayloadMalformed,
    /// The body is larger than `payload.max_bytes`.
    PayloadTooLarge,
    /// The body has more rows than `payload.max_rows`.
    RowsExceeded,
    /// The body nests deeper than `payload.max_depth`.
    DepthExceeded,
    /// The rule does not admit the content type or encoding.
    ContentTypeNotAllowed,
    /// A limit has no tokens left.
    RateLimited,
    /// Too many requests of the identity are in flight.
    ConcurrencyLimited,
    /// The request costs more than the bucket can ever hold.
    CostExceedsBurst,
    /// The provider's keys are not available.
    KeysUnavailable,
    /// The shared store did not answer.
    StoreUnavailable,
}

impl Reason {
    /// Every reason, in the order of the contract.
    pub const ALL: [Reason; 42] = [
        Self::Ok,
        Self::Anonymous,
        Self::Preflight,
        Self::TokenMultiple,
        Self::TokenTooLarge,
        Self::PathAmbiguous,
        Self::HostAmbiguous,
        Self::MethodNotAllowed,
        Self::TokenMissing,
        Self::TokenMalformed,
        Self::TypeNotAllowed,
        Self::CritUnsupported,
        Self::AlgorithmNotAllowed,
        Self::KeyUnknown,
        Self::SignatureInvalid,
        Self::IssuerNotAllowed,
        Self::TenantNotAllowed,
        Self::AudienceMismatch,
        Self::ClaimMissing,
        Self::ClaimMalformed,
        Self::Expired,
        Self::NotYetValid,
        Self::IssuedInFuture,
        Self::LifetimeTooLong,
        Self::TokenUseMismatch,
        Self::BindingMismatch,
        Self::NoRule,
        Self::RoleInsufficient,
        Self::ScopeInsufficient,
        Self::ClientNotAllowed,
        Self::ClaimInsufficient,
        Self::GroupsOverage,
        Self::PayloadMalformed,
        Self::PayloadTooLarge,
        Self::RowsExceeded,
        Self::DepthExceeded,
        Self::ContentTypeNotAllowed,
        Self::RateLimited,
        Self::ConcurrencyLimited,
        Self::CostExceedsBurst,
        Self::KeysUnavailable,
        Self::StoreUnavailable,
    ];

    /// The word itself, `snake_case`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Anonymous => "anonymous",
            Self::Preflight => "preflight",
            Self::TokenMultiple => "token_multiple",
            Self::TokenTooLarge => "token_too_large",
            Self::PathAmbiguous => "path_ambiguous",
            Self::HostAmbiguous => "host_ambiguous",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::TokenMissing => "token_missing",
            Self::TokenMalformed => "token_malformed",
            Self::TypeNotAllowed => "type_not_allowed",
            Self::CritUnsupported => "crit_unsupported",
            Self::AlgorithmNotAllowed => "algorithm_not_allowed",
            Self::KeyUnknown => "key_unknown",
            Self::SignatureInvalid => "signature_invalid",
            Self::IssuerNotAllowed => "issuer_not_allowed",
            Self::TenantNotAllowed => "tenant_not_allowed",
            Self::AudienceMismatch => "audience_mismatch",
            Self::ClaimMissing => "claim_missing",
            Self::ClaimMalformed => "claim_malformed",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::IssuedInFuture => "issued_in_future",
            Self::LifetimeTooLong => "lifetime_too_long",
            Self::TokenUseMismatch => "token_use_mismatch",
            Self::BindingMismatch => "binding_mismatch",
            Self::NoRule => "no_rule",
            Self::RoleInsufficient => "role_insufficient",
            Self::ScopeInsufficient => "scope_insufficient",
            Self::ClientNotAllowed => "client_not_allowed",
            Self::ClaimInsufficient => "claim_insufficient",
            Self::GroupsOverage => "groups_overage",
            Self::PayloadMalformed => "payload_malformed",
            Self::PayloadTooLarge => "payload_too_large",
            Self::RowsExceeded => "rows_exceeded",
            Self::DepthExceeded => "depth_exceeded",
            Self::ContentTypeNotAllowed => "content_type_not_allowed",
            Self::RateLimited => "rate_limited",
            Self::ConcurrencyLimited => "concurrency_limited",
            Self::CostExceedsBurst => "cost_exceeds_burst",
            Self::KeysUnavailable => "keys_unavailable",
            Self::StoreUnavailable => "store_unavailable",
        }
    }
}
