//! `--for istio` and `--for envoy-gateway`: manifests, from `istio/base` and `examples/envoy-gateway`.

use serde_json::json;

use super::clients::Clients;
use super::envoy;
use super::source::{ENTRA, Source, indented};
use super::template::Template;
use crate::output::Failure;

const PLUGIN: &str = include_str!("../../../../istio/base/plugin.yaml");
const KEYS: &str = include_str!("../../../../istio/base/keys.yaml");
const HEADERS: &str = include_str!("../../../../istio/base/headers.yaml");
const POLICY: &str = include_str!("../../../../examples/envoy-gateway/policy.yaml");
const PROXY: &str = include_str!("../../../../examples/envoy-gateway/proxy.yaml");
const CLIENTS: &str = include_str!("../../../../examples/envoy-gateway/clients.yaml");

/// A WasmPlugin, the ServiceEntry and DestinationRule of the keys, and the EnvoyFilter that removes
/// the headers of the plugin before all filters.
pub fn istio(source: &Source) -> Result<String, Failure> {
    let (host, port) = (&source.host, &source.port);
    // The port of the cluster is another one than that of the applications.
    let own = if port == "8443" { "9443" } else { "8443" };
    let mut keys = Template::new(KEYS);
    keys.replace("8443", own);
    keys.replace("{number: 443, name: tls", &format!("{{number: {port}, name: tls"));
    keys.replace("targetPort: 443}", &format!("targetPort: {port}}}"));
    keys.replace("connects to port 443", &format!("connects to port {port}"));
    keys.replace("originated\n# TLS on 443", &format!("originated\n# TLS on {port}"));
    if host != ENTRA {
        keys.replace("name: entra-keys", "name: issuer-keys");
        keys.replace(ENTRA, host);
    }
    let mut plugin = Template::new(PLUGIN);
    plugin.replace("\nspec:\n", "\nspec:\n  \
         # Inbound requests of the sidecars in this namespace. For a gateway or a waypoint, write its\n  \
         # `targetRefs` instead (docs/deploy-istio.md).\n  \
         match: [{mode: SERVER}]\n");
    tags(&mut plugin, source, 4);
    if let Some(key) = source.clients.as_ref().and_then(|clients| clients.key.as_ref()) {
        let variable = format!("{{name: {}, valueFrom: HOST}}", json!(key));
        plugin.replace(
            "  phase: AUTHN\n",
            &format!("  phase: AUTHN\n  vmConfig: {{env: [{variable}]}}\n"),
        );
    }
    // The values of the options come last: nothing in them is replaced.
    plugin.between(
        "    providers:\n",
        "    # First removed from every request",
        &indented(&source.yaml(&format!("outbound|{own}||{}", host.trim_matches('"'))), 4),
    );
    plugin.between(
        "# The filter.",
        "apiVersion:",
        &format!(
            "# tollgate for the sidecars of a namespace, for tokens of {}.\n\
         # Written by `tollgate init`. Adapt `url`, `sha256` and the rules:\n\
         #\n\
         #   tollgate check FILE\n\
         #   kubectl apply --namespace NAMESPACE --filename FILE\n",
            source.title()
        ),
    );
    let mut headers = Template::new(HEADERS);
    headers.between(
        "# authorization.yaml decides",
        "apiVersion:",
        "# It selects the same proxies as the plugin, and needs Envoy 1.36 or later in them.\n",
    );
    removed(&mut headers, source);
    Ok([keys.finish()?, plugin.finish()?, headers.finish()?].join("---\n"))
}

/// An EnvoyProxy with the cluster of the keys, a ClientTrafficPolicy that removes the headers of the
/// filter before all filters, and an EnvoyExtensionPolicy.
pub fn gateway(source: &Source) -> Result<String, Failure> {
    let mut proxy = Template::new(PROXY);
    proxy.replace("routes that buffer.yaml names", "routes whose policy has `requestBuffer`");
    envoy::clusters(&mut proxy, source, 10);
    proxy.between("# Settings for every proxy", "#\n", &format!(
        "# tollgate on every route of a Gateway, for tokens of {}.\n\
         # Written by `tollgate init`. Adapt the namespaces, `targetRefs`, `url`, `sha256` and the rules:\n\
         #\n\
         #   tollgate check FILE\n\
         #   kubectl apply --filename FILE\n\
         #\n\
         # The first document has settings for every proxy whose GatewayClass names it in\n\
         # `parametersRef`: the cluster of the issuer's keys, and labels for the filter's metrics. A\n\
         # change restarts the proxies.\n",
        source.title()
    ));
    let mut policy = Template::new(POLICY);
    policy.between("# The filter on every route", "apiVersion:", "");
    tags(&mut policy, source, 6);
    if let Some(key) = source.clients.as_ref().and_then(|clients| clients.key.as_ref()) {
        let variable = format!("    env: {{hostKeys: [{}]}}\n", json!(key));
        policy.replace("    failOpen: false\n", &format!("    failOpen: false\n{variable}"));
    }
    policy.between(
        "      providers:\n",
        "      tags:\n",
        &indented(&source.yaml(envoy::cluster(source)), 6),
    );
    let mut headers = Template::new(CLIENTS);
    removed(&mut headers, source);
    Ok([proxy.finish()?, headers.finish()?, policy.finish()?].join("---\n"))
}

/// The pattern for the headers of [`tags`].
fn removed(text: &mut Template, source: &Source) {
    if source.host != ENTRA {
        text.replace("(identity|tenant|roles)", "(identity|subject|roles)");
    }
}

/// The tags of the examples are those of Entra's tokens, and of paths that name an endpoint.
fn tags(text: &mut Template, source: &Source, depth: usize) {
    let clients = source.clients.as_ref();
    if !clients.is_some_and(Clients::names_endpoint) {
        text.replace(&indented("- {name: endpoint, value: \"{@path:endpoint}\"}", depth), "");
    }
    if source.host != ENTRA {
        text.replace(
            &indented("- {name: tenant, value: \"{tid}\", header: x-auth-tenant}", depth),
            &indented("- {name: subject, value: \"{sub}\", header: x-auth-subject}", depth),
        );
    }
    let responses = clients.map_or("{realm: guarded}".to_owned(), Clients::responses);
    text.replace("{realm: scoring}", &responses);
}
