//! Key sets: accepted keys, skipped keys with their reasons, and refused sets.

mod sets;

use serde_json::{Value, json};

use super::super::algorithm::{Algorithm, Family};
use super::super::base64url::encode;
use super::*;

/// RFC 7515 appendix A.2.1, the public half.
const RSA_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
/// RFC 7515 appendix A.3.1.
const P256_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const P256_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
/// RFC 8037 appendix A.2.
const ED_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
/// RFC 7520 §3.1.
const P521_X: &str =
    "AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt";
const P521_Y: &str =
    "AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1";

fn rsa() -> Value {
    json!({"kty": "RSA", "n": RSA_N, "e": "AQAB"})
}

fn p256() -> Value {
    json!({"kty": "EC", "crv": "P-256", "x": P256_X, "y": P256_Y})
}

fn p521() -> Value {
    json!({"kty": "EC", "crv": "P-521", "x": P521_X, "y": P521_Y})
}

fn ed25519() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": ED_X})
}

fn oct(length: usize) -> Value {
    json!({"kty": "oct", "k": encode(&vec![7; length])})
}

fn with(mut key: Value, name: &str, value: Value) -> Value {
    key[name] = value;
    key
}

fn parse(keys: &[Value]) -> Result<(KeySet, Vec<SkippedKey>), KeySetError> {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes(), SecretKeys::Admit)
}

fn refusal(key: Value) -> Option<KeyError> {
    match parse(&[key]) {
        Err(KeySetError::NoUsableKey(skipped)) => skipped.first().map(|key| key.why),
        other => {
            assert!(other.is_ok());
            None
        }
    }
}

#[test]
fn each_kind_of_key_is_bound_to_its_family() {
    use Algorithm::*;
    let rs = vec![Rs256, Rs384, Rs512, Ps256, Ps384, Ps512];
    for (key, family, fits) in [
        (rsa(), Family::Rsa, rs),
        (p256(), Family::P256, vec![Es256]),
        (p521(), Family::P521, vec![Es512]),
        (ed25519(), Family::Ed25519, vec![EdDsa]),
        (oct(32), Family::Secret, vec![Hs256]),
        (oct(48), Family::Secret, vec![Hs256, Hs384]),
        (oct(64), Family::Secret, vec![Hs256, Hs384, Hs512]),
        (with(rsa(), "alg", json!("PS384")), Family::Rsa, vec![Ps384]),
        (with(oct(64), "alg", json!("HS384")), Family::Secret, vec![Hs384]),
    ] {
        let key = Key::read(key.to_string().as_bytes(), SecretKeys::Admit).unwrap();
        assert_eq!(key.family(), family);
        let found: Vec<_> = Algorithm::ALL.into_iter().filter(|a| key.fits(*a)).collect();
        assert_eq!(found, fits);
    }
}

