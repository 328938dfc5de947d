//! One request at a time in a real Envoy: allowed and refused requests, their reasons, and the
//! request that the upstream receives.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use support::prelude::*;

/// The rules that all tests of this file share.
fn config() -> Value {
    json!({
        "rules": [
            {"name": "health", "match": {"paths": ["/health"], "methods": ["GET"]}, "auth": "none"},
            {"name": "open", "match": {"paths": ["/open"]}, "auth": "optional"},
            {
                "name": "blue",
                "match": {"paths": ["/deployed"], "headers": {"azureml-model-deployment": "blue"}},
            },
            {"name": "once", "match": {"paths": ["/once"]}, "limits": ["once"]},
            {"name": "dear", "match": {"paths": ["/dear"]}, "limits": ["small"], "cost": 5},
            {
                "name": "score",
                "match": {"hosts": ["ml.example.com"], "paths": ["/score", "/v1/**"]},
            },
        ],
        "limits": [
            {"name": "once", "rate": "1/h", "burst": 1},
            {"name": "small", "rate": "2/h", "burst": 2},
        ],
        "responses": {"realm": "ml"},
    })
}

/// An Envoy with [`config`].
async fn start() -> Option<(Fixture, Envoy)> {
    let fixture = Fixture::new("ES256").await?;
    let mut config = fixture.config(config());
    config["providers"][0]["max_lifetime"] = json!("1h");
    config["providers"][0]["typ"] = json!(["JWT", "at+jwt"]);
    let envoy = fixture.envoy(config).start().await;
    Some((fixture, envoy))
}

#[tokio::test(flavor = "multi_thread")]
async fn good_token_passes_with_its_tags() {
    let Some((fixture, envoy)) = start().await else { return };
    let token = fixture.token("alice");
    let request = Request::post("/score", "{}").bearer(&token).case("good");
    let response = envoy.send(&request).await;
    assert_eq!(response.status, 200);

    let seen = fixture.upstream.case("good").unwrap();
    assert_eq!(seen.header("x-auth-subject"), Some("alice"));
    assert_eq!(seen.header("x-auth-issuer"), Some("https://issuer.test"));
    assert_eq!(seen.header("x-auth-identity"), Some("https://issuer.test/alice"));
    assert_eq!(seen.header("authorization"), Some(format!("Bearer {token}").as_str()));
    assert_eq!(seen.body, b"{}");

    let entry = envoy.access("good").await;
    assert_eq!(entry["decision"], "allow");
    assert_eq!(entry["reason"], "ok");
    assert_eq!(entry["rule"], "score");
    assert_eq!(entry["provider"], "main");
    assert_eq!(entry["subject"], "alice");
    assert_eq!(entry["identity"], "https://issuer.test/alice");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_algorithm_verifies() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let rsa = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
        .map(|name| Signer::new("RS256", "rsa").with_algorithm(name).with_kid(name));
    let curves = ["ES256", "ES384", "ES256K", "EdDSA"].map(|name| Signer::new(name, name));
    let hmac = ["HS256", "HS384", "HS512"].map(|name| Signer::new(name, name));
    let asymmetric: Vec<_> = rsa.into_iter().chain(curves).collect();
    for signers in [asymmetric, hmac.to_vec()] {
        let names: Vec<_> = signers.iter().map(Signer::algorithm).collect();
        let provider = provider(&signers.iter().collect::<Vec<_>>(), &names);
        let envoy = fixture.envoy(json!({"providers": [provider]})).start().await;
        for signer in &signers {
            let algorithm = signer.algorithm();
            let good = signer.sign(&mint::claims("alice"));
            let response = envoy.send(&Request::get("/").bearer(&good)).await;
            assert_eq!(response.status, 200, "{algorithm}: {}", response.reason());
            // The signature of other claims by the same key.
            let other = signer.sign(&mint::claims("mallory"));
            let (input, _) = good.rsplit_once('.').unwrap();
            let (_, signature) = other.rsplit_once('.').unwrap();
            let answer = envoy.judge(&format!("{input}.{signature}")).await;
            assert_eq!(answer, refused("signature_invalid"), "{algorithm}");
        }
    }
}

/// One line of the table of reasons.
struct Case {
    reason: &'static str,
    status: u16,
    /// `none`: no rule had matched yet.
    rule: &'static str,
    request: Request,
}

fn case(reason: &'static str, status: u16, rule: &'static str, request: Request) -> Case {
    Case { reason, status, rule, request }
}

