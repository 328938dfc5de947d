//! Every configuration that is shipped and guards bodies has heads wait for their bodies.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::{Value, json};
use support::manifests::{Kustomize, files, named, one, read, text};

/// Whether a configuration of the filter guards bodies, by `payload` or by a cost in rows.
fn guards(config: &Value) -> bool {
    let rules = config["rules"].as_array().map(Vec::as_slice).unwrap_or_default();
    rules
        .iter()
        .any(|rule| rule.get("payload").is_some() || rule["cost"].get("json_rows").is_some())
}

/// Each object within a value that has this `@type`.
fn of_type<'v>(value: &'v Value, name: &str, found: &mut Vec<&'v Value>) {
    match value {
        Value::Object(members) => {
            if members.get("@type").and_then(Value::as_str).is_some_and(|t| t.ends_with(name)) {
                found.push(value);
            }
            members.values().for_each(|member| of_type(member, name, found));
        }
        Value::Array(items) => items.iter().for_each(|item| of_type(item, name, found)),
        _ => {}
    }
}

#[test]
fn every_envoy_that_guards_bodies_holds_heads_on_both_sides() {
    let mut guarding = 0;
    for path in files("envoy") {
        for document in read(&path) {
            let mut filters = Vec::new();
            of_type(&document, "filters.http.wasm.v3.Wasm", &mut filters);
            for filter in filters {
                let plugin = &filter["config"];
                let config: Value =
                    serde_json::from_str(text(plugin, "/configuration/value")).unwrap();
                let allows = &plugin["allow_on_headers_stop_iteration"];
                let path = path.display();
                // One without the other would have requests wait in vain, or heads go on.
                assert_eq!(config.get("hold_head").unwrap_or(&json!(null)), allows, "{path}");
                if guards(&config) {
                    assert_eq!(allows, &json!(true), "{path}");
                    guarding += 1;
                }
            }
        }
    }
    assert!(guarding > 0);
}

#[test]
fn every_overlay_that_guards_bodies_has_the_buffer_filter_behind_on_the_same_proxies() {
    let Some(kustomize) = Kustomize::find() else { return };
    let mut guarding = 0;
    for overlay in ["sidecar", "gateway", "waypoint", "azure-ml", "azure-ml-mtls"] {
        let objects = kustomize.build(&format!("istio/overlays/{overlay}"));
        let plugin = &one(&objects, "WasmPlugin")["spec"];
        let config = &plugin["pluginConfig"];
        // istiod has no field for the option that it needs.
        assert_ne!(config["hold_head"], true, "{overlay}");
        if !guards(config) {
            continue;
        }
        guarding += 1;
        let filter = &named(&objects, "EnvoyFilter", "tollgate-buffer")["spec"];
        let labels = &plugin["selector"]["matchLabels"];
        assert_eq!(&filter["workloadSelector"]["labels"], labels, "{overlay}");
        let [gateway, host, sidecar] = filter["configPatches"].as_array().unwrap().as_slice()
        else {
            panic!("{overlay}")
        };
        for (patch, context) in [(gateway, "GATEWAY"), (sidecar, "SIDECAR_INBOUND")] {
            assert_eq!(text(patch, "/match/context"), context);
            let behind = "/match/listener/filterChain/filter/subFilter/name";
            assert_eq!(text(patch, behind), "envoy.filters.http.router");
            assert_eq!(text(patch, "/patch/operation"), "INSERT_BEFORE");
            let value = &patch["patch"]["value"];
            assert_eq!(value["name"], "envoy.filters.http.buffer");
            assert_eq!(value["typed_config"]["max_request_bytes"], 1 << 20, "`max_bytes`");
        }
        // At a gateway the filter is off except for the guarded host.
        let on = "/patch/value/typed_per_filter_config/envoy.filters.http.buffer/buffer";
        assert_eq!(gateway["patch"]["value"]["disabled"], true);
        assert_eq!(host.pointer(on).unwrap()["max_request_bytes"], 1 << 20, "`max_bytes`");
    }
    assert_eq!(guarding, 2);
}

#[test]
fn envoy_gateway_has_a_policy_that_buffers_for_those_that_guard_bodies() {
    let policy = read("examples/envoy-gateway/buffer.yaml").remove(0);
    assert_eq!(policy["kind"], "BackendTrafficPolicy");
    assert_eq!(policy["spec"]["requestBuffer"]["limit"], "1Mi");
    let proxy = read("examples/envoy-gateway/proxy.yaml").remove(0);
    let behind = json!([{"name": "envoy.filters.http.buffer", "after": "envoy.filters.http.wasm"}]);
    assert_eq!(proxy["spec"]["filterOrder"], behind);
    for file in ["policy", "policy-http"] {
        let plugin = read(format!("examples/envoy-gateway/{file}.yaml")).remove(0);
        assert_eq!(plugin["metadata"]["namespace"], policy["metadata"]["namespace"]);
        assert_eq!(plugin["spec"]["targetRefs"], policy["spec"]["targetRefs"]);
        assert_ne!(plugin["spec"]["wasm"][0]["config"]["hold_head"], true);
    }
}
