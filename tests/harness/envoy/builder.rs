//! The parts of an Envoy: its bootstrap, its listener, the filter in it; and its start.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::promise::Promise;
use super::{Envoy, FLUSH, REJECTED, write_atomically};
use crate::upstream::Witness;
use crate::{eventually, merge, module, process, root};

/// Writes a module with a fault in it.
type Fault = Arc<dyn Fn(&Path) + Send + Sync>;

/// The parts of an [`Envoy`].
#[derive(Clone)]
pub struct Builder {
    binary: PathBuf,
    pub(super) workers: u32,
    module: PathBuf,
    fault: Option<Fault>,
    plugin: Option<Value>,
    variables: BTreeMap<String, String>,
    environment: BTreeMap<String, String>,
    upstream: Option<SocketAddr>,
    clusters: Vec<Value>,
    hcm: Value,
    before: Vec<Value>,
    plugins_before: Vec<(Option<PathBuf>, Value)>,
    after: Vec<Value>,
    routes: Option<Value>,
    runtime: BTreeMap<String, Value>,
    log_fields: BTreeMap<String, String>,
    log_level: String,
    drain_time: u32,
    transport_socket: Option<Value>,
    buffer_limit: Option<u32>,
    stop_iteration: bool,
    capabilities: Option<Vec<String>>,
}

impl Builder {
    pub(super) fn new(binary: PathBuf) -> Self {
        Self {
            binary,
            workers: 2,
            module: module(),
            fault: None,
            plugin: None,
            variables: BTreeMap::new(),
            environment: BTreeMap::new(),
            upstream: None,
            clusters: Vec::new(),
            hcm: json!({}),
            before: Vec::new(),
            plugins_before: Vec::new(),
            after: Vec::new(),
            routes: None,
            runtime: BTreeMap::new(),
            log_fields: BTreeMap::new(),
            log_level: "info".to_owned(),
            drain_time: 1,
            transport_socket: None,
            buffer_limit: None,
            stop_iteration: false,
            capabilities: None,
        }
    }

    /// Worker threads; 2 unless said otherwise.
    pub fn workers(mut self, count: u32) -> Self {
        self.workers = count;
        self
    }

    /// The filter's configuration (docs/configuration.md). Without one, Envoy runs without the filter.
    pub fn plugin_config(mut self, config: Value) -> Self {
        self.plugin = Some(config);
        self
    }

    /// Another module than `dist/tollgate.wasm`.
    pub fn module(mut self, path: impl Into<PathBuf>) -> Self {
        self.module = path.into();
        self
    }

    /// The module with a fault in it, so that VMs may die: `write` writes that module.
    pub fn fault(mut self, write: impl Fn(&Path) + Send + Sync + 'static) -> Self {
        self.fault = Some(Arc::new(write));
        self
    }

    pub(super) fn faulty(&self) -> bool {
        self.fault.is_some()
    }

    /// An environment variable of the VM.
    pub fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    /// An environment variable of the Envoy process.
    pub fn environment(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.insert(name.to_owned(), value.into());
        self
    }

    /// Where the cluster `upstream` leads, to which every route goes.
    pub fn upstream(mut self, address: SocketAddr) -> Self {
        self.upstream = Some(address);
        self
    }

    /// A further cluster of one plain address, for callouts.
    pub fn cluster(mut self, name: &str, address: SocketAddr) -> Self {
        self.clusters.push(cluster(name, address));
        self
    }

    /// A further cluster, written out (`envoy.config.cluster.v3.Cluster`).
    pub fn raw_cluster(mut self, cluster: Value) -> Self {
        self.clusters.push(cluster);
        self
    }

    /// Fields of the HTTP connection manager, such as `normalize_path`, `merge_slashes`,
    /// `path_with_escaped_slashes_action`.
    pub fn hcm(mut self, fields: Value) -> Self {
        merge(&mut self.hcm, fields);
        self
    }

    /// An HTTP filter in front of ours.
    pub fn filter_before(mut self, filter: Value) -> Self {
        self.before.push(filter);
        self
    }

