//! The manifests under `istio/` for gateways in a real Istio.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::process::Command;

use mesh::istio::manifests::block;
use mesh::istio::pod::{Pod, Spec};
use mesh::istio::{Mesh, namespaces};
use mesh::{api, machine, program, until};
use support::entra::TENANT as HOME;
use support::prelude::*;

const PARTNER: &str = "11111111-2222-3333-4444-555555555555";
const NAMED: &str = "ml.example.com";
const OTHER: &str = "shop.example.com";
const ENDPOINT: &str = "scoring.westeurope.inference.ml.azure.com";

fn score() -> Request {
    Request::post("/score", "{}").header("content-type", "application/json")
}

/// The path that names an endpoint.
fn named() -> Request {
    Request::post("/api/v1/endpoint/churn/score", "{}").header("content-type", "application/json")
}

/// Creates a secret with a certificate of the suite's authority for this name.
fn secret(namespace: &str, name: &str, host: &str) {
    let folder = machine::folder().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let (certificate, key) = machine::authority().workload_pem(host);
    let mut from = Vec::new();
    for (file, text) in [
        ("tls.crt", certificate.as_str()),
        ("tls.key", &key),
        ("ca.crt", machine::authority().pem()),
    ] {
        std::fs::write(folder.join(file), text).unwrap();
        from.push(format!("--from-file={}", folder.join(file).display()));
    }
    let arguments = ["create", "secret", "generic", name, "--namespace", namespace];
    api::kubectl(arguments.into_iter().chain(from.iter().map(String::as_str))).ok();
}

/// A request from outside of the mesh, over plain HTTP.
fn outside(gateway: &Pod, request: &Request) -> Response {
    let address = (gateway.address, 80).into();
    machine::runtime().block_on(client::send(address, request))
}

/// The same over TLS, by `curl`: the status and the body.
fn over_tls(gateway: &Pod, host: &str, path: &str, arguments: &[&str]) -> (u16, String) {
    let mut curl = Command::new("curl");
    curl.args(["-s", "--http1.1", "--connect-to", &format!("::{}:443", gateway.address)]);
    curl.args(["-w", "\n%{http_code}"]).args(arguments).arg(format!("https://{host}{path}"));
    let said = program::run(&mut curl).stdout;
    let (body, status) = said.rsplit_once('\n').unwrap_or(("", "0"));
    (status.parse().unwrap(), body.to_owned())
}

/// The gateway of the tests, its routes by plain HTTP and TLS, and the policy of the workload behind it.
const SHARED: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: shared, namespace: shared}
spec:
  selector: {istio: shared}
  servers:
  - {hosts: ['*'], port: {number: 80, name: http, protocol: HTTP}}
  - hosts: [ml.example.com]
    port: {number: 443, name: https, protocol: HTTPS}
    tls: {mode: SIMPLE, credentialName: shared-ml}
  - hosts: [shop.example.com]
    port: {number: 443, name: https-shop, protocol: HTTPS}
    tls: {mode: SIMPLE, credentialName: shared-shop}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: scoring, namespace: shared}
