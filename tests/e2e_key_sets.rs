//! Hostile key sets, by one verdict each: of the core, of the filter in a real Envoy that fetches
//! them, and of `tollgate explain`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "core/policy.rs"]
mod policy;

use std::collections::BTreeSet;
use std::path::Path;

use support::attacks::key_sets::{self, KeySetAttack, UNUSABLE};
use support::prelude::*;
use tollgate::config::{self, NoVariables};
use tollgate::policy::Policy;
use tollgate::time::Moment;
use tollgate::verify::engine::ModuleEngine;
use tollgate::verify::keyset::{KeySet, SecretKeys};
use tollgate::verify::{Keys, Verifier};

struct Sets(Vec<Option<KeySet>>);

impl Keys for Sets {
    fn keys(&self, provider: usize) -> Option<&KeySet> {
        self.0.get(provider)?.as_ref()
    }
}

/// A provider for each set, its keys fetched from `/NUMBER`.
fn configuration(attacks: &[KeySetAttack]) -> Value {
    let provider = |number: usize| {
        json!({
            "name": format!("ks-{number}"),
            "issuers": [key_sets::issuer(number)],
            "audiences": [mint::AUDIENCE],
            "keys": {"remote": {"uri": format!("http://keys.test/{number}"), "cluster": "keys"}},
        })
    };
    json!({"providers": (0..attacks.len()).map(provider).collect::<Vec<_>>()})
}

/// The core's verdict on every probe, as lines of `set: token: reason`.
fn natively(attacks: &[KeySetAttack], policy: &Policy) -> Vec<String> {
    let parse = |attack: &KeySetAttack| {
        KeySet::parse(&attack.document, SecretKeys::Refuse).ok().map(|(keys, _)| keys)
    };
    let keys = Sets(attacks.iter().map(parse).collect());
    let verifier = Verifier {
        providers: &policy.providers,
        keys: &keys,
        engine: &ModuleEngine,
        max_bytes: policy.token.max_bytes,
    };
    let reason =
        |token: &str| match verifier.verify(token.as_bytes(), None, Moment::from_secs(mint::now()))
        {
            Ok(_) => "ok",
            Err(failure) => failure.error.reason().as_str(),
        };
    lines(attacks, |_, token| reason(token).to_owned())
}

fn lines(attacks: &[KeySetAttack], mut reason: impl FnMut(usize, &str) -> String) -> Vec<String> {
    let mut lines = Vec::new();
    for (number, attack) in attacks.iter().enumerate() {
        for (at, (token, _)) in attack.probes.iter().enumerate() {
            lines.push(told(attack, at, &reason(number, token)));
        }
    }
    lines
}

fn told(attack: &KeySetAttack, probe: usize, reason: &str) -> String {
    format!("{}: {}: token {probe}: {reason}", attack.family, attack.name)
}

fn expected(attacks: &[KeySetAttack]) -> Vec<String> {
    let of = |attack: &KeySetAttack| {
        let probes = attack.probes.iter().enumerate();
        probes.map(|(at, (_, reason))| told(attack, at, reason)).collect::<Vec<_>>()
    };
    attacks.iter().flat_map(of).collect()
}

fn assert_same(got: &[String], want: &[String]) {
    let wrong: Vec<_> = got.iter().zip(want).filter(|(got, want)| got != want).collect();
    assert!(wrong.is_empty(), "got, want:\n{wrong:#?}");
    assert_eq!(got.len(), want.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_key_helps_nobody_and_harms_no_key_beside_it() {
    let attacks = key_sets::key_sets();
    let families: BTreeSet<_> = attacks.iter().map(|attack| attack.family).collect();
    println!("{} sets in {} families", attacks.len(), families.len());
    assert!(attacks.len() >= 60, "{}", attacks.len());
    let document = configuration(&attacks);
    let (policy, _) = config::compile(document.to_string().as_bytes(), &NoVariables).unwrap();
    let want = expected(&attacks);
    assert_same(&natively(&attacks, &policy), &want);
    explained(&attacks, &document);

    let Some(fixture) = Fixture::new("ES256").await else { return };
    let documents: Vec<_> = attacks.iter().map(|attack| attack.document.clone()).collect();
    let keys = Upstream::answering(move |request| {
        let number: usize = request.path[1..].parse().unwrap();
        Reply::new(200, documents[number].clone()).header("content-type", "application/json")
    })
    .await;
    let envoy = fixture.envoy(document).workers(1).cluster("keys", keys.address()).start().await;
    // Each on a connection of its own: a request without keys is held until a fetch has ended.
    let mut asked = Vec::new();
    for attack in &attacks {
        for (token, _) in &attack.probes {
            let request = Request::get("/score").bearer(token);
            let address = envoy.address();
            asked.push(tokio::spawn(async move { client::send(address, &request).await }));
        }
    }
    let mut answers = Vec::new();
    for task in asked {
        let response = task.await.unwrap();
        answers.push(if response.status == 200 { "ok".to_owned() } else { response.reason() });
    }
    let mut answers = answers.into_iter();
    assert_same(&lines(&attacks, |_, _| answers.next().unwrap()), &want);
    assert_eq!(fixture.upstream.count(), want.iter().filter(|line| line.ends_with(": ok")).count());
}

/// Compares `tollgate explain`, where it was built: its verdict on every probe under a set that is
/// one, and its refusal of a file that is none.
fn explained(attacks: &[KeySetAttack], document: &Value) {
    let Some(program) = option_env!("CARGO_BIN_EXE_tollgate") else {
        println!("skipped: explain is not compared, feature cli is off");
        return;
    };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("e2e_key_sets");
    std::fs::create_dir_all(&folder).unwrap();
    let (config, tokens) = (folder.join("config.json"), folder.join("tokens"));
    std::fs::write(&config, document.to_string()).unwrap();
    let explain = || {
        let mut command = std::process::Command::new(program);
        command.args(["explain", "--json", "--path", "/score", "--config"]).arg(&config);
        command
    };
    let mut command = explain();
    let (mut list, mut want) = (Vec::new(), Vec::new());
    for (number, attack) in attacks.iter().enumerate() {
        let file = folder.join(format!("{number}.json"));
        std::fs::write(&file, &attack.document).unwrap();
        let keys = format!("ks-{number}={}", file.display());
        if attack.probes.iter().any(|(_, reason)| *reason == UNUSABLE) {
            std::fs::write(&tokens, &attack.probes[0].0).unwrap();
            let output = explain().arg("--keys").arg(keys).arg("--tokens").arg(&tokens).output();
            let output = output.unwrap();
            assert_eq!(output.status.code(), Some(2), "{}: {}", attack.family, attack.name);
            continue;
        }
        command.arg("--keys").arg(keys);
        for (at, (token, reason)) in attack.probes.iter().enumerate() {
            list.push(token.as_str());
            want.push(told(attack, at, reason));
        }
    }
    std::fs::write(&tokens, list.join("\n")).unwrap();
    let output = command.arg("--tokens").arg(&tokens).output().unwrap();
    assert!(
        [0, 3].contains(&output.status.code().unwrap()),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let got: Vec<_> = text
        .lines()
        .zip(&want)
        .map(|(line, want)| {
            let told: Value = serde_json::from_str(line).unwrap();
            let reason = told["reason"].as_str().unwrap().to_owned();
            format!("{}: {reason}", want.rsplit_once(": ").unwrap().0)
        })
        .collect();
    assert_same(&got, &want);
}
