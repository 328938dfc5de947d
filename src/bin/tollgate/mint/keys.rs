//! The keys of a development issuer: one PEM file per algorithm, and their public part.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use clap::ValueEnum;
use jwt_simple::algorithms::{
    ECDSAP256KeyPairLike, ECDSAP256PublicKeyLike, ECDSAP384KeyPairLike, ECDSAP384PublicKeyLike,
    ES256KeyPair, ES384KeyPair, Ed25519KeyPair, EdDSAKeyPairLike, RS256KeyPair, RSAKeyPairLike,
};
use jwt_simple::claims::{Claims, JWTClaims};
use jwt_simple::common::HeaderOptions;
use jwt_simple::prelude::Duration;
use serde_json::{Map, Value, json};
use tollgate::verify::base64url::encode;

use crate::output::Failure;

/// The signing algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "verbatim")]
pub enum Algorithm {
    /// RSA of 2,048 bits, PKCS #1 v1.5, SHA-256.
    #[value(name = "RS256")]
    Rs256,
    /// P-256.
    #[value(name = "ES256")]
    Es256,
    /// P-384.
    #[value(name = "ES384")]
    Es384,
    /// Ed25519.
    #[value(name = "EdDSA")]
    EdDsa,
}

/// A private key, ready to sign.
pub enum Issuer {
    /// RS256.
    Rsa(RS256KeyPair),
    /// ES256.
    P256(ES256KeyPair),
    /// ES384.
    P384(ES384KeyPair),
    /// EdDSA.
    Ed25519(Ed25519KeyPair),
}

const ALL: [Algorithm; 4] =
    [Algorithm::Rs256, Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa];

impl Algorithm {
    fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl Issuer {
    /// The key for an algorithm in a directory; it is generated if absent.
    pub fn open(directory: &Path, algorithm: Algorithm) -> Result<Self, Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::usage(format_args!("{}: {error}", directory.display()))
        };
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(directory).map_err(|error| failed(&error))?;
        let path = directory.join(format!("{}.pem", algorithm.name()));
        if let Ok(pem) = std::fs::read_to_string(&path) {
            return Self::from_pem(algorithm, &pem)
                .ok_or_else(|| failed(&format_args!("{} holds no key", path.display())));
        }
        let pem = generate(algorithm).ok_or_else(|| failed(&"no key could be made"))?;
        // Created readable by the owner only, and never over an existing file.
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&path);
        let written = file.and_then(|mut file| file.write_all(pem.as_bytes()));
        written.map_err(|error| failed(&error))?;
        Self::from_pem(algorithm, &pem).ok_or_else(|| failed(&"no key could be made"))
    }

    fn from_pem(algorithm: Algorithm, pem: &str) -> Option<Self> {
        let issuer = match algorithm {
            Algorithm::Rs256 => Self::Rsa(RS256KeyPair::from_pem(pem).ok()?),
            Algorithm::Es256 => Self::P256(ES256KeyPair::from_pem(pem).ok()?),
            Algorithm::Es384 => Self::P384(ES384KeyPair::from_pem(pem).ok()?),
            Algorithm::EdDsa => Self::Ed25519(Ed25519KeyPair::from_pem(pem).ok()?),
        };
        let kid = issuer.kid();
        Some(match issuer {
            Self::Rsa(key) => Self::Rsa(key.with_key_id(&kid)),
            Self::P256(key) => Self::P256(key.with_key_id(&kid)),
            Self::P384(key) => Self::P384(key.with_key_id(&kid)),
            Self::Ed25519(key) => Self::Ed25519(key.with_key_id(&kid)),
        })
    }

    /// Signs a token with exactly these claims.
    pub fn sign(&self, claims: &Map<String, Value>, typ: &str) -> Result<String, Failure> {
        let options = HeaderOptions { signature_type: Some(typ.to_owned()), ..Default::default() };
        let mut all: JWTClaims<Map<String, Value>> =
            Claims::with_custom_claims(claims.clone(), Duration::from_secs(1));
        // The library would add times of its own.
        (all.issued_at, all.expires_at, all.invalid_before) = (None, None, None);
        let signed = match self {
            Self::Rsa(key) => key.sign_with_options(all, &options),
            Self::P256(key) => key.sign_with_options(all, &options),
            Self::P384(key) => key.sign_with_options(all, &options),
            Self::Ed25519(key) => key.sign_with_options(all, &options),
        };
        signed.map_err(|error| Failure::usage(format_args!("the token cannot be signed: {error}")))
    }

    /// The members of RFC 7638 §3.2, which are those that make the key.
    fn members(&self) -> Value {
        let point = |curve: &str, bytes: &[u8]| {
            // SEC 1 §2.3.3: a byte, then both coordinates.
            let coordinates = bytes.get(1..).unwrap_or_default();
            let (x, y) = coordinates.split_at(coordinates.len() / 2);
            json!({"crv": curve, "kty": "EC", "x": encode(x), "y": encode(y)})
        };
        match self {
            Self::Rsa(key) => {
                let parts = key.public_key().to_components();
                json!({"e": encode(&parts.e), "kty": "RSA", "n": encode(&parts.n)})
            }
            Self::P256(key) => {
                point("P-256", &key.public_key().public_key().to_bytes_uncompressed())
            }
            Self::P384(key) => {
                point("P-384", &key.public_key().public_key().to_bytes_uncompressed())
            }
            Self::Ed25519(key) => {
                json!({"crv": "Ed25519", "kty": "OKP", "x": encode(&key.public_key().to_bytes())})
            }
        }
    }

    /// The thumbprint (RFC 7638): serde_json writes members in the order of their names.
    fn kid(&self) -> String {
        encode(&hmac_sha256::Hash::hash(self.members().to_string().as_bytes()))
    }
}

