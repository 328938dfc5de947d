//! `tollgate explain`: its verdicts are those of the core, its steps give the reason, and it prints
//! no secret.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::attacks::{self, Attack, Expect, World};
use support::mint;
use tollgate::policy::Policy;
use tollgate::time::Moment;
use tollgate::verify::engine::ModuleEngine;

use super::{policy, tollgate};

fn word_of(policy: &Policy, token: &[u8], now: u64) -> &'static str {
    policy::reason(policy, &ModuleEngine, token, Moment::from_secs(now))
}

fn file(name: &str, content: &[u8]) -> PathBuf {
    super::file(&format!("explain/{name}"), content)
}

/// Everything that is printed, and the exit code.
fn explain(config: &Path, arguments: &[&str]) -> (String, i32) {
    let config = ["explain", "--config", config.to_str().unwrap()];
    let (output, errors, code) = tollgate(&[&config, arguments].concat());
    (output + &errors, code)
}

/// The reason for each token.
fn batch(name: &str, config: &Value, tokens: &[&[u8]], now: u64) -> Vec<String> {
    let config = file(&format!("{name}.json"), config.to_string().as_bytes());
    let list = file(&format!("{name}.txt"), &tokens.join(&b'\n'));
    let at = now.to_string();
    let (text, code) =
        explain(&config, &["--json", "--tokens", list.to_str().unwrap(), "--at", &at]);
    assert!([0, 3].contains(&code), "{text}");
    let line = |line: &str| -> Value { serde_json::from_str(line).unwrap() };
    text.lines().map(|text| line(text)["reason"].as_str().unwrap().to_owned()).collect()
}

/// Every verdict is that of the core and of the corpus.
fn compare(name: &str, providers: Value, corpus: &[Attack]) {
    let now = mint::now();
    // By one engine: the proxy may try one key more than the module.
    let config = json!({"providers": providers, "crypto": "module"});
    let core = policy::compiled(&config);
    let corpus: Vec<&Attack> = corpus.iter().filter(|attack| attack.fits_a_header()).collect();
    let tokens: Vec<&[u8]> = corpus.iter().map(|attack| attack.token.as_slice()).collect();
    let reasons = batch(name, &config, &tokens, now);
    assert_eq!(reasons.len(), corpus.len());
    let mut wrong = Vec::new();
    for (attack, reason) in corpus.iter().zip(&reasons) {
        // A list of credentials is refused as two tokens before one is verified.
        let listed = attack.token.contains(&b',') && reason == "token_multiple";
        let fits = match attack.expect {
            Expect::Refused(reasons) => listed || reasons.contains(&reason.as_str()),
            Expect::RefusedAny => reason != "ok",
            Expect::PassesSanitised => reason == "ok",
        };
        let word = word_of(&core, &attack.token, now);
        if !fits || !(listed || word == reason) {
            wrong.push(format!("{}: {}: {reason}, core {word}", attack.family, attack.name));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), corpus.len(), wrong.join("\n"));
}

#[test]
fn the_verdict_on_every_attack_is_that_of_the_core() {
    let world = World::new();
    let corpus = attacks::corpus(&world);
    compare("corpus", world.providers(), &corpus);
    compare("tenants", world.entra_providers(), &attacks::tenants(&world));
}

fn in_a_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')
}

/// The texts of a document that have the shape of a token, and the public part of its keys.
fn collect(value: &Value, tokens: &mut Vec<String>, keys: &mut Vec<Value>) {
    match value {
        Value::String(text) if text.matches('.').count() >= 2 && text.bytes().all(in_a_token) => {
            tokens.push(text.clone());
        }
        Value::Object(members) => {
            if members.contains_key("kty") {
                let mut key = members.clone();
                if members["kty"] != "oct" {
                    key.retain(|name, _| {
                        ["kty", "n", "e", "crv", "x", "y", "kid"].contains(&name.as_str())
                    });
                }
                keys.push(Value::Object(key));
            }
            members.values().for_each(|value| collect(value, tokens, keys));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, tokens, keys)),
        _ => {}
    }
}

fn documents(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => documents(&path, found),
            false if path.extension().is_some_and(|e| e == "json") => found.push(path),
            false => {}
        }
    }
}

