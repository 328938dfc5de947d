//! What one worker holds for a configuration: the policy, the bucket table, the counters.

use std::rc::Rc;

use log::info;
use proxy_wasm::types::MapType;

use super::buckets::{self, Counts, Open};
use super::foreign::Foreign;
use super::held::heads::Holding;
use super::held::keys::Waiting;
use super::host::{self, HostError};
use super::keys::RemoteKeys;
use super::metrics::Metrics;
use super::random;
use super::refusal_log::RefusalLog;
use super::store::SharedData;
use crate::body::Refusal;
use crate::caller::cache::TokenCache;
use crate::caller::tags::Tag;
use crate::gate::facts::Facts;
use crate::gate::judged::{Decision, Judged, Pending};
use crate::gate::{Gate, Request};
use crate::limit::Counters;
use crate::limit::concurrency::Lease;
use crate::limit::cost::Cost;
use crate::policy::owned::OwnedHeaders;
use crate::policy::secret::LENT_HEADER;
use crate::policy::{Crypto, Policy};
use crate::request::headers::Headers;
use crate::request::token_source;
use crate::time::Moment;
use crate::verify::host::Engines;

/// A loaded configuration and what it needs at run time.
pub struct State {
    /// The compiled configuration.
    pub policy: Policy,
    /// The request headers that only the filter may write.
    pub owned: OwnedHeaders,
    /// The key sets that are fetched.
    pub keys: RemoteKeys,
    /// The counters.
    pub metrics: Rc<Metrics>,
    /// The requests that wait for a key.
    pub waiting: Waiting,
    /// The requests whose head waits for the verdict on their body.
    pub holding: Holding,
    engines: Engines<Foreign>,
    cache: TokenCache,
    /// The log of refusals.
    pub(super) refusals: RefusalLog,
    /// Of each tag, where it stands in filter state.
    pub(super) tag_paths: Vec<Option<Vec<u8>>>,
    /// Whether some rule says what a request costs, so that filter state tells it of each.
    pub(super) tells_cost: bool,
    counts: Counts,
}

impl State {
    /// Takes over a compiled policy; the bucket table is made now, before traffic.
    pub fn new(policy: Policy, metrics: Metrics) -> Self {
        let owned = OwnedHeaders::of(&policy);
        let plugin = host::property(b"plugin_name")
            .and_then(|name| String::from_utf8(name).ok())
            .unwrap_or_default();
        let keys = RemoteKeys::new(&plugin, &policy);
        metrics.prepare(&policy);
        let metrics = Rc::new(metrics);
        let foreign = Foreign::new(Rc::clone(&metrics), policy.metrics);
        let engines = match policy.crypto {
            Crypto::Auto => Engines::tested(foreign),
            Crypto::Module => Engines::module(foreign),
        };
        info!("tollgate: the proxy verifies {:?}, the module the rest", engines.proven());
        let seed = random::seed().first_chunk().map_or(0, |half| u64::from_le_bytes(*half));
        let cache = policy.empty_cache(seed);
        let path = |tag: &Tag| tag.filter_state.then(|| format!("tollgate.{}", tag.name).into());
        let counts = Counts::new(plugin, &policy, host::now());
        Self {
            owned,
            keys,
            metrics,
            waiting: Waiting::default(),
            holding: Holding::default(),
            engines,
            cache,
            refusals: RefusalLog::default(),
            tag_paths: policy.tags.iter().map(path).collect(),
            tells_cost: policy.rules.iter().any(|rule| rule.cost != Cost::Fixed(1)),
            counts,
            policy,
        }
    }

    /// Judges a request by its headers. `bodyless`: it ended with them.
    pub fn judge(&self, headers: &Headers, bodyless: bool) -> Judged {
        let now = host::now();
        self.with_gate(now, |gate| {
            gate.judge(&Request {
                headers,
                bodyless,
                client_address: &client_address,
                peer_certificate: &peer_certificate,
                now,
                clock: &host::now,
            })
        })
    }

    /// Decides a request whose body was judged.
    pub fn conclude(&self, pending: Pending, body: Result<u64, Refusal>) -> Decision {
        self.with_gate(host::now(), |gate| pending.conclude(gate, body, &host::now))
    }

