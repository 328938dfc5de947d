//! Verifies signatures in the module: one primitive for each kind of key.
//!
//! jwt-simple's key types check their parameters. Points on curves come from the crates behind
//! jwt-simple, which check that a point is on its curve; jwt-simple would also decode compressed
//! points, which adds 40 KB of code. Those crates verify the signatures, and [`super::rsa`] verifies
//! RSA. jwt-simple's `verify_token` is never called because it parses headers and claims less
//! strictly than this crate.

use jwt_simple::algorithms::{
    Edwards25519PublicKey, HMACKey, HS256Key, HS384Key, HS512Key, MACLike, RSAPublicKey,
};
use p256::elliptic_curve::point::AffineCoordinates;
use subtle::ConstantTimeEq;

use super::algorithm::{Algorithm, Family};
use super::jwk::KeyError;
use super::rsa::RsaKey;

/// A key in the form that the arithmetic needs. Its constructors check the parameters: the exponent
/// of RSA, points on their curve, no weak Ed25519 point.
pub(super) enum Primitive {
    Rsa(Box<RsaKey>),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    K256(k256::ecdsa::VerifyingKey),
    Ed25519(Edwards25519PublicKey),
    Secret(Box<Secret>),
}

impl Primitive {
    pub(super) fn rsa(n: &[u8], e: &[u8]) -> Result<Option<Self>, KeyError> {
        RSAPublicKey::from_components(n, e).map_err(|_| KeyError::Invalid)?;
        let key = RsaKey::new(n).ok_or(KeyError::Invalid)?;
        Ok(Some(Self::Rsa(Box::new(key))))
    }

    /// `None` for P-521, which only a host verifies.
    ///
    /// # Errors
    /// When a coordinate has another length than the field or is not in it, and when the point is not on
    /// the curve.
    pub(super) fn ec(family: Family, x: &[u8], y: &[u8]) -> Result<Option<Self>, KeyError> {
        match family {
            Family::P521 => Ok(None),
            _ => Self::point(family, x, y).map(Some).ok_or(KeyError::Invalid),
        }
    }

    fn point(family: Family, x: &[u8], y: &[u8]) -> Option<Self> {
        match family {
            Family::P256 => {
                let (x, y) = (x.try_into().ok()?, y.try_into().ok()?);
                let point = p256::AffinePoint::from_coordinates(&x, &y).into_option()?;
                p256::ecdsa::VerifyingKey::from_affine(point).ok().map(Self::P256)
            }
            Family::P384 => {
                let (x, y) = (x.try_into().ok()?, y.try_into().ok()?);
                let point = p384::AffinePoint::from_coordinates(&x, &y).into_option()?;
                p384::ecdsa::VerifyingKey::from_affine(point).ok().map(Self::P384)
            }
            Family::K256 => {
                let (x, y) = (x.try_into().ok()?, y.try_into().ok()?);
                let point = k256::AffinePoint::from_coordinates(&x, &y).into_option()?;
                k256::ecdsa::VerifyingKey::from_affine(point).ok().map(Self::K256)
            }
            _ => None,
        }
    }

    pub(super) fn ed25519(x: &[u8]) -> Result<Option<Self>, KeyError> {
        let point = Edwards25519PublicKey::from_bytes(x).map_err(|_| KeyError::Invalid)?;
        Ok(Some(Self::Ed25519(point)))
    }

    pub(super) fn secret(k: &[u8]) -> Result<Option<Self>, KeyError> {
        Ok(Some(Self::Secret(Box::new(Secret {
            hs256: HS256Key::from_bytes(k),
            hs384: HS384Key::from_bytes(k),
            hs512: HS512Key::from_bytes(k),
        }))))
    }

    /// Whether both are one secret; `None` if they are not two secrets.
    pub(super) fn is_same_secret(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Self::Secret(own), Self::Secret(other)) => Some(own.is_same(other)),
            _ => None,
        }
    }

    /// The length of a secret in bytes.
    pub(super) fn secret_length(&self) -> Option<usize> {
        match self {
            Self::Secret(secret) => Some(secret.bytes().len()),
            _ => None,
        }
    }

    /// Whether `signature` is this key's signature of `input`.
    pub(super) fn verify(&self, algorithm: Algorithm, input: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa(rsa) => rsa.verify(algorithm, input, signature),
            Self::P256(point) => {
                use p256::ecdsa::{Signature, signature::Verifier};
                // RFC 7518 §3.4: r and s side by side; the length excludes DER. The parser refuses
                // zero and numbers not below the order (CVE-2022-21449).
                signature.len() == 64
                    && Signature::from_slice(signature)
                        .is_ok_and(|rs| point.verify(input, &rs).is_ok())
            }
            Self::P384(point) => {
                use p384::ecdsa::{Signature, signature::Verifier};
                signature.len() == 96
                    && Signature::from_slice(signature)
                        .is_ok_and(|rs| point.verify(input, &rs).is_ok())
            }
            Self::K256(point) => {
                use k256::ecdsa::{Signature, signature::Verifier};
                // The verifier accepts only Bitcoin's low s, RFC 8812 also the high one, which is
                // therefore replaced with its low counterpart.
                signature.len() == 64
                    && Signature::from_slice(signature)
                        .is_ok_and(|rs| point.verify(input, &rs.normalize_s()).is_ok())
            }
            Self::Ed25519(point) => ed25519_compact::Signature::from_slice(signature)
                .is_ok_and(|signature| point.as_ref().verify(input, &signature).is_ok()),
            Self::Secret(secret) => secret.tag(algorithm, input).is_some_and(|tag| {
                // Lengths are public; the comparison of the bytes takes constant time.
                bool::from(tag.as_slice().ct_eq(signature))
            }),
        }
    }
}

/// A shared secret; its memory is wiped when it is dropped.
pub(super) struct Secret {
    hs256: HS256Key,
    hs384: HS384Key,
    hs512: HS512Key,
}

impl Secret {
    fn bytes(&self) -> &[u8] {
        <HMACKey as AsRef<[u8]>>::as_ref(self.hs256.key())
    }

    /// Whether both secrets are equal.
    fn is_same(&self, other: &Self) -> bool {
        bool::from(self.bytes().ct_eq(other.bytes()))
    }

    fn tag(&self, algorithm: Algorithm, input: &[u8]) -> Option<Vec<u8>> {
        match algorithm {
            Algorithm::Hs256 => Some(self.hs256.authentication_tag(input)),
            Algorithm::Hs384 => Some(self.hs384.authentication_tag(input)),
            Algorithm::Hs512 => Some(self.hs512.authentication_tag(input)),
            _ => None,
        }
    }
}
