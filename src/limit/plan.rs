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

use std::rc::Rc;

use super::owner::Owner;
use super::quota::Quota;
use super::rate_claim::RateClaim;
use super::{Mode, Request};
use crate::body::json::pointers::Pointers;
use crate::caller::grant::Grant;
use crate::template::Template;
use crate::verify::claims::Claims;

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

/// One limit of a rule as it applies to one request.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The limit.
    pub limit: Rc<Limit>,
    /// The bucket's owner.
    pub owner: Owner,
    /// What the bucket grants.
    pub quota: Quota,
    /// Tokens to take.
    pub cost: u64,
    /// The bucket's name where it is not the limit's.
    bucket: Option<String>,
}

impl Planned {
    /// Applies a limit to a caller; `claims` are those of an authenticated one.
    pub fn new(limit: &Rc<Limit>, owner: Owner, claims: Option<&Claims>, cost: u64) -> Self {
        let (bucket, quota) = select(limit, claims);
        Self { limit: Rc::clone(limit), owner, quota, cost, bucket }
    }

    /// The bucket's name where it is not the limit's: of a tier, or of the token's own rate.
    pub fn bucket(&self) -> Option<&str> {
        self.bucket.as_deref()
    }

    /// What is asked of the bucket.
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

    /// What is charged when the response ends: the number found in it, else what the limit says of
    /// one without it, else the request's cost.
    pub fn charge(&self, found: Option<u64>) -> Request<'_> {
        let missing = self.limit.response_cost.as_ref().and_then(|cost| cost.missing);
        let cost = found.or(missing).unwrap_or(self.cost);
        Request { cost, ..self.request() }
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
