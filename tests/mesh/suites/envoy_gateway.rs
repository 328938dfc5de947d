//! The filter under a real Envoy Gateway, with the manifests as they are shipped.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use mesh::envoy_gateway::world::{World, accepted};
use mesh::machine;
use support::client::Request;

/// The world of this suite, for one test at a time; `None` outside `make mesh`.
fn world() -> Option<MutexGuard<'static, World>> {
    static WORLD: LazyLock<Mutex<World>> =
        LazyLock::new(|| Mutex::new(World::start("policy-http.yaml")));
    machine::ready().then(|| WORLD.lock().unwrap_or_else(PoisonError::into_inner))
}

#[test]
fn the_shipped_manifests_admit_refuse_limit_and_count() {
    let Some(world) = world() else { return };
    let tokenless = Request::post("/score", "{}");
    world.until(&tokenless, 401, "token_missing");
    assert!(accepted("envoyextensionpolicy", "tollgate").0);
    world.until(&world.score("first"), 200, "");
    let refused = (0..100).map(|_| world.verdict(&world.score("second"))).find(|v| v.0 == 429);
    assert_eq!(refused.unwrap().1, "rate_limited");
    let metrics = world.proxy.metrics();
    assert!(metrics.text.contains("tollgate_jwks_keys"), "{}", metrics.text);
}
