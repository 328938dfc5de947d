//! Plugins in namespaces of their own: their order, their image, and the move to a TrafficExtension.

use mesh::istio::login::{self, Login};
use mesh::istio::manifests::block;
use mesh::istio::pod::{Pod, Spec};
use mesh::istio::{Mesh, namespaces};
use mesh::{api, machine, until};
use support::entra::TENANT as HOME;
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
    let dump = pod.admin("/config_dump?resource=ecds_filters");
    assert!(dump.contains("google.protobuf.StringValue") && !dump.contains("vm_id"), "{dump}");
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
    let look = block("Quick start", "logging?wasm=info");
    let look =
        look.replace("deploy/scoring --namespace models", "deploy/moving --namespace moving");
    assert!(manifests.shell(&look, &[]).stdout.contains("wasm: info"), "{look}");
    manifests.apply("traffic-extension/sidecar");
    until(30, "both run", || (counted() == 2.0).then_some(()));
    // The second has fetched the keys itself.
    let log = manifests.shell(&look, &[]).stdout;
    assert!(log.contains("fetched 1 key(s) from https://login.microsoftonline.com/"), "{log}");
    api::kubectl(["delete", "wasmplugin", "tollgate", "--namespace", "moving"]).ok();
    until(30, "the extension runs alone", || (counted() == 1.0).then_some(()));

    // Without any, the EnvoyFilter still removes forged headers, and the policy refuses for want of them.
    api::kubectl(["delete", "trafficextension", "tollgate", "--namespace", "moving"]).ok();
    let forged =
        |request: Request| request.header("x-auth-tenant", HOME).header("X_Auth.Identity", "root");
    until(60, "the policy refuses what it took from the filter", || {
        let answer = pod.send("moving:8080", forged(good.clone()));
        (answer.body == b"RBAC: access denied").then_some(())
    });
    let probe = pod.send("moving:8080", forged(Request::get("/")).case("no filter"));
    assert_eq!(probe.status, 200);
    let seen = pod.saw("no filter").unwrap();
    let head = &seen.head;
    assert!(!seen.head_contains(b"uth") && !seen.head_contains(b"root"), "{}", head.escape_ascii());
}

/// A service outside of the mesh.
const OUTSIDE: &str = "
apiVersion: v1
kind: Service
metadata: {name: outside, namespace: matching}
spec: {clusterIP: 10.96.2.1, ports: [{name: http, port: 8001}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: outside, namespace: matching, labels: {kubernetes.io/service-name: outside}}
addressType: IPv4
ports: [{name: http, port: 8001, protocol: TCP}]
endpoints: [{addresses: [10.244.0.1], conditions: {ready: true}}]
";

#[test]
fn the_calls_of_an_application_are_its_own_unless_the_plugin_names_no_mode() {
    let Some(mesh) = Mesh::shared() else { return };
    namespaces(&["matching"]);
    api::apply(OUTSIDE).ok();
    mesh.manifests("matching").within("matching", "sidecar").apply("overlays/sidecar");
    let pod = Spec::sidecar("matching", "matching").start();
    pod.ready();
    let server = Upstream::listening((machine::ADDRESS, 8001).into(), Reply::echo);
    let server = machine::runtime().block_on(server);
    let own =
        || pod.send("10.96.2.1:8001", score().header("x-auth-tenant", "for a peer").case("own"));
    until(30, "the service", || (own().status == 200).then_some(()));
    // The EnvoyFilter removes headers from what comes in, not from what the application sends.
    assert_eq!(server.case("own").unwrap().header("x-auth-tenant"), Some("for a peer"));
    let remove = r#"--patch=[{"op": "remove", "path": "/spec/match"}]"#;
    let patch =
        ["patch", "wasmplugin", "tollgate", "--namespace", "matching", "--type=json", remove];
    api::kubectl(patch).ok();
    until(30, "the own calls need a token", || (own().status == 401).then_some(()));
}

#[test]
fn a_sidecar_resource_must_list_the_host_of_the_keys() {
    let Some(mesh) = Mesh::shared() else { return };
    namespaces(&["limiting"]);
    mesh.manifests("limiting").within("limiting", "sidecar").apply("overlays/sidecar");
    let limit = |hosts: &str| {
        let sidecar = format!(
            "{{apiVersion: networking.istio.io/v1, kind: Sidecar, \
               metadata: {{name: default, namespace: limiting}}, spec: {{egress: [{{hosts: {hosts}}}]}}}}"
        );
        api::apply(&sidecar).ok();
    };
    limit("[./limiting.limiting.svc.cluster.local]");
    let pod = Spec::sidecar("limiting", "limiting").start();
    pod.ready();
    let cluster = "outbound|8443||login.microsoftonline.com";
    let known = || pod.admin("/clusters").contains(cluster);
    assert!(!known());
    let refused = pod.send("limiting:8080", score().bearer(mesh.token(json!({}))));
    assert_eq!((refused.status, refused.reason().as_str()), (503, "keys_unavailable"));
    assert!(
        pod.log().contains("check that a cluster of exactly this name exists"),
        "{}",
        pod.log()
    );
    limit("[./limiting.limiting.svc.cluster.local, ./login.microsoftonline.com]");
    until(30, "the cluster", || known().then_some(()));
}

#[test]
fn the_api_and_analyze_accept_what_only_check_refuses() {
    let Some(mesh) = Mesh::shared() else { return };
    namespaces(&["analyzing"]);
    let manifests = mesh.manifests("analyzing").within("analyzing", "sidecar");
    let manifests = manifests.change(PLUGIN, "limits: [per-caller]", "limits: [per-calendar]");
    manifests.apply("overlays/sidecar");
    let said = manifests.shell("istioctl analyze --namespace analyzing 2>&1", &[]).ok();
    assert!(!said.contains("WasmPlugin") && !said.contains("Error"), "{said}");
}
