//! The examples under `envoy/`, adapted to a test: its ports, its addresses, its certificates.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::fixture::Fixture;
use super::mint::jwks;
use super::{module, process, root};

/// A directory that goes with its test; it stays when the test fails.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = root().join(format!("target/e2e/edge-{}-{number}", process()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file; its whole path.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// A text with parts of it replaced, each of which stands there exactly once.
pub fn adapt(mut text: String, changes: &[(&str, &str)]) -> String {
    for (shipped, here) in changes {
        assert_eq!(text.matches(shipped).count(), 1, "{shipped:?} in\n{text}");
        text = text.replace(shipped, here);
    }
    text
}

const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";

/// An example of Envoy's half.
#[derive(Clone)]
pub struct Example(Value);

impl Example {
    /// The example on free ports of loopback, its clusters as they are.
    pub fn load(path: &str) -> Self {
        Self::parse(&std::fs::read_to_string(root().join(path)).unwrap())
    }

    /// The same of a text.
    pub fn parse(yaml: &str) -> Self {
        let mut value: Value = serde_yaml_ng::from_str(yaml).unwrap();
        let free = json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}});
        for listener in value["static_resources"]["listeners"].as_array_mut().unwrap() {
            listener["address"] = free.clone();
        }
        let admin = &value["admin"]["address"]["socket_address"]["address"];
        assert!(admin.is_null() || admin == "127.0.0.1", "admin is for loopback alone");
        value["admin"] = json!({"address": free});
        let mut example = Self(value);
        example.file("dist/tollgate.wasm", module().to_str().unwrap());
        example
    }

    /// A bootstrap that is adapted already.
    pub fn whole(value: Value) -> Self {
        Self(value)
    }

    /// Where a cluster of one endpoint leads.
    pub fn cluster(mut self, name: &str, address: SocketAddr) -> Self {
        let clusters = self.0["static_resources"]["clusters"].as_array_mut().unwrap();
        let cluster = clusters.iter_mut().find(|cluster| cluster["name"] == name).unwrap();
        let endpoint = "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address";
        *cluster.pointer_mut(endpoint).unwrap() = json!({"socket_address": {
            "address": address.ip().to_string(), "port_value": address.port(),
        }});
        self
    }

    /// Another file in place of one that the example names.
    pub fn with_file(mut self, shipped: &str, here: &str) -> Self {
        self.file(shipped, here);
        self
    }

    fn file(&mut self, shipped: &str, here: &str) {
        let count = replace(&mut self.0, shipped, here);
        assert_eq!(count, 1, "{shipped} is named once");
    }

    /// The bootstrap; JSON is YAML.
    pub fn text(&self) -> String {
        self.0.to_string()
    }

    /// The Wasm filter's `config`.
    pub fn wasm(&self) -> &Value {
        &self.0.pointer(MANAGER).unwrap()["http_filters"][0]["typed_config"]["config"]
    }

    /// With another configuration of the filter.
    pub fn configured(mut self, change: impl FnOnce(&mut Value)) -> Self {
        let config = "/http_filters/0/typed_config/config/configuration/value";
        let text = self.0.pointer_mut(MANAGER).unwrap().pointer_mut(config).unwrap();
        let mut config = serde_json::from_str(text.as_str().unwrap()).unwrap();
        change(&mut config);
        *text = json!(config.to_string());
        self
    }

    /// With a change in its connection manager.
    pub fn managed(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(self.0.pointer_mut(MANAGER).unwrap());
        self
    }

    /// With a module that Envoy cannot fetch.
    pub fn without_module(mut self, failure_policy: &str) -> Self {
        let manager = self.0.pointer_mut(MANAGER).unwrap();
        let route = "/route_config/virtual_hosts/0/routes/0/route/cluster";
        let cluster = manager.pointer(route).unwrap().clone();
        let config = &mut manager["http_filters"][0]["typed_config"]["config"];
        config["vm_config"]["code"] = no_module(&cluster);
        config["failure_policy"] = json!(failure_policy);
        self
    }

    /// A proxy that believes the hop before it: without the filter, and without the removal of the
    /// filter's headers.
    pub fn believing(mut self) -> Self {
        let manager = self.0.pointer_mut(MANAGER).unwrap();
        manager["http_filters"].as_array_mut().unwrap().remove(0);
        manager.as_object_mut().unwrap().remove("early_header_mutation_extensions").unwrap();
        self
    }

    /// Runs `envoy --mode validate` on it, with the signer's key in the environment.
    ///
    /// # Panics
    /// When it is refused.
    pub fn validate(&self, fixture: &Fixture, folder: &Folder) {
        let file = folder.file("validate.yaml", self.text());
        let done = Command::new(&fixture.binary)
            .args(["--mode", "validate", "--config-path", &file, "--use-dynamic-base-id"])
            .args(["--concurrency", "1"])
            .env("TOLLGATE_JWKS", jwks(&[&fixture.signer]).to_string())
            .current_dir(root())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{said}");
    }
}

/// The code of a module that a cluster does not have.
pub fn no_module(cluster: &Value) -> Value {
    json!({"remote": {
        "http_uri": {"uri": "http://files.test/", "cluster": cluster, "timeout": "1s"},
        "sha256": "00".repeat(32),
        "retry_policy": {"num_retries": 0},
    }})
}

/// Strings that equal `shipped`, replaced; how many there were.
fn replace(value: &mut Value, shipped: &str, here: &str) -> usize {
    match value {
        Value::String(text) if text == shipped => {
            *value = json!(here);
            1
        }
        Value::Array(list) => list.iter_mut().map(|v| replace(v, shipped, here)).sum(),
        Value::Object(map) => map.values_mut().map(|v| replace(v, shipped, here)).sum(),
        _ => 0,
    }
}
