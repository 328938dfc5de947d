//! The dashboard: its queries, its thresholds and its links.

use std::process::Command;

use serde_json::Value;
use support::skip::absent;

use crate::files::{anchors, runbook_url};
use crate::{FOLDER, read};

/// The labels that a metric has, of those with a variable.
const VARIABLES: [(&str, &[&str]); 11] = [
    ("tollgate_requests", &["rule", "provider"]),
    ("tollgate_jwks_fetch", &["provider"]),
    ("tollgate_jwks_keys", &["provider"]),
    ("tollgate_jwks_age_seconds", &["provider"]),
    ("tollgate_limit", &["limit"]),
    ("tollgate_usage", &["limit"]),
    ("tollgate_usage_tokens", &["limit"]),
    ("tollgate_request_bytes_bucket", &["rule"]),
    ("tollgate_response_bytes_bucket", &["rule"]),
    ("tollgate_rows_bucket", &["rule"]),
    ("tollgate_upstream_ms_bucket", &["rule"]),
];

pub fn load() -> Value {
    serde_json::from_str(&read(&format!("{FOLDER}/dashboard.json"))).unwrap()
}

/// The panels without the rows.
pub fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row")
}

/// The queries of a panel.
pub fn queries(panel: &Value) -> impl Iterator<Item = &str> {
    panel["targets"].as_array().unwrap().iter().map(|target| target["expr"].as_str().unwrap())
}

fn ends_name(c: char) -> bool {
    !(c.is_alphanumeric() || c == '_')
}

/// The metrics of a query, each with its labels.
fn selectors(query: &str) -> Vec<(&str, &str)> {
    let pieces: Vec<_> = query.split('{').collect();
    let ends = pieces.windows(2).map(|pair| (pair[0], pair[1].split_once('}').unwrap().0));
    ends.map(|(before, labels)| (before.rsplit(ends_name).next().unwrap(), labels)).collect()
}

#[test]
fn every_query_uses_the_variables_of_its_labels() {
    for panel in panels(&load()) {
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        for query in queries(panel) {
            let selectors = selectors(query);
            let metric = |name: &&str| name.starts_with("tollgate_") || name.starts_with("envoy_");
            let metrics = query.split(ends_name).filter(metric).count();
            assert!(selectors.len() >= metrics, "a metric without labels: {query}");
            for (metric, labels) in selectors {
                let of_metric = VARIABLES.iter().find(|(name, _)| *name == metric);
                let of_metric = of_metric.map_or(&[][..], |(_, labels)| labels);
                for label in ["namespace", "instance"].iter().chain(of_metric) {
                    let matcher = format!("{label}=~\"${label}\"");
                    assert!(labels.contains(&matcher), "{matcher} for {metric}: {query}");
                }
            }
        }
    }
}

#[test]
fn every_panel_explains_itself_and_leads_to_a_section_of_the_runbook() {
    let dashboard = load();
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let runbook = variables.iter().find(|variable| variable["name"] == "runbook").unwrap();
    assert_eq!(runbook["query"], runbook_url());
    assert_eq!(dashboard["links"][0]["url"], "${runbook}");
    let anchors = anchors();
    for panel in panels(&dashboard) {
        let title = panel["title"].as_str().unwrap();
        assert!(panel["description"].as_str().unwrap().ends_with('.'), "{title}");
        let link = panel["links"][0]["url"].as_str().unwrap();
        let anchor = link.strip_prefix("${runbook}#").unwrap();
        assert!(anchors.contains(anchor), "{title}: {anchor}");
        let steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"].as_array().unwrap();
        assert!(steps[0]["value"].is_null(), "{title}: a color for each value");
    }
    // The column of the reasons: each reason is an anchor, as `files` shows.
    let reasons = panels(&dashboard).find(|panel| panel["title"] == "Reasons").unwrap();
    assert_eq!(reasons["type"], "table");
    let column = &reasons["fieldConfig"]["overrides"][0];
    assert_eq!(column["matcher"]["options"], "Reason");
    assert_eq!(column["properties"][0]["value"][0]["url"], "${runbook}#${__value.raw}");
}

#[test]
fn the_lines_of_the_dashboard_are_the_thresholds_of_the_alerts() {
    let dashboard = load();
    let alerts = crate::files::alerts();
    for (panel, alert, text, value) in [
        ("Refused share", "TollgateDenialRatioHigh", "> 0.1\n", 0.1),
        ("Refused share by reason", "TollgateDenialRatioHigh", "> 0.1\n", 0.1),
        ("Over a limit, share by rule", "TollgateLimitedRatioHigh", "> 0.3\n", 0.3),
        ("Replies without a number, share by limit", "TollgateUsageMissing", "> 0.1\n", 0.1),
        ("Tokens without a valid signature", "TollgateForgedTokens", "> 1\n", 1.0),
        ("Oldest keys", "TollgateKeysStale", "> 3 * 3600", 10800.0),
        ("Age of the keys", "TollgateKeysStale", "> 3 * 3600", 10800.0),
        ("VM reloads", "TollgateVmReloaded", "> 0\n", 1.0),
        ("Proxies without the filter", "TollgateMetricsAbsent", "unless", 1.0),
    ] {
        let alert = alerts.iter().find(|rule| rule["alert"] == alert).unwrap();
        assert!(alert["expr"].as_str().unwrap().contains(text), "{panel}: {}", alert["expr"]);
        let panel = panels(&dashboard).find(|found| found["title"] == panel).unwrap();
        let steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"].as_array().unwrap();
        let has = steps.iter().any(|step| step["value"].as_f64() == Some(value));
        assert!(has, "{}: {steps:?}", panel["title"]);
    }
}

#[test]
fn grafanas_own_types_know_every_member_of_the_dashboard() {
    let python = support::root().join("target/grafana/bin/python3");
    if !python.is_file() {
        return absent("Grafana's types are absent: run scripts/install/servers");
    }
    let output = Command::new(python)
        .args(["tests/data/monitoring/grafana/members.py", "envoy/prometheus/dashboard.json"])
        .current_dir(support::root())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && text.is_empty(), "{text}");
}
