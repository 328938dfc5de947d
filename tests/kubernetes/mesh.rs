//! The manifests for Istio and Envoy Gateway fit their projects' definitions, and agree with each
//! other and with the filter.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../core/definitions.rs"]
mod definitions;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;

use definitions::Definitions;
use kcr_extensions_istio_io::v1alpha1::wasmplugins::{
    WasmPlugin, WasmPluginFailStrategy, WasmPluginPhase, WasmPluginSpec,
};
use serde_json::{Value, json};
use support::manifests::{self, Kustomize, PLUGIN, files, named, one, read, text};
use support::removal::Removal;
use support::root;
use support::scenario::merge;
use tollgate::config::{Environment, compile};
use tollgate::policy::Policy;
use tollgate::verify::provider::KeysFrom;

/// The overlays that can be applied.
const OVERLAYS: [&str; 5] = ["sidecar", "gateway", "waypoint", "azure-ml", "azure-ml-mtls"];
const EXTENSIONS: [&str; 3] = ["sidecar", "gateway", "waypoint"];
const DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The environment of the proxies.
struct Variables;

impl Environment for Variables {
    fn variable(&self, name: &str) -> Option<String> {
        let known = ["AML_ENDPOINT_KEY", "TOLLGATE_HASH_KEY"];
        known.contains(&name).then(|| "stand-in-for-a-key-of-thirty-two-bytes".to_owned())
    }
}

/// The configuration as the filter takes it: no problem and nothing to warn of.
fn compiled(config: &Value) -> Policy {
    match compile(config.to_string().as_bytes(), &Variables) {
        Ok((policy, warnings)) => {
            assert!(warnings.is_empty(), "{warnings:?}");
            policy
        }
        Err(problems) => panic!("{problems:#?}"),
    }
}

/// The cluster that the one provider fetches its keys through.
fn key_cluster(policy: &Policy) -> &str {
    let [provider] = policy.providers.iter().as_slice() else { panic!("one provider") };
    let KeysFrom::Remote(remote) = &provider.keys else { panic!("remote keys") };
    &remote.cluster
}

fn tag_headers(policy: &Policy) -> BTreeSet<&str> {
    policy.tags.iter().filter_map(|tag| tag.header.as_deref()).collect()
}

/// Every overlay and its output; all tests share one run of Kustomize.
fn built() -> Option<&'static [(String, Vec<Value>)]> {
    static BUILT: OnceLock<Vec<(String, Vec<Value>)>> = OnceLock::new();
    let kustomize = Kustomize::find()?;
    let folders = OVERLAYS.map(|overlay| format!("istio/overlays/{overlay}"));
    let build = || folders.map(|folder| (folder.clone(), kustomize.build(&folder))).into();
    Some(BUILT.get_or_init(build))
}

#[test]
fn every_file_is_yaml_and_part_of_a_kustomization() {
    for path in files("istio").into_iter().chain(files("examples/envoy-gateway")) {
        let documents = read(&path);
        assert!(documents.iter().all(|document| !document.is_null()), "{}", path.display());
        let folder = path.parent().unwrap();
        let kustomization = folder.join("kustomization.yaml");
        // The mesh configuration and Envoy Gateway's manifests are applied as they are.
        if folder == Path::new("istio") || folder == Path::new("examples/envoy-gateway") {
            assert!(!root().join(kustomization).is_file());
            continue;
        }
        if path == kustomization {
            continue;
        }
        let kustomization = &read(kustomization)[0];
        let empty = Vec::new();
        let list = |name: &str| kustomization[name].as_array().unwrap_or(&empty).iter();
        let mut named = list("resources").chain(list("patches").map(|patch| &patch["path"]));
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(named.any(|entry| entry == name), "{} is used", path.display());
    }
}

/// A member that Istio's types do not know is lost on the way there and back.
fn typed(plugin: &Value) -> WasmPluginSpec {
    let typed: WasmPlugin = serde_json::from_value(plugin.clone()).unwrap();
    let back = serde_json::to_value(&typed).unwrap();
    assert_eq!(back["spec"], plugin["spec"]);
    typed.spec
}

