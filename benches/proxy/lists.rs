//! Configurations with long lists, of which a request uses one entry: what it costs must not grow with them.

use serde_json::{Value, json};

use crate::listener::set;
use crate::traffic::{AUDIENCE, ISSUER, TENANT, group};

/// A list of the configuration and its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// Rules, of which the last matches.
    Rules(usize),
    /// Providers, of which the last has issued the token.
    Providers(usize),
    /// Tenants of one provider, of which the last has issued the token.
    Tenants(usize),
    /// Audiences, of which the last is that of the token.
    Audiences(usize),
    /// Entries of `allow` that ask for a group each, of which the last holds.
    Grants(usize),
    /// Tiers of a limit that ask for a group each, of which the last holds.
    Tiers(usize),
}

impl List {
    /// Puts the list into a document.
    pub fn put(self, document: &mut Value) {
        match self {
            Self::Rules(count) => {
                let other = |n| json!({"name": format!("rule-{n}"), "match": {"paths": [format!("/v1/models/model-{n}/**")]}});
                prepend(document, "/rules", (1..count).map(other));
            }
            Self::Providers(count) => {
                let keys = document.pointer("/providers/0/keys").cloned().unwrap_or_default();
                let other = |n| {
                    json!({
                        "name": format!("provider-{n}"),
                        "issuers": [format!("https://issuer.example/v2.{n}")],
                        "audiences": [AUDIENCE],
                        "keys": keys,
                        "identity": ["{iss}/{sub}"],
                    })
                };
                prepend(document, "/providers", (1..count).map(other));
            }
            Self::Tenants(count) => {
                let others = (1..count).map(|n| format!("72f988bf-86f1-41af-91ab-{n:012}"));
                let tenants: Vec<_> = others.chain([TENANT.to_owned()]).collect();
                let issuer = ISSUER.replace(TENANT, "{tenantid}");
                change(document, "/providers/0", "issuers", json!([issuer]));
                change(document, "/providers/0", "tenants", json!(tenants));
            }
            Self::Audiences(count) => {
                let other = |n| json!(format!("api://scoring-{n}"));
                prepend(document, "/providers/0/audiences", (1..count).map(other));
            }
            Self::Grants(count) => {
                let entries: Vec<_> =
                    wanted(count).map(|group| json!({"groups_any": [group]})).collect();
                change(document, "/rules/0", "allow", json!(entries));
            }
            Self::Tiers(count) => {
                let tier = |group| json!({"when": {"groups_any": [group]}, "rate": "100000/s", "burst": 200_000});
                let tiers: Vec<_> = wanted(count).map(tier).collect();
                change(document, "/limits/0", "tiers", json!(tiers));
            }
        }
    }
}

/// The groups that the entries ask for; the token has the last one alone.
fn wanted(count: usize) -> impl Iterator<Item = String> {
    let others = (1..count).map(|n| format!("cccccccc-0000-0000-0000-{n:012}"));
    others.chain([group(crate::traffic::GROUPS / 2)])
}

fn prepend(document: &mut Value, pointer: &str, others: impl Iterator<Item = Value>) {
    if let Some(list) = document.pointer_mut(pointer).and_then(Value::as_array_mut) {
        list.splice(0..0, others);
    }
}

fn change(document: &mut Value, pointer: &str, field: &str, value: Value) {
    if let Some(object) = document.pointer_mut(pointer) {
        set(object, field, value);
    }
}
