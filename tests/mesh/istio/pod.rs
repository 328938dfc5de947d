//! A pod of the mesh: the agent with its Envoy in a network of its own. A sidecar stands before an application that
//! records requests. There is no kubelet, so its objects are written here.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, mpsc};

use serde_json::{Value, json};
use support::client::{self, Request, Response};
use support::scrape::Scrape;
use support::upstream::{Recorded, Reply, Upstream};

use crate::program::{Answer, Program};
use crate::{api, built, machine, program, until};

/// The port of the application, and of its service.
const APPLICATION: u16 = 8080;

/// The user of the agent, whose connections are not redirected to Envoy.
const USER: &str = "1337";

/// Mounts the files of the pod for the program that follows, and starts it there.
const MOUNT: &str = "mount --bind \"$0/var/lib/istio\" /var/lib/istio && \
                     mount --bind \"$0/etc/istio\" /etc/istio && cd \"$0\" && exec \"$@\"";

/// What a pod is to be.
pub struct Spec {
    name: String,
    namespace: String,
    kind: &'static str,
    account: &'static str,
    labels: Value,
    environment: Vec<(String, String)>,
    ports: Vec<(u16, u16)>,
}

impl Spec {
    /// A pod `NAME-1` with a sidecar, the label `app: NAME` and a service `NAME`, port 8080.
    pub fn sidecar(namespace: &str, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            kind: "sidecar",
            account: "default",
            labels: json!({"app": name}),
            environment: Vec::new(),
            ports: vec![(APPLICATION, APPLICATION)],
        }
    }

    /// An ingress gateway with these labels and a service `NAME`, ports 80 and 443.
    pub fn gateway(namespace: &str, name: &str, labels: Value) -> Self {
        Self {
            kind: "router",
            account: "istio-ingressgateway",
            labels,
            ports: vec![(80, 80), (443, 443)],
            ..Self::sidecar(namespace, name)
        }
    }

    /// Adds a variable to the proxy's container.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts the pod; [`Pod::ready`] waits for it.
    pub fn start(self) -> Pod {
        static NEXT: AtomicU8 = AtomicU8::new(11);
        let last = NEXT.fetch_add(1, Ordering::Relaxed);
        let network = format!("{}-1", self.name);
        let address = machine::pod(&network, last);
        let service = Ipv4Addr::new(10, 96, 1, last);
        let (name, namespace) = (&self.name, &self.namespace);
        machine::name(
            service,
            &format!("{name} {name}.{namespace} {name}.{namespace}.svc.cluster.local"),
        );
        self.objects(&network, address, service);
        let application = (self.kind == "sidecar").then(|| {
            redirect(&network);
            application(&network)
        });
        if self.kind == "router" {
            // As in the manifest of Istio's gateway: its user may listen on 80 and 443.
            let ports = ["-w", "net.ipv4.ip_unprivileged_port_start=0"];
            program::run(machine::in_pod(&network, "sysctl").args(ports)).ok();
        }
        let pod = Pod { spec: self, network, address, application, agent: Mutex::new(None) };
        pod.begin();
        pod
    }

    fn objects(&self, pod: &str, address: Ipv4Addr, service: Ipv4Addr) {
        let Self { name, namespace, labels, .. } = self;
        let mut pod_labels = labels.clone();
        pod_labels["security.istio.io/tlsMode"] = json!("istio");
        let named = |at: usize| if at == 0 { "http" } else { "https" };
        let ports = || self.ports.iter().enumerate();
        let objects = [
            json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": pod, "namespace": namespace, "labels": pod_labels},
                "spec": {
                    "nodeName": "node-1",
                    "serviceAccountName": self.account,
                    "automountServiceAccountToken": false,
                    "containers": [{"name": "istio-proxy", "image": "none"}],
                },
            }),
            json!({
                "apiVersion": "v1", "kind": "Service",
                "metadata": {"name": name, "namespace": namespace, "labels": labels},
                "spec": {
                    "clusterIP": service, "selector": labels,
                    "ports": ports().map(|(at, (port, target))| {
                        json!({"name": named(at), "port": port, "targetPort": target})
                    }).collect::<Vec<_>>(),
                },
            }),
            json!({
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": {
                    "name": name, "namespace": namespace,
                    "labels": {"kubernetes.io/service-name": name},
                },
                "addressType": "IPv4",
                "ports": ports().map(|(at, (_, target))| {
                    json!({"name": named(at), "port": target, "protocol": "TCP"})
                }).collect::<Vec<_>>(),
                "endpoints": [{
                    "addresses": [address], "conditions": {"ready": true},
                    "targetRef": {"kind": "Pod", "name": pod, "namespace": namespace},
                }],
            }),
        ];
        let texts: Vec<_> = objects.iter().map(Value::to_string).collect();
        api::apply(&texts.join("\n---\n")).ok();
        let status = json!({"status": {
            "phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "hostIP": machine::ADDRESS,
            "conditions": [{"type": "Ready", "status": "True"}],
        }});
        let patch = ["patch", "pod", pod, "--namespace", namespace, "--subresource=status"];
        api::kubectl(patch.into_iter().chain(["--type=merge", "--patch", &status.to_string()]))
            .ok();
    }
}

/// A running pod; it ends when dropped, its objects stay.
pub struct Pod {
    spec: Spec,
    network: String,
    pub address: Ipv4Addr,
    application: Option<Upstream>,
    agent: Mutex<Option<Program>>,
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
            ("PROXY_CONFIG", &proxy_config().to_string()),
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

    /// Runs `curl` in the pod.
    pub fn curl(&self, arguments: &[&str]) -> Answer {
        program::run(machine::in_pod(&self.network, "curl").args(arguments))
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
fn proxy_config() -> Value {
    let mut config = super::mesh_config()["defaultConfig"].take();
    config["binaryPath"] = json!(support::skip::envoy_binary().unwrap());
    config["concurrency"] = json!(2);
    config
}

/// The address of `HOST:PORT`, as every program of the suite resolves it.
pub fn resolve(host: &str) -> SocketAddr {
    host.to_socket_addrs().unwrap_or_else(|error| panic!("{host}: {error}")).next().unwrap()
}

/// Redirects connections of the pod to Envoy, as Istio's init container does.
fn redirect(network: &str) {
    let options =
        "istio-iptables -p 15001 -z 15006 -u 1337 -m REDIRECT -i * -b * -d 15090,15021,15020";
    program::run(machine::in_pod(network, "pilot-agent").args(options.split(' ')).args(["-x", ""]))
        .ok();
}

/// Starts the application.
fn application(network: &str) -> Upstream {
    let (sender, receiver) = mpsc::channel();
    machine::serve(network, move || async move {
        let address = (Ipv4Addr::UNSPECIFIED, APPLICATION).into();
        sender.send(Upstream::listening(address, Reply::echo).await).unwrap();
    });
    receiver.recv().unwrap()
}
