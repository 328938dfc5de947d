//! Inputs that other verifiers accept and tollgate refuses on purpose: the rows of docs/migration.md.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "core/policy.rs"]
mod policy;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Value, json};
use support::mint::{self, Signer, b64};
use support::root;
use tollgate::policy::Policy;
use tollgate::time::Moment;
use tollgate::verify::engine::ModuleEngine;
use tollgate::verify::keyset::{KeySet, KeySetError, SecretKeys};

const HEADING: &str = "## What tollgate refuses and others accept";

/// From an input to the reason or message by which it is refused.
type Judge<'a> = dyn Fn(&str) -> String + 'a;

/// The rows of the page: the texts of the first and the second cell.
fn rows() -> BTreeMap<String, String> {
    let page = std::fs::read_to_string(root().join("docs/migration.md")).unwrap();
    let (_, section) = page.split_once(HEADING).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let cells = section.lines().filter_map(|line| line.strip_prefix("| ")).map(|line| {
        let mut cells = line.split(" | ").map(str::to_owned);
        (cells.next().unwrap(), cells.next().unwrap())
    });
    cells.filter(|(first, _)| !first.starts_with("A ")).collect()
}

/// The good key of all cases.
static SIGNER: LazyLock<Signer> = LazyLock::new(|| Signer::new("ES256", "k"));

fn signer() -> Signer {
    SIGNER.clone()
}

fn policy() -> Policy {
    policy::compiled(&json!({"providers": [{
        "name": "p", "issuers": [mint::ISSUER], "audiences": [mint::AUDIENCE],
        "keys": {"inline": mint::jwks(&[&signer()])},
    }]}))
}

/// The reason for which a token is refused; `ok` if it is not.
fn token(policy: &Policy, token: &str) -> String {
    let now = Moment::from_secs(mint::now());
    policy::reason(policy, &ModuleEngine, token.as_bytes(), now).to_owned()
}

