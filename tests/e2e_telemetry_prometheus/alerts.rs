//! Each alert in a real Prometheus, for the one proxy that has its fault.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use support::alerts::hurried;
use support::example::Folder;
use support::graft::{self, Fault};
use support::prelude::*;
use support::sample::Sample;
use support::skip::{absent, program};
use support::tls::Authority;

use crate::busy::Busy;
use crate::files::names;
use crate::prometheus::{Prometheus, instance};

const NO_PROXIES: &str = r#"ALERTS{alertname="TollgateNoProxies", alertstate="firing"}"#;

/// `envoy/envoy.yaml` with eight buckets, a module that dies of trailers, and a listener that can be
/// replaced.
struct Fragile {
    envoy: Envoy,
    folder: Folder,
    /// The listener, until the refused one took its place.
    listener: Option<Value>,
}

impl Fragile {
    async fn start(fixture: &Fixture) -> Self {
        let folder = Folder::new();
        let module = folder.path().join("fatal.wasm");
        graft::module(Fault::TrapForGood, &module);
        let sample = Sample::load(fixture.upstream.address());
        let mut config = sample.plugin_config();
        config["store"] = json!({"max_identities": 8});
        config["rules"] = every_path();
        config["limits"] = json!([{"name": "per-caller", "rate": "1/m", "burst": 5}]);
        let mut bootstrap: Value = serde_json::from_str(&sample.plugin(&config).text()).unwrap();
        let mut listener = bootstrap["static_resources"]["listeners"].take()[0].take();
        listener["@type"] = json!("type.googleapis.com/envoy.config.listener.v3.Listener");
        let hcm = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
        hcm["http_protocol_options"]["enable_trailers"] = json!(true);
        wasm(&mut listener)["vm_config"]["code"]["local"]["filename"] = json!(module);
        bootstrap["static_resources"].as_object_mut().unwrap().remove("listeners");
        bootstrap["dynamic_resources"]["lds_config"] = json!({
            "resource_api_version": "V3",
            "path_config_source": {
                "path": folder.path().join("lds.json"),
                "watched_directory": {"path": folder.path()},
            },
        });
        bootstrap["node"] = json!({"id": "fragile", "cluster": "fragile"});
        folder.file("lds.json", json!({"resources": [listener]}).to_string());
        // The mark of an Envoy whose VM may die; the listener names the module.
        let builder = fixture.proxy().workers(1).fault(|_: &Path| ());
        let envoy = builder.start_file(&bootstrap.to_string()).await;
        Self { envoy, folder, listener: Some(listener) }
    }

    /// More callers than buckets, none of which is full again.
    async fn evict(&self, fixture: &Fixture) {
        for number in 0..24 {
            let _ = self.envoy.send(&fixture.get("/", &format!("caller-{number}"))).await;
        }
    }

    /// Pushes, once, a listener whose configuration the filter refuses.
    fn refuse(&mut self) {
        let Some(mut listener) = self.listener.take() else { return };
        wasm(&mut listener)["configuration"]["value"] = json!("{}");
        let text = json!({"resources": [listener]}).to_string();
        let new = self.folder.file("new.json", text);
        std::fs::rename(new, self.folder.path().join("lds.json")).unwrap();
    }

    /// One request kills the VM; the next one finds none.
    async fn die(&self, fixture: &Fixture) {
        let head = Request::new("POST", "/").header("transfer-encoding", "chunked");
        let head = head.bearer(fixture.token("alice")).to_bytes();
        let request = [&head, &b"0\r\nx-last: 1\r\n\r\n"[..]].concat();
        let _ = Connection::open(self.envoy.address()).await.try_send(&request).await;
        let _ = client::try_send(self.envoy.address(), &Request::get("/")).await;
    }
}

fn wasm(listener: &mut Value) -> &mut Value {
    let hcm = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
    &mut hcm["http_filters"][0]["typed_config"]["config"]
}

/// A rule for every path; the tags of the file need one that names an endpoint.
fn every_path() -> Value {
    let paths = ["/{endpoint}/score", "/**"];
    json!([{"name": "all", "match": {"paths": paths}, "limits": ["per-caller"]}])
}

/// `envoy/envoy.yaml` with two workers that write slowly to the same bucket.
async fn contended(fixture: &Fixture, folder: &Folder) -> Envoy {
    let module = folder.path().join("slow.wasm");
    graft::slow_writes(&module);
    let mut sample = Sample::load(fixture.upstream.address());
    let mut config = sample.plugin_config();
    config["rules"] = every_path();
    config["limits"] = json!([{"name": "per-caller", "rate": "10000/s", "burst": 10000}]);
    let listener = sample.at("/static_resources/listeners/0");
    wasm(listener)["vm_config"]["code"]["local"]["filename"] = json!(module);
    fixture.proxy().start_file(&sample.plugin(&config).text()).await
}

