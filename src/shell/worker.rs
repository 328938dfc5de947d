//! One worker's state for a configuration: policy, keys, buckets, caches and telemetry. It knows no stream.

use std::rc::Rc;

use log::info;

use super::buckets::Buckets;
use super::foreign::Foreign;
use super::host;
use super::keys::RemoteKeys;
use super::metrics::Metrics;
use super::random;
use super::store::SharedData;
use super::telemetry::Telemetry;
use crate::body::{Check, Refusal};
use crate::caller::cache::TokenCache;
use crate::config::Problem;
use crate::gate::judged::{Decision, Judged, Pending};
use crate::gate::{Gate, Request};
use crate::policy::owned::OwnedHeaders;
use crate::policy::{Crypto, Policy};
use crate::request::headers::Headers;
use crate::time::Moment;
use crate::verify::algorithm::{AlgorithmSet, HAS_VERIFIER};
use crate::verify::host::Engines;
use crate::verify::provider::Provider;

/// A loaded configuration and its state at run time.
pub struct Worker {
    /// The compiled configuration.
    pub policy: Policy,
    /// The request headers that only the filter may write.
    pub owned: OwnedHeaders,
    /// The remote key sets.
    pub keys: RemoteKeys,
    /// The counters.
    pub metrics: Rc<Metrics>,
    /// The buckets and the places in flight.
    pub buckets: Buckets,
    /// The record of decisions.
    pub telemetry: Telemetry,
    engines: Engines<Foreign>,
    cache: TokenCache,
}

impl Worker {
    /// Takes over a compiled policy. Opens the bucket table now, before the first request.
    ///
    /// # Errors
    /// In the module without a verifier, when the proxy has not proven an algorithm that a provider needs.
    pub fn new(policy: Policy, metrics: Rc<Metrics>) -> Result<Self, Problem> {
        let foreign = Foreign::new(Rc::clone(&metrics), policy.metrics);
        let engines = match policy.crypto {
            Crypto::Auto => Engines::tested(foreign),
            Crypto::Module => Engines::module(foreign),
        };
        if let Some(problem) = unproven(&engines, &policy).filter(|_| !HAS_VERIFIER) {
            return Err(problem);
        }
        let rest = if HAS_VERIFIER { ", the module the rest" } else { "" };
        info!("tollgate: the proxy verifies {:?}{rest}", engines.proven());
        metrics.prepare(&policy);
        let plugin = host::property(b"plugin_name")
            .and_then(|name| String::from_utf8(name).ok())
            .unwrap_or_default();
        let seed = random::seed().first_chunk().map_or(0, |half| u64::from_le_bytes(*half));
        Ok(Self {
            owned: OwnedHeaders::of(&policy),
            keys: RemoteKeys::new(&plugin, &policy),
            buckets: Buckets::new(plugin, &policy, host::now()),
            telemetry: Telemetry::new(&policy, Rc::clone(&metrics)),
            metrics,
            engines,
            cache: policy.empty_cache(seed),
            policy,
        })
    }

    /// Judges a request by its headers. `bodyless`: it ended with them. `judged`: as in [`Gate::judge_to`].
    pub fn judge(&self, headers: &Headers, bodyless: bool, judged: &mut Judged) {
        let request = request(headers, bodyless);
        self.with_gate(request.now, |gate| gate.judge_to(&request, judged));
    }

    /// Decides a request with these headers whose body was judged, as far as it was `read`.
    pub fn conclude(
        &self,
        pending: Pending,
        headers: &Headers,
        read: &Check,
        body: Result<u64, Refusal>,
    ) -> Decision {
        let request = request(headers, false);
        self.with_gate(request.now, |gate| pending.conclude(gate, &request, read, body))
    }

    fn with_gate<T>(&self, now: Moment, run: impl FnOnce(&Gate<'_>) -> T) -> T {
        let keys = self.keys.current(&self.policy, now);
        let open = self.buckets.current(&self.policy, now);
        run(&Gate {
            policy: &self.policy,
            keys: &keys,
            engine: &self.engines,
            cache: &self.cache,
            table: open.map(|open| &open.table),
            concurrency: open.and_then(|open| open.concurrency.as_ref()),
            store: &SharedData,
        })
    }

    /// Adopts the keys that other workers fetched, and starts the fetches that are due.
    pub fn tend_keys(&self) {
        self.keys.adopt(&self.policy, &self.metrics);
        self.keys.fetch(&self.policy, &self.metrics);
    }

    /// Writes the telemetry of a decision.
    pub fn report(&self, decision: &Decision) {
        self.telemetry.report(&self.policy, decision);
    }

    /// Whether headers wait for the verdict on their body.
    pub fn holds_heads(&self) -> bool {
        self.policy.hold_head && self.policy.rules.iter().any(|rule| rule.payload.is_some())
    }
}

/// The first provider that needs an algorithm which the proxy has not proven.
fn unproven(engines: &Engines<Foreign>, policy: &Policy) -> Option<Problem> {
    let of = |provider: &Provider| engines.unproven(provider.algorithms);
    let index = policy.providers.iter().position(|provider| of(provider) != AlgorithmSet::EMPTY)?;
    let lacking = of(policy.providers.get(index)?);
    Some(Problem {
        path: format!("providers[{index}].algorithms"),
        message: format!(
            "the proxy did not pass the self-test of {lacking:?}, and this module, tollgate-host.wasm, has no \
             verifier; allowed: those that it passed, {:?}, or the full module, tollgate.wasm",
            engines.proven()
        ),
    })
}

/// The selected request.
fn request(headers: &Headers, bodyless: bool) -> Request<'_> {
    Request {
        headers,
        bodyless,
        client_address: &client_address,
        peer_certificate: &peer_certificate,
        now: host::now(),
        clock: &host::now,
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
