//! Warnings about values of the body: tests and limits that do not do what they seem to.

use serde_json::Value;

use crate::caller::grant::{Grant, Test};
use crate::config::report::{At, Report};
use crate::policy::Policy;
use crate::policy::rule::{Auth, Rule};
use crate::template::{Part, Template, pointer};

/// The longest text that a test of the body compares, bytes.
const LONGEST: usize = 256;

/// 2^53: from here on, servers read a number in different ways, so that it equals nothing.
const INEXACT: f64 = 9_007_199_254_740_992.0;

/// Notes them all.
pub(super) fn warn(policy: &Policy, report: &mut Report) {
    dead_values(policy, report);
    limits_in_the_body(policy, report);
    cheap_escapes(policy, report);
    unknown_bounds(policy, report);
}

/// Values of `allow[].body` that no body has.
fn dead_values(policy: &Policy, report: &mut Report) {
    for (index, rule) in policy.rules.iter().enumerate() {
        for (place, grant) in rule.allow.iter().flatten().enumerate() {
            let at = At::rule(index).field("allow").index(place).field("body");
            for (place, test) in grant.body.iter().enumerate() {
                let at = at.index(place);
                match &test.test {
                    Test::Equals(value) => dead_value(value, &at.field("equals"), report),
                    Test::AnyOf(list) => {
                        let at = at.field("any_of");
                        let list = list.iter().enumerate();
                        list.for_each(|(n, value)| dead_value(value, &at.index(n), report));
                    }
                    Test::Contains(_) | Test::Exists(_) => {}
                }
            }
        }
    }
}

fn dead_value(value: &Value, at: &At, report: &mut Report) {
    let why = match value {
        Value::String(text) if text.len() > LONGEST => "a text of more than 256 bytes",
        Value::Number(number) if number.as_f64().is_some_and(|n| n.abs() >= INEXACT) => {
            "a number of 2^53 or more, which servers read in different ways"
        }
        _ => return,
    };
    report.warning(at, format_args!("never matches: it is {why}; remove it"));
}

/// Rules all of whose limits have keys in the body.
fn limits_in_the_body(policy: &Policy, report: &mut Report) {
    for (index, rule) in policy.rules.iter().enumerate() {
        let in_body = rule.limits.iter().all(|limit| limit.key.reads_body());
        if rule.payload.is_none() || rule.limits.is_empty() || !in_body {
            continue;
        }
        let message = match policy.hold_head {
            false => {
                "have all keys in the body: without hold_head the headers are forwarded before a limit is asked; add another limit"
            }
            true if rule.limits.iter().any(|limit| names_values(rule, &limit.key)) => continue,
            true => {
                "have all keys in the body: a caller that sends another value there gets another bucket; add a limit without it, or list the values in allow[].body"
            }
        };
        report.warning(&At::rule(index).field("limits"), message);
    }
}

/// Whether the rule needs a token, and every entry of `allow` lists the values of the body that are in the key.
fn names_values(rule: &Rule, key: &Template) -> bool {
    let lists = |entry: &Grant, pointer: &[String]| {
        let test = entry.body.iter().find(|test| test.pointer == pointer).map(|test| &test.test);
        matches!(test, Some(Test::Equals(_) | Test::AnyOf(_)))
    };
    let entries = rule.allow.as_deref().unwrap_or_default();
    let listed = |part: &Part| match part {
        Part::Body(pointer) => entries.iter().all(|entry| lists(entry, pointer)),
        _ => true,
    };
    rule.auth == Auth::Required && !entries.is_empty() && key.parts().iter().all(listed)
}

/// Responses without a number that cost less than their reservation.
fn cheap_escapes(policy: &Policy, report: &mut Report) {
    for (index, limit) in policy.limits.iter().enumerate() {
        let missing = limit.response_cost.as_ref().and_then(|cost| cost.missing);
        let max = limit.reserve.as_ref().map(|reserve| reserve.max);
        if let (Some(missing), Some(max)) = (missing, max)
            && missing < max
        {
            let at = At::root().field("limits").index(index);
            report.warning(
                &at.field("response_cost").field("missing"),
                format_args!("is less than reserve.max, {max}: a caller that leaves before the number is told pays this, however much it reserved; leave it out, and it pays the reservation"),
            );
        }
    }
}

/// Reservations by members of several APIs. A server knows those of one and ignores the others, so that a caller can
/// reserve little by one of the others and leave before the response tells its number.
fn unknown_bounds(policy: &Policy, report: &mut Report) {
    for (index, rule) in policy.rules.iter().enumerate() {
        let reserves = rule.limits.iter().filter_map(|limit| limit.reserve.as_ref());
        for reserve in reserves {
            let mut open = reserve.json.iter().filter(|pointer| !is_closed(rule, pointer));
            let Some(first) = open.next() else { continue };
            if let Some(other) = open.find(|pointer| api(pointer) != api(first)) {
                let [first, other] = [first, other].map(|tokens| pointer(tokens));
                report.warning(
                    &At::rule(index).field("limits"),
                    format_args!("reserve by members of several APIs, {first} and {other}: a caller can name the one that the server ignores, reserve little and leave; close it in this rule with allow[].body: [{{json: {other}, exists: false}}]"),
                );
                break;
            }
        }
    }
}

/// Whether no request of the rule has a value there.
fn is_closed(rule: &Rule, pointer: &[String]) -> bool {
    let entries = rule.allow.as_deref().unwrap_or_default();
    let closes = |entry: &Grant| {
        let mut tests = entry.body.iter().filter(|test| test.pointer == pointer);
        tests.any(|test| test.test == Test::Exists(false))
    };
    rule.auth == Auth::Required && !entries.is_empty() && entries.iter().all(closes)
}

/// The API that bounds its answers by a member: 0 for Chat Completions and Anthropic's Messages, or an unknown one.
fn api(pointer: &[String]) -> u8 {
    match pointer.first().map_or("", String::as_str) {
        "max_output_tokens" => 1,
        "generationConfig" | "generation_config" => 2,
        "options" => 3,
        _ => 0,
    }
}
