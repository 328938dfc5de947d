//! The whole way of a token, and the order of its judgement.

use jwt_simple::algorithms::{HS256Key, MACLike};
use serde_json::json;

use super::algorithm::{Algorithm, AlgorithmSet};
use super::engine::ModuleEngine;
use super::keyset::SecretKeys;
use super::*;
use crate::template::{ClaimRef, PartValue};
use crate::verify::provider::{Audiences, Issuer, KeysFrom, Tenants, TokenUse};

const SECOND: u64 = 1_000_000_000;
const NOW: u64 = 1_700_000_000;
const SECRET: [u8; 32] = [7; 32];
const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const OTHER_TENANT: &str = "11111111-2222-3333-4444-555555555555";

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
        audiences: Audiences::Only(vec!["us".to_owned(), "we".to_owned()]),
        algorithms: Some([Algorithm::Hs256].into_iter().collect()),
        clock_skew: 60,
        ..Provider::of("https://i", KeysFrom::Static(key_set(json!({}))))
    }
}

fn entra() -> Provider {
    let tenanted = |prefix: &str, suffix: &str| Issuer::Tenanted {
        prefix: prefix.to_owned(),
        suffix: suffix.to_owned(),
    };
    Provider {
        issuers: vec![
            tenanted("https://login.microsoftonline.com/", "/v2.0"),
            tenanted("https://sts.windows.net/", "/"),
        ],
        tenants: Tenants::Only(vec![TENANT.to_uppercase()]),
        audiences: Audiences::Only(vec![format!("api://{TENANT}")]),
        token_use: TokenUse::Access,
        entra: true,
        ..provider()
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

fn entra_claims() -> Value {
    json!({
        "iss": format!("https://login.microsoftonline.com/{TENANT}/v2.0"),
        "tid": TENANT, "aud": TENANT, "exp": NOW + 300, "scp": "score.invoke",
    })
}

/// The claims with some replaced; null removes one.
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
    providers: &[Provider],
    keys: &dyn Keys,
    token: &str,
    admitted: Option<&[usize]>,
    now: u64,
) -> Result<Claims, Refusal> {
    let verifier = Verifier { providers, keys, engine: &ModuleEngine, max_bytes: 16 * 1024 };
    let verified = verifier.verify(token.as_bytes(), admitted, now);
    verified.map_err(|failure| (failure.error, failure.provider))
}

fn one_at(
    provider: Provider,
    header: Value,
    claims: Value,
    now: u64,
) -> Result<Claims, VerifyError> {
    let token = mint(header, &claims.to_string());
    let keys = Sets(vec![Some(key_set(json!({})))]);
    run(&[provider], &keys, &token, None, now).map_err(|(error, _)| error)
}

fn one(provider: Provider, claims: Value) -> Result<Claims, VerifyError> {
    one_at(provider, json!({"alg": "HS256", "typ": "JWT"}), claims, NOW * SECOND)
}

#[test]
fn a_good_token_becomes_claims_that_can_be_read() {
    let claims = with(
        good(),
        json!({"n": 1, "b": false, "roles": ["a", 2, true], "mixed": ["a", {}], "none": [],
               "realm_access": {"roles": ["x"], "a/b": "slash"}, "a.b": "dot"}),
    );
    let claims = one(provider(), claims).unwrap();
    assert_eq!((claims.provider(), claims.kid()), (0, None));
    assert_eq!(claims.expires(&provider()), Some((NOW + 360) * SECOND));
    let name = |name: &str| ClaimRef::Name(name.to_owned());
    let pointer = |tokens: &[&str]| {
        ClaimRef::Pointer(tokens.iter().map(|token| (*token).to_owned()).collect())
    };
    for (claim, text) in [
        (name("sub"), Some("s")),
        (name("n"), Some("1")),
        (name("b"), Some("false")),
        (name("roles"), Some("a,2,true")),
        (name("mixed"), None),
        (name("none"), Some("")),
        (name("realm_access"), None),
        (name("a.b"), Some("dot")),
        (name("absent"), None),
        (name("/sub"), None),
        (pointer(&["sub"]), Some("s")),
        (pointer(&["realm_access", "roles"]), Some("x")),
        (pointer(&["realm_access", "a/b"]), Some("slash")),
        (pointer(&["roles", "1"]), Some("2")),
        (pointer(&["roles", "01"]), None),
        (pointer(&["roles", "+1"]), None),
        (pointer(&["roles", "-"]), None),
        (pointer(&["roles", ""]), None),
        (pointer(&["roles", "9"]), None),
        (pointer(&["roles", "99999999999999999999999"]), None),
        (pointer(&["sub", "0"]), None),
        (pointer(&[]), None),
    ] {
        let found = claims.part(&claim).map(|part| match part {
            PartValue::Text(text) => text.into_owned(),
            PartValue::List(items) => items.join(","),
        });
        assert_eq!(found.as_deref(), text, "{claim:?}");
    }
    assert_eq!(format!("{claims:?}"), "Claims { provider: 0, .. }");
}

#[test]
fn the_subject_is_a_string_and_no_other_value_becomes_its_text() {
    for value in [json!(1), json!(true), json!(["s"]), json!({"s": 1}), json!([])] {
        let refused = one(provider(), with(good(), json!({"sub": value}))).unwrap_err();
        assert_eq!(refused, VerifyError::ClaimMalformed("sub"), "{value}");
    }
    for value in [json!("1"), json!(""), json!("true")] {
        assert!(one(provider(), with(good(), json!({"sub": value}))).is_ok(), "{value}");
    }
}

#[test]
fn numbers_that_are_read_as_one_have_no_value_and_an_identity_has_no_large_ones() {
    let part = |text: &str, of: fn(&Claims, &ClaimRef) -> bool| {
        let number: serde_json::Value = serde_json::from_str(text).unwrap();
        let claims = one(provider(), with(good(), json!({"n": number}))).unwrap();
        of(&claims, &ClaimRef::Name("n".into()))
    };
    for (number, in_tags, in_identities) in [
        ("0", true, true),
        ("-7", true, true),
        ("1.5", true, true),
        ("9007199254740992", true, true),
        ("9007199254740993", true, false),
        ("-9007199254740993", true, false),
        ("18446744073709551615", true, false),
        ("18446744073709551616", false, false),
        ("9007199254740991.0", true, true),
        ("9007199254740993.0", false, false), // Read as 2^53.
        ("1e300", false, false),
        ("-1e300", false, false),
    ] {
        let shown = part(number, |claims, claim| claims.part(claim).is_some());
        let identifies = part(number, |claims, claim| claims.identity_part(claim).is_some());
        assert_eq!((shown, identifies), (in_tags, in_identities), "{number}");
    }
    let claims = one(provider(), with(good(), json!({"n": [1], "b": true, "o": {}}))).unwrap();
    for (name, identifies) in [("n", false), ("b", true), ("o", false), ("absent", false)] {
        let claim = ClaimRef::Name(name.into());
        assert_eq!(claims.identity_part(&claim).is_some(), identifies, "{name}");
    }
}

#[test]
fn the_name_of_the_key_is_that_of_the_set_whether_the_token_names_it_or_not() {
    let keys = Sets(vec![Some(key_set(json!({"kid": "k"})))]);
    for header in [json!({"alg": "HS256", "kid": "k"}), json!({"alg": "HS256"})] {
        let token = mint(header, &good().to_string());
        let claims = run(&[provider()], &keys, &token, None, NOW * SECOND).unwrap();
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
    let failure = run(&[provider()], &keys, &token, None, NOW * SECOND).unwrap_err();
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
fn expired_token_is_refused_at_exp_plus_skew_and_not_a_nanosecond_before() {
    let at = |exp: Value, now| {
        one_at(provider(), json!({"alg": "HS256"}), with(good(), json!({ "exp": exp })), now)
    };
    let end = (NOW + 60) * SECOND;
    assert!(at(json!(NOW), end - 1).is_ok());
    assert_eq!(at(json!(NOW), end).err(), Some(VerifyError::Expired));
    assert!(at(json!(NOW as f64 + 0.5), end + SECOND / 2 - 1).is_ok());
    assert_eq!(at(json!(NOW as f64 + 0.5), end + SECOND / 2).err(), Some(VerifyError::Expired));
    let far = at(json!(253_402_300_799u64), u64::MAX).unwrap();
    assert_eq!(far.expires(&provider()), Some(u64::MAX));
    let mut patient = provider();
    patient.clock_skew = u64::MAX;
    assert!(one_at(patient, json!({"alg": "HS256"}), good(), u64::MAX).is_ok());
}

#[test]
fn remembered_claims_expire_too() {
    let claims = one(provider(), good()).unwrap();
    let end = claims.expires(&provider()).unwrap();
    assert_eq!(claims.check_times(&provider(), end - 1), Ok(()));
    assert_eq!(claims.check_times(&provider(), end), Err(VerifyError::Expired));
}

#[test]
fn lifetime_is_bounded_where_it_is_configured() {
    let bounded = || Provider { max_lifetime: Some(3600), require_exp: false, ..provider() };
    let lifetime = |claims: Value| one(bounded(), with(good(), claims)).err();
    assert_eq!(lifetime(json!({"iat": NOW, "exp": NOW + 3600})), None);
    let longer = lifetime(json!({"iat": NOW, "exp": NOW + 3601}));
    assert_eq!(longer, Some(VerifyError::LifetimeTooLong));
    assert_eq!(lifetime(json!({})), Some(VerifyError::ClaimMissing("iat")));
    let no_exp = lifetime(json!({"exp": null, "iat": NOW}));
    assert_eq!(no_exp, Some(VerifyError::ClaimMissing("exp")));
    let lax = Provider { require_exp: false, ..provider() };
    assert!(one(lax, with(good(), json!({"exp": null}))).is_ok());
}

#[test]
fn a_date_before_1970_is_past_and_no_bound_is_below_it() {
    let never_set = [json!(-62_135_596_800_i64), json!(-1), json!(-0.5), json!(-1e300), json!(0)];
    for date in never_set {
        for name in ["nbf", "iat"] {
            let change = json!({ name: date });
            assert!(one(provider(), with(good(), change.clone())).is_ok(), "{change}");
        }
        let lax = Provider { require_exp: false, ..provider() };
        let expired = one(lax, with(good(), json!({"exp": date}))).err();
        assert_eq!(expired, Some(VerifyError::Expired), "{date}");
        // Whatever the bound: such an `iat` says nothing of when the token was issued.
        for most in [3600, u64::MAX] {
            let bounded = Provider { max_lifetime: Some(most), ..provider() };
            let lifetime = one(bounded, with(good(), json!({"iat": date}))).err();
            let fails = most == 3600 || date != json!(0);
            assert_eq!(lifetime.is_some(), fails, "{date} {most}");
            assert!(lifetime.is_none_or(|error| error == VerifyError::LifetimeTooLong), "{date}");
        }
    }
}

#[test]
fn typ_is_judged_where_it_is_configured() {
    let judge = |allowed: &[&str], header: Value| {
        let typ = Some(allowed.iter().map(|typ| (*typ).to_owned()).collect());
        one_at(Provider { typ, ..provider() }, header, good(), NOW * SECOND).err()
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
    let providers = [provider()];
    let keys = Sets(vec![Some(key_set(json!({"kid": "k"})))]);
    let judge = |token: &str| run(&providers, &keys, token, None, NOW * SECOND).unwrap_err();
    let none = |error| (error, None);
    let some = |error| (error, Some(0));
    let header = |kid: &str| json!({"alg": "HS256", "kid": kid});
    let claims = good().to_string();
    let token = mint(header("k"), &claims);
    assert!(run(&providers, &keys, &token, None, NOW * SECOND).is_ok());
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
    // Claims are judged last: a forger learns nothing of them.
    let expired = mint(header("k"), r#"{"iss":"https://i","exp":1}"#);
    assert_eq!(judge(&expired), some(ClaimMissing("aud")));
    let stolen = format!("{}.{}", expired.rsplit_once('.').unwrap().0, base64url::encode(&[0; 32]));
    assert_eq!(judge(&stolen), some(SignatureInvalid));
}

#[test]
fn a_missing_key_set_is_told_from_an_unknown_key() {
    let token = mint(json!({"alg": "HS256", "kid": "x"}), &good().to_string());
    let run = |set| run(&[provider()], &Sets(vec![set]), &token, None, NOW * SECOND).unwrap_err();
    let unavailable = (VerifyError::KeysUnavailable, Some(0));
    assert_eq!(run(None), unavailable);
    let unknown = (VerifyError::KeyUnknown, Some(0));
    assert_eq!(run(Some(key_set(json!({"kid": "k"})))), unknown);
}

#[test]
fn hmac_is_refused_unless_named_and_es512_without_a_host() {
    let asked = |algorithms, alg: &str| {
        let provider = Provider { algorithms, ..provider() };
        one_at(provider, json!({ "alg": alg }), good(), NOW * SECOND).err()
    };
    let refused = Some(VerifyError::AlgorithmNotAllowed);
    assert_eq!(asked(None, "HS256"), refused);
    assert_eq!(asked(None, "ES512"), refused);
    assert_eq!(asked(Some(AlgorithmSet::EMPTY), "HS256"), refused);
    // A fitting name for a key of another family, with and without naming the key.
    let rs256 = Some([Algorithm::Rs256].into_iter().collect());
    assert_eq!(asked(rs256, "RS256"), Some(VerifyError::KeyUnknown));
}

#[test]
fn only_admitted_providers_count() {
    let other = Provider { issuers: vec![Issuer::Exact("https://j".to_owned())], ..provider() };
    let providers = [provider(), other];
    let keys = Sets(vec![Some(key_set(json!({}))), Some(key_set(json!({})))]);
    let token = mint(json!({"alg": "HS256"}), &good().to_string());
    let run = |admitted| run(&providers, &keys, &token, admitted, NOW * SECOND);
    assert_eq!(run(None).unwrap().provider(), 0);
    assert_eq!(run(Some(&[1, 0])).unwrap().provider(), 0);
    for admitted in [&[1][..], &[], &[7]] {
        assert_eq!(run(Some(admitted)).unwrap_err().0, VerifyError::IssuerNotAllowed);
    }
}

#[test]
fn two_tenants_of_one_issuer_can_be_two_providers() {
    let tenants = |tenant: &str| Tenants::Only(vec![tenant.to_owned()]);
    let providers = [
        Provider { tenants: tenants(OTHER_TENANT), ..entra() },
        Provider { tenants: tenants(TENANT), ..entra() },
    ];
    let keys = Sets(vec![Some(key_set(json!({}))), Some(key_set(json!({})))]);
    let token = mint(json!({"alg": "HS256"}), &entra_claims().to_string());
    let run = |admitted| run(&providers, &keys, &token, admitted, NOW * SECOND);
    assert_eq!(run(None).unwrap().provider(), 1);
    let refused = (VerifyError::TenantNotAllowed, Some(0));
    assert_eq!(run(Some(&[0])).unwrap_err(), refused);
    // The first is named where none admits the tenant.
    let strangers = [0, 1].map(|_| Provider { tenants: tenants(OTHER_TENANT), ..entra() });
    let nobody = self::run(&strangers, &keys, &token, None, NOW * SECOND);
    assert_eq!(nobody.unwrap_err(), refused);
}

#[test]
fn entra_tokens_are_judged_by_what_microsoft_documents() {
    use VerifyError::*;
    let v1 = format!("https://sts.windows.net/{TENANT}/");
    let other = format!("https://login.microsoftonline.com/{OTHER_TENANT}/v2.0");
    for (change, error) in [
        (json!({}), None),
        (json!({"iss": v1}), None),
        (json!({"aud": format!("api://{TENANT}")}), None),
        (json!({"scp": null, "roles": ["r"]}), None),
        (json!({"scp": null, "scope": "s"}), None),
        (json!({"tid": TENANT.to_uppercase()}), None),
        (json!({"tid": null}), Some(ClaimMissing("tid"))),
        (json!({"tid": 1}), Some(ClaimMalformed("tid"))),
        (json!({"tid": "common"}), Some(ClaimMalformed("tid"))),
        (json!({"tid": OTHER_TENANT}), Some(TenantNotAllowed)),
        (json!({"iss": other}), Some(TenantNotAllowed)),
        (json!({"aud": OTHER_TENANT}), Some(AudienceMismatch)),
        (json!({"scp": null}), Some(TokenUseMismatch)),
        (json!({"scp": " "}), Some(TokenUseMismatch)),
        (json!({"scp": null, "roles": []}), Some(TokenUseMismatch)),
        (json!({"scp": null, "roles": [""]}), Some(TokenUseMismatch)),
        (json!({"scp": null, "roles": {"a": 1}}), Some(TokenUseMismatch)),
    ] {
        assert_eq!(one(entra(), with(entra_claims(), change.clone())).err(), error, "{change}");
    }
    // An exact issuer names its tenant too.
    let issuers = vec![Issuer::Exact(format!("https://sts.windows.net/{TENANT}/"))];
    let exact = || Provider { issuers: issuers.clone(), tenants: Tenants::None, ..entra() };
    let claims = |tid: &str| with(entra_claims(), json!({"iss": v1, "tid": tid}));
    assert!(one(exact(), claims(TENANT)).is_ok());
    assert_eq!(one(exact(), claims(OTHER_TENANT)).err(), Some(TenantNotAllowed));
}

#[test]
fn an_entra_key_signs_for_its_own_issuer_alone() {
    let template = "https://login.microsoftonline.com/{tenantid}/v2.0";
    let v1 = format!("https://sts.windows.net/{TENANT}/");
    let own = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
    let other = format!("https://login.microsoftonline.com/{OTHER_TENANT}/v2.0");
    let refused = Some(VerifyError::IssuerNotAllowed);
    let other_v1 = format!("https://sts.windows.net/{OTHER_TENANT}/");
    let exact = |issuers: &[&String]| Provider {
        issuers: issuers.iter().map(|iss| Issuer::Exact(iss.to_string())).collect(),
        tenants: Tenants::None,
        ..entra()
    };
    let v2_alone =
        || Provider { issuers: entra().issuers.into_iter().take(1).collect(), ..entra() };
    let v1_alone =
        || Provider { issuers: entra().issuers.into_iter().skip(1).collect(), ..entra() };
    for (key_issuer, iss, provider, error) in [
        (template, own.as_str(), entra(), None),
        (own.as_str(), own.as_str(), entra(), None),
        (other.as_str(), own.as_str(), entra(), refused),
        // The common key set names the v2.0 issuer and signs v1.0 tokens, and the reverse.
        (template, v1.as_str(), entra(), None),
        (own.as_str(), v1.as_str(), entra(), None),
        ("https://sts.windows.net/{tenantid}/", own.as_str(), entra(), None),
        (other.as_str(), v1.as_str(), entra(), refused),
        (other_v1.as_str(), own.as_str(), entra(), refused),
        (template, own.as_str(), v2_alone(), None),
        (template, v1.as_str(), v1_alone(), refused),
        (template, v1.as_str(), exact(&[&v1, &own]), None),
        (template, v1.as_str(), exact(&[&v1, &other]), refused),
        (other.as_str(), v1.as_str(), exact(&[&v1, &other]), refused),
        ("https://login.microsoftonline.us/{tenantid}/v2.0", own.as_str(), entra(), refused),
        ("https://login.microsoftonline.com/{tenantid}/{tenantid}", own.as_str(), entra(), refused),
        ("{tenantid}", own.as_str(), entra(), refused),
        ("", own.as_str(), entra(), refused),
        (other.as_str(), own.as_str(), Provider { entra: false, ..entra() }, None),
    ] {
        let provider = Provider { audiences: Audiences::Any, ..provider };
        let token =
            mint(json!({"alg": "HS256"}), &with(entra_claims(), json!({"iss": iss})).to_string());
        let keys = Sets(vec![Some(key_set(json!({"issuer": key_issuer})))]);
        let result = run(&[provider], &keys, &token, None, NOW * SECOND);
        assert_eq!(result.err().map(|(error, _)| error), error, "{key_issuer} {iss}");
    }
}
