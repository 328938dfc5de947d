//! A real Prometheus.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use support::daemon::{Daemon, answers};
use support::example::Folder;
use support::ports::free_address;
use support::prelude::*;

/// A Prometheus that scrapes some Envoys every second.
pub struct Prometheus {
    address: SocketAddr,
    _daemon: Daemon,
}

impl Prometheus {
    /// With the rules of a folder. There is no exporter for the job of probes.
    pub async fn start(binary: &Path, envoys: &[&Envoy], rules: &Path) -> Self {
        let mut config = support::sample::read("envoy/prometheus/prometheus.yml");
        let targets: Vec<_> = envoys.iter().map(|envoy| instance(envoy)).collect();
        let job = config["scrape_configs"][0].take();
        config["scrape_configs"] = json!([job]);
        config["scrape_configs"][0]["static_configs"] =
            json!([{"targets": targets, "labels": {"namespace": "models"}}]);
        Self::launch(binary, config, rules).await
    }

    /// With the job that probes these addresses through an exporter.
    pub async fn probing(
        binary: &Path,
        exporter: SocketAddr,
        addresses: &[&str],
        rules: &Path,
    ) -> Self {
        let mut config = support::sample::read("envoy/prometheus/prometheus.yml");
        let mut job = config["scrape_configs"][1].take();
        job["static_configs"] = json!([{"targets": addresses}]);
        let to = job["relabel_configs"].as_array_mut().unwrap().last_mut().unwrap();
        assert_eq!(to["target_label"], "__address__");
        to["replacement"] = json!(exporter.to_string());
        config["scrape_configs"] = json!([job]);
        Self::launch(binary, config, rules).await
    }

    async fn launch(binary: &Path, mut config: Value, rules: &Path) -> Self {
        let (folder, address) = (Folder::new(), free_address());
        config["global"] = json!({"scrape_interval": "1s", "evaluation_interval": "1s"});
        config["rule_files"] = json!([rules.join("rules.yaml"), rules.join("alerts.yaml")]);
        let mut command = Command::new(binary);
        command
            .arg(format!("--config.file={}", folder.file("prometheus.yml", config.to_string())))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"));
        let ready = async || answers(address, "/-/ready").await;
        Self { address, _daemon: Daemon::start(command, folder, ready).await }
    }

    /// The samples of an instant query.
    pub async fn query(&self, expression: &str) -> Vec<Value> {
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let request = Request::get(format!("/api/v1/query?query={encoded}"));
        let answer = client::send(self.address, &request).await.json();
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        answer["data"]["result"].as_array().unwrap().clone()
    }

    /// Only a real Prometheus with all of Envoy's series notices that two of them become one.
    pub async fn evaluates_every_rule(&self) {
        let rules = client::send(self.address, &Request::get("/api/v1/rules")).await.json();
        let groups = rules["data"]["groups"].as_array().unwrap().iter();
        let rules: Vec<_> = groups.flat_map(|group| group["rules"].as_array().unwrap()).collect();
        assert!(rules.len() >= 19, "{rules:?}");
        for rule in rules {
            assert_eq!(rule["health"], "ok", "{}: {}", rule["name"], rule["lastError"]);
        }
    }
}

/// The label `instance` of an Envoy.
pub fn instance(envoy: &Envoy) -> String {
    envoy.admin_address().to_string()
}
