//! Finds the entries that may hold, by one of the names that each asks for.
//!
//! An entry is listed under the names of one of its fields, and can only hold for a caller that has one of
//! them. Clients and groups come before roles and scopes, which more entries share.

use serde_json::Value;

use super::Grant;
use super::claim_test::Test;
use super::given::Given;
use crate::lookup::{Groups, hash, mix};
use crate::template::ClaimRef;
use crate::verify::json::Json;

/// The most different claims whose values are looked up. Entries that ask for no name but of further ones are
/// always tried.
const MOST_CLAIMS: usize = 8;

/// The most entries that are tried one by one, which takes less time than a look for them.
const FEW: usize = 4;

const ROLE: u64 = 0;
const SCOPE: u64 = 1;
const GROUP: u64 = 2;
const CLIENT: u64 = 3;
const ACTOR: u64 = 4;
/// The kinds from here on are claims.
const CLAIM: u64 = 5;

/// Entries by numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Finder {
    groups: Groups,
    /// The kinds of names that occur, a bit for each.
    kinds: u64,
    /// The entries that ask for no name.
    always: Vec<u32>,
    claims: Vec<ClaimRef>,
}

impl Finder {
    /// Lists the entries by their positions.
    #[cold]
    pub(super) fn new<'g>(entries: impl ExactSizeIterator<Item = &'g Grant>) -> Self {
        let few = entries.len() <= FEW;
        let mut finder = Self::default();
        for (number, entry) in (0..).zip(entries) {
            let Some((kind, names)) = finder.names(entry).filter(|_| !few) else {
                finder.always.push(number);
                continue;
            };
            finder.kinds |= 1 << kind;
            names.iter().for_each(|name| finder.groups.push(key(kind, name), number));
        }
        finder
    }

    /// The names of which an entry asks for one, and their kind.
    fn names<'g>(&mut self, entry: &'g Grant) -> Option<(u64, &'g [String])> {
        let first = |all: &'g Option<Vec<String>>| all.as_deref()?.get(..1);
        let (roles, scopes) = (&entry.roles, &entry.scopes);
        let lists = [
            (ACTOR, entry.actors_any.as_deref()),
            (CLIENT, entry.clients.as_deref()),
            (GROUP, entry.groups_any.as_deref()),
            (CLAIM, None),
            (ROLE, roles.any.as_deref()),
            (ROLE, first(&roles.all)),
            (SCOPE, scopes.any.as_deref()),
            (SCOPE, first(&scopes.all)),
        ];
        for (kind, list) in lists {
            if let Some(list) = list {
                return Some((kind, list));
            }
            for test in entry.claims.iter().filter(|_| kind == CLAIM) {
                if let Some(texts) = texts(&test.test)
                    && let Some(kind) = self.kind(&test.claim)
                {
                    return Some((kind, texts));
                }
            }
        }
        None
    }

    /// The kind of the names in a claim, if they are looked up.
    fn kind(&mut self, claim: &ClaimRef) -> Option<u64> {
        let place = self.claims.iter().position(|known| known == claim);
        let place = place.unwrap_or(self.claims.len());
        if place == self.claims.len() {
            if place >= MOST_CLAIMS {
                return None;
            }
            self.claims.push(claim.clone());
        }
        CLAIM.checked_add(u64::try_from(place).ok()?)
    }

    /// Lists of numbers, in ascending order. Each entry that holds is in one of them.
    pub(super) fn look(&self, given: &Given<'_>) -> Vec<&[u32]> {
        let mut found = vec![self.always.as_slice()];
        for kind in (0..u64::BITS).map(u64::from).filter(|kind| self.kinds >> kind & 1 == 1) {
            let mut add = |name: &str| found.push(self.groups.of(key(kind, name)));
            let names = match kind {
                ROLE => given.roles().all(),
                SCOPE => given.scopes().all(),
                GROUP => given.groups().all(),
                CLIENT => given.client().as_slice(),
                ACTOR => given.actor().as_slice(),
                _ => {
                    let claim = kind.checked_sub(CLAIM).and_then(|at| usize::try_from(at).ok());
                    let claim = claim.and_then(|at| given.claim(self.claims.get(at)?));
                    let items = claim.and_then(Json::items).into_iter().flatten();
                    items.chain(claim).filter_map(Json::as_str).for_each(add);
                    continue;
                }
            };
            names.iter().for_each(|name| add(name));
        }
        found
    }
}

/// The texts of which a test asks for one; `None` if it asks for something else.
fn texts(test: &Test) -> Option<&[String]> {
    match test {
        Test::Equals(Value::String(text)) | Test::Contains(Value::String(text)) => {
            Some(std::slice::from_ref(text))
        }
        Test::AnyOf(values) => values.texts(),
        _ => None,
    }
}

fn key(kind: u64, name: &str) -> u64 {
    mix(kind, hash(name.as_bytes()))
}