#[test]
fn the_shipped_plugin_is_what_istios_types_and_the_filter_say() {
    let plugin = one(&read(PLUGIN), "WasmPlugin").clone();
    let spec = typed(&plugin);
    assert_eq!(spec.phase, Some(WasmPluginPhase::Authn));
    assert_eq!(spec.fail_strategy, Some(WasmPluginFailStrategy::FailReload));
    assert_eq!(spec.sha256.as_deref(), Some(DIGEST));
    assert!(spec.url.starts_with("oci://"));
    compiled(&plugin["spec"]["pluginConfig"]);
}

/// An object fits its definition, where the definitions are here.
fn fits(definitions: Option<&Definitions>, object: &Value) {
    if let Some(definitions) = definitions {
        assert_eq!(definitions.errors(object), Some(Vec::new()), "{object:#}");
    }
}

#[test]
fn what_a_definition_does_not_know_is_noticed() {
    let Some(definitions) = Definitions::load() else { return };
    for (field, value) in [
        ("failPolicy", json!("FAIL_RELOAD")),
        ("failStrategy", json!("RELOAD")),
        ("sha256", json!("sha256:00")),
        ("url", json!(1)),
        ("match", json!([{"mode": "INBOUND"}])),
    ] {
        let mut plugin = read(PLUGIN).remove(0);
        assert_eq!(definitions.errors(&plugin), Some(Vec::new()));
        plugin["spec"][field] = value;
        assert_eq!(definitions.errors(&plugin).unwrap().len(), 1, "{plugin:#}");
    }
    assert_eq!(
        definitions.errors(&read("examples/envoy-gateway/gateway.yaml")[0]),
        None,
        "no definition"
    );
}

#[test]
fn every_manifest_of_the_pages_fits_its_definition() {
    let definitions = Definitions::load();
    let mut count = 0;
    for page in ["docs/deploy-istio.md", "docs/deploy-envoy-gateway.md"] {
        let blocks = support::docs::blocks(page);
        let documents = blocks.iter().flat_map(|block| block.documents());
        for manifest in documents.filter(|document| document.get("kind").is_some()) {
            fits(definitions.as_ref(), &manifest);
            count += 1;
        }
    }
    assert!(count > 0);
}

#[test]
fn each_overlay_builds_and_fits_the_definitions() {
    let Some(overlays) = built() else { return };
    let definitions = Definitions::load();
    for (folder, objects) in overlays {
        let names: BTreeSet<_> =
            objects.iter().map(|o| (text(o, "/kind"), text(o, "/metadata/name"))).collect();
        assert_eq!(names.len(), objects.len(), "{folder}");
        let namespaces: BTreeSet<_> =
            objects.iter().map(|object| text(object, "/metadata/namespace")).collect();
        assert_eq!(namespaces.len(), 1, "{folder}: exportTo and selectors end at a namespace");
        for object in objects {
            fits(definitions.as_ref(), object);
        }
        let spec = typed(one(objects, "WasmPlugin"));
        let selections = [
            spec.selector.is_some(),
            spec.target_refs.is_some(),
            // The whole namespace, inbound traffic only.
            spec.r#match.is_some_and(|m| serde_json::to_value(m).unwrap()[0]["mode"] == "SERVER"),
        ];
        assert_eq!(selections.iter().filter(|yes| **yes).count(), 1, "{folder}: {selections:?}");
        compiled(&one(objects, "WasmPlugin")["spec"]["pluginConfig"]);
    }
}

/// `outbound|PORT||HOST` exists where a ServiceEntry has that host and port, and it is safe where a
/// DestinationRule names the expected peer.
#[test]
fn the_cluster_of_the_keys_exists_and_knows_whom_to_trust() {
    let Some(overlays) = built() else { return };
    for (folder, objects) in overlays {
        let policy = compiled(&one(objects, "WasmPlugin")["spec"]["pluginConfig"]);
        let parts: Vec<_> = key_cluster(&policy).split('|').collect();
        let ["outbound", port, "", host] = parts[..] else { panic!("{folder}: {parts:?}") };
        originates_tls(objects, host, port.parse().unwrap());
        assert_eq!(host, "login.microsoftonline.com", "where the preset fetches keys");
        // TLS of the applications themselves is not encrypted a second time.
        let entry = named(objects, "ServiceEntry", "entra-keys");
        let ports = entry["spec"]["ports"].as_array().unwrap();
        let own = ports.iter().find(|port| port["number"] == 443).unwrap();
        assert_eq!(own["protocol"], "TLS", "{folder}");
    }
}

