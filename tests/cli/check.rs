//! `tollgate check` as it is run: what it says of documents that are wrong, and of the samples.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

const KEYS: &str = r#"{"keys": [{"kty": "OKP", "crv": "Ed25519",
                       "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// Exit code and the JSON that was printed.
fn check(arguments: &[&str]) -> (i32, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    let output = command.args(["check", "--json"]).args(arguments).output().unwrap();
    let value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code().unwrap(), value)
}

/// A file of this test.
fn file(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli_check").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path
}

fn check_text(name: &str, text: &str) -> (i32, Value) {
    check(&[file(name, text).to_str().unwrap()])
}

/// `level path` of each finding.
fn found(result: &Value) -> Vec<String> {
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let findings = result["findings"].as_array().unwrap();
    findings.iter().map(|f| format!("{} {}", text(f, "level"), text(f, "path"))).collect()
}

fn good() -> Value {
    let keys: Value = serde_json::from_str(KEYS).unwrap();
    json!({"providers": [{"name": "p", "issuers": ["https://issuer.test"], "audiences": ["a"],
                          "keys": {"inline": keys}}]})
}

/// An Envoy bootstrap around a configuration, with a cluster `idp` that proves who it is.
fn bootstrap(config: &Value) -> Value {
    json!({
        "static_resources": {
            "listeners": [{
                "filter_chains": [{"filters": [{"typed_config": {"http_filters": [{
                    "name": "envoy.filters.http.wasm",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                        "config": {
                            "name": "tollgate",
                            "failure_policy": "FAIL_RELOAD",
                            "vm_config": {"vm_id": "tollgate"},
                            "configuration": {
                                "@type": "type.googleapis.com/google.protobuf.StringValue",
                                "value": config.to_string(),
                            },
                        },
                    },
                }]}}]}],
            }],
            "clusters": [{
                "name": "idp",
                "transport_socket": {"typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.\
                              UpstreamTlsContext",
                    "sni": "issuer.test",
                    "common_tls_context": {"validation_context": {
                        "trusted_ca": {"filename": "ca.crt"},
                        "match_typed_subject_alt_names": [
                            {"san_type": "DNS", "matcher": {"exact": "issuer.test"}}],
                    }},
                }},
            }],
        },
    })
}

const PLUGIN: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/\
                      http_filters/0/typed_config/config";
const PLUGIN_PATH: &str = "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.\
                           http_filters[0].typed_config.config";

fn remote() -> Value {
    let mut config = good();
    config["providers"][0]["keys"] =
        json!({"remote": {"uri": "https://issuer.test/keys", "cluster": "idp"}});
    config
}

