//! An engine checks signatures. The one here works in the module, without the host.

use super::algorithm::{Algorithm, Family};
use super::jwk::Key;

/// A signature to check.
#[derive(Clone, Copy)]
pub struct Signed<'a> {
    /// The key that may have made it.
    pub key: &'a Key,
    /// The algorithm of the token.
    pub algorithm: Algorithm,
    /// The signed bytes (RFC 7515 §5.2).
    pub input: &'a [u8],
    /// The signature itself.
    pub signature: &'a [u8],
}

/// Checks signatures. Engines differ in speed and in their algorithms, never in the verdict.
pub trait Engine {
    /// Whether the engine supports `algorithm`.
    fn supports(&self, algorithm: Algorithm) -> bool;

    /// Whether the key made the signature; false also if the algorithm does not fit the key or is
    /// not supported. `None` if the module would have to check it and the budget is spent.
    fn check(&self, budget: &mut Budget, signed: Signed<'_>) -> Option<bool>;
}

/// The signatures that one request may still have checked.
///
/// The proxy takes tens of microseconds for most signatures. The module takes up to 3 ms (ES384), so
/// that a single check costs less than a hundred requests without a token.
#[derive(Debug, Default)]
pub struct Budget {
    module_used: bool,
}

impl Budget {
    /// Takes one check of `algorithm` in the module; false if none is left. An HMAC costs no more
    /// than the hash of the token and does not count.
    pub fn take_in_module(&mut self, algorithm: Algorithm) -> bool {
        algorithm.family() == Family::Secret || !std::mem::replace(&mut self.module_used, true)
    }
}

/// The engine in the module. It supports all algorithms but ES512, which jwt-simple does not
/// implement, and in the module without a verifier none.
#[derive(Clone, Copy, Debug, Default)]
pub struct ModuleEngine;

impl Engine for ModuleEngine {
    fn supports(&self, algorithm: Algorithm) -> bool {
        algorithm.is_verified_in_module()
    }

    fn check(&self, budget: &mut Budget, signed: Signed<'_>) -> Option<bool> {
        let Signed { key, algorithm, input, signature } = signed;
        budget.take_in_module(algorithm).then(|| key.verify(algorithm, input, signature))
    }
}