/// Asserts that the mesh sends requests to this port over TLS, to the right host only.
fn originates_tls(objects: &[Value], host: &str, port: u64) {
    let of_kind = |kind: &'static str| objects.iter().filter(move |o| o["kind"] == kind);
    let entry = of_kind("ServiceEntry").find(|e| e["spec"]["hosts"] == json!([host])).unwrap();
    let ports = entry["spec"]["ports"].as_array().unwrap();
    let entry_port = ports.iter().find(|p| p["number"] == port).unwrap();
    assert_eq!((&entry_port["protocol"], &entry_port["targetPort"]), (&json!("HTTP"), &json!(443)));
    let rule = of_kind("DestinationRule").find(|rule| rule["spec"]["host"] == host).unwrap();
    let policy = &rule["spec"]["trafficPolicy"];
    assert!(policy.get("tls").is_none(), "{host}: TLS on this port alone");
    let [setting] = policy["portLevelSettings"].as_array().unwrap().as_slice() else {
        panic!("{host}: one port")
    };
    assert_eq!(setting["port"]["number"], port);
    let tls = &setting["tls"];
    assert_eq!(tls["sni"], host);
    assert_eq!(tls["subjectAltNames"], json!([host]));
    match text(tls, "/mode") {
        "SIMPLE" => assert_eq!(tls["caCertificates"], "system"),
        // The certificates of both sides come from the Secret.
        "MUTUAL" => assert!(tls["credentialName"].is_string() && tls["caCertificates"].is_null()),
        mode => panic!("{host}: {mode}"),
    }
}

#[test]
fn the_endpoint_outside_gets_tls_and_its_own_key() {
    let Some(overlays) = built() else { return };
    for (folder, objects) in overlays.iter().filter(|(folder, _)| folder.contains("azure-ml")) {
        let service = one(objects, "VirtualService");
        let route = service.pointer("/spec/http/0").unwrap();
        let destination = &route["route"][0]["destination"];
        let host = destination["host"].as_str().unwrap();
        assert_eq!(route["rewrite"]["authority"], host, "the endpoint knows itself by its name");
        originates_tls(objects, host, destination["port"]["number"].as_u64().unwrap());
        let mode = "/spec/trafficPolicy/portLevelSettings/0/tls/mode";
        let mode = text(named(objects, "DestinationRule", "azure-ml"), mode);
        assert_eq!(mode == "MUTUAL", folder.ends_with("mtls"));
        assert_eq!(
            service["spec"]["gateways"],
            json!([one(objects, "Gateway")["metadata"]["name"]])
        );
        let plugin = &one(objects, "WasmPlugin")["spec"];
        assert_eq!(one(objects, "Gateway")["spec"]["selector"], plugin["selector"]["matchLabels"]);
        let handed = &plugin["vmConfig"]["env"][0];
        assert_eq!(handed["valueFrom"], "HOST", "the key is not in the manifest");
        let rules = plugin["pluginConfig"]["rules"].as_array().unwrap();
        let [score, others @ ..] = rules.as_slice() else { panic!("{folder}") };
        assert_eq!(score["upstream_authorization"]["env"], handed["name"]);
        assert!(others.iter().all(|rule| rule["upstream_authorization"].is_null()), "{folder}");
    }
}