    /// Our filter a second time, in front, with another configuration: of the same VM and name, so that
    /// both have one map of shared data. Another module may be named.
    pub fn plugin_before(mut self, module: Option<PathBuf>, config: Value) -> Self {
        self.plugins_before.push((module, config));
        self
    }

    pub(super) fn set_before(&mut self, filter: Value) {
        self.before = vec![filter];
    }

    /// An HTTP filter between ours and the router.
    pub fn filter_after(mut self, filter: Value) -> Self {
        self.after.push(filter);
        self
    }

    /// The routes of the one virtual host; everything goes to `upstream` unless said otherwise.
    pub fn routes(mut self, routes: Value) -> Self {
        self.routes = Some(routes);
        self
    }

    /// A runtime flag.
    pub fn runtime(mut self, key: &str, value: Value) -> Self {
        self.runtime.insert(key.to_owned(), value);
        self
    }

    /// A further field of the access log.
    pub fn log_field(mut self, name: &str, format: &str) -> Self {
        self.log_fields.insert(name.to_owned(), format.to_owned());
        self
    }

    /// Envoy's log level; `info` unless said otherwise.
    pub fn log_level(mut self, level: &str) -> Self {
        self.log_level = level.to_owned();
        self
    }

    /// Seconds for which streams of an earlier configuration may go on; 1 unless said otherwise.
    pub fn drain_time(mut self, seconds: u32) -> Self {
        self.drain_time = seconds;
        self
    }

    /// The transport below HTTP; plain TCP by default.
    pub fn transport_socket(mut self, socket: Value) -> Self {
        self.transport_socket = Some(socket);
        self
    }

    /// `per_connection_buffer_limit_bytes` of the listener; Envoy's own is 1 MiB.
    pub fn buffer_limit(mut self, bytes: u32) -> Self {
        self.buffer_limit = Some(bytes);
        self
    }

    /// `allow_on_headers_stop_iteration` of the plugin, which `hold_head` needs.
    pub fn stop_iteration(mut self) -> Self {
        self.stop_iteration = true;
        self
    }

    /// The only functions of the ABI that the host allows the plugin; all unless said otherwise.
    pub fn capabilities(mut self, allowed: impl IntoIterator<Item = String>) -> Self {
        self.capabilities = Some(allowed.into_iter().collect());
        self
    }

    /// The buffer filter of Envoy between ours and the router: heads wait in it for their bodies.
    pub fn buffer_filter(self) -> Self {
        let kind = type_url("envoy.extensions.filters.http.buffer.v3.Buffer");
        self.filter_after(json!({
            "name": "envoy.filters.http.buffer",
            "typed_config": {"@type": kind, "max_request_bytes": 1 << 20},
        }))
    }

    /// The promise of this Envoy, and the witness of the requests behind it.
    pub(super) fn promise(&self) -> Promise {
        let plugin = self.plugin.clone().unwrap_or_default();
        let buffers = self.after.iter().any(|filter| filter["name"] == "envoy.filters.http.buffer");
        let holds = self.stop_iteration && plugin["hold_head"] == true;
        Promise { witness: self.upstream.and_then(Witness::at), whole: holds || buffers }
    }

    /// Starts Envoy and waits until the listener accepts connections.
    ///
    /// # Panics
    /// When it does not; with the end of its log.
    pub async fn start(self) -> Envoy {
        self.spawn().await.listening().await
    }

    /// Starts Envoy and waits until it refused the listener; for configurations that must not load.
    ///
    /// The [`Envoy::address`] of the result is not listened on.
    pub async fn start_refused(self) -> Envoy {
        let envoy = self.spawn().await;
        let refused = async || (envoy.stat(REJECTED).await > 0).then_some(());
        if eventually(refused).await.is_none() {
            panic!("the listener was not refused:\n{}", envoy.log_end());
        }
        envoy
    }

