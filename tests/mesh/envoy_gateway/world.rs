//! The place that the shipped manifests name, after the steps of docs/deploy-envoy-gateway.md: Envoy Gateway, a Gateway,
//! the model behind it, an issuer, a registry and a web server with the module, and callers.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::thread;

use serde_json::{Value, json};
use support::client::{Connection, Request, Response};
use support::idp::Idp;
use support::manifests::{documents, text};
use support::mint::Signer;
use support::scenario::merged;
use support::upstream::Upstream;
use support::{docs, entra};
use tokio::io::{AsyncRead, AsyncWrite};

use super::controller::Controller;
use super::proxy::Proxy;
use super::servers::{self, WebServer};
use crate::program::{Answer, run};
use crate::registry::Registry;
use crate::{api, entra_keys, machine, until};
use support::load::Load;

/// The host of the route.
const HOST: &str = "ml.example.com";

/// The page.
const PAGE: &str = "docs/deploy-envoy-gateway.md";

/// The manifests, in the repository and in the folder of the suite.
const MANIFESTS: &str = "examples/envoy-gateway";

/// The digest of the manifests, which matches nothing.
const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Kinds of policies, which [`World::policies`] deletes.
const POLICIES: &str = "envoyextensionpolicies,clienttrafficpolicies,backendtrafficpolicies,\
                        securitypolicies,envoypatchpolicies";

/// A cluster with Envoy Gateway, one Gateway and the model behind it.
pub struct World {
    _api: api::Api,
    pub controller: Controller,
    pub proxy: Proxy,
    pub model: Upstream,
    pub issuer: Idp,
    pub signer: Signer,
    pub registry: Registry,
    pub files: WebServer,
}

impl World {
    /// Takes the steps of the page, with the commands of its quick start.
    pub fn start() -> Self {
        let (registry, signer) = (Registry::start(), Signer::new("RS256", "key-1"));
        let (issuer, files) = (entra_keys::serve(&signer), WebServer::start());
        let (image, api) = thread::scope(|scope| {
            let image = scope.spawn(|| registry.push("0.1.0"));
            let api = api::Api::start();
            api.define();
            (image.join().unwrap(), api)
        });
        copy_manifests(&image, &files);
        let mut controller = Controller::install();
        controller.start();
        api::kubectl(["create", "namespace", "models"]).ok();
        let model = servers::model();
        servers::certificate(HOST, "scoring-tls");
        page("kubectl apply", "").ok();
        let proxy = Proxy::start("scoring", 20);
        let world = Self { _api: api, controller, proxy, model, issuer, signer, registry, files };
        world.until(&Request::post("/score", "{}"), 401, "token_missing");
        world
    }

    /// Applies policies, and deletes all others.
    pub fn policies(&self, manifests: &[Value]) {
        if !manifests.is_empty() {
            let texts: Vec<_> = manifests.iter().map(Value::to_string).collect();
            api::apply(&texts.join("\n---\n")).ok();
        }
        let others = api::get(&[POLICIES, "--namespace", "models"]).unwrap();
        for object in others["items"].as_array().unwrap() {
            let (kind, name) = (text(object, "/kind"), text(object, "/metadata/name"));
            let same = |one: &&Value| one["kind"] == kind && one["metadata"]["name"] == name;
            if !manifests.iter().any(|one| same(&one)) {
                api::kubectl(["delete", kind, name, "--namespace", "models"]).ok();
            }
        }
    }

    /// A token of a caller; `changes` replace claims.
    pub fn token(&self, caller: &str, changes: Value) -> String {
        let claims = entra::claims(entra::TENANT, json!({"oid": caller}));
        self.signer.sign(&merged(claims, changes))
    }

    /// A request for a score with a good token.
    pub fn score(&self, caller: &str) -> Request {
        Request::post("/score", "{}").bearer(self.token(caller, json!({})))
    }

