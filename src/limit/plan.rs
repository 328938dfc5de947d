//! Applies the limits of a rule to a caller: which bucket, under which quota, at what cost.
//!
//! # Separate buckets
//!
//! A tier and a rate in a token each have a bucket of their own, even with the numbers of the limit. In
//! a common bucket, a caller with two tokens could drain it under the larger burst and have it clamped
//! to the smaller. So a caller with two tokens has the sum of both quotas; the issuer decides which
//! tokens a caller has. Quotas with different numbers never share a bucket: not two tiers, not limits of
//! one name in two filters, and not the quotas before and after a change of the configuration, so a
//! new rate or burst starts with full buckets.

use std::rc::Rc;

use super::owner::Owner;
use super::quota::Quota;
use super::rate_claim::RateClaim;
use super::request::{Mode, Request};
use crate::body::meter::Measure;
use crate::caller::grant::Grant;
use crate::template::Template;
use crate::verify::claims::Claims;

/// One entry of `limits`.
#[derive(Clone, Debug)]
pub struct Limit {
    /// The label in headers, metrics and logs.
    pub name: String,
    /// The key of a bucket: one bucket for each value.
    pub key: Template,
    /// The quota of callers without a tier or a rate claim.
    pub quota: Quota,
    /// The quotas of callers with certain claims; the first tier that fits applies.
    pub tiers: Vec<Tier>,
    /// The claim that contains a rate; it takes precedence over tiers and quota.
    pub rate_claim: Option<RateClaim>,
    /// The cost in the response. With it, the response is charged and not the request.
    pub response_cost: Option<ResponseCost>,
    /// Whether requests that the limit would refuse pass.
    pub dry_run: bool,
}

/// `limits[].response_cost`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseCost {
    /// How the cost follows from the numbers in the response.
    pub measure: Measure,
    /// The cost of a response without the number; `None`: the cost of the rule.
    pub missing: Option<u64>,
}

/// One entry of `limits[].tiers`.
#[derive(Clone, Debug)]
pub struct Tier {
    /// What the claims of the caller must contain.
    pub when: Grant,
    /// The quota of its bucket.
    pub quota: Quota,
}

/// One limit of a rule as it applies to one request.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The limit.
    pub limit: Rc<Limit>,
    /// The owner of the bucket.
    pub owner: Owner,
    /// The quota of the bucket.
    pub quota: Quota,
    /// The tokens to take.
    pub cost: u64,
    /// The name of the bucket if it is not that of the limit.
    bucket: Option<String>,
}

impl Planned {
    /// Applies a limit to a caller, with the claims of an authenticated one.
    pub fn new(limit: &Rc<Limit>, owner: Owner, claims: Option<&Claims>, cost: u64) -> Self {
        let (bucket, quota) = select(limit, claims);
        Self { limit: Rc::clone(limit), owner, quota, cost, bucket }
    }

    /// The name of the bucket if it is not that of the limit: for a tier, or for a rate in the token.
    pub fn bucket(&self) -> Option<&str> {
        self.bucket.as_deref()
    }

    /// The request to the bucket.
    pub fn request(&self) -> Request<'_> {
        let limit = &*self.limit;
        Request {
            limit: self.bucket.as_ref().unwrap_or(&limit.name),
            owner: self.owner.as_deref(),
            quota: &self.quota,
            cost: self.cost,
            mode: if limit.response_cost.is_some() { Mode::Ask } else { Mode::Take },
            dry_run: limit.dry_run,
        }
    }

    /// The charge at the end of the response: the number `found` in it, else the cost that the limit
    /// has for a missing one, else the cost of the request. A response that is not `whole` has such a
    /// number only so far: it costs no less than one without.
    pub fn charge(&self, found: Option<u64>, whole: bool) -> Request<'_> {
        let missing = self.limit.response_cost.as_ref().and_then(|cost| cost.missing);
        let missing = missing.unwrap_or(self.cost);
        let cost = match found {
            Some(found) if whole => found,
            found => found.unwrap_or(0).max(missing),
        };
        Request { cost, ..self.request() }
    }
}

/// The bucket and the quota of a caller under a limit: by the rate in its token, else by its first
/// tier, else those of the limit.
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
