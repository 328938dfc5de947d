//! Tokens of real JWT libraries, with their default headers, claims and exported keys: each has the
//! verdict that is right.
//!
//! `make providers` has the libraries installed and new tokens minted (scripts/install/providers); a sample
//! that was recorded so stands in tests/data/providers/recorded.json and is judged at its own time.
//! The programs under tests/data/providers mint each form by each algorithm of a library.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[allow(dead_code)]
#[path = "../src/bin/tollgate/explain/engine.rs"]
mod engine;
#[path = "core/policy.rs"]
mod policy;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use engine::Engines;
use serde_json::{Value, json};
use support::mint::b64;
use support::skip::absent;
use tollgate::config::{self, NoVariables};
use tollgate::gate::judged::Judged;
use tollgate::policy::Policy;
use tollgate::time::Moment;

/// The right verdict for each form. All are signed well, and differ from the form `default` in one thing.
const FORMS: &[(&str, &str)] = &[
    ("default", "ok"),
    ("dates", "ok"),
    ("aud_list", "ok"),
    ("fraction", "ok"),
    ("zero_nbf", "ok"),
    ("zero_time", "ok"),
    ("unicode", "ok"),
    ("no_kid", "ok"),
    ("typ_at", "ok"),
    ("no_typ", "ok"),
    ("expired", "expired"),
    ("expired_always", "expired"),
    ("early", "not_yet_valid"),
    ("issued_later", "issued_in_future"),
    ("wrong_audience", "audience_mismatch"),
    ("wrong_issuer", "issuer_not_allowed"),
    ("no_exp", "claim_missing"),
    ("text_exp", "claim_malformed"),
];

/// Intended differences from a library: its name, the algorithm, our verdicts, and the reason. The rows
/// of docs/migration.md describe the same differences.
const DIFFERENCES: &[(&str, &str, &[&str], &str)] = &[
    (
        "Authlib",
        "ES512",
        &["key_unknown", "issuer_not_allowed", NOT_LOADED],
        "it cuts zero bytes from coordinates, which RFC 7518 §6.2.1.2 has at their full length",
    ),
    (
        "joserfc",
        "Ed448",
        &["algorithm_not_allowed", NOT_LOADED],
        "few issuers and no verifier of a proxy know it",
    ),
];

/// In place of a verdict, where the one key of the set is not taken.
const NOT_LOADED: &str = "(no key to verify with)";

const LANGUAGES: [&str; 5] = ["python", "node", "go", "java", "rust"];

/// One library, from the output of its program or from the recording.
struct Library {
    name: String,
    now: u64,
    keys: BTreeMap<String, Value>,
    tokens: Vec<Token>,
}

#[derive(Clone)]
struct Token {
    form: String,
    algorithm: String,
    key: String,
    text: String,
}

impl Library {
    fn read(entry: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let token = |token: &Value| Token {
            form: text(&token["form"]),
            algorithm: text(&token["algorithm"]),
            key: text(&token["key"]),
            text: text(&token["token"]),
        };
        let keys = entry["keys"].as_object().unwrap().iter();
        Self {
            name: text(&entry["library"]),
            now: entry["now"].as_u64().unwrap(),
            keys: keys.map(|(name, key)| (name.clone(), key.clone())).collect(),
            tokens: entry["tokens"].as_array().unwrap().iter().map(token).collect(),
        }
    }

    /// The configuration for a token of the library: its key set, with secrets only if the token
    /// needs them. For a token without a `kid`, it has only the token's key, like an issuer with one key.
    fn policy(&self, token: &Token) -> Option<Policy> {
        let hmac = token.algorithm.starts_with("HS");
        let alone = token.form == "no_kid";
        let keys = self.keys.iter().filter(|(name, key)| match alone {
            true => **name == token.key,
            false => hmac || key["kty"] != "oct",
        });
        let keys: Vec<_> = keys.map(|(_, key)| key).collect();
        let mut provider = json!({
            "name": "library",
            "issuers": ["https://issuer.test"],
            "audiences": ["api"],
            "keys": {"inline": {"keys": keys}},
        });
        // An algorithm that no key names is accepted only if the configuration names it.
        if hmac || token.algorithm.starts_with("PS") {
            provider["algorithms"] = json!([token.algorithm]);
        }
        let document = json!({"providers": [provider]}).to_string();
        match config::compile(document.as_bytes(), &NoVariables) {
            Ok((policy, _)) => Some(policy),
            Err(problems) => {
                let unusable = problems.iter().all(|p| p.message.contains("no usable key"));
                assert!(unusable, "{} {}: {problems:?}", self.name, token.algorithm);
                None
            }
        }
    }
}

