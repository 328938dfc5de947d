//! The filter and a router side by side: for any request line, the rule of an upstream is enforced
//! on each request that Envoy routes to it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "core/policy.rs"]
mod policy;
#[path = "core/router.rs"]
mod router;

use std::cell::Cell;
use std::collections::BTreeMap;

use proptest::test_runner::{Config, TestRunner};
use router::{Credential, HostOption, Probe, Upstream, World};
use std::rc::Rc;

use serde_json::json;
use support::mint::{self, Signer};
use support::scenario::{claims_with, provider};
use tollgate::caller::cache::TokenCache;
use tollgate::config::{self, Environment};
use tollgate::gate::judged::{Decision, Judged};
use tollgate::gate::verdict::Verdict;
use tollgate::policy::Policy;
use tollgate::time::Moment;
use tollgate::verify::engine::ModuleEngine;

const LISTENER: u16 = 10_000;

/// Worlds, and requests in each: more than 100,000 judgements.
const WORLDS: u32 = 600;
const PROBES: usize = 32;

struct Keys(BTreeMap<String, String>);

impl Environment for Keys {
    fn variable(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}

/// A world and the filter that is configured for it.
struct Scene {
    world: World,
    policy: Policy,
    upstreams: Vec<Upstream>,
    cache: TokenCache,
}

impl Scene {
    fn new(world: World, signer: &Signer) -> Self {
        let (plugin, upstreams) = world.plugin(json!([provider(&[signer], &["HS256"])]));
        let keys = Keys(world.keys().into_iter().collect());
        let (policy, _) = config::compile(plugin.to_string().as_bytes(), &keys)
            .unwrap_or_else(|problems| panic!("{problems:?}"));
        let cache = policy.empty_cache(42);
        Self { world, policy, upstreams, cache }
    }

    /// The upstream whose rule let the request pass.
    fn passes(&self, authority: &str, path: &str, token: Option<&str>) -> Option<Upstream> {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![(":method", "GET"), (":authority", authority), (":path", path)];
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        let now = Moment::from_secs(mint::now());
        match policy::judge(&self.policy, &ModuleEngine, &self.cache, &headers, now) {
            Judged::Decided(Decision { verdict: Verdict::Allow(_), facts, .. }) => {
                let rule = facts.rule.unwrap();
                let index = self.policy.rules.iter().position(|other| Rc::ptr_eq(other, &rule));
                Some(self.upstreams[index.unwrap()])
            }
            _ => None,
        }
    }
}

#[test]
fn no_upstream_is_reached_without_what_its_rule_asks_whatever_the_request_line_looks_like() {
    let signer = Signer::new("HS256", "key-1");
    let tokens = [
        (Credential::None, None),
        (Credential::Plain, Some(signer.sign(&mint::claims("alice")))),
        (Credential::Admin, Some(signer.sign(&claims_with("root", json!({"roles": ["Admin"]}))))),
    ];
    let token = |credential: Credential| {
        let (_, token) = tokens.iter().find(|(known, _)| *known == credential).unwrap();
        token.as_deref()
    };
    let (judged, passed, twisted) = (Cell::new(0_u32), Cell::new(0_u32), Cell::new(0_u32));
    let check = |scene: &Scene, probe: &Probe, option: HostOption| {
        let given = probe.authority.replace("{port}", &LISTENER.to_string());
        let seen = option.seen(&given, LISTENER);
        let reached = scene.world.find(&option.compared(&seen), &probe.path);
        let by = scene.passes(&seen, &probe.path, token(probe.credential));
        judged.set(judged.get() + 1);
        let Some(reached) = reached else { return };
        let level = scene.world.level(reached);
        if let Some(by) = by {
            passed.set(passed.get() + 1);
            twisted.set(twisted.get() + u32::from(!probe.plain));
            assert!(
                probe.credential.meets(level),
                "{option:?}: {seen} {} reached {reached:?} by the rule of {by:?}",
                probe.path
            );
            assert!(
                !scene.world.route(by).lends || by == reached,
                "{option:?}: {seen} {} carried the key of {by:?} to {reached:?}",
                probe.path
            );
        }
        if probe.plain {
            let may = probe.credential.meets(level) && !scene.world.is_unruled(reached.0);
            assert_eq!(by.is_some(), may, "{seen} {}", probe.path);
        }
    };
    let strategy = proptest::strategy::Strategy::prop_flat_map(router::world(), |world| {
        let probes = proptest::collection::vec(router::probe(&world), PROBES);
        (proptest::strategy::Just(world), probes)
    });
    let config = Config { cases: WORLDS, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&strategy, |(world, probes)| {
        let scene = Scene::new(world, &signer);
        for probe in &probes {
            HostOption::ALL.into_iter().for_each(|option| check(&scene, probe, option));
        }
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    assert!(judged.get() >= 100_000, "{} judged", judged.get());
    assert!(passed.get() > judged.get() / 10, "{} of {} passed", passed.get(), judged.get());
    assert!(twisted.get() > 1_000, "{} twisted requests passed", twisted.get());
}
