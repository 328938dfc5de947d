//! Stand-in for `tests/support/mint.rs`, of the same interface, until that file exists here.
#![allow(clippy::expect_used, clippy::panic, clippy::large_enum_variant)]

use jwt_simple::prelude::*;
use serde_json::{Value, json};

/// A private key that signs tokens under its `kid`.
pub struct Signer {
    key: Private,
}

enum Private {
    Rs256(RS256KeyPair),
    Es256(ES256KeyPair),
}

impl Signer {
    /// A new key for `algorithm`, `RS256` or `ES256`.
    pub fn new(algorithm: &str, kid: &str) -> Self {
        let key = match algorithm {
            "RS256" => {
                let key = RS256KeyPair::generate(2048).expect("an RSA key is generated");
                Private::Rs256(key.with_key_id(kid))
            }
            "ES256" => Private::Es256(ES256KeyPair::generate().with_key_id(kid)),
            other => panic!("no key for {other}"),
        };
        Self { key }
    }

    /// The compact token of `claims`, in which `iat`, `nbf` and `exp` must be given.
    pub fn sign(&self, claims: &Value) -> String {
        let time = |name: &str| claims.get(name).and_then(Value::as_u64).map(Duration::from_secs);
        let mut custom = claims.clone();
        if let Some(fields) = custom.as_object_mut() {
            fields.retain(|name, _| !matches!(name.as_str(), "iat" | "nbf" | "exp"));
        }
        let mut claims = Claims::with_custom_claims(custom, Duration::from_secs(0));
        claims.issued_at = time("iat");
        claims.invalid_before = time("nbf");
        claims.expires_at = time("exp");
        match &self.key {
            Private::Rs256(key) => key.sign(claims),
            Private::Es256(key) => key.sign(claims),
        }
        .expect("a token is signed")
    }

    /// The public key.
    pub fn jwk(&self) -> Value {
        let text = match &self.key {
            Private::Rs256(key) => key.public_key().to_jwk(),
            Private::Es256(key) => key.public_key().to_jwk(),
        };
        serde_json::from_str(&text).expect("a JWK is JSON")
    }
}

/// The set of the signers' public keys.
pub fn jwks(signers: &[&Signer]) -> Value {
    json!({"keys": signers.iter().map(|signer| signer.jwk()).collect::<Vec<_>>()})
}
