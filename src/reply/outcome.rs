//! The table from a reason to its statuses, its challenge and its sentence.

use super::challenge::Challenge;
use crate::reason::Reason;

/// How a reason is answered.
pub(super) struct Outcome {
    /// The HTTP status.
    pub(super) status: u32,
    /// The gRPC status.
    pub(super) grpc_status: i32,
    /// The challenge.
    pub(super) challenge: Challenge,
    /// What was refused and what cures it, for the caller. `{limit}`, `{most}`, `{one}`, `{scopes}`, `{types}`
    /// and `{when}` stand for values of this request, see `detail`.
    pub(super) sentence: &'static str,
}

/// The table. The gRPC codes are INVALID_ARGUMENT 3, PERMISSION_DENIED 7, RESOURCE_EXHAUSTED 8, UNAVAILABLE
/// 14 and UNAUTHENTICATED 16.
pub(super) const fn outcome(reason: Reason) -> Outcome {
    use Challenge as C;
    use Reason as R;
    const fn row(
        status: u32,
        grpc_status: i32,
        challenge: Challenge,
        sentence: &'static str,
    ) -> Outcome {
        Outcome { status, grpc_status, challenge, sentence }
    }
    const fn invalid_token(sentence: &'static str) -> Outcome {
        row(401, 16, Challenge::InvalidToken, sentence)
    }
    const fn insufficient(sentence: &'static str) -> Outcome {
        row(403, 7, Challenge::InsufficientScope, sentence)
    }
    match reason {
        R::Ok | R::Anonymous | R::Preflight => row(200, 0, C::None, ""),
        R::TokenMultiple => row(
            400,
            3,
            C::InvalidRequest,
            "The request has two different tokens; send one of them.",
        ),
        R::TokenTooLarge => row(
            400,
            3,
            C::InvalidRequest,
            "The token is larger than {most} bytes; request one with fewer claims.",
        ),
        R::PathAmbiguous => row(
            400,
            3,
            C::None,
            "Servers read this path in different ways; send it without empty or dot segments, backslashes \
             and encoded slashes.",
        ),
        R::HostAmbiguous => row(
            400,
            3,
            C::None,
            "Servers read this host in different ways; send a host name, and a port only if it is needed.",
        ),
        R::MethodNotAllowed => {
            row(405, 3, C::None, "This method is not allowed here; use another one.")
        }
        R::TokenMissing => {
            row(401, 16, C::Bare, "The request has no access token; sign in and send {one}.")
        }
        R::TokenMalformed => invalid_token(
            "The token is not a signed JWT; send an access token of the identity provider.",
        ),
        R::TypeNotAllowed => {
            invalid_token("A token of this type is not accepted; send an access token.")
        }
        R::CritUnsupported => invalid_token(
            "The token needs an extension (`crit`) that is not supported; request one without it.",
        ),
        R::AlgorithmNotAllowed => invalid_token(
            "The algorithm of the token is not accepted; request one that is signed with another.",
        ),
        R::KeyUnknown => invalid_token(
            "The key of the token is unknown; request a new token from the identity provider of this \
             service.",
        ),
        R::SignatureInvalid => invalid_token(
            "The signature of the token does not verify; send the token exactly as it was issued.",
        ),
        R::IssuerNotAllowed => invalid_token(
            "The issuer of the token is not accepted; request a token from another identity provider.",
        ),
        R::TenantNotAllowed => {
            invalid_token("The tenant of the token is not accepted; sign in to another tenant.")
        }
        R::AudienceMismatch => {
            invalid_token("The token is for another service; request one for this service.")
        }
        R::ClaimMissing => {
            invalid_token("The token lacks a claim that is needed here; request one that has it.")
        }
        R::ClaimMalformed => {
            invalid_token("A claim of the token is malformed; request a new token.")
        }
        R::Expired => invalid_token("The token has expired; request a new one."),
        R::NotYetValid => invalid_token(
            "The token is not valid yet; send it later, or correct the clock of its issuer.",
        ),
        R::IssuedInFuture => {
            invalid_token("The token was issued in the future; correct the clock of its issuer.")
        }
        R::LifetimeTooLong => invalid_token(
            "The token is valid for longer than is accepted; request one with a shorter lifetime.",
        ),
        R::TokenUseMismatch => invalid_token(
            "The token has neither scopes nor roles; send an access token instead of an ID token, or have a role \
                 assigned to the application.",
        ),
        R::BindingMismatch => invalid_token(
            "The token is bound to another client certificate; connect with the certificate for which it \
             was issued.",
        ),
        R::NoRule => row(
            403,
            7,
            C::None,
            "Nothing is offered at this host, path and method; check the address.",
        ),
        R::RoleInsufficient => insufficient(
            "The caller lacks a role that is needed here; ask the owner of the service to assign it.",
        ),
        R::ScopeInsufficient => {
            insufficient("The token lacks a scope; request one with the scopes: {scopes}.")
        }
        R::ClientNotAllowed => insufficient(
            "This client application is not admitted here; ask the owner of the service to admit it.",
        ),
        R::ClaimInsufficient => insufficient(
            "The token does not have the group or claim that is needed here; ask the owner of the service \
             for access.",
        ),
        R::GroupsOverage => insufficient(
            "The token leaves out its groups because there are too many; ask for a role instead, or for \
             fewer groups.",
        ),
        R::BodyNotAllowed => insufficient(
            "The caller may not send a body like this one, such as one that names this model; ask the owner \
             of the service for access.",
        ),
        R::UsageRequired => row(
            400,
            3,
            C::None,
            "The body asks for a stream without its usage; set stream_options.include_usage to true.",
        ),
        R::PayloadMalformed => {
            row(400, 3, C::None, "The body is not well-formed, or lacks what is needed here.")
        }
        R::PayloadTooLarge => {
            row(413, 3, C::None, "The body is too large; send at most {most} bytes.")
        }
        R::RowsExceeded => {
            row(413, 3, C::None, "The body has too many rows; send at most {most} in one request.")
        }
        R::DepthExceeded => {
            row(413, 3, C::None, "The body nests too deeply; at most {most} levels are accepted.")
        }
        R::ContentTypeNotAllowed => {
            row(415, 3, C::None, "The content type is not accepted; send {types}.")
        }
        R::RateLimited => row(429, 8, C::None, "The limit '{limit}' is used up; try again {when}."),
        R::ConcurrencyLimited => row(
            429,
            8,
            C::None,
            "{most} requests of this caller are in progress, as many as may be; wait until one has ended.",
        ),
        R::CostExceedsBurst => row(
            429,
            8,
            C::None,
            "The request costs more than the limit '{limit}' can ever hold, {most}; send a smaller one.",
        ),
        R::KeysUnavailable => row(
            503,
            14,
            C::None,
            "The keys of the identity provider cannot be fetched at the moment; try again {when}.",
        ),
        R::StoreUnavailable => {
            row(503, 14, C::None, "The service cannot judge the request; try again {when}.")
        }
    }
}

#[cfg(test)]
mod tests;
