//! `responses` as written.

use serde_json::Value;
#[cfg(any(feature = "cli", test))]
use serde_json::{Map, json};

use super::read::{self, Read};
use super::record::{record, words};
use super::units::DurationText;
use crate::config::report::{At, Report};
use crate::policy::responses::BodyForm;

record! {
    /// How decisions are reported to callers.
    RawResponses [
        /// The realm in `WWW-Authenticate`.
        realm: String { "minLength": 1, "examples": ["scoring"] },
        /// The body of a refusal. `json`: what the SDKs of OpenAI, Anthropic, Google and Azure show;
        /// `v2`: what clients of KServe and Triton show; `problem`: a problem document (RFC 9457);
        /// `jsonrpc`: an error of JSON-RPC, for MCP; `empty`: no body.
        body: BodyForm { "default": "json", "examples": ["problem"] },
        /// The longest wait that `Retry-After` asks for. A refusal with a longer wait has
        /// `x-should-retry: false` instead.
        retry_after_max: DurationText { "default": "1m", "bounds": "1s to 24h", "examples": ["10m"] },
        /// The rate limit headers of responses. `ietf`: RateLimit and RateLimit-Policy; `x`:
        /// X-RateLimit-*; `both`; `off`.
        ratelimit_headers: RawRatelimitHeaders { "default": "ietf", "examples": ["both"] },
        /// The URL of the protected resource metadata (RFC 9728). The filter serves the document
        /// and names its URL in challenges. For several resources, a list: a challenge names the
        /// first entry that matches the host and path of the request.
        resource_metadata: RawMetadata {
            "examples": ["https://ml.example.com/.well-known/oauth-protected-resource"],
        },
        /// CORS headers on the filter's own replies. If set, the filter also answers preflight
        /// requests.
        cors: RawCors { "examples": [{"allow_origins": ["https://app.example.com"]}] },
    ]
}

words! {
    BodyForm {
        Json = "json", V2 = "v2", Problem = "problem", JsonRpc = "jsonrpc", Empty = "empty",
    }
}

words! {
    /// `responses.ratelimit_headers`.
    enum RawRatelimitHeaders { Ietf = "ietf", X = "x", Both = "both", Off = "off" }
}

/// `responses.resource_metadata`.
#[derive(Debug)]
pub(in crate::config) enum RawMetadata {
    /// The URL of the one document.
    Url(String),
    /// Several resources.
    List(Vec<RawResource>),
}

impl Read for RawMetadata {
    fn read(value: &Value, at: &At, report: &mut Report) -> Option<Self> {
        if let Value::Array(_) = value {
            return Read::read(value, at, report).map(Self::List);
        }
        read::text(value, "a URL, or a list of resources", at, report).map(Self::Url)
    }

    #[cfg(any(feature = "cli", test))]
    fn schema(definitions: &mut Map<String, Value>) -> Value {
        json!({ "oneOf": [
            { "type": "string" },
            { "type": "array", "items": RawResource::schema(definitions), "minItems": 1 },
        ]})
    }
}

record! {
    /// One protected resource and its metadata (RFC 9728).
    RawResource [
        /// The URL of the document. The filter serves the document at the path of the URL; if two
        /// entries share a path, the host selects the document.
        url: String {
            "required": true,
            "examples": ["https://ml.example.com/.well-known/oauth-protected-resource/mcp"],
        },
        /// The resource identifier. Default: derived from the URL, `https://host/path` for
        /// `https://host/.well-known/oauth-protected-resource/path`.
        resource: String { "examples": ["https://ml.example.com/mcp"] },
        /// The hosts whose challenges name this document, as in `match.hosts`. Default: all.
        hosts: Vec<String> { "minItems": 1, "examples": [["ml.example.com"]] },
        /// The paths whose challenges name this document, as in `match.paths`. Default: all.
        paths: Vec<String> { "minItems": 1, "examples": [["/mcp", "/mcp/**"]] },
        /// The providers whose issuers are listed as authorization servers. Default: all.
        providers: Vec<String> { "minItems": 1, "examples": [["main"]] },
        /// The listed scopes. Default: the scopes that rules require.
        scopes: Vec<String> { "minItems": 1, "examples": [["mcp:read"]] },
    ]
}

record! {
    /// Which origins may read the filter's own replies.
    RawCors [
        /// Origins such as `https://app.example.com` or `https://[::1]:8443`;
        /// `https://*.example.com` for all subdomains; or `*` for all origins.
        allow_origins: Vec<String> {
            "required": true, "minItems": 1,
            "examples": [["https://app.example.com", "https://*.example.com"]],
        },
        /// Whether browsers may send credentials. Cannot be combined with the origin `*`.
        allow_credentials: bool { "default": false, "examples": [true] },
    ]
}