fn generate(algorithm: Algorithm) -> Option<String> {
    match algorithm {
        Algorithm::Rs256 => RS256KeyPair::generate(2048).ok()?.to_pem().ok(),
        Algorithm::Es256 => ES256KeyPair::generate().to_pem().ok(),
        Algorithm::Es384 => ES384KeyPair::generate().to_pem().ok(),
        Algorithm::EdDsa => Some(Ed25519KeyPair::generate().to_pem()),
    }
}

/// The algorithms whose keys are in a directory.
pub fn present(directory: &Path) -> Vec<&'static str> {
    let exists = |name: &&str| directory.join(format!("{name}.pem")).exists();
    ALL.into_iter().map(Algorithm::name).filter(exists).collect()
}

/// Generates the keys that a directory lacks.
pub fn open_all(directory: &Path) -> Result<(), Failure> {
    ALL.into_iter().try_for_each(|algorithm| Issuer::open(directory, algorithm).map(drop))
}

/// The public part of every key in a directory.
pub fn jwks(directory: &Path) -> Result<Value, Failure> {
    let mut keys = Vec::new();
    for algorithm in ALL {
        let path = directory.join(format!("{}.pem", algorithm.name()));
        let Ok(pem) = std::fs::read_to_string(&path) else { continue };
        let Some(issuer) = Issuer::from_pem(algorithm, &pem) else {
            return Err(Failure::usage(format_args!("{}: holds no key", path.display())));
        };
        let members = issuer.members();
        let mut key = members.as_object().cloned().unwrap_or_default();
        key.insert("kid".to_owned(), json!(issuer.kid()));
        key.insert("alg".to_owned(), json!(algorithm.name()));
        key.insert("use".to_owned(), json!("sig"));
        keys.push(Value::Object(key));
    }
    if keys.is_empty() {
        let directory = directory.display();
        return Err(Failure::usage(format_args!(
            "{directory}: has no keys; `tollgate mint` makes them"
        )));
    }
    Ok(json!({"keys": keys}))
}
