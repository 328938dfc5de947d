//! The steps of a verdict in order: what each checked, and how it ended.

use std::rc::Rc;

use serde_json::{Value, json};
use tollgate::gate::verdict::Verdict;
use tollgate::policy::choice::{Ambiguity, Choice};
use tollgate::policy::rule::{Auth, Rule};
use tollgate::reason::Reason;
use tollgate::request::headers::Headers;
use tollgate::request::host::Authority;
use tollgate::request::line::{Reading, RequestLine};
use tollgate::request::matcher::Matcher;
use tollgate::request::method::echoes;
use tollgate::request::path;
use tollgate::request::token_source::Found;

use super::caller;
use super::hint;
use super::limits;
use super::method;
use super::near;
use super::scene::{Line, Outcome, Scene};
use super::upstream;

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The check passed.
    Ok,
    /// The check refuses the request, or would in a dry run.
    Failed,
    /// The step is information only.
    Info,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// The name of the check.
    pub name: &'static str,
    /// How it ended.
    pub status: Status,
    /// The outcome on one line.
    pub summary: String,
    /// Details, one line each.
    pub details: Vec<String>,
    /// What cures the failure, if that is more precise than the runbook's cure of its reason.
    pub fix: Option<String>,
}

impl Step {
    /// A step without details.
    pub fn new(name: &'static str, status: Status, summary: impl Into<String>) -> Self {
        Self { name, status, summary: summary.into(), details: Vec::new(), fix: None }
    }

    /// The same with details.
    pub fn with(self, details: Vec<String>) -> Self {
        Self { details, ..self }
    }

    /// The step as JSON.
    pub fn json(&self) -> Value {
        let status = match self.status {
            Status::Ok => "ok",
            Status::Failed => "failed",
            Status::Info => "info",
        };
        json!({"step": self.name, "status": status, "summary": self.summary,
               "details": self.details})
    }
}

/// Every step up to the one that decided.
pub fn of(scene: &Scene, line: &Line, outcome: &Outcome, redact: bool) -> Vec<Step> {
    let mut steps = Vec::new();
    let whole = outcome.headers.value(":path").unwrap_or_default();
    let read = path::without_query(whole);
    let refused = |word| outcome.verdict.denial().is_some_and(|d| d.reason.as_str() == word);
    let shown = String::from_utf8_lossy(read);
    let strict = scene.policy.reject_ambiguous_paths;
    if refused("path_ambiguous") && strict && path::ambiguous(whole) {
        let why =
            format!("servers can read {shown} in more than one way (ambiguous_paths: reject)");
        steps.push(Step::new("path", Status::Failed, why));
        return steps;
    }
    steps.push(Step::new("path", Status::Ok, format!("{shown}")));
    let given = outcome.headers.value(":authority").unwrap_or_default();
    if refused("host_ambiguous") && Authority::parse(given).is_none() {
        let given = String::from_utf8_lossy(given);
        let why = format!("{given} is not a host with an optional port");
        steps.push(Step::new("host", Status::Failed, why));
        return steps;
    }
    if let Verdict::Answer(_) = outcome.verdict {
        let why = "the filter answers this request itself";
        steps.push(Step::new("answer", Status::Info, why));
        return steps;
    }
    let Some(rule) = choose(scene, outcome, &mut steps) else { return steps };
    if let Some(caller) = authenticate(scene, line, rule, outcome, redact, &mut steps) {
        steps.extend(caller);
    }
    let over = steps.iter().any(|step| step.status == Status::Failed);
    if !over {
        limits::steps(rule, outcome, redact, &mut steps);
    }
    if !matches!(outcome.verdict, Verdict::Deny(_)) {
        steps.push(upstream::step(scene, rule, outcome, redact));
    }
    steps
}

/// The part of a request that selects a rule.
pub fn request_line(headers: &Headers) -> RequestLine<'_> {
    RequestLine {
        authority: headers.value(":authority").and_then(Authority::parse),
        path: headers.value(":path").map(path::without_query),
        method: headers.value(":method").unwrap_or_default(),
        headers,
    }
}

