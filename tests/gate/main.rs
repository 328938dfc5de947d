//! The gate without a host: verdicts, buckets, costs and tags of requests under whole configurations.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod answers;
mod bodies;
mod body_grants;
mod body_values;
mod buckets;
mod callers;
mod limits;
#[path = "../core/policy.rs"]
mod policy;
mod remembered;
mod reservations;

use std::cell::RefCell;

use policy::PolicyKeys;
use serde_json::{Value, json};
use support::mint::{self, Signer};
use support::scenario::{claims_with, provider};
use tollgate::body::Refusal;
use tollgate::caller::cache::TokenCache;
use tollgate::gate::judged::{Decision, Judged, Pending};
use tollgate::gate::verdict::LimitReport;
use tollgate::gate::{Gate, Request};
use tollgate::limit::concurrency::Concurrency;
use tollgate::limit::plan::End;
use tollgate::limit::table::Table;
use tollgate::limit::{self, Counters};
use tollgate::policy::Policy;
use tollgate::request::headers::Headers;
use tollgate::store::memory::Memory;
use tollgate::store::{Store, StoreError, Swap};
use tollgate::time::Moment;
use tollgate::verify::engine::ModuleEngine;

/// A store that answers nothing.
struct Broken;

impl Store for Broken {
    fn load(&self, _: &str) -> Result<Option<(Vec<u8>, u32)>, StoreError> {
        Err(StoreError::Host(10))
    }

    fn swap(&self, _: &str, _: &[u8], _: u32) -> Result<Swap, StoreError> {
        Err(StoreError::Host(10))
    }
}

/// A configuration at work, at one moment.
struct Scene {
    policy: Policy,
    cache: TokenCache,
    memory: Memory,
    table: Option<Table>,
    concurrency: Option<RefCell<Concurrency>>,
    signer: Signer,
    now: Moment,
    /// SHA-256 of the client's certificate in hex, as the host gives it.
    certificate: Option<Vec<u8>>,
}

impl Scene {
    /// One provider, and these members of the document; `bind` is the provider's.
    fn new(members: Value) -> Self {
        let signer = Signer::new("HS256", "key-1");
        let mut document = json!({"providers": [provider(&[&signer], &["HS256"])]});
        for (name, value) in members.as_object().unwrap() {
            match name.as_str() {
                "bind" => document["providers"][0]["bind"] = value.clone(),
                "identity" => document["providers"][0]["identity"] = value.clone(),
                // The same provider once more, as another issuer.
                "twin" => {
                    let mut twin = document["providers"][0].clone();
                    (twin["name"], twin["issuers"]) = (json!("twin"), json!([value]));
                    document["providers"].as_array_mut().unwrap().push(twin);
                }
                _ => document[name] = value.clone(),
            }
        }
        let policy = policy::compiled(&document);
        let memory = Memory::default();
        let table = Table::open(&memory, "p", policy.max_identities, [7; 16]).unwrap();
        let concurrency = Concurrency::open(&memory, "p", &table, 1).unwrap();
        Self {
            cache: policy.empty_cache(42),
            table: Some(table),
            concurrency: Some(RefCell::new(concurrency)),
            memory,
            signer,
            now: Moment::from_secs(mint::now()),
            policy,
            certificate: None,
        }
    }