/// Without the filter; its certificate ends tomorrow and is in a file that Envoy reads again.
async fn bare(fixture: &Fixture, folder: &Folder) -> Envoy {
    let (certificate, key) = Authority::new().expiring_pem();
    let file = folder.file("serving.pem", certificate + &key);
    let secret = json!({"resources": [{
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
        "name": "serving",
        "tls_certificate": {
            "certificate_chain": {"filename": file}, "private_key": {"filename": file},
            "watched_directory": {"path": folder.path()},
        },
    }]});
    let path = folder.file("serving.json", secret.to_string());
    let socket = json!({"name": "envoy.transport_sockets.tls", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": {"tls_certificate_sds_secret_configs": [{
            "name": "serving", "sds_config": {"path_config_source": {"path": path}},
        }]},
    }});
    fixture.proxy().transport_socket(socket).start().await
}

/// Puts a file that is no certificate in the place of the certificate; each one differs.
fn break_certificate(folder: &Folder, start: Instant) {
    let new = folder.file("new.pem", format!("{:?}", start.elapsed()));
    std::fs::rename(new, folder.path().join("serving.pem")).unwrap();
}

/// Adds the firing alerts, each with its proxies.
async fn fired(prometheus: &Prometheus, seen: &mut BTreeMap<String, BTreeSet<String>>) {
    for alert in prometheus.query(r#"ALERTS{alertstate="firing"}"#).await {
        let label = |name: &str| alert["metric"][name].as_str().unwrap_or_default().to_owned();
        assert!(label("instance").is_empty() || label("namespace") == "models", "{alert}");
        seen.entry(label("alertname")).or_default().insert(label("instance"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_alert_fires_for_the_proxy_that_has_the_fault_and_for_no_other() {
    let Some(fixture) = Fixture::answering("ES256", |_| Reply::new(200, "")).await else { return };
    let Some(binary) = program("prometheus") else {
        return absent("Prometheus is absent: install the package prometheus");
    };
    fixture.upstream.record(false);
    let busy = Busy::start(&fixture).await;
    let mut fragile = Fragile::start(&fixture).await;
    let folder = Folder::new();
    let (contended, bare) = (contended(&fixture, &folder).await, bare(&fixture, &folder).await);
    let rules = hurried();
    let all = [&busy.envoy, &bare, &fragile.envoy, &contended];
    let prometheus = Prometheus::start(&binary, &all, rules.path()).await;
    let without = Prometheus::start(&binary, &[&bare], rules.path()).await;
    let expected: BTreeMap<_, _> = [
        ("TollgateMetricsAbsent", &bare),
        ("TollgateForgedTokens", &busy.envoy),
        ("TollgateAuthFailuresRising", &busy.envoy),
        ("TollgateDenialRatioHigh", &busy.envoy),
        ("TollgateLimitedRatioHigh", &busy.envoy),
        ("TollgateOwnFault", &busy.envoy),
        ("TollgateNoKeys", &busy.envoy),
        ("TollgateKeysStale", &busy.envoy),
        ("TollgateKeyFetchFailing", &busy.envoy),
        ("TollgateDryRunDenials", &busy.envoy),
        ("TollgateUsageMissing", &busy.envoy),
        ("TollgateStoreEvictions", &fragile.envoy),
        ("TollgateConfigRefused", &fragile.envoy),
        ("TollgateStoreRetries", &contended),
        ("TollgateVmReloaded", &fragile.envoy),
        ("TollgateSecretRefused", &bare),
        ("TollgateCertificateExpiring", &bare),
    ]
    .map(|(alert, envoy)| (alert.to_owned(), BTreeSet::from([instance(envoy)])))
    .into();
    // One of the others fires in `probe`, one here at the end.
    let others = ["TollgateNotEnforced", "TollgateNoProxies"].map(str::to_owned);
    let made_to_fire: BTreeSet<_> = expected.keys().cloned().chain(others).collect();
    assert_eq!(made_to_fire, names());
    // Before the first scrape, no proxy has metrics.
    let scraped = async || {
        let known = prometheus.query("tollgate_build_info").await.len() == 3;
        (known && prometheus.query(NO_PROXIES).await.is_empty()).then_some(())
    };
    assert!(support::eventually(scraped).await.is_some(), "no scrape");
    let (start, mut seen) = (Instant::now(), BTreeMap::new());
    while seen != expected && start.elapsed() < Duration::from_secs(120) {
        busy.load().await;
        let one_caller = vec![fixture.get("/", "alice"); 40];
        client::send_spread(contended.address(), 8, one_caller).await;
        if !seen.contains_key("TollgateStoreEvictions") {
            fragile.evict(&fixture).await;
        } else if !seen.contains_key("TollgateConfigRefused") {
            fragile.refuse();
        } else {
            fragile.die(&fixture).await;
        }
        break_certificate(&folder, start);
        if start.elapsed() > Duration::from_secs(5) {
            busy.lost.down().await;
        }
        fired(&prometheus, &mut seen).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(seen, expected);
    prometheus.evaluates_every_rule().await;

    assert_eq!(without.query(NO_PROXIES).await.len(), 1);
}
