//! The checks of a token, in their order.

/// One check. A later one compares greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Its size and its three parts.
    Token,
    /// Its header.
    Header,
    /// The JSON of its payload.
    Payload,
    /// `iss`.
    Issuer,
    /// The keys that may have signed it.
    Keys,
    /// The signature.
    Signature,
    /// The tenant.
    Tenant,
    /// `aud`.
    Audience,
    /// `exp`, `nbf`, `iat`.
    Times,
    /// Claims whose type is fixed.
    Members,
    /// Whether it is an access token.
    Use,
    /// The identity of the caller.
    Identity,
    /// The client certificate that it is bound to.
    Binding,
}
