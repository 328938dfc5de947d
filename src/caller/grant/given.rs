//! What a token gives: the names in its claims, each set read once for all entries.

use std::cell::{Cell, OnceCell};

use super::names::{groups_left_out, names, scope_names};
use crate::caller::actor::{actor, client};
use crate::lookup::Positions;
use crate::template::ClaimRef;
use crate::verify::claims::Claims;
use crate::verify::json::Json;

/// The claims of a caller as grants compare them. Each part is read when the first entry asks for it.
pub(super) struct Given<'c> {
    claims: &'c Claims,
    roles: OnceCell<NameSet<'c>>,
    scopes: OnceCell<NameSet<'c>>,
    groups: OnceCell<NameSet<'c>>,
    groups_left_out: OnceCell<bool>,
    client: OnceCell<Option<&'c str>>,
    actor: OnceCell<Option<&'c str>>,
}

impl<'c> Given<'c> {
    pub(super) fn of(claims: &'c Claims) -> Self {
        Self {
            claims,
            roles: OnceCell::new(),
            scopes: OnceCell::new(),
            groups: OnceCell::new(),
            groups_left_out: OnceCell::new(),
            client: OnceCell::new(),
            actor: OnceCell::new(),
        }
    }

    pub(super) fn roles(&self) -> &NameSet<'c> {
        self.roles.get_or_init(|| NameSet::of(names(self.claims.member("roles"))))
    }

    pub(super) fn scopes(&self) -> &NameSet<'c> {
        self.scopes.get_or_init(|| {
            let mut given = scope_names(self.claims.member("scp"));
            given.extend(scope_names(self.claims.member("scope")));
            NameSet::of(given)
        })
    }

    pub(super) fn groups(&self) -> &NameSet<'c> {
        self.groups.get_or_init(|| NameSet::of(names(self.claims.member("groups"))))
    }

    pub(super) fn groups_left_out(&self) -> bool {
        *self.groups_left_out.get_or_init(|| groups_left_out(self.claims))
    }

    pub(super) fn client(&self) -> &Option<&'c str> {
        self.client.get_or_init(|| client(self.claims))
    }

    pub(super) fn actor(&self) -> &Option<&'c str> {
        self.actor.get_or_init(|| actor(self.claims))
    }

    pub(super) fn claim(&self, claim: &ClaimRef) -> Option<Json<'c>> {
        self.claims.get(claim)
    }
}

/// The most names that are compared one by one, which takes less time than a table of them.
const FEW: usize = 4;

/// How often a set is asked before it makes a table.
const FEW_TIMES: u8 = 4;

/// A set of names.
pub(super) struct NameSet<'c> {
    names: Vec<&'c str>,
    asked: Cell<u8>,
    /// The positions of more than a [`FEW`] names, once they were asked for more than a [`FEW_TIMES`].
    positions: OnceCell<Positions>,
}

impl<'c> NameSet<'c> {
    fn of(names: Vec<&'c str>) -> Self {
        Self { names, asked: Cell::new(0), positions: OnceCell::new() }
    }

    /// The names.
    pub(super) fn all(&self) -> &[&'c str] {
        &self.names
    }

    /// Whether the name is in the set.
    pub(super) fn has(&self, name: &str) -> bool {
        if self.names.len() <= FEW || self.asked.get() < FEW_TIMES {
            self.asked.set(self.asked.get().saturating_add(1));
            return self.names.contains(&name);
        }
        let positions = self.positions.get_or_init(|| {
            let mut positions = Positions::default();
            self.names.iter().for_each(|name| positions.push(name.as_bytes()));
            positions
        });
        positions.of(name.as_bytes()).any(|at| self.names.get(at) == Some(&name))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_set_has_the_names_of_its_list(
            names in prop::collection::vec("[aA\u{e9}]{0,3}", 0..12),
            wanted in prop::collection::vec("[aA\u{e9}]{0,3}", 1..10),
        ) {
            let set = NameSet::of(names.iter().map(String::as_str).collect());
            for wanted in wanted {
                prop_assert_eq!(set.has(&wanted), names.contains(&wanted));
            }
        }
    }
}
