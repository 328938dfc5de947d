//! How many signatures one request can have checked: for any token, keys and providers, at most two
//! by the proxy and one by the module.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "core/policy.rs"]
mod policy;

use std::cell::Cell;

use proptest::prelude::*;
use serde_json::{Value, json};
use support::attacks::many_keys::many_keys;
use support::mint::{self, Signer};
use tollgate::config::{self, NoVariables};
use tollgate::policy::Policy;
use tollgate::time::Moment;
use tollgate::verify::algorithm::{Algorithm, Family};
use tollgate::verify::engine::{Budget, Engine, ModuleEngine, Signed};
use tollgate::verify::host::OFFERED;
use tollgate::verify::{Claims, Failure};

/// The proxy's verdict on every signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proxy {
    /// There is none: `crypto: module`.
    Absent,
    /// It verifies.
    Answers,
    /// It fails, and the module has to.
    Fails,
}

/// Counts the checks, by the rules of the filter's own engine.
struct Counting {
    proxy: Proxy,
    /// All signatures are good: the test counts how many are checked.
    good: bool,
    host: Cell<u32>,
    module: Cell<u32>,
    hashes: Cell<u32>,
}

impl Counting {
    fn new(proxy: Proxy, good: bool) -> Self {
        let zero = || Cell::new(0);
        Self { proxy, good, host: zero(), module: zero(), hashes: zero() }
    }

    fn within_bounds(&self) -> bool {
        let (host, module, hashes) = (self.host.get(), self.module.get(), self.hashes.get());
        let all = if self.proxy == Proxy::Fails { host.max(module) } else { host + module };
        module <= 1 && all + hashes <= 2
    }
}

impl Engine for Counting {
    fn supports(&self, _: Algorithm) -> bool {
        true
    }

    fn check(&self, budget: &mut Budget, signed: Signed<'_>) -> Option<bool> {
        let algorithm = signed.algorithm;
        if self.proxy != Proxy::Absent && OFFERED.contains(&algorithm) {
            self.host.set(self.host.get() + 1);
            if self.proxy == Proxy::Answers {
                return Some(self.good);
            }
        }
        budget.take_in_module(algorithm).then(|| {
            let hash = algorithm.family() == Family::Secret;
            let count = if hash { &self.hashes } else { &self.module };
            count.set(count.get() + 1);
            self.good
        })
    }
}

fn policy_of(providers: &[Value]) -> Policy {
    policy::compiled(&json!({ "providers": providers }))
}

fn verify(policy: &Policy, engine: &dyn Engine, token: &str) -> Result<Claims, Failure> {
    policy::verify(policy, engine, token.as_bytes(), Moment::from_secs(mint::now()))
}

#[test]
fn a_forged_token_has_at_most_two_signatures_checked_and_one_in_the_module() {
    let mut checked = 0;
    for family in many_keys() {
        let policy = policy_of(&family.providers);
        for token in &family.tokens {
            for proxy in [Proxy::Absent, Proxy::Answers, Proxy::Fails] {
                let engine = Counting::new(proxy, false);
                let reason = verify(&policy, &engine, token).unwrap_err().error.reason().as_str();
                let counts = (engine.host.get(), engine.module.get(), engine.hashes.get());
                assert!(engine.within_bounds(), "{}: {proxy:?} {counts:?}", family.family);
                let none = counts == (0, 0, 0);
                assert!(!none || reason == "key_unknown", "{}: {reason}", family.family);
                checked += counts.0 + counts.1;
            }
        }
    }
    assert!(checked > 100, "the keys are tried at all: {checked}");
}

