//! The table from a reason to its statuses and its challenge.

use super::challenge::Challenge;
use crate::reason::Reason;

/// HTTP status, gRPC status and challenge of a reason. The gRPC codes are INVALID_ARGUMENT 3,
/// PERMISSION_DENIED 7, RESOURCE_EXHAUSTED 8, UNAVAILABLE 14 and UNAUTHENTICATED 16.
pub(super) const fn outcome(reason: Reason) -> (u32, i32, Challenge) {
    use Reason as R;
    match reason {
        R::Ok | R::Anonymous | R::Preflight => (200, 0, Challenge::None),
        R::TokenMultiple | R::TokenTooLarge => (400, 3, Challenge::InvalidRequest),
        R::PathAmbiguous | R::HostAmbiguous | R::PayloadMalformed => (400, 3, Challenge::None),
        R::MethodNotAllowed => (405, 3, Challenge::None),
        R::TokenMissing => (401, 16, Challenge::Bare),
        R::TokenMalformed
        | R::TypeNotAllowed
        | R::CritUnsupported
        | R::AlgorithmNotAllowed
        | R::KeyUnknown
        | R::SignatureInvalid
        | R::IssuerNotAllowed
        | R::TenantNotAllowed
        | R::AudienceMismatch
        | R::ClaimMissing
        | R::ClaimMalformed
        | R::Expired
        | R::NotYetValid
        | R::IssuedInFuture
        | R::LifetimeTooLong
        | R::TokenUseMismatch
        | R::BindingMismatch => (401, 16, Challenge::InvalidToken),
        R::NoRule => (403, 7, Challenge::None),
        R::RoleInsufficient
        | R::ScopeInsufficient
        | R::ClientNotAllowed
        | R::ClaimInsufficient
        | R::GroupsOverage => (403, 7, Challenge::InsufficientScope),
        R::PayloadTooLarge | R::RowsExceeded | R::DepthExceeded => (413, 3, Challenge::None),
        R::ContentTypeNotAllowed => (415, 3, Challenge::None),
        R::RateLimited | R::ConcurrencyLimited | R::CostExceedsBurst => (429, 8, Challenge::None),
        R::KeysUnavailable | R::StoreUnavailable => (503, 14, Challenge::None),
    }
}
