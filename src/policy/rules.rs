//! All rules of a policy, and the facts about them that are computed once at load.

use std::ops::{Deref, Range};
use std::rc::Rc;

use super::rule::{Rule, Traits};
use crate::request::line::Reading;
use crate::request::matcher::Matcher;
use crate::request::matcher::index::Index;
use crate::request::matcher::index::candidates::Candidates;

/// The most rules that are tried one by one, which takes less time than a look into the index.
const FEW: usize = 8;

/// The rules in order; the first that matches a request applies.
#[derive(Debug, Default)]
pub struct Rules {
    list: Vec<Rc<Rule>>,
    /// The index of more than a [`FEW`] rules.
    index: Option<Index>,
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
        for ((position, rule), class) in (0..).zip(&mut rules).zip(classes) {
            rule.position = position;
            rule.traits = Traits::of(rule);
            rule.provider_class =
                class.and_then(|class| u32::try_from(class).ok()).unwrap_or(u32::MAX);
        }
        let lends = |rule: &Rule| rule.upstream_authorization.is_some();
        Self {
            names_hosts: rules.iter().any(|rule| rule.matcher.hosts.is_some()),
            depends_on_method: rules.iter().any(|r| r.matcher.methods.is_some() || lends(r)),
            index: (rules.len() > FEW).then(|| Index::new(rules.iter().map(|rule| &rule.matcher))),
            list: rules.into_iter().map(Rc::new).collect(),
        }
    }

    /// The same rules, tried one by one.
    #[cfg(test)]
    pub(super) fn without_index(self) -> Self {
        Self { index: None, ..self }
    }

    /// All rules, if they are so few that they are tried one by one.
    pub(super) fn few(&self) -> Option<&[Rc<Rule>]> {
        self.index.is_none().then_some(&self.list)
    }

    /// The rules that may match a request, in order, with their positions; all others match in no reading.
    pub fn candidates(&self, request: &Reading<'_>) -> impl Iterator<Item = (usize, &Rc<Rule>)> {
        self.found(|index| index.candidates(request))
    }

    /// The rules that may match all requests that `other` matches, in order, with their positions.
    pub fn wider(&self, other: &Matcher) -> impl Iterator<Item = (usize, &Rc<Rule>)> {
        self.found(|index| index.wider(other))
    }

    fn found<'i>(
        &'i self,
        look: impl FnOnce(&'i Index) -> Candidates<'i>,
    ) -> impl Iterator<Item = (usize, &'i Rc<Rule>)> {
        let mut positions = match &self.index {
            None => Positions::All(0..self.list.len()),
            Some(index) => Positions::Found(look(index)),
        };
        std::iter::from_fn(move || {
            let at = match &mut positions {
                Positions::All(all) => all.next()?,
                Positions::Found(found) => found.next()?,
            };
            Some((at, self.list.get(at)?))
        })
    }
}

/// The positions of the rules to try.
#[allow(clippy::large_enum_variant)] // A box would be allocated for each request.
enum Positions<'i> {
    All(Range<usize>),
    Found(Candidates<'i>),
}

impl Deref for Rules {
    type Target = [Rc<Rule>];

    fn deref(&self) -> &[Rc<Rule>] {
        &self.list
    }
}
