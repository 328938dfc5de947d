//! The rules, the alerts and the dashboard under `envoy/prometheus/`, by a real Prometheus that
//! scrapes a real Envoy.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod alerts;
mod busy;
mod dashboard;
mod files;
mod kubernetes;
mod probe;
mod prometheus;

use std::time::Duration;

use busy::Busy;
use prometheus::{Prometheus, instance};
use support::prelude::*;
use support::skip::{absent, program};

const FOLDER: &str = "envoy/prometheus";

fn read(path: &str) -> String {
    std::fs::read_to_string(support::root().join(path)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_the_dashboard_and_every_rule_returns_data() {
    let Some(fixture) = Fixture::answering("ES256", |_| Reply::new(200, "")).await else { return };
    let Some(prometheus) = program("prometheus") else {
        return absent("Prometheus is absent: install the package prometheus");
    };
    fixture.upstream.record(false);
    let busy = Busy::start(&fixture).await;
    let rules = support::root().join(FOLDER);
    let prometheus = Prometheus::start(&prometheus, &[&busy.envoy], &rules).await;
    // The refused share and the rates need a few scrapes under load.
    for _ in 0..24 {
        busy.load().await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let dashboard = dashboard::load();
    let instance = instance(&busy.envoy);
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        let Some(values) = variable["query"].as_str().unwrap().strip_prefix("label_values(") else {
            continue;
        };
        let (series, label) = values.trim_end_matches(')').rsplit_once(", ").unwrap();
        let series = selected(series, &instance);
        let values = prometheus.query(&format!("count by ({label}) ({series})")).await;
        let named = values.iter().any(|value| value["metric"][label].is_string());
        assert!(named, "{label}: {values:?}");
    }
    for query in dashboard::panels(&dashboard).flat_map(dashboard::queries) {
        let data = prometheus.query(&selected(query, &instance)).await;
        let number = |sample: &Value| sample["value"][1].as_str().unwrap().parse::<f64>();
        assert!(!data.is_empty(), "no data: {query}");
        assert!(data.iter().all(|s| number(s).unwrap().is_finite()), "{query}: {data:?}");
        // No query shows this proxy when another one is selected.
        let data = prometheus.query(&selected(query, "another")).await;
        assert!(data.iter().all(|s| number(s).unwrap() == 0.0), "{query}: {data:?}");
    }
    let rules = support::sample::read("envoy/prometheus/rules.yaml");
    for rule in rules["groups"][0]["rules"].as_array().unwrap() {
        let record = rule["record"].as_str().unwrap();
        assert!(!prometheus.query(record).await.is_empty(), "{record}");
    }
    prometheus.evaluates_every_rule().await;
}

/// A query as Grafana sends it: this proxy in its namespace, all rules, providers and limits.
fn selected(query: &str, instance: &str) -> String {
    let query = query.replace("$__rate_interval", "8s").replace("$__range", "1m");
    let query = query.replace("$namespace", "models").replace("$instance", instance);
    ["$rule", "$provider", "$limit"].iter().fold(query, |query, all| query.replace(all, ".*"))
}
