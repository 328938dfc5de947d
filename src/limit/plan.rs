//! From a rule and a caller to what is asked of the buckets: which bucket, under which quota, at
//! what cost.
//!
//! # Buckets of their own
//!
//! A quota that one caller has beside another (a tier, a rate of its token's own) has a bucket of
//! its own, whether or not its numbers differ from the limit's. In one bucket, a caller who holds two
//! tokens could drain it under the larger burst and have it clamped to the smaller. So such a caller
//! has the sum of both; the issuer decides who does. Quotas whose numbers differ never share a bucket:
//! not two tiers, not two filters that have a limit of one name, and not the quotas before and after a
//! push, which begins with full buckets where it changes a rate or a burst.

use crate::limit::quota::Quota;
use crate::limit::table::Region;
use crate::limit::{Mode, Request};
use crate::policy::Limit;
use crate::policy::rule::Cost;
use crate::request::headers::Headers;
use crate::template::ClaimRef;
use crate::verify::claims::Claims;

/// One limit of a rule as it applies to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Index into `Policy::limits`.
    pub limit: usize,
    /// The bucket's owner.
    pub owner: String,
    /// Whether the owner is a verified caller.
    pub region: Region,
    /// What the bucket grants.
    pub quota: Quota,
    /// Tokens to take.
    pub cost: u64,
    /// The bucket's name where it is not the limit's.
    bucket: Option<String>,
}

impl Planned {
    /// Applies a limit to a caller; `claims` are those of an authenticated one.
    pub fn new(
        (index, limit): (usize, &Limit),
        (region, owner): (Region, String),
        claims: Option<&Claims>,
        cost: u64,
    ) -> Self {
        let (bucket, quota) = select(limit, claims);
        Self { limit: index, owner, region, quota, cost, bucket }
    }

    /// The bucket's name where it is not the limit's: of a tier, or of the token's own rate.
    pub fn bucket(&self) -> Option<&str> {
        self.bucket.as_deref()
    }

    /// What is asked of the bucket; `limit` is the one planned for.
    pub fn request<'a>(&'a self, limit: &'a Limit) -> Request<'a> {
        Request {
            limit: self.bucket.as_ref().unwrap_or(&limit.name),
            identity: &self.owner,
            region: self.region,
            quota: &self.quota,
            cost: self.cost,
            mode: if limit.response_cost.is_some() { Mode::Ask } else { Mode::Take },
            dry_run: limit.dry_run,
        }
    }

    /// What is charged when the response ends: the number found in it, else what the limit says of
    /// one without it, else the request's cost.
    pub fn charge<'a>(&'a self, limit: &'a Limit, found: Option<u64>) -> Request<'a> {
        let missing = limit.response_cost.as_ref().and_then(|cost| cost.missing);
        let cost = found.or(missing).unwrap_or(self.cost);
        Request { cost, ..self.request(limit) }
    }
}

/// What the rows of a body cost; `None` where the rule does not count them.
pub fn cost_of_rows(cost: &Cost, rows: u64) -> Option<u64> {
    match cost {
        Cost::Rows { max } => Some(rows.min(*max).max(1)),
        Cost::Fixed(_) | Cost::Header { .. } => None,
    }
}

/// The caller's bucket and quota under a limit: by its token's own number, else by the first tier
/// that it is in, else the limit's.
fn select(limit: &Limit, claims: Option<&Claims>) -> (Option<String>, Quota) {
    let name = &limit.name;
    if let Some(claims) = claims {
        let own = limit.rate_claim.as_ref().and_then(|rate| rate.of(claims));
        if let Some((number, quota)) = own {
            return (Some(format!("{name}/claim{number}")), quota);
        }
        let tier = limit.tiers.iter().enumerate().find(|(_, tier)| tier.when.holds(claims));
        if let Some((index, tier)) = tier {
            return (Some(format!("{name}/tier{index}")), tier.quota);
        }
    }
    (None, limit.quota)
}

/// `rate_claim`: the rate that a token itself carries.
#[derive(Clone, Debug)]
pub struct RateClaim {
    /// Where the number stands.
    pub claim: ClaimRef,
    /// The largest number that counts; larger ones count as this.
    pub most: u64,
    /// The period that the number is for, that of `max`, nanoseconds.
    pub period_ns: u64,
    /// The bucket's size; `None`: the number itself.
    pub burst: Option<u64>,
    /// Whether the bucket may owe, see [`Quota::with_debt`].
    pub debt: bool,
}