#[test]
fn istio_decides_by_headers_that_the_filter_writes_on_the_same_proxies() {
    let Some(overlays) = built() else { return };
    let mesh = read("istio/telemetry.yaml").remove(0);
    let providers = mesh.pointer("/meshConfig/extensionProviders").unwrap().as_array().unwrap();
    let provided: BTreeSet<_> = providers.iter().map(|provider| text(provider, "/name")).collect();
    for (folder, objects) in overlays {
        let plugin = &one(objects, "WasmPlugin")["spec"];
        let policy = compiled(&plugin["pluginConfig"]);
        let headers = tag_headers(&policy);
        let authorization = &named(objects, "AuthorizationPolicy", "scoring")["spec"];
        let telemetry = &one(objects, "Telemetry")["spec"];
        for selection in ["selector", "targetRefs"] {
            assert_eq!(authorization[selection], plugin[selection], "{folder}");
            assert_eq!(telemetry[selection], plugin[selection], "{folder}");
        }
        let removal = &named(objects, "EnvoyFilter", "tollgate-headers")["spec"];
        assert_eq!(removal["workloadSelector"]["labels"], plugin["selector"]["matchLabels"]);
        assert_eq!(removal["targetRefs"], plugin["targetRefs"], "{folder}");
        let contexts = removal["configPatches"].as_array().unwrap().iter().map(|patch| {
            let misses = Removal::of(patch).misses(headers.iter().copied());
            assert!(misses.is_empty(), "{folder}: {misses:?}");
            text(patch, "/match/context")
        });
        assert_eq!(contexts.collect::<Vec<_>>(), ["GATEWAY", "SIDECAR_INBOUND"], "{folder}");
        let mut conditions = 0;
        for condition in authorization["rules"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|rule| rule["when"].as_array().map(Vec::as_slice).unwrap_or_default())
        {
            let key = text(condition, "/key");
            let header = key.strip_prefix("request.headers[").unwrap().strip_suffix(']').unwrap();
            assert!(headers.contains(header), "{folder}: {header}");
            conditions += 1;
            if header == "x-auth-tenant" {
                let tenants = plugin["pluginConfig"]["providers"][0]["tenants"].as_array().unwrap();
                let values = condition.get("values").or(condition.get("notValues"));
                let wanted = values.unwrap().as_array().unwrap();
                assert!(wanted.iter().all(|tenant| tenants.contains(tenant)), "{folder}");
            }
        }
        assert!(conditions > 0, "{folder}");
        let tracing = &telemetry["tracing"][0];
        let tags = tracing["customTags"].as_object().unwrap();
        for tag in tags.values().filter(|tag| tag.get("literal").is_none()) {
            assert!(headers.contains(text(tag, "/header/name")), "{folder}: {tag}");
        }
        for of_query in ["http.url", "grpc.path"] {
            assert_eq!(text(&tags[of_query], "/literal/value"), "-", "{folder}: {of_query}");
        }
        for user in [&telemetry["accessLogging"][0], tracing] {
            assert!(provided.contains(text(user, "/providers/0/name")), "{folder}: {user}");
        }
        // The setting that gives a waypoint the cluster.
        let keeper = providers.iter().find(|p| p["name"] == "tollgate-keys").unwrap();
        let keeper = &keeper["envoyExtAuthzHttp"];
        let cluster = format!("outbound|{}||{}", keeper["port"], text(keeper, "/service"));
        assert_eq!(cluster, key_cluster(&policy), "{folder}");
    }
}

#[test]
fn a_traffic_extension_says_what_the_wasm_plugin_said() {
    let Some(kustomize) = Kustomize::find() else { return };
    let definitions = Definitions::load();
    for name in EXTENSIONS {
        let plugin = kustomize.build(&format!("istio/overlays/{name}"));
        let extension = kustomize.build(&format!("istio/traffic-extension/{name}"));
        assert_eq!(plugin.len(), extension.len());
        let extension = one(&extension, "TrafficExtension");
        fits(definitions.as_ref(), extension);
        let mut spec = extension["spec"].clone();
        let wasm = spec.as_object_mut().unwrap().remove("wasm").unwrap();
        merge(&mut spec, wasm.clone());
        assert_eq!(spec, one(&plugin, "WasmPlugin")["spec"], "{name}");
        assert!(extension["spec"]["phase"] == "AUTHN" && wasm["failStrategy"] == "FAIL_RELOAD");
    }
}

