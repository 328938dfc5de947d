//! The CORS header fields of the filter's own replies (Fetch standard §3.2). The upstream's responses
//! are left as they are.

use crate::policy::cors::Origins;
use crate::policy::responses::Responses;
use crate::request::headers::Headers;
use crate::template::is_token;

/// How long a browser may cache the answer to a preflight, seconds. Chromium caps it at two hours; a
/// changed configuration should take effect sooner.
const PREFLIGHT_MAX_AGE: &str = "600";

/// The longest list of tokens that a preflight gets back, bytes.
const MAX_REQUESTED: usize = 1024;

/// The header fields of a reply that pages need and browsers would hide.
const EXPOSED: &str = "www-authenticate, retry-after, x-should-retry, ratelimit, ratelimit-policy, \
                       x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset";

/// The fields that let a page of an allowed origin read the reply.
pub(super) fn fields(responses: &Responses, headers: &Headers) -> Vec<(&'static str, String)> {
    let Some(cors) = &responses.cors else { return Vec::new() };
    let mut fields = Vec::new();
    if cors.origins != Origins::Any {
        // The reply differs by origin, even for an origin that is not allowed.
        fields.push(("vary", "origin".to_owned()));
    }
    let Some(origin) = cors.allows(headers) else { return fields };
    fields.push(("access-control-allow-origin", origin.to_owned()));
    if cors.credentials {
        fields.push(("access-control-allow-credentials", "true".to_owned()));
    }
    fields.push(("access-control-expose-headers", EXPOSED.to_owned()));
    fields
}

/// The further fields of the answer to a preflight. They grant the method and the headers that the
/// page asks for: the upstream decides about those.
pub(super) fn preflight_fields(headers: &Headers) -> Vec<(&'static str, String)> {
    let requested = |name: &str| headers.value(name).and_then(list_of_tokens);
    let mut fields = vec![("access-control-max-age", PREFLIGHT_MAX_AGE.to_owned())];
    if let Some(method) = requested("access-control-request-method") {
        fields.push(("access-control-allow-methods", method));
    }
    if let Some(names) = requested("access-control-request-headers") {
        fields.push(("access-control-allow-headers", names));
    }
    fields
}

/// The text of a list of tokens (RFC 9110 §5.6.1); `None` if the value is anything else.
fn list_of_tokens(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    let valid = text.len() <= MAX_REQUESTED
        && text.split(',').all(|name| is_token(name.trim_matches([' ', '\t'])));
    valid.then(|| text.to_owned())
}
