//! Changes of the shipped manifests.

use mesh::api;
use mesh::envoy_gateway::world::shipped;
use serde_json::{Value, json};

use crate::scene::Scene;

pub fn code(policy: &mut Value) -> &mut Value {
    &mut policy["spec"]["wasm"][0]["code"]
}

pub fn config(policy: &mut Value) -> &mut Value {
    &mut policy["spec"]["wasm"][0]["config"]
}

/// The shipped policy with another image, and a digest of one digit.
pub fn image(scene: &Scene, open: bool, url: &str, digit: &str) -> Value {
    let mut policy = scene.policy(open);
    code(&mut policy)["image"] = json!({"url": url, "sha256": digit.repeat(64)});
    policy
}

/// The shipped policy with a configuration that the filter refuses.
pub fn refused(scene: &Scene, open: bool) -> Value {
    let mut policy = scene.policy(open);
    config(&mut policy)["rules"][1]["limits"] = json!(["per-calller"]);
    policy
}

/// A policy of somebody else for the route.
pub fn other() -> Value {
    json!({
        "apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "EnvoyExtensionPolicy",
        "metadata": {"name": "other", "namespace": "models"},
        "spec": {
            "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "scoring"}],
        },
    })
}

/// Changes the file of the proxies' access log.
pub fn access_log(path: &str) {
    let mut proxy = shipped("proxy.yaml").remove(0);
    proxy["spec"]["telemetry"]["accessLog"]["settings"][0]["sinks"][0]["file"]["path"] =
        json!(path);
    api::apply(&proxy.to_string()).ok();
}