#[test]
fn the_verdict_on_every_published_vector_is_that_of_the_core() {
    // RFC 7515 appendix A.1.
    let own = json!({
        "key": {"kty": "oct", "kid": "rfc",
                "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1\
                      Z9CAow"},
        "token": "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkz\
                  ODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1\
                  p1r_wW1gFWFOEjXk",
    });
    let (mut tokens, mut keys) = (Vec::new(), Vec::new());
    collect(&own, &mut tokens, &mut keys);
    let mut paths = Vec::new();
    if let Some(cookbook) = support::skip::shared("vectors/ietf-jose-cookbook") {
        documents(&cookbook, &mut paths);
    }
    for path in &paths {
        if let Ok(value) = serde_json::from_slice(&std::fs::read(path).unwrap()) {
            collect(&value, &mut tokens, &mut keys);
        }
    }
    // Two of a kind: of more, none is tried on a token without a `kid`.
    let kind = |key: &Value| (key["kty"].clone(), key["crv"].clone());
    let mut kinds: Vec<_> = Vec::new();
    keys.retain(|key| {
        kinds.push(kind(key));
        kinds.iter().filter(|known| **known == kind(key)).count() <= 2
    });
    let config = json!({"providers": [{
        "name": "p", "issuers": ["joe", "hobbiton.example"], "audiences": "any", "clock_skew": "0s",
        "identity": ["{iss}"], "keys": {"inline": {"keys": keys}},
        "algorithms": ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384",
                       "EdDSA", "HS256", "HS384", "HS512"],
    }], "crypto": "module"});
    let core = policy::compiled(&config);
    let tokens: Vec<&[u8]> = tokens.iter().map(String::as_bytes).collect();
    for now in [1_300_819_379, 1_300_819_380, 1_900_000_000] {
        let expected: Vec<&str> = tokens.iter().map(|token| word_of(&core, token, now)).collect();
        assert_eq!(batch(&format!("vectors{now}"), &config, &tokens, now), expected);
        assert_eq!(expected[0], if now == 1_300_819_379 { "ok" } else { "expired" });
    }
}

fn scene() -> (World, Value) {
    let world = World::new();
    let config = json!({
        "providers": world.providers(),
        "rules": [
            {"name": "health", "match": {"paths": ["/healthz"]}, "auth": "none"},
            {"name": "score", "match": {"paths": ["/score"], "methods": ["POST"]},
             "allow": [{"roles_any": ["Model.Score"]}, {"scopes_all": ["a", "score.invoke"]}],
             "limits": ["per-caller"], "cost": 2},
            {"name": "public", "match": {"hosts": ["public.example.com"]}, "auth": "none"},
        ],
        "limits": [{"name": "per-caller", "rate": "10/m", "burst": 5,
                    "tiers": [{"when": {"roles_any": ["Batch"]}, "rate": "9/s", "burst": 50}]}],
        "token": {"forward": false},
    });
    (world, config)
}

