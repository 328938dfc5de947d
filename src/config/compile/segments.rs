//! `{@path:NAME}`: every name stands for a segment that a rule names.

use std::rc::Rc;

use crate::config::report::{At, Report, quoted};
use crate::policy::Policy;
use crate::policy::rule::Rule;
use crate::template::{Part, Template};

/// Reports names that no rule has, and limits whose key has no value for a rule that uses them.
pub(super) fn check(policy: &Policy, report: &mut Report) {
    let tags = At::root().field("tags");
    for (index, tag) in policy.tags.iter().enumerate() {
        known(&tag.value, policy, &tags.index(index).field("value"), report);
    }
    let limits = At::root().field("limits");
    for (index, limit) in policy.limits.iter().enumerate() {
        let at = limits.index(index).field("key");
        known(&limit.key, policy, &at, report);
        for rule in policy.rules.iter() {
            let uses = rule.limits.iter().any(|own| Rc::ptr_eq(own, limit));
            if uses && names(&limit.key).any(|name| !has(rule, name)) {
                report.warning(
                    &at,
                    format_args!(
                        "has no value for all paths of the rule {}: there, the address is the key; name the segment in each of its paths",
                        quoted(&rule.name)
                    ),
                );
            }
        }
    }
}

/// Reports each name that no rule has.
fn known(template: &Template, policy: &Policy, at: &At, report: &mut Report) {
    for name in names(template) {
        let mut all = policy.rules.iter().flat_map(|rule| rule.matcher.segment_names());
        if !all.any(|other| other == name) {
            report.problem(
                at,
                format_args!(
                    "names the segment {}, which no rule has; write {{{name}}} in match.paths",
                    quoted(name)
                ),
            );
        }
    }
}

fn names(template: &Template) -> impl Iterator<Item = &str> {
    template.parts().iter().filter_map(|part| match part {
        Part::PathSegment(name) => Some(name.as_str()),
        _ => None,
    })
}

/// Whether each path of a rule names the segment.
fn has(rule: &Rule, name: &str) -> bool {
    let mut paths = rule.matcher.paths.iter().flatten().peekable();
    paths.peek().is_some() && paths.all(|path| path.names().any(|other| other == name))
}
