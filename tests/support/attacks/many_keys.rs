//! Forged tokens that more than one key may have signed: without a `kid`, under keys without one,
//! under keys of one name, and under several providers of one issuer. Each is a signature of the right
//! length, so that nothing but arithmetic can refuse it.

use serde_json::{Value, json};

use super::super::mint::{self, Signer, b64};

/// Every algorithm, with the length of its signatures: bytes.
const ALGORITHMS: [(&str, usize); 14] = [
    ("RS256", 256),
    ("RS384", 256),
    ("RS512", 256),
    ("PS256", 256),
    ("PS384", 256),
    ("PS512", 256),
    ("ES256", 64),
    ("ES384", 96),
    ("ES512", 132),
    ("ES256K", 64),
    ("EdDSA", 64),
    ("HS256", 32),
    ("HS384", 48),
    ("HS512", 64),
];

/// The names of a provider's keys.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    None,
    Same,
    Each,
}

/// A provider, and the forged tokens that are sent to it.
pub struct ManyKeys {
    /// The kind of attack.
    pub family: String,
    /// Entries of `providers`; several share an issuer.
    pub providers: Vec<Value>,
    /// The forged tokens.
    pub tokens: Vec<String>,
}

/// Every family.
pub fn many_keys() -> Vec<ManyKeys> {
    let mut all = Vec::new();
    for (algorithm, length) in ALGORITHMS {
        for (count, names) in [
            (1, Names::None),
            (2, Names::None),
            (8, Names::None),
            (2, Names::Same),
            (8, Names::Same),
            (2, Names::Each),
            (8, Names::Each),
        ] {
            all.push(family(algorithm, 2048, length, count, names));
        }
        if length == 256 {
            for count in [1, 2, 8] {
                all.push(family(algorithm, 4096, 512, count, Names::None));
            }
        }
        all.push(shared(algorithm, length));
    }
    all
}

fn family(algorithm: &str, bits: usize, length: usize, count: usize, names: Names) -> ManyKeys {
    let kind = if length == 512 { format!("{algorithm} of {bits} bits") } else { algorithm.into() };
    let named = match names {
        Names::None => "without kid",
        Names::Same => "of one kid",
        Names::Each => "each with a kid",
    };
    let plural = if count == 1 { "key" } else { "keys" };
    let family = format!("{kind}: {count} {plural} {named}");
    let id = format!("{algorithm}-{bits}-{count}-{}", names as usize).to_lowercase();
    let issuer = format!("https://{id}.test");
    let keys: Vec<Value> = (0..count).map(|number| key(algorithm, bits, number, names)).collect();
    let providers = vec![provider(&id, &issuer, algorithm, &keys)];
    ManyKeys { family, providers, tokens: tokens(algorithm, length, &issuer) }
}

/// Four providers of one issuer, each with two keys of its own.
fn shared(algorithm: &str, length: usize) -> ManyKeys {
    let issuer = format!("https://shared-{}.test", algorithm.to_lowercase());
    let provider = |number: usize| {
        let names = if number.is_multiple_of(2) { Names::None } else { Names::Same };
        let keys = [0, 1].map(|key_number| key(algorithm, 2048, key_number, names));
        provider(&format!("s{number}-{}", algorithm.to_lowercase()), &issuer, algorithm, &keys)
    };
    ManyKeys {
        family: format!("{algorithm}: four providers of one issuer"),
        providers: (0..4).map(provider).collect(),
        tokens: tokens(algorithm, length, &issuer),
    }
}

fn provider(name: &str, issuer: &str, algorithm: &str, keys: &[Value]) -> Value {
    json!({
        "name": name, "issuers": [issuer], "audiences": [mint::AUDIENCE],
        "algorithms": [algorithm], "keys": {"inline": {"keys": keys}},
    })
}

/// A key without `alg`; of an RSA key nothing is known but its modulus.
fn key(algorithm: &str, bits: usize, number: usize, names: Names) -> Value {
    let mut jwk = match &algorithm[..2] {
        "RS" | "PS" => {
            let mut modulus = vec![0xc5; bits / 8];
            modulus[1] = u8::try_from(number).unwrap();
            json!({"kty": "RSA", "n": b64(&modulus), "e": "AQAB"})
        }
        _ => Signer::new(algorithm, "").jwk(),
    };
    let members = jwk.as_object_mut().unwrap();
    members.retain(|name, _| !["kid", "alg", "use"].contains(&name.as_str()));
    match names {
        Names::None => {}
        Names::Same => jwk["kid"] = json!("k"),
        Names::Each => jwk["kid"] = json!(format!("k{number}")),
    }
    jwk
}

/// Forged in each way to name a key.
fn tokens(algorithm: &str, length: usize, issuer: &str) -> Vec<String> {
    let mut claims = mint::claims("someone");
    claims["iss"] = json!(issuer);
    let kids = [None, Some(""), Some("k"), Some("k0"), Some("k1"), Some("unknown")];
    let forge = |(number, kid): (usize, Option<&str>)| {
        let mut header = json!({"alg": algorithm, "typ": "JWT"});
        if let Some(kid) = kid {
            header["kid"] = json!(kid);
        }
        // Below every modulus and in the range of every curve, or it would be refused unseen.
        let mut signature = match algorithm {
            "ES512" => [&[0][..], &[0x15; 65], &[0], &[0x15; 65]].concat(),
            // A point of the curve, the generator, and a scalar.
            "EdDSA" => [&[0x58][..], &[0x66; 31], &[0x05; 32]].concat(),
            _ => vec![0x15; length],
        };
        signature[length - 1] = u8::try_from(number).unwrap();
        let parts = [header.to_string().into_bytes(), claims.to_string().into_bytes(), signature];
        parts.map(|part| b64(&part)).join(".")
    };
    kids.into_iter().enumerate().map(forge).collect()
}
