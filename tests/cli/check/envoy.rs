//! The manifest around a filter of Envoy: policy, clusters, TLS, variables, buffers.

use serde_json::{Value, json};

use super::*;

fn plugin(document: &mut Value) -> &mut Value {
    document.pointer_mut(PLUGIN).unwrap()
}

fn configure(document: &mut Value, config: &Value) {
    plugin(document)["configuration"]["value"] = json!(config.to_string());
}

/// A guard of large bodies, whose head waits for the verdict.
fn guard(document: &mut Value) {
    let mut config = guarding(true);
    config["rules"][0]["payload"] = json!({"max_bytes": "2MiB"});
    plugin(document)["allow_on_headers_stop_iteration"] = json!(true);
    configure(document, &config);
}

/// Each case changes one thing in a bootstrap that is in order.
#[test]
fn a_mistake_around_a_filter_of_envoy_is_found_at_its_path() {
    type Change = fn(&mut Value);
    fn tls(value: &mut Value) -> &mut Value {
        &mut value["static_resources"]["clusters"][0]["transport_socket"]["typed_config"]
    }
    let in_plugin = |level: &str, rest: &str| vec![format!("{level} {PLUGIN_PATH}.{rest}")];
    let tls_path = "static_resources.clusters[0].transport_socket.typed_config";
    let cluster_path = "providers[0].keys.remote.cluster";
    let cases: Vec<(&str, Change, i32, Vec<String>)> = vec![
        ("nothing", |_| {}, 0, vec![]),
        (
            "reload",
            |v| drop(plugin(v).as_object_mut().unwrap().remove("failure_policy")),
            0,
            in_plugin("warning", "failure_policy"),
        ),
        ("open", |v| plugin(v)["fail_open"] = json!(true), 0, in_plugin("warning", "fail_open")),
        (
            "struct",
            |v| {
                plugin(v)["configuration"] =
                    json!({"@type": "type.googleapis.com/google.protobuf.Struct", "value": good()});
            },
            1,
            in_plugin("problem", "configuration"),
        ),
        (
            "yaml",
            |v| plugin(v)["configuration"]["value"] = json!("# Ours.\nproviders:\n- name: p\n"),
            1,
            in_plugin("problem", "configuration"),
        ),
        (
            "fetched",
            |v| {
                plugin(v)["vm_config"]["code"] = json!({"remote": {"sha256": "1a".repeat(32)}});
            },
            0,
            in_plugin("warning", "vm_config.configuration"),
        ),
        (
            "fetched, marked",
            |v| {
                let digest = "1a".repeat(32);
                let vm = &mut plugin(v)["vm_config"];
                vm["code"] = json!({"remote": {"sha256": digest}});
                vm["configuration"] = json!({"value": digest});
            },
            0,
            vec![],
        ),
        (
            "none",
            |v| drop(plugin(v).as_object_mut().unwrap().remove("configuration")),
            1,
            in_plugin("problem", "configuration"),
        ),
        (
            "cluster",
            |v| v["static_resources"]["clusters"][0]["name"] = json!("other"),
            1,
            vec![format!("problem {cluster_path}")],
        ),
        (
            "keys_cluster",
            |v| {
                let mut config = remote();
                let keys = &mut config["providers"][0]["keys"]["remote"];
                *keys = json!({
                    "discovery": "https://issuer.test/", "cluster": "idp", "keys_cluster": "other",
                });
                configure(v, &config);
            },
            1,
            vec!["problem providers[0].keys.remote.keys_cluster".to_owned()],
        ),
        (
            "discovered",
            |v| {
                v["static_resources"]["clusters"][0]["name"] = json!("other");
                v["dynamic_resources"] = json!({"cds_config": {"ads": {}}});
            },
            0,
            vec![format!("warning {cluster_path}")],
        ),
        (
            "sni",
            |v| drop(tls(v).as_object_mut().unwrap().remove("sni")),
            0,
            vec![format!("warning {tls_path}")],
        ),
        (
            "ca",
            |v| tls(v)["common_tls_context"] = json!({}),
            0,
            vec![format!("warning {tls_path}")],
        ),
        (
            "plain",
            |v| {
                let cluster = v["static_resources"]["clusters"][0].as_object_mut().unwrap();
                cluster.remove("transport_socket");
            },
            0,
            vec!["warning static_resources.clusters[0]".to_owned()],
        ),
        (
            "withheld",
            |v| configure(v, &keys_by_env()),
            1,
            in_plugin("problem", "vm_config.environment_variables"),
        ),
        (
            "handed",
            |v| {
                configure(v, &keys_by_env());
                plugin(v)["vm_config"]["environment_variables"] =
                    json!({"key_values": {"KEYS": KEYS}});
            },
            0,
            vec![],
        ),
        ("buffer", guard, 0, vec!["warning rules[0].payload.max_bytes".to_owned()]),
        (
            "large buffer",
            |v| {
                guard(v);
                v["static_resources"]["listeners"][0]["perConnectionBufferLimitBytes"] =
                    json!(4 << 20);
            },
            0,
            vec![],
        ),
    ];
    for (name, change, code, findings) in cases {
        let mut document = bootstrap(&remote());
        change(&mut document);
        let (exit, result) = check_text(&format!("envoy {name}.yaml"), &document.to_string());
        assert_eq!((exit, found(&result)), (code, findings), "{name}: {result:#}");
    }
}

