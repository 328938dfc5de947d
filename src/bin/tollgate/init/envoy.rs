//! `--for envoy`: a complete bootstrap, from `envoy/remote-keys.yaml`.

use super::source::{ENTRA, Source, indented};
use super::template::Template;
use crate::output::Failure;

const EXAMPLE: &str = include_str!("../../../../envoy/remote-keys.yaml");

/// The bootstrap for an issuer.
pub fn bootstrap(source: &Source) -> Result<String, Failure> {
    let mut text = Template::new(EXAMPLE);
    text.replace("name: scoring\n", "name: guarded\n");
    text.replace("stat_prefix: scoring", "stat_prefix: guarded");
    text.replace(&indented(r#"{"name": "endpoint", "value": "{@path:endpoint}"},"#, 24), "");
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
    text.replace("\"realm\": \"scoring\"", "\"realm\": \"guarded\"");
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
