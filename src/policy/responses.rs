//! `responses`: the look of refusals, and the documents that the filter serves itself.

use std::rc::Rc;
use std::time::Duration;

use super::cors::Cors;
use crate::limit::plan::Limit;
use crate::request::headers::Headers;
use crate::request::host::Authority;
use crate::request::line::RequestLine;
use crate::request::matcher::Matcher;
use crate::request::path;
use crate::uri::HttpUri;

/// The body of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyForm {
    /// What the SDKs of OpenAI, Anthropic, Google and Azure read.
    Json,
    /// What clients of the Open Inference Protocol (KServe, Triton) read.
    V2,
    /// A problem document (RFC 9457).
    Problem,
    /// An error response of JSON-RPC 2.0.
    JsonRpc,
    /// None.
    Empty,
}

/// `responses`.
#[derive(Clone, Debug)]
pub struct Responses {
    /// The `realm` of `WWW-Authenticate`.
    pub realm: Option<String>,
    /// The body of refusals, unless the rule names another.
    pub body: BodyForm,
    /// The longest wait that a refusal asks for.
    pub retry_after_max: Duration,
    /// Whether the `RateLimit` and `RateLimit-Policy` fields are written.
    pub ratelimit_ietf: bool,
    /// Whether the `X-RateLimit-*` fields are written.
    pub ratelimit_x: bool,
    /// The metadata of each protected resource; a challenge names the first that matches.
    pub resource_metadata: Vec<ResourceMetadata>,
    /// How often an address may read their documents; `None` if there are none.
    pub metadata_limit: Option<Rc<Limit>>,
    /// The web pages that may read replies of the filter.
    pub cors: Option<Cors>,
}

/// One entry of `responses.resource_metadata` (RFC 9728), compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceMetadata {
    /// The URL that challenges name.
    pub url: String,
    /// The same URL in parts; the filter serves the document at its path.
    pub uri: HttpUri,
    /// The requests whose challenges name it; only hosts and paths are compared.
    pub requests: Matcher,
    /// The JSON document.
    pub document: String,
}

impl Responses {
    /// The entry that the challenge to a request names: the first that matches its host and path.
    pub fn challenge_metadata(&self, headers: &Headers) -> Option<&ResourceMetadata> {
        let line = RequestLine {
            authority: headers.value(":authority").and_then(Authority::parse),
            path: headers.value(":path").map(path::without_query),
            method: headers.value(":method").unwrap_or_default(),
            headers,
        };
        self.resource_metadata.iter().find(|metadata| metadata.requests.matches(&line.reading()))
    }

    /// The index of the entry whose document a request asks for: the entry at this path or, if
    /// several share the path, the one at the request's host.
    pub fn metadata_at(&self, headers: &Headers, path: &[u8]) -> Option<usize> {
        let entries = self.resource_metadata.iter().enumerate();
        let mut here = entries.filter(|(_, entry)| entry.uri.path.as_bytes() == path);
        let first = here.next()?;
        let Some(second) = here.next() else { return Some(first.0) };
        let authority = headers.value(":authority")?;
        let mut here = [first, second].into_iter().chain(here);
        here.find(|(_, entry)| entry.uri.has_authority(authority)).map(|(at, _)| at)
    }
}

#[cfg(test)]
mod tests;
