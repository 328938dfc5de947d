//! Other implementations verify the signatures of the mint, for each algorithm.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use jwt_simple::prelude::*;
use serde_json::{Value, json};
use support::mint::{self, Signer};

/// jwt-simple reads the JWK and verifies the token; our signer's code takes no part in it.
fn verifies(signer: &Signer, token: &str) -> Result<(), jwt_simple::Error> {
    let jwk = signer.jwk().to_string();
    let secret = || {
        let jwk: Value = signer.jwk();
        decode(jwk["k"].as_str().unwrap())
    };
    let claims = match signer.algorithm() {
        "RS256" => RS256PublicKey::from_jwk(&jwk)?.verify_token::<Value>(token, None)?,
        "RS384" => RS384PublicKey::from_jwk(&jwk)?.verify_token::<Value>(token, None)?,
        "RS512" => RS512PublicKey::from_jwk(&jwk)?.verify_token::<Value>(token, None)?,
        "PS256" => PS256PublicKey::from_jwk(&jwk)?.verify_token::<Value>(token, None)?,
        "PS384" => PS384PublicKey::from_jwk(&jwk)?.verify_token::<Value>(token, None)?,
        "PS512" => PS512PublicKey::from_jwk(&jwk)?.verify_token::<Value>(token, None)?,
        "ES256" => ES256PublicKey::from_jwk(&jwk)?.verify_token::<Value>(token, None)?,
        "ES384" => ES384PublicKey::from_jwk(&jwk)?.verify_token::<Value>(token, None)?,
        "ES256K" => ES256kPublicKey::from_jwk(&jwk)?.verify_token::<Value>(token, None)?,
        "EdDSA" => Ed25519PublicKey::from_jwk(&jwk)?.verify_token::<Value>(token, None)?,
        "HS256" => HS256Key::from_bytes(&secret()).verify_token::<Value>(token, None)?,
        "HS384" => HS384Key::from_bytes(&secret()).verify_token::<Value>(token, None)?,
        "HS512" => HS512Key::from_bytes(&secret()).verify_token::<Value>(token, None)?,
        other => panic!("jwt-simple has no {other}"),
    };
    assert_eq!(claims.issuer.as_deref(), Some(mint::ISSUER));
    assert_eq!(claims.subject.as_deref(), Some("someone"));
    Ok(())
}

fn decode(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap()
}

const JWT_SIMPLE: [&str; 13] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES256K", "EdDSA",
    "HS256", "HS384", "HS512",
];

#[test]
fn jwt_simple_accepts_a_token_of_each_algorithm() {
    for algorithm in JWT_SIMPLE {
        let signer = Signer::new(algorithm, "k");
        let token = signer.sign(&mint::claims("someone"));
        assert!(verifies(&signer, &token).is_ok(), "{algorithm}");
    }
}

#[test]
fn jwt_simple_refuses_a_token_of_another_key() {
    for algorithm in JWT_SIMPLE {
        let (signer, other) = (Signer::new(algorithm, "k"), Signer::new(algorithm, "other"));
        let token = other.with_kid("k").sign(&mint::claims("someone"));
        assert!(verifies(&signer, &token).is_err(), "{algorithm}");
    }
}

#[test]
fn p521_accepts_an_es512_token_by_the_coordinates_of_its_jwk() {
    use p521::ecdsa::signature::Verifier as _;
    let signer = Signer::new("ES512", "k");
    let token = signer.sign(&mint::claims("someone"));
    let (input, signature) = token.rsplit_once('.').unwrap();
    let jwk = signer.jwk();
    let part = |name: &str| decode(jwk[name].as_str().unwrap());
    let point = [vec![4], part("x"), part("y")].concat();
    let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(&point).unwrap();
    let signature = p521::ecdsa::Signature::from_slice(&decode(signature)).unwrap();
    assert!(key.verify(input.as_bytes(), &signature).is_ok());
    assert!(key.verify(b"another input", &signature).is_err());
}

#[test]
fn the_der_of_each_public_key_is_that_of_jwt_simple() {
    let der = |algorithm: &str| {
        let signer = Signer::new(algorithm, "k");
        (signer.public_der(), signer.public_pem(), signer.jwk().to_string())
    };
    let (ours, pem, jwk) = der("RS256");
    assert_eq!(ours, RS256PublicKey::from_jwk(&jwk).unwrap().to_der().unwrap());
    assert_eq!(ours, RS256PublicKey::from_pem(&pem).unwrap().to_der().unwrap());
    let (ours, pem, jwk) = der("ES256");
    assert_eq!(ours, ES256PublicKey::from_jwk(&jwk).unwrap().to_der().unwrap());
    assert_eq!(ours, ES256PublicKey::from_pem(&pem).unwrap().to_der().unwrap());
    let (ours, _, jwk) = der("ES384");
    assert_eq!(ours, ES384PublicKey::from_jwk(&jwk).unwrap().to_der().unwrap());
    let (ours, _, jwk) = der("ES256K");
    assert_eq!(ours, ES256kPublicKey::from_jwk(&jwk).unwrap().to_der().unwrap());
    let (ours, _, jwk) = der("EdDSA");
    assert_eq!(ours, Ed25519PublicKey::from_jwk(&jwk).unwrap().to_der());
}

#[test]
fn a_weak_rsa_key_can_be_minted_and_is_refused_by_jwt_simple() {
    let signer = Signer::rsa_bits("RS256", "weak", 1024);
    assert_eq!(decode(signer.jwk()["n"].as_str().unwrap()).len(), 128);
    assert!(verifies(&signer, &signer.sign(&mint::claims("someone"))).is_err());
}

#[test]
fn signers_of_one_kid_share_the_rsa_key_and_nothing_else() {
    let jwk = |algorithm, kid| Signer::new(algorithm, kid).jwk();
    assert_eq!(jwk("RS256", "a")["n"], jwk("PS384", "a")["n"]);
    assert_ne!(jwk("RS256", "a")["n"], jwk("RS256", "b")["n"]);
    assert_ne!(jwk("ES256", "a")["x"], jwk("ES256", "a")["x"]);
}

#[test]
fn header_and_payload_may_be_any_bytes() {
    let signer = Signer::new("ES256", "k");
    let token = signer.sign_raw(b"\xff\x00", b"");
    assert!(token.starts_with("_wA.."));
    assert_eq!(mint::jwks(&[&signer])["keys"], json!([signer.jwk()]));
}

/// The test runs itself: with this variable, it fails with tokens in its message.
const FAIL: &str = "TOLLGATE_FAIL_WITH_TOKENS";

#[test]
fn a_failed_assertion_prints_no_token() {
    let signer = Signer::new("ES256", "key-1");
    let token = signer.sign(&mint::claims("someone"));
    if std::env::var_os(FAIL).is_some() {
        let head = format!("authorization: Bearer {token}\r\n");
        panic!("before {token}, {:?}, {:?}, {head}after", head.as_bytes(), Some(&token));
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_failed_assertion_prints_no_token"])
        .env(FAIL, "1")
        .output()
        .unwrap();
    assert!(!output.status.success());
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8(printed).unwrap();
    let parts = printed.split("before ").nth(1).unwrap().split("after").next().unwrap();
    assert_eq!(parts.matches("eyJ…").count(), 4, "{printed}");
    let decimal = format!("{:?}", token.as_bytes());
    for part in token.split('.').chain([&decimal[1..40], &decimal[decimal.len() - 40..]]) {
        assert!(!printed.contains(part), "{printed}");
    }
}
