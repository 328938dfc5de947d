//! The replies that the filter sends itself: refusals, preflights and resource metadata.
//!
//! - `outcome` maps a reason to its statuses and its challenge.
//! - `challenge`, `rate_limit`, `cors` and `problem` write one part of the reply each.
//! - [`Recipient`] describes the caller, which may expect a gRPC status instead of an HTTP status.

mod challenge;
mod cors;
mod outcome;
mod problem;
mod rate_limit;
mod recipient;

use crate::gate::verdict::{Denial, LimitReport, OwnAnswer};
use crate::policy::Policy;
use crate::reason::Reason;
use challenge::Challenge;
use outcome::outcome;
pub use rate_limit::rate_limit_fields;
pub use recipient::Recipient;
use recipient::Rpc;

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
    /// A problem document (RFC 9457), the bare reason for gRPC, or empty.
    pub body: String,
}

/// Composes the reply to a denied request. `limits`: the known state of the caller's buckets.
pub fn compose(
    denial: &Denial,
    limits: &[LimitReport],
    policy: &Policy,
    recipient: Recipient<'_>,
) -> Reply {
    let responses = &policy.responses;
    let (status, grpc_status, challenge) = outcome(denial.reason);
    let reason = denial.reason.as_str();
    let mut headers = vec![("cache-control", "no-store".to_owned())];
    if challenge != Challenge::None {
        let challenge = challenge::field(challenge, denial, responses, recipient.headers);
        headers.push(("www-authenticate", challenge));
    }
    if denial.reason == Reason::MethodNotAllowed {
        headers.push(("allow", ALLOW.to_owned()));
    }
    if let Some(wait) = denial.retry_after {
        headers.push(("retry-after", rate_limit::seconds_up(wait).max(1).to_string()));
    }
    headers.extend(rate_limit_fields(limits, policy));
    headers.extend(cors::fields(responses, recipient.headers));
    let (status, body) = match recipient.rpc {
        Rpc::Native => (status, reason.to_owned()),
        Rpc::Web => {
            headers.push(("content-type", "application/grpc-web+proto".to_owned()));
            headers.push(("grpc-status", grpc_status.to_string()));
            headers.push(("grpc-message", reason.to_owned()));
            (200, String::new())
        }
        Rpc::No if responses.problem_body => {
            headers.push(("content-type", "application/problem+json".to_owned()));
            (status, problem::document(status, denial.reason))
        }
        Rpc::No => (status, String::new()),
    };
    Reply { status, grpc_status, headers, body }
}

/// Composes the reply to a request that the filter answers in place of the upstream.
pub fn answer(answer: OwnAnswer, policy: &Policy, recipient: Recipient<'_>) -> Reply {
    let responses = &policy.responses;
    let mut headers = cors::fields(responses, recipient.headers);
    let document = match answer {
        OwnAnswer::ResourceMetadata(at) => responses.resource_metadata.get(at),
        OwnAnswer::Preflight => None,
    };
    let (status, body) = match document {
        Some(metadata) => {
            headers.push(("content-type", "application/json".to_owned()));
            headers.push(("cache-control", "max-age=300".to_owned()));
            (200, metadata.document.clone())
        }
        None => {
            headers.extend(cors::preflight_fields(recipient.headers));
            (204, String::new())
        }
    };
    Reply { status, grpc_status: -1, headers, body }
}

#[cfg(test)]
mod tests;