    /// The answer of the Gateway to a request on a connection of its own.
    pub fn call(&self, request: &Request) -> Response {
        self.try_call(request).unwrap()
    }

    fn try_call(&self, request: &Request) -> std::io::Result<Response> {
        machine::runtime().block_on(async {
            let stream = connect(self.proxy.at(443)).await?;
            Ok(Connection::over(stream, request).await)
        })
    }

    /// Status and reason of the answer to a request; 0 while there is none.
    pub fn verdict(&self, request: &Request) -> (u16, String) {
        self.try_call(request).map_or((0, String::new()), |answer| (answer.status, answer.reason()))
    }

    /// Waits until the Gateway answers a request so.
    pub fn until(&self, request: &Request, status: u16, reason: &str) {
        let mut last = (0, String::new());
        until(60, &format!("{status} {reason} ({last:?})"), || {
            last = self.verdict(request);
            (last == (status, reason.to_owned())).then_some(())
        });
    }

    /// A stream of a request over so many connections to the Gateway.
    pub fn load(&self, connections: usize, request: &Request) -> Load {
        let at = self.proxy.at(443);
        Load::start(machine::runtime().handle(), connections, request, move || connect(at))
    }
}

/// A connection to the Gateway by its host.
pub async fn connect(
    at: SocketAddr,
) -> std::io::Result<impl AsyncRead + AsyncWrite + Unpin + Send> {
    let stream = support::client::connect(at).await?;
    machine::authority().greet(HOST, stream, None).await
}

/// The documents of a file of `examples/envoy-gateway`, with the digest in the place of the zeros.
pub fn shipped(file: &str) -> Vec<Value> {
    let path = machine::folder().join(MANIFESTS).join(file);
    documents(&fs::read_to_string(path).unwrap())
}

/// Copies the manifests with the digests set: the step `Adapt` of the page.
fn copy_manifests(image: &str, files: &WebServer) {
    let module = files.put("tollgate-0.1.0.wasm", &fs::read(support::module()).unwrap());
    let to = machine::folder().join(MANIFESTS);
    fs::create_dir_all(&to).unwrap();
    for entry in fs::read_dir(support::root().join(MANIFESTS)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        let digest = if name == "policy.yaml" { image } else { &module };
        let content = fs::read_to_string(&path).unwrap().replace(ZEROS, digest);
        fs::write(to.join(name), content).unwrap();
    }
}

/// Runs the one block of the page's quick start that contains a text, as a reader would, with a token in `TOKEN`.
pub fn page(contains: &str, token: &str) -> Answer {
    let mut blocks = docs::blocks(PAGE);
    blocks.retain(|block| block.heading == "Quick start" && block.text.contains(contains));
    let [block] = blocks.as_slice() else { panic!("{contains} in {PAGE}") };
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", &block.text]).current_dir(machine::folder());
    run(command.env("KUBECONFIG", api::kubeconfig()).env("TOKEN", token))
}

/// The conditions of a policy for its Gateway at its present state: names, states and messages. `None`: there is no
/// status.
pub fn conditions(kind: &str, name: &str) -> Option<Vec<(String, bool, String)>> {
    let object = api::get(&[kind, name, "--namespace", "models"]).unwrap();
    let generation = &object["metadata"]["generation"];
    let conditions = object["status"]["ancestors"][0]["conditions"].as_array()?;
    let of = |one: &Value| {
        let text = |member: &str| one[member].as_str().unwrap_or_default().to_owned();
        (text("type"), one["status"] == "True", text("message"))
    };
    let current = conditions.iter().filter(|one| one["observedGeneration"] == *generation);
    Some(current.map(of).collect())
}

/// Waits for the condition `Accepted` of a policy: its state and message.
pub fn accepted(kind: &str, name: &str) -> (bool, String) {
    until(60, &format!("Accepted of {kind} {name}"), || {
        let mut all = conditions(kind, name)?.into_iter();
        all.find(|one| one.0 == "Accepted").map(|one| (one.1, one.2))
    })
}
