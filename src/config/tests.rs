//! The presets, the sample of the contract, and values that probably do not mean what was intended.

use std::time::Duration;

use super::*;
use crate::template::Template;
use crate::uri::HttpUri;
use crate::verify::algorithm::Algorithm;
use crate::verify::provider::{Issuer, KeysFrom, Provider, RemoteSource, Tenants, TokenUse};

/// The policy of a document that loads, for tests of other stages.
pub(crate) fn compiled(document: &serde_json::Value) -> Policy {
    super::compile(document.to_string().as_bytes(), &NoVariables).unwrap().0
}

fn policy(document: &str) -> Result<(Policy, Vec<Warning>), Vec<String>> {
    let mut report = Report::default();
    let policy = parse(document.as_bytes(), &mut report)
        .and_then(|raw| compile::policy(&raw, &NoVariables, &mut report));
    match policy {
        Some(policy) if report.problems.is_empty() => Ok((policy, report.warnings)),
        _ => Err(report.problems.iter().map(Problem::to_string).collect()),
    }
}

fn provider(member: &str) -> Provider {
    let document = format!(
        r#"{{"providers": [{{"name": "entra", "preset": "entra", "audiences": ["api://scoring"],
        "tenants": ["72f988bf-86f1-41af-91ab-2d7cd011db47"],
        "keys": {{"remote": {{"cluster": "outbound|443||login.microsoftonline.com"}}}} {member} }}]}}"#
    );
    Vec::from(policy(&document).unwrap().0.providers).pop().unwrap()
}

#[test]
fn the_entra_preset_fills_what_is_not_given() {
    let entra = provider("");
    let tenanted = |prefix: &str, suffix: &str| Issuer::Tenanted {
        prefix: prefix.into(),
        suffix: suffix.into(),
    };
    assert!(entra.entra);
    assert_eq!(
        entra.issuers,
        [
            tenanted("https://login.microsoftonline.com/", "/v2.0"),
            tenanted("https://sts.windows.net/", "/"),
        ]
    );
    assert_eq!(
        entra.tenants,
        Tenants::Only(vec!["72f988bf-86f1-41af-91ab-2d7cd011db47".into()].into())
    );
    assert_eq!(entra.token_use, TokenUse::Access);
    assert_eq!(entra.algorithms, Some([Algorithm::Rs256].into_iter().collect()));
    let identity = ["{tid}/{oid}", "{tid}/{azp}", "{tid}/{appid}", "{iss}/{sub}"];
    assert_eq!(entra.identity, identity.map(|text| Template::parse(text).unwrap()));
    let KeysFrom::Remote(remote) = entra.keys else { panic!("the keys are remote") };
    let uri = HttpUri {
        scheme: "https".into(),
        authority: "login.microsoftonline.com".into(),
        path: "/common/discovery/v2.0/keys".into(),
    };
    assert_eq!(remote.source, RemoteSource::Uri(uri));
    assert_eq!(remote.timeout, Duration::from_secs(5));
    assert_eq!(remote.refresh_interval, Duration::from_secs(3_600));
    assert_eq!(remote.unknown_kid_interval, Duration::from_secs(30));
    assert_eq!(remote.max_stale, Duration::from_secs(86_400));
}

#[test]
fn explicit_fields_win_over_the_preset() {
    let entra = provider(
        r#", "algorithms": ["RS384"], "identity": ["{sub}"], "token_use": "any",
        "issuers": ["https://sts.windows.net/{tenantid}/"]"#,
    );
    assert_eq!(entra.algorithms, Some([Algorithm::Rs384].into_iter().collect()));
    assert_eq!(entra.identity, [Template::parse("{sub}").unwrap()]);
    assert_eq!(entra.token_use, TokenUse::Any);
    assert_eq!(entra.issuers.len(), 1);
}

