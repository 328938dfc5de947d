//! `WWW-Authenticate` (RFC 6750 §3).

use crate::policy::responses::Responses;
use crate::reason::Reason;
use crate::request::headers::Headers;

/// The challenge of a refusal, by its `error` attribute (RFC 6750 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// No challenge: another token would not help.
    None,
    /// A challenge without `error`: the request carried no token.
    Bare,
    InvalidRequest,
    InvalidToken,
    InsufficientScope,
}

impl Challenge {
    const fn error(self) -> Option<&'static str> {
        match self {
            Self::None | Self::Bare => None,
            Self::InvalidRequest => Some("invalid_request"),
            Self::InvalidToken => Some("invalid_token"),
            Self::InsufficientScope => Some("insufficient_scope"),
        }
    }
}

/// The value of the field. `scope`: the scopes to request. Each part is a constant or was checked at load,
/// so none needs escaping.
pub(super) fn field(
    challenge: Challenge,
    reason: Reason,
    scope: Option<&str>,
    responses: &Responses,
    headers: &Headers,
) -> String {
    let metadata = responses.challenge_metadata(headers);
    let error = challenge.error();
    let attributes = [
        ("realm", responses.realm.as_deref()),
        ("error", error),
        ("error_description", error.map(|_| reason.as_str())),
        ("scope", scope),
        // RFC 9728 §5.1.
        ("resource_metadata", metadata.map(|metadata| metadata.url.as_str())),
    ];
    let given = attributes.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let text: Vec<String> = given.map(|(name, value)| format!("{name}=\"{value}\"")).collect();
    match text.is_empty() {
        true => "Bearer".to_owned(),
        false => format!("Bearer {}", text.join(", ")),
    }
}
