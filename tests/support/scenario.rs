//! A provider that knows the mint's issuer and audience, claims, and the answers to tokens.

use serde_json::{Value, json};

use super::mint::{Signer, claims, jwks};

/// The provider `main` with the keys inline and their algorithms named.
pub fn provider(signers: &[&Signer], algorithms: &[&str]) -> Value {
    json!({
        "name": "main",
        "issuers": ["https://issuer.test"],
        "audiences": ["api://scoring"],
        "algorithms": algorithms,
        "keys": {"inline": jwks(signers)},
    })
}

/// Good claims with some changed; `null` removes a claim.
pub fn claims_with(subject: &str, changes: Value) -> Value {
    let mut claims = merged(claims(subject), changes);
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

/// The answer of [`Envoy::judge`](super::envoy::Envoy::judge) for a token that passes.
pub fn good() -> (u16, String) {
    (200, String::new())
}

/// Its answer for a token that is refused for this reason.
pub fn refused(reason: &str) -> (u16, String) {
    (401, reason.to_owned())
}

/// The members of both objects; those of the second replace those of the first.
pub fn merged(mut one: Value, other: Value) -> Value {
    merge(&mut one, other);
    one
}

/// Adds the members of another object, which replace those of the same names.
pub fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => into.extend(from),
        (into, from) => panic!("objects are merged, not {into} and {from}"),
    }
}