/// The message for which a key is skipped beside a good one; `ok` if it is not.
fn key(key: &str) -> String {
    let set = format!(r#"{{"keys":[{key},{}]}}"#, signer().jwk());
    let (keys, skipped) = KeySet::parse(set.as_bytes(), SecretKeys::Admit).unwrap();
    assert_eq!(keys.len() + skipped.len(), 2);
    skipped.first().map_or("ok".to_owned(), |skipped| skipped.why.to_string())
}

/// The message for which a set is refused; `ok` if it is not.
fn set(document: &str) -> String {
    match KeySet::parse(document.as_bytes(), SecretKeys::Admit) {
        Ok(_) => "ok".to_owned(),
        Err(KeySetError::NoUsableKey(_)) => panic!("{document}: the keys are good"),
        Err(error) => error.to_string(),
    }
}

/// A token with a member more in its header, and its claims replaced in their text.
fn tokens() -> Vec<(&'static str, Vec<String>)> {
    let signer = signer();
    let claims = mint::claims("someone").to_string();
    let with_header = |members: Value| {
        let mut header = json!({"alg": "ES256", "kid": "k", "typ": "JWT"});
        header.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        signer.sign_with(header, &mint::claims("someone"))
    };
    let header = r#"{"alg":"ES256","kid":"k"}"#;
    // The same addition to the header and to the claims.
    let raw = |change: &dyn Fn(&str) -> String| {
        vec![
            signer.sign_raw(change(header).as_bytes(), claims.as_bytes()),
            signer.sign_raw(header.as_bytes(), change(&claims).as_bytes()),
        ]
    };
    let member = |value: &str| raw(&|text| text.replacen('{', &format!(r#"{{"x":{value},"#), 1));
    let dated = |name: &str, value: Value| {
        let mut claims = mint::claims("someone");
        claims[name] = value;
        signer.sign(&claims)
    };
    let padded = |part: usize| {
        let mut parts: Vec<String> =
            signer.sign(&mint::claims("someone")).split('.').map(str::to_owned).collect();
        parts[part].push('=');
        parts.join(".")
    };
    let other_alphabet = {
        let mut claims = mint::claims("someone");
        // At any offset, a run of these bytes has both digits in which the alphabets differ.
        claims["x"] = json!("???>>>~~~???>>>~~~");
        signer.sign(&claims).replace('-', "+").replace('_', "/")
    };
    vec![
        (
            "a date beyond the year 9999",
            vec![
                dated("exp", json!(253_402_300_800_u64)),
                dated("exp", json!((mint::now() + 600) * 1_000)),
                dated("nbf", json!(253_402_300_800_u64)),
                dated("iat", json!(mint::now() * 1_000)),
            ],
        ),
        ("`cty: JWT`", vec![with_header(json!({"cty": "JWT"}))]),
        (
            "`zip` or `enc`",
            vec![
                with_header(json!({"zip": "DEF"})),
                with_header(json!({"zip": null})),
                with_header(json!({"enc": "A128GCM"})),
                with_header(json!({"enc": null})),
            ],
        ),
        ("an empty `crit`", vec![with_header(json!({"crit": []}))]),
        (
            "`crit: [b64]`, also where `b64` is true",
            vec![
                with_header(json!({"crit": ["b64"], "b64": true})),
                with_header(json!({"crit": ["b64"], "b64": false})),
            ],
        ),
        (
            "a duplicate member, in header or claims",
            raw(&|text| text.replacen('{', r#"{"x":1,"x":1,"#, 1)),
        ),
        (r"half of a surrogate pair (`\ud800`)", member(r#""\ud800""#)),
        ("a number beyond 64-bit floating point (`1e400`)", member("1e400")),
        (
            "more than 32 levels of objects and lists",
            member(&format!("{}{}", "[".repeat(32), "]".repeat(32))),
        ),
        ("a byte order mark before header or claims", raw(&|text| format!("\u{feff}{text}"))),
        (
            "padding (`=`), or `+` and `/`, in one of its parts",
            vec![padded(0), padded(1), padded(2), other_alphabet],
        ),
    ]
}

fn keys() -> Vec<(&'static str, Vec<String>)> {
    let (ec, rsa, ed) =
        (signer().jwk(), Signer::new("RS256", "rsa").jwk(), Signer::new("EdDSA", "ed"));
    let with = |key: &Value, name: &str, value: Value| {
        let mut key = key.clone();
        key[name] = value;
        key.to_string()
    };
    let raw = |part: &str| rsa.to_string().replacen('{', &format!("{{{part},"), 1);
    let modulus = rsa["n"].as_str().unwrap();
    let certificate =
        |member: &str, value: Value| json!({"kty": "RSA", "kid": "x", member: value}).to_string();
    vec![
        (
            "a coordinate that is shorter or longer than the field (31 or 33 bytes for P-256; Authlib cuts \
             zeros)",
            vec![with(&ec, "x", json!(b64(&[1; 31]))), with(&ec, "x", json!(b64(&[1; 33])))],
        ),
        ("`crv: P-256K`", vec![with(&ec, "crv", json!("P-256K"))]),
        ("`crv: Ed448`", vec![with(&ed.jwk(), "crv", json!("Ed448"))]),
        ("`key_ops: []`", vec![with(&rsa, "key_ops", json!([]))]),
        (
            "an RSA exponent other than 65537, 3 among them",
            vec![with(&rsa, "e", json!("Aw")), with(&rsa, "e", json!("AQAD"))],
        ),
        (
            "less than 2048 bits of RSA",
            vec![Signer::rsa_bits("RS256", "weak", 1024).jwk().to_string()],
        ),
        ("more than 4096 bits of RSA", vec![with(&rsa, "n", json!(b64(&[0xff; 1024])))]),
        ("padding (`=`) in a number", vec![with(&rsa, "n", json!(format!("{modulus}==")))]),
        (
            "an HMAC secret shorter than the hash",
            vec![
                json!({"kty": "oct", "k": b64(&[7; 31])}).to_string(),
                json!({"kty": "oct", "alg": "HS512", "k": b64(&[7; 63])}).to_string(),
            ],
        ),
        (
            "its private half in it",
            vec![
                with(&ec, "d", json!("AQ")),
                with(&rsa, "d", json!("AQ")),
                with(&rsa, "p", json!("AQ")),
            ],
        ),
        (
            "certificates (`x5c`, `x5u`) in place of numbers",
            vec![
                certificate("x5c", json!(["MIIB"])),
                certificate("x5u", json!("https://issuer.test/chain.pem")),
            ],
        ),
        (
            "a duplicate member, half of a surrogate pair, `1e400`, more than 32 levels",
            vec![
                raw(r#""x":1,"x":1"#),
                raw(r#""x":"\ud800""#),
                raw(r#""x":1e400"#),
                raw(&format!(r#""x":{}{}"#, "[".repeat(32), "]".repeat(32))),
            ],
        ),
    ]
}

fn sets() -> Vec<(&'static str, Vec<String>)> {
    let key = signer().jwk();
    let good = json!({"keys": [key]}).to_string();
    vec![
        ("has more than 256 keys", vec![json!({"keys": vec![key.clone(); 257]}).to_string()]),
        (
            "has a duplicate member beside the keys",
            vec![
                good.replacen('{', r#"{"x":1,"x":1,"#, 1),
                good.replacen('{', r#"{"keys":[],"#, 1),
            ],
        ),
        ("has a byte order mark", vec![format!("\u{feff}{good}")]),
        (
            "is a map of X.509 certificates",
            vec![json!({"a": "-----BEGIN CERTIFICATE-----\nMII"}).to_string()],
        ),
        ("is one key without a list around it", vec![key.to_string()]),
    ]
}

#[test]
fn each_row_of_what_others_accept_is_refused_as_the_page_says() {
    let rows = rows();
    let policy = policy();
    let judge_token = |text: &str| token(&policy, text);
    let judges: [(_, &Judge); 3] = [(tokens(), &judge_token), (keys(), &key), (sets(), &set)];
    let mut tested = Vec::new();
    for (cases, judge) in judges {
        for (row, inputs) in cases {
            let said = rows.get(row).unwrap_or_else(|| panic!("no row: {row}"));
            for input in inputs {
                assert_eq!(format!("`{}`", judge(&input)), *said, "{row}: {input}");
            }
            tested.push(row);
        }
    }
    tested.sort_unstable();
    assert_eq!(tested, rows.keys().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn the_inputs_without_their_flaw_are_taken() {
    let signer = signer();
    assert_eq!(token(&policy(), &signer.sign(&mint::claims("someone"))), "ok");
    let levels = format!(r#"{{"alg":"ES256","x":{}{}}}"#, "[".repeat(31), "]".repeat(31));
    let claims = mint::claims("someone").to_string();
    assert_eq!(token(&policy(), &signer.sign_raw(levels.as_bytes(), claims.as_bytes())), "ok");
    for good in [signer.clone(), Signer::new("RS256", "rsa"), Signer::new("EdDSA", "ed")] {
        assert_eq!(key(&good.jwk().to_string()), "ok");
    }
    // Empty texts for absent members, as some issuers write them, and leading zeros of a modulus.
    let mut rsa = Signer::new("RS256", "rsa").jwk();
    let n = tollgate::verify::base64url::decode(rsa["n"].as_str().unwrap().as_bytes()).unwrap();
    rsa["n"] = json!(b64(&[&[0][..], &n].concat()));
    rsa["d"] = json!("");
    rsa["key_ops"] = json!(null);
    assert_eq!(key(&rsa.to_string()), "ok");
    assert_eq!(set(&json!({"keys": vec![signer.jwk(); 256]}).to_string()), "ok");
}
