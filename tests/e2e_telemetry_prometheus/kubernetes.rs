//! The manifests for the Prometheus Operator.

use std::process::Command;

use support::manifests;
use support::skip::{absent, program};

use crate::{FOLDER, read};

#[test]
fn the_prometheus_rule_is_the_plain_files() {
    let output = Command::new(support::root().join("scripts/prometheus-rule")).output().unwrap();
    let written = String::from_utf8(output.stdout).unwrap();
    let shipped = read(&format!("{FOLDER}/kubernetes/prometheusrule.yaml"));
    assert_eq!(written, shipped, "run scripts/prometheus-rule");
    // The script moves text; here, what a reader of YAML sees.
    let groups = |path: &str| {
        let groups = support::sample::read(&format!("{FOLDER}/{path}"))["groups"].clone();
        groups.as_array().unwrap().clone()
    };
    let manifest = support::sample::read(&format!("{FOLDER}/kubernetes/prometheusrule.yaml"));
    let plain = [groups("rules.yaml"), groups("alerts.yaml")].concat();
    assert_eq!(manifest["spec"]["groups"].as_array().unwrap(), &plain);
}

#[test]
fn each_pod_monitor_scrapes_what_envoy_shows_in_the_job_of_the_alerts() {
    let plain = support::sample::read(&format!("{FOLDER}/prometheus.yml"));
    for (file, port) in [
        ("podmonitor-deployment.yaml", "metrics"),
        ("podmonitor-istio.yaml", "http-envoy-prom"),
        ("podmonitor-envoy-gateway.yaml", "metrics"),
    ] {
        let monitor = support::sample::read(&format!("{FOLDER}/kubernetes/{file}"));
        let [endpoint] = monitor["spec"]["podMetricsEndpoints"].as_array().unwrap().as_slice()
        else {
            panic!("{file}: one port");
        };
        assert_eq!(endpoint["port"], port, "{file}");
        assert_eq!(endpoint["path"], plain["scrape_configs"][0]["metrics_path"], "{file}");
        let job = &endpoint["relabelings"][0];
        assert_eq!(job["targetLabel"], "job", "{file}");
        assert_eq!(job["replacement"], plain["scrape_configs"][0]["job_name"], "{file}");
    }
}

#[test]
fn the_pod_monitors_select_the_pods_of_the_examples() {
    let selected = |file: &str| {
        let monitor = support::sample::read(&format!("{FOLDER}/kubernetes/{file}"));
        monitor["spec"]["selector"]["matchLabels"].clone()
    };
    let deployment = manifests::read("examples/kubernetes/base/deployment.yaml");
    let pods = &manifests::one(&deployment, "Deployment")["spec"]["template"];
    assert_eq!(selected("podmonitor-deployment.yaml"), pods["metadata"]["labels"]);
    let ports = pods["spec"]["containers"][0]["ports"].as_array().unwrap();
    assert!(ports.iter().any(|port| port["name"] == "metrics"), "{ports:?}");

    let gateway = manifests::read("examples/envoy-gateway/gateway.yaml");
    let gateway = &manifests::one(&gateway, "Gateway")["metadata"];
    let labels = selected("podmonitor-envoy-gateway.yaml");
    assert_eq!(labels["gateway.envoyproxy.io/owning-gateway-name"], gateway["name"]);
    assert_eq!(labels["gateway.envoyproxy.io/owning-gateway-namespace"], gateway["namespace"]);
}

#[test]
fn the_operators_own_types_know_every_member_of_its_manifests() {
    let folder = support::root().join("tests/data/monitoring/go");
    let Some(go) = program("go") else { return absent("Go is absent") };
    let go = |arguments: &[&str]| {
        let mut command = Command::new(&go);
        let output = command.args(arguments).current_dir(&folder).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), text)
    };
    if let (false, why) = go(&["mod", "download"]) {
        return absent(&format!("the types of the Prometheus Operator are absent: {why}"));
    }
    let manifests = support::root().join(FOLDER).join("kubernetes");
    let files: Vec<_> = std::fs::read_dir(manifests).unwrap().map(|f| f.unwrap().path()).collect();
    let files = files.iter().map(|path| path.to_str().unwrap());
    let arguments: Vec<_> = ["run", "."].into_iter().chain(files).collect();
    let (fits, why) = go(&arguments);
    assert!(fits, "{why}");
}
