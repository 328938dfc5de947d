//! The attack corpus against the pure core, and every bit of one good token per algorithm.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "core/policy.rs"]
mod policy;

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use support::attacks::{self, Attack, Expect, IDENTITY, World};
use support::mint;
use tollgate::policy::Policy;
use tollgate::time::Moment;
use tollgate::verify::engine::ModuleEngine;

fn core(providers: Value) -> Policy {
    policy::compiled(&json!({ "providers": providers }))
}

fn judge(core: &Policy, token: &[u8]) -> &'static str {
    policy::reason(core, &ModuleEngine, token, Moment::from_secs(mint::now()))
}

fn run(core: &Policy, corpus: &[Attack]) {
    let mut complaints = Vec::new();
    for Attack { family, name, expect, token, .. } in corpus {
        let reason = judge(core, token);
        let fine = match expect {
            Expect::Refused(reasons) => reasons.contains(&reason),
            Expect::RefusedAny => reason != "ok",
            Expect::PassesSanitised => reason == "ok",
        };
        if !fine {
            complaints.push(format!("{family}: {name}: {reason}, not {expect:?}"));
        }
    }
    let count = complaints.len();
    assert!(count == 0, "{count} of {}:\n{}", corpus.len(), complaints.join("\n"));
}

#[test]
fn every_attack_is_refused_for_its_reason() {
    let world = World::new();
    let core = core(world.providers());
    for (name, token) in world.controls() {
        assert_eq!(judge(&core, token.as_bytes()), "ok", "{name}");
    }
    run(&core, &attacks::corpus(&world));
}

#[test]
fn every_attack_on_tenants_is_refused_for_its_reason() {
    let world = World::new();
    let core = core(world.entra_providers());
    for (name, token) in world.entra_controls() {
        assert_eq!(judge(&core, token.as_bytes()), "ok", "{name}");
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
    let providers = world.providers();
    let mut claims = mint::claims("s");
    claims["iss"] = attacks::world::MACHINE.into();
    let mut tokens: Vec<String> =
        world.main().iter().map(|signer| signer.sign(&mint::claims("s"))).collect();
    tokens.push(world.hs.sign(&claims));
    tokens.push(world.pss.sign(&mint::claims("s")));
    // Some ten seconds of arithmetic, so each core of the machine takes its share.
    std::thread::scope(|scope| {
        for token in &tokens {
            let providers = &providers;
            // A policy belongs to one thread.
            scope.spawn(move || mutate(&core(providers.clone()), token.as_bytes()));
        }
    });
}

fn mutate(core: &Policy, good: &[u8]) {
    assert_eq!(judge(core, good), "ok");
    for length in 0..good.len() {
        assert_ne!(judge(core, &good[..length]), "ok", "cut at {length}");
        assert_ne!(judge(core, &good[good.len() - length..]), "ok", "{length} from the end");
    }
    let mut bad = good.to_vec();
    for at in 0..good.len() {
        for bit in 0..8 {
            bad[at] = good[at] ^ (1 << bit);
            assert_ne!(judge(core, &bad), "ok", "bit {bit} of byte {at}");
        }
        bad[at] = good[at];
    }
}
