//! The mint: signs tokens for tests, demo and bench, with keys that are made at run time.
//!
//! A key lives as long as the process; no private key is ever written to the repository. A token
//! is built byte by byte, so that a test can sign tokens that no honest issuer would.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use harness::mint::{Es256, ec_members};
use harness::redact;
use jwt_simple::algorithms::{HS256Key, HS384Key, HS512Key, MACLike};
use p384::ecdsa::signature::Signer as _;
use p384::elliptic_curve::Generate;
use serde_json::{Value, json};
use superboring::hash::MessageDigest;
use superboring::pkey::{PKey, Private};
use superboring::reexports::rsa as rsa_crate;
use superboring::rsa::{Padding, Rsa};

pub use harness::mint::{AUDIENCE, ISSUER, b64, claims, claims_with, now};

/// A private key, the algorithm it signs with and the `kid` it goes by.
#[derive(Clone)]
pub struct Signer {
    algorithm: String,
    kid: String,
    secret: Secret,
}

#[derive(Clone)]
enum Secret {
    Rsa(Arc<Rsa<Private>>),
    P256(Es256),
    P384(p384::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
    K256(k256::ecdsa::SigningKey),
    Ed25519(ed25519_compact::KeyPair),
    Hmac(Vec<u8>),
}

impl Signer {
    /// A fresh key for `algorithm` (`RS256` … `HS512`). RSA keys have 2,048 bits and are slow to
    /// make: the process keeps one for each `kid`, so that asking again gives the same key.
    ///
    /// Panics on a name that is no JWS algorithm.
    pub fn new(algorithm: &str, kid: &str) -> Signer {
        match algorithm {
            "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" => {
                Signer::rsa_bits(algorithm, kid, 2048)
            }
            _ => Signer::of(algorithm, kid, Secret::generate(algorithm)),
        }
    }

    /// An RSA key of any size, 512 bits and up: the weak ones that a filter has to refuse.
    pub fn rsa_bits(algorithm: &str, kid: &str, bits: usize) -> Signer {
        type Pool = Mutex<HashMap<(String, usize), Arc<Rsa<Private>>>>;
        static POOL: OnceLock<Pool> = OnceLock::new();
        let mut pool = POOL.get_or_init(Default::default).lock().unwrap();
        let key = pool
            .entry((kid.to_owned(), bits))
            .or_insert_with(|| Arc::new(generate_rsa(bits)))
            .clone();
        Signer::of(algorithm, kid, Secret::Rsa(key))
    }

    /// An HMAC signer with a secret of the caller's choice, the empty one included.
    pub fn hmac(algorithm: &str, kid: &str, secret: &[u8]) -> Signer {
        Signer::of(algorithm, kid, Secret::Hmac(secret.to_vec()))
    }

    fn of(algorithm: &str, kid: &str, secret: Secret) -> Signer {
        redact::panics();
        Signer { algorithm: algorithm.to_owned(), kid: kid.to_owned(), secret }
    }

    /// The same key under another name.
    pub fn with_kid(&self, kid: &str) -> Signer {
        Signer { kid: kid.to_owned(), ..self.clone() }
    }

    /// The same key with another algorithm of its family: `RS384` or `PS256` for an RSA key.
    pub fn with_algorithm(&self, algorithm: &str) -> Signer {
        Signer { algorithm: algorithm.to_owned(), ..self.clone() }
    }

    /// The JWS name of the algorithm.
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// The `kid` in headers and in the JWK.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public JWK with `use`, `alg` and `kid`; for HMAC it holds the secret, for want of
    /// anything public.
    pub fn jwk(&self) -> Value {
        let mut jwk = self.secret.public_members();
        jwk["use"] = json!("sig");
        jwk["alg"] = json!(self.algorithm);
        jwk["kid"] = json!(self.kid);
        jwk
    }

    /// The public key as SubjectPublicKeyInfo DER (RFC 5280 §4.1.2.7); the secret itself for HMAC.
    pub fn public_der(&self) -> Vec<u8> {
        self.secret.public_der()
    }

