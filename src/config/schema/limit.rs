//! `limits` as written.

use super::record::record;
use super::{Count, OneOrMore, RateText, RawCharge, RawGrant};

record! {
    /// A limit: one bucket of tokens for each value of its key.
    RawLimit { "dependentRequired": { "response_cost": ["charge"] } } [
        /// The name: a label in metrics and rules; unique.
        name: String { "required": true, "pattern": "^[a-z0-9_-]{1,32}$" },
        /// A template: who shares a bucket. Where it has no value, the address of the client.
        key: String { "default": "{@identity}" },
        /// How fast a bucket fills.
        rate: RateText { "required": true },
        /// How much a bucket holds. By default the N of the rate.
        burst: Count { "minimum": 1 },
        /// Other rates for some callers: the first that matches is taken.
        tiers: Vec<RawTier> { "minItems": 1 },
        /// The claim that holds a caller's own rate.
        rate_claim: RawRateClaim,
        /// When a request is charged. `request`: when it comes; `response`: what `response_cost`
        /// finds, when the response ends.
        charge: RawCharge { "default": "request" },
        /// What a response costs; with `charge: response` and only there.
        response_cost: RawResponseCost,
        /// Whether the limit decides and reports, and lets pass.
        dry_run: bool { "default": false },
    ]
}

record! {
    /// Another rate for some callers.
    RawTier [
        /// What the caller must be granted.
        when: RawGrant { "required": true },
        /// How fast the bucket fills.
        rate: RateText { "required": true },
        /// How much the bucket holds. By default the N of the rate.
        burst: Count { "minimum": 1 },
    ]
}

record! {
    /// A claim that holds the caller's own rate.
    RawRateClaim [
        /// The claim: a name, or a JSON Pointer where it begins with `/`. Its value is the N of the
        /// rate.
        claim: String { "required": true, "minLength": 1 },
        /// The highest rate, and the period of all.
        max: RateText { "required": true },
    ]
}

record! {
    /// What a response costs.
    RawResponseCost [
        /// A JSON Pointer to a number in the body of the response, or several: the first that the
        /// response has counts. Fractions are rounded up; a negative number costs nothing.
        json: OneOrMore { "required": true },
        /// What a response without the number costs: one with a content coding, one that breaks off,
        /// one that the caller does not wait for. By default the cost of the rule.
        missing: Count { "minimum": 0, "maximum": 1_000_000_000 },
    ]
}
