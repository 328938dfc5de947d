//! One JSON Web Key (RFC 7517), parsed into a key that is bound to its family, or refused.

mod error;
mod kinds;
mod members;

use std::fmt;

pub use self::error::KeyError;
pub use self::kinds::SecretKeys;
use self::kinds::{Numbers, ec, okp, rsa, secret};
use self::members::{check_operations, holds_private, string};
use super::algorithm::{Algorithm, Family};
use super::json;
use super::primitive::Primitive;
pub use super::spki::Public;

/// A key that verifies signatures. Its type and curve bind it to its family; the `alg` of a token
/// never changes the family of a key.
pub struct Key {
    kid: Option<String>,
    algorithm: Option<Algorithm>,
    issuer: Option<String>,
    numbers: Numbers,
    spki: Option<Vec<u8>>,
}

impl Key {
    /// Reads the text of one entry of a key set. Unknown members are ignored, and a member that is null
    /// counts as absent.
    pub fn read(entry: &[u8], secrets: SecretKeys) -> Result<Self, KeyError> {
        let Some(jwk) = &json::parse_object(entry) else {
            let is_object = entry.first() == Some(&b'{');
            return Err(if is_object { KeyError::Ambiguous } else { KeyError::NotAnObject });
        };
        let kty = string(jwk, "kty")?.ok_or(KeyError::MemberMissing("kty"))?;
        // An empty name is none: such a key is a candidate for tokens with any `kid`.
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
        if algorithm.is_some_and(|algorithm| !algorithm.is_verified()) {
            return Err(KeyError::NeedsFullModule);
        }
        let numbers = match kty {
            "RSA" => rsa(jwk)?,
            "EC" => ec(jwk)?,
            "OKP" => okp(jwk)?,
            "oct" => secret(jwk, secrets)?,
            _ => return Err(KeyError::TypeUnsupported),
        };
        let kid = kid.map(str::to_owned);
        let issuer = issuer.map(str::to_owned);
        let spki = numbers.public.spki(numbers.family);
        let key = Self { kid, algorithm, issuer, numbers, spki };
        match algorithm {
            Some(algorithm) if key.fits(algorithm) => Ok(key),
            Some(algorithm)
                if algorithm.family() == Family::Secret && key.family() == Family::Secret =>
            {
                Err(KeyError::SecretTooShort)
            }
            Some(_) => Err(KeyError::AlgorithmMismatch),
            None => Ok(key),
        }
    }

    /// The name, to which tokens refer.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The kind of key.
    pub fn family(&self) -> Family {
        self.numbers.family
    }

    /// The issuer that the key signs for, by Entra ID; it may contain `{tenantid}`.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// The public numbers.
    pub fn public(&self) -> &Public {
        &self.numbers.public
    }

    /// The SubjectPublicKeyInfo; `None` if Envoy's verifier does not support the family.
    pub(super) fn spki(&self) -> Option<&[u8]> {
        self.spki.as_deref()
    }

    /// Whether the key has an `alg`.
    pub fn names_algorithm(&self) -> bool {
        self.algorithm.is_some()
    }

    /// Whether both are the same key; two sets may contain it under different names.
    pub fn is_same(&self, other: &Self) -> bool {
        let same = match (&self.numbers.primitive, &other.numbers.primitive) {
            (Some(own), Some(other)) => own.is_same_secret(other),
            _ => None,
        };
        same.unwrap_or_else(|| self.public() == other.public()) && self.family() == other.family()
    }

    /// Whether the key can have made signatures of `algorithm`: its family, its own `alg` if it has
    /// one, and the length of a secret allow it.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        let secret = self.numbers.primitive.as_ref().and_then(Primitive::secret_length);
        let long_enough = secret.is_none_or(|length| length >= algorithm.least_secret());
        self.family() == algorithm.family()
            && self.algorithm.is_none_or(|own| own == algorithm)
            && long_enough
    }

    /// Whether `signature` is this key's signature of `input`, computed in the module. False also if
    /// the algorithm does not fit the key, and for P-521, which only a host supports.
    pub fn verify(&self, algorithm: Algorithm, input: &[u8], signature: &[u8]) -> bool {
        let verify = |primitive: &Primitive| primitive.verify(algorithm, input, signature);
        self.fits(algorithm) && self.numbers.primitive.as_ref().is_some_and(verify)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("family", &self.family()).finish_non_exhaustive()
    }
}
