//! The gate without a host: which bucket a request takes from, what it costs, and what becomes of
//! what it took.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "core/policy.rs"]
mod policy;
#[path = "core/store.rs"]
mod store;

use std::cell::RefCell;

use policy::{NoVariables, PolicyKeys};
use serde_json::{Value, json};
use store::Memory;
use support::mint::{self, Signer};
use support::scenario::{claims_with, provider};
use tollgate::body::Refusal;
use tollgate::caller::cache::TokenCache;
use tollgate::config;
use tollgate::gate::verdict::{Judgement, LimitReport};
use tollgate::gate::{Gate, Request};
use tollgate::limit::concurrency::Concurrency;
use tollgate::limit::table::Table;
use tollgate::limit::{self, Counters};
use tollgate::policy::Policy;
use tollgate::request::headers::Headers;
use tollgate::store::{Store, StoreError, Swap};
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
    now: u64,
    /// SHA-256 of the client's certificate, as the host tells it.
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
        let compiled = config::compile(document.to_string().as_bytes(), &NoVariables);
        let Ok((policy, _)) = compiled else { panic!("{:?}", compiled.err()) };
        let memory = Memory::default();
        let table = Table::open(&memory, "p", policy.max_identities, [7; 16]).unwrap();
        let concurrency = Concurrency::open(&memory, "p", &table, 1).unwrap();
        Self {
            cache: TokenCache::new(policy.token_cache, &policy.rules, 42),
            table: Some(table),
            concurrency: Some(RefCell::new(concurrency)),
            memory,
            signer,
            now: mint::now() * 1_000_000_000,
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

    /// A request for `/` with these headers besides, from 192.0.2.1, and the gate before it.
    fn at_gate<T>(
        &self,
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
            client_address: &|| Some("192.0.2.1".to_owned()),
            now: self.now,
            peer_certificate: &|| self.certificate.clone(),
            clock: &|| self.now,
        };
        self.gate(|gate| run(gate, &request))
    }

    fn judge(&self, headers: &[(&str, &str)]) -> Judgement {
        self.at_gate(headers, |gate, request| gate.judge(request))
    }

    /// The same with a token of these claims.
    fn ask(&self, subject: &str, claims: Value) -> Judgement {
        let token = self.signer.sign(&claims_with(subject, claims));
        self.judge(&[("authorization", &format!("Bearer {token}"))])
    }

    fn conclude(&self, judgement: &mut Judgement, body: Result<u64, Refusal>) {
        self.gate(|gate| gate.conclude(judgement, body, &|| self.now));
    }

    /// How many requests of these claims pass at this moment.
    fn passes(&self, subject: &str, claims: &Value) -> usize {
        let mut asked = (0..1_000).map(|_| word(&self.ask(subject, claims.clone())));
        asked.by_ref().take_while(|word| *word == "ok").count()
    }
}

fn word(judgement: &Judgement) -> &'static str {
    judgement.verdict.reason().as_str()
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

#[test]
fn a_caller_has_the_bucket_of_its_own_rate_else_of_its_first_tier_else_of_the_limit() {
    let scene = Scene::new(limited(
        json!({}),
        json!({
            "tiers": [
                {"when": {"roles_any": ["Batch"]}, "rate": "7/h"},
                {"when": {"roles_any": ["Batch", "Night"]}, "rate": "9/h", "burst": 11},
            ],
            "rate_claim": {"claim": "/quota/rps", "max": "20/h"},
        }),
    ));
    for (subject, claims, want) in [
        ("plain", json!({}), 5),
        ("batch", json!({"roles": ["Batch"]}), 7),
        ("night", json!({"roles": ["Night"]}), 11),
        ("own", json!({"quota": {"rps": 3}, "roles": ["Batch"]}), 3),
        ("text", json!({"quota": {"rps": "12"}}), 12),
        ("greedy", json!({"quota": {"rps": 1e9}}), 20),
        ("nothing", json!({"quota": {"rps": 0}}), 1),
        ("nonsense", json!({"quota": {"rps": true}}), 5),
        // A second token of the same caller, with a quota of its own, has a bucket of its own.
        ("plain", json!({"roles": ["Batch"]}), 7),
        ("plain", json!({}), 0),
    ] {
        assert_eq!(scene.passes(subject, &claims), want, "{subject} {claims}");
    }
}

#[test]
fn who_is_unknown_is_counted_by_address_and_never_in_the_bucket_of_a_name() {
    let scene = Scene::new(limited(json!({"auth": "optional"}), json!({"rate": "2/h"})));
    let judged: Vec<_> = (0..3).map(|_| scene.judge(&[])).collect();
    let told = judged.iter().map(|judged| {
        let hours = |report: &LimitReport| report.reset / (1_800 * 1_000_000_000);
        (word(judged), judged.limits[0].remaining, hours(&judged.limits[0]))
    });
    // The last column: half hours until the bucket is full again.
    let want = [("anonymous", 1, 1), ("anonymous", 0, 2), ("rate_limited", 0, 2)];
    assert_eq!(told.collect::<Vec<_>>(), want);
    let keyed = Scene::new(limited(json!({}), json!({"key": "{sub}", "rate": "1/h"})));
    for (subject, want) in [("192.0.2.1", "ok"), ("a", "ok"), ("a", "rate_limited")] {
        assert_eq!(word(&keyed.ask(subject, json!({}))), want, "{subject}");
    }
}