/// Each case changes one thing in a bootstrap that is in order.
#[test]
fn what_is_wrong_around_a_filter_of_envoy_is_found_where_it_stands() {
    type Change = fn(&mut Value);
    fn plugin(value: &mut Value) -> &mut Value {
        value.pointer_mut(PLUGIN).unwrap()
    }
    fn tls(value: &mut Value) -> &mut Value {
        &mut value["static_resources"]["clusters"][0]["transport_socket"]["typed_config"]
    }
    let in_plugin = |level: &str, rest: &str| vec![format!("{level} {PLUGIN_PATH}.{rest}")];
    let tls_path = "static_resources.clusters[0].transport_socket.typed_config";
    let cluster_path = "configuration: providers[0].keys.remote.cluster";
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
            "none",
            |v| drop(plugin(v).as_object_mut().unwrap().remove("configuration")),
            1,
            in_plugin("problem", "configuration"),
        ),
        (
            "cluster",
            |v| v["static_resources"]["clusters"][0]["name"] = json!("other"),
            1,
            in_plugin("problem", cluster_path),
        ),
        (
            "keys_cluster",
            |v| {
                let mut config = remote();
                let keys = &mut config["providers"][0]["keys"]["remote"];
                *keys = json!({
                    "discovery": "https://issuer.test/", "cluster": "idp", "keys_cluster": "other",
                });
                plugin(v)["configuration"]["value"] = json!(config.to_string());
            },
            1,
            in_plugin("problem", "configuration: providers[0].keys.remote.keys_cluster"),
        ),
        (
            "discovered",
            |v| {
                v["static_resources"]["clusters"][0]["name"] = json!("other");
                v["dynamic_resources"] = json!({"cds_config": {"ads": {}}});
            },
            0,
            in_plugin("warning", cluster_path),
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
            |v| {
                let mut config = good();
                config["providers"][0]["keys"] = json!({"env": "KEYS"});
                plugin(v)["configuration"]["value"] = json!(config.to_string());
            },
            1,
            vec![
                "problem providers[0].keys.env".to_owned(),
                format!("problem {PLUGIN_PATH}.vm_config.environment_variables"),
            ],
        ),
        (
            "handed",
            |v| {
                let mut config = good();
                config["providers"][0]["keys"] = json!({"env": "KEYS"});
                plugin(v)["configuration"]["value"] = json!(config.to_string());
                plugin(v)["vm_config"]["environment_variables"] =
                    json!({"key_values": {"KEYS": KEYS}});
            },
            0,
            vec![],
        ),
        (
            "buffer",
            |v| {
                let mut config = good();
                config["rules"] = json!([{"name": "r", "payload": {"max_bytes": "2MiB"}}]);
                config["hold_head"] = json!(true);
                plugin(v)["allow_on_headers_stop_iteration"] = json!(true);
                plugin(v)["configuration"]["value"] = json!(config.to_string());
            },
            0,
            vec!["warning rules[0].payload.max_bytes".to_owned()],
        ),
        (
            "large buffer",
            |v| {
                let mut config = good();
                config["rules"] = json!([{"name": "r", "payload": {"max_bytes": "2MiB"}}]);
                config["hold_head"] = json!(true);
                plugin(v)["allow_on_headers_stop_iteration"] = json!(true);
                plugin(v)["configuration"]["value"] = json!(config.to_string());
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
fn what_is_wrong_in_a_bare_document_is_found_by_its_path_and_decides_the_exit_code() {
    let empty = || good().to_string();
    for (name, text, code, findings) in [
        ("good.json", empty(), 0, vec![]),
        ("truncated.json", "{\"providers\": [".to_owned(), 1, vec!["problem providers"]),
        ("empty.json", String::new(), 1, vec!["problem (document)"]),
        ("braces.yaml", "{}".to_owned(), 1, vec!["problem providers"]),
        (
            "twice.json",
            r#"{"providers": [], "providers": []}"#.to_owned(),
            1,
            vec!["problem (document)"],
        ),
        ("twice.yaml", "providers: []\nproviders: []\n".to_owned(), 1, vec!["problem (file)"]),
        ("text.yaml", "a: b: c".to_owned(), 1, vec!["problem (file)"]),
        (
            "several.yaml",
            format!(
                "providers:\n- name: P!\n  audiences: any\n  issuers: [\"https://i\"]\n  keys: \
                 {{inline: {KEYS}}}\nlimits: [{{name: l, rate: 0/s}}]\n"
            ),
            1,
            vec!["problem providers[0].name", "problem limits[0].rate"],
        ),
    ] {
        let (exit, result) = check_text(name, &text);
        let mut got = found(&result);
        got.retain(|finding| finding.starts_with("problem"));
        assert_eq!(
            (exit, got),
            (code, findings.iter().map(|f| (*f).to_owned()).collect()),
            "{name}: {result:#}"
        );
    }
}

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
        let mut config = good();
        config["providers"][0]["keys"] = json!({"env": "KEYS"});
        let mut spec = fine.clone();
        spec["pluginConfig"] = config;
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
    let cases = [
        (plugin(fine.clone()), 1, vec![]),
        (extension, 1, vec![]),
        (gateway(false), 1, vec![]),
        (gateway(true), 1, vec!["warning spec.wasm[0].failOpen"]),
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
            vec!["problem providers[0].keys.env", "problem spec.vmConfig.env"],
        ),
        (plugin(json!({"pluginConfig": {"limits": []}})), 0, vec![]),
        (json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}), 0, vec![]),
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

