//! The problem document of a refusal (RFC 9457).

use crate::reason::Reason;

/// The document. Each part is a constant of this crate, so none needs escaping.
pub(super) fn document(status: u32, reason: Reason) -> String {
    format!(
        r#"{{"type":"about:blank","title":"{}","status":{status},"reason":"{}"}}"#,
        title(status),
        reason.as_str()
    )
}

/// The title of `about:blank` is the phrase of the status (RFC 9457 §4.2.1).
const fn title(status: u32) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "OK",
    }
}
