//! The buffers of connections that Envoy Gateway configures for the gateways of a policy.

use serde_json::Value;

use super::tree::{at, items, text};

/// Envoy Gateway's own buffer of a connection, bytes.
const DEFAULT: u64 = 32 << 10;

/// The namespace and name of a Gateway.
pub type Target = (Option<String>, String);

/// What one ClientTrafficPolicy says.
#[derive(Debug)]
pub struct Buffer {
    /// Its gateways; none if it does not name them.
    gateways: Vec<Target>,
    /// `connection.bufferLimit` in bytes.
    limit: Option<u64>,
}

/// The ClientTrafficPolicies of a manifest.
pub fn buffers(manifest: &Value) -> Vec<Buffer> {
    match text(manifest, &["kind"]) {
        Some("ClientTrafficPolicy") => {
            let limit = at(manifest, &["spec", "connection", "buffer_limit"]);
            vec![Buffer { gateways: targets(manifest), limit: limit.and_then(quantity) }]
        }
        Some("List") => items(manifest, &["items"]).flat_map(buffers).collect(),
        _ => Vec::new(),
    }
}

/// The gateways that a policy names as its targets.
pub fn targets(policy: &Value) -> Vec<Target> {
    let namespace = text(policy, &["metadata", "namespace"]).map(str::to_owned);
    let one = at(policy, &["spec", "target_ref"]).into_iter();
    one.chain(items(policy, &["spec", "target_refs"]))
        .filter(|target| text(target, &["kind"]) == Some("Gateway"))
        .filter_map(|target| Some((namespace.clone(), text(target, &["name"])?.to_owned())))
        .collect()
}

/// The smallest buffer of these gateways. A policy that names no gateways may have any target.
pub fn smallest(gateways: &[Target], buffers: &[Buffer]) -> u64 {
    let of = |applies: &dyn Fn(&Buffer) -> bool| {
        let applying = buffers.iter().find(|buffer| buffer.gateways.is_empty() || applies(buffer));
        applying.and_then(|buffer| buffer.limit).unwrap_or(DEFAULT)
    };
    let each = gateways.iter().map(|gateway| of(&|buffer| buffer.gateways.contains(gateway)));
    each.min().unwrap_or_else(|| of(&|_| true))
}

/// A quantity of Kubernetes (`2Mi`, `50k`, `32768`), rounded down.
fn quantity(value: &Value) -> Option<u64> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let end = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let unit: u64 = match unit {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        _ => return None,
    };
    let bytes = number.parse::<f64>().ok()? * unit as f64;
    Some(bytes as u64)
}
