//! Every example where the filter is missing: no forged tag header reaches the upstream. With the
//! filter, the verified values do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::net::SocketAddr;

use support::example::{Folder, no_module};
use support::manifests::{Kustomize, named, read};
use support::prelude::*;
use support::removal::{Removal, SEPARATORS, of_traffic_policy, tag_headers};
use support::walk::{Example, configurations, examples, managers};

const HASH_KEY: &str = "0123456789abcdef0123456789abcdef";

/// How the filter can be missing.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Filter {
    /// It is there.
    Present,
    /// The connection manager does not have it.
    Absent,
    /// Envoy cannot fetch its module, and `FAIL_OPEN` lets requests pass.
    Open,
    /// Envoy cannot fetch its module.
    Closed,
    /// Its file is no module.
    Broken,
}

/// The bootstraps among the examples: the ones whose connection manager runs the filter.
fn bootstraps() -> Vec<Example> {
    let found: Vec<_> = examples().into_iter().filter(|e| !managers(e).is_empty()).collect();
    assert!(found.len() >= 9, "{}", found.len());
    found
}

/// The example over plain HTTP, on free ports, in front of this upstream, for the fixture's tokens.
/// Other clusters lead nowhere.
fn local(example: &Example, fixture: &Fixture, filter: Filter) -> Value {
    let mut value = example.value.clone();
    let free = json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}});
    value["admin"] = json!({"address": free});
    let parts = value["static_resources"].as_object_mut().unwrap();
    let listeners = parts["listeners"].as_array_mut().unwrap();
    listeners.truncate(1);
    let listener = &mut listeners[0];
    listener["address"] = free;
    let chain = &mut listener["filter_chains"][0];
    chain.as_object_mut().unwrap().remove("transport_socket");
    let manager = &mut chain["filters"][0]["typed_config"];
    let route = "/route_config/virtual_hosts/0/routes/0/route/cluster";
    let target = manager.pointer(route).unwrap().clone();
    let filters = manager["http_filters"].as_array_mut().unwrap();
    assert_eq!(filters[0]["name"], "envoy.filters.http.wasm", "{}", example.name);
    // It reads a file, and adds no header that tells who the caller is.
    filters.retain(|filter| filter["name"] != "endpoint-key");
    if filter == Filter::Absent {
        filters.remove(0);
    } else {
        let config = &mut filters[0]["typed_config"]["config"];
        let text = config["configuration"]["value"].as_str().unwrap();
        let mut plugin: Value = serde_json::from_str(text).unwrap();
        plugin["providers"] = fixture.config(json!({}))["providers"].clone();
        config["configuration"]["value"] = json!(plugin.to_string());
        config["vm_config"]["code"] = match filter {
            Filter::Open | Filter::Closed => no_module(&target),
            Filter::Broken => json!({"local": {"inline_string": "no module"}}),
            _ => json!({"local": {"filename": support::module()}}),
        };
        if filter == Filter::Open {
            config["failure_policy"] = json!("FAIL_OPEN");
        }
    }
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
    for cluster in parts["clusters"].as_array_mut().unwrap() {
        let address = if cluster["name"] == target { fixture.upstream.address() } else { nowhere };
        *cluster = support::envoy::cluster(cluster["name"].as_str().unwrap(), address);
    }
    value
}

async fn start(fixture: &Fixture, value: &Value) -> Envoy {
    let proxy = fixture.proxy().environment("TOLLGATE_HASH_KEY", HASH_KEY);
    proxy.environment("AML_ENDPOINT_KEY", "the-key").start_file(&value.to_string()).await
}

/// A request that the rules of every example admit with a token.
/// A request that a rule of the example admits: of the chat API where it has no path of a model server.
fn admitted(config: &Value) -> Request {
    match config["rules"].to_string().contains("/v1/chat/completions") {
        true => {
            Request::post("/v1/chat/completions", "{}").header("content-type", "application/json")
        }
        false => score(),
    }
}

