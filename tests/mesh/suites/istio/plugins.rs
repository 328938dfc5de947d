//! Plugins in namespaces of their own: their order, their image, and the move to a TrafficExtension.

use mesh::istio::login::{self, Login};
use mesh::istio::pod::{Pod, Spec};
use mesh::istio::{Mesh, namespaces};
use mesh::{api, until};
use support::manifests::PLUGIN;
use support::prelude::*;

use super::{filters, place, score};

/// The sum of a counter over all its labels.
fn sum(pod: &Pod, name: &str) -> f64 {
    let metrics = pod.metrics();
    metrics.samples.iter().filter(|sample| sample.name == name).map(|sample| sample.value).sum()
}

/// A plugin that refuses every request without a token, with a realm of its own.
fn second(namespace: &str, name: &str, priority: i64, digest: &str) -> String {
    let mut plugin = support::manifests::read(support::manifests::PLUGIN).remove(0);
    plugin["metadata"] = json!({"name": name, "namespace": namespace});
    plugin["spec"]["sha256"] = json!(digest);
    plugin["spec"]["priority"] = json!(priority);
    plugin["spec"]["match"] = json!([{"mode": "SERVER"}]);
    plugin["spec"]["pluginConfig"]["responses"]["realm"] = json!(name);
    plugin.to_string()
}

#[test]
fn a_plugin_without_a_priority_comes_last_and_all_come_between_external_and_own_authorization() {
    let Some(mesh) = Mesh::shared() else { return };
    namespaces(&["ordering"]);
    mesh.manifests("ordering").within("ordering", "sidecar").apply("overlays/sidecar");
    api::apply(&second("ordering", "earlier", 10, &mesh.digest)).ok();
    api::apply(&second("ordering", "later", -10, &mesh.digest)).ok();
    let keys = mint::jwks(&[&Signer::new("ES256", "istio")]);
    api::apply(&format!(
        "
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {{name: entra, namespace: ordering}}
spec: {{jwtRules: [{{issuer: https://issuer.test, jwks: '{keys}'}}]}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: external, namespace: ordering}}
spec:
  action: CUSTOM
  provider: {{name: authorizer}}
  rules: [{{to: [{{operation: {{paths: [/external]}}}}]}}]
---
apiVersion: v1
kind: Service
metadata: {{name: authorizer, namespace: models}}
spec: {{ports: [{{name: http, port: 8080}}]}}
"
    ))
    .ok();
    let pod = Spec::sidecar("ordering", "ordering").start();
    pod.ready();
    let filters = filters(&pod.managers("virtualInbound")[0]);
    let order = [
        "ext_authz",
        "ordering.earlier~istio-translated-wasmplugin",
        "ordering.later~istio-translated-wasmplugin",
        // Has no priority.
        "ordering.tollgate~istio-translated-wasmplugin",
        "jwt_authn",
        "router",
    ];
    let places: Vec<_> = order.iter().map(|name| place(&filters, name)).collect();
    assert!(places.is_sorted(), "{filters:?}");
    assert!(filters[places[4]..].iter().any(|filter| filter.ends_with("rbac")), "{filters:?}");
    let refused = pod.send("ordering:8080", score());
    let challenge = refused.header("www-authenticate").unwrap_or_default();
    assert!(refused.status == 401 && challenge.contains("realm=\"earlier\""), "{challenge}");
}

#[test]
fn a_private_registry_needs_the_pull_secret() {
    let Some(mesh) = Mesh::shared() else { return };
    namespaces(&["pulling"]);
    let login = Login::start(&mesh.registry());
    let private = format!("registry.example.com:{}/", login::PORT);
    let manifests = mesh.manifests("pulling").within("pulling", "sidecar");
    let manifests = manifests.change(PLUGIN, "registry.example.com/", &private);
    manifests.apply("overlays/sidecar");
    let pod = Spec::sidecar("pulling", "pulling").start();
    pod.ready();
    let good = score().bearer(mesh.token(json!({})));
    let call = || pod.send("pulling:8080", good.clone());
    assert_eq!((call().status, call().body), (403, b"RBAC: access denied".to_vec()));
    assert!(pod.log().contains("cannot fetch Wasm module"), "{}", pod.log());
    login::secret("pulling", "registry-login");
    let secret = "spec:\n  imagePullSecret: registry-login\n  url: oci:";
    manifests.change(PLUGIN, "spec:\n  url: oci:", secret).apply("overlays/sidecar");
    until(30, "the image is pulled", || (call().status == 200).then_some(()));
    assert!(login.asked() > 0);
}

#[test]
fn both_run_while_a_plugin_and_its_extension_exist() {
    let Some(mesh) = Mesh::shared() else { return };
    namespaces(&["moving"]);
    let manifests = mesh.manifests("moving").within("moving", "sidecar");
    manifests.apply("overlays/sidecar");
    let pod = Spec::sidecar("moving", "moving").start();
    pod.ready();
    let good = score().bearer(mesh.token(json!({})));
    let call = || pod.send("moving:8080", good.clone()).status;
    until(30, "the keys are there", || (call() == 200).then_some(()));
    // The metrics of a request are there when its answer is.
    let counted = || {
        let before = sum(&pod, "tollgate_requests");
        assert_eq!(call(), 200);
        sum(&pod, "tollgate_requests") - before
    };
    assert_eq!(counted(), 1.0);
    manifests.apply("traffic-extension/sidecar");
    until(30, "both run", || (counted() == 2.0).then_some(()));
    api::kubectl(["delete", "wasmplugin", "tollgate", "--namespace", "moving"]).ok();
    until(30, "the extension runs alone", || (counted() == 1.0).then_some(()));
}
