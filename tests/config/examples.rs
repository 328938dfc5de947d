//! Every member of the document has an example in docs/configuration.md, and each example loads.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::document::*;

/// An object of the document: its heading in the page, its pointer, and a document that contains it.
type Place = (&'static str, &'static str, Value);

/// The least document, with the names that examples refer to and one object added.
fn room(pointer: &str, value: Value) -> Value {
    let mut document = json!({
        "providers": [{
            "name": "main",
            "issuers": ["https://issuer.example"],
            "audiences": ["api://scoring"],
            "keys": {"env": "JWKS"},
        }],
        "rules": [{"name": "score", "limits": ["per-caller"]}],
        "limits": [{"name": "per-caller", "rate": "10/s"}],
    });
    if !pointer.is_empty() {
        set(&mut document, pointer, value);
    }
    document
}

#[rustfmt::skip]
fn places() -> Vec<Place> {
    let grants = json!([{"claims": [{"claim": "department"}]}]);
    let bodies = json!([{"body": [{"json": "/model"}]}]);
    let resource = json!({"resource_metadata": [{
        "url": "https://ml.example.com/.well-known/oauth-protected-resource/mcp",
    }]});
    let cors = json!({"cors": {"allow_origins": ["https://app.example"]}});
    let remote = json!({"remote": {"uri": "https://issuer.example/jwks", "cluster": "issuer"}});
    let response = json!([{
        "name": "per-caller", "rate": "10/s", "charge": "response", "response_cost": {"json": "/a"},
    }]);
    let weighted = json!([{
        "name": "per-caller", "rate": "10/s", "charge": "response",
        "response_cost": {"sum": [{"json": "/a"}]},
    }]);
    let reserving = json!([{
        "name": "per-caller", "rate": "100000/h", "charge": "response", "response_cost": {"json": "/a"},
        "reserve": {"max": 4096},
    }]);
    let priced = json!([{
        "name": "per-caller", "rate": "10/s", "price": {"json": "/a", "of": {"b": 1}, "default": 1},
    }]);
    let tier = json!([{"when": {"roles_any": ["a"]}, "rate": "1/s"}]);
    let claimed = json!({"claim": "rps", "max": "9/s"});
    let tag = json!([{"name": "tag", "value": "{sub}", "header": "x-tag"}]);
    [
        ("The document", "", "", json!({})),
        ("providers[]", "/providers/0", "", json!({})),
        ("providers[].keys", "/providers/0/keys", "/providers/0/keys", json!({})),
        ("providers[].keys.remote", "/providers/0/keys/remote", "/providers/0/keys", remote),
        ("token", "/token", "/token", json!({})),
        ("token.from[]", "/token/from/0", "/token", json!({"from": [{}]})),
        ("rules[]", "/rules/0", "", json!({})),
        ("rules[].match", "/rules/0/match", "/rules/0/match", json!({"paths": ["/a"]})),
        ("rules[].allow[]", "/rules/0/allow/0", "/rules/0/allow", json!([{}])),
        ("rules[].allow[].claims[]", "/rules/0/allow/0/claims/0", "/rules/0/allow", grants),
        ("rules[].allow[].body[]", "/rules/0/allow/0/body/0", "/rules/0/allow", bodies),
        ("rules[].cost", "/rules/0/cost", "/rules/0/cost", json!({"max": 9})),
        ("rules[].payload", "/rules/0/payload", "/rules/0/payload", json!({"require_any": ["/data"]})),
        ("rules[].upstream_authorization", "/rules/0/upstream_authorization",
            "/rules/0/upstream_authorization", json!({"env": "ENDPOINT_KEY"})),
        ("limits[]", "/limits/0", "", json!({})),
        ("limits[].tiers[]", "/limits/0/tiers/0", "/limits/0/tiers", tier),
        ("limits[].rate_claim", "/limits/0/rate_claim", "/limits/0/rate_claim", claimed),
        ("limits[].response_cost", "/limits/0/response_cost", "/limits", response),
        ("limits[].response_cost.sum[]", "/limits/0/response_cost/sum/0", "/limits", weighted),
        ("limits[].reserve", "/limits/0/reserve", "/limits", reserving),
        ("limits[].price", "/limits/0/price", "/limits", priced),
        ("tags[]", "/tags/0", "/tags", tag),
        ("responses", "/responses", "/responses", json!({})),
        ("responses.resource_metadata[]", "/responses/resource_metadata/0", "/responses", resource),
        ("responses.cors", "/responses/cors", "/responses", cors),
        ("telemetry", "/telemetry", "/telemetry", json!({})),
        ("privacy", "/privacy", "/privacy", json!({})),
        ("token_cache", "/token_cache", "/token_cache", json!({})),
        ("store", "/store", "/store", json!({})),
        ("client_address", "/client_address", "/client_address", json!({})),
    ]
    .map(|(heading, at, added, value)| (heading, at, room(added, value)))
    .into()
}

