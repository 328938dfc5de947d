//! The servers that the manifests name, beside the registry.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use support::upstream::{Reply, Upstream};

use crate::program::Program;
use crate::{api, machine};

/// A Service and where it leads. Envoy Gateway itself listens on port 8080.
const SERVICE: &str = "
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

/// The model `scoring` with its Service.
pub fn model() -> Upstream {
    let address = machine::address(5);
    api::apply(&SERVICE.replace("ADDRESS", &address.to_string())).ok();
    machine::runtime().block_on(Upstream::listening((address, 8000).into(), Reply::echo))
}

/// The web server of policy-http.yaml: the files of a folder.
pub struct WebServer {
    folder: PathBuf,
    _program: Program,
}

impl WebServer {
    /// Starts it with the module `tollgate-0.1.0.wasm`.
    pub fn start() -> Self {
        let folder = machine::folder().join("files");
        fs::create_dir_all(&folder).unwrap();
        let name = "files.example.com";
        let (certificate, key) = pair(name);
        let address = machine::address(4);
        machine::name(address, name);
        let accept = format!("{address}:443");
        let mut command = Command::new("openssl");
        command.args(["s_server", "-quiet", "-WWW", "-accept", &accept]);
        command.args(["-cert", &certificate, "-key", &key]).current_dir(&folder);
        let server = Self { folder, _program: Program::start("files", &mut command) };
        server.put("tollgate-0.1.0.wasm", &fs::read(support::module()).unwrap());
        server
    }

    /// Serves a file; its digest.
    pub fn put(&self, name: &str, content: &[u8]) -> String {
        let path = self.folder.join(name);
        fs::write(&path, content).unwrap();
        let answer = crate::program::run(Command::new("sha256sum").arg(path)).ok();
        answer.split(' ').next().unwrap().to_owned()
    }
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
pub fn certificate(name: &str, secret: &str) {
    let (certificate, key) = pair(name);
    let files = ["--cert", &certificate, "--key", &key];
    let create = ["create", "secret", "tls", secret, "--namespace", "models"];
    api::kubectl(create.into_iter().chain(files)).ok();
}
