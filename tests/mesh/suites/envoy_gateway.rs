//! The filter under a real Envoy Gateway, with the manifests as they are shipped.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "envoy_gateway/change.rs"]
mod change;
#[path = "envoy_gateway/clients.rs"]
mod clients;
#[path = "envoy_gateway/code.rs"]
mod code;
#[path = "envoy_gateway/keys.rs"]
mod keys;
#[path = "envoy_gateway/order.rs"]
mod order;
#[path = "envoy_gateway/rollout.rs"]
mod rollout;
#[path = "envoy_gateway/telemetry.rs"]
mod telemetry;

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use mesh::envoy_gateway::world::{World, accepted, page, shipped};
use mesh::{api, machine};
use serde_json::{Value, json};
use support::client::Request;

/// The world of this suite, for one test at a time; `None` outside `make mesh`.
fn world() -> Option<MutexGuard<'static, World>> {
    static WORLD: LazyLock<Mutex<World>> = LazyLock::new(|| Mutex::new(World::start()));
    machine::ready().then(|| WORLD.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A request for a score without a token.
fn tokenless() -> Request {
    Request::post("/score", "{}")
}

/// The shipped policy and settings, with the policy changed.
fn changed(file: &str, change: impl FnOnce(&mut Value)) -> Vec<Value> {
    let mut policy = shipped(file).remove(0);
    change(&mut policy["spec"]["wasm"][0]);
    [vec![policy], clients()].concat()
}

/// The shipped settings for callers.
fn clients() -> Vec<Value> {
    shipped("clients.yaml")
}

#[test]
fn the_steps_of_the_page_lead_to_a_gateway_that_admits_refuses_limits_and_counts() {
    let Some(world) = world() else { return };
    world.policies(&changed("policy.yaml", |_| {}));
    world.until(&tokenless(), 401, "token_missing");
    world.until(&world.score("first"), 200, "");
    let token = world.token("first", json!({}));
    assert_eq!(page("--resolve", &token).ok(), "401\n200\n");
    for policy in ["envoyextensionpolicy", "clienttrafficpolicy"] {
        assert!(accepted(policy, "tollgate").0, "{policy}");
    }
    let gateway = api::get(&["gateway", "scoring", "--namespace", "models"]).unwrap();
    let conditions = gateway["status"]["conditions"].as_array().unwrap();
    for name in ["Accepted", "Programmed"] {
        let it = conditions.iter().find(|one| one["type"] == name).unwrap();
        assert_eq!(it["status"], "True", "{it}");
    }
    let mut burst = (0..200).map(|_| world.verdict(&world.score("second")));
    assert_eq!(burst.find(|verdict| verdict.0 != 200), Some((429, "rate_limited".to_owned())));
    let metrics = world.proxy.metrics();
    let labels = [
        ("decision", "deny"),
        ("provider", "none"),
        ("reason", "token_missing"),
        ("rule", "score"),
    ];
    let requests: Vec<_> =
        metrics.samples.iter().filter(|s| s.name == "tollgate_requests").collect();
    assert!(metrics.value("tollgate_requests", &labels) > Some(0.0), "{requests:?}");
    assert_eq!(metrics.value("tollgate_jwks_keys", &[("provider", "entra")]), Some(1.0));
}
