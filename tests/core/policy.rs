//! What a configuration needs around it in native tests: no variables, and its own keys.

#![allow(dead_code, missing_docs)]

use tollgate::config::Environment;
use tollgate::policy::Policy;
use tollgate::verify::Keys;
use tollgate::verify::keyset::KeySet;
use tollgate::verify::provider::KeysFrom;

pub struct NoVariables;

impl Environment for NoVariables {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
}

/// The keys that stand in the configuration.
pub struct PolicyKeys<'a>(pub &'a Policy);

impl Keys for PolicyKeys<'_> {
    fn keys(&self, provider: usize) -> Option<&KeySet> {
        match &self.0.providers.get(provider)?.keys {
            KeysFrom::Static(keys) => Some(keys),
            KeysFrom::Remote(_) => None,
        }
    }
}
