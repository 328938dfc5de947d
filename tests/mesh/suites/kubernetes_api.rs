//! Our manifests and pages against a real Kubernetes API.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "kubernetes_api/commands.rs"]
mod commands;
#[path = "kubernetes_api/manifests.rs"]
mod manifests;
#[path = "kubernetes_api/mistakes.rs"]
mod mistakes;
#[path = "kubernetes_api/tokens.rs"]
mod tokens;

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use mesh::api::{self, Api};
use mesh::machine;

/// The API of all tests, with every definition; `None` outside `make mesh`. It ends with the suite.
fn started() -> Option<&'static Api> {
    static API: OnceLock<Api> = OnceLock::new();
    machine::ready().then(|| {
        API.get_or_init(|| {
            let api = Api::start();
            api.define();
            api.in_pod();
            api
        })
    })
}

/// A namespace that exists from now on.
fn namespace(name: &str) {
    let manifest = serde_json::json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name},
    });
    api::apply(&manifest.to_string()).ok();
}

/// A service account that exists from now on. No controller creates the default ones.
fn account(namespace: &str, name: &str) {
    let manifest = serde_json::json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace},
    });
    api::apply(&manifest.to_string()).ok();
}

/// Held by a test that makes the shipped objects, and by those that ask about them as if they did not exist.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
