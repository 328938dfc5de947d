//! The attack corpus against the pure core, and every bit of one good token per algorithm.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "core/policy.rs"]
mod policy;

use std::collections::{HashMap, HashSet};

use policy::{NoVariables, PolicyKeys};
use serde_json::{Value, json};
use support::attacks::{self, Attack, Expect, IDENTITY, World};
use support::mint;
use tollgate::config;
use tollgate::policy::Policy;
use tollgate::template::{ClaimRef, PartValue};
use tollgate::verify::Verifier;
use tollgate::verify::engine::ModuleEngine;

/// The filter without its shell: a compiled configuration, and the verifier over it.
struct Core(Policy);

impl Core {
    fn new(providers: &Value) -> Core {
        let document = json!({ "providers": providers }).to_string();
        let (policy, _) = config::compile(document.as_bytes(), &NoVariables).unwrap();
        Core(policy)
    }

    /// The reason for which a token is refused; `Ok` if it is accepted and names an identity.
    fn judge(&self, token: &[u8]) -> Result<(), &'static str> {
        let now = mint::now() * 1_000_000_000;
        let Self(policy) = self;
        let verifier = Verifier {
            providers: &policy.providers,
            keys: &PolicyKeys(policy),
            engine: &ModuleEngine,
            max_bytes: attacks::world::MAX_BYTES,
        };
        let claims =
            verifier.verify(token, None, now).map_err(|failure| failure.error.reason().as_str())?;
        let has = |name: &str| {
            let part = claims.identity_part(&ClaimRef::Name(name.to_owned()));
            matches!(part, Some(PartValue::Text(text)) if !text.is_empty())
        };
        if has("iss") && has("sub") { Ok(()) } else { Err("claim_missing") }
    }
}

/// The flaw of a verdict on an attack; `None` if it is as expected.
fn complaint(attack: &Attack, verdict: Result<(), &'static str>) -> Option<String> {
    let fine = match (attack.expect, verdict) {
        (Expect::Refused(reasons), Err(reason)) => reasons.contains(&reason),
        (Expect::RefusedAny, Err(_)) | (Expect::PassesSanitised, Ok(())) => true,
        (Expect::Refused(_) | Expect::RefusedAny, Ok(())) => false,
        (Expect::PassesSanitised, Err(_)) => false,
    };
    let Attack { family, name, expect, .. } = attack;
    (!fine).then(|| format!("{family}: {name}: {verdict:?}, not {expect:?}"))
}

fn run(core: &Core, corpus: &[Attack]) {
    let complaints: Vec<String> =
        corpus.iter().filter_map(|attack| complaint(attack, core.judge(&attack.token))).collect();
    let count = complaints.len();
    assert!(count == 0, "{count} of {}:\n{}", corpus.len(), complaints.join("\n"));
}

#[test]
fn every_attack_is_refused_for_its_reason() {
    let world = World::new();
    let core = Core::new(&world.providers());
    for (name, token) in world.controls() {
        assert_eq!(core.judge(token.as_bytes()), Ok(()), "{name}");
    }
    run(&core, &attacks::corpus(&world));
}

#[test]
fn every_attack_on_tenants_is_refused_for_its_reason() {
    let world = World::new();
    let core = Core::new(&world.entra_providers());
    for (name, token) in world.entra_controls() {
        assert_eq!(core.judge(token.as_bytes()), Ok(()), "{name}");
    }
    run(&core, &attacks::tenants(&world));
}

#[test]
fn the_corpus_has_300_tokens_in_24_families_and_none_twice() {
    let corpus = attacks::corpus(&World::new());
    let families: HashSet<&str> = corpus.iter().map(|attack| attack.family).collect();
    assert!(corpus.len() >= 300, "{}", corpus.len());
    assert!(families.len() >= 24, "{}", families.len());
    assert!(families.contains(IDENTITY));
    let (mut names, mut tokens) = (HashSet::new(), HashMap::new());
    let mut twice = Vec::new();
    for attack in &corpus {
        let name = (attack.family, attack.name.as_str());
        let same = tokens.insert(&attack.token, name);
        if !names.insert(name) || same.is_some() {
            twice.push((name, same));
        }
    }
    assert!(twice.is_empty(), "{twice:#?}");
}

/// Threat list: accepted 0, for each bit and each length of one good token per algorithm.
#[test]
fn no_bit_of_a_good_token_can_be_flipped_and_no_byte_cut() {
    let world = World::new();
    let core = Core::new(&world.providers());
    let mut claims = mint::claims("s");
    claims["iss"] = attacks::world::MACHINE.into();
    let mut tokens: Vec<String> =
        world.main().iter().map(|signer| signer.sign(&mint::claims("s"))).collect();
    tokens.push(world.hs.sign(&claims));
    tokens.push(world.pss.sign(&mint::claims("s")));
    // Some ten seconds of arithmetic, so each core of the machine takes its share.
    std::thread::scope(|scope| {
        for token in &tokens {
            let core = &core;
            scope.spawn(move || mutate(core, token.as_bytes()));
        }
    });
}

fn mutate(core: &Core, good: &[u8]) {
    assert_eq!(core.judge(good), Ok(()));
    for length in 0..good.len() {
        assert!(core.judge(&good[..length]).is_err(), "cut at {length}");
        assert!(core.judge(&good[good.len() - length..]).is_err(), "{length} from the end");
    }
    let mut bad = good.to_vec();
    for at in 0..good.len() {
        for bit in 0..8 {
            bad[at] = good[at] ^ (1 << bit);
            assert!(core.judge(&bad).is_err(), "bit {bit} of byte {at}");
        }
        bad[at] = good[at];
    }
}
