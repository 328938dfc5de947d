//! The whole document: defaults, given values, and the sections that stand alone.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use tollgate::limit::cost::Cost;
use tollgate::policy::cors::{Cors, OriginPattern, Origins};
use tollgate::policy::responses::BodyForm;
use tollgate::policy::rule::Auth;
use tollgate::policy::{Crypto, FailureMode, FilterState, Policy};
use tollgate::request::matcher::Matcher;
use tollgate::request::token_source::Place;
use tollgate::template::Template;
use tollgate::verify::provider::Bind;

use crate::document::*;

/// The least document with these values, loaded.
fn given<const N: usize>(values: [(&str, Value); N]) -> Policy {
    let mut document = least();
    for (pointer, value) in values {
        set(&mut document, pointer, value);
    }
    load(&document)
}

fn header(name: &str, prefix: &str) -> Place {
    Place::Header { name: name.into(), prefix: prefix.into() }
}

#[test]
fn absent_sections_have_the_defaults_of_the_contract() {
    let mut document = least();
    document.as_object_mut().unwrap().retain(|name, _| name == "providers");
    let policy = load(&document);
    let provider = &policy.providers[0];
    assert_eq!((provider.clock_skew, provider.require_exp), (60, true));
    assert_eq!((provider.max_lifetime, &provider.typ, provider.entra), (None, &None, false));
    assert!(provider.algorithms.is_none());
    assert_eq!(provider.identity, [Template::parse("{iss}/{sub}").unwrap()]);
    let token = &policy.token;
    assert_eq!((&token.from[..], token.forward), (&[header("authorization", "Bearer ")][..], true));
    assert_eq!(token.max_bytes, 16 << 10);
    let [rule] = &*policy.rules else { panic!("one rule") };
    assert_eq!((rule.name.as_str(), rule.auth), ("default", Auth::Required));
    assert_eq!((&rule.cost, rule.concurrency), (&Cost::Fixed(1), None));
    assert_eq!((&rule.providers, rule.limits.len()), (&None, 0));
    assert_eq!(rule.matcher, Matcher::default());
    assert!(policy.limits.is_empty());
    let mut tags = String::new();
    for tag in &policy.tags {
        let header = tag.header.as_deref().unwrap();
        write!(tags, "{} {header} {};", tag.name, tag.filter_state).unwrap();
    }
    assert_eq!(
        tags,
        "identity x-auth-identity true;subject x-auth-subject true;issuer x-auth-issuer true;"
    );
    assert!(policy.responses.body == BodyForm::Json && policy.responses.ratelimit_ietf);
    assert!(!policy.responses.ratelimit_x && policy.responses.realm.is_none());
    assert_eq!((policy.filter_state, policy.metrics), (FilterState::All, true));
    assert_eq!((policy.crypto, policy.failure_mode), (Crypto::Auto, FailureMode::Deny));
    assert_eq!((policy.max_identities, policy.reject_ambiguous_paths), (131_072, true));
    assert!(!policy.hold_head);
    assert_eq!((policy.client_address.ipv4_prefix, policy.client_address.ipv6_prefix), (32, 64));
    assert_eq!(policy.token_cache.entries, 10_000);
    assert_eq!(policy.token_cache.max_age, Duration::from_secs(300));
}

#[test]
fn given_values_are_taken() {
    let policy = given([
        ("/providers/0/clock_skew", json!("5s")),
        ("/providers/0/max_lifetime", json!("24h")),
        ("/providers/0/typ", json!(["JWT"])),
        ("/providers/0/audiences", json!("any")),
        ("/rules/0/cost", json!(3.0)),
        ("/rules/0/auth", json!("optional")),
        ("/rules/0/providers", json!(["idp"])),
        ("/limits/0/burst", json!(20.0)),
        ("/limits/0/key", json!("{tid}")),
        (
            "/token",
            json!({"max_bytes": "64KiB", "from": [{"header": "Authorization", "prefix": "jwt "}]}),
        ),
        ("/tags", json!([{"name": "a", "value": "{a}", "header": "X-A"}])),
        ("/responses", json!({"realm": "ml", "body": "empty", "ratelimit_headers": "both"})),
        ("/telemetry", json!({"filter_state": "denied", "metrics": false})),
        ("/crypto", json!("module")),
        ("/token_cache", json!({"entries": 0, "max_age": "1s"})),
        ("/store", json!({"max_identities": 8})),
        ("/failure_mode", json!("allow")),
        ("/hold_head", json!(true)),
        ("/client_address", json!({"ipv4_prefix": 24, "ipv6_prefix": 48})),
        ("/ambiguous_paths", json!("allow")),
        ("/dry_run", json!(false)),
        ("/privacy", json!({"hash_key_env": "UNUSED"})),
    ]);
    assert_eq!(policy.providers[0].clock_skew, 5);
    assert_eq!(policy.providers[0].max_lifetime, Some(86_400));
    assert_eq!((&policy.rules[0].cost, policy.rules[0].auth), (&Cost::Fixed(3), Auth::Optional));
    assert_eq!(policy.rules[0].providers, Some(vec![0]));
    assert_eq!(policy.rules[0].limits[0].name, policy.limits[0].name);
    assert_eq!(policy.token.from, [header("authorization", "jwt ")]);
    assert_eq!(policy.token.max_bytes, 65_536);
    assert_eq!(policy.tags[0].header.as_deref(), Some("x-a"));
    assert!(policy.responses.ratelimit_x && policy.responses.body == BodyForm::Empty);
    assert_eq!((policy.filter_state, policy.metrics), (FilterState::Denied, false));
    assert_eq!((policy.crypto, policy.failure_mode), (Crypto::Module, FailureMode::Allow));
    assert_eq!((policy.max_identities, policy.reject_ambiguous_paths), (8, false));
    assert!(policy.hold_head);
    assert_eq!((policy.client_address.ipv4_prefix, policy.client_address.ipv6_prefix), (24, 48));
    assert_eq!(policy.token_cache.entries, 0);
}

