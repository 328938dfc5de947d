//! The replies that the filter sends itself: refusals, preflights and resource metadata.
//!
//! - `outcome` maps a reason to its statuses, its challenge and its sentence; `detail` fills the sentence.
//! - `challenge`, `wait`, `rate_limit`, `cors`, `document` and `grpc_web` write one part of the reply each.
//! - [`Recipient`] describes the caller, which may expect a gRPC status instead of an HTTP status.

mod challenge;
mod cors;
mod detail;
mod document;
mod grpc_web;
mod outcome;
mod rate_limit;
mod recipient;
mod wait;

use crate::gate::facts::Facts;
use crate::gate::verdict::{Denial, OwnAnswer};
use crate::policy::Policy;
use crate::policy::rule::Rule;
use crate::reason::Reason;
use challenge::Challenge;
use document::Content;
use outcome::{Outcome, outcome};
pub use rate_limit::rate_limit_fields;
pub use recipient::Recipient;
use recipient::Rpc;
use wait::Wait;

/// The methods that rules may admit; a 405 must name them (RFC 9110 §15.5.6).
const ALLOW: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// A complete reply for the host to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u32,
    /// The gRPC status for native gRPC, where the host turns the reply into trailers; -1: none.
    pub grpc_status: i32,
    /// Header names, in lower case, and values.
    pub headers: Vec<(&'static str, String)>,
    /// The document of `responses.body`, for gRPC the bare reason, for gRPC-Web a frame, or empty.
    pub body: Vec<u8>,
}

/// Composes the reply to a denied request. `facts`: the findings about it; `random` spreads the wait.
pub fn compose(
    denial: &Denial,
    facts: &Facts,
    policy: &Policy,
    recipient: Recipient<'_>,
    random: u32,
) -> Reply {
    let responses = &policy.responses;
    let Outcome { status, grpc_status, challenge, .. } = outcome(denial.reason);
    let reason = denial.reason.as_str();
    let rule = facts.rule.as_deref();
    let mut headers = vec![("cache-control", "no-store".to_owned())];
    if challenge != Challenge::None {
        // RFC 6750 §3. A 403 names the scopes of the entry that the caller almost fits.
        let scope_of_rule = rule.filter(|_| status == 401).and_then(Rule::scope_of_challenge);
        let scope = denial.scope.as_deref().or(scope_of_rule);
        let challenge =
            challenge::field(challenge, denial.reason, scope, responses, recipient.headers);
        headers.push(("www-authenticate", challenge));
    }
    if denial.reason == Reason::MethodNotAllowed {
        headers.push(("allow", ALLOW.to_owned()));
    }
    let wait = Wait::of(denial, responses.retry_after_max, random);
    headers.extend(wait.fields(recipient.rpc));
    let mut add = |name, value: &str| headers.push((name, value.to_owned()));
    rate_limit_fields(&facts.limits, policy, &mut add);
    headers.extend(cors::fields(responses, recipient.headers));
    let (status, body) = match recipient.rpc {
        Rpc::Native => (status, reason.into()),
        Rpc::Web { text } => {
            let (media_type, frame) = grpc_web::trailers(grpc_status, reason, text);
            headers.push(("content-type", media_type.to_owned()));
            (200, frame)
        }
        Rpc::No => {
            let form = rule.and_then(|rule| rule.body).unwrap_or(responses.body);
            let detail = detail::detail(denial, facts, policy);
            let retry_after = wait.seconds();
            let reason = denial.reason;
            let content = Content { status, grpc_status, reason, detail: &detail, retry_after };
            let (media_type, body) = document::document(form, &content).unzip();
            headers.extend(media_type.map(|value| ("content-type", value.to_owned())));
            (status, body.unwrap_or_default().into())
        }
    };
    Reply { status, grpc_status, headers, body }
}

/// Composes the reply to a request that the filter answers in place of the upstream.
pub fn answer(answer: OwnAnswer, policy: &Policy, recipient: Recipient<'_>) -> Reply {
    let responses = &policy.responses;
    let preflight = recipient.headers.value(":method") == Some(b"OPTIONS");
    let metadata = match answer {
        OwnAnswer::ResourceMetadata(at) => responses.resource_metadata.get(at),
        OwnAnswer::Preflight => None,
    };
    let mut headers = match metadata {
        // The document is public (RFC 9728 §3.1).
        Some(_) => vec![("access-control-allow-origin", "*".to_owned())],
        None => cors::fields(responses, recipient.headers),
    };
    let (status, body) = match metadata {
        Some(metadata) if !preflight => {
            headers.push(("content-type", "application/json".to_owned()));
            headers.push(("cache-control", "max-age=300".to_owned()));
            (200, metadata.document.clone().into())
        }
        _ => {
            headers.extend(cors::preflight_fields(recipient.headers));
            (204, Vec::new())
        }
    };
    Reply { status, grpc_status: -1, headers, body }
}

#[cfg(test)]
mod tests;
