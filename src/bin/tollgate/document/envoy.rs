//! Finds Wasm filters in Envoy configuration: bootstraps, listeners, HTTP filter lists, ECDS.

mod around;
mod capabilities;
mod cluster;
mod logged;
mod plugin;

pub use plugin::{IMAGE, PLACEHOLDER, digest, mentions_us, write_for};

use serde_json::Value;

use super::Found;
use super::tree::{at, field, member, text};

/// Envoy's default buffer per connection, bytes.
const DEFAULT_BUFFER: u64 = 1 << 20;

/// What the configuration around a filter says.
#[derive(Clone, Copy, Default)]
struct Around<'d> {
    /// The connection manager, if it changes headers before its filters.
    manager: Option<&'d Value>,
    /// The listener's buffer per connection, bytes.
    buffer: Option<u64>,
    /// Whether Envoy's buffer filter follows it.
    is_buffered: bool,
    /// Whether the name of the HTTP filter says that it is ours.
    is_named: bool,
}

const WASM: &str = "envoy.extensions.filters.http.wasm.v3.Wasm";

/// Members that mark a document as Envoy configuration.
const ENVOYS_OWN: [&str; 14] = [
    "static_resources",
    "dynamic_resources",
    "admin",
    "node",
    "resources",
    "version_info",
    "filter_chains",
    "http_filters",
    "typed_config",
    "@type",
    "stats_config",
    "access_log",
    "clusters",
    "tracing",
];

/// Whether a manifest has the label `tollgate: check`: its Wasm filters are then ours, whatever their names.
pub fn is_labelled(manifest: &Value) -> bool {
    text(manifest, &["metadata", "labels", "tollgate"]) == Some("check")
}

/// Whether a document is Envoy configuration.
pub fn is_part_of_bootstrap(value: &Value) -> bool {
    ENVOYS_OWN.iter().any(|name| field(value, name).is_some())
}

/// Every tollgate filter in a document.
pub fn search(document: &Value) -> Vec<Found> {
    let labelled = is_labelled(document);
    let mut walk = Walk { document, labelled, found: Vec::new() };
    walk.visit(document, String::new(), Around::default());
    logged::check(document, &mut walk.found);
    walk.found
}

struct Walk<'d> {
    document: &'d Value,
    labelled: bool,
    found: Vec<Found>,
}

impl<'d> Walk<'d> {
    fn visit(&mut self, value: &'d Value, path: String, around: Around<'d>) {
        if let Some(config) = plugin_config(value) {
            let is_ours = self.labelled || around.is_named;
            let found = plugin::read(config, &member(&path, "config"), is_ours);
            self.found.extend(found.map(|mut found| {
                found.buffer = around.buffer;
                found.is_buffered = around.is_buffered;
                cluster::check(self.document, &mut found);
                around::check_labels(self.document, &mut found);
                if let Some(manager) = around.manager {
                    around::check_removal(manager, &mut found);
                }
                found
            }));
            return;
        }
        let chains = ["filter_chains", "default_filter_chain"];
        let buffer = match chains.iter().any(|name| field(value, name).is_some()) {
            true => {
                let limit = field(value, "per_connection_buffer_limit_bytes");
                Some(limit.and_then(Value::as_u64).unwrap_or(DEFAULT_BUFFER))
            }
            false => around.buffer,
        };
        let is_named = text(value, &["name"]).is_some_and(mentions_us);
        let manager = field(value, "early_header_mutation_extensions").map(|_| value);
        let manager = manager.or(around.manager);
        let around = Around { buffer, is_named, manager, ..around };
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    self.visit(value, member(&path, name), around);
                }
            }
            Value::Array(items) => {
                let last_buffer = items.iter().rposition(is_buffer);
                for (index, item) in items.iter().enumerate() {
                    let is_buffered = around.is_buffered || last_buffer > Some(index);
                    self.visit(item, format!("{path}[{index}]"), Around { is_buffered, ..around });
                }
            }
            _ => {}
        }
    }
}

/// The plugin of a Wasm filter, given by its type or within a `TypedStruct`.
fn plugin_config(value: &Value) -> Option<&Value> {
    let is_wasm = |kind: &str| value.get(kind).and_then(Value::as_str).is_some_and(names_wasm);
    if is_wasm("@type") {
        return at(value, &["config"]);
    }
    if is_wasm("type_url") || is_wasm("typeUrl") {
        return at(value, &["value", "config"]);
    }
    None
}

/// Whether an HTTP filter buffers whole bodies.
pub fn is_buffer(filter: &Value) -> bool {
    let kind = at(filter, &["typed_config", "@type"]).and_then(Value::as_str).unwrap_or_default();
    kind.ends_with("envoy.extensions.filters.http.buffer.v3.Buffer")
}

fn names_wasm(url: &str) -> bool {
    url.rsplit('/').next() == Some(WASM)
}
