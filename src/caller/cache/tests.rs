mod keys;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::algorithms::{HS256Key, MACLike};
use serde_json::{Value, json};

use super::*;
use crate::caller::principal::Principal;
use crate::policy::Policy;
use crate::verify::Verifier;
use crate::verify::engine::ModuleEngine;
use crate::verify::keyset::KeySet;
use crate::verify::provider::KeysFrom;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const NANO: Duration = Duration::from_nanos(1);
const SECOND: Duration = Duration::from_secs(1);
/// Seconds since the Unix epoch.
const NOW_SECONDS: u64 = 1_800_000_000;
const NOW: Moment = Moment::from_secs(NOW_SECONDS);
const SETTINGS: CacheSettings = CacheSettings { entries: 100, max_age: Duration::from_secs(300) };

/// Two rules with the same providers in different order, one like the first, one with all.
fn policy() -> Policy {
    let provider = |name: &str, audience: &str| {
        json!({
            "name": name, "issuers": ["https://issuer.test"], "audiences": [audience],
            "algorithms": ["HS256"], "clock_skew": "60s",
            "keys": {"inline": {"keys": [{"kty": "oct", "k": URL_SAFE_NO_PAD.encode(SECRET)}]}},
        })
    };
    let rule = |name: &str, providers: Value| json!({"name": name, "match": {"paths": [format!("/{name}")]}, "providers": providers});
    let document = json!({
        "providers": [provider("p", "one"), provider("q", "two")],
        "rules": [
            rule("a", json!(["p"])),
            rule("b", json!(["q"])),
            rule("c", json!(["p"])),
            {"name": "d"},
        ],
    });
    crate::config::tests::compiled(&document)
}

/// The keys of the policy, with a version of the test.
struct At<'a>(&'a Policy, Option<u64>);

fn keys_of(policy: &Policy, provider: usize) -> Option<&KeySet> {
    match &policy.providers.get(provider)?.keys {
        KeysFrom::Static(keys) => Some(keys),
        KeysFrom::Remote(_) => None,
    }
}

impl Keys for At<'_> {
    fn keys(&self, provider: usize) -> Option<&KeySet> {
        keys_of(self.0, provider)
    }

    fn version(&self, _: usize) -> Option<u64> {
        self.1
    }
}