/// A configuration with a guard, with a member of the document set.
fn guarding(hold_head: bool) -> Value {
    let mut config = good();
    config["rules"] = json!([{"name": "r", "payload": {"require_any": ["/data"]}}]);
    config["hold_head"] = json!(hold_head);
    config
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
    for (name, documents, want) in [
        ("istio", vec![istio(false)], &warned),
        ("istio held", vec![istio(true), filter.clone()], &useless),
        ("istio buffered", vec![istio(false), filter], &vec![]),
        ("gateway", vec![gateway(false)], &warned),
        ("gateway held", vec![gateway(true), policy.clone()], &useless),
        ("gateway buffered", vec![gateway(false), policy], &vec![]),
    ] {
        let text: Vec<String> = documents.iter().map(Value::to_string).collect();
        let (_, result) = check_text(&format!("heads {name}.yaml"), &text.join("\n---\n"));
        assert_eq!(&found(&result), want, "{name}: {result:#}");
    }
}

#[test]
fn every_finding_has_the_line_where_it_stands() {
    let yaml = format!(
        "# A comment.\nproviders:\n- name: p\n  issuers:\n  - https://sts.windows.net/x\n  \
         audiences: any\n  keys: {{inline: {KEYS}}}\nrules:\n- name: r\n\n  match: {{paths: [\n    \
         /a,\n    '/b/{{id}}']}}\n"
    );
    let json =
        "{\n \"providers\": [],\n\n \"limits\": [\n  {\"name\": \"l\",\n  \"rate\": \"x\"}]\n}";
    let indented: String =
        serde_json::to_string_pretty(&good()).unwrap().replace("https://issuer.test", "https://*");
    let block: String = indented.lines().map(|line| format!("            {line}\n")).collect();
    // What a person writes: the text of the configuration as a block.
    let envoy = format!(
        "http_filters:\n- name: w\n  typed_config:\n    '@type': type.googleapis.com/envoy.extensions.\
         filters.http.wasm.v3.Wasm\n    config:\n      name: tollgate\n      configuration:\n        \
         '@type': type.googleapis.com/google.protobuf.StringValue\n        value: |\n{block}      \
         vm_config: {{}}\n"
    );
    let issuers = indented.lines().position(|line| line.contains("https://*")).unwrap();
    let plugin = "apiVersion: v1\nkind: ConfigMap\n---\napiVersion: extensions.istio.io/v1alpha1\nkind: \
                  WasmPlugin\nmetadata: {name: tollgate}\nspec:\n  url: file:///t.wasm\n  phase: AUTHN\n  \
                  failStrategy: FAIL_OPEN\n  pluginConfig:\n    providers:\n    - name: P\n";
    for (name, text, wanted) in [
        ("lines.yaml", yaml, vec![("providers[0].issuers[0]", 5), ("rules[0].match.paths[1]", 14)]),
        ("lines.json", json.to_owned(), vec![("providers", 2), ("limits[0].rate", 6)]),
        (
            "lines envoy.yaml",
            envoy,
            vec![
                ("providers[0].issuers[0]", 10 + issuers),
                ("http_filters[0].typed_config.config.failure_policy", 5),
            ],
        ),
        (
            "lines plugin.yaml",
            plugin.to_owned(),
            vec![("providers[0].name", 13), ("providers[0].keys", 13), ("spec.failStrategy", 10)],
        ),
    ] {
        let (_, result) = check_text(name, &text);
        let findings = result["findings"].as_array().unwrap();
        for (path, line) in wanted {
            let finding = findings.iter().find(|finding| finding["path"] == path);
            let finding = finding.unwrap_or_else(|| panic!("{name} {path}: {result:#}"));
            assert_eq!(finding["line"], line, "{name} {path}: {result:#}\n{text}");
        }
    }
}