#[test]
fn the_step_that_decides_is_the_last() {
    let (world, config) = scene();
    let path = file("steps.json", config.to_string().as_bytes());
    let mut scorer = mint::claims("someone");
    scorer["roles"] = json!(["Model.Score", "Batch"]);
    let mut late = scorer.clone();
    late["exp"] = json!(mint::now() - 7200);
    let mut elsewhere = scorer.clone();
    elsewhere["aud"] = json!("api://else");
    let mut stranger = scorer.clone();
    stranger["iss"] = json!("https://stranger.test");
    let signed = |claims: &Value| world.rsa.sign(claims);
    let good = signed(&scorer);
    let forged = world.attacker("RS256").with_kid("rsa").sign(&scorer);
    let unknown = world.rsa.with_kid("gone").sign(&scorer);
    let post = ["--method", "POST", "--path", "/score"];
    let cases: [(&[&str], Option<&str>, &str, &str); 19] = [
        (&post, Some(&good), "upstream", "ok"),
        (&post, None, "token", "token_missing"),
        (&post, Some("a.b"), "token", "token_malformed"),
        (&post, Some("e30.e30.e30"), "header", "token_malformed"),
        (&post, Some(&forged), "signature", "signature_invalid"),
        (&post, Some(&unknown), "keys", "key_unknown"),
        (&post, Some(&signed(&late)), "times", "expired"),
        (&post, Some(&signed(&elsewhere)), "audience", "audience_mismatch"),
        (&post, Some(&signed(&stranger)), "issuer", "issuer_not_allowed"),
        (&post, Some(&signed(&mint::claims("someone"))), "grants", "role_insufficient"),
        (&["--path", "/score"], Some(&good), "upstream", "ok"),
        (&["--method", "GET", "--path", "/score"], Some(&good), "rule", "no_rule"),
        (&["--path", "/a%2fb"], Some(&good), "path", "path_ambiguous"),
        (&["--path", "/healthz"], None, "upstream", "anonymous"),
        (&["--host", "public.example.com"], None, "upstream", "anonymous"),
        (&["--host", "public.example.com:1"], None, "rule", "host_ambiguous"),
        (&["--host", "user@public.example.com"], None, "host", "host_ambiguous"),
        (&["--host", "public.example.com", "--path", "/a;/%"], None, "path", "path_ambiguous"),
        (
            &["--host", "public.example.com", "--method", "TRACE"],
            None,
            "rule",
            "method_not_allowed",
        ),
    ];
    for (arguments, token, last, reason) in cases {
        let mut arguments = [&["--json"][..], arguments].concat();
        arguments.extend(token.iter().flat_map(|token| ["--token", token]));
        let (text, code) = explain(&path, &arguments);
        let told: Value = serde_json::from_str(&text).unwrap();
        let steps = told["steps"].as_array().unwrap();
        let step = steps.last().unwrap();
        let passes = ["ok", "anonymous"].contains(&reason);
        assert_eq!(
            (&told["reason"], &step["step"], code),
            (&json!(reason), &json!(last), if passes { 0 } else { 3 }),
            "{told:#}"
        );
        assert_eq!(step["status"] == "failed", !passes, "{told:#}");
        assert_eq!(told["response"]["status"].is_null(), passes);
        let all = told.to_string();
        if let Some(signature) = token.and_then(|t| t.rsplit('.').next()).filter(|s| s.len() > 40) {
            assert!(!all.contains(signature), "{all}");
        }
    }
    let arguments = [&post[..], &["--token", &good, "--header", "X-Auth-Subject: forged"]].concat();
    let (text, _) = explain(&path, &arguments);
    for line in [
        "9 per 1s, burst 50; costs 2",
        "a full bucket would have 48 left",
        "- x-auth-subject: removed, because only the filter writes it",
        "- authorization: the token is removed",
        "+ x-auth-subject: someone",
        "\"health\" does not match: paths",
        "allow[1] lacks scopes_all: a, score.invoke",
        "allow ok",
    ] {
        assert!(text.contains(line), "{line}:\n{text}");
    }
}

#[test]
fn a_refusal_names_the_cure_for_what_was_given_here() {
    let (world, mut config) = scene();
    config["providers"][0]["algorithms"] = json!(["ES256", "PS256"]);
    let path = file("cures.json", config.to_string().as_bytes());
    let good = world.rsa.sign(&mint::claims("someone"));
    let token = file("a-token", good.as_bytes());
    let (bearer, quoted) = (format!("bearer {good}"), format!("\"{good}\""));
    let path_of = ["--path", "/score"];
    for (arguments, code, lines) in [
        (&["--token", &bearer][..], 3, ["begins with \"Bearer \"", "fix: leave out \"Bearer \""]),
        (&["--token", &quoted], 3, ["a quotation mark", "fix: leave out the quotation marks"]),
        (&["--token", token.to_str().unwrap()], 3, ["a file has this name", "--token - < FILE"]),
        (&["--token", "opaque"], 3, ["has no dots", "a client secret or an API key is none"]),
        (&["--token", ""], 2, ["--token: the value is empty", "leave --token out"]),
        (&["--token", "-"], 2, ["--token: standard input is empty", "leave --token out"]),
        (&["--token", &good], 3, ["algorithm_not_allowed", "algorithms of \"main\": PS256, ES256"]),
        (&["--token", "e30.e30"], 3, ["has three parts", "fix: give the whole token"]),
        (&["--token", "e30.e30.e30.e30.e30"], 3, ["encrypted", "fix: request a signed token"]),
        (
            &["--header", &format!("authorization: {good}")],
            3,
            ["does not begin with \"Bearer \"", "fix: send \"Bearer \" before the token"],
        ),
        (
            &["--header", "authorization: Basic YTpi"],
            3,
            ["does not begin with \"Bearer \"", "fix: compare the location"],
        ),
        (&["--path", "score"], 2, ["--path: \"score\" does not begin with /", "after the host"]),
        (&["--method", "PUT"], 3, ["would match: POST", "fix: send POST, or add a rule for PUT"]),
    ] {
        let path_of = if arguments.contains(&"--path") { &[][..] } else { &path_of };
        let (text, found) = explain(&path, &[path_of, arguments].concat());
        let missing: Vec<_> = lines.iter().filter(|line| !text.contains(**line)).collect();
        assert!(missing.is_empty() && found == code, "{arguments:?}: {missing:?} {found}: {text}");
    }
}

