//! `rules` as written.

use std::collections::BTreeMap;

use crate::body::IncludeUsage;
use crate::config::schema::cost::RawCost;
use crate::config::schema::record::{record, words};
use crate::config::schema::settings::RawAmbiguousPaths;
use crate::config::schema::unions::Scalar;
use crate::config::schema::units::{Count, Size};
use crate::policy::responses::BodyForm;
use crate::policy::rule::Auth;

record! {
    /// What a rule requires of matching requests.
    RawRule [
        /// The unique name, used in metrics and logs.
        name: String { "required": true, "pattern": "^[a-z0-9_-]{1,32}$", "examples": ["score"] },
        /// The requests that the rule applies to. Default: all.
        matcher = "match": RawMatch { "examples": [{"paths": ["/score"], "methods": ["POST"]}] },
        /// Whether a token is required. `optional`: a token that is present must be valid; `none`:
        /// tokens are ignored.
        auth: Auth { "default": "required", "examples": ["none"] },
        /// The names of the providers whose tokens are accepted. Default: all.
        providers: Vec<String> { "minItems": 1, "examples": [["main"]] },
        /// The grants that the caller needs; one matching entry is enough. Default: every valid
        /// token is admitted.
        allow: Vec<RawGrant> {
            "minItems": 1,
            "examples": [[{"roles_any": ["Model.Score"]}, {"scopes_all": ["score.invoke"]}]],
        },
        /// The names of the limits that apply. Every limit must have enough tokens left.
        limits: Vec<String> { "default": [], "examples": [["per-caller"]] },
        /// The number of tokens that a request takes from each limit, or where to find that number.
        cost: RawCost { "default": 1, "examples": [5, {"json_rows": ["/data"], "max": 1000}] },
        /// The maximum number of requests of one identity in flight. Default: unlimited.
        concurrency: Count { "minimum": 1, "maximum": 1_000_000, "examples": [8] },
        /// The body guard: requirements on the request body. Default: none.
        payload: RawPayload {
            "examples": [
                {"content_types": ["application/json"], "max_rows": 100, "require_any": ["/data"]},
            ],
        },
        /// A key that the upstream receives once a request is allowed, in place of what the caller
        /// sent in that header.
        upstream_authorization: RawUpstreamAuthorization {
            "examples": [{"env": "AML_ENDPOINT_KEY", "prefix": "Bearer "}],
        },
        /// The body of refusals by this rule, as in `responses.body`. Default: `responses.body`.
        body: BodyForm { "examples": ["v2"] },
        /// Whether the rule makes and reports decisions without refusing requests.
        dry_run: bool { "default": false, "examples": [true] },
    ]
}

words!(Auth { Required = "required", Optional = "optional", None = "none" });

record! {
    /// The requests that a rule applies to. Every given member must match.
    RawMatch [
        /// Hosts without port: `ml.example.com`, or `*.example.com` for all subdomains.
        hosts: Vec<String> { "minItems": 1, "examples": [["ml.example.com", "*.ml.example.com"]] },
        /// Exact paths. `*` matches one segment or a part of one (`/models/*:predict`); `{name}` does
        /// the same, and templates can use the text (`{@path:name}`); a trailing `**` matches any
        /// remainder.
        paths: Vec<String> {
            "minItems": 1,
            "examples": [["/score", "/models/*:predict", "/endpoints/{endpoint}/**"]],
        },
        /// Whether to ignore the case of ASCII letters in the path, as some servers do.
        ignore_case: bool { "default": false, "examples": [true] },
        /// Whether `/score/` matches `/score`, as in some servers. `strict`: it does not; `ignore`:
        /// it does.
        trailing_slash: RawTrailingSlash { "default": "strict", "examples": ["ignore"] },
        /// Whether a segment may contain `%2F`, for upstreams that treat it as data. Default: the
        /// value of `ambiguous_paths`.
        encoded_slash: RawAmbiguousPaths { "examples": ["allow"] },
        /// Methods such as GET; case-sensitive.
        methods: Vec<String> { "minItems": 1, "examples": [["GET", "POST"]] },
        /// Header names and their required values; `*` requires only that the header is present.
        headers: BTreeMap<String, String> {
            "examples": [{"azureml-model-deployment": "blue", "x-tenant": "*"}],
        },
    ]
}

words! {
    /// `rules[].match.trailing_slash`.
    enum RawTrailingSlash { Strict = "strict", Ignore = "ignore" }
}

