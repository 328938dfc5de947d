//! The engine that asks the proxy, whose native code is several times faster than the module.
//!
//! An algorithm is left to the host only after a self-test in this process. Lengths and ranges, which
//! a host may not check, are checked here first. The verdict of the host is final; if it gives none,
//! the module checks the signature, or the token is refused if the module cannot.

mod message;

use std::cell::RefCell;

use self::message::Arguments;
pub use super::algorithm::OFFERED;
use super::algorithm::{Algorithm, AlgorithmSet, Family};
use super::der;
use super::engine::{Budget, Engine, ModuleEngine, Signed};
use super::self_test;
use super::spki::Public;

/// The signature verifier of the proxy.
pub trait Host {
    /// Calls `verify_signature`; `None` if the function does not exist or fails.
    fn verify_signature(&self, arguments: &[u8]) -> Option<Vec<u8>>;

    /// Counts a signature that was checked, except in the self-test.
    fn checked(&self, by: By, outcome: Outcome);
}

/// The engine that checked a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The proxy.
    Host,
    /// The module.
    Module,
}

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The signature is good.
    Ok,
    /// The signature is wrong.
    Failed,
    /// The host gave no verdict.
    Error,
}

impl Outcome {
    fn of(good: bool) -> Self {
        if good { Self::Ok } else { Self::Failed }
    }
}

/// Both engines: the host for the algorithms that passed the self-test, the module for the others.
pub struct Engines<H> {
    host: H,
    proven: AlgorithmSet,
    /// Reused from call to call.
    arguments: RefCell<Vec<u8>>,
}

impl<H: Host> Engines<H> {
    /// Uses the module alone.
    pub fn module(host: H) -> Self {
        Self { host, proven: AlgorithmSet::EMPTY, arguments: RefCell::default() }
    }

    /// Tests the host, algorithm by algorithm, and uses it for the algorithms that pass.
    pub fn tested(host: H) -> Self {
        let mut engines = Self::module(host);
        let passes = |algorithm: &Algorithm| {
            self_test::passes(*algorithm, |signed| engines.ask_host(signed))
        };
        let proven = OFFERED.into_iter().filter(passes).collect();
        engines.proven = proven;
        engines
    }

    /// The algorithms that the host checks.
    pub fn proven(&self) -> AlgorithmSet {
        self.proven
    }

    /// The algorithms of a provider that this host has not proven. Without a list of its own, a provider
    /// has all that hosts are offered.
    pub fn unproven(&self, algorithms: Option<AlgorithmSet>) -> AlgorithmSet {
        let needed = algorithms.unwrap_or_else(|| OFFERED.into_iter().collect());
        needed.iter().filter(|algorithm| !self.proven.contains(*algorithm)).collect()
    }

    /// The verdict of the host; `None` if it gives none.
    fn ask_host(&self, signed: Signed<'_>) -> Option<bool> {
        let Signed { key, algorithm, input, signature } = signed;
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
        let mut buffer = self.arguments.try_borrow_mut().ok()?;
        Arguments { hash, key: key.spki()?, signature, text: input }.encode(&mut buffer);
        message::read_result(&self.host.verify_signature(&buffer)?)
    }
}

impl<H: Host> Engine for Engines<H> {
    fn supports(&self, algorithm: Algorithm) -> bool {
        self.proven.contains(algorithm) || ModuleEngine.supports(algorithm)
    }

    fn check(&self, budget: &mut Budget, signed: Signed<'_>) -> Option<bool> {
        if !signed.key.fits(signed.algorithm) {
            return Some(false);
        }
        if self.proven.contains(signed.algorithm) {
            let verdict = self.ask_host(signed);
            self.host.checked(By::Host, verdict.map_or(Outcome::Error, Outcome::of));
            if verdict.is_some() {
                return verdict;
            }
        }
        if !ModuleEngine.supports(signed.algorithm) {
            return Some(false);
        }
        let good = ModuleEngine.check(budget, signed)?;
        self.host.checked(By::Module, Outcome::of(good));
        Some(good)
    }
}

#[cfg(test)]
mod tests;
