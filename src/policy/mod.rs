//! The compiled configuration: after load there is nothing left to parse.

pub mod choice;
mod order;
pub mod owned;
pub mod responses;
pub mod rule;
pub mod rules;
pub mod secret;

use std::rc::Rc;

use crate::caller::address::ClientAddress;
use crate::caller::cache::{CacheSettings, TokenCache};
use crate::caller::tags::Tag;
use crate::limit::plan::Limit;
use crate::request::token_source::TokenRules;
use crate::verify::provider::Provider;
use responses::Responses;
use rules::Rules;

/// Everything the filter decides by.
#[derive(Debug)]
pub struct Policy {
    /// Who may issue tokens.
    pub providers: Vec<Provider>,
    /// Where tokens are looked for.
    pub token: TokenRules,
    /// First match wins.
    pub rules: Rules,
    /// Buckets that rules take from.
    pub limits: Vec<Rc<Limit>>,
    /// What a verified request is tagged with.
    pub tags: Vec<Tag>,
    /// How refusals look.
    pub responses: Responses,
    /// Which decisions write `wasm.tollgate.*`.
    pub filter_state: FilterState,
    /// Whether counters are kept.
    pub metrics: bool,
    /// Which engines may verify.
    pub crypto: Crypto,
    /// How many verified tokens a worker remembers, and for how long.
    pub token_cache: CacheSettings,
    /// How many identities the store may hold at once.
    pub max_identities: u32,
    /// What happens when the store cannot answer.
    pub failure_mode: FailureMode,
    /// How much of an address is one caller.
    pub client_address: ClientAddress,
    /// Whether the head of a guarded request waits for the verdict on its body.
    pub hold_head: bool,
    /// Whether paths with more than one reading are refused.
    pub reject_ambiguous_paths: bool,
    /// Whether what would be refused passes, by any rule.
    pub dry_run: bool,
}

impl Policy {
    /// An empty token cache; `seed` is any number that clients cannot know.
    pub fn empty_cache(&self, seed: u64) -> TokenCache {
        TokenCache::new(self.token_cache, seed)
    }
}

/// `telemetry.filter_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterState {
    /// Every decision.
    All,
    /// Refusals alone.
    Denied,
    /// None.
    Off,
}

/// `crypto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crypto {
    /// The host's verifier where its self-test passes, else the module's.
    Auto,
    /// The module's alone.
    Module,
}

/// `failure_mode`: what our own machinery's failure means for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureMode {
    /// 503 `store_unavailable`.
    Deny,
    /// The request passes unlimited.
    Allow,
}