/// Requests to `/score` that fail at their token.
fn token_cases(signer: &Signer) -> Vec<Case> {
    let good = mint::claims("alice");
    let now = good["iat"].as_u64().unwrap();
    let header = |changes: Value| {
        let mut header = json!({"alg": "ES256", "typ": "JWT", "kid": "key-1"});
        header.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        signer.sign_with(header, &good)
    };
    let claims = |changes: Value| signer.sign(&claims_with("alice", changes));
    let forged = Signer::new("ES256", "key-1").sign(&good);
    let unsigned = signer.sign_with(json!({"alg": "none"}), &good);
    let unsigned = &unsigned[..=unsigned.rfind('.').unwrap()];
    let table = [
        ("token_malformed", "abc".to_owned()),
        ("token_malformed", format!("{}=", signer.sign(&good))),
        ("token_too_large", "a".repeat(17 * 1024)),
        ("type_not_allowed", header(json!({"typ": "secevent+jwt"}))),
        ("crit_unsupported", header(json!({"crit": ["exp"]}))),
        ("algorithm_not_allowed", header(json!({"alg": "HS256"}))),
        ("algorithm_not_allowed", header(json!({"alg": "none"}))),
        ("algorithm_not_allowed", unsigned.to_owned()),
        ("key_unknown", header(json!({"kid": "key-2"}))),
        ("signature_invalid", forged),
        ("issuer_not_allowed", claims(json!({"iss": "https://issuer.test.evil"}))),
        ("audience_mismatch", claims(json!({"aud": ["api://other"]}))),
        ("claim_missing", claims(json!({"exp": null}))),
        ("claim_missing", claims(json!({"sub": null}))),
        ("claim_missing", claims(json!({"sub": ""}))),
        ("claim_malformed", claims(json!({"exp": (now + 600).to_string()}))),
        ("expired", claims(json!({"exp": now - 120, "iat": now - 700, "nbf": now - 700}))),
        ("not_yet_valid", claims(json!({"nbf": now + 300}))),
        ("issued_in_future", claims(json!({"iat": now + 300, "nbf": null}))),
        ("lifetime_too_long", claims(json!({"exp": now + 7200}))),
    ];
    let status = |reason| if reason == "token_too_large" { 400 } else { 401 };
    table
        .into_iter()
        .map(|(reason, token)| {
            case(reason, status(reason), "score", Request::get("/score").bearer(token))
        })
        .collect()
}

