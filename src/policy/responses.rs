//! `responses`: how refusals look, and what is answered in place of the upstream.

use crate::request::matcher::Matcher;
use crate::uri::HttpUri;

/// `responses`.
#[derive(Clone, Debug)]
pub struct Responses {
    /// The `realm` of `WWW-Authenticate`.
    pub realm: Option<String>,
    /// Whether refusals carry a problem document (RFC 9457) or nothing.
    pub problem_body: bool,
    /// Whether the `RateLimit` and `RateLimit-Policy` fields are written.
    pub ratelimit_ietf: bool,
    /// Whether the `X-RateLimit-*` fields are written.
    pub ratelimit_x: bool,
    /// The metadata of each protected resource; a challenge names the first that fits.
    pub resource_metadata: Vec<ResourceMetadata>,
    /// Which web pages may read our replies.
    pub cors: Option<Cors>,
}

/// One entry of `responses.resource_metadata`, compiled to what is answered (RFC 9728).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceMetadata {
    /// Its URL, for challenges.
    pub url: String,
    /// The URL taken apart: its path is answered by us.
    pub uri: HttpUri,
    /// The requests whose challenges name it: by host and path alone.
    pub requests: Matcher,
    /// The JSON document.
    pub document: String,
}

/// `responses.cors`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// Which origins may read.
    pub origins: Origins,
    /// Whether a page may send cookies along.
    pub credentials: bool,
}

/// `responses.cors.allow_origins`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// `*`.
    Any,
    /// These.
    Only(Vec<OriginPattern>),
}

/// An entry of `allow_origins`, as browsers write origins (Fetch standard §3.1): lower case, the
/// default port left out, IPv6 addresses in their short form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginPattern {
    /// This origin, byte for byte.
    Exact(String),
    /// `https://*.example.com`: one or more labels between these two.
    Subdomains {
        /// `https://`.
        scheme: String,
        /// `.example.com`, with the port where it is not the default one.
        suffix: String,
    },
}
