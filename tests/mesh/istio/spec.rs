//! What a pod is to be, and its objects: there is no kubelet, so they are written here.

use std::net::Ipv4Addr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::{Value, json};

use super::pod::{APPLICATION, Pod, application, redirect};
use crate::{api, machine, program};

/// What a pod is to be.
pub struct Spec {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) kind: &'static str,
    pub(super) account: &'static str,
    pub(super) labels: Value,
    pub(super) environment: Vec<(String, String)>,
    pub(super) ports: Vec<(u16, u16)>,
    pub(super) drain: u8,
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
            drain: 45,
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

    /// Connections that a change of a listener closes end within so many seconds; 45 by default.
    pub fn drain(mut self, seconds: u8) -> Self {
        self.drain = seconds;
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
