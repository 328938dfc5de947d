//! The method and the content type of a request for which none is given, and the methods that would match.

use tollgate::body::UNTYPED;
use tollgate::policy::choice::{Choice, choose as choose_rule};
use tollgate::policy::rule::Rule;
use tollgate::request::line::{Reading, RequestLine};
use tollgate::request::matcher::Matcher;

use super::scene::{Line, Scene};
use super::steps::{self, Status, Step};

/// The methods without `--method`, unless only another one matches: without and with a body.
const DEFAULTS: [&str; 2] = ["GET", "POST"];

/// Sets `given` as the method of the request. Without it, sets the only method that the rules admit
/// for this request, and returns a step that says so.
pub fn choose(scene: &Scene, line: &mut Line, given: Option<&str>) -> Option<Step> {
    let [without, with] = DEFAULTS;
    let default = if line.body.is_some() { with } else { without };
    line.set(":method", given.unwrap_or(default));
    if given.is_some() {
        return None;
    }
    let headers = scene.stripped(line);
    let request = steps::request_line(&headers);
    let matching = matching(scene.policy.rules.iter().map(AsRef::as_ref), &request)?;
    let [only] = matching[..] else { return None };
    let why = format!("{only}, the only one that the rules admit here (--method sets another)");
    let only = only.to_owned();
    line.set(":method", &only);
    (only != without).then(|| Step::new("method", Status::Info, why))
}

/// Adds the content type that is the only one of the rule, if the request has a body and no type, and returns a step
/// that says so.
pub fn assume_type(scene: &Scene, line: &mut Line) -> Option<Step> {
    let headers = scene.stripped(line);
    if line.bodyless(&headers) || headers.spellings("content-type").next().is_some() {
        return None;
    }
    let strict = scene.policy.reject_ambiguous_paths;
    let chosen = choose_rule(&scene.policy.rules, &steps::request_line(&headers), strict);
    let Choice::One(rule) = chosen else { return None };
    let [only] = rule.payload.as_deref()?.content_types.as_deref()? else { return None };
    if only == UNTYPED {
        return None;
    }
    let why = format!("{only}, the only one that the rule admits (--header sets another)");
    line.headers.push(("content-type".to_owned(), only.clone().into_bytes()));
    Some(Step::new("type", Status::Info, why))
}

/// The methods of the rules that match the request except for its method; `None` if one of them
/// admits every method.
pub fn matching<'r>(
    rules: impl Iterator<Item = &'r Rule>,
    request: &RequestLine<'_>,
) -> Option<Vec<&'r str>> {
    let mut found: Vec<&str> = Vec::new();
    for rule in rules.filter(|rule| matches_otherwise(rule, &request.reading())) {
        for method in rule.matcher.methods.as_ref()? {
            if !found.contains(&method.as_str()) {
                found.push(method);
            }
        }
    }
    Some(found)
}

/// Whether a rule matches the request, whatever its method.
fn matches_otherwise(rule: &Rule, request: &Reading<'_>) -> bool {
    Matcher { methods: None, ..rule.matcher.clone() }.matches(request)
}
