//! `limits`.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use super::{grant, read};
use crate::config::report::{At, Report, quoted};
use crate::config::schema::{
    Count, RateText, RawCharge, RawConfig, RawLimit, RawRateClaim, RawTier,
};
use crate::config::units::{self, Rate};
use crate::limit::quota::Quota;
use crate::policy::Limit;

/// `burst` as far as it is judged here; [`Quota::new`] judges it together with the rate.
const BURST: RangeInclusive<u64> = 1..=u64::MAX;

/// Compiles all limits; none by default.
pub(super) fn limits(raw: &RawConfig, report: &mut Report) -> Option<Vec<Limit>> {
    let at = At::root().field("limits");
    let mut taken = HashSet::new();
    let list = raw.limits.as_deref().unwrap_or_default();
    let compiled: Vec<Option<Limit>> = list
        .iter()
        .enumerate()
        .map(|(index, raw)| limit(raw, &mut taken, &at.index(index), report))
        .collect();
    compiled.into_iter().collect()
}

fn limit<'a>(
    raw: &'a RawLimit,
    taken: &mut HashSet<&'a str>,
    at: &At,
    report: &mut Report,
) -> Option<Limit> {
    let name = read::name(raw.name.as_ref(), taken, at, report);
    let key = raw.key.as_deref().unwrap_or("{@identity}");
    let key = read::template(key, &at.field("key"), report);
    let quota = quota(raw.rate.as_ref(), raw.burst, at, report);
    for (index, raw) in raw.tiers.iter().flatten().enumerate() {
        tier(raw, &at.field("tiers").index(index), report);
    }
    if raw.tiers.as_ref().is_some_and(Vec::is_empty) {
        report.problem(&at.field("tiers"), "is an empty list; leave it out");
    }
    if let Some(raw) = &raw.rate_claim {
        rate_claim(raw, &at.field("rate_claim"), report);
    }
    response_cost(raw, at, report);
    Some(Limit { name: name?, key: key?, quota: quota? })
}

/// `rate` and `burst`, which is the rate's N by default.
fn quota(
    text: Option<&RateText>,
    burst: Option<Count>,
    at: &At,
    report: &mut Report,
) -> Option<Quota> {
    // The burst is judged even where the rate is missing or wrong.
    let burst = burst.map(|b| read::count(Some(b), 1, BURST, &at.field("burst"), report));
    let at = at.field("rate");
    let Rate { tokens, period } = rate(text, &at, report)?;
    let period = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
    let quota = Quota::new(tokens, period, burst.unwrap_or(tokens));
    quota
        .map_err(|error| {
            report.problem(&at, format_args!("does not make a quota with its burst: {error}"))
        })
        .ok()
}

fn rate(text: Option<&RateText>, at: &At, report: &mut Report) -> Option<Rate> {
    let Some(RateText(text)) = text else {
        report.required(at, "N/s, N/m, N/h, N/d or N/<duration>");
        return None;
    };
    let rate = units::rate(text);
    rate.map_err(|error| report.problem(at, format_args!("{} {error}", quoted(text)))).ok()
}

fn tier(raw: &RawTier, at: &At, report: &mut Report) {
    match &raw.when {
        Some(when) => {
            grant::grant(when, &at.field("when"), report);
        }
        None => report.required(&at.field("when"), "what the caller must be granted"),
    }
    quota(raw.rate.as_ref(), raw.burst, at, report);
}

fn rate_claim(raw: &RawRateClaim, at: &At, report: &mut Report) {
    read::claim(raw.claim.as_ref(), &at.field("claim"), report);
    rate(raw.max.as_ref(), &at.field("max"), report);
}

/// `response_cost` stands with `charge: response` and only there.
fn response_cost(raw: &RawLimit, at: &At, report: &mut Report) {
    let at = at.field("response_cost");
    match (raw.charge, &raw.response_cost) {
        (Some(RawCharge::Response), None) => {
            report.required(&at, "{json: /pointer}, because charge is response");
        }
        (None | Some(RawCharge::Request), Some(_)) => {
            report.problem(&at, "stands only with charge: response");
        }
        (Some(RawCharge::Response), Some(cost)) => match &cost.json {
            Some(text) => {
                read::pointer(text, &at.field("json"), report);
            }
            None => report.required(&at.field("json"), "a JSON Pointer"),
        },
        (None | Some(RawCharge::Request), None) => {}
    }
}
