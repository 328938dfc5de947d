//! `responses`.

use super::{cors, read};
use crate::config::report::{At, Report};
use crate::config::schema::{RawBody, RawRatelimitHeaders, RawResponses};
use crate::policy::responses::Responses;

/// Compiles `responses`; problem documents and the IETF fields by default.
pub(super) fn responses(raw: Option<&RawResponses>, report: &mut Report) -> Responses {
    let at = At::root().field("responses");
    let mut responses = Responses {
        realm: None,
        problem_body: true,
        ratelimit_ietf: true,
        ratelimit_x: false,
        resource_metadata: Vec::new(),
        cors: None,
    };
    let Some(raw) = raw else { return responses };
    if let Some(realm) = &raw.realm {
        let at = at.field("realm");
        read::header_text(realm, &at, report);
        // Without them, the quoted string of RFC 9110 §11.5 needs no escapes.
        if realm.contains(['"', '\\']) || realm.is_empty() {
            report.problem(&at, "is empty or contains a quote or a backslash");
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
    if let Some(raw) = &raw.cors {
        responses.cors = cors::cors(raw, &at.field("cors"), report);
    }
    responses
}