#[test]
fn of_more_than_two_keys_that_may_have_signed_a_token_none_is_tried() {
    for family in many_keys() {
        let too_many = family.family.contains("8 keys without kid");
        if !too_many && !family.family.contains("2 keys without kid") {
            continue;
        }
        let policy = policy_of(&family.providers);
        let engine = Counting::new(Proxy::Answers, false);
        let error = verify(&policy, &engine, &family.tokens[0]).unwrap_err().error;
        let counted = engine.host.get() + engine.module.get() + engine.hashes.get();
        assert_eq!(counted == 0, too_many, "{}", family.family);
        let told = error.to_string() == "key_unknown (too many candidates)";
        assert!(told || !too_many, "{}: {error}", family.family);
    }
}

/// A provider of one issuer with these keys, each a kind, a name and whether it names its algorithm.
fn any_provider() -> impl Strategy<Value = Vec<(usize, usize, bool)>> {
    proptest::collection::vec((0..KINDS.len(), 0..5_usize, any::<bool>()), 1..5)
}

const KINDS: [&str; 6] = ["RS256", "PS256", "ES256", "ES512", "EdDSA", "HS256"];
const KIDS: [Option<&str>; 5] = [None, None, Some(""), Some("a"), Some("b")];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64,
        ..ProptestConfig::default() })]

    #[test]
    fn no_key_sets_and_no_kid_have_more_checked(
        providers in proptest::collection::vec(any_provider(), 1..5),
        named in any::<bool>(),
        kind in 0..KINDS.len(),
        kid in 0..KIDS.len(),
        good in any::<bool>(),
    ) {
        let pool: Vec<Vec<Signer>> = KINDS.map(|kind| {
            (0..4).map(|n| Signer::new(kind, &format!("{kind}{n}"))).collect()
        }).to_vec();
        let mut documents = Vec::new();
        for (index, keys) in providers.iter().enumerate() {
            let jwks = keys.iter().enumerate().map(|(n, (kind, kid, names))| {
                let mut jwk = pool[*kind][(n + index) % 4].jwk();
                let members = jwk.as_object_mut().unwrap();
                members.remove("kid");
                if !names {
                    members.remove("alg");
                }
                if let Some(kid) = KIDS[*kid] {
                    jwk["kid"] = json!(kid);
                }
                jwk
            });
            let mut provider = json!({
                "name": format!("p{index}"), "issuers": [mint::ISSUER], "audiences": ["nobody"],
                "keys": {"inline": {"keys": jwks.collect::<Vec<_>>()}},
            });
            if named {
                provider["algorithms"] = json!(KINDS);
            }
            documents.push(provider);
        }
        // All keys may be secrets that the provider does not name: such a document does not load.
        let document = json!({ "providers": documents }).to_string();
        let Ok((policy, _)) = config::compile(document.as_bytes(), &NoVariables) else {
            return Ok(());
        };
        let mut header = json!({"alg": KINDS[kind]});
        if let Some(kid) = KIDS[kid] {
            header["kid"] = json!(kid);
        }
        let token = pool[kind][0].sign_with(header, &mint::claims("s"));
        for proxy in [Proxy::Absent, Proxy::Answers, Proxy::Fails] {
            let engine = Counting::new(proxy, good);
            prop_assert!(verify(&policy, &engine, &token).is_err());
            prop_assert!(engine.within_bounds(), "{proxy:?}");
        }
    }
}

/// A key that two providers have is tried once, so that the module's one check does for both.
#[test]
fn a_key_of_two_providers_is_tried_once_and_serves_both() {
    let signer = Signer::new("EdDSA", "k");
    let provider = |name: &str, audience: &str| {
        json!({"name": name, "issuers": [mint::ISSUER], "audiences": [audience],
               "keys": {"inline": mint::jwks(&[&signer])}})
    };
    let policy = policy_of(&[provider("id", "client"), provider("access", mint::AUDIENCE)]);
    let token = signer.sign(&mint::claims("s"));
    let claims = verify(&policy, &ModuleEngine, &token).unwrap();
    assert_eq!(policy.providers[claims.provider()].name, "access");
    let engine = Counting::new(Proxy::Absent, true);
    assert!(verify(&policy, &engine, &token).is_ok());
    assert_eq!(engine.module.get(), 1);
}
