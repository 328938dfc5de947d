//! The entries of `limits`, compiled.

use std::borrow::Cow;

use super::quota::Quota;
use super::rate_claim::RateClaim;
use super::reserve::{Price, Reserve};
use crate::body::meter::Measure;
use crate::caller::grant::Grant;
use crate::caller::grant::entries::Entries;
use crate::template::Template;
use crate::time::seconds_up;

/// One entry of `limits`.
#[derive(Clone, Debug)]
pub struct Limit {
    /// The label in headers, metrics and logs.
    pub name: String,
    /// Its position in the policy.
    pub position: u32,
    /// The key of a bucket: one bucket for each value.
    pub key: Template,
    /// The quota of callers without a tier or a rate claim.
    pub quota: Quota,
    /// Its [`policy_item`].
    pub item: String,
    /// The quotas of callers with certain claims; the first tier that fits applies.
    pub tiers: Entries<Tier>,
    /// The claim that contains a rate; it takes precedence over tiers and quota.
    pub rate_claim: Option<RateClaim>,
    /// The cost in the response. With it, the response is charged and not the request.
    pub response_cost: Option<ResponseCost>,
    /// What a request takes until its response has a cost.
    pub reserve: Option<Reserve>,
    /// What a token of each model costs.
    pub price: Option<Price>,
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
    /// Its [`policy_item`].
    pub item: String,
}

impl AsRef<Grant> for Tier {
    fn as_ref(&self) -> &Grant {
        &self.when
    }
}

impl Limit {
    /// The item of `RateLimit-Policy` for one of its quotas.
    pub fn policy_item(&self, quota: &Quota) -> Cow<'_, str> {
        let tiers = self.tiers.iter().map(|tier| (&tier.quota, &tier.item));
        let mut known = std::iter::once((&self.quota, &self.item)).chain(tiers);
        match known.find(|(own, _)| *own == quota) {
            Some((_, item)) => item.into(),
            None => policy_item(&self.name, quota).into(),
        }
    }
}

/// The item of `RateLimit-Policy` for a quota of a limit with this name (RFC 9651 §3.1).
pub fn policy_item(name: &str, quota: &Quota) -> String {
    let (mut burst, mut window) = (itoa::Buffer::new(), itoa::Buffer::new());
    let window = window.format(seconds_up(quota.refill()));
    ["\"", name, "\";q=", burst.format(quota.burst()), ";w=", window].concat()
}
