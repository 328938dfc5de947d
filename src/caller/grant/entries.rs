//! A list of entries of which one must hold, found by the names that it asks for.

use std::ops::Deref;
use std::rc::Rc;

use super::finder::Finder;
use super::given::Given;
use super::{Grant, Unmet};
use crate::reason::Reason;
use crate::verify::claims::Claims;

/// Entries of `allow`, or tiers by their `when`.
#[derive(Clone, Debug)]
pub struct Entries<E> {
    list: Vec<E>,
    finder: Rc<Finder>,
}

impl<E: AsRef<Grant>> Entries<E> {
    /// The position of the first entry that holds, of those that `also` admits.
    pub fn first_held(&self, claims: &Claims, also: impl Fn(&E) -> bool) -> Option<usize> {
        self.held(&Given::of(claims), also)
    }

    fn held(&self, given: &Given<'_>, also: impl Fn(&E) -> bool) -> Option<usize> {
        let holds = |entry: &E| also(entry) && entry.as_ref().unmet(given).is_none();
        let mut first = None;
        for list in self.finder.look(given) {
            let places = list.iter().map_while(|number| usize::try_from(*number).ok());
            let mut below = places.take_while(|place| first.is_none_or(|first| *place < first));
            first = below.find(|place| self.list.get(*place).is_some_and(holds)).or(first);
        }
        first
    }

    /// How many entries are tried for these claims, at most.
    #[cfg(test)]
    pub(super) fn tried(&self, claims: &Claims) -> usize {
        self.finder.look(&Given::of(claims)).iter().map(|list| list.len()).sum()
    }

    /// Checks the entries but for their tests of the body; one entry that holds admits the caller.
    ///
    /// # Errors
    /// If no entry holds, the closest one is reported: the one with the fewest unmet fields, the first of
    /// several. Its first unmet field in the order roles, scopes, groups, clients, actors, claims
    /// is the reason.
    pub fn judge(&self, claims: &Claims) -> Result<(), Unmet> {
        let given = Given::of(claims);
        if self.held(&given, |_| true).is_some() {
            return Ok(());
        }
        let mut closest: Option<(usize, Unmet)> = None;
        for (position, entry) in self.list.iter().enumerate() {
            let Some((reason, count)) = entry.as_ref().unmet(&given) else { return Ok(()) };
            if closest.as_ref().is_none_or(|(least, _)| count < *least) {
                closest = Some((count, Unmet { entry: position, reason }));
            }
            // No other is closer.
            if count == 0 {
                break;
            }
        }
        // An empty list admits no caller. The configuration rejects empty lists.
        let nobody = Unmet { entry: 0, reason: Reason::ClaimInsufficient };
        Err(closest.map_or(nobody, |(_, unmet)| unmet))
    }
}

impl<E: AsRef<Grant>> From<Vec<E>> for Entries<E> {
    fn from(list: Vec<E>) -> Self {
        let finder = Rc::new(Finder::new(list.iter().map(AsRef::as_ref)));
        Self { list, finder }
    }
}

impl<E: AsRef<Grant>> FromIterator<E> for Entries<E> {
    fn from_iter<I: IntoIterator<Item = E>>(entries: I) -> Self {
        Vec::from_iter(entries).into()
    }
}

impl<E> Deref for Entries<E> {
    type Target = [E];

    fn deref(&self) -> &[E] {
        &self.list
    }
}

impl<'a, E> IntoIterator for &'a Entries<E> {
    type Item = &'a E;
    type IntoIter = std::slice::Iter<'a, E>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

impl AsRef<Grant> for Grant {
    fn as_ref(&self) -> &Grant {
        self
    }
}
