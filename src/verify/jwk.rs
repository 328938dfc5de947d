//! One JSON Web Key (RFC 7517), parsed into a key bound to its family, or refused with a reason.

use std::fmt;

use serde_json::{Map, Value};

use super::algorithm::{Algorithm, Family};
use super::engine::Primitive;
use super::{host, json};

pub use self::error::KeyError;
use self::members::{bytes, check_operations, holds_private, number, sized, string};

mod error;
mod members;

/// The RSA bounds, bits: RFC 7518 §3.3 asks for 2048 or more, jwt-simple takes 4096 at most.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// Whether `oct` keys are taken. A secret that anybody can fetch is none, so only key sets of the
/// operator's own (`inline`, `env`) may bring them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretKeys {
    /// An `oct` key of 32 bytes or more is a key.
    Admit,
    /// An `oct` key is skipped.
    Refuse,
}

/// A key that verifies signatures. It is bound to its family by its own type and curve: what a
/// token says in `alg` never changes what a key is.
pub struct Key {
    kid: Option<String>,
    algorithm: Option<Algorithm>,
    issuer: Option<String>,
    family: Family,
    public: Public,
    primitive: Option<Primitive>,
    host_field: Option<Vec<u8>>,
}

/// The public numbers of a key, for an engine that wants SubjectPublicKeyInfo. All big-endian.
#[derive(Clone, PartialEq, Eq)]
pub enum Public {
    /// RFC 8017 §3.1, without leading zeros.
    Rsa {
        /// The modulus.
        n: Vec<u8>,
        /// The exponent, 65537.
        e: Vec<u8>,
    },
    /// A point of the curve that the family names, each coordinate as long as the field.
    Ec {
        /// The first coordinate.
        x: Vec<u8>,
        /// The second coordinate.
        y: Vec<u8>,
    },
    /// An encoded Ed25519 point (RFC 8032 §5.1.2).
    Ed25519 {
        /// 32 bytes.
        x: Vec<u8>,
    },
    /// A secret has no public part.
    Nothing,
}

impl Key {
    /// Reads the text of one entry of a key set.
    pub fn read(entry: &[u8], secrets: SecretKeys) -> Result<Self, KeyError> {
        match json::parse_object(entry) {
            Some(jwk) => Self::of(&jwk, secrets),
            None if entry.first() == Some(&b'{') => Err(KeyError::Ambiguous),
            None => Err(KeyError::NotAnObject),
        }
    }

    /// Reads one entry of a key set that was parsed.
    pub fn parse(entry: &Value, secrets: SecretKeys) -> Result<Self, KeyError> {
        let Value::Object(jwk) = entry else { return Err(KeyError::NotAnObject) };
        Self::of(jwk, secrets)
    }

    /// Members that are not judged here are read past, and those that are null count as absent.
    fn of(jwk: &Map<String, Value>, secrets: SecretKeys) -> Result<Self, KeyError> {
        let kty = string(jwk, "kty")?.ok_or(KeyError::MemberMissing("kty"))?;
        // One that is empty is no name: such a key is a candidate as one without is.
        let kid = string(jwk, "kid")?.filter(|kid| !kid.is_empty());
        let issuer = string(jwk, "issuer")?;
        if string(jwk, "use")?.is_some_and(|usage| !matches!(usage, "sig" | "jwt-svid")) {
            return Err(KeyError::NotForSignatures);
        }
        check_operations(jwk)?;
        let algorithm = match string(jwk, "alg")? {
            None => None,
            Some(name) => {
                Some(Algorithm::from_name(name.as_bytes()).ok_or(KeyError::AlgorithmUnsupported)?)
            }
        };
        if kty != "oct" && holds_private(jwk) {
            return Err(KeyError::PrivateKey);
        }
        let (family, public, primitive) = match kty {
            "RSA" => rsa(jwk)?,
            "EC" => ec(jwk)?,
            "OKP" => okp(jwk)?,
            "oct" => secret(jwk, secrets)?,
            _ => return Err(KeyError::TypeUnsupported),
        };
        let kid = kid.map(str::to_owned);
        let issuer = issuer.map(str::to_owned);
        let host_field = host::key_field(family, &public);
        let key = Self { kid, algorithm, issuer, family, public, primitive, host_field };
        match algorithm {
            Some(algorithm) if key.fits(algorithm) => Ok(key),
            Some(algorithm) if algorithm.family() == Family::Secret && family == Family::Secret => {
                Err(KeyError::SecretTooShort)
            }
            Some(_) => Err(KeyError::AlgorithmMismatch),
            None => Ok(key),
        }
    }

