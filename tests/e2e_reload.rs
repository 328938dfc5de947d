//! A VM that dies, in a real Envoy: `FAIL_RELOAD` replaces it while requests are under way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;
use std::time::{Duration, Instant};

use support::example::Folder;
use support::graft::{self, Fault};
use support::prelude::*;

/// An Envoy with one worker, so with one VM for requests, in whose module trailers are fatal.
async fn start(fixture: &Fixture, fault: Fault) -> Envoy {
    fixture
        .envoy(json!({"rules": [{"name": "all"}]}))
        .workers(1)
        .fault(move |path| graft::module(fault, path))
        .hcm(json!({"http_protocol_options": {"enable_trailers": true}}))
        .start()
        .await
}

fn with_trailers(token: &str) -> Vec<u8> {
    let head = Request::new("POST", "/").header("transfer-encoding", "chunked").bearer(token);
    [&head.to_bytes(), &b"0\r\nx-last: 1\r\n\r\n"[..]].concat()
}

async fn reloads(envoy: &Envoy) -> u64 {
    envoy.stats("vm_reload_success").await.values().sum()
}

/// Sends until a request passes; how long that took.
async fn until_served(envoy: &Envoy, token: &str) -> Duration {
    let began = Instant::now();
    let served = async || {
        let response = client::try_send(envoy.address(), &Request::get("/").bearer(token)).await;
        response.is_ok_and(|response| response.status == 200).then_some(())
    };
    assert!(support::eventually(served).await.is_some(), "no VM came back");
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_under_way_when_a_vm_dies_end_and_the_next_one_is_served() {
    let answer = |request: &Recorded| {
        let delay = if request.path == "/slow" { 700 } else { 0 };
        Reply { delay: Duration::from_millis(delay), ..Reply::new(200, "") }
    };
    let Some(fixture) = Fixture::answering("HS256", answer).await else { return };
    let envoy = start(&fixture, Fault::Trap).await;
    let token = fixture.token("alice");
    for death in 1..=3 {
        fixture.upstream.clear();
        let under_way: Vec<_> = (0..8)
            .map(|_| {
                let request = Request::get("/slow").bearer(&token);
                let address = envoy.address();
                tokio::spawn(async move { client::try_send(address, &request).await })
            })
            .collect();
        fixture.upstream.arrived(8).await;
        let began = Instant::now();
        let died = Connection::open(envoy.address()).await.try_send(&with_trailers(&token)).await;
        assert!(died.as_ref().is_ok_and(|response| response.status >= 500), "{died:?}");
        let took = until_served(&envoy, &token).await;
        for request in under_way {
            request.await.unwrap().expect("an answer, of the upstream's or of Envoy's");
        }
        println!("served again after {took:.0?}; all had ended after {:.0?}", began.elapsed());
        assert_eq!(reloads(&envoy).await, death);
    }
    // No token, no way through, in the new VM as in the old one.
    assert_eq!(envoy.send(&Request::get("/")).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vm_whose_memory_is_full_is_replaced_without_a_restart() {
    let Some(fixture) = Fixture::new("HS256").await else { return };
    let envoy = start(&fixture, Fault::Memory).await;
    let token = fixture.token("alice");
    let filled = Connection::open(envoy.address()).await.try_send(&with_trailers(&token)).await;
    println!("the request that fills it: {:?}", filled.map(|response| response.status));
    // The next large requests use up the free part of the module's heap; the one that finds no room
    // kills the VM.
    let large = Request::get("/").bearer(&token).header("x-large", "x".repeat(50_000));
    let dead = async || {
        let _ = client::try_send(envoy.address(), &large).await;
        (envoy.vm_failures().await > 0).then_some(())
    };
    assert!(support::eventually(dead).await.is_some(), "it still lives");
    let took = until_served(&envoy, &token).await;
    println!("served again after {took:.0?}");
    assert_eq!(envoy.send(&Request::get("/")).await.status, 401);
}

/// The counters of the alert, by their names in Envoy's own exposition.
fn alerted() -> Vec<String> {
    let alerts = support::sample::read("envoy/prometheus/alerts.yaml");
    let rules = alerts["groups"][0]["rules"].as_array().unwrap();
    let rule = rules.iter().find(|rule| rule["alert"] == "TollgateVmReloaded").unwrap();
    let (_, words) = rule["expr"].as_str().unwrap().split_once("vm_reload_(").unwrap();
    let (words, _) = words.split_once(')').unwrap();
    words.split('|').map(|word| format!("envoy_wasm_tollgate_vm_reload_{word}")).collect()
}

/// The counters of reloads as Prometheus reads them.
async fn exposed(envoy: &Envoy) -> std::collections::BTreeMap<String, u64> {
    let path = "/stats/prometheus?filter=vm_reload_";
    let response = client::send(envoy.admin_address(), &Request::get(path)).await;
    let text = String::from_utf8(response.body).unwrap();
    let samples = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let sample = |line: &str| {
        let (name, value) = line.split_once("{} ").or_else(|| line.split_once(' ')).unwrap();
        (name.to_owned(), value.parse().unwrap())
    };
    samples.map(sample).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_alert_asks_for_every_counter_that_moves_when_a_vm_dies_and_is_not_replaced() {
    let Some(fixture) = Fixture::new("HS256").await else { return };
    let envoy = start(&fixture, Fault::TrapForGood).await;
    let mut alerted = alerted();
    alerted.sort();
    assert_eq!(exposed(&envoy).await.into_keys().collect::<Vec<_>>(), alerted);
    let token = fixture.token("alice");
    let _ = Connection::open(envoy.address()).await.try_send(&with_trailers(&token)).await;
    let good = Request::get("/").bearer(&token);
    let failed = async || {
        let response = client::try_send(envoy.address(), &good).await;
        assert!(response.is_ok_and(|response| response.status >= 500), "no VM, no way through");
        let counters = exposed(&envoy).await;
        let moved = |word: &str| counters[&format!("envoy_wasm_tollgate_vm_reload_{word}")] > 0;
        (moved("failure") && moved("backoff") && !moved("success")).then_some(())
    };
    assert!(support::eventually(failed).await.is_some(), "nothing is counted");
}

/// Where a VM takes its module from, and its own configuration.
type Vm = fn(&Path, &str) -> Value;

/// The whole filter, with a realm by which a test knows the configuration in effect.
fn filter(vm: Value, config: Value) -> Value {
    let vm = merged(json!({"vm_id": "tollgate", "runtime": "envoy.wasm.runtime.v8"}), vm);
    json!({"name": "envoy.filters.http.wasm", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        "config": {"name": "tollgate", "vm_config": vm, "configuration": text(&config.to_string())},
    }})
}

fn text(value: &str) -> Value {
    json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": value})
}

fn remote(module: &Path, digest: &str) -> Value {
    let uri = format!("http://code/{}", module.file_name().unwrap().to_str().unwrap());
    let uri = json!({"uri": uri, "cluster": "upstream", "timeout": "10s"});
    json!({"code": {"remote": {"http_uri": uri, "sha256": digest}}})
}

/// Trailers are fatal to the second module: so the test knows which code runs. Envoy finds a VM by its
/// `vm_id`, its configuration and its code, but looks before it has fetched `code.remote`
/// (docs/upgrading.md).
#[tokio::test(flavor = "multi_thread")]
async fn another_module_runs_after_its_push_unless_it_is_fetched_without_a_mark() {
    let local: Vm = |module, _| json!({"code": {"local": {"filename": module}}});
    let marked: Vm =
        |module, digest| merged(remote(module, digest), json!({"configuration": text(digest)}));
    for (name, vm, after_push) in
        [("local", local, 503), ("remote", remote, 200), ("remote, marked", marked, 503)]
    {
        let folder = Folder::new();
        let release = |name: &str| folder.path().join(name);
        std::fs::copy(support::module(), release("one.wasm")).unwrap();
        graft::module(Fault::Trap, &release("two.wasm"));
        let served = release("");
        let answer = move |request: &Recorded| match request.path.ends_with(".wasm") {
            true => Reply::new(200, std::fs::read(served.join(&request.path[1..])).unwrap()),
            false => Reply::new(200, ""),
        };
        let Some(fixture) = Fixture::answering("HS256", answer).await else { return };
        let filter = |module: &str, realm: &str| {
            let module = release(module);
            let digest = hmac_sha256::Hash::hash(&std::fs::read(&module).unwrap());
            let digest = base16ct::lower::encode_string(&digest);
            let sections = json!({"rules": [{"name": "all"}], "responses": {"realm": realm}});
            filter(vm(&module, &digest), fixture.config(sections))
        };
        let mut envoy = fixture
            .proxy()
            // The death of a VM is what the test waits for.
            .fault(|_| ())
            .hcm(json!({"http_protocol_options": {"enable_trailers": true}}))
            .filter_before(filter("one.wasm", "one"))
            .start()
            .await;
        let token = fixture.token("alice");
        let steps =
            [("one.wasm", "one", 200), ("two.wasm", "two", after_push), ("two.wasm", "three", 503)];
        for (module, realm, status) in steps {
            if realm != "one" {
                assert_eq!(envoy.reload_before(filter(module, realm)).await, Push::Accepted);
            }
            let challenge = envoy.send(&Request::get("/")).await;
            let challenge = challenge.header("www-authenticate").unwrap_or_default().to_owned();
            // A VM that has died refuses every request.
            assert!(challenge.contains(realm), "{name}, {realm}: {challenge}");
            let ask =
                Connection::open(envoy.address()).await.try_send(&with_trailers(&token)).await;
            assert_eq!(ask.unwrap().status, status, "{name}, {realm}");
        }
    }
}
