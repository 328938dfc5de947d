use std::cell::Cell;

use p521::ecdsa::signature::Verifier;
use serde_json::{Value, json};

use super::*;
use crate::verify::base64url;
use crate::verify::jwk::{Key, SecretKeys};

/// Encodes a verdict as a result.
type Answer = fn(bool) -> Option<Vec<u8>>;

/// A host that verifies with the module's arithmetic, or misbehaves.
struct Fake {
    answer: Answer,
    host: Cell<u32>,
    module: Cell<u32>,
    errors: Cell<u32>,
}

impl Fake {
    fn new(answer: Answer) -> Self {
        Self { answer, host: Cell::new(0), module: Cell::new(0), errors: Cell::new(0) }
    }
}

/// The answer of Envoy.
fn like_envoy(good: bool) -> Option<Vec<u8>> {
    Some(if good { vec![8, 1] } else { b"\x12\x04nope".to_vec() })
}

impl Host for Fake {
    fn verify_signature(&self, arguments: &[u8]) -> Option<Vec<u8>> {
        (self.answer)(verify(&fields(arguments))?)
    }

    fn checked(&self, by: By, outcome: Outcome) {
        let count = match (by, outcome) {
            (By::Host, Outcome::Error) => &self.errors,
            (By::Host, _) => &self.host,
            (By::Module, _) => &self.module,
        };
        count.set(count.get() + 1);
    }
}

fn key_of(jwk: &Value) -> Key {
    Key::read(jwk.to_string().as_bytes(), SecretKeys::Refuse).unwrap()
}

/// The verdict of the engines.
fn verify_by(
    engines: &Engines<Fake>,
    key: &Key,
    algorithm: Algorithm,
    input: &[u8],
    signature: &[u8],
) -> bool {
    let signed = Signed { key, algorithm, input, signature };
    engines.check(&mut Budget::default(), signed).unwrap_or(false)
}

/// The fields of an argument by their number, less one.
fn fields(mut message: &[u8]) -> [Vec<u8>; 4] {
    let mut fields: [Vec<u8>; 4] = Default::default();
    while let [tag, rest @ ..] = message {
        assert_eq!(tag & 7, 2);
        let (length, rest) = match rest {
            [low @ 0x80..=0xff, high @ ..=0x7f, rest @ ..] => {
                (usize::from(*high) << 7 | usize::from(low & 0x7f), rest)
            }
            [length, rest @ ..] => (usize::from(*length), rest),
            [] => panic!("broken off"),
        };
        fields[usize::from(tag >> 3) - 1] = rest[..length].to_vec();
        message = &rest[length..];
    }
    fields
}

fn verify([hash, key, signature, text]: &[Vec<u8>; 4]) -> Option<bool> {
    let bits = match hash.as_slice() {
        b"sha256" => 256,
        b"sha384" => 384,
        b"sha512" => 512,
        _ => return None,
    };
    let (jwk, algorithm) = if key.len() > 200 {
        // 2048 bits: the modulus ends five bytes before the end, after its sign.
        let n = base64url::encode(&key[key.len() - 261..key.len() - 5]);
        (json!({"kty": "RSA", "n": n, "e": "AQAB"}), format!("RS{bits}"))
    } else {
        let (crv, length) = match key.len() {
            91 => ("P-256", 32),
            120 => ("P-384", 48),
            _ => ("P-521", 66),
        };
        let (x, y) = key[key.len() - 2 * length..].split_at(length);
        let [x, y] = [x, y].map(base64url::encode);
        (json!({"kty": "EC", "crv": crv, "x": x, "y": y}), format!("ES{bits}"))
    };
    let key = key_of(&jwk);
    let algorithm = Algorithm::from_name(algorithm.as_bytes()).unwrap();
    let raw = match key.family() {
        Family::Rsa => signature.clone(),
        Family::P256 => raw_numbers(signature, 32),
        Family::P384 => raw_numbers(signature, 48),
        _ => raw_numbers(signature, 66),
    };
    let (Family::P521, Public::Ec { x, y }) = (key.family(), key.public()) else {
        return Some(key.verify(algorithm, text, &raw));
    };
    let point = [&[4], x.as_slice(), y].concat();
    let point = p521::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok()?;
    let signature = p521::ecdsa::Signature::from_slice(&raw).ok()?;
    Some(point.verify(text, &signature).is_ok())
}

/// `r‖s` of an ECDSA signature in DER.
fn raw_numbers(der: &[u8], length: usize) -> Vec<u8> {
    let mut rest = if der[1] == 0x81 { &der[3..] } else { &der[2..] };
    let mut raw = Vec::new();
    for _ in 0..2 {
        let (number, after) = rest[2..].split_at(usize::from(rest[1]));
        let digits = number.strip_prefix(&[0]).unwrap_or(number);
        raw.extend(vec![0; length - digits.len()]);
        raw.extend(digits);
        rest = after;
    }
    assert!(rest.is_empty());
    raw
}