impl RateClaim {
    /// The number that counts, and the quota that it makes.
    ///
    /// `None` when the token has none: the claim is absent or is no number. A fraction is rounded
    /// down, and what is below 1 counts as 1: an issuer that says zero means the least there is, and
    /// no number may come to mean "no limit". Digits in a text are a number, as many identity
    /// providers emit custom attributes as texts alone.
    fn of(&self, claims: &Claims) -> Option<(u64, Quota)> {
        let number = number(claims.get(&self.claim)?)?.clamp(1, self.most);
        let quota = self.quota(number)?;
        Some((number, quota))
    }

    /// The quota of a number; `None` when it makes none, which the configuration rules out.
    pub fn quota(&self, number: u64) -> Option<Quota> {
        let quota = Quota::new(number, self.period_ns, self.burst.unwrap_or(number)).ok()?;
        Some(if self.debt { quota.with_debt() } else { quota })
    }
}

/// The whole part of a JSON number, 0 where it is negative; also of a text of digits alone.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn number(value: &serde_json::Value) -> Option<u64> {
    match value {
        // A float that is out of range saturates, which is what `max` is for.
        serde_json::Value::Number(n) => n.as_u64().or_else(|| n.as_f64().map(|n| n as u64)),
        serde_json::Value::String(text) => digits(text.as_bytes()),
        _ => None,
    }
}

/// The number that decimal digits alone make; what is too long for a `u64` is its largest.
fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |sum: u64, digit: &u8| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    Some(text.iter().fold(0, add))
}

/// What a request costs by its headers, at least 1.
///
/// A header that is absent costs 1. One that says no number, zero, or more than `max`, or that comes
/// twice or in another spelling that a server may take for it, costs `max`: whoever sends nonsense
/// must not be better off than whoever tells the truth.
/// What the header says is the caller's word; whoever acts on the batch must hold it to that.
pub fn cost(cost: &Cost, headers: &Headers) -> u64 {
    let (name, max) = match cost {
        Cost::Fixed(cost) => return *cost,
        Cost::Header { name, max } => (name, *max),
        // Counted when the body was read.
        Cost::Rows { .. } => return 1,
    };
    let mut lines = headers.spellings(name);
    match (lines.next(), lines.next()) {
        (None, _) => 1,
        (Some((given, value)), None) if given == name.as_bytes() => {
            match digits(value.trim_ascii()) {
                Some(number) if (1..=max).contains(&number) => number,
                _ => max,
            }
        }
        (Some(_), _) => max,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_batch_header_costs_its_number_and_nonsense_costs_the_most() {
        let rule = Cost::Header { name: "x-batch".into(), max: 100 };
        for (values, want) in [
            (&[][..], 1),
            (&["1"], 1),
            (&["42"], 42),
            (&[" 7 "], 7),
            (&["007"], 7),
            (&["100"], 100),
            (&["101"], 100),
            (&["99999999999999999999999999"], 100),
            (&["0"], 100),
            (&["-5"], 100),
            (&["+5"], 100),
            (&["1.5"], 100),
            (&["1e1"], 100),
            (&["ten"], 100),
            (&[""], 100),
            (&["5,6"], 100),
            (&["5", "5"], 100),
        ] {
            let headers: Vec<_> = values.iter().map(|value| ("x-batch", value)).collect();
            assert_eq!(cost(&rule, &Headers::from_pairs(&headers)), want, "{values:?}");
        }
        assert_eq!(cost(&Cost::Fixed(3), &Headers::default()), 3);
    }

    #[test]
    fn a_batch_header_in_another_spelling_costs_the_most() {
        let rule = Cost::Header { name: "x-batch".into(), max: 100 };
        for (pairs, want) in [
            (&[("x-batch", "5")][..], 5),
            (&[("x_batch", "50")], 100),
            (&[("x~batch", "1")], 100),
            (&[("x-batch", "5"), ("x_batch", "50")], 100),
            (&[("X.Batch", "5"), ("x-batch", "5")], 100),
            (&[("xbatch", "50"), ("x-batches", "50")], 1),
        ] {
            assert_eq!(cost(&rule, &Headers::from_pairs(pairs)), want, "{pairs:?}");
        }
    }

    #[test]
    fn a_claimed_rate_is_a_number_of_whole_tokens() {
        for (value, want) in [
            (json!(5), Some(5)),
            (json!(5.9), Some(5)),
            (json!(0.5), Some(0)),
            (json!(0), Some(0)),
            (json!(-3), Some(0)),
            (json!(-3.5), Some(0)),
            (json!(1e300), Some(u64::MAX)),
            (json!("50"), Some(50)),
            (json!(""), None),
            (json!("-1"), None),
            (json!("5/s"), None),
            (json!(true), None),
            (json!(null), None),
            (json!([5]), None),
            (json!({}), None),
        ] {
            assert_eq!(number(&value), want, "{value}");
        }
    }
}