/// What Kustomize builds of resources and components of this repository.
fn composed(name: &str, resources: &[&str], components: &[&str]) -> Option<Vec<Value>> {
    let kustomize = Kustomize::find()?;
    let folder = format!("target/tests/composed-{name}");
    std::fs::create_dir_all(root().join(&folder)).unwrap();
    let relative = |paths: &[&str]| paths.iter().map(|path| format!("../../../{path}")).collect();
    let [resources, components]: [Vec<String>; 2] = [relative(resources), relative(components)];
    let kustomization = json!({"resources": resources, "components": components});
    let file = root().join(&folder).join("kustomization.yaml");
    std::fs::write(file, kustomization.to_string()).unwrap();
    Some(kustomize.build(&folder))
}

const FILE: &str = "file:///var/tollgate/plugin.wasm";

#[test]
fn the_component_file_names_a_file_in_place_of_the_image() {
    let definitions = Definitions::load();
    let component = "istio/components/file";
    for (kind, folder) in [
        ("WasmPlugin", "istio/overlays/sidecar"),
        ("WasmPlugin", "istio/overlays/azure-ml"),
        ("TrafficExtension", "istio/traffic-extension/gateway"),
    ] {
        let name = folder.replace('/', "-");
        let Some(objects) = composed(&name, &[folder], &[component]) else { return };
        let plugin = one(&objects, kind);
        fits(definitions.as_ref(), plugin);
        let module = if kind == "WasmPlugin" { &plugin["spec"] } else { &plugin["spec"]["wasm"] };
        assert_eq!(module["url"], FILE, "{folder}");
        assert!(module["sha256"].is_null() && module["imagePullPolicy"].is_null(), "{folder}");
        assert_eq!(module["failStrategy"], "FAIL_RELOAD", "{folder}");
    }
}

/// Its tags are those of Envoy's example, and its log is the provider that it ships with.
#[test]
fn the_component_private_writes_the_hashes_of_envoys_example() {
    let definitions = Definitions::load();
    let component = ["istio/components/private"];
    let example = support::sample::read("envoy/telemetry/private.yaml");
    let shipped = example["filter"]["tags"].as_array().unwrap();
    let provider = read("istio/telemetry-private.yaml").remove(0);
    let provider = &provider["meshConfig"]["extensionProviders"][0];
    for overlay in ["sidecar", "gateway", "waypoint"] {
        let folder = format!("istio/overlays/{overlay}");
        let name = format!("private-{overlay}");
        let Some(objects) = composed(&name, &[&folder], &component) else { return };
        let (plugin, telemetry) = (one(&objects, "WasmPlugin"), one(&objects, "Telemetry"));
        fits(definitions.as_ref(), plugin);
        fits(definitions.as_ref(), telemetry);
        compiled(&plugin["spec"]["pluginConfig"]);
        let key = json!([{"name": "TOLLGATE_HASH_KEY", "valueFrom": "HOST"}]);
        assert_eq!(plugin["spec"]["vmConfig"]["env"], key, "{overlay}");
        let tags = plugin["spec"]["pluginConfig"]["tags"].as_array().unwrap();
        assert!(shipped.iter().all(|tag| tags.contains(tag)), "{overlay}: {tags:?}");
        let log = &telemetry["spec"]["accessLogging"][0]["providers"][0]["name"];
        assert_eq!(*log, provider["name"], "{overlay}");
        let replaced = example["tracing"]["custom_tags"].as_array().unwrap().iter();
        let replaced = replaced.filter(|tag| tag.get("literal").is_some());
        for tag in replaced {
            let custom = &telemetry["spec"]["tracing"][0]["customTags"];
            let literal = &custom[tag["tag"].as_str().unwrap()]["literal"];
            assert_eq!(*literal, tag["literal"], "{overlay}: {}", tag["tag"]);
        }
    }
}

