//! What one worker holds for a configuration: the policy, the bucket table, the counters.

use std::cell::RefCell;

use log::warn;

use super::keys::RemoteKeys;
use super::logging::RefusalLog;
use super::metrics::Metrics;
use super::random;
use super::store::SharedData;
use super::waiting::Waiting;
use crate::abi::{self, Map};
use crate::gate::{Gate, Request};
use crate::headers::Headers;
use crate::limit::table::Table;
use crate::policy::{FilterState, Policy};
use crate::tags::OwnedHeaders;
use crate::verdict::{Judgement, Verdict};
use crate::verify::engine::ModuleEngine;

/// A loaded configuration and what it needs at run time.
pub struct State {
    /// The compiled configuration.
    pub policy: Policy,
    /// The request headers that only the filter may write.
    pub owned: OwnedHeaders,
    /// The key sets that are fetched.
    pub keys: RemoteKeys,
    /// The counters.
    pub metrics: Metrics,
    /// The requests that wait for a key.
    pub waiting: Waiting,
    /// The log of refusals.
    refusals: RefusalLog,
    plugin: String,
    table: RefCell<Option<Table>>,
}

impl State {
    /// Takes over a compiled policy; the bucket table is made now, before traffic.
    pub fn new(policy: Policy, metrics: Metrics) -> Self {
        let owned = OwnedHeaders::of(&policy.tags);
        let plugin = abi::property(b"plugin_name")
            .and_then(|name| String::from_utf8(name).ok())
            .unwrap_or_default();
        let keys = RemoteKeys::new(&plugin, &policy);
        let (waiting, table) = (Waiting::default(), RefCell::default());
        let refusals = RefusalLog::default();
        let state = Self { policy, owned, keys, metrics, waiting, refusals, plugin, table };
        if !state.policy.limits.is_empty() {
            state.open_table();
        }
        state
    }

    fn open_table(&self) {
        match Table::open(&SharedData, &self.plugin, self.policy.max_identities, random::seed()) {
            Ok(table) => *self.table.borrow_mut() = Some(table),
            Err(error) => warn!("tollgate: no bucket table, failure_mode applies: {error}"),
        }
    }

    /// Judges a request by its headers.
    pub fn judge(&self, headers: &Headers) -> Judgement {
        let table = self.table.borrow();
        let keys = self.keys.current(&self.policy, abi::now());
        let gate = Gate {
            policy: &self.policy,
            keys: &keys,
            engine: &ModuleEngine,
            table: table.as_ref(),
            store: &SharedData,
        };
        gate.judge(&Request { headers, client_address: &client_address, clock: &abi::now })
    }

    /// Leaves the trace of a decision: filter state and counters.
    pub fn report(&self, judgement: &Judgement) {
        let rule = judgement.rule.and_then(|index| self.policy.rules.get(index));
        let provider = judgement.provider.and_then(|index| self.policy.providers.get(index));
        let rule = rule.map_or("none", |rule| rule.name.as_str());
        let provider = provider.map_or("none", |provider| provider.name.as_str());
        let (decision, reason) = (judgement.verdict.decision(), judgement.verdict.reason());
        let denied = matches!(judgement.verdict, Verdict::Deny(_));
        if denied {
            self.refusals.note(reason, rule, provider, abi::now());
        }
        let write = match self.policy.filter_state {
            FilterState::All => true,
            FilterState::Denied => denied,
            FilterState::Off => false,
        };
        if write {
            write_state("decision", decision);
            write_state("reason", reason.as_str());
            write_state("rule", rule);
            write_state("provider", provider);
            if let Some(limit) = judgement.limited_by().and_then(|i| self.policy.limits.get(i)) {
                write_state("limit", &limit.name);
            }
            for (index, value) in &judgement.tags {
                if let Some(tag) = self.policy.tags.get(*index).filter(|tag| tag.filter_state) {
                    write_state(&tag.name, value);
                }
            }
        }
        if self.policy.metrics {
            self.metrics.add("tollgate_store_retries", judgement.store.retries);
            self.metrics.add("tollgate_store_evictions", judgement.store.live_evictions);
            let labels = (judgement.rule, judgement.provider, decision, reason);
            self.metrics.request(labels, || {
                let reason = reason.as_str();
                format!(
                    "tollgate_requests.rule.{rule}.provider.{provider}.decision.{decision}\
                     .reason.{reason}"
                )
            });
        }
    }

    /// Writes the tags of a request that passes into its headers.
    pub fn write_tags(&self, judgement: &Judgement) {
        for (index, value) in &judgement.tags {
            let header = self.policy.tags.get(*index).and_then(|tag| tag.header.as_ref());
            if let Some(header) = header {
                let _ = abi::header_replace(Map::Request, header.as_bytes(), value.as_bytes());
            }
        }
    }
}

fn write_state(name: &str, value: &str) {
    let _ = abi::set_property(format!("tollgate.{name}").as_bytes(), value.as_bytes());
}

/// The address that the proxy holds for the caller, without its port (`1.2.3.4:5`, `[::1]:5`).
fn client_address() -> Option<String> {
    let address = String::from_utf8(abi::property(b"source\0address")?).ok()?;
    let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
    Some(host.trim_matches(['[', ']']).to_owned())
}
