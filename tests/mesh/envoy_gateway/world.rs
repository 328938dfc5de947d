//! The place that the shipped manifests name: a model with its Service, an issuer, a web server with the module, and
//! callers.

use std::fs;
use std::net::Ipv4Addr;
use std::process::Command;

use serde_json::{Value, json};
use support::client::{Connection, Request, Response};
use support::entra;
use support::idp::{ENTRA_JWKS, Idp};
use support::mint::Signer;
use support::upstream::{Reply, Upstream};

use super::controller::Controller;
use super::proxy::Proxy;
use crate::program::{Program, run};
use crate::{api, machine, until};

/// The host of the route.
pub const HOST: &str = "ml.example.com";

/// The digest of the manifests, which matches nothing.
const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A Service and where it leads: Envoy Gateway itself listens on 8080.
const MODEL: &str = "
apiVersion: v1
kind: Service
metadata: {name: scoring, namespace: models}
spec: {ports: [{name: http, port: 8080, targetPort: 8000}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: scoring-1, namespace: models, labels: {kubernetes.io/service-name: scoring}}
addressType: IPv4
endpoints: [{addresses: [ADDRESS], conditions: {ready: true}}]
ports: [{name: http, port: 8000}]
";

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
    pub files: Program,
}

impl World {
    /// Takes the steps of docs/deploy-envoy-gateway.md with a policy of `examples/envoy-gateway`.
    pub fn start(policy: &str) -> Self {
        let signer = Signer::new("RS256", "key-1");
        let (model, issuer) = machine::runtime().block_on(servers(&signer));
        machine::trust(&issuer.ca_pem());
        let files = web_server();
        let api = api::Api::start();
        api.define();
        let mut controller = Controller::install();
        controller.start();
        api::kubectl(["create", "namespace", "models"]).ok();
        certificate(HOST, "scoring-tls");
        api::apply(&MODEL.replace("ADDRESS", &model.address().ip().to_string())).ok();
        for file in ["proxy.yaml", policy, "clients.yaml", "gateway.yaml"] {
            api::apply(&shipped(file)).ok();
        }
        let proxy = Proxy::start("scoring", 20);
        Self { _api: api, controller, proxy, model, issuer, signer, files }
    }

    /// Applies policies, and deletes all others.
    pub fn policies(&self, manifests: &str) {
        api::apply(manifests).ok();
        let applied = support::manifests::documents(manifests);
        let others = api::get(&[POLICIES, "--namespace", "models"]).unwrap();
        for object in others["items"].as_array().unwrap() {
            let same = |one: &Value| {
                one["kind"] == object["kind"]
                    && one["metadata"]["name"] == object["metadata"]["name"]
            };
            if !applied.iter().any(same) {
                let kind = object["kind"].as_str().unwrap();
                let name = object["metadata"]["name"].as_str().unwrap();
                api::kubectl(["delete", kind, name, "--namespace", "models"]).ok();
            }
        }
    }

    /// A token of a caller; `changes` replace claims.
    pub fn token(&self, caller: &str, changes: Value) -> String {
        let claims = entra::claims(entra::TENANT, json!({"oid": caller}));
        self.signer.sign(&support::scenario::merged(claims, changes))
    }

    /// A request for a score with a good token.
    pub fn score(&self, caller: &str) -> Request {
        Request::post("/score", "{}").bearer(self.token(caller, json!({})))
    }

    /// The answer of the Gateway to a request on a connection of its own.
    pub fn call(&self, request: &Request) -> Response {
        machine::runtime().block_on(self.send(request)).unwrap()
    }

    async fn send(&self, request: &Request) -> std::io::Result<Response> {
        let stream = support::client::connect(self.proxy.at(443)).await?;
        let stream = machine::authority().greet(HOST, stream, None).await?;
        Ok(Connection::over(stream, request).await)
    }

