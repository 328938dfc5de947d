//! The method of a request for which none is given, and the methods that would match.

use tollgate::policy::rule::Rule;
use tollgate::request::line::{Reading, RequestLine};
use tollgate::request::matcher::Matcher;

use super::scene::{Line, Scene};
use super::steps::{self, Status, Step};

/// The method without `--method`, unless only another one matches.
const DEFAULT: &str = "GET";

/// Sets `given` as the method of the request. Without it, sets the only method that the rules admit
/// for this request, and returns a step that says so.
pub fn choose(scene: &Scene, line: &mut Line, given: Option<&str>) -> Option<Step> {
    let mut set = |method: &str| line.set(":method", method);
    set(given.unwrap_or(DEFAULT));
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
    (only != DEFAULT).then(|| Step::new("method", Status::Info, why))
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
