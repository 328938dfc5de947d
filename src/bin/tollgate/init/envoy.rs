//! `--for envoy`: a complete bootstrap, from `envoy/remote-keys.yaml`.

use super::clients::Clients;
use super::source::{ENTRA, Source, indented};
use super::template::Template;
use crate::output::Failure;

const EXAMPLE: &str = include_str!("../../../../envoy/remote-keys.yaml");

/// The bootstrap for an issuer.
pub fn bootstrap(source: &Source) -> Result<String, Failure> {
    let mut text = Template::new(EXAMPLE);
    text.replace("name: scoring\n", "name: guarded\n");
    text.replace("stat_prefix: scoring", "stat_prefix: guarded");
    let clients = source.clients.as_ref();
    if !clients.is_some_and(Clients::names_endpoint) {
        text.replace(&indented(r#"{"name": "endpoint", "value": "{@path:endpoint}"},"#, 24), "");
    }
    if let Some(model) = clients.and_then(|clients| clients.family.model) {
        named_model(&mut text, model);
    }
    text.replace("name: model\n", "name: upstream\n");
    text.replace("{cluster: model}", "{cluster: upstream}");
    text.between(
        "                # - providers: ",
        "                configuration:\n",
        &indented(
            "# - providers: the accepted issuer and audience, and where its keys are. The filter\n\
             #   fetches keys at start, every hour, and when a token names a new key. If they are on\n\
             #   another host than the discovery document (Google), add a cluster for that host, and\n\
             #   name it in `keys_cluster`.\n\
             # - rules: the first rule that matches decides; here /healthz needs no token, and every\n\
             #   other request does. `allow` can require roles, scopes or groups.\n\
             # - limits: 20 requests at once, then 10 per second, for each caller.\n\
             # - tags: headers for the upstream, and values for the access log. The filter first\n\
             #   removes these headers from every request.\n\
             # docs/configuration.md describes every member.",
            16,
        ),
    );
    let responses = match clients {
        None => r#"{"realm": "guarded"}"#.to_owned(),
        Some(clients) => {
            calls(&mut text, clients);
            format!("{},\n                      \"hold_head\": true", clients.responses())
        }
    };
    text.replace(r#"{"realm": "scoring"}"#, &responses);
    clusters(&mut text, source, 4);
    // The values of the options come last: nothing in them is replaced.
    let cluster = cluster(source);
    text.between(
        "                      \"providers\": [{",
        "                      \"tags\": [",
        &indented(&source.json(cluster), 22),
    );
    let title = source.title();
    text.between("# A standalone Envoy", "admin:", &format!(
        "# Envoy with tollgate in front of one upstream, for tokens of {title}.\n\
         # Written by `tollgate init`.\n\
         #\n\
         #   tollgate check FILE\n\
         #   envoy --config-path FILE\n\
         #\n\
         # To adapt: the address of the upstream, the path of the module, and the rules. The CA bundle is\n\
         # where Debian and Ubuntu have it (Red Hat: /etc/pki/tls/certs/ca-bundle.crt).\n\n"
    ));
    text.finish()
}

/// The model of a request in the audit line.
fn named_model(text: &mut Template, template: &str) {
    let kid = r#"{"name": "kid", "value": "{@kid}"},"#;
    let tag = format!(r#"{{"name": "model", "value": "{template}"}},"#);
    text.replace(kid, &format!("{kid}\n                        {tag}"));
    let before = "                  DeploymentName: \"%REQ(AZUREML-MODEL-DEPLOYMENT):128%\"\n";
    let field = "                  Model: \"%FILTER_STATE(wasm.tollgate.model:PLAIN)%\"\n";
    text.replace(before, &[before, field].concat());
}

/// What calls of an API need from Envoy: held headers, a buffer for guarded bodies, streams of any length, and HTTP/2
/// to the upstream where the caller speaks it (gRPC).
fn calls(text: &mut Template, clients: &Clients) {
    text.replace(
        "here /healthz needs no token, and every\n                #   other request does.",
        "those of the API need a token, and no\n                #   other path passes.",
    );
    text.replace(
        "                name: tollgate\n",
        "                name: tollgate\n                \
         # Headers wait for the verdict on the body (`hold_head`).\n                \
         allow_on_headers_stop_iteration: true\n",
    );
    text.replace(
        "  - name: guarded\n    address:",
        "  - name: guarded\n    \
         # Above `max_bytes` of the rules, so that the filter answers to larger bodies.\n    \
         per_connection_buffer_limit_bytes: 16777216\n    address:",
    );
    text.replace(
        "route: {cluster: upstream}",
        "# Answers may stream for longer than Envoy's default of 15 s.\n                \
         route: {cluster: upstream, timeout: 0s}",
    );
    text.replace(
        "  - name: upstream\n    type: STATIC\n    connect_timeout: 1s\n",
        "  - name: upstream\n    type: STATIC\n    connect_timeout: 1s\n    \
         # The protocol of the caller: HTTP/2 for gRPC.\n    \
         typed_extension_protocol_options:\n      \
         envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n        \
         \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions\n        \
         use_downstream_protocol_config: {http2_protocol_options: {}}\n",
    );
    if let Some(key) = &clients.key {
        text.replace(
            "                  runtime: envoy.wasm.runtime.v8\n",
            &format!(
                "                  runtime: envoy.wasm.runtime.v8\n                  \
                 environment_variables: {{host_env_keys: [{}]}}\n",
                serde_json::json!(key)
            ),
        );
    }
}

/// The name of the cluster of the keys.
pub fn cluster(source: &Source) -> &'static str {
    if source.host == ENTRA { "entra" } else { "issuer" }
}

/// Adapts the cluster `entra` of an example, whose members are indented by `depth`.
pub fn clusters(text: &mut Template, source: &Source, depth: usize) {
    if source.host == ENTRA {
        return;
    }
    text.replace("name: entra\n", "name: issuer\n");
    let Source { host, port, .. } = source;
    if !source.is_tls {
        text.between(&indented("transport_socket:", depth), "", "");
    }
    text.replace(
        &format!("address: {ENTRA}, port_value: 443"),
        &format!("address: {ENTRA}, port_value: {port}"),
    );
    text.replace(ENTRA, host);
}