    /// The name that tokens call it by.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The kind of key that it is.
    pub fn family(&self) -> Family {
        self.family
    }

    /// The issuer, possibly with `{tenantid}`, that Entra ID says the key signs for.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// Its public numbers.
    pub fn public(&self) -> &Public {
        &self.public
    }

    /// What the in-module engine works with; `None` for P-521, which only a host verifies.
    pub(super) fn primitive(&self) -> Option<&Primitive> {
        self.primitive.as_ref()
    }

    /// The key as the host's verifier takes it; `None` where it does not.
    pub(super) fn host_field(&self) -> Option<&[u8]> {
        self.host_field.as_deref()
    }

    /// Whether it names an algorithm of its own.
    pub fn names_algorithm(&self) -> bool {
        self.algorithm.is_some()
    }

    /// Whether it is the same key, whatever its name: two sets may hold it.
    pub fn is_same(&self, other: &Self) -> bool {
        let same = match (&self.primitive, &other.primitive) {
            (Some(Primitive::Secret(own)), Some(Primitive::Secret(other))) => own.is_same(other),
            _ => self.public == other.public,
        };
        same && self.family == other.family
    }

    /// Whether signatures of `algorithm` can be this key's: its family, its own `alg` if it has
    /// one, and for HMAC its length allow it.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        let long_enough = match &self.primitive {
            Some(Primitive::Secret(secret)) => secret.len() >= algorithm.least_secret(),
            _ => true,
        };
        self.family == algorithm.family()
            && self.algorithm.is_none_or(|own| own == algorithm)
            && long_enough
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("family", &self.family).finish_non_exhaustive()
    }
}

type Parts = (Family, Public, Option<Primitive>);

fn rsa(jwk: &Map<String, Value>) -> Result<Parts, KeyError> {
    let n = number(bytes(jwk, "n")?);
    let e = number(bytes(jwk, "e")?);
    let top = n.first().map_or(0, |byte| byte.leading_zeros() as usize);
    let bits = n.len().saturating_mul(8).saturating_sub(top);
    if bits < *RSA_BITS.start() {
        return Err(KeyError::RsaTooShort);
    }
    if bits > *RSA_BITS.end() {
        return Err(KeyError::RsaTooLong);
    }
    if e != [1, 0, 1] {
        return Err(KeyError::RsaExponent);
    }
    let primitive = Primitive::rsa(&n, &e).ok_or(KeyError::Invalid)?;
    Ok((Family::Rsa, Public::Rsa { n, e }, Some(primitive)))
}

fn ec(jwk: &Map<String, Value>) -> Result<Parts, KeyError> {
    let (family, length) = match string(jwk, "crv")?.ok_or(KeyError::MemberMissing("crv"))? {
        "P-256" => (Family::P256, 32),
        "P-384" => (Family::P384, 48),
        "P-521" => (Family::P521, 66),
        "secp256k1" => (Family::K256, 32),
        _ => return Err(KeyError::CurveUnsupported),
    };
    // RFC 7518 §6.2.1.2: a coordinate is always as long as the field, zeros included.
    let x = sized(jwk, "x", length)?;
    let y = sized(jwk, "y", length)?;
    let primitive = match family {
        Family::P521 => None,
        _ => Some(Primitive::ec(family, &x, &y).ok_or(KeyError::Invalid)?),
    };
    Ok((family, Public::Ec { x, y }, primitive))
}

fn okp(jwk: &Map<String, Value>) -> Result<Parts, KeyError> {
    if string(jwk, "crv")?.ok_or(KeyError::MemberMissing("crv"))? != "Ed25519" {
        return Err(KeyError::CurveUnsupported);
    }
    let x = sized(jwk, "x", 32)?;
    let primitive = Primitive::ed25519(&x).ok_or(KeyError::Invalid)?;
    Ok((Family::Ed25519, Public::Ed25519 { x }, Some(primitive)))
}

fn secret(jwk: &Map<String, Value>, secrets: SecretKeys) -> Result<Parts, KeyError> {
    if secrets == SecretKeys::Refuse {
        return Err(KeyError::SecretRefused);
    }
    let k = bytes(jwk, "k")?;
    if k.len() < Algorithm::Hs256.least_secret() {
        return Err(KeyError::SecretTooShort);
    }
    Ok((Family::Secret, Public::Nothing, Some(Primitive::secret(&k))))
}
