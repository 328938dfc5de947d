//! The files for networks of Azure: policies, rules of a firewall, private endpoints. Their addresses and names are those
//! of the other examples.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};
use support::docs::{blocks, manifests};
use support::example::Folder;
use support::walk::{Example, examples, objects};
use support::{root, skip};

const FOLDER: &str = "examples/azure/network";

#[test]
fn network_policies_let_the_gateway_alone_reach_models_and_it_alone_what_it_needs() {
    let files = ["networkpolicy.yaml", "networkpolicy-egress.yaml"];
    let read = |file: &&str| manifests(&format!("{FOLDER}/{file}"));
    let policies: Vec<_> = files.iter().flat_map(read).collect();
    let policy = |name: &str| {
        let found = policies.iter().find(|policy| policy["metadata"]["name"] == name);
        let policy = found.unwrap_or_else(|| panic!("{name}"));
        assert_eq!(policy["apiVersion"], "networking.k8s.io/v1");
        assert_eq!(policy["kind"], "NetworkPolicy");
        &policy["spec"]
    };
    assert_eq!(policies.len(), 4);
    let namespace = |name: &str| json!({"matchLabels": {"kubernetes.io/metadata.name": name}});
    let router = json!({"matchLabels": {"azuremlappname": "azureml-fe"}});
    let gateway = json!({"matchLabels": {"app": "gateway"}});

    // A policy of one direction denies everything in that direction that it does not list.
    let models = policy("models-from-router");
    assert_eq!((&models["podSelector"], &models["policyTypes"]), (&json!({}), &json!(["Ingress"])));
    let from_router = json!({"namespaceSelector": namespace("azureml"), "podSelector": router});
    assert_eq!(models["ingress"], json!([{"from": [from_router]}]));
    let fe = policy("router-from-gateway");
    assert_eq!((&fe["podSelector"], &fe["policyTypes"]), (&router, &json!(["Ingress"])));
    let from_gateway = json!({"namespaceSelector": namespace("gateway"), "podSelector": gateway});
    assert_eq!(
        fe["ingress"],
        json!([{"from": [from_gateway]}, {"from": [{"podSelector": router}]}])
    );

    let egress = policy("gateway-egress");
    assert_eq!((&egress["podSelector"], &egress["policyTypes"]), (&gateway, &json!(["Egress"])));
    let rules = egress["egress"].as_array().unwrap();
    let outside: Vec<_> =
        rules.iter().filter(|rule| rule["to"][0].get("ipBlock").is_some()).collect();
    let [internet, private] = outside[..] else { panic!("{outside:?}") };
    for rule in [internet, private] {
        assert_eq!(rule["ports"], json!([{"protocol": "TCP", "port": 443}]));
    }
    let except = internet["to"][0]["ipBlock"]["except"].as_array().unwrap();
    assert!(except.contains(&json!("169.254.0.0/16")), "the metadata service");
    let subnet = private["to"][0]["ipBlock"]["cidr"].as_str().unwrap();
    let network = std::fs::read_to_string(root().join(FOLDER).join("vnet.bicep")).unwrap();
    assert!(network.contains(&format!("param endpoints string = '{subnet}'")), "{subnet}");
    for rule in rules {
        // A peer without selectors, or no `to` at all, would be everybody.
        let peers = rule["to"].as_array().unwrap();
        let narrow = |peer: &Value| {
            peer.get("ipBlock").is_some()
                || (peer.get("namespaceSelector").is_some() && peer.get("podSelector").is_some())
        };
        assert!(!peers.is_empty() && peers.iter().all(narrow), "{rule}");
    }
}

/// The hosts outside a cluster that the proxies of an example reach: clusters and ServiceEntries with TLS, and the
/// registry from which a proxy itself fetches the module.
fn hosts(example: &Example) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for object in objects(&example.value) {
        let address = &object["socket_address"];
        if address["port_value"] == 443 {
            found.extend(address["address"].as_str().map(str::to_owned));
        }
        if object["kind"] == "ServiceEntry" {
            let hosts = object["spec"]["hosts"].as_array().into_iter().flatten();
            found.extend(hosts.map(|host| host.as_str().unwrap().to_owned()));
        }
        if object["kind"] == "WasmPlugin" {
            let url = object["spec"]["url"].as_str().and_then(|url| url.strip_prefix("oci://"));
            found.extend(url.map(|url| url.split('/').next().unwrap().to_owned()));
        }
    }
    found
}