#[test]
fn a_path_that_almost_matches_is_told_from_others() {
    let (_, mut config) = scene();
    let own = "fix: send the method, path and host of a rule";
    for (pattern, path, method, looks, fix) in [
        (
            "/score",
            "/score/",
            "POST",
            "paths (only a final slash differs)",
            "trailing_slash: ignore",
        ),
        (
            "/score/",
            "/score",
            "POST",
            "paths (only a final slash differs)",
            "trailing_slash: ignore",
        ),
        ("/score", "/Score", "POST", "paths (only letter case differs)", "ignore_case: true"),
        (
            "/v1/*",
            "/v1/a/b",
            "POST",
            "paths (the request is below one of them)",
            "/**, which matches",
        ),
        (
            "/v1",
            "/v1/a/b?c=/d",
            "POST",
            "paths (the request is below one of them)",
            "/**, which matches",
        ),
        ("/v1/*", "/v2/a", "POST", "does not match: paths\n", own),
        ("/", "/v2", "POST", "does not match: paths\n", own),
        // More than the path differs.
        ("/score", "/score/", "PUT", "does not match: paths, methods\n", own),
        // The reason is another one.
        ("/score", "/a/..%2Fscore/", "POST", "path_ambiguous", "fix:"),
    ] {
        config["rules"] =
            json!([{"name": "r", "match": {"paths": [pattern], "methods": ["POST"]}}]);
        let file = file("near-path.json", config.to_string().as_bytes());
        let (text, code) = explain(&file, &["--path", path, "--method", method]);
        let told = code == 3 && text.contains(looks) && text.contains(fix);
        assert!(told, "{pattern} {path}: {text}");
    }
}

#[test]
fn an_issuer_that_differs_in_a_slash_or_in_letter_case_is_named() {
    let (world, mut config) = scene();
    let token = world.rsa.sign(&mint::claims("someone"));
    let other = mint::ISSUER.replace("issuer", "another");
    let own = "fix: compare `iss` with `issuers`";
    let slash = format!("{}/", mint::ISSUER);
    let case = mint::ISSUER.replace("issuer", "Issuer");
    let named = |what: &str, instead: &str| {
        format!(
            "fix: they differ only in {what}: in issuers, write {:?} instead of {instead:?}.",
            mint::ISSUER
        )
    };
    for (issuers, fix) in [
        (vec![&other], own.to_owned()),
        (vec![&other, &slash], named("a final slash", &slash)),
        (vec![&case], named("letter case", &case)),
    ] {
        config["providers"][0]["issuers"] = json!(issuers);
        let path = file("near-issuer.json", config.to_string().as_bytes());
        let post = ["--method", "POST", "--path", "/score", "--token", &token];
        let (text, code) = explain(&path, &post);
        assert!(code == 3 && text.contains(&fix), "{fix}: {text}");
        let (hidden, _) = explain(&path, &[&post[..], &["--redact"]].concat());
        assert!(!hidden.contains(&format!("{:?}", mint::ISSUER)), "{hidden}");
    }
}

#[test]
fn a_key_that_is_missing_here_is_cured_where_its_set_comes_from() {
    let (world, mut config) = scene();
    let unknown = world.rsa.with_kid("gone").sign(&mint::claims("someone"));
    let keys = config["providers"][0]["keys"]["inline"].clone();
    let jwks = file("own.jwks", keys.to_string().as_bytes());
    let remote = json!({"uri": "https://keys.test/", "cluster": "c"});
    let found = json!({"discovery": "https://keys.test/d", "cluster": "c"});
    let given = format!("{}={}", config["providers"][0]["name"].as_str().unwrap(), jwks.display());
    for (keys, arguments, reason, fix) in [
        (
            json!({"inline": keys}),
            &[][..],
            "key_unknown",
            "the variable, the configuration or --keys must hold",
        ),
        (json!({"remote": remote}), &["--keys", &given], "key_unknown", "fetched … key(s) from …"),
        (
            json!({"remote": remote}),
            &[],
            "keys_unavailable",
            "fix: download the keys from https://keys.test/, and pass them with --keys main=FILE",
        ),
        (
            json!({"remote": found}),
            &[],
            "keys_unavailable",
            "from the address that https://keys.test/d has as jwks_uri",
        ),
    ] {
        config["providers"][0]["keys"] = keys;
        let path = file("own-keys.json", config.to_string().as_bytes());
        let all = [&["--method", "POST", "--path", "/score", "--token", &unknown], arguments];
        let (text, _) = explain(&path, &all.concat());
        assert!(text.contains(&format!("deny {reason}")) && text.contains(fix), "{fix}: {text}");
        let says_if = text.contains("deny keys_unavailable, if the filter has no keys either\n")
            && text.contains("\nthe caller then receives 503\n");
        assert_eq!(says_if, reason == "keys_unavailable", "{text}");
    }
}

