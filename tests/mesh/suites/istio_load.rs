//! What callers of a real Istio get while it is changed: no request is lost, and none passes without a token.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use mesh::istio::Mesh;
use mesh::istio::pod::{Pod, Spec};
use mesh::{api, machine, until};
use support::load::{Answers, Load};
use support::manifests::PLUGIN;
use support::prelude::*;

/// Connections of each stream.
const CONNECTIONS: usize = 4;

/// The digest of a second image, with the same module.
static NEXT: OnceLock<String> = OnceLock::new();

/// How long the proxies here drain; the default is 45 s. Envoy asks callers to close a connection 5 s after the first
/// answer of a drain, and resets those that are left at its end. While it creates the filter on a machine with other load,
/// it may answer nobody for some seconds.
const DRAIN: Duration = Duration::from_secs(25);

/// Callers with a good token, and callers with none.
struct Streams {
    good: Load,
    bare: Load,
    before: [Answers; 2],
}

impl Streams {
    fn start(load: impl Fn(&Request) -> Load, good: &Request, bare: &Request) -> Self {
        Self { good: load(good), bare: load(bare), before: Default::default() }
    }

    /// What each got since the last time, in the second that follows too.
    fn since(&mut self, phase: &str, start: Instant) -> [Answers; 2] {
        sleep(Duration::from_secs(1));
        let now = [self.good.answers(), self.bare.answers()];
        let new = [0, 1].map(|at: usize| {
            let counts = now[at].iter().map(|(answer, count)| {
                (answer.clone(), count - self.before[at].get(answer).unwrap_or(&0))
            });
            counts.filter(|(_, count)| *count > 0).collect::<Answers>()
        });
        println!(
            "{:5.1} s {phase}: good {:?}, bare {:?}",
            start.elapsed().as_secs_f64(),
            new[0],
            new[1]
        );
        self.before = now;
        new
    }
}

/// The configuration of the plugin in force: when the proxy took it.
fn taken(pod: &Pod) -> Vec<String> {
    let dump: Value =
        serde_json::from_str(&pod.admin("/config_dump?resource=ecds_filters")).unwrap_or_default();
    let filters = dump["configs"].as_array().cloned().unwrap_or_default();
    filters.iter().map(|filter| filter["last_updated"].to_string()).collect()
}

/// Fails if there was another answer.
#[track_caller]
fn only(answers: &Answers, known: &[&str], phase: &str) {
    assert!(answers.keys().all(|answer| known.contains(&answer.as_str())), "{phase}: {answers:?}");
}