#[test]
fn the_components_for_pods_put_the_module_where_the_component_file_expects_it() {
    let (folder, file) = FILE.strip_prefix("file://").unwrap().rsplit_once('/').unwrap();
    for (component, source) in [("image-volume", "image"), ("init-container", "emptyDir")] {
        let path = format!("istio/components/{component}");
        let base = ["examples/kubernetes/base"];
        let Some(objects) = composed(component, &base, &[&path]) else { return };
        let pod = &one(&objects, "Deployment")["spec"]["template"]["spec"];
        let list = |name: &str| pod[name].as_array().unwrap().clone();
        let called = |list: Vec<Value>, name: &str| {
            list.into_iter().find(|item| item["name"] == name).unwrap()
        };
        let volume = called(list("volumes"), "tollgate");
        assert!(volume[source].is_object(), "{volume}");
        let proxy = called(list("containers"), "istio-proxy");
        assert_eq!(proxy["image"], "auto");
        let mount = json!({"name": "tollgate", "mountPath": folder, "readOnly": true});
        assert_eq!(proxy["volumeMounts"], json!([mount]));
        if source == "emptyDir" {
            let init = called(list("initContainers"), "tollgate");
            assert_eq!(
                init["command"],
                json!(["cp", format!("/{file}"), format!("{folder}/{file}")])
            );
        }
    }
}

#[test]
fn the_plugin_config_of_the_overlays_is_the_shipped_one() {
    let Some(overlays) = built() else { return };
    let shipped = read(PLUGIN).remove(0)["spec"]["pluginConfig"].take();
    for (folder, objects) in overlays.iter().filter(|(folder, _)| !folder.contains("azure-ml")) {
        let mut config = one(objects, "WasmPlugin")["spec"]["pluginConfig"].clone();
        if folder.ends_with("gateway") {
            config["rules"] = shipped["rules"].clone();
        }
        assert_eq!(config, shipped, "{folder}");
    }
}

/// What the rules of a gateway guard, named by hosts; the last rule leaves all other hosts alone.
#[test]
fn at_a_gateway_rules_policy_routes_and_buffer_name_the_same_hosts() {
    let Some(overlays) = built() else { return };
    let is_gateway = |folder: &str| folder.contains("gateway") || folder.contains("azure-ml");
    for (folder, objects) in overlays.iter().filter(|(folder, _)| is_gateway(folder)) {
        let plugin = &one(objects, "WasmPlugin")["spec"];
        let rules = plugin["pluginConfig"]["rules"].as_array().unwrap();
        let [guarded @ .., rest, others] = rules.as_slice() else { panic!("{folder}") };
        let hosts = &rest["match"]["hosts"];
        assert!(!guarded.is_empty() && hosts.as_array().unwrap().len() == 1, "{folder}");
        assert!(guarded.iter().all(|rule| rule["match"]["hosts"] == *hosts), "{folder}");
        assert_eq!(rest["match"].as_object().unwrap().len(), 1, "{folder}: all of these hosts");
        assert!(rest["auth"].is_null() && rest["allow"].is_array(), "{folder}");
        assert_eq!(others["match"], json!({"encoded_slash": "allow"}), "{folder}");
        assert_eq!(others["auth"], "none", "{folder}");
        assert!(others["upstream_authorization"].is_null() && others["limits"].is_null());

        let host = text(hosts, "/0");
        let policy = &named(objects, "AuthorizationPolicy", "scoring")["spec"];
        assert_eq!(policy["action"], "DENY", "{folder}: other hosts are not its matter");
        for rule in policy["rules"].as_array().unwrap() {
            let named = &rule["to"][0]["operation"]["hosts"];
            assert_eq!(*named, json!([host, format!("{host}:*")]), "{folder}");
        }
        for object in objects {
            let named = match text(object, "/kind") {
                "VirtualService" => object.pointer("/spec/hosts"),
                "Gateway" => object.pointer("/spec/servers/0/hosts"),
                _ => continue,
            };
            assert_eq!(named, Some(hosts), "{folder}");
        }
        let buffers = |object: &&Value| object["metadata"]["name"] == "tollgate-buffer";
        for object in objects.iter().filter(buffers) {
            let patches = object.pointer("/spec/configPatches").unwrap().as_array().unwrap();
            assert_eq!(patches[0]["patch"]["value"]["disabled"], true, "{folder}");
            let vhost = "/match/routeConfiguration/vhost/name";
            let port = &one(objects, "Gateway")["spec"]["servers"][0]["port"]["number"];
            assert_eq!(text(&patches[1], vhost), format!("{host}:{port}"), "{folder}");
        }
    }
}

