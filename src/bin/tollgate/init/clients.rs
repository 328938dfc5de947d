//! The sections of the configuration that depend on the callers: rules, the place of the token, refusals.

use serde_json::json;
use tollgate::uri::HttpUri;

use super::Arguments;
use super::family::{Bodies, Family, Paths, Preset, Tokens};
use crate::output::Failure;

/// The most bytes of a guarded body. The listener's buffer is larger.
const MOST: &str = "8MiB";

/// The choice of `--preset`, with its options.
pub struct Clients {
    pub family: Family,
    /// The variable with the key for the upstream.
    pub key: Option<String>,
    /// The host of the proxy for clients, where they look for its metadata.
    host: Option<String>,
}

impl Clients {
    /// Reads the options.
    pub fn of(arguments: &Arguments) -> Result<Option<Self>, Failure> {
        let Some(preset) = arguments.preset else { return Ok(None) };
        let host = match (preset, &arguments.server) {
            (Preset::Mcp, Some(server)) => Some(origin(server)?),
            (_, None) => None,
            (_, Some(_)) => return Err(Failure::usage("--server: only for --preset mcp")),
        };
        let key = arguments.upstream_key.clone();
        Ok(Some(Self { family: preset.family(), key, host }))
    }

    /// `token`, if it is not the default. Values are JSON, which YAML contains.
    pub fn token(&self) -> Option<String> {
        let standard = r#"{"header": "authorization", "prefix": "Bearer "}"#;
        let own = self.family.header.map(|name| format!(r#", {{"header": "{name}"}}"#));
        let hidden = self.key.as_ref().map(|_| r#", "forward": false"#);
        if own.is_none() && hidden.is_none() {
            return None;
        }
        let (own, hidden) = (own.unwrap_or_default(), hidden.unwrap_or_default());
        Some(format!(r#"{{"from": [{standard}{own}]{hidden}}}"#))
    }

    /// The members of each rule. Only a plain Envoy can hold back headers for a guard.
    pub fn rules(&self, guarded: bool) -> Vec<Vec<(&'static str, String)>> {
        let open = [&["/healthz"], self.family.open].concat();
        let health = vec![
            ("name", json!("health").to_string()),
            ("match", format!(r#"{{"paths": {}, "methods": ["GET"]}}"#, list(&open))),
            ("auth", json!("none").to_string()),
        ];
        let rules = self.family.rules.iter().map(|rule| self.rule(rule, guarded));
        [health].into_iter().chain(rules).collect()
    }

    fn rule(&self, rule: &Paths, guarded: bool) -> Vec<(&'static str, String)> {
        // Servers of MCP accept /mcp/ as well, and some redirect to it.
        let slash = if self.host.is_some() { r#", "trailing_slash": "ignore""# } else { "" };
        let costs = self.family.budget.is_some() && rule.tokens != Tokens::Unnamed;
        let limits: &[&str] = if costs { &["per-caller", "tokens"] } else { &["per-caller"] };
        let (paths, methods) = (list(rule.paths), list(rule.methods));
        let mut members = vec![
            ("name", json!(rule.name).to_string()),
            ("match", format!(r#"{{"paths": {paths}, "methods": {methods}{slash}}}"#)),
        ];
        if guarded && !rule.closed.is_empty() {
            let closed = |json: &&str| format!(r#"{{"json": "{json}", "exists": false}}"#);
            let closed: Vec<String> = rule.closed.iter().map(closed).collect();
            members
                .push(("allow", format!("[{{\"body\": [\n    {}\n  ]}}]", closed.join(",\n    "))));
        }
        members.push(("limits", list(limits)));
        let types = match rule.bodies {
            Bodies::Of(types) => Some(format!(r#""content_types": {}, "#, list(types))),
            Bodies::Bounded => Some(String::new()),
            Bodies::Unguarded => None,
        };
        if let Some(types) = types.filter(|_| guarded) {
            let asks = match rule.tokens {
                Tokens::Asked => r#", "include_usage": "add""#,
                Tokens::Named | Tokens::Unnamed => "",
            };
            members.push(("payload", format!(r#"{{{types}"max_bytes": "{MOST}"{asks}}}"#)));
        }
        if let Some(key) = &self.key {
            let header = match self.family.header {
                Some(name) => format!(r#""header": "{name}""#),
                None => r#""prefix": "Bearer ""#.to_owned(),
            };
            members.push((
                "upstream_authorization",
                format!(r#"{{"env": {}, {header}}}"#, json!(key)),
            ));
        }
        members
    }

    /// The budget of model tokens, for `limits`. Only a guarded body has the bound of its answer.
    pub fn budget(&self, guarded: bool) -> Option<String> {
        let budget = self.family.budget.as_ref()?;
        let bounds = match guarded {
            true => format!(r#""json": {}, "bytes_per_token": 4, "#, list(budget.bounds)),
            false => String::new(),
        };
        Some(format!(
            r#"{{
    "name": "tokens", "rate": "100000/h", "charge": "response",
    "response_cost": {{"preset": "{}"}},
    "reserve": {{{bounds}"default": 1024, "max": 16384}}
  }}"#,
            budget.preset
        ))
    }

    /// `responses`.
    pub fn responses(&self) -> String {
        let document = self.host.as_ref().map(|host| {
            let url = format!("https://{host}/.well-known/oauth-protected-resource/mcp");
            format!(r#", "resource_metadata": "{url}""#)
        });
        let (body, document) = (self.family.body, document.unwrap_or_default());
        format!(r#"{{"realm": "guarded", "body": "{body}"{document}}}"#)
    }

    /// Whether paths name an endpoint, for the audit line.
    pub fn names_endpoint(&self) -> bool {
        let mut paths = self.family.rules.iter().flat_map(|rule| rule.paths);
        paths.any(|path| path.contains("{endpoint}"))
    }
}

/// The host of `--server`.
fn origin(text: &str) -> Result<String, Failure> {
    let uri = HttpUri::parse(text).filter(|uri| uri.scheme == "https" && uri.path == "/");
    let allowed = "allowed: https:// and a host, as in https://ml.example.com";
    let failure = || Failure::usage(format_args!("--server: {text:?} is not an origin; {allowed}"));
    uri.map(|uri| uri.authority).ok_or_else(failure)
}

/// A list in JSON: in one line, or with a line for each item.
fn list(items: &[&str]) -> String {
    let items: Vec<String> = items.iter().map(|item| json!(item).to_string()).collect();
    match items.iter().map(|item| item.len() + 2).sum::<usize>() {
        0..60 => format!("[{}]", items.join(", ")),
        _ => format!("[\n    {}\n  ]", items.join(",\n    ")),
    }
}
