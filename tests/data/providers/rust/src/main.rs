//! Tokens and keys of Rust's JWT library, as JSON.
//!
//! It signs with keys of its own that end with this process, writes its default headers, and exports
//! its public keys by its own means. tests/providers.rs describes the cases.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::pkcs8::EncodePrivateKey as _;
use ed25519_dalek::{SigningKey, VerifyingKey};
use jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, EllipticCurve, Jwk, KeyAlgorithm,
    OctetKeyPairParameters, OctetKeyPairType,
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rand::RngCore;
use rand::rngs::OsRng;
use rsa::pkcs1::EncodeRsaPrivateKey;
use serde_json::{Map, Value, json};

const VERSION: &str = env!("JSONWEBTOKEN");

fn algorithms() -> Vec<(Algorithm, &'static str)> {
    use Algorithm::*;
    [RS256, RS384, RS512, PS256, PS384, PS512]
        .into_iter()
        .map(|algorithm| (algorithm, "rsa"))
        .chain([(ES256, "p256"), (ES384, "p384"), (EdDSA, "ed25519")])
        .chain([HS256, HS384, HS512].into_iter().map(|algorithm| (algorithm, "secret")))
        .collect()
}

/// Each form with its claims; `null` removes one.
fn forms(now: u64) -> Vec<(&'static str, Value)> {
    vec![
        ("default", json!({})),
        ("dates", json!({"iat": now, "nbf": now, "jti": "0123"})),
        ("aud_list", json!({"aud": ["other", "api"]})),
        (
            "fraction",
            json!({
                "exp": now as f64 + 3600.5, "iat": now as f64 - 0.25, "nbf": now as f64 - 0.75,
            }),
        ),
        ("zero_nbf", json!({"nbf": 0, "iat": 0})),
        ("unicode", json!({"sub": "Zoë ☃ 🜁", "name": "Ærø\u{2028}"})),
        ("expired", json!({"exp": now - 3600})),
        ("early", json!({"nbf": now + 3600})),
        ("issued_later", json!({"iat": now + 3600})),
        ("wrong_audience", json!({"aud": "other"})),
        ("wrong_issuer", json!({"iss": "https://issuer.test/"})),
        ("no_exp", json!({"exp": null})),
        ("text_exp", json!({"exp": (now + 3600).to_string()})),
    ]
}

fn claims(now: u64, changes: &Value) -> Value {
    let mut claims = json!({
        "iss": "https://issuer.test", "aud": "api", "sub": "user-1", "exp": now + 3600,
    });
    let members = claims.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => members.remove(name),
            value => members.insert(name.clone(), value.clone()),
        };
    }
    claims
}

fn main() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut secret = [0; 64];
    OsRng.fill_bytes(&mut secret);
    let rsa = rsa::RsaPrivateKey::new(&mut OsRng, 2048).unwrap().to_pkcs1_der().unwrap();
    let p256 = p256::SecretKey::random(&mut OsRng).to_pkcs8_der().unwrap();
    let p384 = p384::SecretKey::random(&mut OsRng).to_pkcs8_der().unwrap();
    let ed25519 = SigningKey::generate(&mut OsRng);
    let verifying = ed25519.verifying_key();
    let ed25519 = ed25519.to_pkcs8_der().unwrap();
    let key = |name: &str| match name {
        "rsa" => EncodingKey::from_rsa_der(rsa.as_bytes()),
        "p256" => EncodingKey::from_ec_der(p256.as_bytes()),
        "p384" => EncodingKey::from_ec_der(p384.as_bytes()),
        "ed25519" => EncodingKey::from_ed_der(ed25519.as_bytes()),
        _ => EncodingKey::from_secret(&secret),
    };
    let (mut tokens, mut keys) = (Vec::new(), Map::new());
    for (algorithm, name) in algorithms() {
        let key = key(name);
        let text = format!("{algorithm:?}");
        let mut add = |form: &str, header: Header, claims: Value| {
            let token = encode(&header, &claims, &key).unwrap();
            tokens.push(json!({"form": form, "algorithm": text, "key": text, "token": token}));
        };
        let header = Header { kid: Some(text.clone()), ..Header::new(algorithm) };
        for (form, changes) in forms(now) {
            add(form, header.clone(), claims(now, &changes));
        }
        let good = || claims(now, &json!({}));
        add("no_kid", Header { kid: None, ..header.clone() }, good());
        add("typ_at", Header { typ: Some("at+jwt".to_owned()), ..header.clone() }, good());
        add("no_typ", Header { typ: None, ..header }, good());
        // Its keys name their algorithm, so that there is one for each.
        let mut jwk = match algorithm {
            // It does not export these (10.4).
            Algorithm::EdDSA => okp(&verifying),
            _ => Jwk::from_encoding_key(&key, algorithm).unwrap(),
        };
        jwk.common.key_id = Some(text.clone());
        keys.insert(text, serde_json::to_value(jwk).unwrap());
    }
    let entry = json!({
        "library": "jsonwebtoken (Rust)", "version": VERSION, "now": now, "keys": keys, "tokens": tokens,
    });
    println!("{}", json!([entry]));
}

/// An Ed25519 key as the library writes one.
fn okp(key: &VerifyingKey) -> Jwk {
    Jwk {
        common: CommonParameters {
            key_algorithm: Some(KeyAlgorithm::EdDSA),
            ..CommonParameters::default()
        },
        algorithm: AlgorithmParameters::OctetKeyPair(OctetKeyPairParameters {
            key_type: OctetKeyPairType::OctetKeyPair,
            curve: EllipticCurve::Ed25519,
            x: URL_SAFE_NO_PAD.encode(key.as_bytes()),
        }),
    }
}
