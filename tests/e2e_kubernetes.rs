//! The manifests under `examples/kubernetes/` at work: the ConfigMap in a real Envoy, the probes, the
//! command before the end of a pod, and the download of the init container.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use support::entra::{self, OBJECT, TENANT};
use support::eventually;
use support::example::{Example, Folder};
use support::idp::{Idp, Scheme};
use support::manifests::{Kustomize, one, text};
use support::mount::Mount;
use support::ports::free_address;
use support::prelude::*;
use support::skip::{self, absent, program};
use support::tls::Authority;

const BASE: &str = "examples/kubernetes/base";
const INIT: &str = "examples/kubernetes/overlays/init-container";
const MODULE: &str = "/etc/tollgate/module/plugin.wasm";

/// A pod: Envoy on the configuration of the ConfigMap, in front of the model.
struct Pod {
    fixture: Fixture,
    idp: Idp,
    folder: Folder,
    mount: Mount,
    authority: Authority,
    deployment: Value,
    /// The bootstrap, adapted to this machine.
    bootstrap: Value,
}

impl Pod {
    async fn new() -> Option<Self> {
        let kustomize = Kustomize::find()?;
        let slowly = |request: &Recorded| {
            let delay = Duration::from_secs(2 * u64::from(request.header("x-slowly").is_some()));
            Reply { delay, ..Reply::echo(request) }
        };
        let fixture = Fixture::answering("RS256", slowly).await?;
        let objects = kustomize.build(BASE);
        let data = &one(&objects, "ConfigMap")["data"];
        let (folder, authority) = (Folder::new(), Authority::new());
        let idp = Idp::serving(Scheme::Https, entra::keys(&fixture.signer));
        let admin = free_address();
        let mount = Mount::new(folder.path().join("tls"), &files(&authority.server_pem()));
        let secret = mount.path();
        let tls = text(data, "/tls.yaml").replace("/etc/tollgate/tls", secret.to_str().unwrap());
        let envoy = text(data, "/envoy.yaml").replace(MODULE, "dist/tollgate.wasm");
        let example = Example::parse(&envoy)
            .cluster("upstream", fixture.upstream.address())
            .cluster("entra", idp.address())
            .cluster("admin", admin)
            .with_file("/etc/tollgate/config/tls.yaml", &folder.file("tls.yaml", tls))
            .with_file("/etc/ssl/certs/ca-certificates.crt", &folder.file("ca.crt", idp.ca_pem()));
        example.validate(&fixture, &folder);
        let mut bootstrap: Value = serde_json::from_str(&example.text()).unwrap();
        bootstrap["admin"]["address"]["socket_address"]["port_value"] = json!(admin.port());
        let deployment = one(&objects, "Deployment").clone();
        Some(Self { fixture, idp, folder, mount, authority, deployment, bootstrap })
    }

    async fn start(&self) -> Envoy {
        self.fixture.proxy().start_file(&self.bootstrap.to_string()).await
    }

    fn token(&self, changes: Value) -> String {
        self.fixture.signer.sign(&entra::claims(TENANT, changes))
    }

    fn container(&self, pointer: &str) -> &str {
        text(&self.deployment, &format!("/spec/template/spec/containers/0{pointer}"))
    }
}

/// The files of a Secret of type kubernetes.io/tls.
fn files((certificate, key): &(String, String)) -> [(&str, &str); 2] {
    [("tls.crt", certificate), ("tls.key", key)]
}

/// The address of the listener `metrics`.
async fn metrics(envoy: &Envoy) -> SocketAddr {
    let text = envoy.admin_get("/listeners?format=json").await;
    let all: Value = serde_json::from_str(&text).unwrap();
    let all = all["listener_statuses"].as_array().unwrap();
    let listener = all.iter().find(|listener| listener["name"] == "metrics").unwrap();
    let port = &listener["local_address"]["socket_address"]["port_value"];
    SocketAddr::from(([127, 0, 0, 1], port.as_u64().unwrap().try_into().unwrap()))
}

