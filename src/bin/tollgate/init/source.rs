//! The issuer of the tokens, and the sections of the configuration that depend on it.

use serde_json::{Value, json};
use tollgate::uri::HttpUri;

use super::Arguments;
use super::clients::Clients;
use crate::output::Failure;

/// The host of Entra's keys, as in the shipped examples.
pub const ENTRA: &str = "login.microsoftonline.com";

/// The issuer of the tokens and the server of its keys.
pub struct Source {
    kind: Kind,
    audience: String,
    /// The host of the keys, as a scalar of YAML.
    pub host: String,
    /// The port of the keys.
    pub port: String,
    /// Whether the keys are fetched with TLS.
    pub is_tls: bool,
    /// Who calls, if an API is named.
    pub clients: Option<Clients>,
}

enum Kind {
    Entra { tenant: String },
    Issuer { issuer: String },
}

impl Source {
    /// Reads the options.
    pub fn of(arguments: &Arguments) -> Result<Self, Failure> {
        let audience = arguments.audience.clone();
        let clients = Clients::of(arguments)?;
        if let Some(tenant) = &arguments.entra {
            let (host, port) = (ENTRA.to_owned(), "443".to_owned());
            let kind = Kind::Entra { tenant: tenant.clone() };
            return Ok(Self { kind, audience, host, port, is_tls: true, clients });
        }
        let issuer = arguments.issuer.clone().unwrap_or_default();
        let uri =
            HttpUri::parse(&issuer).filter(|uri| !uri.path.contains('?')).ok_or_else(|| {
                let allowed = "allowed: http:// or https://, a host, a path";
                Failure::usage(format_args!("--issuer: {issuer:?} is not an address; {allowed}"))
            })?;
        let (host, port) = uri.authority_and_port();
        let (port, is_tls) = (port.to_owned(), uri.scheme == "https");
        let is_address = host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok();
        let label = |label: &str| !label.is_empty() && !label.starts_with('-');
        if host.starts_with('[') || (is_address && is_tls) || !host.split('.').all(label) {
            let allowed = "allowed: a name, which the certificate of the issuer contains";
            return Err(Failure::usage(format_args!(
                "--issuer: {host:?} is no host name; {allowed}"
            )));
        }
        let host = quoted(host);
        Ok(Self { kind: Kind::Issuer { issuer }, audience, host, port, is_tls, clients })
    }

