//! The probe of a proxy by a real blackbox exporter, and its alert.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use support::alerts::hurried;
use support::daemon::{Daemon, answers};
use support::example::{Example, Folder};
use support::ports::free_address;
use support::prelude::*;
use support::skip::{absent, program};

use crate::prometheus::Prometheus;
use crate::{FOLDER, read};

#[tokio::test(flavor = "multi_thread")]
async fn the_alert_fires_for_each_address_where_the_filter_is_missing_and_for_no_other() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let Some(prometheus) = program("prometheus") else {
        return absent("Prometheus is absent: install the package prometheus");
    };
    let Some(exporter) = program("prometheus-blackbox-exporter") else {
        return absent("the exporter is absent: install the package prometheus-blackbox-exporter");
    };
    let minimal =
        || Example::load("envoy/minimal.yaml").cluster("upstream", fixture.upstream.address());
    let file = async |example: Example| fixture.proxy().start_file(&example.text()).await;
    let enforced = file(minimal()).await;
    let open = file(minimal().without_module("FAIL_OPEN")).await;
    let closed = file(minimal().without_module("FAIL_RELOAD")).await;
    let bare = fixture.proxy().start().await;
    let challenge = |_: &Recorded| Reply::new(401, "").header("www-authenticate", "Bearer");
    let other = Upstream::answering(challenge).await;
    let url = |address| format!("http://{address}/score");
    let missing = [open.address(), closed.address(), bare.address(), other.address()].map(url);
    let missing: BTreeSet<_> = missing.into();
    let enforced = url(enforced.address());

    let address = free_address();
    let mut command = Command::new(exporter);
    let config = support::root().join(FOLDER).join("blackbox.yml");
    command.arg(format!("--config.file={}", config.display()));
    command.arg(format!("--web.listen-address={address}"));
    let ready = async || answers(address, "/-/healthy").await;
    let _exporter = Daemon::start(command, Folder::new(), ready).await;

    let rules = hurried();
    let all: Vec<_> = missing.iter().chain([&enforced]).map(String::as_str).collect();
    let prometheus = Prometheus::probing(&prometheus, address, &all, rules.path()).await;
    let instances = async |query: &str| -> BTreeSet<String> {
        let samples = prometheus.query(query).await;
        let name = |sample: &Value| sample["metric"]["instance"].as_str().unwrap().to_owned();
        samples.iter().map(name).collect()
    };
    const FIRING: &str = r#"ALERTS{alertname="TollgateNotEnforced", alertstate="firing"}"#;
    let fired = async || (instances(FIRING).await == missing).then_some(());
    let fired = support::poll(Duration::from_secs(60), fired).await;
    assert!(fired.is_some(), "{missing:?}: {:?}", instances("probe_success").await);
    let success = instances(r#"probe_success{job="tollgate-probe"} == 1"#).await;
    assert_eq!(success, BTreeSet::from([enforced]));
}

#[test]
fn the_job_the_operators_probe_and_the_alert_name_the_same_module_and_job() {
    let plain = support::sample::read(&format!("{FOLDER}/prometheus.yml"));
    let job = &plain["scrape_configs"][1];
    let probe = support::sample::read(&format!("{FOLDER}/kubernetes/probe.yaml"));
    let modules = support::sample::read(&format!("{FOLDER}/blackbox.yml"));
    assert_eq!(probe["spec"]["jobName"], job["job_name"]);
    assert_eq!(probe["spec"]["module"], job["params"]["module"][0]);
    let module = job["params"]["module"][0].as_str().unwrap();
    assert!(modules["modules"][module].is_object());
    let selected = format!("probe_success{{job={}}}", job["job_name"]);
    assert!(read(&format!("{FOLDER}/alerts.yaml")).contains(&selected), "{selected}");
}
