//! `limits` as written.

use super::record::{record, words};
use super::rule::RawGrant;
use super::unions::{OneOrMore, Prices};
use super::units::{Count, RateText};
use crate::body::meter::Preset;

record! {
    /// A limit: one token bucket for each value of its key.
    RawLimit { "dependentRequired": { "response_cost": ["charge"] } } [
        /// The unique name, used in rules and metrics.
        name: String {
            "required": true, "pattern": "^[a-z0-9_-]{1,32}$",
            "examples": ["per-caller"],
        },
        /// The template of the bucket key: requests with the same value share a bucket. If the
        /// template has no value, the client address is the key.
        key: String { "default": "{@identity}", "examples": ["{tid}"] },
        /// The refill rate of a bucket.
        rate: RateText { "required": true, "examples": ["10/s", "5000/d"] },
        /// The capacity of a bucket. Default: the N of the rate.
        burst: Count { "minimum": 1, "examples": [20] },
        /// Other rates for some callers. The first matching tier applies.
        tiers: Vec<RawTier> {
            "minItems": 1,
            "examples": [[{"when": {"roles_any": ["Model.Batch"]}, "rate": "100/s", "burst": 500}]],
        },
        /// A claim that contains the caller's own rate.
        rate_claim: RawRateClaim { "examples": [{"claim": "/quota/rps", "max": "100/s"}] },
        /// When a request is charged. `request`: on arrival; `response`: at the end of the
        /// response, by the value of `response_cost`.
        charge: RawCharge { "default": "request", "examples": ["response"] },
        /// The cost of a response. Required with `charge: response`, and only allowed there.
        response_cost: RawResponseCost {
            "examples": [{"json": "/usage/total_tokens", "missing": 1000}],
        },
        /// What a request takes when it is let in, settled when its response ends. Only allowed with
        /// `charge: response`.
        reserve: RawReserve {
            "examples": [{"json": ["/max_tokens", "/max_completion_tokens"], "default": 1024, "max": 16384}],
        },
        /// The price of each model: it multiplies the cost, the reservation and what the response cost.
        price: RawPrice {
            "examples": [{"json": "/model", "of": {"gpt-5": 10, "gpt-5-mini": 1}, "default": 2}],
        },
        /// Whether the limit makes and reports decisions without refusing requests.
        dry_run: bool { "default": false, "examples": [true] },
    ]
}

record! {
    /// A rate for some callers.
    RawTier [
        /// The grants that the caller needs.
        when: RawGrant { "required": true, "examples": [{"roles_any": ["Model.Batch"]}] },
        /// The refill rate of the bucket.
        rate: RateText { "required": true, "examples": ["100/s"] },
        /// The capacity of the bucket. Default: the N of the rate.
        burst: Count { "minimum": 1, "examples": [500] },
    ]
}

record! {
    /// A claim that contains the caller's own rate.
    RawRateClaim [
        /// The claim: a name, or a JSON Pointer if it starts with `/`. Its value is the N of the
        /// rate.
        claim: String { "required": true, "minLength": 1, "examples": ["/quota/rps"] },
        /// The maximum rate. Its period applies to all claimed rates.
        max: RateText { "required": true, "examples": ["100/s"] },
    ]
}

record! {
    /// The cost of a response: exactly one of `json`, `sum` and `preset`.
    RawResponseCost {
        "oneOf": [{ "required": ["json"] }, { "required": ["sum"] }, { "required": ["preset"] }],
    } [
        /// One or several JSON Pointers to a number in the response body. The first pointer that
        /// resolves applies. Fractions are rounded up; a negative number costs nothing.
        json: OneOrMore {
            "examples": [["/usage/total_tokens", "/response/usage/total_tokens"]],
        },
        /// Parts of the cost, each a number in the response body times its weight. A part that the
        /// response lacks costs nothing, unless it lacks all.
        sum: Vec<RawPart> {
            "minItems": 1,
            "examples": [[
                {"json": "/usage/input_tokens"}, {"json": "/usage/output_tokens", "weight": 4},
            ]],
        },
        /// The tokens that the responses of an API count, in and out, each weighing 1; `any`: of all
        /// these APIs.
        preset: Preset { "examples": ["openai"] },
        /// The cost of a response without the number: a compressed response, an incomplete one, or
        /// one that the caller abandons. Default: the cost of the rule.
        missing: Count { "minimum": 0, "maximum": 1_000_000_000, "examples": [1000] },
    ]
}

record! {
    /// A weighted part of the cost of a response.
    RawPart [
        /// As `json` of the cost.
        json: OneOrMore {
            "required": true,
            "examples": [["/usage/input_tokens", "/message/usage/input_tokens"]],
        },
        /// The factor of the number.
        weight: Count { "default": 1, "minimum": 1, "maximum": 1_000_000, "examples": [4] },
    ]
}

words! {
    Preset {
        OpenAi = "openai", Anthropic = "anthropic", Gemini = "gemini", Ollama = "ollama", Any = "any",
    }
}

record! {
    /// What a request reserves. A rule that uses it guards the body, if `json` or `bytes_per_token` is given.
    RawReserve [
        /// One or several JSON Pointers into the request body to the longest response that the caller asks for.
        /// The largest number counts. A value that is no number above zero reserves `max`.
        json: OneOrMore { "examples": [["/max_tokens", "/max_completion_tokens"]] },
        /// The reservation of a request that names none. Default: `max`.
        default: Count { "minimum": 1, "maximum": 1_000_000_000, "examples": [1024] },
        /// The largest reservation. Times the highest price, it must fit the burst of the limit and of each
        /// tier.
        max: Count {
            "required": true, "minimum": 1, "maximum": 1_000_000_000, "examples": [16384],
        },
        /// How many bytes of the request body reserve one token more. Default: the body reserves none.
        bytes_per_token: Count { "minimum": 1, "maximum": 1_000_000, "examples": [4] },
    ]
}

record! {
    /// The price of a token of each model, in tokens of the bucket. A rule that uses it guards the body.
    RawPrice [
        /// The JSON Pointer to the name of the model in the request body.
        json: String { "required": true, "pattern": "^/", "examples": ["/model"] },
        /// The price of each model.
        of: Prices { "required": true, "examples": [{"gpt-5": 10, "gpt-5-mini": 1}] },
        /// The price of all other models, and of a request that names none.
        default: Count { "required": true, "minimum": 1, "maximum": 1_000_000, "examples": [2] },
    ]
}

words! {
    /// `limits[].charge`.
    enum RawCharge { Request = "request", Response = "response" }
}