/// What else a document needs that has a member: pointers and values; `null` removes a member.
fn needs(heading: &str, member: &str) -> Vec<(&'static str, Value)> {
    match (heading, member) {
        ("providers[]", "preset") => vec![
            ("/providers/0/tenants", json!(["72f988bf-86f1-41af-91ab-2d7cd011db47"])),
            ("/providers/0/issuers", Value::Null),
        ],
        ("providers[]", "tenants") => {
            vec![("/providers/0/issuers", json!(["https://issuer.example/{tenantid}"]))]
        }
        ("providers[].keys.remote", "discovery") => {
            vec![("/providers/0/keys/remote/uri", Value::Null)]
        }
        ("providers[].keys.remote", "keys_cluster") => vec![
            ("/providers/0/keys/remote/uri", Value::Null),
            ("/providers/0/keys/remote/discovery", json!("https://issuer.example/discovery")),
        ],
        ("token.from[]", "prefix") => vec![("/token/from/0/header", json!("x-token"))],
        ("rules[].allow[].claims[]", "claim") => {
            vec![("/rules/0/allow/0/claims/0/exists", json!(true))]
        }
        ("rules[].allow[].body[]", "json") => {
            vec![("/rules/0/allow/0/body/0/exists", json!(true)), ("/rules/0/payload", json!({}))]
        }
        ("rules[].allow[].body[]", _) | ("rules[].allow[]", "body") => {
            vec![("/rules/0/payload", json!({}))]
        }
        ("rules[].cost", "max") => vec![("/rules/0/cost/header", json!("x-batch"))],
        ("limits[]", "charge") => vec![("/limits/0/response_cost", json!({"json": "/a"}))],
        ("limits[]", "response_cost") => vec![("/limits/0/charge", json!("response"))],
        ("limits[].response_cost", "sum" | "preset") => {
            vec![("/limits/0/response_cost/json", Value::Null)]
        }
        ("limits[]", "reserve") => vec![
            ("/limits/0/charge", json!("response")),
            ("/limits/0/response_cost", json!({"json": "/a"})),
            ("/limits/0/rate", json!("100000/h")),
            ("/rules/0/payload", json!({})),
        ],
        ("limits[]", "price") | ("limits[].reserve" | "limits[].price", _) => {
            vec![("/rules/0/payload", json!({}))]
        }
        ("tags[]", "hash") => vec![("/privacy", json!({"hash_key_env": "HASH_KEY"}))],
        _ => Vec::new(),
    }
}

/// The examples of the page: for each heading, each member and the values in its last column.
fn shown() -> BTreeMap<(String, String), Vec<Value>> {
    let page = std::fs::read_to_string(support::root().join("docs/configuration.md")).unwrap();
    let (_, members) = page.split_once("\n## Members\n").unwrap();
    let mut heading = "";
    let mut shown = BTreeMap::new();
    for line in members.lines() {
        if let Some(title) = line.strip_prefix("### ") {
            heading = title.trim_matches('`');
        }
        let Some(row) = line.strip_prefix("| `").and_then(|row| row.strip_suffix("` |")) else {
            continue;
        };
        let (member, rest) = row.split_once('`').unwrap();
        let (_, examples) = rest.rsplit_once(" | `").unwrap();
        let values = examples.split("` or `").map(|example| {
            let example: Value = serde_yaml_ng::from_str(&example.replace("\\|", "|")).unwrap();
            assert_eq!(example.as_object().unwrap().len(), 1, "{example}");
            example[member].clone()
        });
        shown.insert((heading.to_owned(), member.to_owned()), values.collect());
    }
    shown
}

#[test]
fn every_example_of_a_member_loads_without_a_warning() {
    let shown = shown();
    let places = places();
    let (mut loaded, mut flaws) = (0, Vec::new());
    for ((heading, member), values) in &shown {
        let place = places.iter().find(|place| place.0 == heading);
        let (_, at, document) = place.unwrap_or_else(|| panic!("{heading}: no place"));
        for value in values {
            let mut document = document.clone();
            set(&mut document, &format!("{at}/{member}"), value.clone());
            for (pointer, value) in needs(heading, member) {
                match value {
                    Value::Null => remove(&mut document, pointer),
                    value => set(&mut document, pointer, value),
                }
            }
            let lines = warnings(&document);
            flaws.extend(lines.iter().map(|line| format!("{heading}: {member}: {value}: {line}")));
            loaded += 1;
        }
    }
    assert_eq!(flaws, [""; 0], "{flaws:#?}");
    assert!(loaded >= 110, "{loaded}");
    let rows = shown.len();
    let members: usize =
        objects().map(|object| object["properties"].as_object().unwrap().len()).sum();
    assert_eq!(rows, members, "members in the page and in the schema");
}

/// Each object of the schema.
fn objects() -> impl Iterator<Item = Value> {
    let schema = schema_text();
    let definitions = schema["$defs"].as_object().unwrap().clone();
    let nested = definitions.into_iter().map(|(_, definition)| definition);
    nested.chain([schema]).filter(|object| object.get("properties").is_some())
}

#[test]
fn the_examples_of_the_page_are_those_of_the_schema() {
    let of_page: Vec<_> =
        shown().into_iter().map(|((_, member), values)| (member, values)).collect();
    for object in objects() {
        for (member, schema) in object["properties"].as_object().unwrap() {
            let values = schema["examples"].as_array().unwrap().clone();
            assert!(of_page.contains(&(member.clone(), values)), "{member}: {schema}");
        }
    }
}