spec:
  hosts: [ml.example.com]
  gateways: [shared]
  http: [{route: [{destination: {host: scoring.models.svc.cluster.local, port: {number: 8080}}}]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: shared}
spec:
  hosts: ['*']
  gateways: [shared]
  http: [{route: [{destination: {host: shop.models.svc.cluster.local, port: {number: 8080}}}]}]
";

#[test]
fn a_shared_gateway_asks_for_tokens_on_the_named_host_alone() {
    let Some(mesh) = Mesh::shared() else { return };
    namespaces(&["shared"]);
    let labels = "istio: ingressgateway";
    let manifests = mesh
        .manifests("shared")
        .within("shared", "gateway")
        .change("istio/overlays/gateway/selector.yaml", labels, "istio: shared")
        .change("istio/overlays/gateway/headers.yaml", labels, "istio: shared");
    secret("shared", "shared-ml", NAMED);
    secret("shared", "shared-shop", OTHER);
    api::apply(SHARED).ok();
    manifests.apply("overlays/gateway");
    let policy = block("Other hosts of the gateway", "through-the-gateway");
    assert!(policy.contains("/ns/istio-ingress/"));
    api::apply(&policy.replace("/ns/istio-ingress/", "/ns/shared/")).ok();
    let gateway = Spec::gateway("shared", "shared", json!({"istio": "shared"})).start();
    let [scoring, shop] = ["scoring", "shop"].map(|name| Spec::sidecar("models", name).start());
    machine::name(gateway.address, &format!("{NAMED} {OTHER}"));
    for pod in [&gateway, &scoring, &shop] {
        pod.ready();
    }
    let token = mesh.token(json!({}));
    let good = || score().bearer(&token);
    until(30, "the keys are there", || (outside(&gateway, &good()).status == 200).then_some(()));

    let calls = block("Quick start", "outside()");
    let said = manifests.shell(&calls, &[("TOKEN", &token), ("SHOP", OTHER)]).ok();
    assert_eq!(said.split_whitespace().collect::<Vec<_>>(), ["401", "200", "200"], "{calls}");

    const ISTIO: &str = "RBAC: access denied";
    let partner = mesh.token_of(PARTNER, json!({}));
    let on = |host: &str, request: Request| request.host(host);
    let forged =
        |request: Request| request.header("x-auth-tenant", HOME).header("x_auth-identity", "root");
    for (case, request, status, said) in [
        ("good", on(NAMED, forged(good())), 200, ""),
        ("bare", on(NAMED, score()), 401, "token_missing"),
        ("forged", on(NAMED, forged(score())), 401, "token_missing"),
        ("letter case", on("ML.Example.COM", score()), 401, "token_missing"),
        ("partner", on(NAMED, score().bearer(&partner)), 403, ISTIO),
        ("partner, forged", on(NAMED, forged(score().bearer(&partner))), 403, ISTIO),
        ("endpoint", on(NAMED, named().bearer(&token)), 200, ""),
        ("endpoint, bare", on(NAMED, named()), 401, "token_missing"),
        ("endpoint, partner", on(NAMED, named().bearer(&partner)), 403, ISTIO),
        ("other path", on(NAMED, Request::get("/admin").bearer(&token)), 403, "client_not_allowed"),
        ("port", on("ml.example.com:80", score()), 400, "host_ambiguous"),
        ("dot", on("ml.example.com.", score()), 400, "host_ambiguous"),
        ("other host", on(OTHER, forged(Request::get("/any"))), 200, ""),
        ("other port", on("shop.example.com:8443", Request::get("/any")), 200, ""),
        ("other trace", on(OTHER, Request::new("TRACE", "/")), 405, "method_not_allowed"),
        // The gateway admits the probe; the workload behind it admits verified callers alone.
        ("probe", on(NAMED, Request::get("/")), 403, ISTIO),
    ] {
        let response = outside(&gateway, &request.case(case));
        let body = String::from_utf8_lossy(&response.body);
        assert_eq!(response.status, status, "{case}: {body}");
        assert!(body.contains(said), "{case}: {body}");
    }
    assert_eq!(scoring.saw("good").unwrap().header("x-auth-tenant"), Some(HOME));
    let seen = shop.saw("other host").unwrap();
    assert!(!seen.head_contains(b"uth-") && !seen.head_contains(b"root"));
    // A caller in the mesh cannot go around the gateway.
    let around = shop.send("scoring:8080", good().header("x-auth-identity", "root"));
    assert_eq!((around.status, &around.body[..]), (403, ISTIO.as_bytes()));

    let strip = block("Hosts with a port", "strip_any_host_port");
    api::apply(&strip.replace("istio-ingress", "shared").replace(labels, "istio: shared")).ok();
    let port = on("ml.example.com:80", good());
    until(30, "the port is removed", || (outside(&gateway, &port).status == 200).then_some(()));
    assert_eq!(outside(&gateway, &on("ml.example.com:80", score())).status, 401);
}

#[test]
fn the_endpoint_of_azure_gets_its_key_by_tls_and_by_mutual_tls() {
    let Some(mesh) = Mesh::shared() else { return };
    let manifests = mesh.manifests("azure");
    let runtime = machine::runtime();
    let (upstream, address) = (runtime.block_on(Upstream::start()), machine::address(4));
    machine::name(address, ENDPOINT);
    let serve = |mutual| {
        let server =
            machine::authority().terminate((address, 443), ENDPOINT, upstream.address(), mutual);
        runtime.block_on(server)
    };
    let server = serve(false);
    secret("istio-ingress", "scoring-tls", NAMED);
    manifests.apply("overlays/azure-ml");
    let labels = json!({"istio": "ingressgateway"});
    let gateway = Spec::gateway("istio-ingress", "ingress", labels);
    let gateway = gateway.env("AML_ENDPOINT_KEY", "stand-in-for-an-endpoint-key").start();
    gateway.ready();
    let bearer = format!("authorization: Bearer {}", mesh.token(json!({})));
    let json = ["-H", "content-type: application/json"];
    let call = |body: &str, more: &[&str]| {
        let all = [&["-d", body][..], &json, more].concat();
        over_tls(&gateway, NAMED, "/score", &all)
    };
    let good = || call(r#"{"data":[]}"#, &["-H", &bearer, "-H", "x-case: good"]);
    until(30, "the keys are there", || (good().0 == 200).then_some(()));
    let seen = upstream.case("good").unwrap();
    assert_eq!(seen.header("authorization"), Some("Bearer stand-in-for-an-endpoint-key"));
    assert_eq!(seen.header("host"), Some(ENDPOINT));
    assert_eq!(seen.header("x-auth-tenant"), Some(HOME));

    // The endpoint has no path with its name.
    let body = ["-d", r#"{"data":[]}"#, "-H", &bearer, "-H", "x-case: named", json[0], json[1]];
    assert_eq!(over_tls(&gateway, NAMED, "/api/v1/endpoint/scoring/score", &body).0, 200);
    assert_eq!(upstream.case("named").unwrap().path, "/score");

    let count = upstream.count();
    let (status, body) = call(r#"{"data":[]}"#, &[]);
    assert!(status == 401 && body.contains("token_missing"), "{status} {body}");
    let (status, body) = call("{}", &["-H", &bearer]);
    assert!(status == 400 && body.contains("payload_"), "{status} {body}");
    // The limit is that of the buffer, which is on for the virtual host of the route alone.
    let large = machine::folder().join("large.json");
    std::fs::write(&large, format!(r#"{{"data":"{}"}}"#, "x".repeat(2 << 20))).unwrap();
    let (status, _) = call(&format!("@{}", large.display()), &["-H", &bearer]);
    assert_eq!(status, 413);
    assert_eq!(upstream.count(), count, "no refused request reaches the endpoint");

    // The endpoint asks for a certificate from now on.
    server.abort();
    until(30, "the first server ended", || {
        (runtime.block_on(tokio::net::TcpStream::connect((address, 443))).is_err()).then_some(())
    });
    let _server = serve(true);
    secret("istio-ingress", "azure-ml-client", "gateway.client");
    manifests.apply("overlays/azure-ml-mtls");
    until(30, "the certificate is sent", || {
        let dump = gateway.admin("/config_dump?resource=dynamic_active_clusters");
        (dump.contains("kubernetes://azure-ml-client") && good().0 == 200).then_some(())
    });
}

/// A Gateway of the Kubernetes Gateway API for a gateway that is installed by hand, and its routes.
const GATEWAY_API: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: ingress, namespace: gateway-api}
spec:
  gatewayClassName: istio
  addresses: [{type: Hostname, value: api.gateway-api.svc.cluster.local}]
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: scoring, namespace: gateway-api}
spec:
  parentRefs: [{name: ingress}]
  rules: [{backendRefs: [{name: behind, port: 8080}]}]
";

#[test]
fn a_gateway_of_the_gateway_api_is_selected_by_its_name() {
    let Some(mesh) = Mesh::shared() else { return };
    namespaces(&["gateway-api"]);
    let target = "[{group: gateway.networking.k8s.io, kind: Gateway, name: ingress}]";
    let manifests = mesh
        .manifests("gateway-api")
        .within("gateway-api", "gateway")
        .change("istio/overlays/gateway/selector.yaml", "/spec/selector", "/spec/targetRefs")
        .change(
            "istio/overlays/gateway/selector.yaml",
            "{matchLabels: {istio: ingressgateway}}",
            target,
        )
        .change(
            "istio/overlays/gateway/headers.yaml",
            "workloadSelector: {labels: {istio: ingressgateway}}",
            &format!("targetRefs: {target}"),
        );
    api::apply(GATEWAY_API).ok();
    manifests.apply("overlays/gateway");
    let labels = json!({"gateway.networking.k8s.io/gateway-name": "ingress"});
    let gateway = Spec::gateway("gateway-api", "api", labels).start();
    let behind = Spec::sidecar("gateway-api", "behind").start();
    gateway.ready();
    behind.ready();
    let good = score().bearer(mesh.token(json!({}))).case("good");
    until(30, "the keys are there", || (outside(&gateway, &good).status == 200).then_some(()));
    assert_eq!(behind.saw("good").unwrap().header("x-auth-tenant"), Some(HOME));
    let refused = outside(&gateway, &score());
    assert_eq!((refused.status, refused.reason().as_str()), (401, "token_missing"));
    let partner = score().bearer(mesh.token_of(PARTNER, json!({})));
    assert_eq!(outside(&gateway, &partner).body, b"RBAC: access denied");
    for manager in gateway.managers("0.0.0.0_80") {
        assert!(manager.to_string().contains("early_header_mutation"), "{manager}");
    }
    // A gateway counts as CLIENT.
    let filter =
        || gateway.managers("0.0.0.0_80").iter().any(|all| all.to_string().contains("tollgate~"));
    assert!(filter());
    let server = r#"--patch={"spec": {"match": [{"mode": "SERVER"}]}}"#;
    let patch =
        ["patch", "wasmplugin", "tollgate", "--namespace", "gateway-api", "--type=merge", server];
    api::kubectl(patch).ok();
    until(30, "the gateway has no plugin", || (!filter()).then_some(()));
}
