//! Manifests: Istio's WasmPlugin and TrafficExtension, Envoy Gateway's EnvoyExtensionPolicy, Envoy
//! configurations in a ConfigMap, and Envoy filters within EnvoyFilter and EnvoyPatchPolicy.

use serde_json::Value;

use super::envoy::{self, IMAGE, digest, is_buffer, is_labelled, mentions_us, write_for};
use super::tree::{at, items, text};
use super::{Finding, Found, Host, Level, read};
use crate::environment::Handed;

/// What a manifest says of itself.
#[derive(Clone, Copy)]
struct Manifest<'m> {
    name: Option<&'m str>,
    /// Whether its label says that its Wasm filters are ours.
    is_labelled: bool,
}

/// Every tollgate filter in a manifest.
pub fn search(manifest: &Value) -> Vec<Found> {
    let name = text(manifest, &["metadata", "name"]);
    let of = Manifest { name, is_labelled: is_labelled(manifest) };
    match text(manifest, &["kind"]) {
        Some("WasmPlugin") => {
            let spec = manifest.get("spec").unwrap_or(&Value::Null);
            istio(spec, "spec", spec, "spec", of).into_iter().collect()
        }
        Some("TrafficExtension") => {
            let spec = manifest.get("spec").unwrap_or(&Value::Null);
            let Some(wasm) = spec.get("wasm") else { return Vec::new() };
            istio(wasm, "spec.wasm", spec, "spec", of).into_iter().collect()
        }
        Some("EnvoyExtensionPolicy") => items(manifest, &["spec", "wasm"])
            .enumerate()
            .filter_map(|(index, wasm)| gateway(wasm, &format!("spec.wasm[{index}]"), of, manifest))
            .collect(),
        Some("ConfigMap") => files(manifest),
        Some("List") => items(manifest, &["items"])
            .enumerate()
            .flat_map(|(index, item)| {
                search(item).into_iter().map(move |found| below(&format!("items[{index}]"), found))
            })
            .collect(),
        _ => envoy::search(manifest),
    }
}

/// The filters in the files of a ConfigMap.
fn files(config_map: &Value) -> Vec<Found> {
    let mut all = Vec::new();
    for (name, text) in at(config_map, &["data"]).and_then(Value::as_object).into_iter().flatten() {
        let text = text.as_str().unwrap_or_default();
        let documents = serde_yaml_ng::Deserializer::from_str(text);
        for document in documents {
            let document = match read::value(document) {
                Ok(document) => document,
                Err(message) => {
                    let is_yaml = [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end));
                    if is_yaml && mentions_us(text) {
                        let at = format!("data.{name}");
                        let findings = vec![read::invalid(Level::Problem, &at, &message)];
                        all.push(Found { at, findings, ..Found::default() });
                    }
                    break;
                }
            };
            let found = envoy::search(&document).into_iter();
            all.extend(found.map(|found| below(&format!("data.{name}"), found)));
        }
    }
    all
}

/// Whether a manifest makes the proxy buffer whole bodies: an EnvoyFilter with Envoy's buffer filter,
/// or a BackendTrafficPolicy.
pub fn buffers(manifest: &Value) -> bool {
    match text(manifest, &["kind"]) {
        Some("EnvoyFilter") => items(manifest, &["spec", "config_patches"])
            .filter_map(|patch| at(patch, &["patch", "value"]))
            .any(is_buffer),
        Some("BackendTrafficPolicy") => at(manifest, &["spec", "request_buffer"]).is_some(),
        Some("List") => items(manifest, &["items"]).any(buffers),
        _ => false,
    }
}

/// `plugin` holds the module and its configuration, `outer` the phase.
fn istio(
    plugin: &Value,
    path: &str,
    outer: &Value,
    outer_path: &str,
    of: Manifest<'_>,
) -> Option<Found> {
    let config = plugin.get("pluginConfig").filter(|config| !config.is_null());
    let url = plugin.get("url").and_then(Value::as_str);
    let plugin_name = plugin.get("pluginName").and_then(Value::as_str);
    let named = [of.name, url, plugin_name].into_iter().flatten().any(mentions_us);
    let is_named = of.is_labelled || named;
    // Without a module it patches another manifest, which is checked itself.
    if url.is_none() || !(is_named || config.is_some_and(|c| c.get("providers").is_some())) {
        return None;
    }
    let mut found = found(config, format!("{path}.pluginConfig"), of.name, is_named);
    found.host = Host::Istio;
    found.findings.extend(config.into_iter().flat_map(|c| strange_clusters(c, &found.at)));
    found.handed = Some(handed(plugin));
    found.handed_at = format!("{path}.vmConfig.env");
    let mut warn = |path: String, why: &str| found.findings.push(Finding::warning(path, why));
    match plugin.get("failStrategy").and_then(Value::as_str) {
        Some("FAIL_RELOAD") => {}
        Some("FAIL_OPEN") => warn(
            format!("{path}.failStrategy"),
            "is FAIL_OPEN: without a VM, every request passes without a token; write FAIL_RELOAD",
        ),
        _ => warn(
            format!("{path}.failStrategy"),
            "is not FAIL_RELOAD: after its VM ends, the filter refuses every request until the proxy \
             restarts; write FAIL_RELOAD",
        ),
    }
    if outer.get("phase").and_then(Value::as_str) != Some("AUTHN") {
        let why = "is not AUTHN: the filter would run after Istio's authorization, which then cannot \
                   use the verified identity; write AUTHN";
        warn(format!("{outer_path}.phase"), why);
    }
    let url = url.unwrap_or_default();
    let pinned = url.contains("@sha256:")
        || plugin.get("sha256").and_then(Value::as_str).is_some_and(|digest| !digest.is_empty());
    if !pinned && !url.starts_with("file://") {
        let why = "is absent: anyone who can write to the registry can replace the module; write the \
                   digest of the image here, or @sha256:DIGEST in url";
        warn(format!("{path}.sha256"), why);
    }
    let given = plugin.get("sha256").and_then(Value::as_str).filter(|digest| !digest.is_empty());
    let in_url = url.split_once("@sha256:").map(|(_, digest)| digest);
    found.findings.extend(given.and_then(|text| digest(text, format!("{path}.sha256"), IMAGE)));
    found.findings.extend(in_url.and_then(|text| digest(text, format!("{path}.url"), IMAGE)));
    Some(found)
}

