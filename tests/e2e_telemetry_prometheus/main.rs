//! The rules, the alerts and the dashboard under `envoy/prometheus/`, by a real Prometheus that
//! scrapes a real Envoy.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod files;
mod kubernetes;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use support::daemon::{Daemon, answers, free_address};
use support::example::Folder;
use support::idp::{self, Idp, Scheme};
use support::prelude::*;
use support::sample::Sample;
use support::skip::{absent, program};

const FOLDER: &str = "envoy/prometheus";

fn read(path: &str) -> String {
    std::fs::read_to_string(support::root().join(path)).unwrap()
}

/// A Prometheus that scrapes one Envoy every second.
struct Prometheus {
    address: SocketAddr,
    _daemon: Daemon,
}

impl Prometheus {
    async fn start(binary: &Path, envoy: &Envoy) -> Self {
        let (folder, address) = (Folder::new(), free_address());
        let mut config = support::sample::read("envoy/prometheus/prometheus.yml");
        config["global"] = json!({"scrape_interval": "1s", "evaluation_interval": "1s"});
        let rules = support::root().join(FOLDER);
        config["rule_files"] = json!([rules.join("rules.yaml"), rules.join("alerts.yaml")]);
        let target = &mut config["scrape_configs"][0]["static_configs"][0]["targets"];
        *target = json!([envoy.admin_address().to_string()]);
        let mut command = Command::new(binary);
        command
            .arg(format!("--config.file={}", folder.file("prometheus.yml", config.to_string())))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"));
        let ready = async || answers(address, "/-/ready").await;
        Self { address, _daemon: Daemon::start(command, folder, ready).await }
    }

    /// The samples of an instant query.
    async fn query(&self, expression: &str) -> Vec<Value> {
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let request = Request::get(format!("/api/v1/query?query={encoded}"));
        let answer = client::send(self.address, &request).await.json();
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        answer["data"]["result"].as_array().unwrap().clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_the_dashboard_and_every_rule_returns_data() {
    let Some(fixture) = Fixture::answering("ES256", |_| Reply::new(200, "")).await else { return };
    let Some(prometheus) = program("prometheus") else {
        return absent("Prometheus is absent: install the package prometheus");
    };
    fixture.upstream.record(false);
    let idp = fixture.idp(Scheme::Http);
    let sample = Sample::load(fixture.upstream.address()).cluster("idp", idp.address());
    let config = config(&sample, &idp);
    let envoy = fixture.proxy().start_file(&sample.plugin(&config).text()).await;
    let prometheus = Prometheus::start(&prometheus, &envoy).await;
    // The refused share and the rates need a few scrapes under load.
    for _ in 0..24 {
        load(&envoy, &fixture.signer).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let dashboard = std::fs::read_to_string(support::root().join(FOLDER).join("dashboard.json"));
    let dashboard: Value = serde_json::from_str(&dashboard.unwrap()).unwrap();
    let targets = dashboard["panels"].as_array().unwrap().iter().flat_map(|panel| {
        panel["targets"].as_array().unwrap().iter().map(|target| target["expr"].as_str().unwrap())
    });
    let mut asked = 0;
    for expression in targets {
        let expression = expression.replace("$__rate_interval", "8s").replace("$rule", ".*");
        let data = prometheus.query(&expression).await;
        let number = |sample: &Value| sample["value"][1].as_str().unwrap().parse::<f64>();
        assert!(!data.is_empty(), "no data: {expression}");
        assert!(data.iter().all(|s| number(s).unwrap().is_finite()), "{expression}: {data:?}");
        asked += 1;
    }
    assert!(asked >= 14, "{asked}");
    let variables = prometheus.query("count by (rule) (tollgate_requests)").await;
    assert!(variables.len() >= 3, "{variables:?}");

    let rules = support::sample::read("envoy/prometheus/rules.yaml");
    for rule in rules["groups"][0]["rules"].as_array().unwrap() {
        let record = rule["record"].as_str().unwrap();
        // No fetch fails here, so that its expression has no samples.
        let data = prometheus.query(record).await;
        assert!(!data.is_empty() || record.contains("failures"), "{record}");
    }
    // Only a real Prometheus with all of Envoy's series notices that two of them become one.
    let rules = client::send(prometheus.address, &Request::get("/api/v1/rules")).await.json();
    let groups = rules["data"]["groups"].as_array().unwrap().iter();
    let rules: Vec<_> = groups.flat_map(|group| group["rules"].as_array().unwrap()).collect();
    assert!(rules.len() >= 19, "{rules:?}");
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{}: {}", rule["name"], rule["lastError"]);
    }
    // The load is refused for several reasons, so that alerts are pending by now.
    let alerts = prometheus.query("ALERTS").await;
    assert!(
        alerts.iter().any(|a| a["metric"]["alertname"] == "TollgateDryRunDenials"),
        "{alerts:?}"
    );
}

/// The sample's, with a rule of each kind and a remote provider.
fn config(sample: &Sample, idp: &Idp) -> Value {
    let mut config = sample.plugin_config();
    config["rules"] = json!([
        {"name": "health", "match": {"paths": ["/"]}, "auth": "none"},
        {"name": "trial", "match": {"paths": ["/trial"]}, "dry_run": true},
        {"name": "score", "match": {"paths": ["/score"]}, "limits": ["per-caller", "words"]},
    ]);
    config["limits"] = json!([
        {"name": "per-caller", "rate": "5/s", "burst": 5},
        {"name": "words", "rate": "1000/s", "charge": "response",
         "response_cost": {"json": "/usage/total_tokens"}},
    ]);
    let remote = json!({
        "name": "remote",
        "issuers": [idp.url("")],
        "audiences": ["api://scoring"],
        "keys": {"remote": {
            "uri": idp.url(idp::JWKS), "cluster": "idp", "refresh_interval": "1s",
        }},
    });
    config["providers"].as_array_mut().unwrap().push(remote);
    config
}

/// Some requests of each kind.
async fn load(envoy: &Envoy, signer: &Signer) {
    let token = signer.sign(&claims_with("alice", json!({"jti": mint::now().to_string()})));
    let score = || Request::post("/score", "{}");
    let forged = Signer::new("ES256", "key-1").sign(&mint::claims("mallory"));
    let mut requests =
        vec![Request::get("/"), score(), Request::get("/trial"), score().bearer(forged)];
    requests.extend(vec![score().bearer(token); 10]);
    client::send_spread(envoy.address(), 4, requests).await;
}
