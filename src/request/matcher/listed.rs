//! The patterns of one field of `match`, of which one is looked for.

use std::fmt::Debug;
use std::ops::Deref;
use std::rc::Rc;

use super::index::candidates::{Candidates, Look};
use super::index::hosts::Hosts;
use super::index::paths::Paths;
use crate::request::host_pattern::HostPattern;
use crate::request::path_pattern::PathPattern;

/// The most patterns that are tried one by one, which takes less time than a look into the index.
const FEW: usize = 8;

/// A kind of pattern.
pub trait Pattern: Sized {
    /// Its index.
    type Index: Look + Debug + Default;

    /// Lists the pattern.
    fn add_to(&self, index: &mut Self::Index, number: u32);
}

impl Pattern for PathPattern {
    type Index = Paths;

    fn add_to(&self, index: &mut Paths, number: u32) {
        index.add(Some(self), number);
    }
}

impl Pattern for HostPattern {
    type Index = Hosts;

    fn add_to(&self, index: &mut Hosts, number: u32) {
        index.add(Some(self), number);
    }
}

/// Any of these patterns.
#[derive(Debug)]
pub struct AnyOf<P: Pattern> {
    list: Vec<P>,
    /// The index of more than a [`FEW`] patterns.
    index: Option<Rc<P::Index>>,
}

impl<P: Pattern> AnyOf<P> {
    /// The first pattern that fits, of those that may match this text.
    pub(super) fn find(&self, text: &[u8], fits: impl Fn(&P) -> bool) -> Option<&P> {
        let Some(index) = &self.index else { return self.list.iter().find(|own| fits(own)) };
        found(&**index, text).filter_map(|at| self.list.get(at)).find(|own| fits(own))
    }
}

#[inline(never)] // The copies would take 2 KiB.
fn found<'i>(index: &'i dyn Look, text: &[u8]) -> Candidates<'i> {
    let mut found = Candidates::default();
    index.look(text, &mut found);
    found.end();
    found
}

impl<P: Pattern> From<Vec<P>> for AnyOf<P> {
    #[cold]
    fn from(list: Vec<P>) -> Self {
        let index = (list.len() > FEW).then(|| {
            let mut index = P::Index::default();
            (0..).zip(&list).for_each(|(number, pattern)| pattern.add_to(&mut index, number));
            Rc::new(index)
        });
        Self { list, index }
    }
}

impl<P: Pattern> FromIterator<P> for AnyOf<P> {
    fn from_iter<I: IntoIterator<Item = P>>(patterns: I) -> Self {
        Vec::from_iter(patterns).into()
    }
}

impl<P: Pattern + Clone> Clone for AnyOf<P> {
    fn clone(&self) -> Self {
        Self { list: self.list.clone(), index: self.index.clone() }
    }
}

impl<P: Pattern + PartialEq> PartialEq for AnyOf<P> {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

impl<P: Pattern + Eq> Eq for AnyOf<P> {}

impl<P: Pattern> Deref for AnyOf<P> {
    type Target = [P];

    fn deref(&self) -> &[P] {
        &self.list
    }
}

impl<'a, P: Pattern> IntoIterator for &'a AnyOf<P> {
    type Item = &'a P;
    type IntoIter = std::slice::Iter<'a, P>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}
