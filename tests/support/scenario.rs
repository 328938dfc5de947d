//! What most tests start from: one provider that knows the mint's issuer and audience.

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
    let mut claims = claims(subject);
    let (Value::Object(claims_map), Value::Object(changes)) = (&mut claims, changes) else {
        panic!("claims are objects");
    };
    for (name, value) in changes {
        match value {
            Value::Null => claims_map.remove(&name),
            value => claims_map.insert(name, value),
        };
    }
    claims
}
