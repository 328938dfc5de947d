use serde_json::{Value, json};

use super::*;
use crate::time::Moment;
use crate::verify::algorithm::AlgorithmSet;
use crate::verify::engine::{Budget, Engine, Signed};
use crate::verify::jwk::{Public, SecretKeys};
use crate::verify::provider::KeysFrom;
use crate::verify::{Verifier, base64url};

/// A key without a name: an Ed25519 point, or an RSA modulus made of this number.
fn key(kty: &str, number: u8) -> Value {
    let ed = [
        "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", // RFC 8037 appendix A.2
        "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw", // RFC 8032 §7.1, test 2
        "_FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU", // test 3
    ];
    match kty {
        "OKP" => json!({"kty": "OKP", "crv": "Ed25519", "x": ed[usize::from(number)]}),
        _ => {
            let mut modulus = vec![0xc5; 256];
            modulus[1] = number;
            json!({"kty": "RSA", "n": base64url::encode(&modulus), "e": "AQAB"})
        }
    }
}

/// The same with a name, which may be null, and an `alg`.
fn named(kty: &str, number: u8, kid: Value, alg: Option<&str>) -> Value {
    let mut jwk = key(kty, number);
    jwk["kid"] = kid;
    if let Some(alg) = alg {
        jwk["alg"] = json!(alg);
    }
    jwk
}

fn set(keys: &[Value]) -> KeySet {
    let json = json!({ "keys": keys }).to_string();
    let (set, skipped) = KeySet::parse(json.as_bytes(), SecretKeys::Admit).unwrap();
    assert_eq!(skipped, []);
    set
}

fn provider(algorithms: Option<&[Algorithm]>) -> Provider {
    Provider {
        algorithms: algorithms.map(|names| names.iter().copied().collect::<AlgorithmSet>()),
        ..Provider::of("i", KeysFrom::Static(set(&[key("RSA", 0)])))
    }
}

const MATCHED: IssuerMatch<'_> = IssuerMatch { iss: "i", tenant: None, tenant_admitted: true };

fn header(algorithm: Algorithm, kid: Value) -> Header {
    let json = json!({"alg": algorithm.name(), "kid": kid}).to_string();
    Header::parse(base64url::encode(json.as_bytes()).as_bytes()).ok().unwrap()
}

/// The number of tried keys and of candidates.
fn counts(
    keys: &KeySet,
    provider: &Provider,
    algorithm: Algorithm,
    kid: Value,
) -> Result<(usize, usize), VerifyError> {
    let found = Candidates::of(keys, provider, &MATCHED, &header(algorithm, kid))?;
    Ok((found.tried().count(), found.count()))
}

#[test]
fn a_kid_is_a_hint_and_one_that_is_empty_or_null_is_absent() {
    use Algorithm::{EdDsa, Rs256};
    let a = || named("RSA", 0, json!("a"), None);
    let nameless =
        [key("RSA", 1), named("RSA", 1, json!(""), None), named("RSA", 1, json!(null), None)];
    for nameless in nameless {
        let keys = set(&[a(), nameless.clone(), named("OKP", 0, json!("e"), None)]);
        let find = |algorithm, kid| counts(&keys, &provider(None), algorithm, kid);
        // First the key of that name, then the one without a name; without such a name only the latter.
        assert_eq!(find(Rs256, json!("a")), Ok((2, 2)), "{nameless}");
        assert_eq!(find(Rs256, json!("b")), Ok((1, 1)), "{nameless}");
        assert_eq!(find(Rs256, json!("e")), Ok((1, 1)), "the key of that name does not fit");
        for none in [json!(null), json!("")] {
            assert_eq!(find(Rs256, none.clone()), Ok((2, 2)));
            assert_eq!(find(EdDsa, none), Ok((1, 1)));
        }
        assert_eq!(find(EdDsa, json!("a")), Err(VerifyError::AlgorithmNotAllowed));
        assert_eq!(find(EdDsa, json!("A")), Err(VerifyError::KeyUnknown));
        assert_eq!(find(Algorithm::Es256, json!(null)), Err(VerifyError::KeyUnknown));
        let first = Candidates::of(&keys, &provider(None), &MATCHED, &header(Rs256, json!("a")));
        assert_eq!(first.ok().unwrap().tried().next().unwrap().kid(), Some("a"));
    }
}

