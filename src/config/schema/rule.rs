//! `rules` as written.

use std::collections::BTreeMap;

use super::record::record;
use super::{Count, RawAmbiguousPaths, RawAuth, RawCost, RawTrailingSlash, Scalar, Size};

record! {
    /// What is asked of the requests that match.
    RawRule [
        /// The name: a label in metrics and logs; unique.
        name: String { "required": true, "pattern": "^[a-z0-9_-]{1,32}$" },
        /// The requests that the rule is for. By default all.
        matcher = "match": RawMatch,
        /// Whether a token is needed. `optional`: one that is there must be valid; `none`: none is
        /// looked at.
        auth: RawAuth { "default": "required" },
        /// The names of the providers whose tokens are let in. By default all.
        providers: Vec<String> { "minItems": 1 },
        /// What the caller must be granted: any entry admits. By default every valid token.
        allow: Vec<RawGrant> { "minItems": 1 },
        /// The names of the limits that must all have tokens left.
        limits: Vec<String> { "default": [] },
        /// How many tokens a request takes from each limit: a number, or where it is found.
        cost: RawCost { "default": 1 },
        /// How many requests of one identity may be in flight. By default any number.
        concurrency: Count { "minimum": 1, "maximum": 1_000_000 },
        /// What the body of a request must be like. By default anything.
        payload: RawPayload,
        /// The authorization that the upstream gets in place of the caller's, once a request is
        /// allowed.
        upstream_authorization: RawUpstreamAuthorization,
        /// Whether the rule decides and reports, and lets pass.
        dry_run: bool { "default": false },
    ]
}

record! {
    /// The requests that a rule is for: every member that is given must match.
    RawMatch [
        /// Hosts without port: `ml.example.com`, or `*.example.com` for all below it.
        hosts: Vec<String> { "minItems": 1 },
        /// Paths: exact, with `*` for one segment or a part of one (`/models/*:predict`) and a last
        /// `**` for any rest.
        paths: Vec<String> { "minItems": 1 },
        /// Whether the case of ASCII letters in the path is ignored, as some servers do.
        ignore_case: bool { "default": false },
        /// Whether `/score/` is `/score`, as for some servers. `strict`: it is not; `ignore`: it is.
        trailing_slash: RawTrailingSlash { "default": "strict" },
        /// Whether `%2F` may stand inside a segment, for upstreams that take it for data. By default
        /// as `ambiguous_paths` says, which rejects it unless it is `allow`.
        encoded_slash: RawAmbiguousPaths,
        /// Methods such as GET, in their letter case.
        methods: Vec<String> { "minItems": 1 },
        /// Headers and their values; `*` for present.
        headers: BTreeMap<String, String>,
    ]
}

record! {
    /// What a caller must be granted: all members must hold.
    RawGrant { "minProperties": 1 } [
        /// At least one of these roles.
        roles_any: Vec<String> { "minItems": 1 },
        /// All of these roles.
        roles_all: Vec<String> { "minItems": 1 },
        /// At least one of these scopes.
        scopes_any: Vec<String> { "minItems": 1 },
        /// All of these scopes.
        scopes_all: Vec<String> { "minItems": 1 },
        /// Member of at least one of these groups.
        groups_any: Vec<String> { "minItems": 1 },
        /// One of these clients (`azp`, `appid` or `client_id`).
        clients: Vec<String> { "minItems": 1 },
        /// Tests of claims.
        claims: Vec<RawClaimTest> { "minItems": 1 },
    ]
}

record! {
    /// A claim and exactly one test of it.
    RawClaimTest { "minProperties": 2, "maxProperties": 2 } [
        /// The claim: a name, or a JSON Pointer where it begins with `/`.
        claim: String { "required": true, "minLength": 1 },
        /// It is one of these, or a list that holds one of them.
        any_of: Vec<Scalar> { "minItems": 1 },
        /// It is this.
        equals: Scalar,
        /// It is a list that holds this.
        contains: Scalar,
        /// Whether it is there.
        exists: bool,
    ]
}

record! {
    /// Where the cost of a request is found: exactly one of `header` and `json_rows`.
    RawCostFrom { "minProperties": 2, "maxProperties": 2 } [
        /// A request header with a number.
        header: String,
        /// JSON Pointers into the body: the rows that they lead to are counted, those of the largest
        /// where there are several. An array has its length, an object of arrays or objects its
        /// longest, V2 tensors the largest first dimension of their `shape`; anything else but
        /// `null` is refused (`payload_malformed`). A body that is an array has its length, one
        /// without rows costs `max`, and a `text/csv` body has its records less the header.
        json_rows: Vec<String> { "minItems": 1 },
        /// The most that one request may cost.
        max: Count { "required": true, "minimum": 1, "maximum": 1_000_000_000 },
    ]
}

record! {
    /// What the body of a request must be like.
    RawPayload [
        /// The media types that are let in, as `type/subtype`. By default any.
        content_types: Vec<String> { "minItems": 1 },
        /// The largest body.
        max_bytes: Size { "default": "1MiB", "bounds": "1 to 67108864" },
        /// JSON Pointers, of which at least one must lead to something; a member in another letter
        /// case is refused. A `text/csv` body that is counted has none, and passes where
        /// `content_types` names it.
        require_any: Vec<String> { "minItems": 1 },
        /// The most rows, as `cost.json_rows` counts them, over its pointers and those of
        /// `require_any`; a body without rows is refused. By default any number.
        max_rows: Count { "minimum": 1 },
        /// How deep objects and arrays may nest.
        max_depth: Count { "default": 128, "minimum": 1, "maximum": 1_024 },
    ]
}

record! {
    /// The authorization that the upstream gets in place of the caller's.
    RawUpstreamAuthorization [
        /// The environment variable of the VM that holds the key.
        env: String { "required": true, "pattern": "^[A-Za-z_][A-Za-z0-9_]{0,127}$" },
        /// What stands before the key in the header, such as `Bearer `.
        prefix: String { "default": "" },
    ]
}
