//! A token from its bytes to its claims, and the order of the checks.

mod dates;
mod entra;
mod values;

use crate::time::Moment;
use std::time::Duration;

use jwt_simple::algorithms::{HS256Key, MACLike};
use serde_json::{Value, json};

use super::algorithm::{Algorithm, AlgorithmSet};
use super::engine::ModuleEngine;
use super::keyset::{KeySet, SecretKeys};
use super::provider::{Audiences, Issuer, KeysFrom, Provider};
use super::providers::Providers;
use super::*;

const NANO: Duration = Duration::from_nanos(1);
/// Seconds since the Unix epoch.
const NOW: u64 = 1_700_000_000;
const SECRET: [u8; 32] = [7; 32];

struct Sets(Vec<Option<KeySet>>);

impl Keys for Sets {
    fn keys(&self, provider: usize) -> Option<&KeySet> {
        self.0.get(provider)?.as_ref()
    }
}

fn key_set(extra: Value) -> KeySet {
    let mut key = json!({"kty": "oct", "k": base64url::encode(&SECRET)});
    for (name, value) in extra.as_object().unwrap() {
        key[name.as_str()] = value.clone();
    }
    KeySet::parse(json!({"keys": [key]}).to_string().as_bytes(), SecretKeys::Admit).unwrap().0
}

fn provider() -> Provider {
    Provider {
        audiences: Audiences::Only(vec!["us".to_owned(), "we".to_owned()].into()),
        algorithms: Some([Algorithm::Hs256].into_iter().collect()),
        clock_skew: 60,
        ..Provider::of("https://i", KeysFrom::Static(key_set(json!({}))))
    }
}

fn mint(header: Value, payload: &str) -> String {
    let encode = |text: &str| base64url::encode(text.as_bytes());
    let input = format!("{}.{}", encode(&header.to_string()), encode(payload));
    let tag = HS256Key::from_bytes(&SECRET).authentication_tag(input.as_bytes());
    format!("{input}.{}", base64url::encode(&tag))
}

fn good() -> Value {
    json!({"iss": "https://i", "aud": "us", "exp": NOW + 300, "sub": "s"})
}

/// Replaces some claims; null removes one.
fn with(mut claims: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name.as_str()] = value.clone(),
        }
    }
    claims
}

/// The error and the provider of a failure.
type Refusal = (VerifyError, Option<usize>);

fn run(
    providers: &Providers,
    keys: &dyn Keys,
    token: &str,
    admitted: Option<&[usize]>,
    now: Moment,
) -> Result<Claims, Refusal> {
    let verifier = Verifier { providers, keys, engine: &ModuleEngine, max_bytes: 16 * 1024 };
    let verified = verifier.verify(token.as_bytes(), admitted, now);
    verified.map_err(|failure| (failure.error, failure.provider))
}

fn one_at(
    provider: Provider,
    header: Value,
    claims: Value,
    now: Moment,
) -> Result<Claims, VerifyError> {
    let token = mint(header, &claims.to_string());
    let keys = Sets(vec![Some(key_set(json!({})))]);
    run(&vec![provider].into(), &keys, &token, None, now).map_err(|(error, _)| error)
}

fn one(provider: Provider, claims: Value) -> Result<Claims, VerifyError> {
    one_at(provider, json!({"alg": "HS256", "typ": "JWT"}), claims, Moment::from_secs(NOW))
}

#[test]
fn the_name_of_the_key_is_that_of_the_set_whether_the_token_names_it_or_not() {
    let keys = Sets(vec![Some(key_set(json!({"kid": "k"})))]);
    for header in [json!({"alg": "HS256", "kid": "k"}), json!({"alg": "HS256"})] {
        let token = mint(header, &good().to_string());
        let claims =
            run(&vec![provider()].into(), &keys, &token, None, Moment::from_secs(NOW)).unwrap();
        assert_eq!(claims.kid(), Some("k"), "{token}");
    }
}

