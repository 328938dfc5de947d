//! Published vectors and exhaustive mutation, read as in production: key sets as JSON, the module's
//! engine, the verifier.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod mutation;
#[path = "../core/policy.rs"]
mod policy;
mod rfc;
mod shared;
mod wycheproof_sets;

use serde_json::{Value, json};
use tollgate::policy::Policy;
use tollgate::time::Moment;
use tollgate::verify::algorithm::Algorithm;
use tollgate::verify::base64url::{decode, encode};
use tollgate::verify::engine::ModuleEngine;
use tollgate::verify::keyset::{KeyError, KeySet, KeySetError, SecretKeys};
use tollgate::verify::{Claims, VerifyError};

/// The set of one key, without the private members that published keys have.
fn document(mut jwk: Value) -> Value {
    if jwk["kty"] != "oct" {
        for member in ["d", "p", "q", "dp", "dq", "qi"] {
            jwk.as_object_mut().unwrap().remove(member);
        }
    }
    json!({"keys": [jwk]})
}

/// The set of one key, or the reason for which it is refused.
fn key_set(jwk: Value) -> Result<KeySet, KeyError> {
    match KeySet::parse(document(jwk).to_string().as_bytes(), SecretKeys::Admit) {
        Ok((keys, _)) => Ok(keys),
        Err(KeySetError::NoUsableKey(skipped)) if !skipped.is_empty() => Err(skipped[0].why),
        Err(error) => panic!("{error}"),
    }
}

fn engine_says(keys: &KeySet, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
    let mut candidates = keys.iter().filter(|key| key.fits(algorithm));
    candidates.any(|key| key.verify(algorithm, message, signature))
}

/// Whether the engine accepts a compact JWS, whose payload need not be claims.
fn jws(jwk: &Value, algorithm: Algorithm, compact: &str) -> bool {
    let (input, signature) = compact.rsplit_once('.').unwrap();
    let keys = key_set(jwk.clone()).unwrap();
    engine_says(&keys, algorithm, input.as_bytes(), &decode(signature.as_bytes()).unwrap())
}

/// One provider with this issuer and key: any audience, all algorithms, no clock difference.
fn trusting(jwk: &Value, iss: &str) -> Policy {
    policy::compiled(&json!({"providers": [{
        "name": "p", "issuers": [iss], "audiences": "any", "clock_skew": "0s",
        "algorithms": Algorithm::ALL.map(Algorithm::name), "keys": {"inline": document(jwk.clone())},
    }]}))
}

/// The verdict on a token at `now` seconds.
fn verify(policy: &Policy, token: &[u8], now: u64) -> Result<Claims, VerifyError> {
    let verified = policy::verify(policy, &ModuleEngine, token, Moment::from_secs(now));
    verified.map_err(|failure| failure.error)
}
