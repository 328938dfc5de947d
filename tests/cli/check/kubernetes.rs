//! Manifests of Istio and Envoy Gateway, and heads that wait for bodies.

use serde_json::{Value, json};

use super::*;

#[test]
fn manifests_are_checked_document_by_document_and_patches_are_left_alone() {
    let plugin = |spec: Value| {
        json!({"apiVersion": "extensions.istio.io/v1alpha1",
                                      "kind": "WasmPlugin", "metadata": {"name": "tollgate"},
                                      "spec": spec})
    };
    let digest = "9d".repeat(32);
    let fine = json!({"url": format!("oci://r.test/tollgate@sha256:{digest}"), "phase": "AUTHN",
                      "failStrategy": "FAIL_RELOAD", "pluginConfig": good()});
    let with = |name: &str, value: Value| {
        let mut spec = fine.clone();
        spec[name] = value;
        plugin(spec)
    };
    let keys_by_env = |env: Value| {
        let mut spec = fine.clone();
        spec["pluginConfig"] = keys_by_env();
        spec["vmConfig"] = json!({"env": env});
        plugin(spec)
    };
    let from_cluster = |name: &str| {
        let mut config = remote();
        config["providers"][0]["keys"]["remote"]["cluster"] = json!(name);
        config
    };
    const CLUSTER: &str = "warning spec.pluginConfig.providers[0].keys.remote.cluster";
    let extension = json!({"apiVersion": "extensions.istio.io/v1alpha1", "kind": "TrafficExtension",
                           "metadata": {"name": "t"}, "spec": {"phase": "AUTHN", "wasm": fine}});
    let gateway = |fail_open: bool| {
        json!({"apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "EnvoyExtensionPolicy",
        "metadata": {"name": "t"}, "spec": {"wasm": [{
            "name": "tollgate", "failOpen": fail_open, "config": good(),
            "code": {"type": "Image", "image": {"url": "r.test/tollgate", "sha256": digest}},
        }]}})
    };
    let zeros = |source: Value| {
        let mut policy = gateway(false);
        policy["spec"]["wasm"][0]["code"] = source;
        policy
    };
    let zero = "0".repeat(64);
    let in_url = json!({"type": "Image", "image": {"url": format!("r.test/t@sha256:{zero}")}});
    let in_member = json!({"type": "HTTP", "http": {"url": "https://f.test/t", "sha256": zero}});
    // Beside files that are not Envoy's.
    let config_map = |config: &Value| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {
            "a.txt": "a: b: c", "b.yaml": "[1]", "envoy.yaml": bootstrap(config).to_string(),
        }})
    };
    let cases = [
        (plugin(fine.clone()), 1, vec![]),
        (extension, 1, vec![]),
        (gateway(false), 1, vec![]),
        (gateway(true), 1, vec!["warning spec.wasm[0].failOpen"]),
        (zeros(in_url), 1, vec!["warning spec.wasm[0].code.image.url"]),
        (zeros(in_member), 1, vec!["warning spec.wasm[0].code.http.sha256"]),
        (with("phase", json!("STATS")), 1, vec!["warning spec.phase"]),
        (with("failStrategy", json!("FAIL_OPEN")), 1, vec!["warning spec.failStrategy"]),
        (with("url", json!("oci://r.test/tollgate:1")), 1, vec!["warning spec.sha256"]),
        (with("sha256", json!("0".repeat(64))), 1, vec!["warning spec.sha256"]),
        (with("sha256", json!("9d01…")), 1, vec!["problem spec.sha256"]),
        (with("pluginConfig", from_cluster("outbound|443||idp.test")), 1, vec![]),
        (with("pluginConfig", from_cluster("idp")), 1, vec![CLUSTER]),
        (with("pluginConfig", from_cluster("outbound|idp.test")), 1, vec![CLUSTER]),
        (with("pluginConfig", json!(null)), 1, vec!["problem spec.pluginConfig"]),
        (with("pluginConfig", json!({"providers": 1})), 1, vec!["problem providers"]),
        (keys_by_env(json!([{"name": "KEYS", "value": KEYS}])), 1, vec![]),
        (
            keys_by_env(json!([{"name": "OTHER", "valueFrom": "HOST"}])),
            1,
            vec!["problem spec.vmConfig.env"],
        ),
        (keys_by_env(json!([{"name": "KEYS", "valueFrom": "HOST"}])), 1, vec!["note KEYS"]),
        (plugin(json!({"pluginConfig": {"limits": []}})), 0, vec![]),
        (json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}), 0, vec![]),
        (config_map(&good()), 1, vec![]),
        (config_map(&json!({"providers": 1})), 1, vec!["problem providers"]),
    ];
    let text: Vec<String> = cases.iter().map(|(document, ..)| document.to_string()).collect();
    let (exit, result) = check_text("manifests.yaml", &text.join("\n---\n"));
    assert_eq!(exit, 1);
    let wanted: Vec<String> = cases
        .iter()
        .enumerate()
        .flat_map(|(at, (_, _, findings))| findings.iter().map(move |f| format!("{} {f}", at + 1)))
        .collect();
    let findings = result["findings"].as_array().unwrap();
    let numbers = findings.iter().map(|finding| finding["document"].as_u64().unwrap());
    let got: Vec<String> =
        numbers.zip(found(&result)).map(|(at, finding)| format!("{at} {finding}")).collect();
    assert_eq!(got, wanted, "{result:#}");
    let configurations: u64 = cases.iter().map(|(_, count, _)| *count).sum();
    assert_eq!(result["configurations"], configurations);
}

