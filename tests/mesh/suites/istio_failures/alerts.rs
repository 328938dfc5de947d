//! A Prometheus that scrapes the pods as the shipped PodMonitor says, with the shipped alerts.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::process::Command;

use mesh::program::Program;
use mesh::{machine, until};
use serde_json::{Value, json};
use support::alerts::hurried;
use support::client::{self, Request};
use support::example::Folder;

use crate::scene::Scene;

const PORT: u16 = 9090;

/// Every alert that was firing at some time.
const FIRED: &str = "max_over_time(ALERTS{alertstate=\"firing\"}[1h])";

pub struct Prometheus {
    _program: Program,
    _rules: Folder,
}

impl Prometheus {
    pub fn start(scene: &Scene) -> Self {
        let monitor = support::sample::read("envoy/prometheus/kubernetes/podmonitor-istio.yaml");
        let endpoint = &monitor["spec"]["podMetricsEndpoints"][0];
        // The name of the port in Istio's injector.
        assert_eq!(endpoint["port"], "http-envoy-prom");
        let targets = scene.pods.each_ref().map(|pod| format!("{}:15090", pod.address));
        let rules = hurried();
        let files = ["rules.yaml", "alerts.yaml"].map(|file| rules.path().join(file));
        let config = json!({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": files,
            "scrape_configs": [{
                "job_name": endpoint["relabelings"][0]["replacement"],
                "metrics_path": endpoint["path"],
                "static_configs": [{"targets": targets}],
            }],
        });
        let folder = machine::folder();
        let file = folder.join("prometheus.yml");
        std::fs::write(&file, config.to_string()).unwrap();
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.join("prometheus").display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{PORT}"));
        Self { _program: Program::start("prometheus", &mut command), _rules: rules }
    }

    /// Waits until each of these alerts has fired for the pod with this number.
    pub fn fired(&self, scene: &Scene, alerts: &[(&str, usize)]) {
        until(60, &format!("{alerts:?}"), || {
            let fired = query(FIRED)?;
            let has = |(alert, pod): &(&str, usize)| {
                let instance = format!("{}:15090", scene.pods[*pod].address);
                fired.contains(&(String::from(*alert), instance))
            };
            alerts.iter().all(has).then_some(())
        });
    }
}

/// The alerts and instances of an answer.
fn query(expression: &str) -> Option<BTreeSet<(String, String)>> {
    let encoded: String = expression.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let request = Request::get(format!("/api/v1/query?query={encoded}"));
    let address = (Ipv4Addr::LOCALHOST, PORT).into();
    let answer = machine::runtime().block_on(client::try_send(address, &request)).ok()?.json();
    let of = |sample: &Value| {
        let label = |name: &str| sample["metric"][name].as_str().unwrap_or_default().to_owned();
        (label("alertname"), label("instance"))
    };
    Some(answer["data"]["result"].as_array()?.iter().map(of).collect())
}
