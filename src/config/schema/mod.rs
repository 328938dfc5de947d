//! The document as written: one struct for each object of the configuration, not checked yet.
//!
//! Each object is declared once, with `record!`: its reader, its JSON Schema and the reference under
//! `docs/` come from the same lines.
//!
//! - [`config`] is the whole document; [`provider`], [`token`], [`rule`], [`grant`], [`cost`],
//!   [`limit`], [`tag`], [`response`] and [`settings`] are its sections
//! - [`units`], [`unions`]: values with a form of their own
//! - [`record`], [`read`], `nearest`: how they are declared and read; `json`, `document`: their schema

mod config;
mod cost;
#[cfg(any(feature = "cli", test))]
pub(super) mod document;
#[cfg(any(feature = "cli", test))]
mod json;
mod limit;
mod nearest;
mod provider;
mod read;
mod record;
mod response;
mod rule;
mod settings;
mod token;
mod unions;
mod units;

pub(super) use config::RawConfig;
pub(super) use cost::{RawCost, RawCostFrom};
pub(super) use limit::{RawCharge, RawLimit, RawPart, RawPrice, RawRateClaim};
pub(super) use limit::{RawReserve, RawResponseCost, RawTier};
pub(super) use provider::{RawPreset, RawProvider, RawRemote};
pub(super) use read::Read;
pub(super) use response::{RawCors, RawMetadata, RawRatelimitHeaders, RawResource, RawResponses};
pub(super) use rule::{RawBodyTest, RawClaimTest, RawGrant};
pub(super) use rule::{RawMatch, RawPayload, RawRule, RawTrailingSlash};
pub(super) use settings::{
    RawAmbiguousPaths, RawClientAddress, RawStore, RawTelemetry, RawTokenCache,
};
pub(super) use settings::{RawPrivacy, RawTag};
pub(super) use token::{RawFrom, RawToken};
pub(super) use unions::{AnyOr, OneOrMore, Scalar};
pub(super) use units::{Count, DurationText, RateText, Size};

#[cfg(test)]
mod tests;
