//! Where signatures are checked: a trait, and the engine that needs no host.
//!
//! Keys are jwt-simple's, whose constructors check their parameters, and points on curves those of
//! the primitives behind it, which check that a point is on its curve; jwt-simple would also take
//! compressed points, and drawing their roots is 40 KB of code. The arithmetic is that of the
//! primitives, and for RSA that of [`super::rsa`]. jwt-simple's own `verify_token` is never called: it
//! parses headers and claims by rules that are not ours.

use jwt_simple::algorithms::{
    Edwards25519PublicKey, HMACKey, HS256Key, HS384Key, HS512Key, MACLike, RSAPublicKey,
};
use p256::elliptic_curve::point::AffineCoordinates;
use subtle::ConstantTimeEq;

use super::algorithm::{Algorithm, Family};
use super::candidates::Budget;
use super::jwk::Key;
use super::rsa::RsaKey;

/// Checks signatures. Engines differ in speed and reach, never in what they say of a key.
pub trait Engine {
    /// Whether it can check signatures of `algorithm` at all.
    fn supports(&self, algorithm: Algorithm) -> bool;

    /// Whether `signature` is the key's, by `algorithm`, over `signing_input`. False also where
    /// the algorithm does not fit the key or is not supported.
    fn verify(
        &self,
        key: &Key,
        algorithm: Algorithm,
        signing_input: &[u8],
        signature: &[u8],
    ) -> bool;

    /// The same within what the request may still spend; `None` where the module would have to check
    /// it and may not. An engine that does not ask the host is the module's.
    fn check(
        &self,
        budget: &mut Budget,
        key: &Key,
        algorithm: Algorithm,
        signing_input: &[u8],
        signature: &[u8],
    ) -> Option<bool> {
        let may = budget.take_in_module(algorithm);
        may.then(|| self.verify(key, algorithm, signing_input, signature))
    }
}

/// The engine inside the module: everything but ES512, for which there is no implementation in
/// jwt-simple.
#[derive(Clone, Copy, Debug, Default)]
pub struct ModuleEngine;

impl Engine for ModuleEngine {
    fn supports(&self, algorithm: Algorithm) -> bool {
        algorithm != Algorithm::Es512
    }

    fn verify(
        &self,
        key: &Key,
        algorithm: Algorithm,
        signing_input: &[u8],
        signature: &[u8],
    ) -> bool {
        if !key.fits(algorithm) {
            return false;
        }
        match key.primitive() {
            None => false,
            Some(Primitive::Rsa(rsa)) => rsa.verify(algorithm, signing_input, signature),
            Some(Primitive::P256(point)) => {
                use p256::ecdsa::{Signature, signature::Verifier};
                // RFC 7518 §3.4: r and s side by side; DER is refused by its length. The parser
                // refuses zero and anything beyond the order (CVE-2022-21449).
                signature.len() == 64
                    && Signature::from_slice(signature)
                        .is_ok_and(|rs| point.verify(signing_input, &rs).is_ok())
            }
            Some(Primitive::P384(point)) => {
                use p384::ecdsa::{Signature, signature::Verifier};
                signature.len() == 96
                    && Signature::from_slice(signature)
                        .is_ok_and(|rs| point.verify(signing_input, &rs).is_ok())
            }
            Some(Primitive::K256(point)) => {
                use k256::ecdsa::{Signature, signature::Verifier};
                // The verifier insists on Bitcoin's low s; RFC 8812 does not, so the other half is
                // folded first.
                signature.len() == 64
                    && Signature::from_slice(signature)
                        .is_ok_and(|rs| point.verify(signing_input, &rs.normalize_s()).is_ok())
            }
            Some(Primitive::Ed25519(point)) => ed25519_compact::Signature::from_slice(signature)
                .is_ok_and(|signature| point.as_ref().verify(signing_input, &signature).is_ok()),
            Some(Primitive::Secret(secret)) => {
                secret.tag(algorithm, signing_input).is_some_and(|tag| {
                    // Lengths are public; the bytes take the same time however many agree.
                    bool::from(tag.as_slice().ct_eq(signature))
                })
            }
        }
    }
}

/// What the in-module arithmetic works with. Every value has passed the checks of its constructor:
/// RSA bounds and exponent, points on their curve, no weak Ed25519 point.
pub(super) enum Primitive {
    Rsa(Box<RsaKey>),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    K256(k256::ecdsa::VerifyingKey),
    Ed25519(Edwards25519PublicKey),
    Secret(Box<Secret>),
}

impl Primitive {
    pub(super) fn rsa(n: &[u8], e: &[u8]) -> Option<Self> {
        RSAPublicKey::from_components(n, e).ok()?;
        RsaKey::new(n).map(|key| Self::Rsa(Box::new(key)))
    }

    pub(super) fn ec(family: Family, x: &[u8], y: &[u8]) -> Option<Self> {
        // A coordinate of another length, beyond the field or off the curve is refused.
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

    pub(super) fn ed25519(x: &[u8]) -> Option<Self> {
        Edwards25519PublicKey::from_bytes(x).ok().map(Self::Ed25519)
    }

    pub(super) fn secret(k: &[u8]) -> Self {
        Self::Secret(Box::new(Secret {
            hs256: HS256Key::from_bytes(k),
            hs384: HS384Key::from_bytes(k),
            hs512: HS512Key::from_bytes(k),
        }))
    }
}

/// A shared secret, wiped when dropped.
pub(super) struct Secret {
    hs256: HS256Key,
    hs384: HS384Key,
    hs512: HS512Key,
}

impl Secret {
    /// Its length, bytes.
    pub(super) fn len(&self) -> usize {
        let key: &HMACKey = self.hs256.key();
        <HMACKey as AsRef<[u8]>>::as_ref(key).len()
    }

    /// Whether it is the same secret.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let bytes = |secret: &Self| -> Vec<u8> {
            let key: &HMACKey = secret.hs256.key();
            <HMACKey as AsRef<[u8]>>::as_ref(key).to_vec()
        };
        bool::from(bytes(self).as_slice().ct_eq(&bytes(other)))
    }

    fn tag(&self, algorithm: Algorithm, signing_input: &[u8]) -> Option<Vec<u8>> {
        match algorithm {
            Algorithm::Hs256 => Some(self.hs256.authentication_tag(signing_input)),
            Algorithm::Hs384 => Some(self.hs384.authentication_tag(signing_input)),
            Algorithm::Hs512 => Some(self.hs512.authentication_tag(signing_input)),
            _ => None,
        }
    }
}
