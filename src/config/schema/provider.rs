//! `providers` as written.

use serde::Deserialize;

use super::object::object;
use super::{AnyOr, DurationText, RawBind, RawPreset, RawTokenUse, Secret};

/// An entry of `providers`.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub(in crate::config) struct RawProvider {
    pub(in crate::config) name: Option<String>,
    pub(in crate::config) preset: Option<RawPreset>,
    pub(in crate::config) issuers: Option<Vec<String>>,
    pub(in crate::config) tenants: Option<AnyOr>,
    pub(in crate::config) audiences: Option<AnyOr>,
    pub(in crate::config) algorithms: Option<Vec<String>>,
    pub(in crate::config) keys: Option<RawKeys>,
    pub(in crate::config) clock_skew: Option<DurationText>,
    pub(in crate::config) require_exp: Option<bool>,
    pub(in crate::config) max_lifetime: Option<DurationText>,
    pub(in crate::config) typ: Option<Vec<String>>,
    pub(in crate::config) token_use: Option<RawTokenUse>,
    pub(in crate::config) bind: Option<RawBind>,
    pub(in crate::config) identity: Option<Vec<String>>,
}
object!(RawProvider, "an object: a provider");

/// `keys`: exactly one member is given.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub(in crate::config) struct RawKeys {
    pub(in crate::config) inline: Option<Secret>,
    pub(in crate::config) env: Option<String>,
    pub(in crate::config) remote: Option<RawRemote>,
}
object!(RawKeys, "an object with one of inline, env, remote");

/// `keys.remote`: exactly one of `uri` and `discovery` is given.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub(in crate::config) struct RawRemote {
    pub(in crate::config) uri: Option<String>,
    pub(in crate::config) discovery: Option<String>,
    pub(in crate::config) cluster: Option<String>,
    pub(in crate::config) timeout: Option<DurationText>,
    pub(in crate::config) refresh_interval: Option<DurationText>,
    pub(in crate::config) unknown_kid_interval: Option<DurationText>,
    pub(in crate::config) max_stale: Option<DurationText>,
}
object!(RawRemote, "an object with one of uri, discovery, and with cluster");
