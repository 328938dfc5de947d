//! An Istio: istiod beside a Kubernetes API, a registry with the module, the keys of Entra ID, and pods with a
//! sidecar or a gateway.
//!
//! - [`manifests`]: the folder `istio`, adapted, and the commands of the pages.
//! - [`pod`]: a pod: the agent with its Envoy, and an application that records requests.
//! - `spec`: what a pod is to be, and its objects.
//! - [`login`]: a registry that asks for a login, by tokens.
//!
//! Upstream's Envoy lacks the filters that only Istio's own build has: `ALPN` and the exchange of metadata are off.

pub mod login;
pub mod manifests;
pub mod pod;
mod spec;

use std::fs;
use std::process::Command;
use std::sync::{LazyLock, Mutex, MutexGuard};

use serde_json::{Value, json};
use support::entra;
use support::idp::Idp;
use support::mint::Signer;
use support::scenario::merged;

use super::api::{self, Api};
use super::program::Program;
use super::registry::Registry;
use super::{machine, until};
use manifests::Manifests;

/// The version of the image in the manifests.
const VERSION: &str = "0.1.0";

/// A running Istio.
pub struct Mesh {
    pub api: Api,
    registry: Mutex<Registry>,
    istiod: Mutex<Program>,
    /// The server of Entra ID's keys, with the key of [`Mesh::token`].
    pub keys: Idp,
    signer: Signer,
    /// The digest of the image in the manifests.
    pub digest: String,
}

impl Mesh {
    /// Starts all of it, once for a suite; `None` outside `make mesh` and without Envoy or the module.
    pub fn start() -> Option<Self> {
        if !machine::ready() {
            return None;
        }
        support::skip::envoy_binary()?;
        let registry = Registry::start();
        let (digest, api) = std::thread::scope(|scope| {
            let digest = scope.spawn(|| registry.push(VERSION));
            let api = Api::start();
            api.define();
            (digest.join().unwrap(), api)
        });
        api::kubectl(["create", "namespace", "istio-system"]).ok();
        let signer = Signer::new("RS256", "k1");
        let keys = super::entra_keys::serve(&signer);
        machine::name(machine::ADDRESS, "istiod.istio-system.svc");
        fs::write(machine::folder().join("mesh.json"), mesh_config().to_string()).unwrap();
        let istiod = Mutex::new(istiod());
        namespaces(&["models", "istio-ingress"]);
        Some(Self { api, registry: Mutex::new(registry), istiod, keys, signer, digest })
    }

    /// The mesh of the suite, which its first test starts.
    pub fn shared() -> Option<&'static Self> {
        static MESH: LazyLock<Option<Mesh>> = LazyLock::new(Mesh::start);
        MESH.as_ref()
    }

    /// A copy of the folder `istio` in which only the digest was set.
    pub fn manifests(&self, name: &str) -> Manifests {
        Manifests::pasted(&format!("manifests-{name}"), &self.digest)
    }

    /// The registry, to stop it or to push another version.
    pub fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap()
    }

    /// Ends istiod as a crash does and starts it again.
    pub fn restart_istiod(&self) {
        self.without_istiod(|| ());
    }

    /// Ends istiod as a crash does, and starts it again after something was done without it.
    pub fn without_istiod(&self, during: impl FnOnce()) {
        let mut program = self.istiod.lock().unwrap();
        program.kill();
        during();
        *program = istiod();
    }

    /// A token of Entra ID for the tenant and audience of the manifests, with some claims changed.
    pub fn token(&self, changes: Value) -> String {
        self.token_of(entra::TENANT, changes)
    }

    /// The same of another tenant.
    pub fn token_of(&self, tenant: &str, changes: Value) -> String {
        self.signer.sign(&entra::claims(tenant, changes))
    }
}

/// Creates namespaces in the mesh, each with an account for pods and one for gateways, which read certificates.
pub fn namespaces(names: &[&str]) {
    let rule =
        json!({"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "watch", "list"]});
    let gateway = "istio-ingressgateway";
    let objects = names.iter().flat_map(|namespace| {
        let object = |version: &str, kind: &str, name: &str, rest: Value| {
            let metadata = json!({"name": name, "namespace": namespace});
            merged(json!({"apiVersion": version, "kind": kind, "metadata": metadata}), rest)
        };
        let account = json!({"kind": "ServiceAccount", "name": gateway, "namespace": namespace});
        let role =
            json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": gateway});
        let labelled = json!({"metadata": {
            "name": namespace, "labels": {"istio-injection": "enabled"},
        }});
        let rbac = "rbac.authorization.k8s.io/v1";
        [
            object("v1", "Namespace", namespace, labelled),
            object("v1", "ServiceAccount", "default", json!({})),
            object("v1", "ServiceAccount", gateway, json!({})),
            object(rbac, "Role", gateway, json!({"rules": [rule]})),
            object(rbac, "RoleBinding", gateway, json!({"roleRef": role, "subjects": [account]})),
        ]
    });
    let objects: Vec<_> = objects.map(|object| object.to_string()).collect();
    api::apply(&objects.join("\n---\n")).ok();
    until(60, "the certificate of istiod's authority in each namespace", || {
        let map =
            |name: &&str| api::get(&["configmap", "istio-ca-root-cert", "--namespace", *name]);
        names.iter().all(|name| map(name).is_some()).then_some(())
    });
}

/// The mesh configuration of the repository, the place of istiod, and an external authorizer.
fn mesh_config() -> Value {
    let mut config =
        support::manifests::read("istio/telemetry.yaml").remove(0)["meshConfig"].take();
    config["defaultConfig"]["discoveryAddress"] = json!("istiod.istio-system.svc:15012");
    let authorizer = json!({"service": "authorizer.models.svc.cluster.local", "port": 8080});
    let authorizer = json!({"name": "authorizer", "envoyExtAuthzHttp": authorizer});
    config["extensionProviders"].as_array_mut().unwrap().push(authorizer);
    merged(config, json!({"trustDomain": "cluster.local", "rootNamespace": "istio-system"}))
}

fn istiod() -> Program {
    let folder = machine::folder();
    let directory = folder.join("istiod");
    fs::create_dir_all(&directory).unwrap();
    let mut command = Command::new("pilot-discovery");
    command
        .args(["discovery", "--monitoringAddr=:15014", "--ctrlz_port=0", "--kubeconfig"])
        .arg(api::kubeconfig())
        .arg("--meshConfig")
        .arg(folder.join("mesh.json"))
        .current_dir(directory)
        .envs([
            ("POD_NAME", "istiod-1"),
            ("POD_NAMESPACE", "istio-system"),
            ("SERVICE_ACCOUNT", "istiod"),
            ("CLUSTER_ID", "Kubernetes"),
            ("PILOT_CERT_PROVIDER", "istiod"),
            ("PILOT_ENABLE_ALPN_FILTER", "false"),
            ("PILOT_ENABLE_METADATA_EXCHANGE", "false"),
        ]);
    let program = Program::start("istiod", &mut command);
    let ready = support::client::Request::get("/ready");
    let address = (machine::ADDRESS, 8080).into();
    until(60, "istiod is ready", || {
        let asked = machine::runtime().block_on(support::client::try_send(address, &ready));
        asked.ok().filter(|response| response.status == 200)
    });
    program
}
