//! The sentence that tells a caller what was refused and what cures it.
//!
//! It names what the caller needs: the usual place of a token, its limit, the wait, scopes, and the bounds on a
//! body. It contains nothing of the token, of a key or of another caller.

use std::time::Duration;

use super::outcome::outcome;
use crate::body::{Guard, Refusal, UNKNOWN_ROWS};
use crate::gate::facts::Facts;
use crate::gate::verdict::Denial;
use crate::policy::Policy;
use crate::reason::Reason;
use crate::request::token_source::{Place, TokenRules};
use crate::time::seconds_up;

/// The sentence of a denial.
#[cold]
#[inline(never)]
pub(super) fn detail(denial: &Denial, facts: &Facts, policy: &Policy) -> String {
    let sentence = match facts.refusal {
        Some(refusal) if refusal.reason() == denial.reason => of_body(refusal),
        _ => outcome(denial.reason).sentence,
    };
    let mut text = String::with_capacity(sentence.len().saturating_add(32));
    let mut rest = sentence;
    while let Some((before, (name, after))) =
        rest.split_once('{').and_then(|(before, from)| Some((before, from.split_once('}')?)))
    {
        text.push_str(before);
        text.push_str(&value(name, denial, facts, policy));
        rest = after;
    }
    text.push_str(rest);
    text
}

/// The sentence for a body that is refused, where the reason alone does not say what to change.
fn of_body(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NoBody => "The request has no body, or asks for another protocol; send a body.",
        Refusal::Malformed(_) if refusal.reason() == Reason::PayloadMalformed => {
            "The body is not well-formed: {flaw}."
        }
        Refusal::Lacking => {
            "The body lacks a member that is needed here; see the interface of the service."
        }
        Refusal::Unfinished | Refusal::Unseen => {
            "The body did not arrive whole; send the request again."
        }
        Refusal::Rows(UNKNOWN_ROWS) => {
            "The body has no rows where they are counted; send at least one."
        }
        Refusal::Charset => "The body is not UTF-8; send UTF-8.",
        Refusal::Encoded => "The body is compressed; send it without content-encoding.",
        Refusal::Unbuffered => "The body is larger than the proxy can hold; send a smaller one.",
        Refusal::Malformed(_)
        | Refusal::MediaType
        | Refusal::TooLarge { .. }
        | Refusal::Rows(_)
        | Refusal::NoUsage
        | Refusal::Withheld => outcome(refusal.reason()).sentence,
    }
}

/// The value of a placeholder.
fn value(name: &str, denial: &Denial, facts: &Facts, policy: &Policy) -> String {
    match name {
        "when" => when(denial.retry_after),
        "limit" => match facts.limited_by(denial.reason) {
            Some(report) => report.limit.name.clone(),
            None => "of the caller".to_owned(),
        },
        "one" => one(&policy.token).to_owned(),
        "most" => most(denial.reason, facts, policy),
        "scopes" => denial.scope.as_deref().unwrap_or_default().to_owned(),
        "types" => types(facts.rule.as_ref().and_then(|rule| rule.payload.as_deref())),
        "flaw" => match facts.refusal {
            Some(refusal) => refusal.to_string(),
            None => String::new(),
        },
        _ => String::new(),
    }
}

/// A token as it is to be sent. A token without `Bearer` before it is none. Other places than the usual one are
/// known to those for whom they were made.
fn one(token: &TokenRules) -> &'static str {
    let is_usual = |place: &Place| {
        matches!(place, Place::Header { name, prefix }
            if name == "authorization" && prefix.eq_ignore_ascii_case("bearer "))
    };
    match token.from.iter().any(is_usual) {
        true => "one as `Authorization: Bearer <token>`",
        false => "one",
    }
}

/// When the same request would pass.
fn when(wait: Option<Duration>) -> String {
    match wait.map(seconds_up) {
        None => "later".to_owned(),
        Some(seconds @ (0 | 1)) => format!("in {} second", seconds.max(1)),
        Some(seconds) => format!("in {seconds} seconds"),
    }
}

/// The bound that the request exceeds.
fn most(reason: Reason, facts: &Facts, policy: &Policy) -> String {
    let rule = facts.rule.as_deref();
    let guard = rule.and_then(|rule| rule.payload.as_deref());
    let most = match reason {
        Reason::TokenTooLarge => u64::try_from(policy.token.max_bytes).ok(),
        Reason::PayloadTooLarge => guard.map(|guard| guard.max_bytes),
        Reason::RowsExceeded => guard.and_then(|guard| guard.max_rows),
        Reason::DepthExceeded => guard.and_then(|guard| u64::try_from(guard.max_depth).ok()),
        Reason::ConcurrencyLimited => rule.and_then(|rule| rule.concurrency).map(u64::from),
        Reason::CostExceedsBurst => facts.limited_by(reason).map(|report| report.quota.burst()),
        _ => None,
    };
    most.map(|most| most.to_string()).unwrap_or_default()
}

/// The media types that a rule accepts.
fn types(guard: Option<&Guard>) -> String {
    match guard.and_then(|guard| guard.content_types.as_ref()) {
        Some(types) => types.join(" or "),
        None => "one content-type".to_owned(),
    }
}

#[cfg(test)]
mod tests;
