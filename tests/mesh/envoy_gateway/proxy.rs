//! The Envoy of a Gateway.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use serde_json::{Value, json};
use support::client::{self, Request};
use support::scrape::Scrape;
use support::skip;

use super::controller::NAMESPACE;
use crate::container::Container;
use crate::program::{Program, run};
use crate::{api, machine, until};

/// A pod of the Deployment that Envoy Gateway made for a Gateway.
pub struct Proxy {
    pod: String,
    deployment: String,
    address: Ipv4Addr,
    container: Container,
    program: Program,
    running: Value,
}

impl Proxy {
    /// Waits for the Deployment of a Gateway, and runs its pod at an address whose last part this is.
    pub fn start(gateway: &str, last: u8) -> Self {
        let found = until(60, "the Deployment of the Gateway", || deployment(gateway));
        let proxy = Self::run(format!("proxy-{gateway}"), found, last);
        proxy.publish();
        proxy
    }

    /// Waits for another template in the Deployment, and runs its pod beside this one until it is ready.
    pub fn successor(&self, last: u8) -> Self {
        let found = (self.deployment.clone(), self.changed());
        let next = Self::run(format!("proxy-{last}"), found, last);
        let ready = Request::get("/ready");
        until(60, "the pod is ready", || {
            let answer = client::try_send(next.at(19003), &ready);
            (machine::runtime().block_on(answer).ok()?.status == 200).then_some(())
        });
        next
    }

    fn run(pod: String, (deployment, template): (String, Value), last: u8) -> Self {
        let address = machine::pod(&pod, last);
        let container = Container::new(&pod, &["/certs", "/sds"]).within(&pod);
        container.volume("/certs", "secret", NAMESPACE, "envoy");
        container.volume("/sds", "configmap", NAMESPACE, &deployment);
        // As the Service does.
        let service = api::get(&["service", &deployment, "--namespace", NAMESPACE]).unwrap();
        for port in service["spec"]["ports"].as_array().unwrap() {
            let (from, to) = (port["port"].to_string(), port["targetPort"].to_string());
            let redirect = ["-j", "REDIRECT", "--to-ports", &to];
            let rule = ["-t", "nat", "-A", "PREROUTING", "-p", "tcp", "--dport", &from];
            run(machine::in_pod(&pod, "iptables").args(rule).args(redirect)).ok();
        }
        let program = run_pod(&container, &pod, &template);
        Self { pod, deployment, address, container, program, running: template }
    }

    /// Ends the pod as Kubernetes does: after the command of the container `shutdown-manager`.
    pub fn terminate(mut self) {
        let stop = self.container.command("envoy-gateway").args(["envoy", "shutdown"]).output();
        assert!(stop.unwrap().status.success());
        self.program.end();
    }

    /// Replaces the pod by one of the Deployment's present template.
    pub fn restart(&mut self) {
        self.program.kill();
        let template = self.template();
        self.program = run_pod(&self.container, &self.pod, &template);
        self.running = template;
    }

    /// Waits for another template in the Deployment, and replaces the pod.
    pub fn roll_out(&mut self) {
        self.changed();
        self.restart();
    }

    fn changed(&self) -> Value {
        let new = || Some(self.template()).filter(|template| *template != self.running);
        until(60, "another template in the Deployment", new)
    }

    fn template(&self) -> Value {
        let object = api::get(&["deployment", &self.deployment, "--namespace", NAMESPACE]);
        object.unwrap()["spec"]["template"].take()
    }

    /// Tells the API what kubelet and cloud would: the pod runs, and the Service has this address. Waits until Envoy
    /// Gateway repeats it.
    pub fn publish(&self) {
        let replicas = json!({"status": {
            "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1,
        }});
        let address = json!({"status": {"loadBalancer": {"ingress": [{"ip": self.address}]}}});
        for (kind, status) in [("deployment", replicas), ("service", address)] {
            let patch = status.to_string();
            let arguments = ["--subresource", "status", "--type", "merge", "--patch", &patch];
            let object = ["patch", kind, &self.deployment, "--namespace", NAMESPACE];
            api::kubectl(object.into_iter().chain(arguments)).ok();
        }
        until(60, "the address of the Gateway", || {
            let gateways = api::get(&["gateways", "--all-namespaces"])?;
            gateways.to_string().contains(&format!("{:?}", self.address.to_string())).then_some(())
        });
    }

    /// The address of a port of its Service.
    pub fn at(&self, port: u16) -> SocketAddr {
        (self.address, port).into()
    }

    /// Its log, with the access log in it.
    pub fn log(&self) -> String {
        self.program.log()
    }

    /// The lines of its access log.
    pub fn access_log(&self) -> Vec<Value> {
        self.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Its metrics, as a Prometheus reads them.
    pub fn metrics(&self) -> Scrape {
        let request = Request::get("/stats/prometheus");
        let answer = machine::runtime().block_on(client::send(self.at(19001), &request));
        Scrape::new(String::from_utf8(answer.body).unwrap())
    }

    /// An answer of its administration, which listens inside the pod only.
    pub fn admin(&self, method: &str, path: &str) -> String {
        let request = Request::new(method, path);
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, 19000));
        let answer = machine::within(&self.pod, || client::send(at, &request));
        String::from_utf8(answer.body).unwrap()
    }
}

/// The name and the pod template of the Deployment of a Gateway.
fn deployment(gateway: &str) -> Option<(String, Value)> {
    let label = format!("gateway.envoyproxy.io/owning-gateway-name={gateway}");
    let mut found = api::get(&["deployment", "--namespace", NAMESPACE, "--selector", &label])?;
    let mut object = found["items"].get_mut(0)?.take();
    let name = object["metadata"]["name"].as_str()?.to_owned();
    Some((name, object["spec"]["template"].take()))
}

/// Starts the container `envoy` of a template.
fn run_pod(container: &Container, pod: &str, template: &Value) -> Program {
    let containers = &template["spec"]["containers"];
    let envoy = containers.as_array().unwrap().iter().find(|one| one["name"] == "envoy").unwrap();
    let arguments = envoy["args"].as_array().unwrap().iter();
    let arguments = arguments.map(|one| one.as_str().unwrap().replace("$(ENVOY_POD_NAME)", pod));
    let mut command: Command = container.command(skip::envoy_binary().unwrap());
    for variable in envoy["env"].as_array().unwrap() {
        if let (Some(name), Some(value)) = (variable["name"].as_str(), variable["value"].as_str()) {
            command.env(name, value);
        }
    }
    // Fewer threads than the machine may have, and an access log that is written at once.
    command.args(arguments).args(["--concurrency", "2", "--file-flush-interval-msec", "100"]);
    // Envoy ends with the thread that started it: that of a test would be too short.
    let pod = pod.to_owned();
    let start = machine::runtime().spawn(async move { Program::start(&pod, &mut command) });
    machine::runtime().block_on(start).unwrap()
}
