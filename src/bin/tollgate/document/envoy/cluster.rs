//! Checks that the clusters for fetching keys exist and verify their peers.

use serde_json::Value;

use super::super::tree::{at, field, items, text};
use super::super::{Finding, Found};

/// Checks the cluster of each provider with remote keys, if the document is a bootstrap.
pub fn check(document: &Value, found: &mut Found) {
    if at(document, &["static_resources"]).is_none() {
        return;
    }
    let config = found.configuration();
    for (index, provider) in items(&config, &["providers"]).enumerate() {
        let Some(remote) = provider.get("keys").and_then(|keys| keys.get("remote")) else {
            continue;
        };
        for member in ["cluster", "keys_cluster"] {
            let Some(name) = remote.get(member).and_then(Value::as_str) else { continue };
            let path = format!("providers[{index}].keys.remote.{member}");
            let mut clusters = items(document, &["static_resources", "clusters"]);
            let cluster = clusters.position(|cluster| text(cluster, &["name"]) == Some(name));
            match cluster {
                None => found.inside.push(missing(document, name, path)),
                Some(at) if is_https(remote) => {
                    let cluster = items(document, &["static_resources", "clusters"]).nth(at);
                    let path = format!("static_resources.clusters[{at}]");
                    found.findings.extend(cluster.and_then(|cluster| unproven(cluster, &path)));
                }
                Some(_) => {}
            }
        }
    }
}

/// A missing cluster is an error if it cannot be discovered, otherwise a warning: it may come too late.
fn missing(document: &Value, name: &str, path: String) -> Finding {
    let why = format!("{name:?} is not one of static_resources.clusters");
    match at(document, &["dynamic_resources"]).is_some() {
        false => Finding::problem(
            path,
            format!("{why}: no keys can be fetched; add the cluster, or name one of them"),
        ),
        true => Finding::warning(
            path,
            format!("{why}: keys are fetched only after Envoy has discovered it"),
        ),
    }
}

/// Whether the address needs TLS. Only `http://` does not; a preset's address is https.
fn is_https(remote: &Value) -> bool {
    let address = ["uri", "discovery"].iter().find_map(|name| remote.get(name)?.as_str());
    !address.is_some_and(|address| address.starts_with("http://"))
}

/// Flaws of the TLS settings that let an attacker on the path serve keys of their own.
fn unproven(cluster: &Value, path: &str) -> Option<Finding> {
    let tls = at(cluster, &["transport_socket", "typed_config"]).filter(|socket| {
        let kind = text(socket, &["@type"]).unwrap_or_default();
        kind.ends_with(".UpstreamTlsContext")
    });
    let Some(tls) = tls else {
        let why = "has no transport_socket with an UpstreamTlsContext: keys with an https address \
                   would be fetched in plain text";
        return Some(Finding::warning(path, why));
    };
    let path = format!("{path}.transport_socket.typed_config");
    let options = field(cluster, "typed_extension_protocol_options").map(Value::to_string);
    let automatic = |names: [&str; 2]| {
        let stated =
            |name: &&str| options.as_ref().is_some_and(|o| o.contains(&format!("\"{name}\":true")));
        names.iter().any(|name| field(tls, name) == Some(&Value::Bool(true)) || stated(name))
    };
    let sni = text(tls, &["sni"]).is_some_and(|sni| !sni.is_empty())
        || automatic(["auto_sni", "auto_host_sni"]);
    let common = at(tls, &["common_tls_context"]).unwrap_or(&Value::Null);
    // A context from SDS is not part of the document.
    if field(common, "validation_context_sds_secret_config").is_some() {
        return (!sni)
            .then(|| Finding::warning(path, "has no sni; set it to the host of the keys"));
    }
    let combined = ["combined_validation_context", "default_validation_context"];
    let context = at(common, &["validation_context"]).or_else(|| at(common, &combined));
    let context = context.unwrap_or(&Value::Null);
    let trusted = ["trusted_ca", "ca_certificate_provider_instance", "system_root_certs"]
        .iter()
        .any(|name| field(context, name).is_some())
        || at(common, &combined[..1])
            .is_some_and(|c| field(c, "validation_context_sds_secret_config").is_some());
    let named = [
        "match_typed_subject_alt_names",
        "match_subject_alt_names",
        "verify_certificate_hash",
        "verify_certificate_spki",
    ]
    .iter()
    .any(|name| field(context, name).is_some())
        || automatic(["auto_san_validation", "auto_sni_san_validation"]);
    let lacking: Vec<&str> =
        [(sni, "sni"), (trusted, "trusted_ca"), (named, "match_typed_subject_alt_names")]
            .into_iter()
            .filter_map(|(there, name)| (!there).then_some(name))
            .collect();
    (!lacking.is_empty()).then(|| {
        let why = "an attacker on the network could serve other keys with a certificate that Envoy \
                   accepts; set them as envoy/remote-keys.yaml does";
        Finding::warning(path, format!("lacks {}: {why}", lacking.join(", ")))
    })
}