    fn with_gate<T>(&self, now: Moment, run: impl FnOnce(&Gate<'_>) -> T) -> T {
        let keys = self.keys.current(&self.policy, now);
        let counts = self.counts.current(&self.policy, now);
        run(&Gate {
            policy: &self.policy,
            keys: &keys,
            engine: &self.engines,
            cache: &self.cache,
            table: counts.map(|open| &open.table),
            concurrency: counts.and_then(|open| open.concurrency.as_ref()),
            store: &SharedData,
        })
    }

    /// Gives back the place in flight of a stream that has ended.
    pub fn release(&self, lease: Lease) {
        let concurrency = self.counts.opened().and_then(|open| open.concurrency.as_ref());
        if let Some(concurrency) = concurrency {
            let mut counters = Counters::default();
            concurrency.borrow_mut().release(&SharedData, &host::now, lease, &mut counters);
            self.count_store(&counters);
        }
    }

    /// The tables, if they were opened.
    pub(super) fn open_counts(&self) -> Option<&Open> {
        self.counts.opened()
    }

    /// Whether requests in flight are counted.
    pub fn counts_concurrency(&self) -> bool {
        buckets::in_flight(&self.policy)
    }

    /// Renews the places in flight of this worker.
    pub fn tend_concurrency(&self) {
        let concurrency = self.counts.opened().and_then(|open| open.concurrency.as_ref());
        if let Some(concurrency) = concurrency {
            let mut counters = Counters::default();
            concurrency.borrow_mut().tick(&SharedData, &host::now, &mut counters);
            self.count_store(&counters);
        }
    }

    /// Writes the headers of a request that passes: adds its tags, removes the token unless it is forwarded,
    /// and sets the upstream's authorization. `allowed`: no dry run or pending body can still refuse it.
    ///
    /// # Errors
    /// The first call that the host refuses. Such a request must not pass, because it may still have headers
    /// that had to go.
    pub fn write_request(
        &self,
        facts: &Facts,
        allowed: bool,
        headers: &Headers,
    ) -> Result<(), HostError> {
        for (index, value) in facts.tags() {
            let header = self.policy.tags.get(*index).and_then(|tag| tag.header.as_ref());
            if let Some(header) = header {
                // The header was stripped before, so there is none to replace. The first search in a map
                // makes the host index it: 1 µs.
                host::header_add(MapType::HttpRequestHeaders, header.as_bytes(), value.as_bytes())?;
            }
        }
        // The next hop removes the headers that it names (RFC 9110 §7.6.1), even those of the filter. A proxy
        // forwards it in upgrade requests only.
        let connection = headers.value("connection");
        if connection.is_some_and(|options| !options.eq_ignore_ascii_case(UPGRADE)) {
            host::header_replace(MapType::HttpRequestHeaders, b"connection", UPGRADE)?;
        }
        if !self.policy.token.forward {
            for rewrite in token_source::removal(headers, &self.policy.token) {
                write_header(&rewrite.name, &rewrite.values)?;
            }
        }
        let rule = facts.rule.as_deref();
        if let Some(rule) = rule {
            self.ask_for_identity(rule, headers)?;
        }
        let authorization = rule.and_then(|rule| rule.upstream_authorization.as_ref());
        // A dry run of the rule admits every request, but lends the upstream's key only to those that would
        // pass without it, and so not while a body is pending.
        let dry_run = self.policy.dry_run || rule.is_some_and(|rule| rule.dry_run);
        if let Some(value) = authorization.filter(|_| allowed || !dry_run) {
            let name = LENT_HEADER.as_bytes();
            // Servers would read another spelling beside the upstream's.
            for (given, _) in headers.spellings(LENT_HEADER).filter(|(given, _)| *given != name) {
                host::header_remove(MapType::HttpRequestHeaders, given)?;
            }
            write_header(name, &[value.expose().as_bytes().to_vec()])?;
        }
        Ok(())
    }
}

/// The only option of `connection` in a request that passes.
const UPGRADE: &[u8] = b"upgrade";

/// Replaces all lines of a header.
fn write_header(name: &[u8], values: &[Vec<u8>]) -> Result<(), HostError> {
    match values {
        [value] => host::header_replace(MapType::HttpRequestHeaders, name, value),
        values => {
            host::header_remove(MapType::HttpRequestHeaders, name)?;
            values
                .iter()
                .try_for_each(|value| host::header_add(MapType::HttpRequestHeaders, name, value))
        }
    }
}

/// The address that the proxy holds for the caller, without its port (`1.2.3.4:5`, `[::1]:5`).
fn client_address() -> Option<String> {
    let address = String::from_utf8(host::property(b"source\0address")?).ok()?;
    let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
    Some(host.trim_matches(['[', ']']).to_owned())
}

/// The SHA-256 of the client's certificate in hexadecimal; none outside of mutual TLS.
fn peer_certificate() -> Option<Vec<u8>> {
    let mutual = host::property(b"connection\0mtls")? == [1];
    mutual.then(|| host::property(b"connection\0sha256_peer_certificate_digest"))?
}