#[test]
fn the_entra_preset_needs_tenants_and_audiences() {
    let problems = policy(
        r#"{"providers": [{"name": "e", "preset": "entra", "keys": {"remote": {"cluster": "c"}}}]}"#,
    )
    .unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("providers[0].tenants: is required"), "{problems:?}");
    assert!(problems[1].starts_with("providers[0].audiences: is required"), "{problems:?}");
}

#[test]
fn the_sample_of_the_contract_compiles() {
    let sample = include_str!("../../tests/data/contract.json");
    struct Set;
    impl Environment for Set {
        fn variable(&self, name: &str) -> Option<String> {
            let known = ["AML_ENDPOINT_KEY", "TOLLGATE_HASH_KEY"].contains(&name);
            known.then(|| "k".repeat(32))
        }
    }
    let mut report = Report::default();
    let raw = parse(sample.as_bytes(), &mut report).expect("the sample has the right shape");
    let policy = compile::policy(&raw, &Set, &mut report);
    assert_eq!(report.problems, []);
    let policy = policy.expect("the sample compiles");
    assert_eq!((policy.providers.len(), policy.rules.len(), policy.limits.len()), (2, 2, 2));
    assert_eq!(policy.tags.len(), 3);
    assert_eq!(report.warnings, []);
}

#[test]
fn raw_key_material_does_not_print() {
    let mut report = Report::default();
    let raw = parse(
        br#"{"providers": [{"keys": {"inline": {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}}}]}"#,
        &mut report,
    );
    assert!(!format!("{raw:?}{report:?}").contains("c2VjcmV0"));
}

#[test]
fn a_protobuf_struct_is_named_as_what_it_is() {
    // Field 1 of a Struct: a map entry with the key "providers".
    let bytes = b"\n\x0d\n\tproviders\x12\x00";
    let problems = super::compile(bytes, &NoVariables).err().unwrap();
    assert!(problems[0].message.contains("StringValue"), "{}", problems[0]);
}

/// The problems or warnings of a valid document after the value at a pointer is replaced.
fn said(pointer: &str, value: serde_json::Value) -> Vec<String> {
    let key =
        r#"{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let mut document: serde_json::Value = serde_json::from_str(&format!(
        r#"{{"providers": [{{"name": "p", "issuers": ["https://issuer.test"], "audiences": ["a"],
            "keys": {{"inline": {{"keys": [{key}]}}}}}}],
            "rules": [{{"name": "r", "match": {{"paths": ["/a"], "methods": ["POST"]}},
                "allow": [{{"claims": [{{"claim": "c", "any_of": ["x"]}}]}}]}}],
            "tags": [{{"name": "t", "value": "{{sub}}"}}]}}"#
    ))
    .unwrap();
    *document.pointer_mut(pointer).unwrap() = value;
    match policy(&document.to_string()) {
        Ok((_, warnings)) => warnings.iter().map(Warning::to_string).collect(),
        Err(problems) => problems,
    }
}

