//! The configurations under `envoy/`, loaded as they are and run with the ports of a test.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::root;

const HCM: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";

/// A whole configuration under `envoy/`, and the additions of a test.
#[derive(Clone)]
pub struct Sample(Value);

impl Sample {
    /// `envoy/envoy.yaml` in front of this upstream, on free ports.
    pub fn load(upstream: SocketAddr) -> Self {
        Self::load_file("envoy/envoy.yaml", upstream)
    }

    /// Another configuration whose first cluster is the upstream.
    pub fn load_file(path: &str, upstream: SocketAddr) -> Self {
        let mut sample = read(path);
        for (pointer, port) in [
            ("/admin/address", 0),
            ("/static_resources/listeners/0/address", 0),
            (
                "/static_resources/clusters/0/load_assignment/endpoints/0/lb_endpoints/0/endpoint\
                 /address",
                upstream.port(),
            ),
        ] {
            sample.pointer_mut(pointer).unwrap()["socket_address"]["port_value"] = json!(port);
        }
        Self(sample)
    }

    /// Another configuration of the filter. `{"env": …}` keys and hashes work with the variables
    /// that [`Sample::variable`] names.
    pub fn plugin(mut self, config: &Value) -> Self {
        self.wasm()["configuration"]["value"] = json!(config.to_string());
        self
    }

    /// The configuration of the filter.
    pub fn plugin_config(&self) -> Value {
        let text = self.clone().wasm()["configuration"]["value"].as_str().unwrap().to_owned();
        serde_json::from_str(&text).unwrap()
    }

    /// Hands a variable of Envoy's environment to the VM.
    pub fn variable(mut self, name: &str) -> Self {
        let keys = &mut self.wasm()["vm_config"]["environment_variables"]["host_env_keys"];
        keys.as_array_mut().unwrap().push(json!(name));
        self
    }

    /// Adds the parts of `envoy/telemetry/<name>.yaml`, whose one cluster leads to `receiver`.
    pub fn with(mut self, name: &str, receiver: SocketAddr) -> Self {
        let part = read(&format!("envoy/telemetry/{name}.yaml"));
        let mut cluster = part["clusters"][0].clone();
        let endpoint = "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address";
        let address = cluster.pointer_mut(endpoint).unwrap();
        address["socket_address"]["port_value"] = json!(receiver.port());
        self.0["static_resources"]["clusters"].as_array_mut().unwrap().push(cluster);
        let hcm = self.0.pointer_mut(HCM).unwrap();
        if let Some(logs) = part["access_log"].as_array() {
            hcm["access_log"].as_array_mut().unwrap().extend(logs.iter().cloned());
        }
        if part["tracing"].is_object() {
            hcm["tracing"] = part["tracing"].clone();
        }
        self
    }

    /// The same for this Envoy. In 1.36 spans do without filter state, and log records are configured
    /// one level further down.
    pub fn for_envoy(mut self, binary: &Path) -> Self {
        if !is_1_36(binary) {
            return self;
        }
        let hcm = self.at(HCM);
        if let Some(tags) = hcm.pointer_mut("/tracing/custom_tags") {
            tags.as_array_mut().unwrap().retain(|tag| tag.get("value").is_none());
        }
        for log in hcm["access_log"].as_array_mut().unwrap() {
            let config = log["typed_config"].as_object_mut().unwrap();
            if config["@type"].as_str().unwrap().ends_with("OpenTelemetryAccessLogConfig") {
                let fields = ["log_name", "grpc_service", "buffer_flush_interval"];
                let mut common: serde_json::Map<_, _> =
                    fields.iter().filter_map(|name| config.remove_entry(*name)).collect();
                common.insert("transport_api_version".to_owned(), json!("V3"));
                config.insert("common_config".to_owned(), Value::Object(common));
            }
        }
        self
    }

    /// A further cluster of one plain address.
    pub fn cluster(mut self, name: &str, address: SocketAddr) -> Self {
        let clusters = self.0["static_resources"]["clusters"].as_array_mut().unwrap();
        clusters.push(super::envoy::cluster(name, address));
        self
    }

    /// A place in the bootstrap to change.
    pub fn at(&mut self, pointer: &str) -> &mut Value {
        self.0.pointer_mut(pointer).unwrap()
    }

    /// The bootstrap; JSON is YAML.
    pub fn text(&self) -> String {
        self.0.to_string()
    }

    fn wasm(&mut self) -> &mut Value {
        &mut self.0.pointer_mut(HCM).unwrap()["http_filters"][0]["typed_config"]["config"]
    }
}

/// Whether this is Envoy 1.36.
pub fn is_1_36(binary: &Path) -> bool {
    let output = Command::new(binary).arg("--version").output().unwrap();
    String::from_utf8(output.stdout).unwrap().contains("/1.36.")
}

/// A YAML file of the repository.
pub fn read(path: &str) -> Value {
    let text = std::fs::read_to_string(root().join(path)).unwrap();
    serde_yaml_ng::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}
