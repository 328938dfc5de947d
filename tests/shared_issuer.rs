//! Providers that share an issuer: two clusters whose tokens all say `https://kubernetes.default.svc`,
//! the ID and the access tokens of one user pool. Each that the rule admits is tried in its order, and
//! the denial is that of the one that came furthest.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "core/policy.rs"]
mod policy;

use std::rc::Rc;

use serde_json::{Value, json};
use support::mint::{self, Signer};
use support::scenario::claims_with;
use tollgate::caller::cache::Known;
use tollgate::caller::principal::{Caller, Principal};
use tollgate::policy::Policy;
use tollgate::time::Moment;
use tollgate::verify::algorithm::Algorithm;
use tollgate::verify::engine::{Budget, Engine, ModuleEngine, Signed};
use tollgate::verify::keyset::KeySet;
use tollgate::verify::provider::KeysFrom;
use tollgate::verify::{Accepted, Failure, Keys, Verifier};

/// Checks two signatures for a token, as the proxy does: keys of one name are in two sets here.
struct AsProxy;

impl Engine for AsProxy {
    fn supports(&self, algorithm: Algorithm) -> bool {
        ModuleEngine.supports(algorithm)
    }

    fn check(&self, _: &mut Budget, signed: Signed<'_>) -> Option<bool> {
        ModuleEngine.check(&mut Budget::default(), signed)
    }
}

/// Some providers, of which one may lack its keys for the moment.
struct World {
    policy: Policy,
    absent: Option<usize>,
    version: u64,
}

impl Keys for World {
    fn keys(&self, provider: usize) -> Option<&KeySet> {
        match &self.policy.providers.get(provider)?.keys {
            KeysFrom::Static(keys) if self.absent != Some(provider) => Some(keys),
            _ => None,
        }
    }

    fn version(&self, provider: usize) -> Option<u64> {
        self.keys(provider).map(|_| self.version)
    }
}

fn provider(name: &str, signers: &[&Signer], members: Value) -> Value {
    let mut provider = json!({
        "name": name, "issuers": [mint::ISSUER], "audiences": [mint::AUDIENCE],
        "keys": {"inline": mint::jwks(signers)},
    });
    for (name, value) in members.as_object().unwrap() {
        provider[name] = value.clone();
    }
    provider
}

impl World {
    fn new(providers: &[Value]) -> Self {
        let policy = policy::compiled(&json!({ "providers": providers }));
        Self { policy, absent: None, version: 1 }
    }

    fn judge(
        &self,
        token: &str,
        admitted: Option<&[usize]>,
    ) -> Result<Accepted<Principal>, Failure> {
        let verifier = Verifier {
            providers: &self.policy.providers,
            keys: self,
            engine: &AsProxy,
            max_bytes: self.policy.token.max_bytes,
        };
        let now = Moment::from_secs(mint::now());
        verifier.verify_as(token.as_bytes(), admitted, now, Principal::of)
    }

    fn name(&self, provider: usize) -> &str {
        &self.policy.providers[provider].name
    }

    /// `ok` or the reason, and the provider.
    fn word(&self, token: &str, admitted: Option<&[usize]>) -> (&'static str, &str) {
        match self.judge(token, admitted) {
            Ok(accepted) => ("ok", self.name(accepted.value.claims().provider())),
            Err(failure) => {
                (failure.error.reason().as_str(), failure.provider.map_or("none", |i| self.name(i)))
            }
        }
    }
}