/// The hosts of Azure Monitor: the address in the page, and the one of Application Insights' connection strings.
fn monitor() -> Vec<String> {
    let page = blocks("docs/azure-monitor.md");
    let lines = page.iter().flat_map(|block| block.text.lines());
    let address = lines.filter_map(|line| line.strip_prefix("export AUDIT_ENDPOINT=https://"));
    let mut found: Vec<_> = address.map(str::to_owned).collect();
    assert!(!found.is_empty());
    found.extend(
        ["westeurope-5.in.applicationinsights.azure.com", "login.microsoftonline.com"]
            .map(str::to_owned),
    );
    found
}

/// Whether a name of a rule stands for this host: itself, or everything in front of its end.
fn covers(name: &str, host: &str) -> bool {
    match name.strip_prefix('*') {
        Some(end) => host.len() > end.len() && host.ends_with(end),
        None => name == host,
    }
}

fn missing(names: &[String], hosts: impl IntoIterator<Item = String>) -> Vec<String> {
    let covered = |host: &String| names.iter().any(|name| covers(name, host));
    hosts.into_iter().filter(|host| !covered(host)).collect()
}

#[test]
fn every_host_that_a_shipped_proxy_reaches_is_in_each_file_for_egress_by_name() {
    let needed: BTreeSet<_> = examples()
        .iter()
        .filter(|example| !example.name.starts_with(FOLDER))
        .flat_map(hosts)
        .collect();
    let known = [
        "login.microsoftonline.com",
        "registry.example.com",
        "scoring.westeurope.inference.ml.azure.com",
    ];
    assert_eq!(needed, known.map(str::to_owned).into());

    // Cilium: the names that a pod may resolve, and those that it may reach.
    let names = |entries: &Value| -> Vec<String> {
        let entries = entries.as_array().unwrap().iter();
        let name = |entry: &Value| entry.get("matchName").or(entry.get("matchPattern")).cloned();
        entries.map(|entry| name(entry).unwrap().as_str().unwrap().to_owned()).collect()
    };
    let policies = manifests(&format!("{FOLDER}/networkpolicy-cilium.yaml"));
    for (policy, needed) in policies.iter().zip([needed.clone(), monitor().into_iter().collect()]) {
        let rules = policy["spec"]["egress"].as_array().unwrap();
        let reached: Vec<_> =
            rules.iter().filter_map(|rule| rule.get("toFQDNs")).flat_map(names).collect();
        let dns = rules[0].pointer("/toPorts/0/rules/dns").unwrap();
        for names in [reached, names(dns)] {
            let missing = missing(&names, needed.clone());
            assert!(missing.is_empty(), "{}: {missing:?}", policy["metadata"]["name"]);
        }
    }

    // Azure Firewall: every name in quotes.
    let text = std::fs::read_to_string(root().join(FOLDER).join("firewall.bicep")).unwrap();
    let quoted: Vec<_> = text.split('\'').skip(1).step_by(2).map(str::to_owned).collect();
    let missing = missing(&quoted, needed.into_iter().chain(monitor()));
    assert!(missing.is_empty(), "firewall.bicep: {missing:?}");
}