    fn gate<T>(&self, run: impl FnOnce(&Gate<'_>) -> T) -> T {
        run(&Gate {
            policy: &self.policy,
            keys: &PolicyKeys(&self.policy),
            engine: &ModuleEngine,
            cache: &self.cache,
            table: self.table.as_ref(),
            concurrency: self.concurrency.as_ref(),
            store: &self.memory,
        })
    }

    /// Runs `run` with a request for `/` with these headers besides, from this address.
    fn at_gate<T>(
        &self,
        address: &str,
        headers: &[(&str, &str)],
        run: impl FnOnce(&Gate<'_>, &Request<'_>) -> T,
    ) -> T {
        let mut all = vec![(":method", "GET"), (":path", "/"), (":authority", "h")];
        for (name, value) in headers {
            all.retain(|(known, _)| known != name);
            all.push((name, value));
        }
        let request = Request {
            headers: &Headers::from_pairs(&all),
            bodyless: false,
            client_address: &|| Some(address.to_owned()),
            now: self.now,
            peer_certificate: &|| self.certificate.clone(),
            clock: &|| self.now,
        };
        self.gate(|gate| run(gate, &request))
    }

    /// The decision on a request that no guard holds.
    fn judge_from(&self, address: &str, headers: &[(&str, &str)]) -> Decision {
        match self.judged(address, headers) {
            Judged::Decided(decision) => decision,
            Judged::Body(pending) => panic!("the body decides: {pending:?}"),
        }
    }

    fn judge(&self, headers: &[(&str, &str)]) -> Decision {
        self.judge_from("192.0.2.1", headers)
    }

    fn judged(&self, address: &str, headers: &[(&str, &str)]) -> Judged {
        self.at_gate(address, headers, |gate, request| gate.judge(request))
    }

    /// The value of `authorization` with a token of these claims.
    fn bearer(&self, subject: &str, claims: Value) -> String {
        format!("Bearer {}", self.signer.sign(&claims_with(subject, claims)))
    }

    fn ask(&self, subject: &str, claims: Value) -> Decision {
        self.judge(&[("authorization", &self.bearer(subject, claims))])
    }

    /// The decision on a request of `a` with this body.
    fn ask_with_body(&self, body: Result<u64, Refusal>) -> Decision {
        let bearer = self.bearer("a", json!({}));
        match self.judged("192.0.2.1", &[("authorization", &bearer)]) {
            Judged::Body(pending) => self.conclude(pending, body),
            Judged::Decided(decision) => decision,
        }
    }

    fn conclude(&self, pending: Pending, body: Result<u64, Refusal>) -> Decision {
        let read = pending.guard.check(&Headers::default());
        self.at_gate("192.0.2.1", &[], |gate, request| pending.conclude(gate, request, &read, body))
    }

    /// Charges the limits of a request with the number in its response.
    fn charge(&self, judged: &Decision, found: Option<u64>) {
        for planned in &judged.charges {
            let end = found.map_or(End::Untold, End::Told);
            let (request, _) = planned.charge(end);
            let table = self.table.as_ref().unwrap();
            let clock = || self.now;
            let held = planned.held();
            let counters = &mut Counters::default();
            limit::settle(table, &self.memory, &clock, &request, held, counters);
        }
    }

    /// Returns the place in flight of a request, if it has one.
    fn release(&self, judged: &mut Decision) {
        if let Some(lease) = judged.lease.take() {
            let mut concurrency = self.concurrency.as_ref().unwrap().borrow_mut();
            concurrency.release(&self.memory, &|| self.now, lease, &mut Counters::default());
        }
    }

    /// How many requests of these claims pass at this moment.
    fn passes(&self, subject: &str, claims: &Value) -> usize {
        let mut asked = (0..1_000).map(|_| word(&self.ask(subject, claims.clone())));
        asked.by_ref().take_while(|word| *word == "ok").count()
    }
}

fn word(decision: &Decision) -> &'static str {
    decision.verdict.reason().as_str()
}

/// One rule for all paths with these members, and one limit with those.
fn limited(rule: Value, limit: Value) -> Value {
    let mut document = json!({
        "rules": [{"name": "all", "limits": ["l"]}],
        "limits": [{"name": "l", "rate": "5/h"}],
    });
    for (list, members) in [("rules", rule), ("limits", limit)] {
        for (name, value) in members.as_object().unwrap() {
            document[list][0][name] = value.clone();
        }
    }
    document
}

fn identity(judged: &Decision) -> Option<String> {
    judged.facts.caller.as_ref().map(|caller| caller.principal().identity().to_owned())
}