/// The answer to a request with a token, and the identity of its caller.
fn judge(policy: Option<&Policy>, token: &str, now: u64) -> (&'static str, Option<String>) {
    let Some(policy) = policy else { return (NOT_LOADED, None) };
    let authorization = format!("Bearer {token}");
    let headers = [
        (":method", "GET"),
        (":path", "/"),
        (":authority", "h"),
        ("authorization", authorization.as_str()),
    ];
    let (engine, cache) = (Engines { host: true }, policy.empty_cache(42));
    let judged = policy::judge(policy, &engine, &cache, &headers, Moment::from_secs(now));
    let Judged::Decided(decision) = judged else { panic!("no rule has a guard") };
    let caller = decision.facts.caller.as_ref();
    let identity = caller.map(|caller| caller.principal().identity().to_owned());
    (decision.verdict.reason().as_str(), identity)
}

/// The verdicts that are right for a token: one, or those of a difference.
fn wanted(library: &Library, token: &Token) -> &'static [&'static str] {
    let differs = DIFFERENCES
        .iter()
        .find(|(name, algorithm, ..)| *name == library.name && *algorithm == token.algorithm);
    let of_form = || FORMS.iter().find(|(form, _)| *form == token.form).unwrap();
    differs.map_or_else(|| std::slice::from_ref(&of_form().1), |(.., verdicts, _)| verdicts)
}

