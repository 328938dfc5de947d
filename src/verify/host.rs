//! The engine that lets the proxy do the arithmetic: several times faster than a module can.
//!
//! Envoy offers Wasm filters the foreign function `verify_signature`. Its argument and result are
//! protobuf messages:
//!
//! ```text
//! argument: 1 hash name · 2 public key, SubjectPublicKeyInfo DER · 3 signature · 4 text
//! result:   1 whether it verifies · 2 why not
//! ```
//!
//! An algorithm is trusted to the host only after a self-test in this process. What a host may be
//! lax about is judged here first: lengths and ranges. The host's "yes" and "no" are final; where
//! it gives neither, the module's own engine answers.

use std::cell::RefCell;

use super::algorithm::{Algorithm, AlgorithmSet, Family};
use super::candidates::Budget;
use super::der;
use super::engine::{Engine, ModuleEngine};
use super::jwk::{Key, Public};
use super::self_test;

const HASH: u8 = 1;
const PUBLIC_KEY: u8 = 2;
const SIGNATURE: u8 = 3;
const TEXT: u8 = 4;

/// What the host's verifier may be asked for: RSA PKCS#1 v1.5 and the NIST curves.
pub const OFFERED: [Algorithm; 6] = [
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Es512,
];

/// The proxy, as far as signatures go.
pub trait Host {
    /// Calls `verify_signature`; `None` where there is no such function or it fails.
    fn verify_signature(&self, arguments: &[u8]) -> Option<Vec<u8>>;

    /// Learns of each signature that was checked past the self-test.
    fn checked(&self, by: By, outcome: Outcome);
}

/// Who checked a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The proxy.
    Host,
    /// This module.
    Module,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is the key's.
    Ok,
    /// It is not.
    Failed,
    /// No answer: the host's fault, not the token's.
    Error,
}

/// Both engines: the host's for what it has proven to do right, else the module's.
pub struct Engines<H> {
    host: H,
    proven: AlgorithmSet,
    /// Used again from call to call.
    arguments: RefCell<Vec<u8>>,
}

impl<H: Host> Engines<H> {
    /// The module's engine alone.
    pub fn module(host: H) -> Self {
        Self { host, proven: AlgorithmSet::EMPTY, arguments: RefCell::default() }
    }

    /// Tests the host, algorithm by algorithm, and uses it where a good signature passes and a bad
    /// one fails.
    pub fn tested(host: H) -> Self {
        let mut engines = Self::module(host);
        let passes = |algorithm: &Algorithm| {
            let asks = |key: &_, text: &[u8], signature: &[u8]| {
                engines.ask_host(key, *algorithm, text, signature)
            };
            self_test::passes(*algorithm, asks)
        };
        let proven = OFFERED.into_iter().filter(passes).collect();
        engines.proven = proven;
        engines
    }

    /// The algorithms that the host serves.
    pub fn proven(&self) -> AlgorithmSet {
        self.proven
    }

    /// The host's word; `None` where it has none.
    fn ask_host(
        &self,
        key: &Key,
        algorithm: Algorithm,
        text: &[u8],
        signature: &[u8],
    ) -> Option<bool> {
        let hash = match algorithm {
            Algorithm::Rs256 | Algorithm::Es256 => "sha256",
            Algorithm::Rs384 | Algorithm::Es384 => "sha384",
            Algorithm::Rs512 | Algorithm::Es512 => "sha512",
            _ => return None,
        };
        let der;
        let signature = match (key.family(), key.public()) {
            // RFC 8017 §8.2.2: as long as the modulus, and a number below it.
            (Family::Rsa, Public::Rsa { n, .. }) => {
                if signature.len() != n.len() || signature >= n.as_slice() {
                    return Some(false);
                }
                signature
            }
            (family, _) => match der::ecdsa_signature(family, signature) {
                None => return Some(false),
                Some(signature) => {
                    der = signature;
                    &der
                }
            },
        };
        let mut arguments = self.arguments.try_borrow_mut().ok()?;
        arguments.clear();
        arguments.extend_from_slice(key.host_field()?);
        push_field(&mut arguments, HASH, hash.as_bytes());
        push_field(&mut arguments, SIGNATURE, signature);
        push_field(&mut arguments, TEXT, text);
        read_result(&self.host.verify_signature(&arguments)?)
    }
}

impl<H: Host> Engine for Engines<H> {
    fn supports(&self, algorithm: Algorithm) -> bool {
        self.proven.contains(algorithm) || ModuleEngine.supports(algorithm)
    }

    fn verify(
        &self,
        key: &Key,
        algorithm: Algorithm,
        signing_input: &[u8],
        signature: &[u8],
    ) -> bool {
        self.check(&mut Budget::default(), key, algorithm, signing_input, signature)
            .unwrap_or(false)
    }

    fn check(
        &self,
        budget: &mut Budget,
        key: &Key,
        algorithm: Algorithm,
        signing_input: &[u8],
        signature: &[u8],
    ) -> Option<bool> {
        if !key.fits(algorithm) {
            return Some(false);
        }
        if self.proven.contains(algorithm) {
            match self.ask_host(key, algorithm, signing_input, signature) {
                Some(good) => {
                    self.host.checked(By::Host, if good { Outcome::Ok } else { Outcome::Failed });
                    return Some(good);
                }
                None => self.host.checked(By::Host, Outcome::Error),
            }
        }
        if !budget.take_in_module(algorithm) {
            return None;
        }
        let good = ModuleEngine.verify(key, algorithm, signing_input, signature);
        self.host.checked(By::Module, if good { Outcome::Ok } else { Outcome::Failed });
        Some(good)
    }
}

/// The argument's field with a public key: the same for every signature of the key, so that it is
/// made once. `None` for a key that the host's verifier does not know.
pub(super) fn key_field(family: Family, public: &Public) -> Option<Vec<u8>> {
    let der = match public {
        Public::Rsa { n, e } => der::rsa_key(n, e),
        Public::Ec { x, y } => der::ec_key(family, x, y)?,
        _ => return None,
    };
    let mut field = Vec::with_capacity(der.len().saturating_add(4));
    push_field(&mut field, PUBLIC_KEY, &der);
    Some(field)
}

/// A length-delimited field.
fn push_field(message: &mut Vec<u8>, number: u8, content: &[u8]) {
    message.push(number << 3 | 2);
    let mut length = content.len();
    while length > 0x7f {
        message.push(u8::try_from(length & 0x7f).unwrap_or(0) | 0x80);
        length >>= 7;
    }
    message.push(u8::try_from(length).unwrap_or(0));
    message.extend_from_slice(content);
}

/// A "yes" is the one field `result`, a "no" the one field `error`. Anything else is no answer.
fn read_result(message: &[u8]) -> Option<bool> {
    match message {
        // Envoy writes an empty error with a "yes": as proto3's default it takes no bytes.
        [0x08, 1] => Some(true),
        [0x12, _, ..] => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