fn score() -> Request {
    Request::post("/score", r#"{"data": [1]}"#).header("content-type", "application/json")
}

/// A forged value for each header, all of them with one separator, in two letter cases; and a header
/// that is not the filter's.
fn forged(request: &Request, headers: &[&str], separator: char) -> [Request; 2] {
    [str::to_owned, str::to_uppercase as fn(&str) -> String].map(|case| {
        let spelled = |name: &str| case(&name.replace('-', &separator.to_string()));
        let names = headers.iter().copied().chain(["x-tollgate-reason"]).map(spelled);
        let request = request.clone().header("x-authority", "kept");
        names.fold(request, |request, name| request.header(name, "forged"))
    })
}

/// Sends forged headers in every spelling and looks at each request that reached the upstream. The
/// status of the last request without `_`, which some examples refuse.
async fn send_forged(envoy: &Envoy, upstream: &Upstream, headers: &[&str]) -> u16 {
    let mut status = 0;
    for separator in SEPARATORS {
        for request in forged(&score(), headers, separator) {
            let before = upstream.count();
            let response = envoy.send(&request).await;
            for seen in &upstream.requests()[before..] {
                assert!(!seen.head_contains(b"forged"), "{}", seen.head.escape_ascii());
                assert_eq!(seen.header("x-authority"), Some("kept"));
            }
            if separator != '_' {
                status = response.status;
            }
        }
    }
    status
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_filter_no_forged_tag_header_passes_any_example() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    for example in bootstraps() {
        let config = configurations(&example.value).remove(0);
        for (filter, status) in [(Filter::Absent, 200), (Filter::Open, 200), (Filter::Closed, 503)]
        {
            let envoy = start(&fixture, &local(&example, &fixture, filter)).await;
            let last = send_forged(&envoy, &fixture.upstream, &tag_headers(&config)).await;
            assert_eq!(last, status, "{}: {filter:?}", example.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_filter_the_verified_values_pass_every_example() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    for example in bootstraps() {
        let config = configurations(&example.value).remove(0);
        let envoy = start(&fixture, &local(&example, &fixture, Filter::Present)).await;
        for (number, separator) in SEPARATORS.into_iter().enumerate() {
            // One caller has five requests.
            let subject = format!("caller-{number}");
            let token = fixture.token_with(&subject, json!({"roles": ["Model.Score"]}));
            let request = admitted(&config).bearer(token).header("x-forwarded-for", "203.0.113.9");
            let request = forged(&request, &tag_headers(&config), separator)[0].clone();
            let response = envoy.send(&request).await;
            if separator == '_' && response.status == 400 {
                continue;
            }
            let said = format!("{}: {separator}: {}", example.name, response.reason());
            assert_eq!(response.status, 200, "{said}");
            let seen = fixture.upstream.last().unwrap();
            for header in tag_headers(&config) {
                let value = seen.header(header).unwrap_or_else(|| panic!("{said}: {header}"));
                let expected = match header {
                    "x-auth-identity" => format!("https://issuer.test/{subject}"),
                    "x-auth-subject" => subject.clone(),
                    "x-auth-issuer" => "https://issuer.test".to_owned(),
                    "x-auth-roles" => "Model.Score".to_owned(),
                    _ => "203.0.113.9".to_owned(),
                };
                assert_eq!(value, expected, "{said}");
            }
            assert!(!seen.head_contains(b"forged"), "{said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn envoy_does_not_start_with_an_example_whose_file_is_no_module() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let folder = Folder::new();
    for example in bootstraps() {
        let value = local(&example, &fixture, Filter::Broken);
        let file = folder.file("envoy.yaml", value.to_string());
        let output = std::process::Command::new(&fixture.binary)
            .args(["--config-path", &file, "--mode", "validate", "--use-dynamic-base-id"])
            .env("TOLLGATE_HASH_KEY", HASH_KEY)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{}: {said}", example.name);
    }
}

/// The patches of each overlay's EnvoyFilter, applied to a connection manager.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_plugin_istios_proxies_remove_forged_headers() {
    let Some(kustomize) = Kustomize::find() else { return };
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let headers = ["x-auth-identity", "x-auth-tenant", "x-auth-roles"];
    for overlay in ["sidecar", "gateway", "azure-ml"] {
        let objects = kustomize.build(&format!("istio/overlays/{overlay}"));
        let filter = named(&objects, "EnvoyFilter", "tollgate-headers");
        for patch in filter["spec"]["configPatches"].as_array().unwrap() {
            let mut manager = patch["patch"]["value"]["typed_config"].clone();
            manager.as_object_mut().unwrap().remove("@type");
            let envoy = fixture.proxy().hcm(manager).start().await;
            assert_eq!(send_forged(&envoy, &fixture.upstream, &headers).await, 200, "{overlay}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_policy_envoy_gateways_proxies_remove_forged_headers() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let policy = read("examples/envoy-gateway/clients.yaml").remove(0);
    let removal = json!({"early_header_mutation_extensions": of_traffic_policy(&policy)});
    let envoy = fixture.proxy().hcm(removal).start().await;
    let headers = ["x-auth-identity", "x-auth-tenant", "x-auth-roles"];
    assert_eq!(send_forged(&envoy, &fixture.upstream, &headers).await, 200);
}

/// An example that forgets a tag, and a new example that forgets the removal, are found here.
#[test]
fn every_example_with_the_filter_removes_each_of_its_tag_headers_before_all_filters() {
    let all = examples();
    let folder = |example: &Example| example.name.rsplit_once('/').unwrap().0.to_owned();
    let mut count = 0;
    for example in &all {
        for config in configurations(&example.value) {
            // Patches have no providers; tests/mesh.rs reads what Kustomize makes of them.
            let removal = match managers(example)[..] {
                [manager] => Removal::of(manager),
                [] => {
                    let beside = all.iter().filter(|other| folder(other) == folder(example));
                    let removes = |other: &&Example| {
                        ["EnvoyFilter", "ClientTrafficPolicy"]
                            .iter()
                            .any(|k| other.value["kind"] == *k)
                    };
                    Removal::of(&beside.filter(removes).map(|other| other.value.clone()).collect())
                }
                _ => panic!("{}: one connection manager", example.name),
            };
            let misses = removal.misses(tag_headers(&config));
            assert!(misses.is_empty(), "{}: {misses:?}", example.name);
            for other in ["x-auth-token", "x-authority", "authorization", "x-auth"] {
                assert!(!removal.removes(other), "{}: {other}", example.name);
            }
            count += 1;
        }
    }
    assert!(count >= 12, "{count}");
}

#[test]
fn a_pattern_for_one_spelling_or_for_other_headers_is_noticed() {
    let removal = |regex: &str| {
        let mutation =
            json!({"remove_on_match": {"key_matcher": {"safe_regex": {"regex": regex}}}});
        Removal::of(&json!({"early_header_mutation_extensions": [
            {"typed_config": {"mutations": [mutation]}},
        ]}))
    };
    let all = "x[^a-z0-9](auth[^a-z0-9]roles|tollgate[^a-z0-9].*)";
    assert!(removal(all).misses(["x-auth-roles"]).is_empty());
    for (regex, header) in [
        (all, "x-auth-subject"),
        ("x[-_](auth[-_]roles|tollgate[-_].*)", "x-auth-roles"),
        ("x-(auth-roles|tollgate-.*)", "x-auth-roles"),
        ("x[^a-z0-9]auth[^a-z0-9]roles", "x-auth-roles"),
    ] {
        assert!(!removal(regex).misses([header]).is_empty(), "{regex}");
    }
}