/// A sidecar forwards a request whatever its host is, so that a caller would choose the rule.
#[test]
fn no_rule_of_a_sidecar_or_waypoint_depends_on_the_host_and_none_opens_more_than_paths() {
    let Some(overlays) = built() else { return };
    let ends = |folder: &str| folder.ends_with("sidecar") || folder.ends_with("waypoint");
    for (folder, objects) in overlays.iter().filter(|(folder, _)| ends(folder)) {
        let rules = &one(objects, "WasmPlugin")["spec"]["pluginConfig"]["rules"];
        for rule in rules.as_array().unwrap() {
            assert!(rule["match"]["hosts"].is_null(), "{folder}");
            assert!(rule["auth"].is_null() || rule["match"]["paths"].is_array(), "{folder}");
        }
    }
}

#[test]
fn envoy_gateways_policies_fit_their_definition_and_the_gateway() {
    let definitions = Definitions::load();
    let infrastructure = read("examples/envoy-gateway/gateway.yaml");
    let proxy = read("examples/envoy-gateway/proxy.yaml").remove(0);
    let class = one(&infrastructure, "GatewayClass");
    let gateway = one(&infrastructure, "Gateway");
    let parameters = &class["spec"]["parametersRef"];
    assert_eq!(parameters["name"], proxy["metadata"]["name"]);
    assert_eq!(parameters["namespace"], proxy["metadata"]["namespace"]);
    assert_eq!(gateway["spec"]["gatewayClassName"], class["metadata"]["name"]);
    let route = one(&infrastructure, "HTTPRoute");
    assert_eq!(route["spec"]["parentRefs"][0]["name"], gateway["metadata"]["name"]);

    let bootstrap = manifests::documents(text(&proxy, "/spec/bootstrap/value")).remove(0);
    let clusters = bootstrap.pointer("/static_resources/clusters").unwrap().as_array().unwrap();
    assert_eq!(proxy["spec"]["bootstrap"]["type"], "Merge");
    let shipped = read("envoy/gateway.yaml").remove(0);
    assert_eq!(bootstrap["stats_config"], shipped["stats_config"]);
    let entra = shipped.pointer("/static_resources/clusters").unwrap().as_array().unwrap();
    let entra = entra.iter().find(|cluster| cluster["name"] == "entra").unwrap();
    assert_eq!(clusters, std::slice::from_ref(entra), "as in envoy/gateway.yaml");

    let buffer = read("examples/envoy-gateway/buffer.yaml").remove(0);
    let clients = read("examples/envoy-gateway/clients.yaml").remove(0);
    fits(definitions.as_ref(), &buffer);
    for object in [&buffer, &clients] {
        assert_eq!(object["metadata"]["namespace"], gateway["metadata"]["namespace"]);
        assert_eq!(object["spec"]["targetRefs"][0]["name"], gateway["metadata"]["name"]);
    }
    let mebibytes = |text: &str| text.strip_suffix("Mi").unwrap().parse::<u32>().unwrap();
    let body = mebibytes(text(&buffer, "/spec/requestBuffer/limit"));
    assert!(body < mebibytes(text(&clients, "/spec/connection/bufferLimit")));
    let mut configs = Vec::new();
    for (file, source) in [("policy", "image"), ("policy-http", "http")] {
        let policy = read(format!("examples/envoy-gateway/{file}.yaml")).remove(0);
        fits(definitions.as_ref(), &policy);
        let target = &policy["spec"]["targetRefs"][0];
        assert_eq!(target["kind"], "Gateway");
        assert_eq!(target["name"], gateway["metadata"]["name"]);
        assert_eq!(policy["metadata"]["namespace"], gateway["metadata"]["namespace"]);
        let wasm = &policy["spec"]["wasm"][0];
        assert_eq!(wasm["failOpen"], false);
        assert_eq!(wasm["code"][source]["sha256"], DIGEST);
        let policy = compiled(&wasm["config"]);
        assert!(clusters.iter().any(|cluster| cluster["name"] == key_cluster(&policy)));
        configs.push(wasm["config"].clone());
    }
    assert_eq!(configs[0], configs[1], "the two differ in where the module comes from");
}