#[test]
fn an_unmet_test_of_a_claim_is_shown_as_the_configuration_writes_it() {
    let (world, mut config) = scene();
    config["rules"] = json!([{"name": "all", "limits": ["per-caller"], "allow": [{"claims": [
        {"claim": "/realm_access/roles", "contains": "scorer"},
        {"claim": "/a~1b/c", "any_of": ["gold", 1]},
        {"claim": "tenant", "equals": true},
        {"claim": "sub", "exists": false},
    ]}]}]);
    let path = file("claims.json", config.to_string().as_bytes());
    let token = world.rsa.sign(&mint::claims("someone"));
    let (text, _) = explain(&path, &["--token", &token]);
    let lacks = r#"allow[0] lacks claims: /realm_access/roles contains "scorer"; claims: /a~1b/c any_of ["gold",1]; claims: tenant equals true; claims: sub exists false"#;
    assert!(text.contains(lacks), "{text}");
}

#[test]
fn a_limit_whose_key_is_in_the_body_is_asked_later() {
    let (world, mut config) = scene();
    config["rules"] = json!([{"name": "all", "limits": ["per-model"], "payload": {}}]);
    config["limits"] = json!([{"name": "per-model", "rate": "1/h", "key": "{sub}/{@body:/model}"}]);
    let path = file("body.json", config.to_string().as_bytes());
    let token = world.rsa.sign(&mint::claims("someone"));
    let (text, _) = explain(&path, &["--method", "POST", "--token", &token]);
    let line = "\"per-model\": asked when the body has ended; its key is {sub}/{@body:/model}";
    assert!(text.contains(line), "{text}");
}

#[test]
fn an_entry_that_asks_of_the_body_is_asked_later() {
    let (world, mut config) = scene();
    let test =
        json!([{"json": "/model", "any_of": ["a", "b"]}, {"json": "/tools", "exists": false}]);
    config["rules"] = json!([{"name": "all", "payload": {}, "allow": [{"body": test}]}]);
    config["limits"] = json!([]);
    let path = file("body-grant.json", config.to_string().as_bytes());
    let token = world.rsa.sign(&mint::claims("someone"));
    let (text, _) = explain(&path, &["--method", "POST", "--token", &token]);
    assert!(text.contains("asked again when the body has ended"), "{text}");
    let line =
        r#"allow[0] is met if the body passes: /model any_of ["a","b"]; /tools exists false"#;
    assert!(text.contains(line), "{text}");
    let (text, _) = explain(&path, &["--method", "GET", "--token", &token]);
    assert!(text.contains("body_not_allowed: the request has no body"), "{text}");
}

#[test]
fn a_reservation_and_a_price_are_shown_as_the_body_decides_them() {
    let (world, mut config) = scene();
    config["rules"] = json!([{"name": "all", "limits": ["tokens"], "payload": {}}]);
    config["limits"] = json!([{
        "name": "tokens", "rate": "100000/h", "charge": "response",
        "response_cost": {"json": "/usage/total_tokens"},
        "reserve": {"json": ["/max_tokens", "/n"], "default": 10, "max": 40, "bytes_per_token": 4},
        "price": {"json": "/model", "of": {"large": 7}, "default": 2},
    }]);
    let token = world.rsa.sign(&mint::claims("someone"));
    let body = "reserves the largest number at /max_tokens, /n of the body, or 10 without one, \
                and 1 for each 4 bytes of it; at most 40";
    let price = "times the price of the model at /model of the body: \"large\" 7, others 2";
    for (hold_head, method, reserves) in [
        (false, "POST", body),
        (true, "POST", body),
        // There is no body: the default at the default price.
        (true, "GET", "reserves 20 until then"),
    ] {
        config["hold_head"] = json!(hold_head);
        let path = file("reserve.json", config.to_string().as_bytes());
        let (text, _) = explain(&path, &["--method", method, "--token", &token]);
        assert!(text.contains(reserves) && text.contains(price), "{method} {hold_head}: {text}");
    }
}

