//! Attacks by the JOSE header: `alg`, `typ` and the extensions that change the meaning of the rest.

use serde_json::{Value, json};

use super::super::mint::{self, b64};
use super::world::{STRICT, of};
use super::*;

pub(super) fn collect(world: &World, corpus: &mut Corpus) {
    alg_none(world, corpus);
    alg_unknown(world, corpus);
    extensions(world, corpus);
    typ(world, corpus);
}

/// RFC 8725 §3.2; every spelling, with no signature, a real one and a random one.
fn alg_none(world: &World, corpus: &mut Corpus) {
    let claims = mint::claims("someone");
    for alg in ["none", "None", "NONE", "nOnE", "noNe", " none", "none ", "none\0", "nonе"] {
        let header = json!({"alg": alg, "typ": "JWT"});
        let unsigned = format!("{}.{}.", encode(&header), encode(&claims));
        // Its third part is empty, which is the wrong shape before it is the wrong algorithm.
        let reasons = &["algorithm_not_allowed", "token_malformed"];
        corpus.refuse("alg-none", format!("{alg:?} unsigned"), unsigned, reasons);
        let header = header_with(&world.rsa, "alg", json!(alg));
        let signed = world.rsa.sign_with(header, &claims);
        corpus.refuse("alg-none", format!("{alg:?} signed"), signed, ALGORITHM);
    }
    let header = encode(&json!({"alg": "none"}));
    let junk = format!("{header}.{}.{}", encode(&claims), b64(b"junk"));
    corpus.refuse("alg-none", "none with junk", junk, ALGORITHM);
    let two = format!("{header}.{}", encode(&claims));
    corpus.refuse("alg-none", "none in two parts", two, MALFORMED);
}

/// Only registered names that we know count, byte for byte (RFC 7515 §4.1.1: case-sensitive).
fn alg_unknown(world: &World, corpus: &mut Corpus) {
    let claims = mint::claims("someone");
    for alg in [
        "",
        "rs256",
        "Rs256",
        "RS256 ",
        " RS256",
        "RS256\0",
        "RS1",
        "RSA",
        "RS257",
        "RS2560",
        "HS1",
        "hs256",
        "A128KW",
        "RSA-OAEP",
        "dir",
        "ECDH-ES",
        "PBES2-HS256+A128KW",
        "ML-DSA-65",
        "SHA256",
        "null",
        "../RS256",
    ] {
        let token = world.rsa.sign_with(header_with(&world.rsa, "alg", json!(alg)), &claims);
        corpus.refuse("alg-unknown", format!("{alg:?}"), token, ALGORITHM);
    }
    for alg in [Value::Null, json!(256), json!(true), json!(["RS256"]), json!({"RS256": 1})] {
        let name = alg.to_string();
        let token = world.rsa.sign_with(header_with(&world.rsa, "alg", alg), &claims);
        corpus.refuse("alg-type", name, token, ALG_TYPE);
    }
    let token = world.rsa.sign_with(json!({"typ": "JWT", "kid": "rsa"}), &claims);
    corpus.refuse("alg-type", "absent", token, ALG_TYPE);
    corpus.refuse("alg-type", "empty header", world.rsa.sign_raw(b"{}", b"{}"), ALG_TYPE);
}

/// Extensions that change the meaning of the rest: all of these are authentic.
fn extensions(world: &World, corpus: &mut Corpus) {
    let claims = mint::claims("someone");
    let authentic = |header: Value| world.rsa.sign_with(header, &claims);
    let crit: &[&str] = &["crit_unsupported"];
    for value in [
        json!([]),
        json!(["exp"]),
        json!(["b64"]),
        json!(["alg"]),
        json!(["crit"]),
        json!([""]),
        json!(["exp", "exp"]),
        json!(["http://attacker.test/ext"]),
        json!([1]),
        json!([["exp"]]),
        json!("exp"),
        json!(""),
        json!(1),
        json!({}),
        json!(false),
        Value::Null,
    ] {
        let name = value.to_string();
        corpus.refuse("crit", name, authentic(header_with(&world.rsa, "crit", value)), crit);
    }
    let mut understood = header_with(&world.rsa, "crit", json!(["exp"]));
    understood["exp"] = json!(mint::now() + 600);
    corpus.refuse("crit", "names a member that is there", authentic(understood), crit);

    // RFC 7797: the payload stands unencoded between the dots.
    for crit in [None, Some(json!(["b64"]))] {
        let mut header = header_with(&world.rsa, "b64", json!(false));
        let name = if crit.is_some() { "with crit" } else { "without crit" };
        if let Some(crit) = crit {
            header["crit"] = crit;
        }
        let token = world.rsa.sign_encoded(&encode(&header), &claims.to_string());
        let reasons = &["token_malformed", "crit_unsupported"];
        corpus.refuse("b64-false", name, token, reasons);
    }

    for (member, value) in [
        ("zip", json!("DEF")),
        ("zip", json!("GZ")),
        ("zip", json!("")),
        ("zip", json!(1)),
        ("enc", json!("A256GCM")),
        ("enc", json!("")),
        ("enc", json!("none")),
    ] {
        let name = format!("{member} {value}");
        corpus.refuse("zip", name, authentic(header_with(&world.rsa, member, value)), MALFORMED);
    }
    let inner = world.rsa.sign(&claims);
    for cty in ["JWT", "jwt", "Jwt", "application/jwt"] {
        let header = header_with(&world.rsa, "cty", json!(cty));
        let nested = world.rsa.sign_raw(header.to_string().as_bytes(), inner.as_bytes());
        corpus.refuse("cty", format!("{cty} nested"), nested, MALFORMED);
        if cty.eq_ignore_ascii_case("jwt") {
            corpus.refuse("cty", format!("{cty} of claims"), authentic(header), MALFORMED);
        }
    }
}

/// Tokens of another kind by the same issuer (RFC 8725 §3.11); `strict` wants `at+jwt`.
fn typ(world: &World, corpus: &mut Corpus) {
    let claims = of(STRICT);
    let sign = |typ: Value| world.strict.sign_with(header_with(&world.strict, "typ", typ), &claims);
    for typ in [
        "JWT",
        "",
        "at",
        "jwt+at",
        "at+jwt ",
        "at+jwt,JWT",
        "dpop+jwt",
        "logout+jwt",
        "secevent+jwt",
        "id+jwt",
        "application/JWT",
        "at\u{2b}jwt\0",
    ] {
        corpus.refuse("typ", format!("{typ:?}"), sign(json!(typ)), &["type_not_allowed"]);
    }
    for typ in [Value::Null, json!(1), json!(["at+jwt"]), json!({"at+jwt": 1})] {
        let reasons = &["type_not_allowed", "token_malformed"];
        corpus.refuse("typ", typ.to_string(), sign(typ), reasons);
    }
}

fn encode(value: &Value) -> String {
    b64(value.to_string().as_bytes())
}