    /// The name of the provider.
    pub fn name(&self) -> &'static str {
        match self.kind {
            Kind::Entra { .. } => "entra",
            Kind::Issuer { .. } => "main",
        }
    }

    /// Whose tokens are accepted.
    pub fn title(&self) -> String {
        match &self.kind {
            Kind::Entra { tenant } => format!("the Entra ID tenant {tenant}"),
            Kind::Issuer { issuer } => issuer.clone(),
        }
    }

    /// The address of the discovery document; the preset has that of Entra's keys.
    fn discovery(&self) -> Option<String> {
        let Kind::Issuer { issuer } = &self.kind else { return None };
        let issuer = issuer.strip_suffix('/').unwrap_or(issuer);
        Some(format!("{issuer}/.well-known/openid-configuration"))
    }

    /// The members of the provider that say whose tokens are accepted.
    fn accepted(&self) -> Vec<(&'static str, Value)> {
        let mut members = match &self.kind {
            Kind::Entra { tenant } => {
                vec![("preset", json!("entra")), ("tenants", json!([tenant]))]
            }
            Kind::Issuer { issuer } => vec![("issuers", json!([issuer]))],
        };
        members.push(("audiences", json!([self.audience])));
        members
    }

    /// `providers`, `rules` and `limits` as JSON, for Envoy. `cluster` leads to the keys.
    pub fn json(&self, cluster: &str) -> String {
        let discovery = self.discovery();
        let remote = match &discovery {
            Some(address) => json!({"discovery": address, "cluster": cluster}),
            None => json!({"cluster": cluster}),
        };
        let keys = ("keys", json!({"remote": remote}));
        let members = [("name", json!(self.name()))].into_iter();
        let members = members.chain(self.accepted()).chain([keys]);
        let members: Vec<String> =
            members.map(|(name, value)| format!("  {name:?}: {value}")).collect();
        let token = self.clients.as_ref().and_then(Clients::token);
        let token = token.map(|token| format!("\"token\": {token},\n")).unwrap_or_default();
        let rules = match &self.clients {
            None => "  {\"name\": \"health\", \"match\": {\"paths\": [\"/healthz\"], \
                     \"methods\": [\"GET\"]}, \"auth\": \"none\"},\n  \
                     {\"name\": \"all\", \"limits\": [\"per-caller\"]}"
                .to_owned(),
            Some(clients) => {
                let member = |(name, value): (&str, String)| format!("\"{name}\": {value}");
                let rule = |members: Vec<_>| {
                    let members: Vec<_> = members.into_iter().map(member).collect();
                    format!("  {{\n{}  }}", indented(&members.join(",\n"), 4))
                };
                clients.rules(true).into_iter().map(rule).collect::<Vec<_>>().join(",\n")
            }
        };
        let budget = self.clients.as_ref().and_then(|clients| clients.budget(true));
        let budget = budget.map(|budget| format!(", {budget}")).unwrap_or_default();
        format!(
            "\"providers\": [{{\n{}\n}}],\n{token}\"rules\": [\n{rules}\n],\n\
             \"limits\": [{{\"name\": \"per-caller\", \"rate\": \"10/s\", \"burst\": 20}}{budget}],\n",
            members.join(",\n")
        )
    }

    /// The same as YAML, with comments.
    pub fn yaml(&self, cluster: &str) -> String {
        let mut text = format!("providers:\n- name: {}\n", self.name());
        for (name, value) in self.accepted() {
            text.push_str(&format!("  {name}: {value}\n"));
        }
        text.push_str("  keys:\n    remote:\n");
        if let Some(address) = self.discovery() {
            text.push_str(&format!("      discovery: {}\n", json!(address)));
        }
        text.push_str(&format!("      cluster: {cluster}\n"));
        if let Some(token) = self.clients.as_ref().and_then(Clients::token) {
            text.push_str(&format!("token: {token}\n"));
        }
        text.push_str(
            "# The first rule that matches decides. A request that no rule matches is refused.\n\
             rules:\n",
        );
        match &self.clients {
            None => text.push_str(
                "- name: health\n  match: {paths: [/healthz], methods: [GET]}\n  auth: none\n\
                 # Every other request needs a token. `allow` can require roles, scopes or groups.\n\
                 - name: all\n  limits: [per-caller]\n",
            ),
            Some(clients) => {
                for members in clients.rules(false) {
                    let members = members.into_iter();
                    let members: Vec<_> = members.map(|(name, value)| format!("{name}: {value}")).collect();
                    text.push_str(&indented(&members.join("\n"), 2).replacen("  ", "- ", 1));
                }
            }
        }
        text.push_str(
            "# 20 requests at once, then 10 per second, for each caller.\n\
             limits:\n- {name: per-caller, rate: 10/s, burst: 20}\n",
        );
        if let Some(budget) = self.clients.as_ref().and_then(|clients| clients.budget(false)) {
            text.push_str(&format!("# Tokens of the model, for each caller.\n- {budget}\n"));
        }
        text
    }
}

/// A host as YAML: in quotes if YAML could take it for another type, as in `on` or `1`.
fn quoted(host: &str) -> String {
    let is_text = host.contains('.') && host.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_address = host.parse::<std::net::Ipv4Addr>().is_ok();
    if is_text || is_address { host.to_owned() } else { format!("{host:?}") }
}

/// Indents each line.
pub fn indented(text: &str, by: usize) -> String {
    text.lines().map(|line| format!("{:by$}{line}\n", "")).collect()
}
