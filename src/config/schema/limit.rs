//! `limits` as written.

use serde::Deserialize;

use super::object::object;
use super::{Count, RateText, RawCharge, RawGrant};

/// An entry of `limits`.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub(in crate::config) struct RawLimit {
    pub(in crate::config) name: Option<String>,
    pub(in crate::config) key: Option<String>,
    pub(in crate::config) rate: Option<RateText>,
    pub(in crate::config) burst: Option<Count>,
    pub(in crate::config) tiers: Option<Vec<RawTier>>,
    pub(in crate::config) rate_claim: Option<RawRateClaim>,
    pub(in crate::config) charge: Option<RawCharge>,
    pub(in crate::config) response_cost: Option<RawResponseCost>,
    pub(in crate::config) dry_run: Option<bool>,
}
object!(RawLimit, "an object: a limit");

/// An entry of `tiers`.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub(in crate::config) struct RawTier {
    pub(in crate::config) when: Option<RawGrant>,
    pub(in crate::config) rate: Option<RateText>,
    pub(in crate::config) burst: Option<Count>,
}
object!(RawTier, "an object with when, rate, burst");

/// `rate_claim`.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub(in crate::config) struct RawRateClaim {
    pub(in crate::config) claim: Option<String>,
    pub(in crate::config) max: Option<RateText>,
}
object!(RawRateClaim, "an object with claim, max");

/// `response_cost`.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub(in crate::config) struct RawResponseCost {
    pub(in crate::config) json: Option<String>,
}
object!(RawResponseCost, "an object with json");