/// The verdict on a damaged copy of a good token, by the kind of damage.
fn damaged(token: &Token) -> Vec<(&'static str, String, &'static [&'static str])> {
    let parts: Vec<&str> = token.text.split('.').collect();
    let [head, payload, signature] = parts[..] else { panic!("three parts") };
    let other = if signature.starts_with('A') { "B" } else { "A" };
    let forged = b64(br#"{"iss":"https://issuer.test","aud":"api","sub":"root","exp":9999999999}"#);
    let none = b64(br#"{"alg":"none"}"#);
    vec![
        (
            "another signature",
            format!("{head}.{payload}.{other}{}", &signature[1..]),
            &["signature_invalid"],
        ),
        ("other claims", format!("{head}.{forged}.{signature}"), &["signature_invalid"]),
        ("no algorithm", format!("{none}.{payload}.{signature}"), &["algorithm_not_allowed"]),
        (
            "no signature",
            format!("{none}.{payload}."),
            &["algorithm_not_allowed", "token_malformed"],
        ),
    ]
}

/// Judges every token of some libraries; how many.
fn hold(libraries: &[Library]) -> usize {
    let mut wrong = Vec::new();
    let mut judged = 0;
    for library in libraries {
        // One policy for each algorithm, with and without the other keys.
        let mut policies: BTreeMap<(&str, bool), Option<Policy>> = BTreeMap::new();
        for token in &library.tokens {
            let key = (token.algorithm.as_str(), token.form == "no_kid");
            let policy = policies.entry(key).or_insert_with(|| library.policy(token));
            let mut compare = |what: &str, text: &str, want: &[&str]| {
                judged += 1;
                let (got, identity) = judge(policy.as_ref(), text, library.now);
                let sub = if token.form == "unicode" { "Zoë ☃ 🜁" } else { "user-1" };
                let ends = identity.as_ref().is_some_and(|identity| identity.ends_with(sub));
                if !want.contains(&got) || (got == "ok" && !ends) {
                    let Token { form, algorithm, .. } = token;
                    let line = format!("{} {form} {algorithm}{what}: {got}", library.name);
                    wrong.push(format!("{line}, not {want:?} ({identity:?})"));
                }
            };
            let want = wanted(library, token);
            compare("", &token.text, want);
            if token.form == "default" && want == ["ok"] {
                for (what, text, want) in damaged(token) {
                    compare(&format!(", {what}"), &text, want);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {judged}:\n{}", wrong.len(), wrong.join("\n"));
    judged
}

fn recording() -> PathBuf {
    support::root().join("tests/data/providers/recorded.json")
}

#[test]
fn recorded_tokens_of_every_library_have_their_verdicts() {
    let text = std::fs::read_to_string(recording()).unwrap();
    for private in ["\"d\":", "\"p\":", "\"k\":", "PRIVATE"] {
        assert!(!text.contains(private), "a private key is in the recording");
    }
    let entries: Vec<Value> = serde_json::from_str(&text).unwrap();
    let libraries: Vec<_> = entries.iter().map(Library::read).collect();
    let names: BTreeSet<_> = libraries.iter().map(|library| library.name.as_str()).collect();
    assert!(names.len() >= 16, "{names:?}");
    let judged = hold(&libraries);
    println!("{judged} recorded tokens of {} libraries", libraries.len());
    assert!(judged >= 500, "{judged}");
}

/// The keys of one library verify no token of another, even under the same `kid`. The libraries of one
/// language sign with the same keys; the entry half a list away is of another language.
#[test]
fn a_token_under_the_keys_of_another_library_is_refused() {
    let entries: Vec<Value> =
        serde_json::from_str(&std::fs::read_to_string(recording()).unwrap()).unwrap();
    let libraries: Vec<_> = entries.iter().map(Library::read).collect();
    let mut judged = 0;
    for (library, other) in libraries.iter().zip(libraries.iter().cycle().skip(libraries.len() / 2))
    {
        let good = library.tokens.iter().filter(|token| token.form == "default");
        for token in good {
            let policy = other.policy(token);
            let (got, _) = judge(policy.as_ref(), &token.text, library.now);
            let refused = ["signature_invalid", "key_unknown", "algorithm_not_allowed", NOT_LOADED];
            assert!(refused.contains(&got), "{} {}: {got}", library.name, token.algorithm);
            judged += 1;
        }
    }
    assert!(judged >= 100, "{judged}");
}

#[test]
fn every_difference_is_still_one() {
    let entries: Vec<Value> =
        serde_json::from_str(&std::fs::read_to_string(recording()).unwrap()).unwrap();
    for (name, algorithm, ..) in DIFFERENCES {
        let library = entries.iter().find(|entry| entry["library"] == *name).unwrap();
        let tokens = library["tokens"].as_array().unwrap();
        assert!(tokens.iter().any(|token| token["algorithm"] == *algorithm), "{name} {algorithm}");
    }
}

/// `make providers`. `PROVIDERS_RECORD=1` writes the recording anew.
#[test]
#[ignore = "make providers: the libraries must have been installed"]
fn new_tokens_of_every_library_have_their_verdicts() {
    let mut entries: Vec<Value> = Vec::new();
    for language in LANGUAGES {
        let path = support::root().join(format!("target/providers/{language}.json"));
        match std::fs::read(&path) {
            Ok(text) => entries.extend(serde_json::from_slice::<Vec<Value>>(&text).unwrap()),
            Err(_) => absent(&format!("the libraries of {language} are absent")),
        }
    }
    if entries.is_empty() {
        return;
    }
    let libraries: Vec<_> = entries.iter().map(Library::read).collect();
    if std::env::var_os("PROVIDERS_RECORD").is_some() {
        std::fs::write(recording(), record(&entries)).unwrap();
    }
    let judged = hold(&libraries);
    for (library, entry) in libraries.iter().zip(&entries) {
        let version = entry["version"].as_str().unwrap();
        println!("{:>4} tokens of {} {version}", library.tokens.len(), library.name);
    }
    println!("{judged} verdicts on tokens of {} libraries", libraries.len());
}

/// Of each library the form `default` by each algorithm, and each other form by one of them in turn;
/// nothing of secrets.
fn record(entries: &[Value]) -> String {
    let mut lines = Vec::new();
    for entry in entries {
        let mut entry = entry.clone();
        let public = |key: &Value| key["kty"] != "oct";
        let keys = entry["keys"].as_object().unwrap().clone();
        entry["keys"] = keys.into_iter().filter(|(_, key)| public(key)).collect();
        let tokens = entry["tokens"].as_array().unwrap().clone();
        let hmac = |token: &Value| token["algorithm"].as_str().unwrap().starts_with("HS");
        let tokens: Vec<_> = tokens.into_iter().filter(|token| !hmac(token)).collect();
        let algorithm = |token: &Value| token["algorithm"].as_str().unwrap().to_owned();
        let algorithms: BTreeSet<_> = tokens.iter().map(algorithm).collect();
        let algorithms: Vec<_> = algorithms.into_iter().collect();
        let keep = |token: &&Value| {
            let form = token["form"].as_str().unwrap();
            let at = FORMS.iter().position(|(name, _)| *name == form).unwrap();
            form == "default" || algorithm(token) == algorithms[at % algorithms.len()]
        };
        entry["tokens"] = tokens.iter().filter(keep).cloned().collect();
        lines.push(entry.to_string());
    }
    format!("[\n{}\n]\n", lines.join(",\n"))
}