/// Installs, changes, moves and removes an overlay while both streams run.
fn storm(mesh: &Mesh, pod: &Pod, namespace: &str, overlay: &str, mut streams: Streams) {
    let start = Instant::now();
    let rate = ("rate: 10/s, burst: 20", "rate: 90000/s, burst: 90000");
    let name = format!("load-{overlay}");
    let mut manifests = mesh.manifests(&name).change(PLUGIN, rate.0, rate.1);
    let within = |what: &str, done: &dyn Fn() -> bool| until(60, what, || done().then_some(()));
    streams.since("open", start);
    manifests.apply(&format!("overlays/{overlay}"));
    within("install", &|| !taken(pod).is_empty());
    sleep(DRAIN);
    let [good, _] = streams.since("install", start);
    only(&good, &["200"], "install");

    let unharmed = |streams: &mut Streams, what: &str| {
        let [good, bare] = streams.since(what, start);
        only(&good, &["200"], what);
        only(&bare, &["401 token_missing"], what);
    };
    let next = NEXT.get_or_init(|| mesh.registry().push("0.1.1"));
    for (what, edits) in [
        ("realm", vec![("realm: scoring", "realm: models")]),
        ("limit", vec![("burst: 90000", "burst: 80000")]),
        ("tag", vec![("    - {name: kid, value: \"{@kid}\"}\n", "")]),
        ("audience", vec![("[\"api://scoring\"]", "[\"api://scoring\", \"api://models\"]")]),
        ("timeout", vec![("timeout: 5s", "timeout: 4s")]),
        ("new image", vec![("tollgate:0.1.0", "tollgate:0.1.1"), (&mesh.digest, next)]),
        ("old image", vec![("tollgate:0.1.1", "tollgate:0.1.0"), (next, &mesh.digest)]),
    ] {
        let before = taken(pod);
        for (from, to) in edits {
            manifests = manifests.change(PLUGIN, from, to);
        }
        manifests.apply(&format!("overlays/{overlay}"));
        within(what, &|| taken(pod) != before);
        unharmed(&mut streams, what);
    }

    let extension = format!("traffic-extension/{overlay}");
    manifests.apply(&extension);
    within("both", &|| taken(pod).len() == 2);
    sleep(DRAIN);
    unharmed(&mut streams, "extension");
    api::kubectl(["delete", "wasmplugin", "tollgate", "--namespace", namespace]).ok();
    // The former is there until its connections have drained.
    within("the extension alone", &|| taken(pod).len() == 1);
    unharmed(&mut streams, "plugin deleted");

    manifests.shell(&format!("kubectl delete --kustomize istio/{extension}"), &[]).ok();
    within("uninstall", &|| taken(pod).is_empty());
    let [good, bare] = streams.since("uninstall", start);
    // 403: the policy on a new connection, since `kubectl delete` deletes the plugin before it.
    only(&good, &["200", "403"], "uninstall");
    only(&bare, &["200", "401 token_missing", "403"], "uninstall");
    let (good, bare) = (
        machine::runtime().block_on(streams.good.end()),
        machine::runtime().block_on(streams.bare.end()),
    );
    println!(
        "{overlay}: {} and {} requests",
        good.values().sum::<usize>(),
        bare.values().sum::<usize>()
    );
}

#[test]
fn no_request_is_lost_and_none_passes_while_sidecars_change() {
    let Some(mesh) = Mesh::shared() else { return };
    let [scoring, curl] = ["scoring", "curl"]
        .map(|name| Spec::sidecar("models", name).drain(DRAIN.as_secs() as u8).start());
    scoring.ready();
    curl.ready();
    scoring.application().record(false);
    let bare = Request::post("/score", "{}").host("scoring:8080");
    let good = bare.clone().bearer(mesh.token(json!({})));
    let load = |request: &Request| curl.load("scoring:8080", CONNECTIONS, request);
    storm(mesh, &scoring, "models", "sidecar", Streams::start(load, &good, &bare));
}

/// The route of the named host.
const ROUTE: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: scoring, namespace: istio-ingress}
spec:
  selector: {istio: ingressgateway}
  servers: [{hosts: [ml.example.com], port: {number: 80, name: http, protocol: HTTP}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: scoring, namespace: istio-ingress}
spec:
  hosts: [ml.example.com]
  gateways: [scoring]
  http: [{route: [{destination: {host: behind.istio-ingress.svc.cluster.local, port: {number: 8080}}}]}]
";

#[test]
fn no_request_is_lost_and_none_passes_while_a_gateway_changes() {
    let Some(mesh) = Mesh::shared() else { return };
    api::apply(ROUTE).ok();
    let labels = json!({"istio": "ingressgateway"});
    let gateway =
        Spec::gateway("istio-ingress", "ingress", labels).drain(DRAIN.as_secs() as u8).start();
    let behind = Spec::sidecar("istio-ingress", "behind").start();
    gateway.ready();
    behind.ready();
    behind.application().record(false);
    let bare = Request::post("/score", "{}");
    let good = bare.clone().bearer(mesh.token(json!({})));
    let address = (gateway.address, 80);
    let load = |request: &Request| {
        Load::start(machine::runtime().handle(), CONNECTIONS, request, move || {
            tokio::net::TcpStream::connect(address)
        })
    };
    until(30, "the route", || {
        let answer = machine::runtime().block_on(client::try_send(address.into(), &bare));
        answer.ok().filter(|answer| answer.status == 200)
    });
    storm(mesh, &gateway, "istio-ingress", "gateway", Streams::start(load, &good, &bare));
}
