//! A provider whose keys are fetched.

use crate::policy::Policy;
use crate::shell::metrics::Metrics;
use crate::verify::provider::{KeysFrom, Provider, Remote};

/// A provider whose keys are fetched.
pub struct Fetch<'a> {
    /// Its index.
    pub index: usize,
    /// The provider.
    pub provider: &'a Provider,
    /// Where its keys come from.
    pub remote: &'a Remote,
    /// The counters.
    pub metrics: &'a Metrics,
}

impl<'a> Fetch<'a> {
    /// `None` if the keys are static.
    pub fn of(index: usize, policy: &'a Policy, metrics: &'a Metrics) -> Option<Self> {
        let provider = policy.providers.get(index)?;
        let KeysFrom::Remote(remote) = &provider.keys else { return None };
        Some(Self { index, provider, remote, metrics })
    }

    /// All such providers.
    pub fn all(policy: &'a Policy, metrics: &'a Metrics) -> impl Iterator<Item = Self> {
        (0..policy.providers.len()).filter_map(move |index| Self::of(index, policy, metrics))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.provider.name
    }

    /// Counts results of fetches.
    pub fn counted(&self, result: &str, by: u64) {
        let name = self.name();
        self.metrics.add(&format!("tollgate_jwks_fetch.provider.{name}.result.{result}"), by);
    }
}
