//! One good token per algorithm, and every change of one bit or byte.

use jwt_simple::prelude as jwt;
use jwt_simple::prelude::*;

use super::*;

const EXP: u64 = 2_000_000_000;

fn claims() -> jwt::JWTClaims<jwt::NoCustomClaims> {
    let mut claims = jwt::Claims::create(jwt::Duration::from_secs(1)).with_issuer("joe");
    claims.issued_at = None;
    claims.invalid_before = None;
    claims.expires_at = Some(jwt::Duration::from_secs(EXP));
    claims
}

fn point(crv: &str, uncompressed: &[u8]) -> Value {
    let (x, y) = uncompressed[1..].split_at(uncompressed.len() / 2);
    json!({"kty": "EC", "crv": crv, "x": encode(x), "y": encode(y)})
}

fn rsa() -> Vec<(Algorithm, Value, String)> {
    let pair = jwt::RS256KeyPair::generate(2048).unwrap();
    let der = pair.to_der().unwrap();
    let numbers = pair.public_key().to_components();
    let jwk = json!({"kty": "RSA", "n": encode(&numbers.n), "e": encode(&numbers.e)});
    let pairs = [
        (Algorithm::Rs256, pair.sign(claims())),
        (Algorithm::Rs384, jwt::RS384KeyPair::from_der(&der).unwrap().sign(claims())),
        (Algorithm::Rs512, jwt::RS512KeyPair::from_der(&der).unwrap().sign(claims())),
        (Algorithm::Ps256, jwt::PS256KeyPair::from_der(&der).unwrap().sign(claims())),
        (Algorithm::Ps384, jwt::PS384KeyPair::from_der(&der).unwrap().sign(claims())),
        (Algorithm::Ps512, jwt::PS512KeyPair::from_der(&der).unwrap().sign(claims())),
    ];
    pairs.into_iter().map(|(algorithm, token)| (algorithm, jwk.clone(), token.unwrap())).collect()
}

fn others() -> Vec<(Algorithm, Value, String)> {
    let es256 = jwt::ES256KeyPair::generate();
    let es384 = jwt::ES384KeyPair::generate();
    let es256k = jwt::ES256kKeyPair::generate();
    let ed25519 = jwt::Ed25519KeyPair::generate();
    let secret = [0x5a; 64];
    let oct = json!({"kty": "oct", "k": encode(&secret)});
    let okp =
        json!({"kty": "OKP", "crv": "Ed25519", "x": encode(&ed25519.public_key().to_bytes())});
    let hs256 = jwt::HS256Key::from_bytes(&secret).authenticate(claims()).unwrap();
    let hs384 = jwt::HS384Key::from_bytes(&secret).authenticate(claims()).unwrap();
    let hs512 = jwt::HS512Key::from_bytes(&secret).authenticate(claims()).unwrap();
    let p256 = point("P-256", &es256.public_key().public_key().to_bytes_uncompressed());
    let p384 = point("P-384", &es384.public_key().public_key().to_bytes_uncompressed());
    let k256 = point("secp256k1", &es256k.public_key().public_key().to_bytes_uncompressed());
    vec![
        (Algorithm::Es256, p256, es256.sign(claims()).unwrap()),
        (Algorithm::Es384, p384, es384.sign(claims()).unwrap()),
        (Algorithm::Es256k, k256, es256k.sign(claims()).unwrap()),
        (Algorithm::EdDsa, okp, ed25519.sign(claims()).unwrap()),
        (Algorithm::Hs256, oct.clone(), hs256),
        (Algorithm::Hs384, oct.clone(), hs384),
        (Algorithm::Hs512, oct, hs512),
    ]
}

fn check(algorithm: Algorithm, jwk: &Value, token: &str) {
    let policy = trusting(jwk, "joe");
    let accepts = |token: &[u8]| verify(&policy, token, EXP - 1).is_ok();
    assert!(accepts(token.as_bytes()), "{algorithm}");
    let mut accepted = 0;
    for index in 0..token.len() {
        for bit in 0..8 {
            let mut flipped = token.as_bytes().to_vec();
            flipped[index] ^= 1 << bit;
            accepted += usize::from(accepts(&flipped));
        }
        accepted += usize::from(accepts(&token.as_bytes()[..index]));
        accepted += usize::from(accepts(&token.as_bytes()[index + 1..]));
    }
    // Cut to whole bytes, and with bytes added: the signature's own length is judged too.
    let (input, signature) = token.rsplit_once('.').unwrap();
    let signature = decode(signature.as_bytes()).unwrap();
    for length in 0..signature.len() {
        for part in [&signature[..length], &signature[signature.len() - length..]] {
            accepted += usize::from(accepts(format!("{input}.{}", encode(part)).as_bytes()));
        }
    }
    for longer in [[&[0][..], &signature].concat(), [&signature[..], &[0]].concat()] {
        accepted += usize::from(accepts(format!("{input}.{}", encode(&longer)).as_bytes()));
    }
    for fill in [0, 1, 0xff] {
        let other = vec![fill; signature.len()];
        accepted += usize::from(accepts(format!("{input}.{}", encode(&other)).as_bytes()));
    }
    assert_eq!(accepted, 0, "{algorithm}");
}

#[test]
fn no_bit_flip_and_no_truncation_of_an_rsa_token_is_accepted() {
    rsa().iter().for_each(|(algorithm, jwk, token)| check(*algorithm, jwk, token));
}

#[test]
fn no_bit_flip_and_no_truncation_of_any_other_token_is_accepted() {
    others().iter().for_each(|(algorithm, jwk, token)| check(*algorithm, jwk, token));
}

#[test]
fn the_public_key_in_any_spelling_is_no_hmac_secret() {
    for (_, jwk, token) in rsa().into_iter().take(1).chain(others().into_iter().take(4)) {
        let policy = trusting(&jwk, "joe");
        let payload = token.split('.').nth(1).unwrap();
        let header = encode(br#"{"alg":"HS256"}"#);
        let input = format!("{header}.{payload}");
        let spellings = [
            jwk.to_string().into_bytes(),
            json!({"keys": [jwk]}).to_string().into_bytes(),
            jwk["n"].as_str().or(jwk["x"].as_str()).unwrap().as_bytes().to_vec(),
            decode(jwk["n"].as_str().or(jwk["x"].as_str()).unwrap().as_bytes()).unwrap(),
            Vec::new(),
        ];
        for secret in spellings {
            let tag = jwt::HS256Key::from_bytes(&secret).authentication_tag(input.as_bytes());
            let forged = format!("{input}.{}", encode(&tag));
            let result = verify(&policy, forged.as_bytes(), EXP - 1);
            assert_eq!(result.err(), Some(VerifyError::KeyUnknown));
        }
    }
}
