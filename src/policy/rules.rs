//! All rules of a policy, and the facts about them that are computed once at load.

use std::ops::Deref;
use std::rc::Rc;

use super::rule::Rule;

/// The rules in order; the first that matches a request applies.
#[derive(Debug, Default)]
pub struct Rules {
    list: Vec<Rc<Rule>>,
    /// Whether any rule names hosts. If none does, all readings of an authority lead to one rule.
    pub(super) names_hosts: bool,
    /// Whether any rule names methods or lends a key, which `TRACE` would echo. If none does, the
    /// method cannot change the rule.
    pub(super) depends_on_method: bool,
}

impl Rules {
    /// Compiles what follows from the whole list.
    pub fn new(mut rules: Vec<Rule>) -> Self {
        let class = |rule: &Rule| rules.iter().position(|other| other.providers == rule.providers);
        let classes: Vec<_> = rules.iter().map(class).collect();
        for (rule, class) in rules.iter_mut().zip(classes) {
            rule.provider_class =
                class.and_then(|class| u32::try_from(class).ok()).unwrap_or(u32::MAX);
        }
        let lends = |rule: &Rule| rule.upstream_authorization.is_some();
        Self {
            names_hosts: rules.iter().any(|rule| rule.matcher.hosts.is_some()),
            depends_on_method: rules.iter().any(|r| r.matcher.methods.is_some() || lends(r)),
            list: rules.into_iter().map(Rc::new).collect(),
        }
    }
}

impl Deref for Rules {
    type Target = [Rc<Rule>];

    fn deref(&self) -> &[Rc<Rule>] {
        &self.list
    }
}