/// With `REGISTRY_ONLY`, a cluster exists only for a host of a ServiceEntry.
#[test]
fn istio_knows_the_host_and_port_of_each_cluster_that_a_plugin_names() {
    let all = examples();
    let objects: Vec<_> = all.iter().flat_map(|example| objects(&example.value)).collect();
    let entries: Vec<_> =
        objects.iter().filter(|object| object["kind"] == "ServiceEntry").collect();
    let mut count = 0;
    for plugin in objects.iter().filter(|object| object["kind"] == "WasmPlugin") {
        let text = plugin.to_string();
        for cluster in text.split("\"outbound|").skip(1) {
            let mut parts = cluster.split('"').next().unwrap().split('|');
            let port: u64 = parts.next().unwrap().parse().unwrap();
            let host = parts.nth(1).unwrap();
            let known = |entry: &&&Value| {
                let spec = &entry["spec"];
                let list = |member: &str| spec[member].as_array().cloned().unwrap_or_default();
                list("hosts").contains(&json!(host))
                    && list("ports").iter().any(|known| known["number"] == port)
            };
            assert!(entries.iter().any(known), "{host}:{port}");
            count += 1;
        }
    }
    assert!(count > 0);
    let sidecar = manifests(&format!("{FOLDER}/istio.yaml")).remove(0);
    assert_eq!(sidecar["spec"]["outboundTrafficPolicy"]["mode"], "REGISTRY_ONLY");
    assert_eq!(sidecar["spec"]["egress"][0]["hosts"][0], "./*", "the entries of its own namespace");
}

/// What Microsoft's classes find in files; `None` after a note without them.
fn findings(files: &[String]) -> Option<String> {
    let python = root().join("target/azure/bin/python3");
    if !python.is_file() {
        skip::absent("Microsoft's classes are absent: run `make azure-files`");
        return None;
    }
    let mut command = Command::new(python);
    let output =
        command.arg("tests/data/azure/check.py").args(files).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
#[ignore = "make azure-files: Microsoft's classes must have been installed"]
fn microsofts_classes_know_each_member_of_each_file_and_notice_mistakes() {
    let files = std::fs::read_dir(root().join(FOLDER)).unwrap().map(|file| file.unwrap().path());
    let (mut shipped, mut texts) = (Vec::new(), Vec::new());
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        if text.contains("$schema") || path.extension().unwrap() == "bicep" {
            shipped.push(path.to_str().unwrap().to_owned());
            texts.push((path.file_name().unwrap().to_str().unwrap().to_owned(), text));
        }
    }
    assert!(shipped.len() >= 10, "{shipped:?}");
    let Some(found) = findings(&shipped) else { return };
    assert_eq!(found, "");

    let folder = Folder::new();
    let mistakes = [
        ("vnet.bicep", "defaultOutboundAccess", "defaultOutbound"),
        ("vnet.bicep", "'NetworkSecurityGroupEnabled'", "'On'"),
        ("vnet.bicep", "priority: 100", "priority: true"),
        ("bastion.bicep", "enableTunneling", "tunneling"),
        ("vnet.bicep", "endpointRules.id", "endpointRule.id"),
        ("firewall.bicep", "targetFqdns:", "targetFqdn:"),
        ("firewall.bicep", "'ApplicationRule'", "'NetworkRule'"),
        ("firewall.bicep", "Logs, otherHosts", "Log, otherHosts"),
        ("private-endpoints.bicep", "groupIds:", "groupId:"),
        (
            "private-endpoints.bicep",
            "privateDnsZoneId: resourceId",
            "privateDnsZoneId: resource_id",
        ),
        ("service-tags.bicep", "access: 'Deny'", "access: 'Refuse'"),
        ("workspace.yaml", "allow_only_approved_outbound", "approved"),
        ("endpoint.yaml", "auth_mode: key", "auth_mode: entra"),
        ("deployment.yaml", "request_timeout_ms", "request_timeout"),
        ("endpoint-kubernetes.yaml", "compute:", "computes:"),
        ("deployment-kubernetes.yaml", "instance_count: 2", "instance_count: two"),
    ];
    let wrong: Vec<_> = mistakes
        .iter()
        .enumerate()
        .map(|(number, (name, right, wrong))| {
            let (_, text) = texts.iter().find(|(file, _)| file == name).unwrap();
            assert!(text.contains(right), "{name}: {right}");
            folder.file(&format!("{number}-{name}"), text.replace(right, wrong))
        })
        .collect();
    let found = findings(&wrong).unwrap();
    for (path, mistake) in wrong.iter().zip(mistakes) {
        assert!(found.contains(path.as_str()), "{mistake:?} is not noticed");
    }
}