#[test]
fn a_bad_key_is_refused_for_its_own_reason() {
    use KeyError::*;
    let short = encode(&[0xff; 255]);
    let padded_short = encode(&[&[0u8; 8][..], &[0xff; 248]].concat());
    let long = encode(&[0xff; 513]);
    let even = encode(&[0xfe; 256]);
    let huge = "A".repeat(4096);
    for (key, why) in [
        (json!(1), NotAnObject),
        (json!({}), MemberMissing("kty")),
        (json!({"kty": 1}), MemberMalformed("kty")),
        (json!({"kty": "rsa"}), TypeUnsupported),
        (json!({"kty": "AKP"}), TypeUnsupported),
        (json!({"kty": "RSA", "x5c": ["MII"]}), MemberMissing("n")),
        (json!({"kty": "RSA", "n": RSA_N}), MemberMissing("e")),
        (with(rsa(), "n", json!(format!("{RSA_N}="))), MemberMalformed("n")),
        (with(rsa(), "n", json!(huge)), MemberMalformed("n")),
        (with(rsa(), "n", json!("")), RsaTooShort),
        (with(rsa(), "n", json!(short)), RsaTooShort),
        (with(rsa(), "n", json!(padded_short)), RsaTooShort),
        (with(rsa(), "n", json!(long)), RsaTooLong),
        (with(rsa(), "n", json!(even)), Invalid),
        (with(rsa(), "e", json!("Aw")), RsaExponent),
        (with(rsa(), "e", json!("AQ")), RsaExponent),
        (with(rsa(), "e", json!("")), RsaExponent),
        (with(rsa(), "kid", json!(1)), MemberMalformed("kid")),
        (with(rsa(), "issuer", json!([])), MemberMalformed("issuer")),
        (with(rsa(), "use", json!("enc")), NotForSignatures),
        (with(rsa(), "use", json!(["sig"])), MemberMalformed("use")),
        (with(rsa(), "use", json!("x509-svid")), NotForSignatures),
        (with(rsa(), "use", json!("JWT-SVID")), NotForSignatures),
        (with(rsa(), "use", json!("")), NotForSignatures),
        (with(rsa(), "kty", json!(null)), MemberMissing("kty")),
        (with(rsa(), "n", json!(null)), MemberMissing("n")),
        (with(rsa(), "key_ops", json!(["encrypt"])), NotForVerification),
        (with(rsa(), "key_ops", json!([])), NotForVerification),
        (with(rsa(), "key_ops", json!("verify")), MemberMalformed("key_ops")),
        (with(rsa(), "key_ops", json!(["verify", 1])), MemberMalformed("key_ops")),
        (with(rsa(), "alg", json!("RSA-OAEP")), AlgorithmUnsupported),
        (with(rsa(), "alg", json!("none")), AlgorithmUnsupported),
        (with(rsa(), "alg", json!("HS256")), AlgorithmMismatch),
        (with(rsa(), "alg", json!("ES256")), AlgorithmMismatch),
        (with(p256(), "alg", json!("ES384")), AlgorithmMismatch),
        (with(p256(), "alg", json!("Ed25519")), AlgorithmMismatch),
        (with(ed25519(), "alg", json!("Ed448")), AlgorithmUnsupported),
        (with(oct(63), "alg", json!("HS512")), SecretTooShort),
        (with(oct(64), "alg", json!("RS256")), AlgorithmMismatch),
        (with(rsa(), "d", json!("AA")), PrivateKey),
        (with(p256(), "d", json!("AA")), PrivateKey),
        (with(p256(), "d", json!(1)), PrivateKey),
        (with(rsa(), "oth", json!([{"r": "AA"}])), PrivateKey),
        (with(rsa(), "k", json!("AA")), PrivateKey),
        (json!({"kty": "EC", "x": P256_X, "y": P256_Y}), MemberMissing("crv")),
        (with(p256(), "crv", json!("P-192")), CurveUnsupported),
        (with(p256(), "crv", json!("Ed25519")), CurveUnsupported),
        (with(p256(), "crv", json!("secp256k1")), Invalid),
        (with(p256(), "crv", json!("P-384")), MemberMalformed("x")),
        (with(p256(), "x", json!(encode(&[0; 32]))), Invalid),
        (with(p256(), "x", json!(encode(&[0xff; 32]))), Invalid),
        (with(p256(), "y", json!(P256_X)), Invalid),
        (json!({"kty": "EC", "crv": "P-256", "x": P256_X}), MemberMissing("y")),
        (with(ed25519(), "crv", json!("X25519")), CurveUnsupported),
        (with(ed25519(), "crv", json!("Ed448")), CurveUnsupported),
        (with(ed25519(), "x", json!(encode(&[0; 31]))), MemberMalformed("x")),
        // The points of small order, for which anyone can forge signatures.
        (with(ed25519(), "x", json!(encode(&[0; 32]))), Invalid),
        (with(ed25519(), "x", json!(encode(&[&[1u8][..], &[0; 31]].concat()))), Invalid),
        (oct(31), SecretTooShort),
        (oct(0), SecretTooShort),
        (json!({"kty": "oct"}), MemberMissing("k")),
    ] {
        assert_eq!(refusal(key.clone()), Some(why), "{key}");
    }
}

