//! The steps from claims to an authorised caller: identity, binding, grants.

use serde_json::Value;
use tollgate::caller::grant::{BodyTest, ClaimTest, Demand, Grant, Test};
use tollgate::caller::principal::Caller;
use tollgate::policy::rule::Rule;
use tollgate::template::{ClaimRef, pointer};
use tollgate::verify::{Claims, Stage};

use super::scene::Outcome;
use super::steps::{Status, Step};
use super::trace::{Trace, shown};

/// Adds identity, binding and grants of a verified token.
pub fn admission(rule: &Rule, outcome: &Outcome, trace: &mut Trace<'_>) {
    let redact = trace.redact;
    let reason = outcome.verdict.denial().map(|denial| denial.reason.as_str());
    let caller = outcome.facts.caller.as_deref();
    let identity = caller.map(|caller| shown(caller.principal().identity(), redact));
    let why = vec!["a template has no value, or one of its parts is empty".to_owned()];
    let failed = trace.fails(Stage::Identity);
    let details = if failed { why } else { Vec::new() };
    if !trace.step(Stage::Identity, "identity", identity.unwrap_or_default(), details) {
        return;
    }
    if trace.fails(Stage::Binding) {
        let why = vec!["the token is bound to another client certificate (bind: mtls)".to_owned()];
        trace.step(Stage::Binding, "binding", String::new(), why);
        return;
    }
    let Some(claims) = outcome.facts.caller.as_deref().map(Caller::claims) else { return };
    let Some(entries) = &rule.allow else {
        trace.steps.push(Step::new("grants", Status::Ok, "any valid token"));
        return;
    };
    let admits = |entry: &Grant| entry.holds(claims);
    let details = entries.iter().enumerate().map(|(index, entry)| match admits(entry) {
        true if !entry.body.is_empty() && outcome.read.is_some() => {
            let tests = entry.body.iter().map(|test| {
                let value = value(rule, outcome, test)
                    .map_or("nothing".to_owned(), |value| shown(value, redact));
                format!("{}, and the body has {value}", body(test))
            });
            format!("allow[{index}] asks for {}", tests.collect::<Vec<_>>().join("; "))
        }
        true if !entry.body.is_empty() => {
            let tests: Vec<String> = entry.body.iter().map(body).collect();
            format!("allow[{index}] is met if the body passes: {}", tests.join("; "))
        }
        true => format!("allow[{index}] is met"),
        false => format!("allow[{index}] lacks {}", lacking(entry, claims).join("; ")),
    });
    let (status, summary) = match entries.iter().position(admits) {
        Some(_) if reason == Some("body_not_allowed") => {
            let why = match outcome.read {
                Some(_) => "no entry admits the body",
                None => "the request has no body",
            };
            (Status::Failed, format!("body_not_allowed: {why}"))
        }
        Some(_) if outcome.read.is_some() && outcome.facts.refusal.is_none() => {
            (Status::Ok, "an entry admits the caller and the body".to_owned())
        }
        Some(_) if entries.iter().all(|entry| !admits(entry) || !entry.body.is_empty()) => {
            let summary = match outcome.facts.refusal {
                Some(_) => "not asked about the body, which is refused",
                None => "asked again when the body has ended",
            };
            (Status::Info, summary.to_owned())
        }
        Some(index) => (Status::Ok, format!("allow[{index}] admits the caller")),
        None => (Status::Failed, reason.unwrap_or("no entry admits the caller").to_owned()),
    };
    trace.steps.push(Step::new("grants", status, summary).with(details.collect()));
}

/// The demands of an entry that the claims do not meet, each checked alone.
fn lacking(entry: &Grant, claims: &Claims) -> Vec<String> {
    let mut lacking = Vec::new();
    let of = |demand: Demand, scopes: bool| match scopes {
        true => Grant { scopes: demand, ..Grant::default() },
        false => Grant { roles: demand, ..Grant::default() },
    };
    for (name, demand, scopes) in [("roles", &entry.roles, false), ("scopes", &entry.scopes, true)]
    {
        let any = Demand { any: demand.any.clone(), all: None };
        if let Some(wanted) = &demand.any
            && !of(any, scopes).holds(claims)
        {
            lacking.push(format!("{name}_any: {}", wanted.join(", ")));
        }
        let missing = demand.all.iter().flatten().filter(|wanted| {
            let one = Demand { any: None, all: Some(vec![(*wanted).clone()]) };
            !of(one, scopes).holds(claims)
        });
        let missing: Vec<&str> = missing.map(String::as_str).collect();
        if !missing.is_empty() {
            lacking.push(format!("{name}_all: {}", missing.join(", ")));
        }
    }
    let groups = Grant { groups_any: entry.groups_any.clone(), ..Grant::default() };
    if let Some(wanted) = entry.groups_any.as_ref().filter(|_| !groups.holds(claims)) {
        lacking.push(format!("groups_any: {}", wanted.join(", ")));
    }
    let clients = Grant { clients: entry.clients.clone(), ..Grant::default() };
    if let Some(wanted) = entry.clients.as_ref().filter(|_| !clients.holds(claims)) {
        lacking.push(format!("clients: {}", wanted.join(", ")));
    }
    let actors = Grant { actors_any: entry.actors_any.clone(), ..Grant::default() };
    if let Some(wanted) = entry.actors_any.as_ref().filter(|_| !actors.holds(claims)) {
        lacking.push(format!("actors_any: {}", wanted.join(", ")));
    }
    for test in &entry.claims {
        let one = Grant { claims: vec![test.clone()], ..Grant::default() };
        if !one.holds(claims) {
            lacking.push(format!("claims: {}", written(test)));
        }
    }
    lacking
}

/// A test of a claim, in the words of the configuration.
fn written(test: &ClaimTest) -> String {
    let claim = match &test.claim {
        ClaimRef::Name(name) => name.clone(),
        ClaimRef::Pointer(tokens) => pointer(tokens),
    };
    in_words(&claim, &test.test)
}

/// A test of the body, in the words of the configuration.
fn body(test: &BodyTest) -> String {
    in_words(&pointer(&test.pointer), &test.test)
}

/// The value that a test of the body looks at, as it stands in the body.
fn value(rule: &Rule, outcome: &Outcome, test: &BodyTest) -> Option<String> {
    let (guard, read) = (rule.payload.as_deref()?, outcome.read.as_ref()?);
    read.check.place(guard, &test.pointer)?;
    let value = read.check.captured(guard, &test.pointer);
    Some(
        value.map_or("another value".to_owned(), |value| {
            String::from_utf8_lossy(value).into_owned()
        }),
    )
}

fn in_words(claim: &str, test: &Test) -> String {
    match test {
        Test::Equals(value) => format!("{claim} equals {value}"),
        Test::AnyOf(values) => format!("{claim} any_of {}", Value::from(values.to_vec())),
        Test::Contains(value) => format!("{claim} contains {value}"),
        Test::Exists(wanted) => format!("{claim} exists {wanted}"),
    }
}
