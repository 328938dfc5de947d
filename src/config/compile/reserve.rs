//! `limits[].reserve` and `limits[].price`.

use std::ops::RangeInclusive;

use super::{payload, read};
use crate::config::report::{At, Report};
use crate::config::schema::{OneOrMore, RawCharge, RawLimit, RawPrice, RawReserve};
use crate::limit::plan::Limit;
use crate::limit::reserve::{Price, Reserve};
use crate::template::ClaimRef;

/// `reserve.default`, `reserve.max`: `limits[].burst` bounds them further.
const TOKENS: RangeInclusive<u64> = 1..=1_000_000_000;

/// `reserve.bytes_per_token`.
const BYTES: RangeInclusive<u64> = 1..=1_000_000;

/// The price of a token.
const PRICE: RangeInclusive<u64> = 1..=1_000_000;

/// The longest name of a model, bytes: that of `{@body:/pointer}`.
const NAME: usize = 256;

/// Compiles both; a wrong one has a problem.
pub(super) fn compile(
    raw: &RawLimit,
    at: &At,
    report: &mut Report,
) -> (Option<Reserve>, Option<Price>) {
    let reserve_at = at.field("reserve");
    if raw.reserve.is_some() && raw.charge != Some(RawCharge::Response) {
        report.problem(
            &reserve_at,
            "is only allowed with charge: response; add that, or remove this",
        );
    }
    let reserve = raw.reserve.as_ref().and_then(|raw| reserve(raw, &reserve_at, report));
    let price = raw.price.as_ref().and_then(|raw| price(raw, &at.field("price"), report));
    (reserve, price)
}

fn reserve(raw: &RawReserve, at: &At, report: &mut Report) -> Option<Reserve> {
    let json = raw.json.as_ref().map(|json| pointers(json, &at.field("json"), report));
    let max = read::count(raw.max, 1, TOKENS, &at.field("max"), report);
    if raw.max.is_none() {
        report.required(&at.field("max"), "the most tokens that one request reserves");
        return None;
    }
    let default = read::count(raw.default, max, TOKENS, &at.field("default"), report);
    if default > max {
        report.problem(
            &at.field("default"),
            format_args!("is more than max, {max}; lower it, or raise max"),
        );
    }
    let bytes = at.field("bytes_per_token");
    let each = raw.bytes_per_token;
    let bytes_per_token = each.map(|each| read::count(Some(each), 1, BYTES, &bytes, report));
    Some(Reserve { json: json.unwrap_or_default(), default, max, bytes_per_token })
}

fn pointers(json: &OneOrMore, at: &At, report: &mut Report) -> Vec<Vec<String>> {
    match json {
        OneOrMore::One(text) => pointer(text, at, report).into_iter().collect(),
        OneOrMore::More(list) => payload::pointer_list(list, at, report),
    }
}

fn pointer(text: &str, at: &At, report: &mut Report) -> Option<Vec<String>> {
    match read::pointer(text, at, report)? {
        ClaimRef::Pointer(tokens) => Some(tokens),
        ClaimRef::Name(_) => None,
    }
}

fn price(raw: &RawPrice, at: &At, report: &mut Report) -> Option<Price> {
    let of_at = at.field("of");
    let list = raw.of.as_ref().map(|of| of.0.as_slice()).unwrap_or_default();
    if list.is_empty() {
        report.required(&of_at, "the models and their prices: {gpt-5: 10}");
    }
    let mut of = Vec::new();
    for (name, count) in list {
        let at = of_at.field(name);
        // It becomes the label of a metric.
        let plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b';' | b'"' | b'\\');
        if !(1..=NAME).contains(&name.len()) || !name.bytes().all(plain) {
            report.problem(
                &at,
                format_args!("is no name of a model; allowed: 1 to {NAME} printable ASCII characters other than ; \" \\"),
            );
        }
        of.push((name.clone(), read::count(Some(*count), 1, PRICE, &at, report)));
    }
    let default = read::count(raw.default, 1, PRICE, &at.field("default"), report);
    if raw.default.is_none() {
        report.required(&at.field("default"), "the price of all other models");
    }
    let at = at.field("json");
    match raw.json.as_deref() {
        None => {
            report.required(&at, "a JSON Pointer to the model in the body, such as /model");
            None
        }
        Some(text) => Some(Price { json: pointer(text, &at, report)?, of, default }),
    }
}

/// Refuses a reservation that no bucket can hold.
pub(super) fn check_fit(limit: &Limit, raw: &RawLimit, at: &At, report: &mut Report) {
    let Some(reserve) = &limit.reserve else { return };
    let price = limit.price.as_ref().map_or(1, Price::highest);
    let most = reserve.max.saturating_mul(price);
    let tiers = limit.tiers.iter().map(|tier| tier.quota);
    let quotas = [limit.quota].into_iter().chain(tiers).enumerate();
    let at_max = at.field("reserve").field("max");
    for (index, burst) in quotas.map(|(index, quota)| (index, quota.burst())) {
        if most <= burst {
            continue;
        }
        let whose = match index.checked_sub(1) {
            None => "the limit".to_owned(),
            Some(tier) => format!("tiers[{tier}]"),
        };
        report.problem(&at_max, format_args!("reserves up to {} × {price} = {most} tokens, and a bucket of {whose} holds {burst}: such a request would never pass; lower max, or raise the burst", reserve.max));
    }
    if limit.rate_claim.is_some() && raw.burst.is_none() {
        report.problem(
            &at.field("rate_claim"),
            "needs a burst with reserve: without it, the burst is the number in the token, which may be less than one request reserves; add burst",
        );
    }
}