fn score() -> Request {
    Request::post("/score", "{}")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_config_map_guards_the_model() {
    let Some(pod) = Pod::new().await else { return };
    let envoy = pod.start().await;
    let send = async |request: &Request| pod.authority.send(envoy.address(), None, request).await;

    let good = score().bearer(pod.token(json!({}))).header("x-auth-identity", "root");
    let response = send(&good).await;
    assert_eq!(response.status, 200, "{} {:#?}", response.reason(), envoy.filter_log());
    let identity = format!("{TENANT}/{OBJECT}");
    let seen = pod.fixture.upstream.last().unwrap();
    assert_eq!(seen.header("x-auth-identity"), Some(identity.as_str()));
    let line = envoy.access_after(0).await;
    assert_eq!((&line["Identity"], &line["Decision"]), (&json!(identity), &json!("allow")));

    let expired = pod.token(json!({"exp": mint::now() - 300}));
    for (request, status, reason) in [
        (score(), 401, "token_missing"),
        (score().bearer(expired), 401, "expired"),
        (Request::get("/admin").bearer(pod.token(json!({}))), 403, "no_rule"),
    ] {
        let response = send(&request).await;
        assert_eq!((response.status, response.reason().as_str()), (status, reason));
    }
    let mut passed = 0;
    let refused = loop {
        let response = send(&good).await;
        if response.status != 200 {
            break response;
        }
        passed += 1;
        assert!(passed < 400, "no limit");
    };
    assert_eq!((refused.status, refused.reason().as_str()), (429, "rate_limited"));
    assert!(passed >= 19, "{passed} of a burst of 20, one of which is gone");
    assert_eq!(pod.idp.fetches(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_listener_for_metrics_has_two_pages_of_admin_and_no_other() {
    let Some(pod) = Pod::new().await else { return };
    let envoy = pod.start().await;
    pod.authority.send(envoy.address(), None, &score()).await;
    let metrics = metrics(&envoy).await;
    for (request, status) in [
        (Request::get("/ready"), 200),
        (Request::get("/stats/prometheus"), 200),
        (Request::get("/stats/prometheus?usedonly"), 200),
        (Request::get("/"), 404),
        (Request::get("/stats"), 404),
        (Request::get("/stats/prometheus/../../config_dump"), 404),
        (Request::get("/ready/../config_dump"), 404),
        (Request::get("/%63onfig_dump"), 404),
        (Request::get("/config_dump"), 404),
        (Request::get("/server_info"), 404),
        (Request::post("/quitquitquit", ""), 404),
        (Request::post("/ready", ""), 404),
        (Request::post("/healthcheck/fail", ""), 404),
        (Request::new("DELETE", "/stats/prometheus"), 404),
    ] {
        let target = String::from_utf8_lossy(&request.target).into_owned();
        let response = client::send(metrics, &request).await;
        assert_eq!(response.status, status, "{target}");
        if target == "/stats/prometheus" && status == 200 {
            let page = String::from_utf8(response.body).unwrap();
            assert!(page.contains(r#"reason="token_missing""#), "the filter's metrics: {page}");
        }
    }
    // Admin itself is on loopback alone, and the port for requests does not lead to it.
    let bare = pod.authority.send(envoy.address(), None, &Request::get("/stats/prometheus")).await;
    assert_eq!((bare.status, bare.reason().as_str()), (403, "no_rule"));
}

#[tokio::test(flavor = "multi_thread")]
async fn before_its_end_a_pod_is_no_longer_ready_and_answers_what_is_in_flight() {
    let Some(pod) = Pod::new().await else { return };
    if program("bash").is_none() {
        return absent("bash is absent");
    }
    let envoy = pod.start().await;
    let metrics = metrics(&envoy).await;
    let shipped = pod.container("/lifecycle/preStop/exec/command/2");
    let here = shipped
        .replace("127.0.0.1/9901", &format!("127.0.0.1/{}", envoy.admin_address().port()))
        .replace("sleep 30", "");
    assert!(here.matches("127.0.0.1/9901").count() == 0 && here != shipped);
    assert_eq!(client::send(metrics, &Request::get("/ready")).await.status, 200);
    let slow = score().bearer(pod.token(json!({}))).header("x-slowly", "1");
    let (slow, output) = tokio::join!(pod.authority.send(envoy.address(), None, &slow), async {
        let active =
            async || (envoy.stat("http.gateway.downstream_rq_active").await > 0).then_some(());
        eventually(active).await.expect("a request in flight");
        tokio::process::Command::new("bash").args(["-c", &here]).output().await.unwrap()
    });
    assert_eq!(slow.status, 200, "{}", slow.reason());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(said.matches("200 OK").count(), 2, "both calls are known: {said}");
    // The listeners still answer while they drain, so that the kubelet and callers notice.
    assert!(envoy.admin_get("/ready").await.contains("DRAINING"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_in_use_without_a_restart() {
    let Some(mut pod) = Pod::new().await else { return };
    let envoy = pod.start().await;
    let here = std::net::IpAddr::from([127, 0, 0, 1]);
    let renewed = Authority::new();
    assert!(renewed.connect(here, envoy.address(), None).await.is_err(), "another authority");
    pod.mount.replace(&files(&renewed.server_pem()));
    let used = async || renewed.connect(here, envoy.address(), None).await.ok();
    assert!(eventually(used).await.is_some(), "{}", envoy.log());
    let good = score().bearer(pod.token(json!({})));
    assert_eq!(renewed.send(envoy.address(), None, &good).await.status, 200);
}

/// A rollout stops at the first such pod, and the old ones stay.
#[tokio::test(flavor = "multi_thread")]
async fn with_the_arguments_of_the_pod_envoy_ends_without_its_module_or_a_valid_configuration() {
    let Some(pod) = Pod::new().await else { return };
    let run = |name: &str, bootstrap: &str, validate: bool| {
        let arguments = pod.deployment.pointer("/spec/template/spec/containers/0/args").unwrap();
        let arguments = arguments.as_array().unwrap().iter().map(|a| a.as_str().unwrap());
        let file = pod.folder.file(name, bootstrap);
        let shipped = "/etc/tollgate/config/envoy.yaml";
        let arguments = arguments.map(|a| if a == shipped { file.as_str() } else { a });
        let mode: &[&str] = if validate { &["--mode", "validate"] } else { &[] };
        let mut command = Command::new(&pod.fixture.binary);
        command.args(arguments).args(mode).arg("--use-dynamic-base-id");
        command.current_dir(support::root()).output().unwrap()
    };
    let bootstrap = pod.bootstrap.to_string();
    let fine = run("fine.json", &bootstrap, true);
    assert!(fine.status.success(), "{}", String::from_utf8_lossy(&fine.stderr));
    for (name, from, to, said) in [
        ("absent.json", "dist/tollgate.wasm", "dist/absent.wasm", "dist/absent.wasm"),
        ("refused.json", r#"\"rate\": \"10/s\""#, r#"\"rate\": \"0/s\""#, "limits[0].rate"),
    ] {
        assert!(bootstrap.contains(from), "{from} in {bootstrap}");
        let output = run(name, &bootstrap.replace(from, to), false);
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && log.contains(said), "{name}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_init_container_writes_the_module_or_fails() {
    let Some(kustomize) = Kustomize::find() else { return };
    let Some(module) = skip::module() else { return };
    for needed in ["curl", "sha256sum"] {
        if program(needed).is_none() {
            return absent(&format!("{needed} is absent"));
        }
    }
    let module = std::fs::read(module).unwrap();
    let digest: String =
        hmac_sha256::Hash::hash(&module).iter().map(|b| format!("{b:02x}")).collect();
    let served = module.clone();
    let server = Upstream::answering(move |request| match request.path == "/module" {
        true => Reply::new(200, served.clone()),
        false => Reply::new(404, "absent"),
    })
    .await;
    let objects = kustomize.build(INIT);
    let container = one(&objects, "Deployment").pointer("/spec/template/spec/initContainers/0");
    let script = text(container.unwrap(), "/args/0");
    assert_eq!(container.unwrap()["command"], json!(["sh", "-ec"]));
    let folder = Folder::new();
    let script = script.replace("/etc/tollgate/module", folder.path().to_str().unwrap());
    let download = |path: &str, digest: &str| {
        Command::new("sh")
            .args(["-ec", &script])
            .env("MODULE_URL", server.url(path))
            .env("MODULE_SHA256", digest)
            .output()
            .unwrap()
            .status
            .success()
    };
    assert!(download("/module", &digest));
    assert_eq!(std::fs::read(folder.path().join("plugin.wasm")).unwrap(), module);
    assert!(!download("/module", &"0".repeat(64)), "another digest");
    assert!(!download("/absent", &digest), "no such file");
}
