//! Takes the place of `primitive` in the module without a verifier: it checks what it can of a key that the
//! proxy uses, and refuses the others. Whether a point is on its curve is left to the proxy.

use super::algorithm::{Algorithm, Family};
use super::jwk::KeyError;

/// There is none.
pub(super) enum Primitive {}

impl Primitive {
    pub(super) fn rsa(n: &[u8], _: &[u8]) -> Result<Option<Self>, KeyError> {
        match n.last().is_some_and(|low| low & 1 == 1) {
            true => Ok(None),
            false => Err(KeyError::Invalid),
        }
    }

    pub(super) fn ec(family: Family, _: &[u8], _: &[u8]) -> Result<Option<Self>, KeyError> {
        match family {
            Family::P256 | Family::P384 | Family::P521 => Ok(None),
            _ => Err(KeyError::NeedsFullModule),
        }
    }

    pub(super) fn ed25519(_: &[u8]) -> Result<Option<Self>, KeyError> {
        Err(KeyError::NeedsFullModule)
    }

    pub(super) fn secret(_: &[u8]) -> Result<Option<Self>, KeyError> {
        Err(KeyError::NeedsFullModule)
    }

    pub(super) fn is_same_secret(&self, _: &Self) -> Option<bool> {
        match *self {}
    }

    pub(super) fn secret_length(&self) -> Option<usize> {
        match *self {}
    }

    pub(super) fn verify(&self, _: Algorithm, _: &[u8], _: &[u8]) -> bool {
        match *self {}
    }
}
