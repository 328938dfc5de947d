//! The body of a refusal, in the form that its caller reads.

use serde_json::Value;

use crate::policy::responses::BodyForm;
use crate::reason::Reason;

/// What every form says.
pub(super) struct Content<'a> {
    pub(super) status: u32,
    pub(super) grpc_status: i32,
    pub(super) reason: Reason,
    pub(super) detail: &'a str,
    /// The wait that `retry-after` asks for, in seconds.
    pub(super) retry_after: Option<u64>,
}

/// The media type and the document; `None` for an empty body.
#[cold]
#[inline(never)]
pub(super) fn document(form: BodyForm, content: &Content<'_>) -> Option<(&'static str, String)> {
    let Content { status, reason, detail, .. } = *content;
    let word = reason.as_str();
    let message = quoted(&format!("{word}: {detail}"));
    let code = canonical(content.grpc_status);
    let problem = format!(
        r#""type":"about:blank","title":"{}","status":{status},"detail":{},"reason":"{word}""#,
        title(status),
        quoted(detail)
    );
    Some(match form {
        BodyForm::Empty => return None,
        BodyForm::Problem => ("application/problem+json", format!("{{{problem}}}")),
        BodyForm::Json => {
            let error = format!(
                r#"{{"type":"{}","code":"{word}","status":"{code}","message":{message},"param":null}}"#,
                error_type(status)
            );
            ("application/json", format!(r#"{{{problem},"message":{message},"error":{error}}}"#))
        }
        BodyForm::V2 => {
            ("application/json", format!(r#"{{{problem},"message":{message},"error":{message}}}"#))
        }
        BodyForm::JsonRpc => {
            let wait = match content.retry_after {
                Some(seconds) => seconds.to_string(),
                None => "null".to_owned(),
            };
            let data = format!(r#"{{"status":{status},"reason":"{word}","retry_after":{wait}}}"#);
            let error = format!(r#"{{"code":-32001,"message":{message},"data":{data}}}"#);
            ("application/json", format!(r#"{{"jsonrpc":"2.0","id":null,"error":{error}}}"#))
        }
    })
}

/// A JSON string.
#[inline(never)]
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
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

/// `error.type` as OpenAI and Anthropic name it.
pub(super) const fn error_type(status: u32) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        503 => "api_error",
        _ => "invalid_request_error",
    }
}

/// The canonical code of a gRPC status, `error.status` of Google's interfaces.
pub(super) const fn canonical(grpc_status: i32) -> &'static str {
    match grpc_status {
        0 => "OK",
        3 => "INVALID_ARGUMENT",
        7 => "PERMISSION_DENIED",
        8 => "RESOURCE_EXHAUSTED",
        16 => "UNAUTHENTICATED",
        _ => "UNAVAILABLE",
    }
}

#[cfg(test)]
mod tests;