record! {
    /// Requirements on the request body. It is read as JSON only if `require_any`, `max_rows`, `max_depth`,
    /// `include_usage`, `allow[].body`, `cost.json_rows`, a limit with `reserve` or `price`, or a template asks for it.
    RawPayload [
        /// The accepted media types, as `type/subtype`, and `none` for a body without one. Default: any.
        content_types: Vec<String> {
            "minItems": 1,
            "examples": [["application/json", "text/csv"]],
        },
        /// The maximum size of the body.
        max_bytes: Size { "default": "1MiB", "bounds": "1 to 67108864", "examples": ["256KiB"] },
        /// JSON Pointers; at least one must resolve. A member whose name differs only by letter
        /// case is refused. A `text/csv` body whose rows are counted needs no pointer if
        /// `content_types` lists it.
        require_any: Vec<String> { "minItems": 1, "examples": [["/input_data/data", "/data"]] },
        /// The maximum number of rows, counted as in `cost.json_rows`, at its pointers and those of
        /// `require_any`. A body without rows is refused. Default: unlimited.
        max_rows: Count { "minimum": 1, "examples": [100] },
        /// The maximum nesting depth of objects and arrays.
        max_depth: Count { "default": 128, "minimum": 1, "maximum": 1_024, "examples": [32] },
        /// Whether a body that asks for a stream (`stream`) must ask for its usage, too
        /// (`stream_options.include_usage`), as in OpenAI's chat API. `add`: the member is added or set
        /// to true; `require`: the body is refused without it; `off`: it passes.
        include_usage: IncludeUsage { "default": "off", "examples": ["add"] },
    ]
}

words!(IncludeUsage { Off = "off", Add = "add", Require = "require" });

record! {
    /// A key that the upstream receives in place of what the caller sent in that header.
    RawUpstreamAuthorization [
        /// The VM environment variable that holds the key.
        env: String {
            "required": true, "pattern": "^[A-Za-z_][A-Za-z0-9_]{0,127}$",
            "examples": ["AML_ENDPOINT_KEY"],
        },
        /// The header that carries the key, such as `api-key`, `x-api-key` or `x-goog-api-key`.
        header: String { "default": "authorization", "examples": ["api-key"] },
        /// The text before the key in the header, such as `Bearer `.
        prefix: String { "default": "", "examples": ["Bearer "] },
    ]
}

record! {
    /// Grants of a caller. All members must hold.
    RawGrant { "minProperties": 1 } [
        /// At least one of these roles.
        roles_any: Vec<String> { "minItems": 1, "examples": [["Model.Score", "Model.Batch"]] },
        /// All of these roles.
        roles_all: Vec<String> { "minItems": 1, "examples": [["Model.Score", "Region.EU"]] },
        /// At least one of these scopes.
        scopes_any: Vec<String> { "minItems": 1, "examples": [["score.invoke", "score.batch"]] },
        /// All of these scopes.
        scopes_all: Vec<String> { "minItems": 1, "examples": [["score.invoke"]] },
        /// Member of at least one of these groups.
        groups_any: Vec<String> { "minItems": 1, "examples": [["data-science"]] },
        /// One of these clients (`azp`, `appid` or `client_id`).
        clients: Vec<String> {
            "minItems": 1,
            "examples": [["11111111-2222-3333-4444-555555555555"]],
        },
        /// One of these acts for the subject: `act.sub`, or the agent of an Entra agent token.
        actors_any: Vec<String> {
            "minItems": 1,
            "examples": [["spiffe://example.org/agents/planner"]],
        },
        /// Tests of single claims.
        claims: Vec<RawClaimTest> {
            "minItems": 1,
            "examples": [[{"claim": "email_verified", "equals": true}]],
        },
        /// Tests of single values in the body, which the rule must guard; only in `allow`. They are judged when
        /// the body has ended.
        body: Vec<RawBodyTest> {
            "minItems": 1,
            "examples": [[{"json": "/model", "any_of": ["gpt-5", "gpt-5-mini"]}]],
        },
    ]
}

record! {
    /// A value in the body and exactly one test.
    RawBodyTest { "minProperties": 2, "maxProperties": 2 } [
        /// A JSON Pointer to the value.
        json: String { "required": true, "pattern": "^/", "examples": ["/model"] },
        /// The value is a text, number or boolean that equals one of these.
        any_of: Vec<Scalar> { "minItems": 1, "examples": [["gpt-5", "gpt-5-mini"]] },
        /// The value is a text, number or boolean that equals this one.
        equals: Scalar { "examples": ["gpt-5"] },
        /// Whether the value must be present or absent; `null` counts as absent.
        exists: bool { "examples": [false] },
    ]
}

record! {
    /// A claim and exactly one test.
    RawClaimTest { "minProperties": 2, "maxProperties": 2 } [
        /// The claim: a name, or a JSON Pointer if it starts with `/`.
        claim: String {
            "required": true, "minLength": 1,
            "examples": ["department", "/realm_access/roles"],
        },
        /// The claim equals one of these values, or is a list that contains one of them.
        any_of: Vec<Scalar> { "minItems": 1, "examples": [["research", "risk"]] },
        /// The claim equals this value.
        equals: Scalar { "examples": [true] },
        /// The claim is a list that contains this value.
        contains: Scalar { "examples": ["scorer"] },
        /// Whether the claim must be present or absent.
        exists: bool { "examples": [true] },
    ]
}
