//! What one worker holds for a configuration: the policy, the bucket table, the counters.

use std::cell::RefCell;

use log::warn;

use super::keys::RemoteKeys;
use super::metrics::Metrics;
use super::random;
use super::store::SharedData;
use super::waiting::Waiting;
use crate::abi::{self, Map};
use crate::concurrency::{Concurrency, Lease};
use crate::gate::{Gate, Request};
use crate::headers::Headers;
use crate::limit::table::Table;
use crate::limit::{self, Counters, Ruling};
use crate::policy::{FilterState, Policy};
use crate::quota_plan::ResponseCharge;
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
    table: Option<Table>,
    concurrency: Option<RefCell<Concurrency>>,
}

impl State {
    /// Takes over a compiled policy; the bucket table is made now, before traffic.
    pub fn new(policy: Policy, metrics: Metrics) -> Self {
        let owned = OwnedHeaders::of(&policy.tags);
        let plugin = abi::property(b"plugin_name")
            .and_then(|name| String::from_utf8(name).ok())
            .unwrap_or_default();
        let keys = RemoteKeys::new(&plugin, &policy);
        let (table, concurrency) = open_store(&plugin, &policy);
        let waiting = Waiting::default();
        Self { policy, owned, keys, metrics, waiting, table, concurrency }
    }

    /// Judges a request by its headers.
    pub fn judge(&self, headers: &Headers) -> Judgement {
        let keys = self.keys.current(&self.policy, abi::now());
        let gate = Gate {
            policy: &self.policy,
            keys: &keys,
            engine: &ModuleEngine,
            table: self.table.as_ref(),
            concurrency: self.concurrency.as_ref(),
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
            for (index, value) in &judgement.tags {
                if let Some(tag) = self.policy.tags.get(*index).filter(|tag| tag.filter_state) {
                    write_state(&tag.name, value);
                }
            }
        }
        if self.policy.metrics {
            self.count_store(&judgement.store);
            for report in &judgement.limits {
                let result = match (report.ruling, report.dry_run) {
                    // What had tokens is taken only if the request passes.
                    (Ruling::Pass, _) if denied => continue,
                    (Ruling::Pass, _) => "allowed",
                    (Ruling::NotYet | Ruling::Never, false) => "denied",
                    (Ruling::NotYet | Ruling::Never, true) => "would_deny",
                };
                self.metrics.limit((report.limit, result), || {
                    let limit = self.policy.limits.get(report.limit);
                    let name = limit.map_or("none", |limit| limit.name.as_str());
                    format!("tollgate_limit.limit.{name}.result.{result}")
                });
            }
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

    fn count_store(&self, counters: &Counters) {
        if self.policy.metrics {
            self.metrics.add("tollgate_store_retries", counters.retries);
            self.metrics.add("tollgate_store_evictions", counters.live_evictions);
        }
    }

    /// Settles what a stream owes at its end: the place in flight, and what the response cost.
    /// `found` is the number that the response named for each charge, in their order.
    pub fn settle(&self, lease: Option<Lease>, charges: &[ResponseCharge], found: &[Option<u64>]) {
        let mut counters = Counters::default();
        if let (Some(lease), Some(concurrency)) = (lease, &self.concurrency) {
            concurrency.borrow_mut().release(&SharedData, &abi::now, lease, &mut counters);
        }
        let found = found.iter().copied().chain(std::iter::repeat(None));
        for (charge, found) in charges.iter().zip(found) {
            let request = charge.request(found);
            if let Some(table) = &self.table {
                limit::charge(table, &SharedData, &abi::now, &request, &mut counters);
            }
        }
        self.count_store(&counters);
    }

    /// Whether requests in flight are counted.
    pub fn counts_concurrency(&self) -> bool {
        self.concurrency.is_some()
    }

    /// Renews the places in flight of this worker.
    pub fn tend_concurrency(&self) {
        if let Some(concurrency) = &self.concurrency {
            let mut counters = Counters::default();
            concurrency.borrow_mut().tick(&SharedData, &abi::now, &mut counters);
            self.count_store(&counters);
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

/// The buckets, and the requests in flight beside them, where the policy has any.
fn open_store(plugin: &str, policy: &Policy) -> (Option<Table>, Option<RefCell<Concurrency>>) {
    let counted = policy.rules.iter().any(|rule| rule.concurrency.is_some());
    if policy.limits.is_empty() && !counted {
        return (None, None);
    }
    let failed = |error| warn!("tollgate: no bucket table, failure_mode applies: {error}");
    let table = Table::open(&SharedData, plugin, policy.max_identities, random::seed())
        .map_err(failed)
        .ok();
    if let Some(table) = table.as_ref().filter(|table| table.keeps_other_size()) {
        warn!(
            "tollgate: store.max_identities applies after a restart of the proxy: the table keeps \
             its {} slots",
            table.slots()
        );
    }
    let concurrency = table.as_ref().filter(|_| counted).and_then(|table| {
        let [a, b, c, d, e, f, g, h, ..] = random::seed();
        let holder = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        Concurrency::open(&SharedData, plugin, table, holder).map_err(failed).ok()
    });
    (table, concurrency.map(RefCell::new))
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
