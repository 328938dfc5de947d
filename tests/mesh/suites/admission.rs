//! `tollgate admission` as a webhook of a real Kubernetes API.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "admission/outages.rs"]
mod outages;
#[path = "admission/verdicts.rs"]
mod verdicts;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use base64::Engine as _;
use mesh::api::{self, Api};
use mesh::program::{self, Program};
use mesh::{machine, until};
use serde_json::{Value, json};
use support::manifests::{one, read};
use support::mistakes::{self, manifests};
use support::tls::Authority;

/// The shipped configuration of the webhook and its Deployment.
const BASE: &str = "examples/kubernetes/admission/base";

/// The name of the shipped Service.
const HOST: &str = "tollgate-admission.tollgate-system.svc";

/// A namespace whose objects a webhook of its own judges.
struct World {
    namespace: &'static str,
    webhook: Program,
    /// Where the certificate and its key lie.
    folder: PathBuf,
}

impl World {
    /// `None` outside `make mesh`. The port is that of the webhook.
    fn start(namespace: &'static str, port: u16) -> Option<Self> {
        static API: OnceLock<Api> = OnceLock::new();
        if !machine::ready() {
            return None;
        }
        API.get_or_init(|| {
            let api = Api::start();
            api.define();
            machine::name(std::net::Ipv4Addr::LOCALHOST, HOST);
            api
        });
        api::kubectl(["create", "namespace", namespace]).ok();
        let folder = machine::folder().join(namespace);
        fs::create_dir_all(&folder).unwrap();
        let authority = Authority::new();
        write(&folder, &authority);
        let deployment = read(format!("{BASE}/deployment.yaml"));
        let container = one(&deployment, "Deployment").pointer("/spec/template/spec/containers/0");
        let arguments = container.unwrap()["args"].as_array().unwrap().iter().map(|argument| {
            let argument = argument.as_str().unwrap();
            let argument = argument.replace("0.0.0.0:8443", &format!("127.0.0.1:{port}"));
            argument.replace("/etc/tollgate/tls", folder.to_str().unwrap())
        });
        let webhook =
            Program::start(&format!("webhook-{namespace}"), program::tollgate().args(arguments));
        webhook.logged(30, "admission webhook at");
        let world = Self { namespace, webhook, folder };
        world.configure(&authority, port, "Ignore");
        let [bad, ..] = world.manifests(&json!({"providers": 1}), "tollgate");
        until(60, "the API asks the webhook", || {
            api::accepts(&bad.to_string()).stderr.contains("denied the request").then_some(())
        });
        Some(world)
    }

    /// Writes the shipped configuration with another address, for this namespace alone.
    fn configure(&self, authority: &Authority, port: u16, policy: &str) {
        let mut object = read(format!("{BASE}/webhook.yaml")).remove(0);
        object["metadata"]["name"] = json!(self.namespace);
        let webhook = &mut object["webhooks"][0];
        let path = webhook["clientConfig"]["service"]["path"].as_str().unwrap();
        webhook["clientConfig"] = json!({
            "url": format!("https://{HOST}:{port}{path}"),
            "caBundle": base64::engine::general_purpose::STANDARD.encode(authority.pem()),
        });
        webhook["failurePolicy"] = json!(policy);
        webhook["namespaceSelector"] =
            json!({"matchLabels": {"kubernetes.io/metadata.name": self.namespace}});
        api::apply(&object.to_string()).ok();
    }

    /// A manifest of each kind with this configuration.
    fn manifests(&self, config: &Value, name: &str) -> [Value; 4] {
        manifests(config, name).map(|object| self.here(object))
    }

    fn here(&self, mut object: Value) -> Value {
        object["metadata"]["namespace"] = json!(self.namespace);
        object
    }

    /// The names of all objects of the four kinds.
    fn objects(&self) -> BTreeSet<String> {
        let kinds = "wasmplugins,trafficextensions,envoyextensionpolicies,envoyfilters";
        let names = ["get", kinds, "--namespace", self.namespace, "--output", "name"];
        api::kubectl(names).ok().lines().map(str::to_owned).collect()
    }
}

/// Writes a certificate of an authority and its key.
fn write(folder: &std::path::Path, authority: &Authority) {
    let (chain, key) = authority.workload_pem(HOST);
    fs::write(folder.join("tls.crt"), chain).unwrap();
    fs::write(folder.join("tls.key"), key).unwrap();
}

/// Several objects as one stream.
fn stream(objects: &[Value]) -> String {
    objects.iter().map(|object| format!("---\n{object}\n")).collect()
}

/// The problems and warnings that `tollgate check` finds in a stream.
fn checked(name: &str, stream: &str) -> [Vec<String>; 2] {
    let path = machine::folder().join(name);
    fs::write(&path, stream).unwrap();
    let answer = program::run(program::tollgate().args(["check", "--json"]).arg(&path));
    let result = serde_json::from_str(&answer.stdout).unwrap_or_else(|_| panic!("{answer:?}"));
    ["problem", "warning"].map(|level| mistakes::findings(&result, level))
}