/// The form of Istio's clusters for services: `outbound|PORT|SUBSET|HOST`.
fn strange_clusters(config: &Value, at: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, provider) in items(config, &["providers"]).enumerate() {
        for name in ["cluster", "keys_cluster"] {
            let path = ["keys", "remote", name];
            let Some(cluster) = self::text(provider, &path) else { continue };
            let parts: Vec<&str> = cluster.split('|').collect();
            let is_istios = matches!(parts[..], ["outbound", port, _, host]
                if port.parse::<u16>().is_ok() && !host.is_empty());
            if !is_istios {
                let why = format!(
                    "{cluster:?} is not a name that Istio gives to clusters; write \
                     outbound|PORT|SUBSET|HOST, as in outbound|443||login.example.com, unless an \
                     EnvoyFilter adds this cluster"
                );
                let path = format!("{at}.providers[{index}].keys.remote.{name}");
                findings.push(Finding::warning(path, why));
            }
        }
    }
    findings
}

fn gateway(wasm: &Value, path: &str, of: Manifest<'_>, policy: &Value) -> Option<Found> {
    let config = wasm.get("config").filter(|config| !config.is_null());
    let code = wasm.get("code").map(Value::to_string).unwrap_or_default();
    let own = wasm.get("name").and_then(Value::as_str);
    let names = [own.or(of.name), Some(&code)];
    let is_named = of.is_labelled || names.into_iter().flatten().any(mentions_us);
    if !(is_named || config.is_some_and(|c| c.get("providers").is_some())) {
        return None;
    }
    let mut found = found(config, format!("{path}.config"), own.or(of.name), is_named);
    found.host = Host::Gateway;
    found.gateways = super::gateway::targets(policy);
    for source in ["http", "image"] {
        let given = text(wasm, &["code", source, "sha256"]);
        let in_url =
            text(wasm, &["code", source, "url"]).and_then(|url| url.split_once("@sha256:"));
        for (member, text) in [("sha256", given), ("url", in_url.map(|(_, digest)| digest))] {
            let at = format!("{path}.code.{source}.{member}");
            found.findings.extend(text.and_then(|text| digest(text, at, write_for(source))));
        }
    }
    let from_host = items(wasm, &["env", "hostKeys"]).filter_map(Value::as_str);
    found.handed =
        Some(Handed { from_host: from_host.map(str::to_owned).collect(), ..Handed::default() });
    found.handed_at = format!("{path}.env.hostKeys");
    if wasm.get("failOpen") == Some(&Value::Bool(true)) {
        let why = "is true: without a VM, every request passes without a token; write false";
        found.findings.push(Finding::warning(format!("{path}.failOpen"), why));
    }
    let pinned = ["http", "image"].iter().any(|source| {
        let source = at(wasm, &["code", source]);
        let url = source.and_then(|source| source.get("url")).and_then(Value::as_str);
        source.is_some_and(|source| source.get("sha256").is_some())
            || url.is_some_and(|url| url.contains("@sha256:"))
    });
    if !pinned {
        let why = "has no sha256: anyone who can write to the registry can replace the module; write \
                   the digest of the image";
        found.findings.push(Finding::warning(format!("{path}.code"), why));
    }
    Some(found)
}

/// Converts the object to the JSON text that the filter gets.
fn found(config: Option<&Value>, at: String, name: Option<&str>, is_named: bool) -> Found {
    let mut found = Found { name: name.map(str::to_owned), is_named, ..Found::default() };
    match config {
        Some(config) => found.text = Some(config.to_string().into_bytes()),
        None => found.findings.push(Finding::problem(
            at.clone(),
            "is required; write the filter's configuration here",
        )),
    }
    Found { at, ..found }
}

fn handed(plugin: &Value) -> Handed {
    let mut handed = Handed::default();
    for variable in items(plugin, &["vm_config", "env"]) {
        let Some(name) = variable.get("name").and_then(Value::as_str) else { continue };
        match variable.get("valueFrom").and_then(Value::as_str) {
            Some("HOST") => {
                handed.from_host.insert(name.to_owned());
            }
            _ => {
                let value = variable.get("value").and_then(Value::as_str).unwrap_or_default();
                handed.values.insert(name.to_owned(), value.to_owned());
            }
        }
    }
    handed
}

/// Prefixes findings about an item of a list with its place in the list.
fn below(item: &str, mut found: Found) -> Found {
    let place = |path: &str| format!("{item}.{path}");
    found.at = place(&found.at);
    found.handed_at = place(&found.handed_at);
    for finding in &mut found.findings {
        finding.path = place(&finding.path);
    }
    found
}
