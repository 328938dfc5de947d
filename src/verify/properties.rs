//! Laws for arbitrary bytes: nothing panics, and no unsigned token is accepted.

use crate::time::Moment;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use super::algorithm::{Algorithm, AlgorithmSet};
use super::engine::ModuleEngine;
use super::keyset::{KeySet, SecretKeys};
use super::provider::{Issuer, KeysFrom, Provider, Tenants};
use super::*;

/// One key of each kind that the module verifies, from RFC 7515, 8037 and the curves' generators.
fn keys() -> KeySet {
    let n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEz\
             P1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf6\
             3kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5Zw\
             Kh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRW\
             yuXpoQ";
    let set = json!({"keys": [
        {"kty": "RSA", "n": n, "e": "AQAB"},
        {"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
         "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
        {"kty": "EC", "crv": "secp256k1", "x": "eb5mfvncu6xVoGKVzocLBwKb_NstzijZWfKBWxb4F5g",
         "y": "SDradyajxGVdpPv8DhEIqP0XtEimhVQZnEfQj_sQ1Lg"},
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        {"kty": "oct", "k": base64url::encode(&[0x5a; 64])},
    ]});
    let (keys, skipped) = KeySet::parse(set.to_string().as_bytes(), SecretKeys::Admit).unwrap();
    assert_eq!(skipped, []);
    keys
}

struct One(KeySet);

impl Keys for One {
    fn keys(&self, _: usize) -> Option<&KeySet> {
        Some(&self.0)
    }
}

fn judge(token: &[u8], now: u64) -> Result<Claims, Failure> {
    let issuer = Issuer::Tenanted { prefix: "i".to_owned(), suffix: String::new() };
    let algorithms: AlgorithmSet = Algorithm::ALL.into_iter().collect();
    let provider = Provider {
        issuers: vec![Issuer::Exact("i".to_owned()), issuer],
        tenants: Tenants::Any,
        algorithms: Some(algorithms),
        clock_skew: u64::MAX,
        require_exp: false,
        max_lifetime: Some(0),
        entra: true,
        ..Provider::of("i", KeysFrom::Static(keys()))
    };
    let keys = One(keys());
    let verifier = Verifier {
        providers: &vec![provider].into(),
        keys: &keys,
        engine: &ModuleEngine,
        max_bytes: 4096,
    };
    verifier.verify(token, None, Moment::from_nanos(now))
}

/// Texts that are close to JSON.
fn jsonish() -> impl Strategy<Value = String> {
    let atom = prop_oneof![
        Just("null".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| format!("{n:e}")),
        "[a-zA-Z0-9/:.\\\\ {}]{0,12}".prop_map(|text| format!("\"{text}\"")),
    ];
    let name = prop_oneof!["alg|kid|typ|cty|iss|aud|exp|nbf|iat|tid|scp|jwk|x", "[a-z]{0,3}"];
    let member = (name, atom).prop_map(|(name, value)| format!("\"{name}\":{value}"));
    vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(",")))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_are_a_token(token in vec(any::<u8>(), 0..200), now: u64) {
        prop_assert!(judge(&token, now).is_err());
    }

    #[test]
    fn no_parts_without_a_signature_are_a_token(
        algorithm in 0..Algorithm::ALL.len(),
        payload in jsonish(),
        signature in vec(any::<u8>(), 0..300),
        now: u64,
    ) {
        let header = format!("{{\"alg\":\"{}\"}}", Algorithm::ALL[algorithm]);
        let payload = payload.replacen('{', "{\"iss\":\"i\",", 1).replace(",}", "}");
        let parts = [header.as_bytes(), payload.as_bytes(), &signature].map(base64url::encode);
        prop_assert!(judge(parts.join(".").as_bytes(), now).is_err());
    }

    #[test]
    fn no_header_makes_the_verifier_panic(header in jsonish(), payload in jsonish()) {
        let parts = [header.as_bytes(), payload.as_bytes(), b"x"].map(base64url::encode);
        prop_assert!(judge(parts.join(".").as_bytes(), 0).is_err());
    }

    #[test]
    fn no_key_makes_the_parser_or_the_engine_panic(
        n in vec(any::<u8>(), 250..520),
        x in vec(any::<u8>(), 30..34),
        signature in vec(any::<u8>(), 0..520),
        crv in "P-256|secp256k1|Ed25519",
    ) {
        let [n, x] = [n, x].map(|bytes| base64url::encode(&bytes));
        let set = json!({"keys": [
            {"kty": "RSA", "n": n, "e": "AQAB"},
            {"kty": "EC", "crv": crv, "x": x, "y": x},
            {"kty": "OKP", "crv": crv, "x": x},
        ]});
        if let Ok((keys, _)) = KeySet::parse(set.to_string().as_bytes(), SecretKeys::Refuse) {
            for key in keys.iter() {
                for algorithm in Algorithm::ALL {
                    prop_assert!(!key.verify(algorithm, b"message", &signature));
                }
            }
        }
    }
}