fn token(subject: &str, more: Value) -> String {
    let mut claims = json!({"iss": "https://issuer.test", "aud": "one", "sub": subject});
    claims["exp"] = json!(NOW_SECONDS + 100);
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let input =
        [json!({"alg": "HS256"}), claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let input = input.join(".");
    let tag = HS256Key::from_bytes(SECRET).authentication_tag(input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn caller(policy: &Policy, token: &str, now: Moment) -> Rc<Caller> {
    let keys = At(policy, Some(0));
    let verifier = Verifier {
        providers: &policy.providers,
        keys: &keys,
        engine: &ModuleEngine,
        max_bytes: 16_384,
    };
    let claims = verifier.verify(token.as_bytes(), None, now).unwrap();
    let principal = Principal::of(claims, &policy.providers[0]).unwrap();
    Rc::new(Caller::new(principal, vec![]))
}

/// The result of a lookup: the identity, the error, or nothing.
fn find(
    cache: &TokenCache,
    policy: &Policy,
    token: &str,
    rule: usize,
    version: Option<u64>,
    now: Moment,
) -> Result<Option<String>, VerifyError> {
    let keys = At(policy, version);
    let class = policy.rules[rule].provider_class;
    match cache.look(token.as_bytes(), class, &policy.providers, &keys, now) {
        Known::Verified(caller) => Ok(Some(caller.principal().identity().to_owned())),
        Known::Refused(failure) => Err(failure.error),
        Known::Nothing(_) => Ok(None),
    }
}

/// A cache with this token, of rule 0 and version 1.
fn remembering(policy: &Policy, token: &str) -> TokenCache {
    let cache = TokenCache::new(SETTINGS, 42);
    let keys = At(policy, Some(1));
    let Known::Nothing(place) = cache.look(token.as_bytes(), 0, &policy.providers, &keys, NOW)
    else {
        panic!("known already")
    };
    let caller = caller(policy, token, NOW);
    cache.verified(place, (&caller, &[]), &policy.providers[0], &keys, NOW);
    cache
}

fn alice() -> Result<Option<String>, VerifyError> {
    Ok(Some("https://issuer.test/alice".to_owned()))
}

#[test]
fn a_verified_token_is_known_again_and_another_is_not() {
    let (policy, good) = (policy(), token("alice", json!({})));
    let cache = remembering(&policy, &good);
    assert_eq!(find(&cache, &policy, &good, 0, Some(1), NOW), alice());
    for other in [&good[1..], &good[..good.len() - 1], &format!("{good}x"), ""] {
        assert_eq!(find(&cache, &policy, other, 0, Some(1), NOW), Ok(None));
    }
    for at in 0..good.len() {
        let mut other = good.clone().into_bytes();
        other[at] ^= 1;
        let other = String::from_utf8(other).unwrap();
        assert_eq!(find(&cache, &policy, &other, 0, Some(1), NOW), Ok(None), "{at}");
    }
}

#[test]
fn a_rule_that_admits_other_providers_does_not_know_the_token() {
    let (policy, good) = (policy(), token("alice", json!({})));
    let cache = remembering(&policy, &good);
    assert_eq!(find(&cache, &policy, &good, 2, Some(1), NOW), alice());
    for rule in [1, 3] {
        assert_eq!(find(&cache, &policy, &good, rule, Some(1), NOW), Ok(None), "{rule}");
    }
}

#[test]
fn a_remembered_token_ends_at_exp_plus_skew_to_the_nanosecond() {
    let (policy, good) = (policy(), token("alice", json!({})));
    let cache = remembering(&policy, &good);
    let end = NOW + 160 * SECOND;
    assert_eq!(find(&cache, &policy, &good, 0, Some(1), end - NANO), alice());
    assert_eq!(find(&cache, &policy, &good, 0, Some(1), end), Ok(None));
    assert_eq!(find(&cache, &policy, &good, 0, Some(1), NOW), Ok(None), "it is gone");
}

#[test]
fn a_remembered_token_ends_with_the_age_and_is_verified_anew_by_a_clock_that_steps_back() {
    let more = json!({"exp": NOW_SECONDS + 86_400, "nbf": NOW_SECONDS});
    let (policy, good) = (policy(), token("alice", more));
    let cache = remembering(&policy, &good);
    let back = NOW - 61 * SECOND;
    assert_eq!(find(&cache, &policy, &good, 0, Some(1), back), Ok(None));
    let cache = remembering(&policy, &good);
    assert_eq!(find(&cache, &policy, &good, 0, Some(1), NOW + 300 * SECOND - NANO), alice());
    assert_eq!(find(&cache, &policy, &good, 0, Some(1), NOW + 300 * SECOND), Ok(None));
}

#[test]
fn other_keys_or_none_end_what_is_remembered() {
    let (policy, good) = (policy(), token("alice", json!({})));
    for version in [Some(0), Some(2), None] {
        let cache = remembering(&policy, &good);
        assert_eq!(find(&cache, &policy, &good, 0, version, NOW), Ok(None));
        assert_eq!(find(&cache, &policy, &good, 0, Some(1), NOW), Ok(None), "it is gone");
    }
}

#[test]
fn a_wrong_signature_is_remembered_for_seconds_and_under_the_same_keys() {
    let policy = policy();
    let refuse = |error| {
        let cache = TokenCache::new(SETTINGS, 42);
        let keys = At(&policy, Some(1));
        let Known::Nothing(place) = cache.look(b"forged", 0, &policy.providers, &keys, NOW) else {
            panic!("known already")
        };
        let attempts = vec![Attempt { provider: 0, error }];
        let failure = Failure { error, provider: Some(0), attempts, claims: None };
        cache.refused(place, &failure, &keys, NOW);
        cache
    };
    let look =
        |cache: &TokenCache, rule, version, now| find(cache, &policy, "forged", rule, version, now);
    let wrong = VerifyError::SignatureInvalid;
    let cache = refuse(wrong);
    assert_eq!(look(&cache, 0, Some(1), NOW), Err(wrong));
    assert_eq!(look(&cache, 1, Some(1), NOW), Ok(None));
    assert_eq!(look(&cache, 0, Some(1), NOW + REFUSED_FOR - NANO), Err(wrong));
    assert_eq!(look(&cache, 0, Some(1), NOW + REFUSED_FOR), Ok(None));
    let many = VerifyError::TooManyKeys;
    assert_eq!(look(&refuse(many), 0, Some(1), NOW), Err(many));
    assert_eq!(look(&refuse(wrong), 0, Some(2), NOW), Ok(None));
    assert_eq!(look(&refuse(wrong), 0, None, NOW), Ok(None));
    for error in [VerifyError::Expired, VerifyError::KeyUnknown, VerifyError::KeysUnavailable] {
        assert_eq!(look(&refuse(error), 0, Some(1), NOW), Ok(None), "{error}");
    }
}

#[test]
fn no_entries_or_no_age_is_no_memory() {
    for (settings, on) in [
        (SETTINGS, true),
        (CacheSettings { entries: 0, ..SETTINGS }, false),
        (CacheSettings { max_age: Duration::ZERO, ..SETTINGS }, false),
    ] {
        assert_eq!(TokenCache::new(settings, 42).is_on(), on);
    }
}

/// GHSA-rp9m-7r4c-75qg: a cache whose keys collided returned another user's claims. Here hashes
/// are cut so short that nearly all collide, and the value of each token is its own number.
#[test]
fn ten_million_lookups_of_distinct_tokens_find_nobody_else() {
    const HELD: u64 = 10_000;
    let name = |number: u64| {
        let mut token = [b'.'; 24];
        token[..8].copy_from_slice(&number.to_le_bytes());
        token[16..].copy_from_slice(&number.rotate_left(17).to_le_bytes());
        token
    };
    let cut = [u64::MAX, 0xffff, 0xf];
    let mut caches = cut.map(|_| Ring::new(HELD as usize, 1 << 20));
    let mut found = [0_u64; 3];
    for number in 0..10_000_000 {
        let token = name(number);
        let whole = hash(0x1234_5678_9abc_def0, &token);
        for (cache, cut) in caches.iter_mut().zip(cut) {
            // All tokens with the full hash, every eighth with the others.
            if cut != u64::MAX && number % 8 != 0 {
                continue;
            }
            let key = Key { hash: whole & cut, class: 0, token: &token };
            assert_eq!(cache.get(key), None, "{number}");
            if number % 1000 == 0 {
                cache.insert(key, number, 0);
            }
        }
        if number % 1000 == 999 {
            let own = number / 1000 * 1000;
            let token = name(own);
            let whole = hash(0x1234_5678_9abc_def0, &token);
            for ((cache, cut), found) in caches.iter_mut().zip(cut).zip(&mut found) {
                let value = cache.get(Key { hash: whole & cut, class: 0, token: &token }).copied();
                assert!(value.is_none_or(|value| value == own));
                *found += u64::from(value.is_some());
            }
        }
    }
    assert_eq!(found[0], HELD, "the whole hash finds every token again");
}