/// What it would cost, with full buckets: the same figures as the filter's.
#[test]
fn a_body_is_judged_and_its_cost_its_reservation_and_its_price_are_shown() {
    let (world, mut config) = scene();
    config["rules"] = json!([{
        "name": "chat", "match": {"paths": ["/chat"], "methods": ["POST"]}, "limits": ["tokens"],
        "payload": {"content_types": ["application/json"], "max_bytes": 90, "include_usage": "add"},
        "allow": [{"body": [{"json": "/model", "any_of": ["large", "small"]}]}],
    }]);
    config["limits"] = json!([{
        "name": "tokens", "rate": "100/h", "charge": "response", "key": "{@identity}/{@body:/model}",
        "response_cost": {"json": "/usage/total_tokens"},
        "reserve": {"json": "/max_tokens", "default": 10, "max": 14},
        "price": {"json": "/model", "of": {"large": 7}, "default": 2},
    }]);
    let token = world.rsa.sign(&mint::claims("someone"));
    let path = file("with-body.json", config.to_string().as_bytes());
    let typed = "type        application/json, the only one that the rule admits";
    for (body, code, lines) in [
        (
            r#"{"model": "large", "max_tokens": 9, "stream": true}"#,
            0,
            &[
                typed,
                "an entry admits the caller and the body",
                r#"allow[0] asks for /model any_of ["large","small"], and the body has "large""#,
                "51 bytes: admitted",
                "stream_options.include_usage: true is added",
                "reserves 63 until then",
                r#"times 7, the price of "large" at /model of the body"#,
                "a full bucket would have 37 left",
                "r=37",
                "\nallow ok\n",
            ][..],
        ),
        (
            r#"{"model": "small"}"#,
            0,
            &["reserves 20 until then", "times 2: the value at /model of the body is no name"],
        ),
        (
            r#"{"model": "other"}"#,
            3,
            &["body_not_allowed: no entry admits the body", r#"and the body has "other""#],
        ),
        (r#"{}"#, 3, &["body_not_allowed: no entry admits the body", "the body has nothing"]),
        (r#"{"model":}"#, 3, &["FAIL payload", "deny payload_malformed"]),
        (&"x".repeat(91), 3, &["deny payload_"]),
    ] {
        let body = file("the-body.json", body.as_bytes());
        let body = body.to_str().unwrap();
        let arguments = ["--path", "/chat", "--token", &token, "--body", body];
        let (text, found) = explain(&path, &arguments);
        let missing: Vec<_> = lines.iter().filter(|line| !text.contains(**line)).collect();
        assert!(missing.is_empty() && found == code, "{missing:?} {found}: {text}");
        let (text, _) = explain(&path, &[&arguments[..], &["--redact"]].concat());
        assert!(!text.contains("has \"large\"") && !text.contains("has \"other\""), "{text}");
    }
    let (text, code) = explain(&path, &["--path", "/chat", "--token", &token]);
    assert!(text.contains(typed) && text.contains("if the body is accepted"), "{text}");
    assert_eq!(code, 0);
    let empty = file("empty-body", b"");
    let arguments = ["--path", "/chat", "--token", &token, "--body", empty.to_str().unwrap()];
    let (text, code) = explain(&path, &arguments);
    assert!(text.contains("body_not_allowed: the request has no body") && code == 3, "{text}");
}

#[test]
fn rows_of_a_body_are_shown_with_their_cost() {
    let (world, mut config) = scene();
    config["rules"] = json!([{
        "name": "score", "match": {"methods": ["POST"]}, "limits": ["per-caller"],
        "payload": {}, "cost": {"json_rows": ["/data"], "max": 50},
    }]);
    let path = file("rows.json", config.to_string().as_bytes());
    let token = world.rsa.sign(&mint::claims("someone"));
    for (body, code, lines) in [
        (r#"{"data": [1, 2, 3]}"#, 0, ["19 bytes, 3 rows: admitted", "costs 3"]),
        (r#"{"data": [1, 2, 3, 4, 5, 6]}"#, 3, ["costs 6", "deny cost_exceeds_burst"]),
    ] {
        let body = file("rows-body.json", body.as_bytes());
        let arguments = ["--token", &token, "--body", body.to_str().unwrap()];
        let (text, found) = explain(&path, &arguments);
        let missing: Vec<_> = lines.iter().filter(|line| !text.contains(**line)).collect();
        assert!(missing.is_empty() && found == code, "{missing:?} {found}: {text}");
    }
}

#[test]
fn a_token_of_a_skipped_key_names_the_reason() {
    let (world, config) = scene();
    let path = file("skipped.json", config.to_string().as_bytes());
    let mut set = mint::jwks(&[&world.rsa, &world.p256]);
    set["keys"][0]["d"] = json!("AQAB");
    let keys = format!("main={}", file("skipped-keys.json", set.to_string().as_bytes()).display());
    let token = world.rsa.sign(&mint::claims("someone"));
    let arguments = ["--method", "POST", "--path", "/score", "--keys", &keys, "--token", &token];
    let (text, _) = explain(&path, &arguments);
    let why = "key_unknown (its key was skipped: the private key is in the set";
    assert!(text.contains(why), "{text}");
}

#[test]
fn nothing_secret_is_printed_and_redact_hides_personal_data() {
    let (world, config) = scene();
    let path = file("redact.json", config.to_string().as_bytes());
    let mut claims = mint::claims("very-personal");
    claims["roles"] = json!(["Model.Score"]);
    let token = world.rsa.sign(&claims);
    let post = ["--method", "POST", "--path", "/score", "--token", &token];
    for form in [&[][..], &["--json"]] {
        let (open, _) = explain(&path, &[&post[..], form].concat());
        assert!(open.contains("very-personal"), "{open}");
        let (hidden, _) = explain(&path, &[&post[..], form, &["--redact"]].concat());
        assert!(!hidden.contains("very-personal") && !hidden.contains(mint::ISSUER), "{hidden}");
        for text in [open, hidden] {
            assert!(token.split('.').all(|part| !text.contains(part)), "{text}");
            let modulus = world.rsa.jwk()["n"].as_str().unwrap().to_owned();
            assert!(!text.contains(&modulus) && !text.contains('\u{1b}'), "{text}");
        }
    }
}

#[test]
fn remote_keys_are_given_by_hand_and_the_moment_is_chosen() {
    let (world, mut config) = scene();
    config["providers"] = json!([{"name": "main", "issuers": [mint::ISSUER],
        "audiences": [mint::AUDIENCE],
        "keys": {"remote": {"uri": "https://issuer.test/keys", "cluster": "idp"}}}]);
    config["rules"] = json!([{"name": "all"}]);
    let path = file("remote.json", config.to_string().as_bytes());
    let keys = file("keys.json", world.main_jwks().to_string().as_bytes());
    let keys = format!("main={}", keys.display());
    let token = world.rsa.sign(&mint::claims("someone"));
    let reason = |arguments: &[&str]| {
        let (text, _) = explain(&path, &[&["--json", "--token", &token], arguments].concat());
        let told: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(told["needs_keys"], json!(!arguments.contains(&"--keys")), "{text}");
        told["reason"].as_str().unwrap().to_owned()
    };
    assert_eq!(reason(&[]), "keys_unavailable");
    assert_eq!(reason(&["--keys", &keys]), "ok");
    assert_eq!(reason(&["--keys", &keys, "--at", "2035-01-01T00:00:00+02:00"]), "expired");
    assert_eq!(reason(&["--keys", &keys, "--at", "1000000000"]), "not_yet_valid");
    for usage in [&["--keys", "other=x"][..], &["--at", "soon"], &["--number", "2"]] {
        assert_eq!(explain(&path, usage).1, 2, "{usage:?}");
    }
}

#[test]
fn a_reason_is_followed_by_the_claim_the_template_or_the_bound() {
    let signers = ["a", "b", "c"].map(|kid| mint::Signer::new("ES256", kid));
    let main = json!({
        "name": "main", "issuers": [mint::ISSUER], "audiences": [mint::AUDIENCE],
        "identity": ["{tid}/{oid}", "{iss}/{sub}"],
        "keys": {"inline": mint::jwks(&signers.each_ref())},
    });
    let mut second = main.clone();
    second["name"] = json!("second");
    second["audiences"] = json!(["client"]);
    let config = json!({"providers": [main, second]});
    let path = file("named.json", config.to_string().as_bytes());
    let with = |name: &str, value: Value| {
        let mut claims = mint::claims("s");
        claims[name] = value;
        signers[0].sign(&claims)
    };
    let no_kid = signers[0].sign_with(json!({"alg": "ES256"}), &mint::claims("s"));
    for (token, step) in [
        (
            with("exp", json!(mint::now() * 1000)),
            "claim_malformed (exp is beyond 9999: milliseconds?)",
        ),
        (with("sub", json!("")), "claim_missing ({iss}/{sub})"),
        (with("jti", json!(1)), "claim_malformed (jti)"),
        (no_kid, "key_unknown (too many candidates)"),
        // The verdict of the other provider of the issuer.
        (with("aud", json!("them")), "provider \"second\": audience_mismatch"),
        (with("exp", json!(-62_135_596_800_i64)), "exp: 0001-01-01T00:00:00Z"),
    ] {
        let (text, _) = explain(&path, &["--token", &token]);
        assert!(text.contains(step), "{step}:\n{text}");
        let list = file("named.txt", token.as_bytes());
        let (text, _) = explain(&path, &["--json", "--tokens", list.to_str().unwrap()]);
        assert!(step.contains(' ') && text.contains("\"error\":\""), "{text}");
    }
}

#[test]
fn the_method_is_that_of_the_rule_if_only_one_fits_and_else_the_others_are_named() {
    let (world, mut config) = scene();
    let methods = |name: &str, path: &str, methods: Value| json!({"name": name, "match": {"paths": [path], "methods": methods}});
    config["rules"] = json!([
        methods("score", "/score", json!(["POST"])),
        methods("item", "/item", json!(["PUT", "DELETE"])),
        methods("list", "/list", json!(["GET", "POST"])),
        methods("chosen", "/any", json!(["POST"])),
        {"name": "any", "match": {"paths": ["/any"]}},
    ]);
    let path = file("methods.json", config.to_string().as_bytes());
    let token = world.rsa.sign(&mint::claims("someone"));
    let only = "POST, the only one that the rules admit here (--method sets another)";
    for (arguments, code, line) in [
        (&["--path", "/score"][..], 0, only),
        (&["--path", "/item"], 3, "no rule matches the method GET; these would match: PUT, DELETE"),
        (&["--path", "/list"], 0, "\"list\" matches"),
        (&["--path", "/any"], 0, "\"any\" matches"),
        (&["--path", "/else"], 3, "no rule matches, so the request is refused"),
        (
            &["--path", "/score", "--method", "GET"],
            3,
            "no rule matches the method GET; these would match: POST",
        ),
    ] {
        let (text, exit) = explain(&path, &[arguments, &["--token", &token]].concat());
        assert_eq!((exit, text.contains(line)), (code, true), "{arguments:?} {line}:\n{text}");
        assert_eq!(text.contains(only), line == only, "{text}");
    }
}

#[test]
fn exit_codes_distinguish_a_denial_a_refused_configuration_and_wrong_usage() {
    let (world, mut config) = scene();
    let good = file("exits.json", config.to_string().as_bytes());
    let mut claims = mint::claims("someone");
    claims["roles"] = json!(["Model.Score"]);
    let token = world.rsa.sign(&claims);
    let lines = |tokens: &[&str]| file("exits.txt", tokens.join("\n").as_bytes());
    let one = |token: &str| explain(&good, &["--path", "/score", "--token", token]).1;
    assert_eq!((one(&token), one("a.b.c")), (0, 3));
    let batch = |tokens: &[&str]| {
        let list = lines(tokens);
        explain(&good, &["--path", "/score", "--tokens", list.to_str().unwrap()]).1
    };
    assert_eq!((batch(&[&token, &token]), batch(&["a.b.c", &token])), (0, 3));
    config["dry_run"] = json!(true);
    let dry = file("exits dry.json", config.to_string().as_bytes());
    assert_eq!(explain(&dry, &["--path", "/score", "--token", "a.b.c"]).1, 0);
    config["rules"] = json!([]);
    let refused = file("exits refused.json", config.to_string().as_bytes());
    let (text, code) = explain(&refused, &[]);
    assert_eq!((code, text.contains("rules: is an empty list")), (1, true), "{text}");
    assert_eq!(explain(Path::new("/no/such/file"), &[]).1, 2);
}

#[test]
fn keys_in_a_variable_come_from_the_variable_or_from_a_file() {
    let world = World::new();
    let document = std::fs::read_to_string("envoy/minimal.yaml").unwrap();
    let path = file("minimal.yaml", document.as_bytes());
    let token = world.rsa.sign(&json!({"iss": "https://issuer.test", "aud": "api://scoring",
                                       "sub": "alice", "exp": mint::now() + 60}));
    let set = world.main_jwks().to_string();
    let keys = format!("main={}", file("minimal-keys.json", set.as_bytes()).display());
    let variable = format!("TOLLGATE_JWKS={set}");
    for (arguments, code) in
        [(&[][..], 2), (&["--keys", &keys][..], 0), (&["--env", &variable][..], 0)]
    {
        let (text, exit) = explain(&path, &[&["--token", &token], arguments].concat());
        assert_eq!(exit, code, "{text}");
        let asked = "TOLLGATE_JWKS is not set: pass the key set with --keys main=FILE";
        assert_eq!(text.contains(asked), code == 2, "{text}");
    }
}
