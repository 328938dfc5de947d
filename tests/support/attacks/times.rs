//! `exp`, `nbf` and `iat` that are passed, far ahead, too far apart, or no dates at all.

use serde_json::{Value, json};

use super::super::mint::{Signer, now};
use super::world::{STRICT, of};
use super::*;

pub(super) fn collect(world: &World, corpus: &mut Corpus) {
    times(world, corpus);
    lifetimes(world, corpus);
}

/// Milliseconds, nanoseconds, and the edges of `f64`, `i64` and of `u64` in seconds and in
/// nanoseconds: too far ahead to be a date, so they may be malformed as well as too late.
const BEYOND_YEAR_9999: [&str; 11] = [
    "1800000000000",
    "1800000000000000000",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "18446744073709551616.5",
    "1e19",
    "1e20",
    "1e300",
];

/// NumericDate and nothing else (RFC 7519 §2); a string is not "absent" (CVE-2026-25537).
fn times(world: &World, corpus: &mut Corpus) {
    let (now, later, earlier) = (now(), now() + 600, now() - 600);
    for (claim, family, at) in
        [("exp", "cl-exp", later), ("nbf", "cl-nbf", earlier), ("iat", "cl-iat", earlier)]
    {
        for value in [
            json!(at.to_string()),
            json!(format!("{at}.0")),
            json!(""),
            json!(" "),
            json!("0"),
            json!("-1"),
            json!("never"),
            json!("null"),
            json!("Infinity"),
            json!("1e10"),
            json!("2099-01-01T00:00:00Z"),
            json!(true),
            json!(false),
            json!([]),
            json!([at]),
            json!({}),
            json!({"seconds": at}),
            json!({"$gt": 0}),
            json!([[at]]),
        ] {
            let name = format!("{claim} {}", value.to_string().replace(&at.to_string(), "T"));
            corpus.refuse(family, name, world.rsa.sign(&claims_with(claim, value)), CLAIM);
        }
        // A value that is null is not absent, or a library's default for it would pass.
        let token = world.rsa.sign(&claims_with(claim, Value::Null));
        corpus.refuse(family, format!("{claim} null"), token, NULL);
        // Numbers that no f64 or i64 holds.
        for text in ["1e400", "-1e400", "1e99999", &"9".repeat(400)] {
            let name: String = format!("{claim} {text}").chars().take(40).collect();
            let token = sign_number(world, claim, text);
            corpus.refuse(family, name, token, &["claim_malformed", "token_malformed"]);
        }
    }

    corpus.refuse("cl-exp", "absent", world.rsa.sign(&claims_without("exp")), MISSING);
    let past: &[&str] = &["expired"];
    for (name, text) in [
        ("ten minutes ago", earlier.to_string()),
        ("at the end of the skew", (now - 60).to_string()),
        ("a second after the skew", (now - 61).to_string()),
        ("fraction ten minutes ago", format!("{earlier}.999")),
        ("exponent ten minutes ago", format!("{earlier}e0")),
        ("zero", "0".to_owned()),
        ("one", "1".to_owned()),
        ("1.5", "1.5".to_owned()),
        ("tiny", "1e-300".to_owned()),
    ] {
        corpus.refuse("cl-exp", name, sign_number(world, "exp", &text), past);
    }
    let below: &[&str] = &["expired", "claim_malformed"];
    for text in
        ["-1", "-0", "-0.0", "-1.5", "-1e300", "-9223372036854775808", "-9223372036854775809"]
    {
        corpus.refuse("cl-exp", text, sign_number(world, "exp", text), below);
    }

    for (claim, family, reason, above) in [
        (
            "nbf",
            "cl-nbf",
            &["not_yet_valid"] as &[&str],
            &["not_yet_valid", "claim_malformed"] as &[&str],
        ),
        ("iat", "cl-iat", &["issued_in_future"], &["issued_in_future", "claim_malformed"]),
    ] {
        for (name, text) in [
            ("in ten minutes", later.to_string()),
            ("in two minutes", (now + 120).to_string()),
            ("fraction", format!("{later}.5")),
            ("exponent", format!("{later}e0")),
            ("the last nanosecond of 64 bits", "18446744074".to_owned()),
        ] {
            corpus.refuse(family, name, sign_number(world, claim, &text), reason);
        }
        for text in BEYOND_YEAR_9999 {
            corpus.refuse(family, text, sign_number(world, claim, text), above);
        }
    }
}

/// An authentic token in which a claim is this text, which `serde_json::Value` might not hold.
fn sign_number(world: &World, claim: &str, text: &str) -> String {
    sign_text(&world.rsa, None, &claims_without(claim), claim, text)
}

fn sign_text(
    signer: &Signer,
    typ: Option<&str>,
    claims: &Value,
    claim: &str,
    text: &str,
) -> String {
    let claims = claims.to_string();
    let payload = format!("{},\"{claim}\":{text}}}", claims.trim_end_matches('}'));
    let typ = typ.unwrap_or("JWT");
    let header = json!({"alg": signer.algorithm(), "typ": typ, "kid": signer.kid()});
    signer.sign_raw(header.to_string().as_bytes(), payload.as_bytes())
}

/// `strict` takes tokens of an hour at most.
fn lifetimes(world: &World, corpus: &mut Corpus) {
    let now = now();
    let sign = |claims: &Value, exp: &str| {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().remove("exp");
        sign_text(&world.strict, Some("at+jwt"), &claims, "exp", exp)
    };
    let reasons: &[&str] = &["lifetime_too_long"];
    for (name, exp) in [
        ("a second more than an hour", (now + 3601).to_string()),
        ("a day", (now + 86_400).to_string()),
        ("the last nanosecond of 64 bits", "18446744074".to_owned()),
    ] {
        let mut claims = of(STRICT);
        claims["iat"] = json!(now);
        corpus.refuse("lifetime", name, sign(&claims, &exp), reasons);
    }
    let claims = of(STRICT);
    let huge: &[&str] = &["lifetime_too_long", "claim_malformed"];
    for exp in BEYOND_YEAR_9999 {
        corpus.refuse("lifetime", exp, sign(&claims, exp), huge);
    }
    for (name, iat) in [("iat of 1970", json!(0)), ("iat before 1970", json!(-5_000_000_000_i64))] {
        let mut claims = claims.clone();
        claims["iat"] = iat;
        corpus.refuse("lifetime", name, sign(&claims, &(now + 600).to_string()), huge);
    }
    let mut claims = of(STRICT);
    claims.as_object_mut().unwrap().remove("iat");
    corpus.refuse("lifetime", "no iat", sign(&claims, &(now + 600).to_string()), MISSING);
}