#[test]
fn two_clusters_of_one_issuer_each_verify_their_own_tokens() {
    let [one, two, three] = ["one", "two", "three"].map(|kid| Signer::new("ES256", kid));
    let world =
        World::new(&[provider("c1", &[&one], json!({})), provider("c2", &[&two], json!({}))]);
    for admitted in [None, Some(&[0, 1][..]), Some(&[1, 0])] {
        let word = |signer: &Signer| world.word(&signer.sign(&mint::claims("s")), admitted);
        assert_eq!(word(&one), ("ok", "c1"));
        assert_eq!(word(&two), ("ok", "c2"));
        let first = if admitted == Some(&[1, 0]) { "c2" } else { "c1" };
        assert_eq!(word(&three), ("key_unknown", first));
        // A key of one cluster under the name of the other's: it was tried, and did not sign.
        let forged = three.with_kid("two").sign(&mint::claims("s"));
        assert_eq!(world.word(&forged, admitted), ("signature_invalid", "c2"));
    }
    assert_eq!(world.word(&two.sign(&mint::claims("s")), Some(&[0])), ("key_unknown", "c1"));
    // Both lack the key, so that either's set may bring it.
    let failure = world.judge(&three.sign(&mint::claims("s")), None).unwrap_err();
    let lacking = failure.attempts.iter().filter(|attempt| attempt.error.lacks_keys());
    assert_eq!(lacking.map(|attempt| attempt.provider).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn id_and_access_tokens_of_one_pool_are_two_providers() {
    let signer = Signer::new("RS256", "pool");
    let id = json!({"audiences": ["client"]});
    let access = json!({"audiences": "any", "token_use": "access", "identity": ["{sub}"]});
    let world =
        World::new(&[provider("id", &[&signer], id), provider("access", &[&signer], access)]);
    let id = signer.sign(&claims_with("s", json!({"aud": "client"})));
    let access = signer.sign(&claims_with("s", json!({"aud": null, "scope": "read"})));
    let neither = signer.sign(&claims_with("s", json!({"aud": "other"})));
    for admitted in [None, Some(&[1, 0][..])] {
        assert_eq!(world.word(&id, admitted), ("ok", "id"));
        assert_eq!(world.word(&access, admitted), ("ok", "access"));
        assert_eq!(world.word(&neither, admitted), ("token_use_mismatch", "access"));
    }
}

/// Each row: why the first and the second provider refuse, and which denial is reported.
#[test]
fn the_denial_is_that_of_the_provider_that_came_furthest() {
    let [key, other] = ["key", "other"].map(|kid| Signer::new("ES256", kid));
    // The checks of a provider, from the first to the last.
    let stages: [(&str, Value, &[&Signer]); 9] = [
        ("type_not_allowed", json!({"typ": ["at+jwt"]}), &[&key]),
        ("key_unknown", json!({}), &[&other]),
        ("signature_invalid", json!({}), &[]),
        ("keys_unavailable", json!({}), &[&key]),
        ("audience_mismatch", json!({"audiences": ["them"]}), &[&key]),
        ("lifetime_too_long", json!({"max_lifetime": "1s"}), &[&key]),
        ("token_use_mismatch", json!({"token_use": "access"}), &[&key]),
        ("claim_missing", json!({"identity": ["{oid}"]}), &[&key]),
        ("ok", json!({}), &[&key]),
    ];
    let token = key.sign(&claims_with("s", json!({"iat": mint::now()})));
    let forger = other.with_kid("key");
    for (early, (early_word, early_members, early_keys)) in stages.iter().enumerate() {
        for (late, (late_word, late_members, late_keys)) in stages.iter().enumerate().skip(early) {
            let signers = |keys: &[&Signer]| match keys {
                [] => provider("", &[&forger], json!({}))["keys"].clone(),
                keys => provider("", keys, json!({}))["keys"].clone(),
            };
            let with = |name: &str, members: &Value, keys: &[&Signer]| {
                let mut provider = provider(name, &[&key], members.clone());
                provider["keys"] = signers(keys);
                provider
            };
            let mut world = World::new(&[
                with("a", early_members, early_keys),
                with("b", late_members, late_keys),
            ]);
            world.absent = match (*early_word, *late_word) {
                // A token that no provider accepts is refused before a provider is chosen.
                ("type_not_allowed", "type_not_allowed") => continue,
                ("keys_unavailable", "keys_unavailable") => continue,
                ("keys_unavailable", _) => Some(0),
                (_, "keys_unavailable") => Some(1),
                _ => None,
            };
            for admitted in [[0, 1], [1, 0]] {
                let expected = match early == late && admitted == [0, 1] {
                    true => (*late_word, "a"),
                    false => (*late_word, "b"),
                };
                assert_eq!(
                    world.word(&token, Some(&admitted)),
                    expected,
                    "{early_word} {late_word} {admitted:?}"
                );
            }
        }
    }
}

#[test]
fn what_is_remembered_of_a_token_ends_with_the_keys_of_every_provider_that_was_asked() {
    let [one, two] = ["one", "two"].map(|kid| Signer::new("ES256", kid));
    let mut world =
        World::new(&[provider("c1", &[&one], json!({})), provider("c2", &[&two], json!({}))]);
    let token = two.sign(&mint::claims("s"));
    let now = Moment::from_secs(mint::now());
    let cache = world.policy.empty_cache(42);
    let accepted = world.judge(&token, None).unwrap();
    let caller = Rc::new(Caller::new(accepted.value, Vec::new()));
    let providers = &world.policy.providers;
    let Known::Nothing(place) = cache.look(token.as_bytes(), 0, providers, &world, now) else {
        panic!("known already")
    };
    cache.verified(place, (&caller, &accepted.attempts), &providers[1], &world, now);
    let known = |world: &World| {
        let look = cache.look(token.as_bytes(), 0, &world.policy.providers, world, now);
        matches!(look, Known::Verified(_))
    };
    assert!(known(&world));
    // The first provider, whose key set did not have the key, has lost its keys, or has others.
    world.absent = Some(0);
    assert!(!known(&world));
}

#[test]
fn a_token_that_another_provider_may_take_later_is_not_remembered() {
    let signer = Signer::new("ES256", "k");
    let early = claims_with("s", json!({"nbf": mint::now() + 30}));
    let strict = json!({"clock_skew": "0s"});
    let world =
        World::new(&[provider("a", &[&signer], strict), provider("b", &[&signer], json!({}))]);
    let token = signer.sign(&early);
    let accepted = world.judge(&token, None).unwrap();
    assert_eq!(world.name(accepted.value.claims().provider()), "b");
    let caller = Rc::new(Caller::new(accepted.value, Vec::new()));
    let cache = world.policy.empty_cache(42);
    let now = Moment::from_secs(mint::now());
    let providers = &world.policy.providers;
    let Known::Nothing(place) = cache.look(token.as_bytes(), 0, providers, &world, now) else {
        panic!("known already")
    };
    cache.verified(place, (&caller, &accepted.attempts), &providers[1], &world, now);
    let look = cache.look(token.as_bytes(), 0, providers, &world, now);
    assert!(matches!(look, Known::Nothing(_)));
}