    /// Starts Envoy on a whole configuration file instead: of this builder only the binary, the
    /// workers, the environment and the log level count, and there is no [`Envoy::reload`].
    pub async fn start_file(self, yaml: &str) -> Envoy {
        let directory = fresh_directory();
        std::fs::write(directory.join("bootstrap.yaml"), yaml).unwrap();
        self.launch(directory).await.listening().await
    }

    async fn spawn(mut self) -> Envoy {
        let directory = fresh_directory();
        if let Some(write) = &self.fault {
            self.module = directory.join("faulty.wasm");
            write(&self.module);
        }
        write_atomically(&directory, "lds.json", &self.lds(&directory, self.plugin.as_ref(), 0));
        let bootstrap = self.bootstrap(&directory).to_string();
        std::fs::write(directory.join("bootstrap.yaml"), bootstrap).unwrap();
        self.launch(directory).await
    }

    /// Runs Envoy on the `bootstrap.yaml` of the directory and waits until it is live.
    async fn launch(self, directory: PathBuf) -> Envoy {
        let output = std::fs::File::create(directory.join("output.log")).unwrap();
        let child = Command::new(&self.binary)
            .current_dir(root())
            .arg("--config-path")
            .arg(directory.join("bootstrap.yaml"))
            .arg("--admin-address-path")
            .arg(directory.join("admin"))
            .arg("--log-path")
            .arg(directory.join("envoy.log"))
            .args(["--use-dynamic-base-id", "--concurrency", &self.workers.to_string()])
            .args(["--log-level", &self.log_level])
            .args(["--file-flush-interval-msec", &FLUSH.as_millis().to_string()])
            .args(["--drain-time-s", &self.drain_time.to_string()])
            .args(["--parent-shutdown-time-s", &(self.drain_time + 1).to_string()])
            .envs(&self.environment)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", self.binary.display()));
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut envoy =
            Envoy { builder: self, directory, child, admin: nowhere, address: nowhere, pushes: 0 };
        match eventually(async || envoy.admin_when_live().await).await {
            Some(admin) => envoy.admin = admin,
            None => panic!("Envoy did not become live:\n{}", envoy.log_end()),
        }
        envoy
    }

    fn bootstrap(&self, directory: &Path) -> Value {
        let upstream = self.upstream.map(|address| cluster("upstream", address));
        let clusters: Vec<_> = upstream.into_iter().chain(self.clusters.clone()).collect();
        json!({
            "node": {"id": "e2e", "cluster": "e2e"},
            "admin": {"address": socket_address(SocketAddr::from(([127, 0, 0, 1], 0)))},
            "dynamic_resources": {"lds_config": {
                "resource_api_version": "V3",
                "path_config_source": {
                    "path": directory.join("lds.json"), "watched_directory": {"path": directory},
                },
            }},
            "static_resources": {"clusters": clusters},
            "layered_runtime": {"layers": [{"name": "test", "static_layer": self.runtime}]},
        })
    }

    /// The listener file. `serial` makes each push differ from the one before it, even when the
    /// filter's configuration is the same.
    pub(super) fn lds(&self, directory: &Path, plugin: Option<&Value>, serial: u64) -> String {
        let wasm = plugin.map(|plugin| self.wasm_filter(&self.module, plugin));
        let others = self.plugins_before.iter().map(|(module, plugin)| {
            self.wasm_filter(module.as_ref().unwrap_or(&self.module), plugin)
        });
        let router = json!({"name": "envoy.filters.http.router", "typed_config": {
            "@type": type_url("envoy.extensions.filters.http.router.v3.Router"),
        }});
        let filters =
            self.before.iter().cloned().chain(others).chain(wasm).chain(self.after.iter().cloned());
        let filters: Vec<_> = filters.chain([router]).collect();
        let everything = json!([{"match": {"prefix": "/"}, "route": {"cluster": "upstream"}}]);
        let mut hcm = json!({
            "@type": type_url(
                "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
            ),
            "stat_prefix": "e2e",
            "route_config": {"virtual_hosts": [{
                "name": "all", "domains": ["*"], "routes": self.routes.clone().unwrap_or(everything),
            }]},
            "http_filters": filters,
            "access_log": [self.access_log(directory)],
        });
        merge(&mut hcm, self.hcm.clone());
        let mut chain = json!({
            "metadata": {"filter_metadata": {"e2e": {"serial": serial}}},
            "filters": [{
                "name": "envoy.filters.network.http_connection_manager", "typed_config": hcm,
            }],
        });
        if let Some(socket) = &self.transport_socket {
            merge(&mut chain, json!({"transport_socket": socket}));
        }
        let mut listener = json!({
            "@type": type_url("envoy.config.listener.v3.Listener"),
            "name": "e2e",
            "address": socket_address(SocketAddr::from(([127, 0, 0, 1], 0))),
            "filter_chains": [chain],
        });
        if let Some(bytes) = self.buffer_limit {
            merge(&mut listener, json!({"per_connection_buffer_limit_bytes": bytes}));
        }
        json!({"version_info": serial.to_string(), "resources": [listener]}).to_string()
    }