/// The step of the rule, with the reasons why earlier rules do not match.
fn choose<'o>(scene: &Scene, outcome: &'o Outcome, steps: &mut Vec<Step>) -> Option<&'o Rule> {
    let line = request_line(&outcome.headers);
    let rules = &scene.policy.rules;
    let chosen = outcome.facts.rule.as_ref();
    let is_chosen = |rule: &&Rc<Rule>| chosen.is_some_and(|chosen| Rc::ptr_eq(chosen, rule));
    let passed_over = rules.iter().take_while(|rule| !is_chosen(rule));
    let why_not: Vec<String> = passed_over.map(|rule| why_not(rule, &line.reading())).collect();
    let Some(rule) = chosen else {
        let strict = scene.policy.reject_ambiguous_paths;
        let why = match tollgate::policy::choice::choose(rules, &line, strict) {
            Choice::Ambiguous(Ambiguity::Path) => {
                "another rule would match if a server ignored the parameters of the path, or decoded \
                 its encoded slashes or other characters"
            }
            Choice::Ambiguous(Ambiguity::Host) => {
                "the port or the final dot of the host decides which rule matches: let the connection \
                 manager strip them (strip_any_host_port, strip_trailing_host_dot)"
            }
            Choice::Ambiguous(Ambiguity::Method) => {
                "another rule would match with the method in upper case, or with the method in an \
                 override header"
            }
            Choice::Ambiguous(Ambiguity::Header) => {
                "a header that a rule compares is given twice, or in a spelling that some servers \
                 treat as the same header: another rule could match there"
            }
            _ if echoes(line.method) => "no rule names the method, as TRACE and TRACK must be",
            _ => "no rule matches, so the request is refused",
        };
        let others = method::matching(rules.iter().map(AsRef::as_ref), &line).unwrap_or_default();
        let mut step = Step::new("rule", Status::Failed, why).with(why_not);
        if !others.is_empty() {
            let used = String::from_utf8_lossy(line.method);
            let would = others.join(", ");
            step.summary = format!("no rule matches the method {used}; these would match: {would}");
            step.fix = Some(format!("send {}, or add a rule for {used}.", others.join(" or ")));
        }
        if outcome.verdict.reason() == Reason::NoRule {
            let near = rules.iter().find_map(|rule| near::of(rule, &line.reading()));
            step.fix = step.fix.or(near.map(|near| near.fix.to_owned()));
        }
        steps.push(step);
        return None;
    };
    if !rule.admits_method(line.method) {
        let why = format!(
            "{:?} matches, but TRACE and TRACK need a rule that names them and has no \
                           upstream_authorization",
            rule.name
        );
        steps.push(Step::new("rule", Status::Failed, why).with(why_not));
        return None;
    }
    let auth = match rule.auth {
        Auth::Required => "a token is required",
        Auth::Optional => "a token is optional",
        Auth::None => "tokens are ignored",
    };
    let dry =
        if rule.dry_run || scene.policy.dry_run { " (dry run: nothing is refused)" } else { "" };
    let summary = format!("{:?} matches; {auth}{dry}", rule.name);
    steps.push(Step::new("rule", Status::Ok, summary).with(why_not));
    Some(rule)
}

/// The parts of `match` that do not fit, each checked alone.
fn why_not(rule: &Rule, line: &Reading<'_>) -> String {
    let whole = rule.matcher.clone();
    let Matcher { hosts, methods, headers, .. } = rule.matcher.clone();
    let parts = [
        ("hosts", Matcher { hosts, ..Matcher::default() }),
        ("paths", Matcher { hosts: None, methods: None, headers: Vec::new(), ..whole }),
        ("methods", Matcher { methods, ..Matcher::default() }),
        ("headers", Matcher { headers, ..Matcher::default() }),
    ];
    let unmet = parts.iter().filter(|(_, part)| !part.matches(line)).map(|(name, _)| *name);
    let unmet: Vec<&str> = unmet.collect();
    let near = near::of(rule, line).map_or(String::new(), |near| format!(" ({})", near.looks));
    match unmet.is_empty() {
        true => format!("{:?} does not match", rule.name),
        false => format!("{:?} does not match: {}{near}", rule.name, unmet.join(", ")),
    }
}

/// The steps from token to grants; `None` if the rule ignores tokens.
fn authenticate(
    scene: &Scene,
    line: &Line,
    rule: &Rule,
    outcome: &Outcome,
    redact: bool,
    steps: &mut Vec<Step>,
) -> Option<Vec<Step>> {
    if rule.auth == Auth::None {
        return None;
    }
    let step = |status, text: &str| Step::new("token", status, text);
    match scene.find(&outcome.headers) {
        Found::None if rule.auth == Auth::Optional => {
            steps.push(step(Status::Ok, "none: the request is anonymous"));
            None
        }
        Found::None => {
            let from = &scene.policy.token.from;
            let mut details: Vec<String> = from.iter().map(caller::place).collect();
            let hints: Vec<_> =
                from.iter().filter_map(|place| hint::of_place(&outcome.headers, place)).collect();
            details.extend(hints.iter().map(|(looks, _)| looks.clone()));
            let step = step(Status::Failed, "none; the filter looks in these places").with(details);
            let fix = hints.into_iter().find_map(|(_, fix)| fix);
            steps.push(Step { fix, ..step });
            None
        }
        Found::Several => {
            steps.push(step(Status::Failed, "the request has more than one"));
            None
        }
        Found::One(token) => Some(caller::steps(scene, line, rule, outcome, &token, redact)),
    }
}