#[test]
fn a_value_that_probably_means_something_else_is_reported() {
    use serde_json::json;
    const ISSUER: &str = "/providers/0/issuers/0";
    const PATH: &str = "/rules/0/match/paths/0";
    const METHOD: &str = "/rules/0/match/methods/0";
    const CLAIM: &str = "/rules/0/allow/0/claims/0/claim";
    let remote = |uri: &str| json!({"remote": {"uri": uri, "cluster": "c"}});
    for (pointer, value, meant) in [
        ("/providers/0/audiences", json!([]), "at least one audience, or the word any"),
        ("/providers/0/audiences", json!(["any"]), "is the text any"),
        ("/providers/0/audiences", json!(["*"]), "the word any instead of the list"),
        ("/providers/0/audiences", json!(["api://*"]), "which is not a wildcard"),
        ("/providers/0/audiences", json!(["api "]), "white space"),
        ("/providers/0/issuers", json!([]), "at least one iss value"),
        (ISSUER, json!("*"), "which is not a wildcard"),
        (ISSUER, json!("https://*.example.com"), "which is not a wildcard"),
        (ISSUER, json!("https://sts.windows.net/72f988bf-86f1"), "it with a / at the end"),
        (ISSUER, json!("https://login.microsoftonline.com/72f988bf"), "it with /v2.0 at the end"),
        (
            ISSUER,
            json!("https://login.microsoftonline.com/72f988bf/v2.0/"),
            "it with /v2.0 at the end",
        ),
        (ISSUER, json!("https://accounts.google.com/"), "write https://accounts.google.com"),
        (ISSUER, json!("https://acme.eu.auth0.com"), "it with a / at the end"),
        (
            ISSUER,
            json!("https://idp.test/.well-known/openid-configuration"),
            "often the part before",
        ),
        ("/providers/0/keys", remote("http://idp.test/keys"), "is http"),
        (PATH, json!("/score/[0-9]+"), "looks like a regular expression"),
        (PATH, json!("/score/.*"), "looks like a regular expression"),
        (PATH, json!("/(a|b)"), "looks like a regular expression"),
        (PATH, json!("/score$"), "looks like a regular expression"),
        (PATH, json!("/x/:id/y"), "looks like it has a parameter"),
        (PATH, json!("/x/<id>"), "looks like it has a parameter"),
        (METHOD, json!("PSOT"), "did you mean POST?"),
        (METHOD, json!("DELTE"), "did you mean DELETE?"),
        (METHOD, json!("GETS"), "did you mean GET?"),
        (METHOD, json!("PREDICT"), "is not a registered method"),
        (CLAIM, json!("realm_access.roles"), "\"/realm_access/roles\""),
        (CLAIM, json!("$.realm_access.roles"), "\"/realm_access/roles\""),
        (CLAIM, json!("realm_access/roles"), "exactly this name /realm_access~1roles"),
        (CLAIM, json!("kubernetes.io/namespace"), "\"/kubernetes.io/namespace\""),
        ("/tags/0/value", json!("{realm_access.roles}"), "\"/realm_access/roles\""),
        ("/tags/0/value", json!("${sub}"), "adds a $ before"),
    ] {
        let lines = said(pointer, value.clone());
        assert_eq!(lines.len(), 1, "{value}: {lines:?}");
        let at = pointer.split('/').find(|part| part.len() > 1).unwrap();
        assert!(lines[0].starts_with(at) && lines[0].contains(meant), "{value}: {lines:?}");
    }
    // Similar values that are fine.
    for (pointer, value) in [
        ("/providers/0/audiences", json!("any")),
        ("/providers/0/audiences", json!(["any-api"])),
        (ISSUER, json!("https://sts.windows.net/72f988bf/")),
        (ISSUER, json!("https://login.microsoftonline.com/72f988bf/v2.0")),
        (ISSUER, json!("https://accounts.google.com")),
        (ISSUER, json!("accounts.google.com")),
        (ISSUER, json!("https://acme.eu.auth0.com/")),
        ("/providers/0/keys", remote("https://idp.test/keys")),
        ("/providers/0/keys", remote("http://127.0.0.1:8087/keys")),
        ("/providers/0/keys", remote("http://[::1]:8087/keys")),
        ("/providers/0/keys", remote("http://localhost/keys")),
        (PATH, json!("/v1/models/*:predict")),
        (PATH, json!("/v1/models/gpt-4.1")),
        (PATH, json!("/a+b/**")),
        (METHOD, json!("PROPFIND")),
        (METHOD, json!("QUERY")),
        (CLAIM, json!("https://example.com/role")),
        (CLAIM, json!("/realm_access.roles")),
        ("/tags/0/value", json!("{https://example.com/role}")),
        ("/tags/0/value", json!("$5 for {sub}")),
    ] {
        assert_eq!(said(pointer, value.clone()), [""; 0], "{value}");
    }
}