    fn wasm_filter(&self, module: &Path, plugin: &Value) -> Value {
        let mut filter = json!({"name": "envoy.filters.http.wasm", "typed_config": {
            "@type": type_url("envoy.extensions.filters.http.wasm.v3.Wasm"),
            "config": {
                "name": "tollgate",
                "failure_policy": "FAIL_RELOAD",
                "configuration": {
                    "@type": type_url("google.protobuf.StringValue"), "value": plugin.to_string(),
                },
                "vm_config": {
                    "vm_id": "tollgate",
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": {"local": {"filename": module}},
                    "environment_variables": {"key_values": self.variables},
                },
            },
        }});
        if self.stop_iteration {
            filter["typed_config"]["config"]["allow_on_headers_stop_iteration"] = json!(true);
        }
        if let Some(allowed) = &self.capabilities {
            let allowed: BTreeMap<_, _> = allowed.iter().map(|name| (name, json!({}))).collect();
            filter["typed_config"]["config"]["capability_restriction_config"] =
                json!({"allowed_capabilities": allowed});
        }
        filter
    }

    fn access_log(&self, directory: &Path) -> Value {
        let mut format = json!({
            "case": "%REQ(X-CASE)%", "id": "%REQ(X-REQUEST-ID)%", "method": "%REQ(:METHOD)%", "path": "%REQ(:PATH)%",
            "status": "%RESPONSE_CODE%", "details": "%RESPONSE_CODE_DETAILS%",
            "decision": "%FILTER_STATE(wasm.tollgate.decision:PLAIN)%",
            "reason": "%FILTER_STATE(wasm.tollgate.reason:PLAIN)%",
            "rule": "%FILTER_STATE(wasm.tollgate.rule:PLAIN)%",
            "provider": "%FILTER_STATE(wasm.tollgate.provider:PLAIN)%",
            "identity": "%FILTER_STATE(wasm.tollgate.identity:PLAIN)%",
            "subject": "%FILTER_STATE(wasm.tollgate.subject:PLAIN)%",
        });
        merge(&mut format, json!(self.log_fields));
        json!({"name": "envoy.access_loggers.file", "typed_config": {
            "@type": type_url("envoy.extensions.access_loggers.file.v3.FileAccessLog"),
            "path": directory.join("access.log"),
            "log_format": {"json_format": format},
        }})
    }
}

fn fresh_directory() -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let directory = root().join(format!("target/e2e/{}-{number}", process()));
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

/// A static cluster of one address.
pub fn cluster(name: &str, address: SocketAddr) -> Value {
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [
            {"endpoint": {"address": socket_address(address)}},
        ]}]},
    })
}

fn socket_address(address: SocketAddr) -> Value {
    let (host, port) = (address.ip().to_string(), address.port());
    json!({"socket_address": {"address": host, "port_value": port}})
}

fn type_url(name: &str) -> String {
    format!("type.googleapis.com/{name}")
}