#[test]
fn of_more_candidates_than_two_none_is_tried_but_those_that_the_token_names() {
    let rsa = |number, kid: Option<&str>| match kid {
        Some(kid) => named("RSA", number, json!(kid), None),
        None => key("RSA", number),
    };
    for (keys, kid, tried) in [
        (vec![rsa(0, None), rsa(1, None), rsa(2, None)], None, 0),
        (vec![rsa(0, None), rsa(1, None), rsa(2, None)], Some("a"), 0),
        (vec![rsa(0, Some("a")), rsa(1, Some("b")), rsa(2, Some("c"))], None, 0),
        (vec![rsa(0, Some("a")), rsa(1, None), rsa(2, None)], Some("a"), 1),
        (vec![rsa(0, Some("a")), rsa(1, Some("a")), rsa(2, None)], Some("a"), 2),
        (vec![rsa(0, Some("a")), rsa(1, Some("a")), rsa(2, Some("a"))], Some("a"), 0),
        // A key that occurs three times counts once.
        (vec![rsa(0, Some("a")), rsa(0, None), rsa(0, Some("a"))], Some("a"), 1),
        (vec![rsa(0, None), rsa(0, Some("a")), rsa(0, Some("b"))], None, 1),
    ] {
        let keys = set(&keys);
        let found = counts(&keys, &provider(None), Algorithm::Rs256, json!(kid));
        assert_eq!(found.map(|(tried, _)| tried), Ok(tried), "{kid:?}");
    }
}

#[test]
fn pss_is_for_keys_that_name_it_or_providers_that_do() {
    let pss = [Algorithm::Ps256, Algorithm::Ps384, Algorithm::Ps512];
    let unnamed = set(&[named("RSA", 0, json!("a"), None), named("RSA", 1, json!("b"), None)]);
    for algorithm in pss {
        let own = set(&[named("RSA", 0, json!("a"), Some(algorithm.name()))]);
        for kid in [json!("a"), json!(null)] {
            let refused = counts(&unnamed, &provider(None), algorithm, kid.clone());
            assert_eq!(refused, Err(VerifyError::AlgorithmNotAllowed), "{algorithm} {kid}");
            assert!(counts(&own, &provider(None), algorithm, kid.clone()).is_ok());
            let asked = provider(Some(&[algorithm]));
            assert!(counts(&unnamed, &asked, algorithm, kid.clone()).is_ok());
            assert!(counts(&unnamed, &provider(None), Algorithm::Rs512, kid).is_ok());
        }
    }
}

/// Accepts the signatures of the key with this number in its modulus.
struct SignedBy(u8);

impl Engine for SignedBy {
    fn supports(&self, _: Algorithm) -> bool {
        true
    }

    fn check(&self, budget: &mut Budget, signed: Signed<'_>) -> Option<bool> {
        let good = matches!(signed.key.public(), Public::Rsa { n, .. } if n[1] == self.0);
        budget.take_in_module(signed.algorithm).then_some(good)
    }
}

#[test]
fn where_the_module_tries_one_of_two_keys_the_other_is_not_called_a_forgery() {
    let token = |kid: Value| {
        let header = json!({"alg": "RS256", "kid": kid}).to_string();
        let parts = [header.as_str(), r#"{"iss":"i","exp":1}"#, "signature"];
        parts.map(|part| base64url::encode(part.as_bytes())).join(".")
    };
    let sets = [
        (set(&[key("RSA", 0), key("RSA", 1)]), json!(null)),
        (set(&[named("RSA", 0, json!("a"), None), named("RSA", 1, json!("a"), None)]), json!("a")),
    ];
    for (keys, kid) in sets {
        for (signed, error) in [(0, None), (1, Some("too many candidates"))] {
            let provider = provider(None);
            let keys = One(&keys);
            let engine = SignedBy(signed);
            let verifier = Verifier {
                providers: &vec![provider].into(),
                keys: &keys,
                engine: &engine,
                max_bytes: 4096,
            };
            let token = token(kid.clone());
            let found =
                verifier.verify(token.as_bytes(), None, Moment::EPOCH).err().map(|f| f.error);
            let detail = found.and_then(|error| error.detail(None));
            assert_eq!(detail.as_deref(), error, "{kid} {signed}");
            assert_eq!(found.map(|e| e.reason().as_str()), error.map(|_| "key_unknown"));
        }
    }
    // The key that the token names was tried, and it outranks the others.
    let keys = set(&[named("RSA", 0, json!("a"), None), key("RSA", 1)]);
    let provider = provider(None);
    let engine = SignedBy(9);
    let verifier = Verifier {
        providers: &vec![provider].into(),
        keys: &One(&keys),
        engine: &engine,
        max_bytes: 4096,
    };
    let token = token(json!("a"));
    let error = verifier.verify(token.as_bytes(), None, Moment::EPOCH).unwrap_err().error;
    assert_eq!(error, VerifyError::SignatureInvalid);
}

struct One<'a>(&'a KeySet);

impl crate::verify::Keys for One<'_> {
    fn keys(&self, _: usize) -> Option<&KeySet> {
        Some(self.0)
    }
}