#[test]
fn a_guard_of_bodies_is_warned_of_where_no_head_waits_for_its_body() {
    let envoy = |hold_head: bool, allowed: bool, buffered: bool| {
        let mut document = bootstrap(&guarding(hold_head));
        document.pointer_mut(PLUGIN).unwrap()["allow_on_headers_stop_iteration"] = json!(allowed);
        let filters = PLUGIN.rsplit_once("/0/typed_config/config").unwrap().0;
        let buffer = json!({"name": "buffer", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer",
            "max_request_bytes": 1 << 20,
        }});
        let list = document.pointer_mut(filters).unwrap().as_array_mut().unwrap();
        // Before ours it holds no head back: its own has gone on.
        list.insert(usize::from(buffered), buffer);
        document
    };
    let warned = vec!["warning rules[0].payload".to_owned()];
    let useless = vec!["problem hold_head".to_owned()];
    for (hold_head, allowed, buffered, want) in [
        (true, true, false, vec![]),
        (false, false, true, vec![]),
        (false, true, true, vec![]),
        (false, false, false, warned.clone()),
        (false, true, false, warned.clone()),
        (true, false, false, useless.clone()),
        (true, false, true, useless.clone()),
    ] {
        let document = envoy(hold_head, allowed, buffered);
        let name = format!("heads {hold_head} {allowed} {buffered}.yaml");
        let (_, result) = check_text(&name, &document.to_string());
        assert_eq!(found(&result), want, "{name}: {result:#}");
    }
    let digest = "9d".repeat(32);
    let istio = |hold_head| {
        json!({"apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin",
            "metadata": {"name": "tollgate"}, "spec": {
                "url": "oci://r.test/tollgate", "sha256": digest, "phase": "AUTHN",
                "failStrategy": "FAIL_RELOAD", "pluginConfig": guarding(hold_head)}})
    };
    let gateway = |hold_head| {
        json!({"apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "EnvoyExtensionPolicy",
            "metadata": {"name": "t"}, "spec": {"wasm": [{
                "name": "tollgate", "config": guarding(hold_head),
                "code": {"type": "Image", "image": {"url": "r.test/t", "sha256": digest}}}]}})
    };
    let filter = json!({"apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter",
        "metadata": {"name": "b"}, "spec": {"configPatches": [{"patch": {
            "operation": "INSERT_BEFORE", "value": {"name": "envoy.filters.http.buffer",
                "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.\
                                           buffer.v3.Buffer"}}}}]}});
    let policy = json!({"apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "BackendTrafficPolicy", "metadata": {"name": "b"},
        "spec": {"requestBuffer": {"limit": "1Mi"}}});
    let clients = clients("2Mi");
    for (name, documents, want) in [
        ("istio", vec![istio(false)], &warned),
        ("istio held", vec![istio(true), filter.clone()], &useless),
        ("istio buffered", vec![istio(false), filter], &vec![]),
        ("gateway", vec![gateway(false), clients.clone()], &warned),
        ("gateway held", vec![gateway(true), policy.clone(), clients.clone()], &useless),
        ("gateway buffered", vec![gateway(false), policy, clients], &vec![]),
    ] {
        let text: Vec<String> = documents.iter().map(Value::to_string).collect();
        let (_, result) = check_text(&format!("heads {name}.yaml"), &text.join("\n---\n"));
        assert_eq!(&found(&result), want, "{name}: {result:#}");
    }
}

