//! All providers of a policy, found by the issuer of a token.

use std::ops::Deref;

use super::issuer;
use super::provider::{Issuer, Provider};
use crate::lookup::{Groups, hash};

/// The providers in order.
#[derive(Debug, Default)]
pub struct Providers {
    list: Vec<Provider>,
    by_exact: Groups,
    by_prefix: Groups,
    /// The lengths of the texts before `{tenantid}`. Few differ, because only few issuers have tenants.
    prefixes: Vec<usize>,
}

impl Providers {
    /// The positions of the providers that have `iss` as an issuer, in order.
    pub fn of_issuer(&self, iss: &str) -> Vec<usize> {
        let exact = self.by_exact.of(hash(iss.as_bytes()));
        let prefixes = self.prefixes.iter().filter_map(|length| iss.as_bytes().get(..*length));
        let tenanted = prefixes.flat_map(|prefix| self.by_prefix.of(hash(prefix)));
        let mut found = Vec::new();
        for position in exact.iter().chain(tenanted) {
            let Ok(position) = usize::try_from(*position) else { continue };
            let has = |provider| issuer::find(provider, iss).is_some();
            let place = found.partition_point(|other| *other < position);
            if found.get(place) != Some(&position) && self.list.get(position).is_some_and(has) {
                found.insert(place, position);
            }
        }
        found
    }
}

impl From<Vec<Provider>> for Providers {
    fn from(list: Vec<Provider>) -> Self {
        let mut all = Self::default();
        for (position, provider) in (0..).zip(&list) {
            for issuer in &provider.issuers {
                match issuer {
                    Issuer::Exact(text) => all.by_exact.push(hash(text.as_bytes()), position),
                    Issuer::Tenanted { prefix, .. } => {
                        all.by_prefix.push(hash(prefix.as_bytes()), position);
                        if !all.prefixes.contains(&prefix.len()) {
                            all.prefixes.push(prefix.len());
                        }
                    }
                }
            }
        }
        Self { list, ..all }
    }
}

impl From<Providers> for Vec<Provider> {
    fn from(all: Providers) -> Self {
        all.list
    }
}

impl Deref for Providers {
    type Target = [Provider];

    fn deref(&self) -> &[Provider] {
        &self.list
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::verify::keyset::{KeySet, SecretKeys};
    use crate::verify::provider::{KeysFrom, Tenants};

    fn provider(issuers: &[String]) -> Provider {
        let key = format!(r#"{{"keys": [{{"kty": "oct", "k": "{}"}}]}}"#, "A".repeat(43));
        let (keys, _) = KeySet::parse(key.as_bytes(), SecretKeys::Admit).unwrap();
        let issuers = issuers.iter().map(|text| Issuer::of(text)).collect();
        Provider { issuers, tenants: Tenants::Any, ..Provider::of("", KeysFrom::Static(keys)) }
    }

    proptest! {
        #[test]
        fn the_providers_of_an_issuer_are_those_of_a_walk(
            all in prop::collection::vec(
                prop::collection::vec("[ab]{0,2}(\\{tenantid\\})?[ab]{0,2}", 1..4),
                0..20,
            ),
            iss in "[abA]{0,5}",
        ) {
            let list: Vec<Provider> = all.iter().map(|issuers| provider(issuers)).collect();
            let has = |at: &usize| issuer::find(&list[*at], &iss).is_some();
            let walk: Vec<usize> = (0..list.len()).filter(has).collect();
            prop_assert_eq!(Providers::from(list).of_issuer(&iss), walk);
        }
    }
}