#[test]
fn absent_malformed_and_wrong_are_three_errors() {
    use VerifyError::*;
    for (change, error) in [
        (json!({"aud": null}), ClaimMissing("aud")),
        (json!({"aud": 1}), ClaimMalformed("aud")),
        (json!({"aud": {}}), ClaimMalformed("aud")),
        (json!({"aud": ["us", 1]}), ClaimMalformed("aud")),
        (json!({"aud": []}), AudienceMismatch),
        (json!({"aud": "US"}), AudienceMismatch),
        (json!({"aud": "us "}), AudienceMismatch),
        (json!({"aud": "usa"}), AudienceMismatch),
        (json!({"aud": ["them"]}), AudienceMismatch),
        (json!({"iss": null}), ClaimMissing("iss")),
        (json!({"iss": ["https://i"]}), ClaimMalformed("iss")),
        (json!({"iss": "https://I"}), IssuerNotAllowed),
        (json!({"iss": "https://i/"}), IssuerNotAllowed),
        (json!({"iss": "https://"}), IssuerNotAllowed),
        (json!({"exp": null}), ClaimMissing("exp")),
        (json!({"exp": "1800000000"}), ClaimMalformed("exp")),
        (json!({"exp": -1}), Expired),
        (json!({"exp": -62_135_596_800_i64}), Expired),
        (json!({"exp": 1e300}), DateTooFar("exp")),
        (json!({"exp": (NOW + 300) * 1000}), DateTooFar("exp")),
        (json!({"nbf": NOW * 1000}), DateTooFar("nbf")),
        (json!({"jti": 1}), ClaimMalformed("jti")),
        (json!({"jti": []}), ClaimMalformed("jti")),
        (json!({"jti": ["a"]}), ClaimMalformed("jti")),
        (json!({"uti": true}), ClaimMalformed("uti")),
        (json!({"uti": {}}), ClaimMalformed("uti")),
        (json!({"exp": []}), ClaimMalformed("exp")),
        (json!({"nbf": "0"}), ClaimMalformed("nbf")),
        (json!({"iat": true}), ClaimMalformed("iat")),
        (json!({"exp": 1}), Expired),
        (json!({"nbf": NOW + 61}), NotYetValid),
        (json!({"iat": NOW + 61}), IssuedInFuture),
    ] {
        let result = one(provider(), with(good(), change.clone()));
        assert_eq!(result.err(), Some(error), "{change}");
    }
    // JSON's null is a value of the wrong type, not an absent claim.
    let token = mint(json!({"alg": "HS256"}), r#"{"iss":"https://i","aud":"us","exp":null}"#);
    let keys = Sets(vec![Some(key_set(json!({})))]);
    let failure =
        run(&vec![provider()].into(), &keys, &token, None, Moment::from_secs(NOW)).unwrap_err();
    assert_eq!(failure.0, ClaimMalformed("exp"));
    for change in [
        json!({"aud": ["x", "we"]}),
        json!({"nbf": NOW + 60}),
        json!({"iat": NOW + 60}),
        json!({"jti": "", "uti": "x"}),
    ] {
        assert!(one(provider(), with(good(), change.clone())).is_ok(), "{change}");
    }
}

#[test]
fn typ_is_judged_where_it_is_configured() {
    let judge = |allowed: &[&str], header: Value| {
        let typ = Some(allowed.iter().map(|typ| (*typ).to_owned()).collect());
        one_at(Provider { typ, ..provider() }, header, good(), Moment::from_secs(NOW)).err()
    };
    let refused = Some(VerifyError::TypeNotAllowed);
    let typ = |typ: &str| json!({"alg": "HS256", "typ": typ});
    assert_eq!(judge(&["JWT", "at+jwt"], typ("jwt")), None);
    assert_eq!(judge(&["JWT", "at+jwt"], typ("application/AT+JWT")), None);
    assert_eq!(judge(&["JWT", "at+jwt"], typ("dpop+jwt")), refused);
    assert_eq!(judge(&["JWT", "at+jwt"], json!({"alg": "HS256"})), None);
    assert_eq!(judge(&["at+jwt"], json!({"alg": "HS256"})), refused);
    assert_eq!(judge(&["at+jwt"], typ("JWT")), refused);
}

#[test]
fn the_steps_are_judged_in_their_order() {
    use VerifyError::*;
    let providers = vec![provider()].into();
    let keys = Sets(vec![Some(key_set(json!({"kid": "k"})))]);
    let judge =
        |token: &str| run(&providers, &keys, token, None, Moment::from_secs(NOW)).unwrap_err();
    let none = |error| (error, None);
    let some = |error| (error, Some(0));
    let header = |kid: &str| json!({"alg": "HS256", "kid": kid});
    let claims = good().to_string();
    let token = mint(header("k"), &claims);
    assert!(run(&providers, &keys, &token, None, Moment::from_secs(NOW)).is_ok());
    assert_eq!(judge(&"a.".repeat(16 * 1024)), none(TooLarge));
    assert_eq!(judge(&format!("{token}.")), none(Shape));
    assert_eq!(judge(&format!("{token}=")), none(Encoding));
    assert_eq!(judge(&format!(" {token}")), none(Encoding));
    assert_eq!(judge(&mint(json!({"alg": "none"}), "[]")), none(AlgorithmNotAllowed));
    assert_eq!(judge(&mint(json!({"alg": "RS256"}), "[]")), none(AlgorithmNotAllowed));
    assert_eq!(judge(&mint(header("k"), "[]")), none(PayloadJson));
    assert_eq!(judge(&mint(header("k"), r#"{"iss":"x","iss":"x"}"#)), none(PayloadJson));
    assert_eq!(judge(&mint(header("x"), r#"{"iss":"x"}"#)), none(IssuerNotAllowed));
    assert_eq!(judge(&mint(header("x"), r#"{"iss":"https://i"}"#)), some(KeyUnknown));
    let unsigned = format!("{}.{}", token.rsplit_once('.').unwrap().0, base64url::encode(&[0; 32]));
    assert_eq!(judge(&unsigned), some(SignatureInvalid));
    for length in [1, 31, 33, 64] {
        let signature = base64url::encode(&vec![0; length]);
        let other = format!("{}.{signature}", token.rsplit_once('.').unwrap().0);
        assert_eq!(judge(&other), some(SignatureInvalid));
    }
    // Claims are checked last, so that a forger learns nothing about them.
    let expired = mint(header("k"), r#"{"iss":"https://i","exp":1}"#);
    assert_eq!(judge(&expired), some(ClaimMissing("aud")));
    let stolen = format!("{}.{}", expired.rsplit_once('.').unwrap().0, base64url::encode(&[0; 32]));
    assert_eq!(judge(&stolen), some(SignatureInvalid));
}

#[test]
fn a_missing_key_set_is_told_from_an_unknown_key() {
    let token = mint(json!({"alg": "HS256", "kid": "x"}), &good().to_string());
    let run = |set| {
        run(&vec![provider()].into(), &Sets(vec![set]), &token, None, Moment::from_secs(NOW))
            .unwrap_err()
    };
    let unavailable = (VerifyError::KeysUnavailable, Some(0));
    assert_eq!(run(None), unavailable);
    let unknown = (VerifyError::KeyUnknown, Some(0));
    assert_eq!(run(Some(key_set(json!({"kid": "k"})))), unknown);
}

#[test]
fn hmac_is_refused_unless_named_and_es512_without_a_host() {
    let asked = |algorithms, alg: &str| {
        let provider = Provider { algorithms, ..provider() };
        one_at(provider, json!({ "alg": alg }), good(), Moment::from_secs(NOW)).err()
    };
    let refused = Some(VerifyError::AlgorithmNotAllowed);
    assert_eq!(asked(None, "HS256"), refused);
    assert_eq!(asked(None, "ES512"), refused);
    assert_eq!(asked(Some(AlgorithmSet::EMPTY), "HS256"), refused);
    // An algorithm of another family than the key's, with and without its `kid`.
    let rs256 = Some([Algorithm::Rs256].into_iter().collect());
    assert_eq!(asked(rs256, "RS256"), Some(VerifyError::KeyUnknown));
}

#[test]
fn only_admitted_providers_count() {
    let other = Provider { issuers: vec![Issuer::Exact("https://j".to_owned())], ..provider() };
    let providers = vec![provider(), other].into();
    let keys = Sets(vec![Some(key_set(json!({}))), Some(key_set(json!({})))]);
    let token = mint(json!({"alg": "HS256"}), &good().to_string());
    let run = |admitted| run(&providers, &keys, &token, admitted, Moment::from_secs(NOW));
    assert_eq!(run(None).unwrap().provider(), 0);
    assert_eq!(run(Some(&[1, 0])).unwrap().provider(), 0);
    for admitted in [&[1][..], &[], &[7]] {
        assert_eq!(run(Some(admitted)).unwrap_err().0, VerifyError::IssuerNotAllowed);
    }
}