    /// Status and reason of the answer to a request; 0 while there is none.
    pub fn verdict(&self, request: &Request) -> (u16, String) {
        let answer = machine::runtime().block_on(self.send(request));
        answer.map_or((0, String::new()), |answer| (answer.status, answer.reason()))
    }

    /// Waits until the Gateway answers a request so.
    pub fn until(&self, request: &Request, status: u16, reason: &str) {
        let mut last = (0, String::new());
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while last != (status, reason.to_owned()) {
            assert!(std::time::Instant::now() < end, "{last:?}, not {status} {reason}");
            last = self.verdict(request);
        }
    }
}

/// A file of `examples/envoy-gateway` with the digest of the module in the place of the zeros.
pub fn shipped(file: &str) -> String {
    let path = support::root().join("examples/envoy-gateway").join(file);
    fs::read_to_string(path).unwrap().replace(ZEROS, &digest())
}

/// The digest of the module.
pub fn digest() -> String {
    let answer = run(Command::new("sha256sum").arg(support::module())).ok();
    answer.split(' ').next().unwrap().to_owned()
}

/// The conditions of a policy for its Gateway: names, states and messages. `None`: it has no status.
pub fn conditions(kind: &str, name: &str) -> Option<Vec<(String, bool, String)>> {
    let object = api::get(&[kind, name, "--namespace", "models"]).unwrap();
    let generation = &object["metadata"]["generation"];
    let conditions = object["status"]["ancestors"][0]["conditions"].as_array()?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let current = conditions.iter().filter(|one| one["observedGeneration"] == *generation);
    let each =
        current.map(|one| (text(&one["type"]), one["status"] == "True", text(&one["message"])));
    Some(each.collect())
}

/// Waits for the condition `Accepted` of a policy: its state and message.
pub fn accepted(kind: &str, name: &str) -> (bool, String) {
    until(60, &format!("Accepted of {kind} {name}"), || {
        let all = conditions(kind, name)?.into_iter();
        all.filter(|one| one.0 == "Accepted").map(|one| (one.1, one.2)).next()
    })
}

/// The model, and the issuer under its real name.
async fn servers(signer: &Signer) -> (Upstream, Idp) {
    let model = Upstream::listening((machine::address(5), 8000).into(), Reply::echo).await;
    let at = named(3, "login.microsoftonline.com");
    let names = ["login.microsoftonline.com"];
    let issuer = Idp::at((at, 443).into(), &names, ENTRA_JWKS, entra::keys(signer));
    (model, issuer)
}

/// An address of the machine under a name.
fn named(last: u8, name: &str) -> Ipv4Addr {
    let address = machine::address(last);
    machine::name(address, name);
    address
}

/// A web server with the module, `files.example.com`.
fn web_server() -> Program {
    let folder = machine::folder().join("files");
    fs::create_dir_all(&folder).unwrap();
    fs::copy(support::module(), folder.join("tollgate-0.1.0.wasm")).unwrap();
    let name = "files.example.com";
    let (certificate, key) = pair(name);
    let accept = format!("{}:443", named(4, name));
    let files = ["-cert", &certificate, "-key", &key];
    let arguments = ["s_server", "-quiet", "-WWW", "-accept", &accept];
    let mut command = Command::new("openssl");
    Program::start("files", command.args(arguments).args(files).current_dir(folder))
}

/// The files of a certificate for a name and of its key.
fn pair(name: &str) -> (String, String) {
    let (certificate, key) = machine::authority().workload_pem(name);
    let write = |ending: &str, content: String| {
        let path = machine::folder().join(format!("{name}.{ending}"));
        fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    (write("crt", certificate), write("key", key))
}

/// A Secret with a certificate for a name.
fn certificate(name: &str, secret: &str) {
    let (certificate, key) = pair(name);
    let files = ["--cert", &certificate, "--key", &key];
    let create = ["create", "secret", "tls", secret, "--namespace", "models"];
    api::kubectl(create.into_iter().chain(files)).ok();
}
