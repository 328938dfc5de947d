//! The attack corpus against the pure core, and every bit of one good token per algorithm.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{HashMap, HashSet};
use support::mint;

use serde_json::Value;
use support::attacks::{self, Attack, Expect, IDENTITY, World};
use tollgate::template::{ClaimRef, PartValue};
use tollgate::verify::algorithm::Algorithm;
use tollgate::verify::engine::ModuleEngine;
use tollgate::verify::keyset::{KeySet, SecretKeys};
use tollgate::verify::provider::{Audiences, Bind, Issuer, KeysFrom, Provider, Tenants, TokenUse};
use tollgate::verify::{Keys, Verifier};

/// The filter without its shell: what a configuration compiles to, and the verifier over it.
struct Core {
    providers: Vec<Provider>,
    sets: Vec<KeySet>,
}

impl Keys for Core {
    fn keys(&self, provider: usize) -> Option<&KeySet> {
        self.sets.get(provider)
    }
}

impl Core {
    fn new(providers: &Value) -> Core {
        let providers = providers.as_array().unwrap();
        Core {
            providers: providers.iter().map(provider).collect(),
            sets: providers.iter().map(key_set).collect(),
        }
    }

    /// The reason a token is refused for; `Ok` if it is taken and names an identity.
    fn judge(&self, token: &[u8]) -> Result<(), &'static str> {
        let now = mint::now() * 1_000_000_000;
        let max_bytes = attacks::world::MAX_BYTES;
        let verifier =
            Verifier { providers: &self.providers, keys: self, engine: &ModuleEngine, max_bytes };
        let claims =
            verifier.verify(token, None, now).map_err(|failure| failure.error.reason().as_str())?;
        let has = |name: &str| {
            let part = claims.identity_part(&ClaimRef::Name(name.to_owned()));
            matches!(part, Some(PartValue::Text(text)) if !text.is_empty())
        };
        if has("iss") && has("sub") { Ok(()) } else { Err("claim_missing") }
    }
}

/// One entry of `providers`, as far as the world makes use of it.
fn provider(entry: &Value) -> Provider {
    let list = |name: &str| -> Option<Vec<String>> {
        let items = entry.get(name)?.as_array()?;
        Some(items.iter().map(|item| item.as_str().unwrap().to_owned()).collect())
    };
    let entra = entry.get("preset").is_some();
    let tenanted = |prefix: &str, suffix: &str| Issuer::Tenanted {
        prefix: prefix.to_owned(),
        suffix: suffix.to_owned(),
    };
    let issuers = match list("issuers") {
        Some(issuers) => issuers.into_iter().map(Issuer::Exact).collect(),
        None => vec![
            tenanted("https://login.microsoftonline.com/", "/v2.0"),
            tenanted("https://sts.windows.net/", "/"),
        ],
    };
    let names = if entra { Some(vec!["RS256".to_owned()]) } else { list("algorithms") };
    Provider {
        name: entry["name"].as_str().unwrap().to_owned(),
        issuers,
        tenants: list("tenants").map_or(Tenants::None, Tenants::Only),
        audiences: Audiences::Only(list("audiences").unwrap()),
        algorithms: names.map(|names| {
            names.iter().map(|name| Algorithm::from_name(name.as_bytes()).unwrap()).collect()
        }),
        keys: KeysFrom::Static(key_set(entry)),
        clock_skew: 60,
        require_exp: true,
        max_lifetime: entry.get("max_lifetime").map(|_| 3600),
        typ: list("typ"),
        token_use: if entra { TokenUse::Access } else { TokenUse::Any },
        bind: Bind::None,
        identity: Vec::new(),
        entra,
    }
}

fn key_set(entry: &Value) -> KeySet {
    let json = entry["keys"]["inline"].to_string();
    let (set, skipped) = KeySet::parse(json.as_bytes(), SecretKeys::Admit).unwrap();
    assert!(skipped.is_empty(), "{skipped:?}");
    set
}

/// What is wrong with the verdict on an attack; nothing, if it is as it must be.
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