#[test]
fn uses_that_allow_verification_are_honoured() {
    for key in [
        with(rsa(), "use", json!("sig")),
        // A SPIFFE bundle has keys of this use (SPIFFE Trust Domain and Bundle §4.2.2).
        with(rsa(), "use", json!("jwt-svid")),
        with(ed25519(), "alg", json!("EdDSA")),
        with(ed25519(), "alg", json!("Ed25519")),
        with(rsa(), "key_ops", json!(["sign", "verify"])),
        with(rsa(), "alg", json!("RS256")),
        with(rsa(), "x5c", json!(["MII"])),
        with(rsa(), "n", json!(encode(&[vec![0], base64url(RSA_N)].concat()))),
        with(rsa(), "n", json!(encode(&[0xff; 512]))),
    ] {
        assert_eq!(refusal(key.clone()), None, "{key}");
    }
}

#[test]
fn null_members_of_a_key_are_absent_and_empty_private_ones_have_leaked_nothing() {
    for name in [
        "alg", "kid", "use", "key_ops", "issuer", "crv", "k", "d", "p", "q", "dp", "dq", "qi",
        "oth", "x5c", "x5t", "ext",
    ] {
        let key = with(rsa(), name, Value::Null);
        assert_eq!(refusal(key), None, "{name}");
    }
    for key in [rsa(), p256(), p521(), ed25519()] {
        assert_eq!(refusal(with(key.clone(), "d", json!(""))), None, "{key}");
        assert_eq!(refusal(with(key.clone(), "d", json!(null))), None, "{key}");
        let leaked = with(key.clone(), "d", json!("AA"));
        assert_eq!(refusal(leaked), Some(KeyError::PrivateKey), "{key}");
    }
    assert_eq!(refusal(with(rsa(), "oth", json!([]))), None);
    for nameless in [json!(null), json!("")] {
        let (set, _) = parse(&[with(rsa(), "kid", nameless)]).unwrap();
        assert_eq!(set.iter().next().unwrap().kid(), None);
    }
}

#[test]
fn a_key_that_has_two_readings_is_skipped_and_the_rest_is_used() {
    let good = with(p256(), "kid", json!("good")).to_string();
    for bad in [
        r#"{"kty":"RSA","kid":"bad","kty":"EC"}"#,
        r#"{"kty":"RSA","kid":"bad","x":1e400}"#,
        r#"{"kty":"RSA","kid":"bad","x":{"a":1,"a":1}}"#,
        r#"{"kty":"RSA","kid":"bad","x":"\ud800"}"#,
        &format!(r#"{{"kid":"bad","x":{}{}}}"#, "[".repeat(5_000), "]".repeat(5_000)),
    ] {
        let set = format!(r#"{{"keys":[{bad},{good}]}}"#);
        let (keys, skipped) = KeySet::parse(set.as_bytes(), SecretKeys::Refuse).unwrap();
        assert_eq!(skipped, [SkippedKey { index: 0, why: KeyError::Ambiguous }], "{bad}");
        assert_eq!((keys.len(), keys.iter().next().unwrap().kid()), (1, Some("good")));
        assert_eq!(keys.skipped("bad"), Some(KeyError::Ambiguous));
    }
}

#[test]
fn the_names_of_skipped_keys_are_kept_with_the_reason() {
    let named = |key: Value, kid: &str| with(key, "kid", json!(kid));
    let (keys, _) = parse(&[
        named(with(ed25519(), "crv", json!("Ed448")), "ed448"),
        named(with(rsa(), "d", json!("AA")), "private"),
        named(with(rsa(), "n", json!(encode(&[0xff; 1_024]))), "8192 bits"),
        json!({"kty": "RSA"}),
        json!({"kty": "RSA", "kid": ""}),
        json!({"kty": "RSA", "kid": ["list"]}),
        named(rsa(), "good"),
    ])
    .unwrap();
    assert_eq!(keys.skipped("ed448"), Some(KeyError::CurveUnsupported));
    assert_eq!(keys.skipped("private"), Some(KeyError::PrivateKey));
    assert_eq!(keys.skipped("8192 bits"), Some(KeyError::RsaTooLong));
    for none in ["good", "other", "", "list"] {
        assert_eq!(keys.skipped(none), None, "{none}");
    }
}

fn base64url(text: &str) -> Vec<u8> {
    super::super::base64url::decode(text.as_bytes()).unwrap()
}