#[test]
fn a_host_that_verifies_like_envoy_serves_all_that_it_is_offered() {
    let engines = Engines::tested(Fake::new(like_envoy));
    assert_eq!(engines.proven(), OFFERED.into_iter().collect());
    assert!(engines.supports(Algorithm::Es512) && engines.supports(Algorithm::EdDsa));
    assert_eq!(engines.host.host.get(), 0, "the self-test is not counted");
}

#[test]
fn a_host_without_clear_answers_or_with_wrong_ones_serves_nothing() {
    let answers: [Answer; 8] = [
        |_| None,
        |_| Some(vec![]),
        |_| Some(vec![8, 1]),
        |_| like_envoy(false),
        |good| like_envoy(!good),
        |good| Some(vec![8, good.into()]),
        |good| Some(if good { b"\x08\x01\x12\x01x".to_vec() } else { b"\x12\x01x".to_vec() }),
        |good| Some(vec![good.into()]),
    ];
    for (index, answer) in answers.into_iter().enumerate() {
        let engines = Engines::tested(Fake::new(answer));
        assert_eq!(engines.proven(), AlgorithmSet::EMPTY, "{index}");
        assert!(!engines.supports(Algorithm::Es512));
    }
}

#[test]
fn where_a_proven_host_gives_no_answer_the_module_does() {
    let x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    let y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
    let signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKT\
                     UJqPP3-Kg6NU1Q"; // RFC 7515 appendix A.3
    let input = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9\
                 leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let jwk = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y});
    let key = key_of(&jwk);
    let signature = base64url::decode(signature.as_bytes()).unwrap();
    let mut engines = Engines::tested(Fake::new(like_envoy));
    let good = |engines: &Engines<Fake>, signature: &[u8]| {
        verify_by(engines, &key, Algorithm::Es256, input.as_bytes(), signature)
    };
    assert!(good(&engines, &signature));
    assert_eq!((engines.host.host.get(), engines.host.module.get()), (1, 0));
    engines.host.answer = |_| None;
    assert!(good(&engines, &signature));
    assert!(!good(&engines, &[1; 64]));
    assert_eq!((engines.host.errors.get(), engines.host.module.get()), (2, 2));
    // Signatures with a wrong length or range are refused without the host.
    for length in [0, 63, 65, 70, 72] {
        assert!(!good(&engines, &vec![1; length]));
    }
    assert!(!good(&engines, &[0; 64]));
    assert!(!verify_by(&engines, &key, Algorithm::Es384, input.as_bytes(), &[1; 96]));
    assert!(!verify_by(&engines, &key, Algorithm::Rs256, input.as_bytes(), &[1; 256]));
}

#[test]
fn a_host_that_fails_leaves_the_module_one_check_for_a_request() {
    let jwk = |first: u8| {
        let n = base64url::encode(&[&[first][..], &[0xc1; 255]].concat());
        key_of(&json!({"kty": "RSA", "n": n, "e": "AQAB"}))
    };
    let keys = [jwk(0xc1), jwk(0xc2), jwk(0xc3)];
    for (answer, host, module) in [(like_envoy as Answer, 3, 0), ((|_| None) as Answer, 0, 1)] {
        let mut engines = Engines::tested(Fake::new(like_envoy));
        engines.host.answer = answer;
        let mut budget = Budget::default();
        for key in &keys {
            let (input, signature) = (&b"text"[..], &[1; 256][..]);
            let signed = Signed { key, algorithm: Algorithm::Rs256, input, signature };
            let said = engines.check(&mut budget, signed);
            assert_ne!(said, Some(true));
        }
        assert_eq!((engines.host.host.get(), engines.host.module.get()), (host, module));
    }
}

#[test]
fn a_host_that_is_lenient_is_not_asked_about_an_rsa_signature_out_of_range() {
    let jwk = json!({"kty": "RSA", "n": base64url::encode(&[0xc1; 256]), "e": "AQAB"});
    let key = key_of(&jwk);
    let mut engines = Engines::tested(Fake::new(like_envoy));
    engines.host.answer = |_| Some(vec![8, 1]);
    for (signature, asked) in [
        (vec![1; 256], true),
        (vec![0xc1; 256], false),
        (vec![0xff; 256], false),
        (vec![1; 255], false),
        (vec![1; 257], false),
    ] {
        let good = verify_by(&engines, &key, Algorithm::Rs256, b"text", &signature);
        assert_eq!(good, asked, "{} bytes of {:?}", signature.len(), signature.first());
    }
}
