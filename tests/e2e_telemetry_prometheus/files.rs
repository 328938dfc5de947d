//! The rules, their tests and the runbook agree.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use support::skip::{absent, program};

use crate::{FOLDER, dashboard, read};

/// The alerts as they are in their file.
pub fn alerts() -> Vec<Value> {
    let alerts = support::sample::read("envoy/prometheus/alerts.yaml");
    alerts["groups"][0]["rules"].as_array().unwrap().clone()
}

fn name(alert: &Value) -> &str {
    alert["alert"].as_str().unwrap()
}

/// The names of all alerts.
pub fn names() -> BTreeSet<String> {
    alerts().iter().map(|alert| name(alert).to_owned()).collect()
}

/// Where the repository shows the runbook.
pub fn runbook_url() -> String {
    let manifest = read("Cargo.toml");
    let repository =
        manifest.lines().find_map(|line| line.strip_prefix("repository = \"")).unwrap();
    format!("{}/blob/main/docs/runbook.md", repository.trim_end_matches('"'))
}

/// The headings of the third level between two of the second.
fn sections(heading: &str) -> BTreeSet<String> {
    let runbook = read("docs/runbook.md");
    let (_, part) = runbook.split_once(&format!("\n## {heading}\n")).unwrap();
    let part = part.split_once("\n## ").map_or(part, |(part, _)| part);
    part.lines().filter_map(|line| line.strip_prefix("### ")).map(str::to_owned).collect()
}

/// The anchors of the runbook.
pub fn anchors() -> BTreeSet<String> {
    let runbook = read("docs/runbook.md");
    let headings = runbook.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    headings.map(anchor).collect()
}

#[test]
fn rules_and_alerts_are_valid_and_fire_when_they_should() {
    let Some(promtool) = program("promtool") else {
        return absent("promtool is absent: install the package prometheus");
    };
    for arguments in [
        &["check", "rules", "rules.yaml", "alerts.yaml"][..],
        &["check", "config", "prometheus.yml"],
        &["test", "rules", "alerts_test.yaml"],
    ] {
        let directory = support::root().join(FOLDER);
        let output = Command::new(&promtool).args(arguments).current_dir(directory).output();
        let output = output.unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{arguments:?}:\n{text}");
    }
}

#[test]
fn every_alert_is_seen_to_fire_and_to_be_silent() {
    let tests = support::sample::read("envoy/prometheus/alerts_test.yaml");
    let steps: Vec<_> = tests["tests"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|test| test["alert_rule_test"].as_array().into_iter().flatten())
        .collect();
    for alert in alerts() {
        let of_alert = |step: &&&Value| step["alertname"] == alert["alert"];
        let fired: Vec<_> =
            steps.iter().filter(of_alert).map(|step| step["exp_alerts"].is_array()).collect();
        assert!(fired.contains(&true), "{}: no test in which it fires", name(&alert));
        assert!(fired.contains(&false), "{}: no test in which it is silent", name(&alert));
    }
}

#[test]
fn every_alert_has_its_section_in_the_runbook_and_every_section_its_alert() {
    assert_eq!(names(), sections("By alert"));
    for alert in alerts() {
        let url = format!("{}#{}", runbook_url(), name(&alert).to_lowercase());
        assert_eq!(alert["annotations"]["runbook_url"], url);
        let severity = alert["labels"]["severity"].as_str().unwrap();
        assert!(["critical", "warning", "info"].contains(&severity), "{severity}");
    }
}

/// The rows of the runbook with the status 401.
#[test]
fn the_rules_of_failed_authentications_have_every_reason_that_is_one() {
    let runbook = read("docs/runbook.md");
    let rows = runbook.lines().filter(|line| line.starts_with("| 401 |"));
    let reasons = rows.flat_map(|row| row.split("[`").skip(1));
    let expected: BTreeSet<_> = reasons.map(|rest| rest.split('`').next().unwrap()).collect();
    let rules = support::sample::read(&format!("{FOLDER}/rules.yaml"));
    let rules = rules["groups"][0]["rules"].as_array().unwrap();
    for record in ["tollgate:auth_failures:rate5m", "tollgate:auth_failures:rate6h"] {
        let rule = rules.iter().find(|rule| rule["record"] == record).unwrap();
        let (_, list) = rule["expr"].as_str().unwrap().split_once("reason=~\"").unwrap();
        let found: BTreeSet<_> = list.split('"').next().unwrap().split('|').collect();
        assert_eq!(found, expected, "{record}");
    }
}

#[test]
fn every_alert_names_its_proxy() {
    for alert in alerts().iter().filter(|alert| name(alert) != "TollgateNoProxies") {
        let (rule, summary) = (&alert["expr"], &alert["annotations"]["summary"]);
        let (rule, summary) = (rule.as_str().unwrap(), summary.as_str().unwrap());
        assert!(summary.contains("{{ $labels.instance }}"), "{}: {summary}", name(alert));
        assert!(!rule.contains("sum(") && !rule.contains("by ("), "{}: {rule}", name(alert));
    }
}

#[test]
fn every_reason_and_every_metric_has_a_section_in_the_runbook() {
    let reasons: BTreeSet<_> =
        tollgate::reason::Reason::ALL.iter().map(|reason| reason.as_str().to_owned()).collect();
    assert_eq!(reasons, sections("By reason"));
    let (dashboard, metrics) = (dashboard::load(), sections("By metric"));
    for metric in &metrics {
        let names = [format!("{metric}{{"), format!("{metric}_bucket{{")];
        let asks = |query: &str| names.iter().any(|name| query.contains(name));
        let shown = dashboard::panels(&dashboard).any(|p| dashboard::queries(p).any(asks));
        assert!(shown, "{metric}: not on the dashboard");
    }
    assert_eq!(metrics.len(), 17, "the metrics of the contract");
}
