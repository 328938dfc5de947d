//! The fuzz targets: one function each, with the laws that hold for any input. `fuzz/` runs them
//! under libFuzzer (`make fuzz`), `fuzz_smoke` runs them in `make test`.

#![allow(dead_code, missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod bodies;
#[path = "../host_option.rs"]
mod host_option;
#[path = "../policy.rs"]
mod policy;
mod requests;
mod tokens;

use std::cell::OnceCell;
use std::time::Duration;

use serde_json::json;
use tollgate::config::{self, NoVariables};
use tollgate::gate::judged::{Decision, Judged};
use tollgate::gate::{Gate, Request};
use tollgate::limit::owner::Owner;
use tollgate::limit::quota::Quota;
use tollgate::limit::slot::Slot;
use tollgate::limit::table::Table;
use tollgate::limit::{self, Counters, Mode, Which};
use tollgate::policy::Policy;
use tollgate::request::headers::Headers;
use tollgate::store::memory::Memory;
use tollgate::time::Moment;
use tollgate::verify::base64url;
use tollgate::verify::engine::ModuleEngine;

pub use bodies::{body, rewrite, usage};
use policy::PolicyKeys;
pub use requests::{authority, header_map, identity, paths, template, verdict};
pub use tokens::{answer, base64, claims, json_object, jwks, token};

/// A target: its name and its function.
pub type Target = (&'static str, fn(&[u8]));

pub const TARGETS: &[Target] = &[
    ("answer", answer),
    ("authority", authority),
    ("base64url", base64),
    ("body", body),
    ("bucket", bucket),
    ("claims", claims),
    ("config", configuration),
    ("header_map", header_map),
    ("identity", identity),
    ("json", json_object),
    ("jwks", jwks),
    ("path", paths),
    ("rewrite", rewrite),
    ("template", template),
    ("token", token),
    ("usage", usage),
    ("verdict", verdict),
];

const NOW: u64 = 1_800_000_000;
const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

/// Any document gives a policy or a list of problems, each of them one line.
pub fn configuration(data: &[u8]) {
    match config::compile(data, &NoVariables) {
        Ok((policy, _)) => assert!(!policy.providers.is_empty() || !policy.rules.is_empty()),
        Err(problems) => {
            assert!(!problems.is_empty() && problems.len() <= 101);
            for problem in problems {
                let line = problem.to_string();
                assert!(!line.contains(['\n', '\r', '\0']), "{line:?}");
            }
        }
    }
}

/// With any bytes in the shared data a take ends, grants no more than the burst at once and refuses
/// no caller for longer than a refill.
pub fn bucket(data: &[u8]) {
    const SECOND: Duration = Duration::from_secs(1);
    let slot = Slot::decode(data.to_vec());
    assert_eq!(Slot::decode(slot.encode().to_vec()).encode(), slot.encode());
    let store = Memory::default();
    let table = Table::open(&store, "p", 8, [7; 16]).expect("this store answers");
    for (key, _) in store.dump().iter().filter(|(key, _)| key.contains("/b2/")) {
        store.put(key, data);
    }
    let quota = Quota::new(1, SECOND, 3).unwrap();
    let take = |now: Moment| {
        let request = limit::Request {
            bucket: Which::Of("l", Owner::Identity("someone")),
            quota: &quota,
            cost: 1,
            mode: Mode::Take,
            dry_run: false,
        };
        let mut counters = Counters::default();
        let answer = limit::take_all(&table, &store, &|| now, &[request], &mut counters);
        matches!(answer, Ok(limit::Answer::Allowed(_)))
    };
    let now = Moment::from_secs(NOW);
    assert!((0..8).filter(|_| take(now)).count() <= 3);
    assert!(take(now + 4 * SECOND), "refused for longer than a refill");
}

/// One provider with a secret, an Ed25519 and an EC key, rules of each kind, a limit and tags.
fn policy() -> &'static Policy {
    // A policy belongs to one thread, as in a worker of a proxy.
    thread_local!(static POLICY: OnceCell<&'static Policy> = const { OnceCell::new() });
    let compile = || {
        let document = json!({
            "providers": [{
                "name": "p",
                "issuers": ["https://issuer.test"],
                "audiences": ["api://scoring"],
                "algorithms": ["HS256", "EdDSA", "ES256"],
                "keys": {"inline": {"keys": [
                    {"kty": "oct", "kid": "h", "k": base64url::encode(SECRET)},
                    // RFC 8037 appendix A.2.
                    {"kty": "OKP", "crv": "Ed25519", "kid": "e",
                     "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
                    // RFC 7515 appendix A.3.
                    {"kty": "EC", "crv": "P-256", "kid": "c",
                     "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                     "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
                ]}},
            }],
            "token": {"from": [
                {"header": "authorization", "prefix": "Bearer "},
                {"cookie": "session"},
                {"query": "access_token"},
                {"websocket_protocol": "base64url.bearer.authorization.k8s.io."},
                {"websocket_protocol_after": "bearer"},
                {"header": "x-user-token"},
            ]},
            "rules": [
                {"name": "secret", "match": {
                    "hosts": ["secret.example.com", "*.internal.example.com"], "paths": ["/by-host"],
                }, "allow": [{"roles_any": ["Admin"]}]},
                {"name": "by-host", "match": {
                    "hosts": ["public.example.com", "*.public.example.com"], "paths": ["/by-host"],
                }, "auth": "none"},
                {"name": "open", "match": {"paths": ["/open", "/public/**"]}, "auth": "none"},
                {"name": "maybe", "match": {"paths": ["/maybe"]}, "auth": "optional"},
                {"name": "score", "limits": ["per-caller"]},
            ],
            "limits": [{"name": "per-caller", "rate": "10/s"}],
            "tags": [
                {"name": "subject", "value": "{sub}", "header": "x-auth-subject"},
                {"name": "roles", "value": "{roles}", "header": "x-auth-roles"},
            ],
            "store": {"max_identities": 8},
        });
        policy::compiled(&document)
    };
    POLICY.with(|policy| *policy.get_or_init(|| Box::leak(Box::new(compile()))))
}

fn judge(headers: &Headers, look: impl FnOnce(&Decision)) {
    let policy = policy();
    let store = Memory::default();
    let table = Table::open(&store, "p", policy.max_identities, [7; 16]).ok();
    let gate = Gate {
        policy,
        keys: &PolicyKeys(policy),
        engine: &ModuleEngine,
        cache: &policy.empty_cache(42),
        table: table.as_ref(),
        concurrency: None,
        store: &store,
    };
    let judged = gate.judge(&Request {
        headers,
        bodyless: true,
        client_address: &|| None,
        now: Moment::from_secs(NOW),
        peer_certificate: &|| None,
        clock: &|| Moment::from_secs(NOW),
    });
    match judged {
        Judged::Decided(decision) => look(&decision),
        Judged::Body(_) => panic!("no rule has a guard"),
    }
}
