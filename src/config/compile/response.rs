//! `responses`.

use super::{read, uri};
use crate::config::report::{At, Report, quoted};
use crate::config::schema::{RawBody, RawCors, RawRatelimitHeaders, RawResponses};
use crate::policy::Responses;

/// Compiles `responses`; problem documents and the IETF fields by default.
pub(super) fn responses(raw: Option<&RawResponses>, report: &mut Report) -> Responses {
    let at = At::root().field("responses");
    let mut responses =
        Responses { realm: None, problem_body: true, ratelimit_ietf: true, ratelimit_x: false };
    let Some(raw) = raw else { return responses };
    if let Some(realm) = &raw.realm {
        let at = at.field("realm");
        read::header_text(realm, &at, report);
        // Without them the quoted string of RFC 9110 §11.5 needs no escapes.
        if realm.contains(['"', '\\']) || realm.is_empty() {
            report.problem(&at, "is empty or holds a quote or a backslash");
        }
        responses.realm = Some(realm.clone());
    }
    responses.problem_body = raw.body != Some(RawBody::Empty);
    (responses.ratelimit_ietf, responses.ratelimit_x) = match raw.ratelimit_headers {
        None | Some(RawRatelimitHeaders::Ietf) => (true, false),
        Some(RawRatelimitHeaders::X) => (false, true),
        Some(RawRatelimitHeaders::Both) => (true, true),
        Some(RawRatelimitHeaders::Off) => (false, false),
    };
    if let Some(text) = &raw.resource_metadata {
        uri::http(text, &at.field("resource_metadata"), report);
    }
    if let Some(raw) = &raw.cors {
        cors(raw, &at.field("cors"), report);
    }
    responses
}

/// Judges `cors`: origins as browsers send them, or `*`, which the Fetch standard forbids beside
/// credentials.
fn cors(raw: &RawCors, at: &At, report: &mut Report) {
    let origins = at.field("allow_origins");
    let Some(list) = &raw.allow_origins else {
        report.required(&origins, "a list of origins such as https://app.example.com");
        return;
    };
    if list.is_empty() {
        read::texts(list, &origins, report);
    }
    for (index, text) in list.iter().enumerate() {
        let at = origins.index(index);
        if text == "*" && raw.allow_credentials == Some(true) {
            report.problem(&at, "* stands not beside allow_credentials: true; name the origins");
        } else if text != "*" && !uri::is_origin(text) {
            report.problem(
                &at,
                format_args!("{} is not an origin; allowed: scheme://host[:port]", quoted(text)),
            );
        }
    }
}