/// A host has a /64 of IPv6: it is one caller, and so is an IPv4 address however it is written.
#[test]
fn the_addresses_of_one_network_are_one_caller_in_limits_places_and_tags() {
    let document = |prefixes: Value| {
        let mut document = limited(
            json!({"auth": "none", "concurrency": 2}),
            json!({"rate": "3/h", "key": "{@client_address}"}),
        );
        document["client_address"] = prefixes;
        document
    };
    let flood: Vec<_> = (0..6_144_u32).map(|n| format!("2001:db8:1:2::{n:x}")).collect();
    let mapped = ["192.0.2.9", "::ffff:192.0.2.9", "::ffff:c000:209"].map(str::to_owned);
    for (prefixes, addresses, want) in [
        (json!({}), &flood[..], 2),
        (json!({"ipv6_prefix": 128}), &flood[..64], 64),
        (json!({}), &mapped[..], 2),
        (
            json!({"ipv4_prefix": 24}),
            &["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(str::to_owned),
            2,
        ),
        (json!({}), &["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(str::to_owned), 3),
    ] {
        let scene = Scene::new(document(prefixes.clone()));
        let from = |address: &String| {
            let headers =
                Headers::from_pairs(&[(":method", "GET"), (":path", "/"), (":authority", "h")]);
            let request = Request {
                headers: &headers,
                bodyless: true,
                client_address: &|| Some(address.clone()),
                now: scene.now,
                peer_certificate: &|| None,
                clock: &|| scene.now,
            };
            word(&scene.gate(|gate| gate.judge(&request)))
        };
        // The places are taken first: two of one caller.
        let words: Vec<_> = addresses.iter().map(from).collect();
        let passed = words.iter().filter(|word| **word == "anonymous").count();
        assert_eq!(passed, want, "{prefixes} {:?}", words.first());
    }
}

/// A key that no token has a part in is filled by whoever likes, and only by those.
#[test]
fn a_flood_without_tokens_evicts_no_verified_callers_bucket_nor_crowds_out_its_place() {
    let mut document = json!({
        "rules": [
            {"name": "open", "match": {"paths": ["/open"]}, "auth": "none",
             "limits": ["address", "header", "caller"]},
            {"name": "busy", "match": {"paths": ["/busy"]}, "auth": "none", "concurrency": 4},
            {"name": "score", "limits": ["caller"], "concurrency": 9},
        ],
        "limits": [
            {"name": "address", "rate": "9/h", "key": "{@client_address}"},
            {"name": "header", "rate": "9/h", "key": "{@header:x-key}"},
            {"name": "caller", "rate": "1/h"},
        ],
    });
    document["store"] = json!({"max_identities": 2_048});
    let scene = Scene::new(document);
    let callers: Vec<_> = (0..20).map(|n| format!("caller-{n}")).collect();
    for caller in &callers {
        assert_eq!(word(&scene.ask(caller, json!({}))), "ok");
    }
    for n in 0..6_144_u32 {
        let key = n.to_string();
        // Its own part of the places is full some time.
        for (path, words) in
            [("/open", &["anonymous"][..]), ("/busy", &["anonymous", "store_unavailable"])]
        {
            let pairs = [(":method", "GET"), (":path", path), (":authority", "h"), ("x-key", &key)];
            let request = Request {
                headers: &Headers::from_pairs(&pairs),
                bodyless: true,
                client_address: &|| Some(format!("2001:db8:{:x}:{:x}::1", n / 256, n % 256)),
                now: scene.now,
                peer_certificate: &|| None,
                clock: &|| scene.now,
            };
            let judged = scene.gate(|gate| gate.judge(&request));
            assert!(words.contains(&word(&judged)), "{path} {}", word(&judged));
        }
    }
    for caller in &callers {
        assert_eq!(word(&scene.ask(caller, json!({}))), "rate_limited", "{caller}");
    }
    assert_eq!(word(&scene.ask("someone new", json!({}))), "ok");
}

#[test]
fn what_remains_is_told_as_the_least_share_of_any_limit() {
    let scene = Scene::new(json!({
        "rules": [
            {"name": "free", "match": {"paths": ["/free"]}},
            {"name": "all", "limits": ["wide", "narrow"]},
        ],
        "limits": [
            {"name": "wide", "rate": "1000/h"},
            {"name": "narrow", "rate": "1/h", "burst": 3, "dry_run": true},
        ],
    }));
    let told: Vec<_> = (0..4).map(|_| scene.ask("a", json!({})).remaining_percent()).collect();
    assert_eq!(told, [Some(66), Some(33), Some(0), Some(0)]);
    let bearer = format!("Bearer {}", scene.signer.sign(&claims_with("a", json!({}))));
    let free = scene.judge(&[(":path", "/free"), ("authorization", &bearer)]);
    assert_eq!(free.remaining_percent(), None);
}

#[test]
fn a_dry_limit_and_a_dry_rule_tell_what_they_would_refuse() {
    for (rule, limit, want) in [
        (json!({}), json!({"dry_run": true}), ["ok", "rate_limited"]),
        (json!({"dry_run": true}), json!({}), ["ok", "rate_limited"]),
        (json!({"cost": 2}), json!({"dry_run": true}), ["cost_exceeds_burst"; 2]),
        (json!({"cost": 2, "dry_run": true}), json!({}), ["cost_exceeds_burst"; 2]),
    ] {
        let mut limit = limit;
        limit["rate"] = json!("1/h");
        let scene = Scene::new(limited(rule.clone(), limit.clone()));
        let judged = [0, 1].map(|_| scene.ask("a", json!({})));
        assert_eq!(judged.each_ref().map(word), want, "{rule} {limit}");
        assert_eq!(judged[1].verdict.decision(), "would_deny", "{rule} {limit}");
        assert_eq!(judged[1].limited_by(), Some(0), "{rule} {limit}");
    }
}

#[test]
fn of_dry_limits_one_that_can_never_be_met_is_what_is_told() {
    for (burst, want) in [(1, "cost_exceeds_burst"), (2, "rate_limited")] {
        let scene = Scene::new(json!({
            "rules": [{"name": "all", "cost": 2, "limits": ["a", "b"]}],
            "limits": [
                {"name": "a", "rate": "3/h", "dry_run": true},
                {"name": "b", "rate": "1/h", "burst": burst, "dry_run": true},
            ],
        }));
        let judged = [0, 1].map(|_| scene.ask("a", json!({})));
        assert_eq!(word(&judged[1]), want, "{burst}");
    }
}

#[test]
fn a_store_that_is_not_there_refuses_unless_the_configuration_lets_pass() {
    for (mode, want) in [("deny", "store_unavailable"), ("allow", "ok")] {
        for rule in [json!({}), json!({"limits": [], "concurrency": 1})] {
            let mut document = limited(rule.clone(), json!({}));
            document["failure_mode"] = json!(mode);
            let mut scene = Scene::new(document);
            scene.table = None;
            scene.concurrency = None;
            let judged = scene.ask("a", json!({}));
            assert_eq!(word(&judged), want, "{mode} {rule}");
            let waits = judged.verdict.denial().map(|denial| denial.retry_after.is_some());
            assert_eq!(waits, (mode == "deny").then_some(true), "{mode} {rule}");
        }
    }
}

#[test]
fn a_place_in_flight_is_held_by_those_who_pass_and_given_back_by_those_who_do_not() {
    let scene = Scene::new(limited(json!({"concurrency": 2}), json!({"rate": "3/h"})));
    let mut held: Vec<_> = (0..2).map(|_| scene.ask("a", json!({}))).collect();
    let third = scene.ask("a", json!({}));
    assert_eq!(word(&third), "concurrency_limited");
    assert!(third.verdict.denial().unwrap().retry_after.is_some());
    assert_eq!(word(&scene.ask("b", json!({}))), "ok", "another identity has its own");
    let in_flight = || scene.concurrency.as_ref().unwrap().borrow().in_flight();
    assert_eq!(in_flight(), 3);
    let release = |held: &mut Judgement| {
        let lease = held.lease.take().unwrap();
        let mut concurrency = scene.concurrency.as_ref().unwrap().borrow_mut();
        concurrency.release(&scene.memory, &|| scene.now, lease, &mut Counters::default());
    };
    release(&mut held[0]);
    assert_eq!(word(&scene.ask("a", json!({}))), "ok");
    release(&mut held[1]);
    // The bucket is empty: the place that was taken for this one is free again.
    assert_eq!(word(&scene.ask("a", json!({}))), "rate_limited");
    assert_eq!(in_flight(), 2);
}

#[test]
fn a_body_costs_its_rows_and_a_refused_one_the_token_that_its_head_took() {
    let scene = Scene::new(limited(
        json!({"cost": {"json_rows": ["/data"], "max": 4}, "payload": {"max_rows": 100}}),
        json!({"rate": "10/h"}),
    ));
    for (rows, cost, want, left) in [
        (Err(Refusal::Rows(101)), 1, "rows_exceeded", 9),
        (Ok(0), 1, "ok", 8),
        (Ok(9), 4, "ok", 4),
        (Ok(1), 1, "ok", 3),
        // The head took one of three, and the rest of four is not there.
        (Ok(9), 4, "rate_limited", 2),
        (Ok(2), 2, "ok", 0),
    ] {
        let mut judged = scene.ask("a", json!({}));
        assert!(judged.needs_body.is_some());
        let told = format!("{rows:?}");
        scene.conclude(&mut judged, rows);
        assert_eq!((word(&judged), judged.cost), (want, Some(cost)), "{told}");
        if let [report] = &judged.limits[..] {
            assert_eq!(report.remaining, left, "{told}");
        }
        // A second end of the body changes nothing.
        scene.conclude(&mut judged, Ok(50));
        assert_eq!((word(&judged), judged.cost), (want, Some(cost)), "{told}");
    }
    // An empty bucket pays for no head.
    let judged = scene.ask("a", json!({}));
    assert_eq!((word(&judged), judged.needs_body.is_some()), ("rate_limited", false));
}

#[test]
fn what_needs_no_body_is_decided_and_taken_before_the_head_goes_on() {
    let guarded = |rule: Value, limit: Value| {
        let mut rule = rule;
        rule["payload"] = json!({});
        Scene::new(limited(rule, limit))
    };
    // What a head takes of eight tokens, and how many heads go on, whatever becomes of their bodies.
    for (cost, heads) in [
        (json!(1), 8),
        (json!(3), 2),
        (json!(9), 0),
        (json!({"header": "x-batch", "max": 4}), 2),
        (json!({"json_rows": ["/data"], "max": 4}), 8),
    ] {
        for body in [Ok(1), Err(Refusal::Lacking)] {
            let scene = guarded(json!({"cost": cost}), json!({"rate": "8/h"}));
            let token = scene.signer.sign(&claims_with("a", json!({})));
            let bearer = format!("Bearer {token}");
            let mut went_on = 0;
            for _ in 0..20 {
                let headers = [("authorization", bearer.as_str()), ("x-batch", "4")];
                let mut judged = scene.judge(&headers);
                let refused = judged.verdict.denial().is_some();
                assert_ne!(refused, judged.needs_body.is_some(), "{cost}");
                went_on += usize::from(!refused);
                scene.conclude(&mut judged, body);
            }
            assert_eq!(went_on, heads, "{cost} {body:?}");
        }
    }
}

#[test]
fn rows_that_are_not_there_are_announced_for_the_moment_at_which_the_whole_request_passes() {
    let rule = json!({"cost": {"json_rows": ["/data"], "max": 9}, "concurrency": 100});
    let mut scene = Scene::new(limited(rule, json!({"rate": "10/m", "burst": 8})));
    let conclude = |scene: &mut Scene, rows| {
        let mut judged = scene.ask("a", json!({}));
        scene.conclude(&mut judged, Ok(rows));
        let lease = judged.lease.take();
        if let (Some(lease), Some(concurrency)) = (lease, &scene.concurrency) {
            let mut concurrency = concurrency.borrow_mut();
            concurrency.release(&scene.memory, &|| scene.now, lease, &mut Counters::default());
        }
        (word(&judged), judged.verdict.denial().and_then(|denial| denial.retry_after))
    };
    // One above the burst never passes, though a token of it is taken by the time.
    scene.now += 1;
    assert_eq!(conclude(&mut scene, 9), ("cost_exceeds_burst", None));
    scene.now += 60_000_000_000;
    assert_eq!(conclude(&mut scene, 9), ("cost_exceeds_burst", None));
    // Seven are left, one of which the head takes.
    let (reason, wait) = conclude(&mut scene, 8);
    assert_eq!(reason, "rate_limited");
    scene.now += wait.unwrap() - 1;
    let (reason, more) = conclude(&mut scene, 8);
    assert_eq!(reason, "rate_limited", "a nanosecond early");
    scene.now += more.unwrap();
    assert_eq!(conclude(&mut scene, 8), ("ok", None));
}

#[test]
fn a_dry_limit_that_would_have_refused_the_head_says_so_of_the_request() {
    let scene = Scene::new(limited(
        json!({"cost": {"json_rows": ["/data"], "max": 4}}),
        json!({"rate": "1/h", "dry_run": true}),
    ));
    for (rows, want) in [(1, "ok"), (1, "rate_limited"), (4, "cost_exceeds_burst")] {
        let mut judged = scene.ask("a", json!({}));
        scene.conclude(&mut judged, Ok(rows));
        assert_eq!(word(&judged), want, "{rows}");
        assert_ne!(judged.verdict.decision(), "deny");
    }
}

#[test]
fn a_response_is_charged_what_it_says_else_what_the_request_costs() {
    let scene = Scene::new(limited(
        json!({"cost": 2}),
        json!({"rate": "9/h", "charge": "response", "response_cost": {"json": "/usage/n"}}),
    ));
    let charge = |found: Option<u64>| {
        let judged = scene.ask("a", json!({}));
        let limit = &scene.policy.limits[0];
        for planned in &judged.charges {
            let request = planned.charge(limit, found);
            let table = scene.table.as_ref().unwrap();
            let clock = || scene.now;
            limit::charge(table, &scene.memory, &clock, &request, &mut Counters::default());
        }
        let remaining = judged.limits.first().map(|report| report.remaining);
        (word(&judged), remaining)
    };
    // What stands is told before the response is charged.
    assert_eq!(charge(None), ("ok", Some(9)));
    assert_eq!(charge(Some(6)), ("ok", Some(7)));
    assert_eq!(charge(Some(50)), ("ok", Some(1)));
    assert_eq!(charge(None).0, "rate_limited");
}

#[test]
fn a_response_without_the_number_is_charged_what_is_missing() {
    for (missing, number, left) in
        [(Some(5), None, 4), (Some(5), Some(3), 6), (Some(0), None, 9), (None, None, 7)]
    {
        let mut cost = json!({"json": "/usage/n"});
        if let Some(missing) = missing {
            cost["missing"] = json!(missing);
        }
        let scene = Scene::new(limited(
            json!({"cost": 2}),
            json!({"rate": "9/h", "charge": "response", "response_cost": cost}),
        ));
        let judged = scene.ask("a", json!({}));
        let request = judged.charges[0].charge(&scene.policy.limits[0], number);
        let table = scene.table.as_ref().unwrap();
        let clock = || scene.now;
        limit::charge(table, &scene.memory, &clock, &request, &mut Counters::default());
        let next = scene.ask("a", json!({}));
        assert_eq!(next.limits[0].remaining, left, "{missing:?} {number:?}");
    }
}

#[test]
fn a_response_that_cannot_be_charged_is_counted() {
    let scene = Scene::new(limited(
        json!({}),
        json!({"charge": "response", "response_cost": {"json": "/usage/n"}}),
    ));
    let judged = scene.ask("a", json!({}));
    let request = judged.charges[0].charge(&scene.policy.limits[0], Some(3));
    let mut counters = Counters::default();
    let table = scene.table.as_ref().unwrap();
    for (store, uncharged) in [(&scene.memory as &dyn Store, 0), (&Broken, 1), (&Broken, 2)] {
        limit::charge(table, store, &|| scene.now, &request, &mut counters);
        assert_eq!(counters.uncharged, uncharged);
    }
}

#[test]
fn what_takes_is_told_to_those_who_explain_it() {
    let scene = Scene::new(limited(
        json!({"cost": {"header": "x-batch", "max": 8}}),
        json!({"tiers": [{"when": {"roles_any": ["Batch"]}, "rate": "70/h"}]}),
    ));
    let judged = scene.ask("a", json!({"roles": ["Batch"]}));
    scene.at_gate(&[], |gate, request| {
        let plan = gate.plan(request, &judged);
        let told: Vec<_> = plan.iter().map(|p| (p.limit, p.bucket(), p.cost)).collect();
        assert_eq!(told, [(0, Some("l/tier0"), 1)]);
    });
}

#[test]
fn preflights_and_the_metadata_are_answered_before_any_rule() {
    let scene = Scene::new(json!({
        "responses": {
            "resource_metadata": "https://h/.well-known/oauth-protected-resource",
            "cors": {"allow_origins": ["https://app.example.com"]},
        },
    }));
    let metadata = "/.well-known/oauth-protected-resource";
    let asks = ("access-control-request-method", "POST");
    for (headers, want) in [
        (vec![(":path", metadata)], ("anonymous", "allow")),
        (vec![(":path", metadata), (":method", "HEAD")], ("anonymous", "allow")),
        (vec![(":path", metadata), (":method", "POST")], ("token_missing", "deny")),
        (vec![(":path", "/.well-known/x")], ("token_missing", "deny")),
        (
            vec![(":method", "OPTIONS"), ("origin", "https://app.example.com"), asks],
            ("preflight", "allow"),
        ),
        (
            vec![(":method", "GET"), ("origin", "https://app.example.com"), asks],
            ("token_missing", "deny"),
        ),
        (
            vec![(":method", "OPTIONS"), ("origin", "https://evil.example"), asks],
            ("token_missing", "deny"),
        ),
        (
            vec![(":method", "OPTIONS"), ("origin", "https://app.example.com")],
            ("token_missing", "deny"),
        ),
    ] {
        let judged = scene.judge(&headers);
        assert_eq!((word(&judged), judged.verdict.decision()), want, "{headers:?}");
    }
}

#[test]
fn a_bound_token_is_good_over_the_connection_of_its_certificate_alone() {
    let mut scene = Scene::new(json!({"bind": "mtls"}));
    let bound = |value: Value| json!({"cnf": {"x5t#S256": value}});
    let own = bound(json!(mint::b64(&[0xab; 32])));
    let hex = |byte: &str| Some(byte.repeat(32).into_bytes());
    for (claims, certificate, want) in [
        (own.clone(), hex("ab"), "ok"),
        (own.clone(), hex("AB"), "ok"),
        (own.clone(), hex("ac"), "binding_mismatch"),
        (own.clone(), None, "binding_mismatch"),
        (own.clone(), Some(b"ab".to_vec()), "binding_mismatch"),
        (own.clone(), hex("xy"), "binding_mismatch"),
        (own, Some([&b"ab".repeat(32)[..], b"a"].concat()), "binding_mismatch"),
        (json!({}), hex("ab"), "claim_missing"),
        (json!({"cnf": {}}), hex("ab"), "claim_missing"),
        (json!({"cnf": "x"}), hex("ab"), "claim_malformed"),
        (bound(json!(1)), hex("ab"), "claim_malformed"),
        (bound(json!("+")), hex("ab"), "claim_malformed"),
        (bound(json!(mint::b64(&[0xab; 31]))), hex("ab"), "claim_malformed"),
    ] {
        scene.certificate = certificate;
        assert_eq!(word(&scene.ask("a", claims.clone())), want, "{claims}");
    }
}

fn identity(judged: &Judgement) -> Option<String> {
    judged.caller.as_ref().map(|caller| caller.principal().identity().to_owned())
}

#[test]
fn a_separator_inside_a_part_makes_no_caller_another_one() {
    let scene = Scene::new(json!({
        "twin": "https://issuer.test/acme",
        "rules": [{"name": "all", "limits": ["l"]}],
        "limits": [{"name": "l", "rate": "1/h"}],
    }));
    let other = json!({"iss": "https://issuer.test/acme"});
    let judged = [scene.ask("acme/alice", json!({})), scene.ask("alice", other.clone())];
    assert_eq!(judged.each_ref().map(word), ["ok", "ok"]);
    let identities = judged.each_ref().map(|judged| identity(judged).unwrap());
    assert_eq!(identities, ["https://issuer.test/acme%2Falice", "https://issuer.test/acme/alice"]);
    assert_eq!(word(&scene.ask("acme/alice", json!({}))), "rate_limited");
    assert_eq!(word(&scene.ask("alice", other)), "rate_limited");
}

/// Whatever the key of a limit and the identities are.
#[test]
fn callers_of_two_providers_share_neither_a_bucket_nor_a_place_in_flight() {
    for (key, shared) in [
        (json!("{@identity}"), false),
        (json!("{sub}"), false),
        (json!("{tid}"), false),
        (json!("{@rule} {sub}"), false),
        (json!("{@rule}"), true),
        (json!("everybody"), true),
    ] {
        let scene = Scene::new(json!({
            "identity": ["{sub}"],
            "twin": "https://twin.test",
            "rules": [{"name": "all", "limits": ["l"]}],
            "limits": [{"name": "l", "rate": "1/h", "key": key}],
        }));
        let ask = |iss: &str| word(&scene.ask("alice", json!({"iss": iss, "tid": "t"}))).to_owned();
        assert_eq!(ask("https://issuer.test"), "ok", "{key}");
        assert_eq!(ask("https://issuer.test"), "rate_limited", "{key}");
        let want = if shared { "rate_limited" } else { "ok" };
        assert_eq!(ask("https://twin.test"), want, "{key}");
    }
    let scene = Scene::new(json!({
        "identity": ["{sub}"],
        "twin": "https://twin.test",
        "rules": [{"name": "all", "concurrency": 1}],
    }));
    let ask = |iss: &str| scene.ask("alice", json!({"iss": iss}));
    let held = [ask("https://issuer.test"), ask("https://twin.test"), ask("https://twin.test")];
    assert_eq!(held.each_ref().map(word), ["ok", "ok", "concurrency_limited"]);
}

#[test]
fn the_parts_of_a_key_do_not_run_into_each_other() {
    for key in ["{a}{b}", "{a}/{b}", "{a}{@rule}{b}"] {
        let scene = Scene::new(json!({
            "rules": [{"name": "all", "limits": ["l"]}],
            "limits": [{"name": "l", "rate": "1/h", "key": key}],
        }));
        let ask =
            |a: Value, b: Value| word(&scene.ask("alice", json!({"a": a, "b": b}))).to_owned();
        for (a, b) in [
            (json!("x"), json!("yz")),
            (json!("xy"), json!("z")),
            (json!("x/y"), json!("z")),
            (json!("x"), json!("y/z")),
            (json!("x"), json!("y%2Fz")),
            (json!(["x", "y"]), json!("z")),
            (json!(["x,y"]), json!("z")),
            (json!("x,y"), json!(["z", "w"])),
        ] {
            assert_eq!(ask(a.clone(), b.clone()), "ok", "{key} {a} {b}");
            assert_eq!(ask(a.clone(), b.clone()), "rate_limited", "{key} {a} {b}");
        }
    }
}

#[test]
fn an_identity_is_of_texts_and_exact_numbers_and_may_name_its_provider() {
    for (template, claims, want) in [
        ("{@provider}/{sub}", json!({}), Some("main/alice")),
        ("{uid}", json!({"uid": 7}), Some("7")),
        ("{uid}", json!({"uid": 9_007_199_254_740_993_u64}), None),
        ("{uid}", json!({"uid": 1e300}), None),
        ("{uid}", json!({"uid": ["alice"]}), None),
        ("{uid}", json!({"uid": []}), None),
        ("{uid}", json!({"uid": {"a": 1}}), None),
        ("{uid}", json!({"uid": ""}), None),
    ] {
        let scene = Scene::new(json!({"identity": [template]}));
        let judged = scene.ask("alice", claims.clone());
        assert_eq!(identity(&judged).as_deref(), want, "{claims}");
        assert_eq!(word(&judged), if want.is_some() { "ok" } else { "claim_missing" }, "{claims}");
    }
    let scene = Scene::new(json!({}));
    for sub in [json!(1), json!(true), json!(["alice"])] {
        assert_eq!(word(&scene.ask("alice", json!({"sub": sub}))), "claim_malformed");
    }
}

#[test]
fn values_that_differ_are_tagged_differently() {
    let scene = Scene::new(json!({
        "tags": [
            {"name": "subject", "value": "{sub}"},
            {"name": "roles", "value": "{roles}"},
            {"name": "plan", "value": "{@header:x-plan}"},
        ],
    }));
    let tags = |claims: Value, headers: &[(&str, &str)]| {
        let token = scene.signer.sign(&claims_with("alice", claims));
        let bearer = format!("Bearer {token}");
        let judged = scene.judge(&[&[("authorization", bearer.as_str())], headers].concat());
        let mut tags: Vec<_> = judged.tags().map(|(at, value)| (*at, value.clone())).collect();
        tags.sort();
        tags.into_iter().map(|(_, value)| value).collect::<Vec<_>>()
    };
    for (claims, headers, want) in [
        (json!({"sub": "admin "}), &[][..], &["admin%20"][..]),
        (json!({"roles": ["viewer,admin"]}), &[], &["alice", "viewer%2Cadmin"]),
        (json!({"roles": ["viewer", "admin"]}), &[], &["alice", "viewer,admin"]),
        (json!({}), &[("x-plan", "free")], &["alice", "free"]),
        // More than one reading is none.
        (json!({}), &[("x_plan", "free")], &["alice"]),
        (json!({}), &[("x-plan", "free"), ("x~plan", "paid")], &["alice"]),
    ] {
        assert_eq!(tags(claims.clone(), headers), want, "{claims} {headers:?}");
    }
    let long = |end: &str| tags(json!({"sub": format!("{}{end}", "s".repeat(1_100))}), &[]);
    assert_ne!(long("a"), long("b"));
}

#[test]
fn tags_say_what_the_token_and_the_request_are() {
    let templates = [
        ("{sub}", Some("alice")),
        ("{@identity}", Some("https://issuer.test/alice")),
        ("{@kid} of {@provider}", Some("key-1 of main")),
        ("{@rule} for {sub}", Some("all for alice")),
        ("{@client_address}", Some("192.0.2.1")),
        ("{@header:x-batch}", Some("7")),
        ("{@header:x-absent}", None),
        ("{absent}", None),
    ];
    let tag =
        |(at, (value, _)): (usize, &(&str, _))| json!({"name": format!("t{at}"), "value": value});
    let scene = Scene::new(json!({
        "rules": [{"name": "all"}],
        "tags": templates.iter().enumerate().map(tag).collect::<Vec<_>>(),
    }));
    let token = scene.signer.sign(&claims_with("alice", json!({})));
    for _ in 0..2 {
        let judged =
            scene.judge(&[("authorization", &format!("Bearer {token}")), ("x-batch", "7")]);
        assert_eq!(word(&judged), "ok");
        for (at, (template, want)) in templates.iter().enumerate() {
            let got =
                judged.tags().find(|(index, _)| *index == at).map(|(_, value)| value.as_str());
            assert_eq!(got, *want, "{template}");
        }
    }
}

/// What the telemetry of a judgement names: the tags that are written if it is denied, and the claim
/// or template that its reason is about.
fn named(scene: &Scene, judged: &Judgement) -> (Vec<String>, Option<String>) {
    let tags = judged.denied_tags.iter().map(|(_, value)| value.clone()).collect();
    let provider = judged.provider.and_then(|index| scene.policy.providers.get(index));
    let detail = judged.error.and_then(|error| error.detail(provider));
    (tags, detail.map(|detail| detail.into_owned()))
}

#[test]
fn a_denial_names_the_caller_of_a_token_whose_signature_verified_and_no_other() {
    let members = |dry: bool| {
        json!({
            "rules": [{"name": "all"}], "dry_run": dry,
            "tags": [
                {"name": "who", "value": "{@identity}", "header": "x-who"},
                {"name": "sub", "value": "{sub}"},
                {"name": "key", "value": "{@kid} of {@provider} at {@rule}"},
            ],
        })
    };
    let (scene, watched) = (Scene::new(members(false)), Scene::new(members(true)));
    let whole = ["https://issuer.test/alice", "alice", "key-1 of main at all"];
    let now = mint::now();
    for (claims, reason, tags) in [
        (json!({"exp": now - 300}), "expired", &whole[..]),
        (json!({"aud": "them"}), "audience_mismatch", &whole),
        (json!({"aud": null}), "claim_missing", &whole),
        (json!({"exp": now * 1000}), "claim_malformed", &whole),
        (json!({"nbf": now + 300}), "not_yet_valid", &whole),
        (json!({"iat": now + 300}), "issued_in_future", &whole),
        (json!({"jti": 1}), "claim_malformed", &whole),
        (json!({"sub": null}), "claim_missing", &whole[2..]),
        (json!({"iss": "https://else.test"}), "issuer_not_allowed", &[]),
    ] {
        let token = scene.signer.sign(&claims_with("alice", claims.clone()));
        // Twice: what is remembered of a token names as much.
        for _ in 0..2 {
            let judged = scene.judge(&[("authorization", &format!("Bearer {token}"))]);
            assert_eq!(word(&judged), reason, "{claims}");
            assert_eq!(named(&scene, &judged).0, tags, "{claims}");
            // Only filter state names such a caller: no header, no limit, no body is theirs.
            assert!(judged.caller.is_none() && judged.tags().next().is_none(), "{claims}");
        }
        let token = watched.signer.sign(&claims_with("alice", claims.clone()));
        let judged = watched.judge(&[("authorization", &format!("Bearer {token}"))]);
        assert_eq!((word(&judged), judged.verdict.decision()), (reason, "would_deny"));
        assert!(judged.denied_tags.is_empty() && judged.tags().next().is_none(), "{claims}");
    }
    let forged = Signer::new("HS256", "key-1").sign(&claims_with("alice", json!({"exp": 1})));
    for _ in 0..2 {
        let judged = scene.judge(&[("authorization", &format!("Bearer {forged}"))]);
        assert_eq!((word(&judged), judged.denied_tags.len()), ("signature_invalid", 0));
    }
}

#[test]
fn a_caller_without_the_certificate_of_its_token_is_named_in_the_denial() {
    let mut scene = Scene::new(json!({"bind": "mtls", "rules": [{"name": "all"}],
                                      "tags": [{"name": "who", "value": "{@identity}"}]}));
    scene.certificate = Some(b"ac".repeat(32));
    let bound = json!({"cnf": {"x5t#S256": mint::b64(&[0xab; 32])}});
    for (claims, reason, detail) in [
        (bound, "binding_mismatch", None),
        (json!({}), "claim_missing", Some("cnf")),
        (json!({"cnf": {}}), "claim_missing", Some("cnf.x5t#S256")),
        (json!({"cnf": {"x5t#S256": 1}}), "claim_malformed", Some("cnf.x5t#S256")),
    ] {
        for _ in 0..2 {
            let judged = scene.ask("alice", claims.clone());
            let want = (vec!["https://issuer.test/alice".to_owned()], detail.map(str::to_owned));
            assert_eq!((word(&judged), named(&scene, &judged)), (reason, want), "{claims}");
            assert!(judged.caller.is_none());
        }
    }
}

#[test]
fn what_is_missing_is_named_by_its_claim_or_by_the_templates_that_have_no_value() {
    let provider = |scene: &mut Scene, templates: &[&str]| {
        let parse = |text: &&str| tollgate::template::Template::parse(text).unwrap();
        scene.policy.providers[0].identity = templates.iter().map(parse).collect();
    };
    let mut scene = Scene::new(json!({}));
    scene.policy.providers[0].max_lifetime = Some(86_400);
    for (templates, claims, detail) in [
        (&["{sub}"][..], json!({"exp": null}), "exp"),
        (&["{sub}"], json!({"aud": null}), "aud"),
        (&["{sub}"], json!({"iss": null}), "iss"),
        (&["{sub}"], json!({"iat": null}), "iat"),
        (&["{tid}/{oid}", "{iss}/{/a/b~1c}"], json!({}), "{tid}/{oid}, {iss}/{/a/b~1c}"),
        (&["{tid}/{oid}", "{iss}/{sub}"], json!({"sub": ""}), "{iss}/{sub}"),
        (&["{tid}/{oid}", "{iss}/{sub}"], json!({"tid": "", "oid": "x"}), "{tid}/{oid}"),
    ] {
        provider(&mut scene, templates);
        let judged = scene.ask("alice", claims.clone());
        let found = (word(&judged), named(&scene, &judged).1);
        assert_eq!(found, ("claim_missing", Some(detail.to_owned())), "{claims}");
    }
}

/// What one provider binds to a certificate is not let go by another of its issuer.
#[test]
fn a_bound_provider_is_not_passed_by_for_one_of_its_issuer_that_binds_nothing() {
    let mut scene = Scene::new(json!({"bind": "mtls"}));
    let document = |bind: &str, name: &str| {
        let mut entry = provider(&[&scene.signer], &["HS256"]);
        entry["bind"] = json!(bind);
        entry["name"] = json!(name);
        entry
    };
    let both = json!({"providers": [document("mtls", "a"), document("none", "b")]});
    scene.policy = config::compile(both.to_string().as_bytes(), &NoVariables).unwrap().0;
    for claims in [json!({}), json!({"cnf": {"x5t#S256": mint::b64(&[0xab; 32])}})] {
        let judged = scene.ask("alice", claims);
        assert!(["claim_missing", "binding_mismatch"].contains(&word(&judged)));
    }
}

#[test]
fn a_method_that_servers_echo_is_not_allowed_where_no_rule_names_it() {
    let post = json!([{"name": "post", "match": {"methods": ["POST"]}}]);
    let scene = Scene::new(json!({"rules": post}));
    for (method, want) in [
        ("TRACE", "method_not_allowed"),
        ("TRACK", "method_not_allowed"),
        ("GET", "no_rule"),
        ("TRACES", "no_rule"),
    ] {
        assert_eq!(word(&scene.judge(&[(":method", method)])), want, "{method}");
    }
}
