//! `limits`.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::rc::Rc;

use super::headers::Headers;
use super::{grant, read, reserve, response_cost};
use crate::caller::grant::Grant;
use crate::config::report::{At, Report, quoted};
use crate::config::schema::{Count, RateText, RawConfig, RawLimit, RawRateClaim, RawTier};
use crate::config::units::{self, Rate};
use crate::limit::entry::policy_item;
use crate::limit::plan::{Limit, Tier};
use crate::limit::quota::Quota;
use crate::limit::rate_claim::RateClaim;

/// `burst`; [`Quota::new`] checks it together with the rate.
const BURST: RangeInclusive<u64> = 1..=u64::MAX;

/// Compiles all limits; none by default.
pub(super) fn limits(
    raw: &RawConfig,
    headers: &Headers<'_>,
    report: &mut Report,
) -> Option<Vec<Rc<Limit>>> {
    let at = At::root().field("limits");
    let mut taken = BTreeSet::new();
    let list = raw.limits.as_deref().unwrap_or_default();
    let limits = read::all(list, &at, report, |raw, at, report| {
        limit(raw, headers, &mut taken, at, report)
    })?;
    let numbered = (0..).zip(limits);
    Some(numbered.map(|(position, limit)| Rc::new(Limit { position, ..limit })).collect())
}

/// The limit of the metadata documents, a bucket for each address: 10/s, in bursts of 100. A login reads at most
/// four of them, so a whole office behind one address can log in at once.
pub(super) fn of_metadata(headers: &Headers<'_>, report: &mut Report) -> Option<Rc<Limit>> {
    let raw = RawLimit {
        name: Some("resource_metadata".to_owned()),
        key: Some("{@client_address}".to_owned()),
        rate: Some(RateText("10/s".to_owned())),
        burst: Some(Count(100)),
        ..RawLimit::default()
    };
    limit(&raw, headers, &mut BTreeSet::new(), &At::root(), report).map(Rc::new)
}

fn limit<'a>(
    raw: &'a RawLimit,
    headers: &Headers<'_>,
    taken: &mut BTreeSet<&'a str>,
    at: &At,
    report: &mut Report,
) -> Option<Limit> {
    let name = read::name(raw.name.as_ref(), taken, at, report);
    let key = raw.key.as_deref().unwrap_or("{@identity}");
    let key = headers.template(key, &at.field("key"), report);
    let quota = quota(raw.rate.as_ref(), raw.burst, at, report);
    let tiers = raw.tiers.as_deref().unwrap_or_default();
    let tiers = read::all(tiers, &at.field("tiers"), report, tier);
    if raw.tiers.as_ref().is_some_and(Vec::is_empty) {
        report.problem(&at.field("tiers"), "is an empty list; leave it out");
    }
    let response_cost = response_cost::response_cost(raw, at, report);
    let debt = response_cost.is_some();
    let owing = |quota: Quota| if debt { quota.with_debt() } else { quota };
    let rate_claim = raw.rate_claim.as_ref().map(|claim| {
        let burst = raw.burst.map(|burst| burst.0);
        rate_claim(claim, burst, debt, &at.field("rate_claim"), report)
    });
    let (reserve, price) = reserve::compile(raw, at, report);
    let (name, quota) = (name?, owing(quota?));
    let tiers = tiers?.into_iter().map(|(when, quota)| {
        let quota = owing(quota);
        Tier { when, quota, item: policy_item(&name, &quota) }
    });
    let limit = Limit {
        tiers: tiers.collect(),
        item: policy_item(&name, &quota),
        name,
        position: 0,
        key: key?,
        quota,
        rate_claim: match rate_claim {
            Some(compiled) => Some(compiled?),
            None => None,
        },
        response_cost,
        reserve,
        price,
        dry_run: raw.dry_run.unwrap_or(false),
    };
    reserve::check_fit(&limit, raw, at, report);
    Some(limit)
}

/// `rate` and `burst`; the default of `burst` is the N of the rate.
fn quota(
    text: Option<&RateText>,
    burst: Option<Count>,
    at: &At,
    report: &mut Report,
) -> Option<Quota> {
    // The burst is checked even if the rate is absent or wrong.
    let burst = burst.map(|b| read::count(Some(b), 1, BURST, &at.field("burst"), report));
    let at = at.field("rate");
    let Rate { tokens, period } = rate(text, &at, report)?;
    let quota = Quota::new(tokens, period, burst.unwrap_or(tokens));
    quota
        .map_err(|error| {
            report.problem(&at, format_args!("is not a valid quota with its burst: {error}"))
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

fn tier(raw: &RawTier, at: &At, report: &mut Report) -> Option<(Grant, Quota)> {
    let when = raw.when.as_ref().map(|when| {
        let at = at.field("when");
        grant::without_body(when, &at, report);
        grant::grant(when, &at, report)
    });
    if when.is_none() {
        report.required(&at.field("when"), "the grants of the caller");
    }
    let quota = quota(raw.rate.as_ref(), raw.burst, at, report);
    Some((when?, quota?))
}

/// `rate_claim`. Every number up to `max` must be a valid quota, so that no check is left when a token
/// arrives. The smallest number has the slowest refill, the largest one the finest.
fn rate_claim(
    raw: &RawRateClaim,
    burst: Option<u64>,
    debt: bool,
    at: &At,
    report: &mut Report,
) -> Option<RateClaim> {
    let claim = read::claim(raw.claim.as_deref(), &at.field("claim"), report);
    let at = at.field("max");
    let Rate { tokens: most, period } = rate(raw.max.as_ref(), &at, report)?;
    let compiled = RateClaim { claim: claim?, most, period, burst, debt };
    // Reducing the fraction of a rate only makes its numbers smaller.
    let fits = u32::try_from(most).is_ok() && compiled.quota(1).is_some();
    if !fits || compiled.quota(most).is_none() {
        report.problem(
            &at,
            format_args!(
                "is not a valid quota with every number up to it; allowed: at most {} per \
                 period, and a burst that 1 per period fills within ten years",
                u32::MAX
            ),
        );
        return None;
    }
    Some(compiled)
}
