//! The attack corpus through a verifier that shares no code with ours: `jsonwebtoken` over ring. Every
//! token that the two judge differently is explained, and each explanation is still needed.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "core/policy.rs"]
mod policy;

use std::collections::BTreeMap;
use support::mint;

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};
use support::attacks::{self, Attack, World};
use tollgate::policy::Policy;
use tollgate::time::Moment;
use tollgate::verify::engine::ModuleEngine;

/// Families of tokens that we refuse and the other verifier takes, and why we are right.
const WE_REFUSE: &[(&str, &str)] = &[
    ("alg-pss-unnamed", "it uses PSS with any RSA key; we do where key or provider name it"),
    (
        "cl-iat",
        "it does not look at `iat`; we refuse one that is no date (RFC 7519 §4.1.6) or to come",
    ),
    ("cl-nbf", "it takes an `nbf` of the wrong type for none (CVE-2026-25537, mended in 10.3)"),
    ("crit", "it does not read `crit`; RFC 7515 §4.1.11 has what is not understood refused"),
    ("cty", "it takes a token that says it holds another token; we judge no nested ones"),
    ("dup-header", "of two equal members it takes one; RFC 7515 §4 wants them refused"),
    ("dup-payload", "the same in claims that it does not judge itself; RFC 7519 §4"),
    (
        "json",
        "it skips over header members that it does not know, well formed or not, and any depth",
    ),
    ("identity-empty", "it takes a null `sub` for none; a claim that is there has its type"),
    ("lifetime", "it has no bound on `exp - iat`, which the provider `strict` configures"),
    ("size", "it has no bound on a token's size"),
    ("typ", "it does not judge `typ`, which the provider `strict` configures"),
    ("zip", "it does not read `zip` and `enc`, which belong to encrypted tokens (RFC 7516)"),
];

/// Tokens that the filter accepts and the other verifier refuses: none.
const WE_TAKE: &[(&str, &str)] = &[];

/// It takes a token for one second longer than we do, `exp` plus the skew included, so whether the two
/// differ depends on how long the test has run.
const AT_THE_SECOND: (&str, &str) = ("cl-exp", "at the end of the skew");

fn policy(providers: Value) -> Policy {
    policy::compiled(&json!({ "providers": providers }))
}

fn we_take(policy: &Policy, token: &[u8]) -> bool {
    policy::verify(policy, &ModuleEngine, token, Moment::from_secs(mint::now())).is_ok()
}

/// The code of a careful user of the library: the provider by `iss`, the key by `kid`, the
/// algorithm by the key, and every check that it offers.
fn they_take(providers: &Value, token: &[u8]) -> bool {
    let Ok(token) = std::str::from_utf8(token) else { return false };
    let Ok(header) = decode_header(token) else { return false };
    let mut unverified = Validation::new(header.alg);
    unverified.insecure_disable_signature_validation();
    unverified.validate_aud = false;
    unverified.validate_exp = false;
    unverified.required_spec_claims.clear();
    let nothing = DecodingKey::from_secret(&[]);
    let Ok(read) = decode::<Value>(token, &nothing, &unverified) else { return false };
    let providers = providers.as_array().unwrap().iter();
    providers.filter(|provider| provider["issuers"][0] == read.claims["iss"]).any(|provider| {
        let keys = provider["keys"]["inline"]["keys"].as_array().unwrap();
        let named = |key: &&Value| match &header.kid {
            Some(kid) => key["kid"] == kid.as_str(),
            None => true,
        };
        keys.iter().filter(named).any(|key| {
            let Ok(jwk) = serde_json::from_value::<Jwk>(key.clone()) else { return false };
            let Ok(decoding) = DecodingKey::from_jwk(&jwk) else { return false };
            let mut validation = Validation::new(header.alg);
            validation.algorithms = algorithms(provider, key);
            validation.validate_nbf = true;
            validation.set_issuer(&[provider["issuers"][0].as_str().unwrap()]);
            validation.set_audience(&[mint::AUDIENCE]);
            validation.set_required_spec_claims(&["exp", "iss", "aud"]);
            validation.algorithms.contains(&header.alg)
                && decode::<Value>(token, &decoding, &validation).is_ok()
        })
    })
}

/// The algorithms of a key: the one it names, else those of its kind.
fn algorithms(provider: &Value, key: &Value) -> Vec<Algorithm> {
    let named = provider["algorithms"].as_array();
    let of_key: Vec<Algorithm> = match (key["alg"].as_str(), key["kty"].as_str()) {
        (Some(name), _) => name.parse().into_iter().collect(),
        (None, Some("RSA")) => ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
            .map(|name| name.parse().unwrap())
            .to_vec(),
        _ => Vec::new(),
    };
    let allowed = |algorithm: &Algorithm| {
        named.is_none_or(|names| names.contains(&json!(format!("{algorithm:?}"))))
    };
    of_key.into_iter().filter(allowed).collect()
}

type Differences = BTreeMap<&'static str, Vec<String>>;

/// Fails on a difference without an explanation, and on an explanation without a difference.
fn compare(what: &str, found: &Differences, explained: &[(&str, &str)]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (family, names) in found {
        if !explained.iter().any(|(known, _)| known == family) {
            complaints.push(format!("{what}: {family}: {} as {:?}", names.len(), names));
        }
    }
    for (family, _) in explained {
        if !found.contains_key(family) {
            complaints.push(format!("{what}: {family}: no longer differs"));
        }
    }
    complaints
}

#[test]
fn whatever_the_two_verifiers_decide_differently_is_explained() {
    let world = World::new();
    let providers = world.providers();
    let policy = policy(providers.clone());
    let mut agreed = 0;
    for (name, token) in world.controls() {
        assert!(we_take(&policy, token.as_bytes()), "{name}");
        agreed += usize::from(they_take(&providers, token.as_bytes()));
    }
    assert!(agreed > 5, "the other verifier takes {agreed} good tokens");
    let (mut we_refuse, mut we_alone) = (Differences::new(), Differences::new());
    for Attack { family, name, token, .. } in attacks::corpus(&world) {
        if (family, name.as_str()) == AT_THE_SECOND {
            continue;
        }
        let found = match (we_take(&policy, &token), they_take(&providers, &token)) {
            (false, true) => &mut we_refuse,
            (true, false) => &mut we_alone,
            _ => continue,
        };
        found.entry(family).or_default().push(name);
    }
    let mut complaints = compare("we refuse", &we_refuse, WE_REFUSE);
    complaints.extend(compare("we take", &we_alone, WE_TAKE));
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
