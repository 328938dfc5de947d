//! `rules` as written.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::object::object;
use super::{Count, RawAuth, RawCost, Scalar, Size};

/// An entry of `rules`.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub(in crate::config) struct RawRule {
    pub(in crate::config) name: Option<String>,
    #[serde(rename = "match")]
    pub(in crate::config) matcher: Option<RawMatch>,
    pub(in crate::config) auth: Option<RawAuth>,
    pub(in crate::config) providers: Option<Vec<String>>,
    pub(in crate::config) allow: Option<Vec<RawGrant>>,
    pub(in crate::config) limits: Option<Vec<String>>,
    pub(in crate::config) cost: Option<RawCost>,
    pub(in crate::config) concurrency: Option<Count>,
    pub(in crate::config) payload: Option<RawPayload>,
    pub(in crate::config) upstream_authorization: Option<RawUpstreamAuthorization>,
    pub(in crate::config) dry_run: Option<bool>,
}
object!(RawRule, "an object: a rule");

/// `match`.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub(in crate::config) struct RawMatch {
    pub(in crate::config) hosts: Option<Vec<String>>,
    pub(in crate::config) paths: Option<Vec<String>>,
    pub(in crate::config) methods: Option<Vec<String>>,
    pub(in crate::config) headers: Option<BTreeMap<String, String>>,
}
object!(RawMatch, "an object with hosts, paths, methods, headers");

/// An entry of `allow`, and `when` of a tier: all members must hold.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub(in crate::config) struct RawGrant {
    pub(in crate::config) roles_any: Option<Vec<String>>,
    pub(in crate::config) roles_all: Option<Vec<String>>,
    pub(in crate::config) scopes_any: Option<Vec<String>>,
    pub(in crate::config) scopes_all: Option<Vec<String>>,
    pub(in crate::config) groups_any: Option<Vec<String>>,
    pub(in crate::config) clients: Option<Vec<String>>,
    pub(in crate::config) claims: Option<Vec<RawClaimTest>>,
}
object!(
    RawGrant,
    "an object with roles_any, roles_all, scopes_any, scopes_all, groups_any, clients, claims"
);

/// An entry of `claims`: a claim and exactly one test of it.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub(in crate::config) struct RawClaimTest {
    pub(in crate::config) claim: Option<String>,
    pub(in crate::config) any_of: Option<Vec<Scalar>>,
    pub(in crate::config) equals: Option<Scalar>,
    pub(in crate::config) contains: Option<Scalar>,
    pub(in crate::config) exists: Option<bool>,
}
object!(RawClaimTest, "an object with claim and one of equals, any_of, contains, exists");

/// `cost` when it is not a number: exactly one of `header` and `json_rows` is given.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub(in crate::config) struct RawCostFrom {
    pub(in crate::config) header: Option<String>,
    pub(in crate::config) json_rows: Option<Vec<String>>,
    pub(in crate::config) max: Option<Count>,
}
object!(RawCostFrom, "an object with one of header, json_rows, and with max");

/// `payload`.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub(in crate::config) struct RawPayload {
    pub(in crate::config) content_types: Option<Vec<String>>,
    pub(in crate::config) max_bytes: Option<Size>,
    pub(in crate::config) require_any: Option<Vec<String>>,
    pub(in crate::config) max_rows: Option<Count>,
    pub(in crate::config) max_depth: Option<Count>,
}
object!(RawPayload, "an object with content_types, max_bytes, require_any, max_rows, max_depth");

/// `upstream_authorization`.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub(in crate::config) struct RawUpstreamAuthorization {
    pub(in crate::config) env: Option<String>,
    pub(in crate::config) prefix: Option<String>,
}
object!(RawUpstreamAuthorization, "an object with env, prefix");
