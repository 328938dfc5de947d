//! Claims, and tokens of an ES256 key that is made at run time and lives as long as the process.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::elliptic_curve::Generate;
use serde_json::{Value, json};

use super::{merged, redact};

/// The `iss` of [`claims`].
pub const ISSUER: &str = "https://issuer.test";

/// The `aud` of [`claims`].
pub const AUDIENCE: &str = "api://scoring";

/// A private key on P-256.
#[derive(Clone)]
pub struct Es256(SigningKey);

impl Es256 {
    pub fn generate() -> Self {
        redact::panics();
        Self(SigningKey::generate())
    }

    /// The uncompressed point of the public key (SEC 1 §2.3.3).
    pub fn point(&self) -> Vec<u8> {
        self.0.verifying_key().to_sec1_point(false).as_bytes().to_vec()
    }

    /// The signature `r‖s` (RFC 7518 §3.4).
    pub fn signature(&self, signing_input: &[u8]) -> Vec<u8> {
        let signature: Signature = self.0.sign(signing_input);
        signature.to_bytes().to_vec()
    }

    /// The public key as the one key of a set.
    pub fn jwks(&self, kid: &str) -> Value {
        let mut key = ec_members("P-256", &self.point());
        key["use"] = json!("sig");
        key["alg"] = json!("ES256");
        key["kid"] = json!(kid);
        json!({"keys": [key]})
    }

    /// A token; `alg` in the header says nothing about how it is signed.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let parts = [header, claims].map(|part| b64(part.to_string().as_bytes()));
        let input = parts.join(".");
        let signature = self.signature(input.as_bytes());
        format!("{input}.{}", b64(&signature))
    }
}

/// The members of a JWK on a curve, from its uncompressed point.
pub fn ec_members(crv: &str, point: &[u8]) -> Value {
    let (x, y) = point[1..].split_at(point.len() / 2);
    json!({"kty": "EC", "crv": crv, "x": b64(x), "y": b64(y)})
}

/// Claims that a provider for [`ISSUER`] and [`AUDIENCE`] accepts for the next ten minutes.
pub fn claims(subject: &str) -> Value {
    let now = now();
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": subject, "iat": now, "nbf": now, "exp": now + 600,
    })
}

/// Good claims with some changed; `null` removes a claim.
pub fn claims_with(subject: &str, changes: Value) -> Value {
    let mut claims = merged(claims(subject), changes);
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

/// The wall clock, whole seconds since the Unix epoch.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// base64url without padding (RFC 7515 §2).
pub fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