#[test]
fn every_sample_of_the_repository_is_in_order() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directories = ["envoy", "istio", "examples/envoy-gateway"].map(|name| root.join(name));
    let mut arguments: Vec<&str> =
        directories.iter().filter(|d| d.is_dir()).map(|d| d.to_str().unwrap()).collect();
    let keys = format!("TOLLGATE_JWKS={KEYS}");
    let hash = format!("TOLLGATE_HASH_KEY={}", "k".repeat(32));
    for variable in [&keys, &hash, "AML_ENDPOINT_KEY=stand-in-for-an-endpoint-key"] {
        arguments.extend(["--env", variable]);
    }
    let (exit, result) = check(&arguments);
    assert_eq!(exit, 0, "{result:#}");
    assert!(result["configurations"].as_u64().unwrap() >= 2, "{result:#}");
}

#[test]
fn warnings_pass_unless_strict_and_usage_has_an_exit_code_of_its_own() {
    let mut config = good();
    config["limits"] = json!([{"name": "unused", "rate": "1/s"}]);
    let path = file("warned.json", &config.to_string());
    let path = path.to_str().unwrap();
    let (exit, result) = check(&[path]);
    assert_eq!((exit, result["problems"].as_u64()), (0, Some(0)), "{result:#}");
    assert!(result["warnings"].as_u64() > Some(0), "{result:#}");
    assert_eq!(check(&["--strict", path]).0, 1);
    // A directory in which nothing is checked is a mistake in the command.
    let empty = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli_check/empty");
    std::fs::create_dir_all(&empty).unwrap();
    let _ = std::fs::remove_file(empty.join("values.yaml"));
    assert_eq!(check(&[empty.to_str().unwrap()]).0, 2);
    std::fs::write(empty.join("values.yaml"), "a: 1\n").unwrap();
    assert_eq!(check(&[empty.to_str().unwrap()]).0, 2);
    assert_eq!(check(&[path, empty.to_str().unwrap()]).0, 2);
    for usage in [&["/no/such/file"][..], &[], &["--env", "TOLLGATE_NOT_SET_HERE", path], &["--no"]]
    {
        assert_eq!(check(usage).0, 2, "{usage:?}");
    }
}

#[test]
fn nothing_is_coloured_where_no_terminal_reads() {
    let path = file("plain.json", "{}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    let output = command.arg("check").arg(path).output().unwrap();
    assert!(!output.stdout.contains(&0x1b), "{:?}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_limit_of_one_name_and_two_sizes_in_filters_that_share_their_data_is_warned_of() {
    let limited = |rate: &str| {
        let mut config = good();
        config["rules"] = json!([{"name": "all", "limits": ["calls"]}]);
        config["limits"] = json!([{"name": "calls", "rate": rate}]);
        config
    };
    for (first, second, vm, want) in [
        ("10/h", "1/s", "tollgate", true),
        ("10/h", "10/h", "tollgate", false),
        ("60/m", "1/s", "tollgate", true),
        ("10/h", "1/s", "another", false),
    ] {
        let mut document = bootstrap(&limited(first));
        let mut other = bootstrap(&limited(second))["static_resources"]["listeners"][0].take();
        let filter = "/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config/config";
        other.pointer_mut(filter).unwrap()["vm_config"]["vm_id"] = json!(vm);
        document["static_resources"]["listeners"].as_array_mut().unwrap().push(other);
        let (code, result) = check_text("shared.yaml", &document.to_string());
        let told = result["findings"].as_array().unwrap().iter().any(|finding| {
            finding["path"].as_str().unwrap().ends_with("limits[0]")
                && finding["message"].as_str().unwrap().contains("another size")
        });
        assert_eq!((code, told), (0, want), "{first} {second} {vm}: {result:#}");
    }
}