    /// The public key as PEM, with a trailing newline.
    pub fn public_pem(&self) -> String {
        pem("PUBLIC KEY", &self.public_der())
    }

    /// A token with the header `{alg, typ: JWT, kid}`.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_with(json!({"alg": self.algorithm, "typ": "JWT", "kid": self.kid}), claims)
    }

    /// A token with this header; `alg` in it says nothing about how it is signed.
    pub fn sign_with(&self, header: Value, claims: &Value) -> String {
        self.sign_raw(header.to_string().as_bytes(), claims.to_string().as_bytes())
    }

    /// base64url of both, then the signature over them: header and payload may be any bytes.
    pub fn sign_raw(&self, header: &[u8], payload: &[u8]) -> String {
        self.sign_encoded(&b64(header), &b64(payload))
    }

    /// A token of parts that are encoded already, well or badly.
    pub fn sign_encoded(&self, header: &str, payload: &str) -> String {
        let input = format!("{header}.{payload}");
        let signature = self.signature(input.as_bytes());
        format!("{input}.{}", b64(&signature))
    }

    /// The JWS signature over these bytes: `r‖s` for ECDSA (RFC 7518 §3.4).
    pub fn signature(&self, signing_input: &[u8]) -> Vec<u8> {
        match &self.secret {
            Secret::Rsa(key) => rsa_signature(key, &self.algorithm, signing_input),
            Secret::P256(key) => key.signature(signing_input),
            Secret::P384(key) => {
                let signature: p384::ecdsa::Signature = key.sign(signing_input);
                signature.to_bytes().to_vec()
            }
            Secret::P521(key) => {
                let signature: p521::ecdsa::Signature = key.sign(signing_input);
                signature.to_bytes().to_vec()
            }
            Secret::K256(key) => {
                let signature: k256::ecdsa::Signature = key.sign(signing_input);
                signature.to_bytes().to_vec()
            }
            Secret::Ed25519(key) => key.sk.sign(signing_input, None).to_vec(),
            Secret::Hmac(secret) => match self.algorithm.as_str() {
                "HS384" => HS384Key::from_bytes(secret).authentication_tag(signing_input),
                "HS512" => HS512Key::from_bytes(secret).authentication_tag(signing_input),
                _ => HS256Key::from_bytes(secret).authentication_tag(signing_input),
            },
        }
    }
}

/// A key set of the public keys of these signers.
pub fn jwks(signers: &[&Signer]) -> Value {
    json!({"keys": signers.iter().map(|signer| signer.jwk()).collect::<Vec<_>>()})
}

/// The token with another first byte in its signature.
pub fn tampered(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    format!("{signed}.{other}{}", &signature[1..])
}

/// RFC 7468 text of a DER structure: 64 columns, a trailing newline.
pub fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// The length octets of DER (X.690 §8.1.3), up to 65,535.
fn der_length(len: usize) -> Vec<u8> {
    match len {
        0..=127 => vec![len as u8],
        128..=255 => vec![0x81, len as u8],
        _ => vec![0x82, (len >> 8) as u8, len as u8],
    }
}

/// One DER element.
pub fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag][..], &der_length(content.len()), content].concat()
}

/// A positive DER INTEGER from big-endian bytes.
pub fn der_integer(big_endian: &[u8]) -> Vec<u8> {
    let start = big_endian.iter().position(|byte| *byte != 0).unwrap_or(big_endian.len());
    let digits = &big_endian[start..];
    let sign: &[u8] = if digits.first().is_none_or(|byte| byte & 0x80 != 0) { &[0] } else { &[] };
    der(2, &[sign, digits].concat())
}

