//! A pod of the mesh: the agent with its Envoy in a network of its own. A sidecar stands before an application that
//! records requests.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, mpsc};

use serde_json::{Value, json};
use support::client::{self, Request, Response};
use support::scrape::Scrape;
use support::upstream::{Recorded, Reply, Upstream};

pub use super::spec::Spec;
use crate::program::Program;
use crate::{api, built, machine, program, until};
use support::load::Load;

/// The port of the application, and of its service.
pub(super) const APPLICATION: u16 = 8080;

/// The user of the agent, whose connections are not redirected to Envoy.
const USER: &str = "1337";

/// Mounts the files of the pod for the program that follows, and starts it there.
const MOUNT: &str = "mount --bind \"$0/var/lib/istio\" /var/lib/istio && \
                     mount --bind \"$0/etc/istio\" /etc/istio && cd \"$0\" && exec \"$@\"";

/// A running pod; it ends when dropped, its objects stay.
pub struct Pod {
    pub(super) spec: Spec,
    pub(super) network: String,
    pub address: Ipv4Addr,
    pub(super) application: Option<Upstream>,
    pub(super) agent: Mutex<Option<Program>>,
}

impl Pod {
    /// Starts the agent, with nothing left of an earlier one, as in a new pod.
    pub fn begin(&self) {
        self.stop();
        let (Spec { name, namespace, kind, account, .. }, network) = (&self.spec, &self.network);
        let root = self.files();
        let labels = self.spec.labels.to_string();
        let mut command = machine::in_pod(network, "sh");
        command.args(["-c", MOUNT]).arg(root);
        // Its user could not read files below the folder of an administrator.
        let capability = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"];
        command
            .args(["setpriv", "--reuid", USER, "--regid", USER, "--clear-groups"])
            .args(capability);
        command.args(["pilot-agent", "proxy", kind, "--domain"]);
        command.arg(format!("{namespace}.svc.cluster.local"));
        command.args(["--proxyLogLevel=warning", "--proxyComponentLogLevel=misc:error"]);
        command.env_clear().envs(["PATH"].map(|name| (name, std::env::var(name).unwrap())));
        command.envs([
            ("POD_NAME", network.as_str()),
            ("POD_NAMESPACE", namespace),
            ("SERVICE_ACCOUNT", account),
            ("INSTANCE_IP", &self.address.to_string()),
            ("HOST_IP", &machine::ADDRESS.to_string()),
            ("PROXY_CONFIG", &proxy_config(self.spec.drain).to_string()),
            ("CA_ADDR", "istiod.istio-system.svc:15012"),
            ("PILOT_CERT_PROVIDER", "istiod"),
            ("TRUST_DOMAIN", "cluster.local"),
            ("CLOUD_PLATFORM", "none"),
            ("ISTIO_META_CLUSTER_ID", "Kubernetes"),
            ("ISTIO_META_INTERCEPTION_MODE", "REDIRECT"),
            ("ISTIO_META_MESH_ID", "cluster.local"),
            ("ISTIO_META_WORKLOAD_NAME", name),
            ("ISTIO_METAJSON_LABELS", &labels),
        ]);
        if *kind == "sidecar" {
            command
                .env("ISTIO_META_POD_PORTS", json!([{"containerPort": APPLICATION}]).to_string());
            command.env("ISTIO_META_APP_CONTAINERS", "app");
        }
        command.envs(self.spec.environment.iter().map(|(name, value)| (name, value)));
        *self.agent.lock().unwrap() = Some(Program::start(network, &mut command));
    }

    /// Ends the agent and its Envoy, as a crash does. The application stays.
    pub fn stop(&self) {
        *self.agent.lock().unwrap() = None;
    }

    /// Waits until the pod is ready, as its readiness probe sees it.
    pub fn ready(&self) -> &Self {
        until(60, &format!("{} is ready", self.network), || self.is_ready().then_some(()));
        self
    }

    /// Whether the readiness probe succeeds now.
    pub fn is_ready(&self) -> bool {
        self.local(15021, "/healthz/ready").is_some_and(|response| response.status == 200)
    }

    /// Sends a request to `HOST:PORT`, as the application of this pod would: through its sidecar.
    pub fn send(&self, host: &str, request: Request) -> Response {
        let address = resolve(host);
        let request = request.host(host);
        self.within(move || async move { client::send(address, &request).await })
    }

    /// A stream of one request to `HOST:PORT`, as the application of this pod would send it.
    pub fn load(&self, host: &str, connections: usize, request: &Request) -> Load {
        let (address, pod) = (resolve(host), self.network.clone());
        Load::start(machine::runtime().handle(), connections, request, move || {
            machine::connect(pod.clone(), address)
        })
    }

    /// Runs a future in the network of the pod.
    pub fn within<F: Future<Output: Send>>(&self, future: impl FnOnce() -> F + Send) -> F::Output {
        machine::within(&self.network, future)
    }

