//! The compiled configuration: after load there is nothing left to parse.

pub mod rule;

use std::time::Duration;

use crate::body::json::pointers::Pointers;
use crate::caller::address::ClientAddress;
use crate::caller::grant::Grant;
use crate::caller::tags::HashKey;
use crate::limit::plan::RateClaim;
use crate::limit::quota::Quota;
use crate::policy::rule::{Matcher, Rule};
use crate::request::token_source::Place;
use crate::template::Template;
use crate::uri::HttpUri;
use crate::verify::provider::Provider;

/// Everything the filter decides by.
#[derive(Debug)]
pub struct Policy {
    /// Who may issue tokens.
    pub providers: Vec<Provider>,
    /// Where tokens are looked for.
    pub token: TokenRules,
    /// First match wins.
    pub rules: Vec<Rule>,
    /// Buckets; rules name them by index.
    pub limits: Vec<Limit>,
    /// What a verified request is tagged with.
    pub tags: Vec<Tag>,
    /// How refusals look.
    pub responses: Responses,
    /// Which decisions write `wasm.tollgate.*`.
    pub filter_state: FilterState,
    /// Whether counters are kept.
    pub metrics: bool,
    /// Which engines may verify.
    pub crypto: Crypto,
    /// How many verified tokens a worker remembers, and for how long.
    pub token_cache: TokenCache,
    /// How many identities the store may hold at once.
    pub max_identities: u32,
    /// What happens when the store cannot answer.
    pub failure_mode: FailureMode,
    /// How much of an address is one caller.
    pub client_address: ClientAddress,
    /// Whether the head of a guarded request waits for the verdict on its body.
    pub hold_head: bool,
    /// Whether paths with more than one reading are refused.
    pub reject_ambiguous_paths: bool,
    /// Whether what would be refused passes, by any rule.
    pub dry_run: bool,
}

/// `token`.
#[derive(Clone, Debug)]
pub struct TokenRules {
    /// The places that are looked at, in their order; never empty.
    pub from: Vec<Place>,
    /// Whether the upstream may see the token.
    pub forward: bool,
    /// The longest token that is looked at, bytes.
    pub max_bytes: usize,
}

/// One entry of `limits`.
#[derive(Clone, Debug)]
pub struct Limit {
    /// The label in headers, metrics and logs.
    pub name: String,
    /// Whose bucket a request takes from.
    pub key: Template,
    /// How much the bucket holds and how fast it refills.
    pub quota: Quota,
    /// Other quotas for callers that are granted something; the first that holds wins.
    pub tiers: Vec<Tier>,
    /// The rate that a token itself carries; it wins over all.
    pub rate_claim: Option<RateClaim>,
    /// Where a response says what it costs; with it, the response is charged, not the request.
    pub response_cost: Option<ResponseCost>,
    /// Whether what the limit would refuse passes.
    pub dry_run: bool,
}

/// `limits[].response_cost`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseCost {
    /// Where the number may stand; the first that the response has counts.
    pub pointers: Pointers,
    /// What a response without the number costs; `None`: what the rule says.
    pub missing: Option<u64>,
}

/// One entry of `limits[].tiers`.
#[derive(Clone, Debug)]
pub struct Tier {
    /// What the caller's claims must hold.
    pub when: Grant,
    /// What its bucket grants.
    pub quota: Quota,
}

/// One entry of `tags`.
#[derive(Clone, Debug)]
pub struct Tag {
    /// The last part of `wasm.tollgate.<name>`.
    pub name: String,
    /// What it is filled with.
    pub value: Template,
    /// The request header that carries it, lower case.
    pub header: Option<String>,
    /// Whether it is written to filter state.
    pub filter_state: bool,
    /// `hash: true`: what it is hashed with before it is written anywhere.
    pub hash: Option<HashKey>,
}

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

/// `telemetry.filter_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterState {
    /// Every decision.
    All,
    /// Refusals alone.
    Denied,
    /// None.
    Off,
}

/// `crypto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crypto {
    /// The host's verifier where its self-test passes, else the module's.
    Auto,
    /// The module's alone.
    Module,
}

/// `token_cache`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenCache {
    /// The most tokens that are remembered; 0: none.
    pub entries: u32,
    /// How long one is remembered at most.
    pub max_age: Duration,
}

/// `failure_mode`: what our own machinery's failure means for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureMode {
    /// 503 `store_unavailable`.
    Deny,
    /// The request passes unlimited.
    Allow,
}