#[test]
fn grants_places_and_replies_are_compiled() {
    let policy = given([
        ("/providers/0/bind", json!("mtls")),
        ("/rules/0/dry_run", json!(true)),
        (
            "/rules/0/allow",
            json!([{
                "roles_any": ["R"], "scopes_all": ["s", "t"], "clients": ["c"],
                "claims": [{"claim": "/a", "contains": "x"}],
            }]),
        ),
        ("/rules/0/upstream_authorization", json!({"env": "ENDPOINT_KEY", "prefix": "Bearer "})),
        (
            "/token",
            json!({"forward": false, "from": [
                {"header": "Authorization", "prefix": "bearer "}, {"header": "X-Token"},
                {"cookie": "c"}, {"query": "access_token"}, {"websocket_protocol": "bearer."},
                {"websocket_protocol_after": "bearer"},
            ]}),
        ),
        (
            "/responses",
            json!({
                "resource_metadata": "https://ml.example/.well-known/oauth-protected-resource/v1",
                "cors": {"allow_origins": ["https://app.example"], "allow_credentials": true},
            }),
        ),
        ("/dry_run", json!(true)),
    ]);
    assert_eq!(policy.providers[0].bind, Bind::Mtls);
    let rule = &policy.rules[0];
    assert!(rule.dry_run && policy.dry_run);
    let grant = &rule.allow.as_ref().unwrap()[0];
    assert_eq!(grant.roles.any.as_deref(), Some(&["R".to_owned()][..]));
    assert_eq!(grant.scope.as_deref(), Some("s t"));
    let lent = rule.upstream_authorization.as_ref().unwrap();
    assert_eq!(lent.value.expose(), format!("Bearer {SECRET}"));
    assert!(!format!("{policy:?}").contains(SECRET));
    assert_eq!(
        policy.token.from,
        [
            header("authorization", "bearer "),
            header("x-token", ""),
            Place::Cookie("c".into()),
            Place::Query("access_token".into()),
            Place::WebsocketProtocol("bearer.".into()),
            Place::WebsocketProtocolAfter("bearer".into()),
        ]
    );
    assert!(!policy.token.forward);
    let metadata = &policy.responses.resource_metadata[0];
    assert_eq!(metadata.uri.path, "/.well-known/oauth-protected-resource/v1");
    assert_eq!(
        serde_json::from_str::<Value>(&metadata.document).unwrap(),
        json!({
            "resource": "https://ml.example/v1",
            "authorization_servers": ["https://idp.example"],
            "scopes_supported": ["s", "t"],
            "bearer_methods_supported": ["header", "query"],
        })
    );
    let origins = Origins::Only(vec![OriginPattern::Exact("https://app.example".into())]);
    assert_eq!(policy.responses.cors, Some(Cors { origins, credentials: true }));
}

#[test]
fn the_sample_of_the_contract_loads() {
    let policy = load(&serde_json::from_str(CONTRACT).unwrap());
    assert_eq!((policy.rules.len(), policy.limits.len()), (2, 2));
}

#[test]
fn the_sizes_of_tables_and_caches_are_bounded() {
    refused(
        "/store",
        [
            (json!({"max_identities": 7}), ".max_identities: …8 to 16777216"),
            (json!({"max_identities": 5_000_000_000_u64}), ".max_identities: …8 to"),
        ],
    );
    refused(
        "/token_cache",
        [
            (json!({"max_age": "0s"}), ".max_age: …1s to 24h"),
            (json!({"entries": 9_999_999}), ".entries: …0 to 1000000"),
        ],
    );
}