    /// The application: the requests that reached it.
    pub fn application(&self) -> &Upstream {
        self.application.as_ref().unwrap()
    }

    /// The request with this name in `x-case`, if it reached the application.
    pub fn saw(&self, case: &str) -> Option<Recorded> {
        self.application().case(case)
    }

    /// What the agent and Envoy have written so far.
    pub fn log(&self) -> String {
        self.agent.lock().unwrap().as_ref().unwrap().log()
    }

    /// The metrics that Prometheus scrapes: those of the agent, Envoy and the application.
    pub fn metrics(&self) -> Scrape {
        Scrape::new(self.text(15020, "/stats/prometheus"))
    }

    /// A path of Envoy's admin interface.
    pub fn admin(&self, path: &str) -> String {
        self.text(15000, path)
    }

    /// The connection managers of a listener, such as `virtualInbound`.
    pub fn managers(&self, listener: &str) -> Vec<Value> {
        let dump = self.admin("/config_dump?resource=dynamic_listeners");
        let dump: Value = serde_json::from_str(&dump).unwrap();
        let listeners = dump["configs"].as_array().unwrap().iter();
        let mut listeners = listeners.map(|each| &each["active_state"]["listener"]);
        let listener = listeners.find(|each| each["name"] == listener).unwrap();
        let chains = listener["filter_chains"].as_array().unwrap().iter();
        let filters = chains.flat_map(|chain| chain["filters"].as_array().unwrap());
        let manager = "envoy.filters.network.http_connection_manager";
        filters.filter(|filter| filter["name"] == manager).cloned().collect()
    }

    fn text(&self, port: u16, path: &str) -> String {
        let response = self.local(port, path).unwrap_or_else(|| panic!("no answer on port {port}"));
        String::from_utf8(response.body).unwrap()
    }

    fn local(&self, port: u16, path: &str) -> Option<Response> {
        let request = Request::get(path).host("localhost");
        let address = (Ipv4Addr::LOCALHOST, port).into();
        self.within(move || async move { client::try_send(address, &request).await.ok() })
    }

    /// The folder of the pod with the files that the kubelet and the image give it.
    fn files(&self) -> PathBuf {
        let Spec { namespace, account, .. } = &self.spec;
        let root = machine::folder().join("pods").join(&self.network);
        let _ = fs::remove_dir_all(&root);
        for folder in
            ["var/lib/istio/data", "var/lib/istio/envoy", "etc/istio/proxy", "etc/istio/pod"]
        {
            fs::create_dir_all(root.join(folder)).unwrap();
            fs::create_dir_all(PathBuf::from("/").join(folder)).unwrap();
        }
        let write = |path: &str, text: &[u8]| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let template = fs::read(built("istio").join("envoy_bootstrap.json")).unwrap();
        write("var/lib/istio/envoy/envoy_bootstrap_tmpl.json", &template);
        let token = api::token(namespace, account, "istio-ca");
        write("var/run/secrets/tokens/istio-token", token.as_bytes());
        let map = api::get(&["configmap", "istio-ca-root-cert", "--namespace", namespace]).unwrap();
        let certificate = map["data"]["root-cert.pem"].as_str().unwrap();
        write("var/run/secrets/istio/root-cert.pem", certificate.as_bytes());
        let labels = self.spec.labels.as_object().unwrap();
        let labels: String =
            labels.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        write("etc/istio/pod/labels", labels.as_bytes());
        let owner = format!("{USER}:{USER}");
        program::run(Command::new("chown").arg("--recursive").arg(owner).arg(&root)).ok();
        root
    }
}

/// The part of the mesh configuration that the injector gives to a proxy.
fn proxy_config(drain: u8) -> Value {
    let mut config = super::mesh_config()["defaultConfig"].take();
    config["binaryPath"] = json!(support::skip::envoy_binary().unwrap());
    config["concurrency"] = json!(2);
    config["drainDuration"] = json!(format!("{drain}s"));
    config
}

/// The address of `HOST:PORT`, as every program of the suite resolves it.
pub fn resolve(host: &str) -> SocketAddr {
    host.to_socket_addrs().unwrap_or_else(|error| panic!("{host}: {error}")).next().unwrap()
}

/// Redirects connections of the pod to Envoy, as Istio's init container does.
pub(super) fn redirect(network: &str) {
    let options =
        "istio-iptables -p 15001 -z 15006 -u 1337 -m REDIRECT -i * -b * -d 15090,15021,15020";
    program::run(machine::in_pod(network, "pilot-agent").args(options.split(' ')).args(["-x", ""]))
        .ok();
}

/// Starts the application.
pub(super) fn application(network: &str) -> Upstream {
    let (sender, receiver) = mpsc::channel();
    machine::serve(network, move || async move {
        let address = (Ipv4Addr::UNSPECIFIED, APPLICATION).into();
        sender.send(Upstream::listening(address, Reply::echo).await).unwrap();
    });
    receiver.recv().unwrap()
}
