//! The compiled configuration. After it has loaded, nothing is left to parse.
//!
//! - [`rule`] is one rule, [`rules`] all of them, [`choice`] finds the rule of a request, and
//!   `order` compares two rules by what they ask for.
//! - [`owned`] names the request headers that only the filter may write.
//! - [`responses`] says what refusals look like; [`secret`] holds the key lent to an upstream.

pub mod choice;
pub mod cors;
mod order;
pub mod owned;
mod path_readings;
pub mod responses;
pub mod rule;
pub mod rules;

use std::rc::Rc;

use crate::caller::address::ClientAddress;
use crate::caller::cache::{CacheSettings, TokenCache};
use crate::caller::tags::Tag;
use crate::limit::plan::Limit;
use crate::request::token_source::TokenRules;
use crate::verify::providers::Providers;
use responses::Responses;
use rules::Rules;

/// Everything that a decision depends on, apart from keys and buckets.
#[derive(Debug)]
pub struct Policy {
    /// The configured issuers and their keys.
    pub providers: Providers,
    /// Where tokens are looked for.
    pub token: TokenRules,
    /// The rules in order; the first that matches applies.
    pub rules: Rules,
    /// The limits that rules name.
    pub limits: Vec<Rc<Limit>>,
    /// The tags that a verified request gets.
    pub tags: Vec<Tag>,
    /// The form of refusals.
    pub responses: Responses,
    /// Which decisions write `wasm.tollgate.*`.
    pub filter_state: FilterState,
    /// Whether the filter keeps counters.
    pub metrics: bool,
    /// Whether the filter keeps histograms of the requests that pass.
    pub histograms: bool,
    /// Which engines may verify signatures.
    pub crypto: Crypto,
    /// How many verified tokens each worker caches, and for how long.
    pub token_cache: CacheSettings,
    /// The most identities that have buckets at once.
    pub max_identities: u32,
    /// What happens to a request when shared data fails.
    pub failure_mode: FailureMode,
    /// The prefix lengths by which addresses count as one caller.
    pub client_address: ClientAddress,
    /// Whether the headers of a guarded request wait for the verdict on its body.
    pub hold_head: bool,
    /// Whether paths with more than one reading are refused.
    pub reject_ambiguous_paths: bool,
    /// Whether every rule is a dry run: refusals are reported and not carried out.
    pub dry_run: bool,
}

impl Policy {
    /// An empty token cache. Clients must not be able to guess `seed`.
    pub fn empty_cache(&self, seed: u64) -> TokenCache {
        TokenCache::new(self.token_cache, seed)
    }
}

/// `telemetry.filter_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterState {
    /// Every decision.
    All,
    /// Every decision; of a request that passes, without the tags that stand in its headers.
    Auto,
    /// Refusals only.
    Denied,
    /// No decision.
    Off,
}

/// `crypto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crypto {
    /// The host's verifier for each algorithm whose self-test passes, otherwise the module's.
    Auto,
    /// Only the module's.
    Module,
}

/// `failure_mode`: what happens to a request when shared data fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureMode {
    /// It is refused with 503 `store_unavailable`.
    Deny,
    /// It passes without a limit.
    Allow,
}