/// A ClientTrafficPolicy for the Gateway `g`.
fn clients(limit: &str) -> Value {
    json!({"apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "ClientTrafficPolicy",
        "metadata": {"name": "c"}, "spec": {
            "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "g"}],
            "connection": {"bufferLimit": limit}}})
}

#[test]
fn a_guard_of_bodies_is_warned_of_where_envoy_gateway_buffers_less_of_a_connection() {
    let policy = |target: Value, most: &str| {
        let mut config = guarding(false);
        config["rules"][0]["payload"]["max_bytes"] = json!(most);
        json!({"apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "EnvoyExtensionPolicy",
            "metadata": {"name": "t"}, "spec": {"targetRefs": [target], "wasm": [{
                "name": "tollgate", "config": config,
                "code": {"type": "HTTP", "http": {"url": "https://f.test/t", "sha256": "9d".repeat(32)}}}]}})
    };
    let buffer = json!({"apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "BackendTrafficPolicy", "metadata": {"name": "b"},
        "spec": {"requestBuffer": {"limit": "1Mi"}}});
    let gateway = |name: &str| json!({"kind": "Gateway", "name": name});
    let mut of_all = clients("1Mi");
    of_all["spec"].as_object_mut().unwrap().remove("targetRefs");
    let mut elsewhere = clients("1Mi");
    elsewhere["metadata"]["namespace"] = json!("other");
    let none = json!(null);
    for (name, policy, clients, small) in [
        ("none", policy(gateway("g"), "33KiB"), none.clone(), Some(32_768)),
        ("no need", policy(gateway("g"), "32KiB"), none.clone(), None),
        ("large", policy(gateway("g"), "1MiB"), clients("1Mi"), None),
        ("larger", policy(gateway("g"), "1MiB"), clients("1.5Mi"), None),
        ("small", policy(gateway("g"), "1MiB"), clients("1M"), Some(1_000_000)),
        ("of another", policy(gateway("h"), "1MiB"), clients("2Mi"), Some(32_768)),
        ("elsewhere", policy(gateway("g"), "1MiB"), elsewhere, Some(32_768)),
        ("of all", policy(gateway("g"), "1MiB"), of_all, None),
        (
            "a route",
            policy(json!({"kind": "HTTPRoute", "name": "r"}), "1MiB"),
            clients("2Mi"),
            None,
        ),
        (
            "a route without",
            policy(json!({"kind": "HTTPRoute", "name": "r"}), "1MiB"),
            none,
            Some(32_768),
        ),
    ] {
        let text = [policy, clients, buffer.clone()].map(|one| one.to_string()).join("\n---\n");
        let (_, result) = check_text(&format!("buffers {name}.yaml"), &text);
        let want = small.map(|_| "warning rules[0].payload.max_bytes".to_owned());
        assert_eq!(found(&result), Vec::from_iter(want), "{name}: {result:#}");
        if let Some(small) = small {
            let message = result["findings"][0]["message"].as_str().unwrap();
            assert!(
                message.contains(&format!("connection is {small}: Envoy")),
                "{name}: {message}"
            );
        }
    }
}

#[test]
fn a_file_of_a_config_map_that_is_not_yaml_is_found() {
    let shipped = include_str!("../../../examples/kubernetes/base/envoy.yaml");
    let twice = shipped.replace("failure_policy: FAIL_RELOAD", "name: tollgate");
    assert_ne!(twice, shipped);
    for (name, text, found_here) in [
        ("envoy.yaml", shipped.to_owned(), None),
        ("envoy.yaml", format!("a: [\n{shipped}"), Some("problem data.envoy.yaml")),
        ("envoy.yaml", twice, Some("problem data.envoy.yaml")),
        ("start.sh", format!("a: [\n{shipped}"), Some("problem (file)")),
    ] {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {name: text}});
        let (_, result) = check_text("config-map.yaml", &map.to_string());
        let problems: Vec<_> =
            found(&result).into_iter().filter(|one| one.starts_with("problem")).collect();
        assert_eq!(problems.first().map(String::as_str), found_here, "{result:#}");
    }
}
