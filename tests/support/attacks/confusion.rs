//! Algorithm confusion: a public key used as an HMAC secret, and one family's key with another's
//! algorithm (RFC 8725 §2.1, CVE-2022-29217 and its many siblings).

use serde_json::{Value, json};

use super::super::mint::{self, Signer, der, der_integer, pem};
use super::world::{MACHINE, STRICT, of};
use super::*;

pub(super) fn collect(world: &World, corpus: &mut Corpus) {
    for (family, key) in [
        ("confusion-rsa", &world.rsa),
        ("confusion-rsa_noalg", &world.rsa_noalg),
        ("confusion-ec", &world.p256),
        ("confusion-okp", &world.ed),
    ] {
        for (encoding, secret) in encodings(key) {
            as_secret(family, &encoding, key, &secret, corpus);
        }
    }
    family_and_hash(world, corpus);
}

/// One encoding of a public key as the secret of each HMAC, where no HMAC is named and where one is.
fn as_secret(
    family: &'static str,
    encoding: &str,
    key: &Signer,
    secret: &[u8],
    corpus: &mut Corpus,
) {
    for alg in ["HS256", "HS384", "HS512"] {
        let token = Signer::hmac(alg, key.kid(), secret).sign(&mint::claims("someone"));
        corpus.refuse(family, format!("{encoding} {alg}"), token, ALGORITHM);
    }
    let forged = Signer::hmac("HS256", "hs", secret).sign(&of(MACHINE));
    corpus.refuse(family, format!("{encoding} for machine"), forged, SIGNATURE);
}

/// Forms of a public key that libraries have used as a secret: every text and binary form.
fn encodings(key: &Signer) -> Vec<(String, Vec<u8>)> {
    let spki = key.public_der();
    let text = key.public_pem();
    let jwk = key.jwk();
    let bare: Value = match jwk["kty"].as_str().unwrap() {
        "RSA" => json!({"e": jwk["e"], "kty": "RSA", "n": jwk["n"]}),
        "EC" => json!({"crv": jwk["crv"], "kty": "EC", "x": jwk["x"], "y": jwk["y"]}),
        _ => json!({"crv": jwk["crv"], "kty": "OKP", "x": jwk["x"]}),
    };
    let mut all: Vec<(String, Vec<u8>)> = [
        ("pem", text.clone()),
        ("pem without newline", text.trim_end().to_owned()),
        ("pem after whitespace", format!(" \n{text}")),
        ("pem crlf", text.replace('\n', "\r\n")),
        ("pem in one line", text.replace('\n', "")),
        ("x5c-like", text.lines().filter(|line| !line.starts_with('-')).collect()),
        ("certificate pem", pem("CERTIFICATE", &spki)),
        ("jwk", jwk.to_string()),
        ("jwk spaced", serde_json::to_string_pretty(&jwk).unwrap()),
        ("jwk required members", bare.to_string()),
    ]
    .map(|(name, text)| (name.to_owned(), text.into_bytes()))
    .to_vec();
    all.push(("der".to_owned(), spki));
    if jwk["kty"] == "RSA" {
        let number = |name: &str| decode(&jwk[name]);
        let pkcs1 = der(0x30, &[der_integer(&number("n")), der_integer(&number("e"))].concat());
        let text = pem("RSA PUBLIC KEY", &pkcs1);
        all.push(("pkcs1 pem without newline".to_owned(), text.trim_end().as_bytes().to_vec()));
        all.push(("pkcs1 pem".to_owned(), text.into_bytes()));
        all.push(("pkcs1 der".to_owned(), pkcs1));
        let kty_first = format!(r#"{{"kty":"RSA","n":{},"e":{}}}"#, jwk["n"], jwk["e"]);
        all.push(("jwks".to_owned(), mint::jwks(&[key]).to_string().into_bytes()));
        all.push(("jwk kty first".to_owned(), kty_first.into_bytes()));
    }
    for member in ["n", "x", "y"] {
        if let Some(encoded) = jwk[member].as_str() {
            all.push((format!("{member} text"), encoded.as_bytes().to_vec()));
            all.push((format!("{member} bytes"), decode(&jwk[member])));
        }
    }
    all
}

/// The algorithm is bound to the key: family, curve and, where the JWK says, the hash too.
fn family_and_hash(world: &World, corpus: &mut Corpus) {
    let claims = mint::claims("someone");
    for algorithm in ["RS384", "RS512", "PS256", "PS384", "PS512"] {
        let token = world.rsa.with_algorithm(algorithm).sign(&claims);
        corpus.refuse("confusion-hash", format!("{algorithm} with an RS256 key"), token, UNFIT);
    }
    // PSS is for keys that name it, or providers that do.
    for algorithm in ["PS256", "PS384", "PS512"] {
        let token = world.rsa_noalg.with_algorithm(algorithm).sign(&claims);
        let name = format!("{algorithm} with a key that names no algorithm");
        corpus.refuse("alg-pss-unnamed", name, token, ALGORITHM);
    }
    let keys = world.main();
    for signer in keys {
        for named in keys.into_iter().filter(|key| key.algorithm() != signer.algorithm()) {
            let claimed = json!({"alg": signer.algorithm(), "kid": named.kid()});
            let name = format!("{} under the kid {}", signer.kid(), named.kid());
            corpus.refuse("confusion-family", name, signer.sign_with(claimed, &claims), UNFIT);
        }
        for algorithm in ["RS256", "ES256", "ES384", "ES256K", "EdDSA", "ES512"] {
            if algorithm != signer.algorithm() {
                let claimed = json!({"alg": algorithm, "kid": signer.kid()});
                let name = format!("{} says {algorithm}", signer.kid());
                corpus.refuse("confusion-family", name, signer.sign_with(claimed, &claims), UNFIT);
            }
        }
        for algorithm in ["HS256", "HS384", "HS512"] {
            let claimed = json!({"alg": algorithm, "kid": signer.kid()});
            let name = format!("{} says {algorithm}", signer.kid());
            corpus.refuse("confusion-family", name, signer.sign_with(claimed, &claims), ALGORITHM);
        }
    }

    // The set of `strict` holds an RSA key, but only ES256 is named.
    for algorithm in ["RS256", "PS256", "RS512"] {
        let signer = world.strict_rsa.with_algorithm(algorithm);
        let header = json!({"alg": algorithm, "typ": "at+jwt", "kid": signer.kid()});
        let token = signer.sign_with(header, &of(STRICT));
        corpus.refuse("alg-wrong", format!("{algorithm} where ES256 is named"), token, ALGORITHM);
    }
    for signer in keys {
        let token = signer.sign(&of(MACHINE));
        let name = format!("{} where HS256 is named", signer.kid());
        corpus.refuse("alg-wrong", name, token, ALGORITHM);
    }
}

fn decode(value: &Value) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(value.as_str().unwrap()).unwrap()
}