/// Requests that pass, or fail for another cause than their token.
fn other_cases(signer: &Signer) -> Vec<Case> {
    let good = |target: &str| Request::get(target).bearer(signer.sign(&mint::claims("alice")));
    vec![
        case("ok", 200, "score", good("/v1/models/a?x=//..")),
        case("ok", 200, "blue", good("/deployed").header("azureml-model-deployment", "blue")),
        case("ok", 200, "open", good("/open")),
        case("anonymous", 200, "open", Request::get("/open")),
        case("anonymous", 200, "health", Request::get("/health")),
        case("anonymous", 200, "health", Request::get("/health").bearer("not.a.token")),
        case("token_malformed", 401, "open", Request::get("/open").bearer("abc")),
        case("token_missing", 401, "score", Request::get("/score")),
        case("token_missing", 401, "score", Request::get("/score").header("authorization", "")),
        case(
            "token_missing",
            401,
            "score",
            Request::get("/score").header("authorization", "Basic YWxpY2U6cHc="),
        ),
        case("no_rule", 403, "none", good("/elsewhere")),
        case("no_rule", 403, "none", good("/score").host("ml.example.com.evil")),
        case("no_rule", 403, "none", good("/deployed").header("azureml-model-deployment", "green")),
        case("no_rule", 403, "none", Request::post("/health", "")),
        case("path_ambiguous", 400, "none", good("/v1/a%2Fb")),
        case("path_ambiguous", 400, "none", good("/v1/a%5cb")),
        case("path_ambiguous", 400, "none", good("/v1/../score")),
        case("path_ambiguous", 400, "none", good("/v1/./score")),
        case("path_ambiguous", 400, "none", good("/v1//score")),
        case("path_ambiguous", 400, "none", good("/v1/%zz")),
        case("ok", 200, "once", good("/once")),
        case("rate_limited", 429, "once", good("/once")),
        case("cost_exceeds_burst", 429, "dear", good("/dear")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reason_has_its_status_body_and_log_entry() {
    let Some((fixture, envoy)) = start().await else { return };
    let cases = token_cases(&fixture.signer).into_iter().chain(other_cases(&fixture.signer));
    let mut wrong = Vec::new();
    for (number, case) in cases.enumerate() {
        let name = format!("{number}-{}", case.reason);
        let request = case.request.clone().case(&name);
        let response = envoy.send(&request).await;
        let entry = envoy.access(&name).await;
        let mut check = |what: &str, holds: bool| {
            if !holds {
                let body = String::from_utf8_lossy(&response.body);
                wrong.push(format!("{name}: {what}: {} {body} {entry}", response.status));
            }
        };
        let passes = case.status == 200;
        check("status", response.status == case.status);
        check("logged reason", entry["reason"] == case.reason);
        check("logged decision", entry["decision"] == if passes { "allow" } else { "deny" });
        check("logged rule", entry["rule"] == case.rule);
        check("reached the upstream", fixture.upstream.case(&name).is_some() == passes);
        if !passes {
            check("reason in the body", response.reason() == case.reason);
            check("content type", response.header("content-type") == Some("application/json"));
        }
        check("challenge", challenge_fits(&case, response.header("www-authenticate")));
        // The limits refill in more than `retry_after_max`.
        check("retry-after", response.header("retry-after").is_none());
        let never = response.header("x-should-retry") == Some("false");
        check("x-should-retry", never == (case.status == 429));
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// RFC 6750 §3: each 401 has a challenge, with an error only when there was a token.
fn challenge_fits(case: &Case, challenge: Option<&str>) -> bool {
    match (case.status, challenge) {
        (401, Some(text)) => {
            let error = text.contains("error=\"invalid_token\"");
            let expected = case.reason != "token_missing";
            text.starts_with("Bearer ")
                && text.contains("realm=\"ml\"")
                && error == expected
                && text.contains("error=") == expected
        }
        (401, None) => false,
        (200 | 429, challenge) => challenge.is_none(),
        _ => true,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_appears_in_replies_or_logs() {
    let Some((fixture, envoy)) = start().await else { return };
    let mut replies = Vec::new();
    let mut secrets = Vec::new();
    for case in token_cases(&fixture.signer) {
        let response = envoy.send(&case.request).await;
        replies.extend(response.headers.into_iter().map(|(_, value)| value));
        replies.push(response.body);
        let (_, value) = case.request.headers.last().unwrap();
        let signature = String::from_utf8_lossy(value).rsplit('.').next().unwrap().to_owned();
        secrets.extend((signature.len() > 20).then_some(signature));
    }
    envoy.send(&Request::get("/score").case("last")).await;
    envoy.access("last").await;
    let mut text = envoy.log();
    text.push_str(&String::from_utf8_lossy(&replies.concat()));
    for entry in envoy.access_log() {
        text.push_str(&entry.to_string());
    }
    assert!(secrets.len() > 10);
    for secret in secrets {
        assert!(!text.contains(&secret), "{secret}");
    }
}

/// Every way to write a header that some backend takes for the one we set.
fn spellings() -> Vec<String> {
    let owned = ["x-auth-identity", "x-auth-subject", "x-auth-issuer", "x-tollgate-reason"];
    let mut names = Vec::new();
    for name in owned {
        let words: Vec<_> = name.split('-').collect();
        for first in ["-", "_", "."] {
            for second in ["-", "_", "."] {
                let name = format!("{}{first}{}{second}{}", words[0], words[1], words[2]);
                names.push(name.to_uppercase());
                names.push(name);
            }
        }
    }
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn spoofed_headers_never_reach_the_upstream() {
    let Some((fixture, envoy)) = start().await else { return };
    let token = fixture.token("alice");
    let requests = [
        ("score", Request::get("/score").bearer(&token)),
        ("open-anonymous", Request::get("/open")),
        ("open-verified", Request::get("/open").bearer(&token)),
        ("health", Request::get("/health")),
        ("health-with-token", Request::get("/health").bearer(&token)),
    ];
    let mut connection = Connection::open(envoy.address()).await;
    for (case, request) in requests {
        for (number, spelling) in spellings().into_iter().enumerate() {
            let case = format!("{case}-{number}");
            let request = request.clone().case(&case);
            let request = request.header(&spelling, "spoofed").header(&spelling, "spoofed too");
            let response = connection.send(&request).await;
            assert_eq!(response.status, 200, "{case} {spelling}");
            let seen = fixture.upstream.case(&case).unwrap();
            assert!(!seen.head_contains(b"spoofed"), "{case} {spelling}");
            let expected = case.contains("score") || case.contains("verified");
            assert_eq!(seen.header("x-auth-subject"), expected.then_some("alice"), "{case}");
        }
    }
    // A client cannot have the tags removed as hop-by-hop headers (RFC 9110 §7.6.1).
    let request = Request::get("/score").bearer(&token).case("hop");
    let request = request.header("connection", "x-auth-subject, X-Auth-Identity");
    assert_eq!(envoy.send(&request).await.status, 200);
    let seen = fixture.upstream.case("hop").unwrap();
    assert_eq!(seen.header("x-auth-subject"), Some("alice"));
    assert_eq!(seen.header("x-auth-identity"), Some("https://issuer.test/alice"));
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_subjects_never_reach_the_upstream_raw() {
    let Some((fixture, envoy)) = start().await else { return };
    let long = "é".repeat(5000);
    let subjects = [
        "a\r\nx-evil: 1",
        "a\nx-evil: 1",
        "a\rb",
        "a\0b",
        "a\x7fb",
        "a\tb",
        "a\x1b[31mb",
        "\u{80}\u{9f}",
        "é日本",
        "a\u{2028}b\u{202e}c",
        "e\u{301}",
        " a ",
        long.as_str(),
    ];
    for (number, subject) in subjects.into_iter().enumerate() {
        let case = format!("hostile-{number}");
        let token = fixture.token(subject);
        let request = Request::get("/score").bearer(token).case(&case);
        let response = envoy.send(&request).await;
        assert_eq!(response.status, 200, "{subject:?}");
        let seen = fixture.upstream.case(&case).unwrap();
        assert!(seen.raw_bytes().is_empty(), "{subject:?}: {}", seen.head.escape_ascii());
        assert!(seen.all("x-evil").is_empty(), "{subject:?}");
        assert!(seen.all("x-auth-subject").iter().all(|value| value.len() <= 1024), "{subject:?}");
        // One line of the access log, and nothing raw in it either.
        let entry = envoy.access(&case).await;
        let logged = entry["subject"].as_str().unwrap_or_default();
        assert!(logged.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{logged:?}");
    }
    let seen = fixture.upstream.case("hostile-8").unwrap();
    assert_eq!(seen.header("x-auth-subject"), Some("%C3%A9%E6%97%A5%E6%9C%AC"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_header_byte_traps_the_module() {
    let Some((fixture, envoy)) = start().await else { return };
    let token = fixture.token("alice");
    let mut connection = Connection::open(envoy.address()).await;
    for byte in 0x80..=0xffu8 {
        let at = |prefix: &[u8]| [prefix, &[byte], b"z"].concat();
        let good = Request::get("/score").bearer(&token);
        let requests = [
            Request::get("/score").header("authorization", at(b"")),
            Request::get("/score").bearer(at(b"")),
            Request::get("/score").bearer(at(token.as_bytes())),
            Request::get("/score").header("authorization", at(b"Basic ")).bearer(&token),
            Request::get("/deployed").bearer(&token).header("azureml-model-deployment", at(b"b")),
            good.clone().header("x-auth-subject", at(b"")),
            good.clone().header("x_auth.subject", at(b"")),
            good.clone().header("x-tollgate-any", at(b"")),
            good.clone().header("cookie", at(b"a=")).header("content-type", at(b"application/")),
            good.clone().host(at(b"ml.example.com")),
            Request::get(at(b"/v1/")).bearer(&token),
            Request::get(at(b"/score?access_token=")).bearer(&token),
            Request::new(at(b"GE"), "/score").bearer(&token),
        ];
        for request in requests {
            // Envoy itself answers some of them; a trap would be a 503 or a hang-up.
            let bytes = request.to_bytes();
            match connection.try_send(&bytes).await {
                Ok(response) => assert!(
                    matches!(response.status, 200 | 400 | 401 | 403),
                    "{}: {}",
                    response.status,
                    bytes.escape_ascii()
                ),
                Err(error) => panic!("{error}: {}", bytes.escape_ascii()),
            }
        }
    }
    for seen in fixture.upstream.requests() {
        let subjects = seen.all("x-auth-subject");
        assert!(subjects == [b"alice"], "{}", seen.head.escape_ascii());
    }
    let response = envoy.send(&Request::get("/score").bearer(&token)).await;
    assert_eq!(response.status, 200);
}
