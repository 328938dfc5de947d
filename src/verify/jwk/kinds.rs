//! The numbers of each kind of key (RFC 7518 §6, RFC 8037 §2).

use serde_json::{Map, Value};

use super::super::algorithm::{Algorithm, Family};
use super::super::primitive::Primitive;
use super::super::spki::Public;
use super::error::KeyError;
use super::members::{bytes, number, sized, string};

/// The bounds of an RSA modulus in bits: RFC 7518 §3.3 requires at least 2048, jwt-simple supports at
/// most 4096.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// Whether `oct` keys are accepted. A fetched secret is not secret, so only the operator's own key
/// sets (`inline`, `env`) may contain them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretKeys {
    /// An `oct` key of at least 32 bytes is accepted.
    Admit,
    /// An `oct` key is skipped.
    Refuse,
}

/// The numbers of a key.
pub(super) struct Numbers {
    pub(super) family: Family,
    pub(super) public: Public,
    /// `None` for keys that only a host uses: those of P-521, and all in a module without a verifier.
    pub(super) primitive: Option<Primitive>,
}

pub(super) fn rsa(jwk: &Map<String, Value>) -> Result<Numbers, KeyError> {
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
    let primitive = Primitive::rsa(&n, &e)?;
    Ok(Numbers { family: Family::Rsa, public: Public::Rsa { n }, primitive })
}

pub(super) fn ec(jwk: &Map<String, Value>) -> Result<Numbers, KeyError> {
    let (family, length) = match string(jwk, "crv")?.ok_or(KeyError::MemberMissing("crv"))? {
        "P-256" => (Family::P256, 32),
        "P-384" => (Family::P384, 48),
        "P-521" => (Family::P521, 66),
        "secp256k1" => (Family::K256, 32),
        _ => return Err(KeyError::CurveUnsupported),
    };
    // RFC 7518 §6.2.1.2: a coordinate is always as long as the field, including zeros.
    let x = sized(jwk, "x", length)?;
    let y = sized(jwk, "y", length)?;
    let primitive = Primitive::ec(family, &x, &y)?;
    Ok(Numbers { family, public: Public::Ec { x, y }, primitive })
}

pub(super) fn okp(jwk: &Map<String, Value>) -> Result<Numbers, KeyError> {
    if string(jwk, "crv")?.ok_or(KeyError::MemberMissing("crv"))? != "Ed25519" {
        return Err(KeyError::CurveUnsupported);
    }
    let x = sized(jwk, "x", 32)?;
    let primitive = Primitive::ed25519(&x)?;
    Ok(Numbers { family: Family::Ed25519, public: Public::Ed25519 { x }, primitive })
}

pub(super) fn secret(jwk: &Map<String, Value>, secrets: SecretKeys) -> Result<Numbers, KeyError> {
    if secrets == SecretKeys::Refuse {
        return Err(KeyError::SecretRefused);
    }
    let k = bytes(jwk, "k")?;
    if k.len() < Algorithm::Hs256.least_secret() {
        return Err(KeyError::SecretTooShort);
    }
    let primitive = Primitive::secret(&k)?;
    Ok(Numbers { family: Family::Secret, public: Public::Nothing, primitive })
}