#[test]
fn a_module_and_authorities_that_are_not_here_get_a_note_outside_of_manifests() {
    let ca = "/static_resources/clusters/0/transport_socket/typed_config/common_tls_context/validation_context";
    for (module, authorities, notes) in [
        (HERE, HERE, &[][..]),
        ("/absent.wasm", HERE, &["/absent.wasm is not on this machine"]),
        (
            "absent.wasm",
            "/absent.crt",
            &["absent.wasm is not here; Envoy looks for it", "/absent.crt is not on this machine"],
        ),
    ] {
        let mut document = bootstrap(&remote());
        plugin(&mut document)["vm_config"]["code"] = json!({"local": {"filename": module}});
        document.pointer_mut(ca).unwrap()["trusted_ca"]["filename"] = json!(authorities);
        let (code, result) = check_text("files.json", &document.to_string());
        assert_eq!((code, &result["notes"]), (0, &json!(notes.len())), "{module}: {result:#}");
        let findings = result["findings"].to_string();
        assert!(notes.iter().all(|note| findings.contains(note)), "{module}: {result:#}");
        assert!(result["findings"].as_array().unwrap().iter().all(|f| f["line"] == 1));
        // The pod has other files than this machine.
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "tollgate"},
                         "data": {"envoy.yaml": document.to_string()}});
        assert_eq!(check_text("files-map.json", &map.to_string()).1["notes"], 0, "{module}");
    }
}

/// The walk through a document takes each list once.
#[test]
fn a_filter_beside_a_very_long_list_is_found() {
    let mut document = bootstrap(&good());
    document["padding"] = json!(vec![0; 200_000]);
    plugin(&mut document)["configuration"] = json!(1);
    let (code, result) = check_text("long.json", &document.to_string());
    assert_eq!(code, 1, "{result:#}");
}

#[test]
fn the_name_of_the_http_filter_makes_it_ours() {
    let unnamed = |name: &str| {
        let config = json!({"vm_config": {"runtime": "envoy.wasm.runtime.v8"}, "configuration": {
            "@type": "type.googleapis.com/google.protobuf.Struct", "value": {"a": 1},
        }});
        json!({"http_filters": [{"name": name, "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm", "config": config,
        }}]})
    };
    let found = |name| check_text("named.json", &unnamed(name).to_string()).1["findings"].clone();
    assert_ne!(found("tollgate").as_array().map(Vec::len), Some(0));
    assert!(found("tollgate").to_string().contains("google.protobuf.Struct"));
    assert!(!found("other").to_string().contains("google.protobuf.Struct"));
}
