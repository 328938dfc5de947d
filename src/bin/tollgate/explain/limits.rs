//! The steps after the caller is known: body guard, requests in flight, buckets.

use std::rc::Rc;

use tollgate::body::UNKNOWN_ROWS;
use tollgate::limit::Ruling;
use tollgate::limit::cost::Cost;
use tollgate::limit::owner::Owner;
use tollgate::limit::plan::{Limit, Planned, ResponseCost};
use tollgate::limit::quota::Quota;
use tollgate::policy::rule::Rule;
use tollgate::template::pointer;

use super::moment;
use super::scene::{Outcome, Read};
use super::steps::{Status, Step};
use super::trace::shown;

/// Adds one step for each of them.
pub fn steps(rule: &Rule, outcome: &Outcome, redact: bool, steps: &mut Vec<Step>) {
    let by_rows = matches!(rule.cost, Cost::Rows { .. });
    if let Some(guard) = &rule.payload {
        let step = match (outcome.facts.refusal, &outcome.read) {
            (Some(refusal), _) => Step::new("payload", Status::Failed, refusal.to_string()),
            (None, Some(read)) => payload(read, by_rows),
            (None, None) => {
                let most = guard.max_bytes;
                let summary = format!("checked while the body arrives; at most {most} bytes");
                Step::new("payload", Status::Info, summary)
            }
        };
        steps.push(step);
        if outcome.facts.refusal.is_some() {
            return;
        }
    }
    if let Some(most) = rule.concurrency {
        let summary = format!("at most {most} requests in flight");
        steps.push(Step::new("concurrency", Status::Ok, summary));
    }
    for planned in &outcome.plan {
        let limit = &planned.limit;
        let report = outcome.facts.limits.iter().find(|report| Rc::ptr_eq(&report.limit, limit));
        let status = match report.map(|report| report.ruling) {
            Some(Ruling::Never | Ruling::NotYet(_)) => Status::Failed,
            _ => Status::Ok,
        };
        let quota = quota(&planned.quota);
        let from = match planned.bucket() {
            None => String::new(),
            Some(bucket) => format!(" ({bucket})"),
        };
        let cost = cost(planned, by_rows && outcome.read.is_none());
        let summary = format!("{:?}{from}: {quota}; {cost}", limit.name);
        let of = planned.owner().map(|of| format!("bucket of {}", owner(of, redact)));
        let mut details: Vec<_> = of.into_iter().collect();
        details.extend(reservation(planned));
        details.extend(match outcome.read {
            Some(_) => priced(planned),
            None => price(limit),
        });
        if let Some(report) = report {
            let left = report.remaining;
            details.push(format!("a full bucket would have {left} left"));
        }
        if limit.dry_run {
            details.push("dry run: it refuses nothing".to_owned());
        }
        steps.push(Step::new("limit", status, summary).with(details));
    }
    let planned = |limit: &&Rc<Limit>| outcome.plan.iter().any(|p| Rc::ptr_eq(&p.limit, limit));
    for limit in rule.limits.iter().filter(|limit| !planned(limit)) {
        let (name, key) = (&limit.name, limit.key.text());
        let summary = format!("{name:?}: asked when the body has ended; its key is {key}");
        let details = reserve(limit).into_iter().chain(price(limit)).collect();
        steps.push(Step::new("limit", Status::Info, summary).with(details));
    }
}

/// The step of a body that was admitted.
fn payload(read: &Read, by_rows: bool) -> Step {
    let rows = match read.rows.filter(|_| by_rows) {
        None => String::new(),
        Some(UNKNOWN_ROWS) => ", without rows".to_owned(),
        Some(rows) => format!(", {rows} rows"),
    };
    let summary = format!("{} bytes{rows}: admitted", read.check.bytes());
    let step = Step::new("payload", Status::Ok, summary);
    let change = "stream_options.include_usage: true is added (include_usage: add)";
    let details = if read.changes { vec![change.to_owned()] } else { Vec::new() };
    step.with(details)
}

/// What the request or its response costs.
fn cost(planned: &Planned, by_rows: bool) -> String {
    match (by_rows, &planned.limit.response_cost) {
        (_, Some(ResponseCost { missing: Some(missing), .. })) => {
            format!("charged when the response ends, {missing} if it has no number")
        }
        (_, Some(_)) => "charged when the response ends".to_owned(),
        (true, None) => "costs 1 for each row of the body".to_owned(),
        (false, None) => format!("costs {}", planned.cost),
    }
}

/// The reservation of a request, or how its body decides it.
fn reservation(planned: &Planned) -> Option<String> {
    match planned.reserved {
        Some(tokens) => Some(format!("reserves {tokens} until then")),
        None => reserve(&planned.limit),
    }
}

fn reserve(limit: &Limit) -> Option<String> {
    let reserve = limit.reserve.as_ref()?;
    let (default, max) = (reserve.default, reserve.max);
    let mut text = match reserve.json.as_slice() {
        [] => format!("reserves {default}"),
        pointers => {
            let pointers: Vec<_> = pointers.iter().map(|tokens| pointer(tokens)).collect();
            let named = pointers.join(", ");
            format!("reserves the largest number at {named} of the body, or {default} without one")
        }
    };
    if let Some(each) = reserve.bytes_per_token {
        text.push_str(&format!(", and 1 for each {each} bytes of it"));
    }
    Some(format!("{text}; at most {max}"))
}

/// What the model multiplies.
fn price(limit: &Limit) -> Option<String> {
    let price = limit.price.as_ref()?;
    let models: Vec<_> = price.of.iter().map(|(name, times)| format!("{name:?} {times}")).collect();
    let (at, models, default) = (pointer(&price.json), models.join(", "), price.default);
    Some(format!("times the price of the model at {at} of the body: {models}, others {default}"))
}

/// The price of the model that the body names.
fn priced(planned: &Planned) -> Option<String> {
    let price = planned.limit.price.as_ref()?;
    let (at, times) = (pointer(&price.json), planned.price.times);
    Some(match planned.price.model.and_then(|index| price.of.get(index)) {
        Some((name, _)) => format!("times {times}, the price of {name:?} at {at} of the body"),
        None => format!("times {times}: the value at {at} of the body is no name in price.of"),
    })
}

/// `600 per 1m, burst 20`.
fn quota(quota: &Quota) -> String {
    let period = moment::span(quota.period().as_nanos());
    format!("{} per {period}, burst {}", quota.tokens(), quota.burst())
}

fn owner(owner: &Owner, redact: bool) -> String {
    match owner {
        Owner::Identity(key) | Owner::Unverified(key) => shown(key, redact),
        Owner::Address(address) => format!("the address {}", shown(address, redact)),
    }
}
