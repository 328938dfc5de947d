//! A provider that knows the mint's issuer and audience, claims, and the answers to tokens.

use serde_json::{Value, json};

pub use super::mint::claims_with;
use super::mint::{Signer, jwks};
pub use harness::{merge, merged};

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

/// The answer of [`Envoy::judge`](super::envoy::Envoy::judge) for a token that passes.
pub fn good() -> (u16, String) {
    (200, String::new())
}

/// Its answer for a token that is refused for this reason.
pub fn refused(reason: &str) -> (u16, String) {
    (401, reason.to_owned())
}