impl Secret {
    fn generate(algorithm: &str) -> Secret {
        match algorithm {
            "ES256" => Secret::P256(Es256::generate()),
            "ES384" => Secret::P384(p384::ecdsa::SigningKey::generate()),
            "ES512" => Secret::P521(p521::ecdsa::SigningKey::generate()),
            "ES256K" => Secret::K256(k256::ecdsa::SigningKey::generate()),
            "EdDSA" => {
                let seed = HS256Key::generate().to_bytes().try_into().unwrap();
                Secret::Ed25519(ed25519_compact::KeyPair::from_seed(ed25519_compact::Seed::new(
                    seed,
                )))
            }
            // RFC 7518 §3.2: a key as long as the hash at least.
            "HS256" | "HS384" | "HS512" => Secret::Hmac(
                [HS256Key::generate().to_bytes(), HS256Key::generate().to_bytes()].concat(),
            ),
            other => panic!("{other} is no algorithm that the mint signs with"),
        }
    }

    fn public_members(&self) -> Value {
        match self {
            Secret::Rsa(key) => {
                json!({"kty": "RSA", "n": b64(&key.n().to_vec()), "e": b64(&key.e().to_vec())})
            }
            Secret::Ed25519(key) => json!({"kty": "OKP", "crv": "Ed25519", "x": b64(&*key.pk)}),
            Secret::Hmac(secret) => json!({"kty": "oct", "k": b64(secret)}),
            Secret::P256(_) => ec_members("P-256", &self.point()),
            Secret::P384(_) => ec_members("P-384", &self.point()),
            Secret::P521(_) => ec_members("P-521", &self.point()),
            Secret::K256(_) => ec_members("secp256k1", &self.point()),
        }
    }

    /// The uncompressed point of an elliptic-curve key (SEC 1 §2.3.3); empty for the others.
    fn point(&self) -> Vec<u8> {
        match self {
            Secret::P256(key) => key.point(),
            Secret::P384(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Secret::P521(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Secret::K256(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Secret::Rsa(_) | Secret::Ed25519(_) | Secret::Hmac(_) => Vec::new(),
        }
    }

    fn public_der(&self) -> Vec<u8> {
        const EC: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01";
        let curve: &[u8] = match self {
            Secret::Rsa(key) => {
                let (n, e) = (der_integer(&key.n().to_vec()), der_integer(&key.e().to_vec()));
                let algorithm = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
                return spki(algorithm, &der(0x30, &[n, e].concat()));
            }
            Secret::Ed25519(key) => return spki(b"\x06\x03\x2b\x65\x70", &*key.pk),
            Secret::Hmac(secret) => return secret.clone(),
            Secret::P256(_) => b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07",
            Secret::P384(_) => b"\x06\x05\x2b\x81\x04\x00\x22",
            Secret::P521(_) => b"\x06\x05\x2b\x81\x04\x00\x23",
            Secret::K256(_) => b"\x06\x05\x2b\x81\x04\x00\x0a",
        };
        spki(&[EC, curve].concat(), &self.point())
    }
}

fn spki(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    let bits = der(3, &[&[0], key].concat());
    der(0x30, &[der(0x30, algorithm), bits].concat())
}

/// jwt-simple and superboring make no key under 2,048 bits, so the crate below them does.
fn generate_rsa(bits: usize) -> Rsa<Private> {
    use rsa_crate::pkcs8::EncodePrivateKey as _;
    let mut random = superboring::reexports::rand::thread_rng();
    let key = rsa_crate::RsaPrivateKey::new(&mut random, bits).unwrap();
    Rsa::<Private>::private_key_from_der(key.to_pkcs8_der().unwrap().as_bytes()).unwrap()
}

fn rsa_signature(key: &Rsa<Private>, algorithm: &str, signing_input: &[u8]) -> Vec<u8> {
    let digest = match algorithm.get(2..) {
        Some("384") => MessageDigest::sha384(),
        Some("512") => MessageDigest::sha512(),
        _ => MessageDigest::sha256(),
    };
    let padding = if algorithm.starts_with("PS") { Padding::PKCS1_PSS } else { Padding::PKCS1 };
    let key = PKey::from_rsa(key.clone()).unwrap();
    let mut signer = superboring::sign::Signer::new(digest, &key).unwrap();
    signer.set_rsa_padding(padding).unwrap();
    signer.update(signing_input).unwrap();
    signer.sign_to_vec().unwrap()
}
