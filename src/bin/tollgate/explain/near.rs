//! How the path of a request differs from those of a rule that it almost matches.

use tollgate::policy::rule::Rule;
use tollgate::request::line::Reading;
use tollgate::request::matcher::Matcher;

/// A difference.
pub struct Near {
    /// What differs.
    pub looks: &'static str,
    /// What cures it.
    pub fix: &'static str,
}

const SLASH: Near = Near {
    looks: "only a final slash differs",
    fix: "send the path as the rule has it, or set trailing_slash: ignore in its match.",
};
const CASE: Near = Near {
    looks: "only letter case differs",
    fix: "send the path as the rule has it, or set ignore_case: true in its match.",
};
const BELOW: Near = Near {
    looks: "the request is below one of them",
    fix: "send the path as the rule has it, or end that of the rule with /**, which matches everything below.",
};

/// The difference between the path of a request and those of a rule that does not match; `None` if they have little in
/// common, or more than the path differs.
pub fn of(rule: &Rule, request: &Reading<'_>) -> Option<Near> {
    let matcher = &rule.matcher;
    let with = |change: fn(&mut Matcher)| {
        let mut matcher = matcher.clone();
        change(&mut matcher);
        matcher.matches(request)
    };
    if matcher.paths.is_none() || matcher.matches(request) {
        return None;
    }
    if with(|matcher| matcher.ignore_trailing_slash = true) {
        return Some(SLASH);
    }
    if with(|matcher| matcher.ignore_case = true) {
        return Some(CASE);
    }
    let mut path = request.path?;
    while let Some(end) = path.iter().rposition(|byte| *byte == b'/').filter(|end| *end > 0) {
        path = path.get(..end)?;
        if matcher.matches(&Reading { path: Some(path), ..*request }) {
            return Some(BELOW);
        }
    }
    None
}
