//! The changes to the request, and the response that the caller would get.

use serde_json::{Value, json};
use tollgate::gate::verdict::Verdict;
use tollgate::policy::owned::OwnedHeaders;
use tollgate::policy::rule::Rule;
use tollgate::reply::{self, Recipient};
use tollgate::request::token_source;

use super::scene::{Outcome, Scene};
use super::steps::{Status, Step};
use super::trace::shown;

/// The step for headers that are removed and written.
pub fn step(scene: &Scene, rule: &Rule, outcome: &Outcome, redact: bool) -> Step {
    let policy = &scene.policy;
    let mut details = Vec::new();
    for name in OwnedHeaders::of(policy).to_strip(&outcome.received) {
        details.push(format!(
            "- {}: removed, because only the filter writes it",
            String::from_utf8_lossy(name)
        ));
    }
    if !policy.token.forward {
        for rewrite in
            token_source::removal(&outcome.headers, &policy.token, outcome.facts.caller.is_some())
        {
            details.push(format!(
                "- {}: the token is removed",
                String::from_utf8_lossy(&rewrite.name)
            ));
        }
    }
    for (index, value) in outcome.facts.tags() {
        let Some(tag) = policy.tags.get(*index) else { continue };
        let value = shown(value, redact);
        match &tag.header {
            Some(header) => details.push(format!("+ {header}: {value}")),
            None => details.push(format!("  wasm.tollgate.{}: {value}", tag.name)),
        }
    }
    if let Some(key) = &rule.upstream_authorization {
        details.push(format!("+ {}: (from upstream_authorization, not shown)", key.header));
    }
    let summary = match details.is_empty() {
        true => "receives the request unchanged",
        false => "receives the request with these changes",
    };
    Step::new("upstream", Status::Info, summary).with(details)
}

/// The reply to a refused request, or the fields added to the response of one that passes.
pub fn response(scene: &Scene, outcome: &Outcome) -> Value {
    let recipient = Recipient::of(&outcome.headers);
    let reply = match &outcome.verdict {
        Verdict::Deny(denial) => {
            reply::compose(denial, &outcome.facts, &scene.policy, recipient, 0)
        }
        Verdict::Answer(answer) => reply::answer(*answer, &scene.policy, recipient),
        Verdict::Allow(_) | Verdict::WouldDeny(_) => {
            let mut fields = Vec::new();
            let mut add = |name, value: &str| fields.push((name, value.to_owned()));
            reply::rate_limit_fields(&outcome.facts.limits, &scene.policy, &mut add);
            return json!({"status": null, "headers": pairs(&fields), "body": null});
        }
    };
    json!({"status": reply.status, "headers": pairs(&reply.headers), "body": String::from_utf8_lossy(&reply.body)})
}

fn pairs(fields: &[(&'static str, String)]) -> Value {
    fields.iter().map(|(name, value)| json!([name, value])).collect()
}
