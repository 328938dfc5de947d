//! Checks signatures as the filter in a proxy does; ES512, which the module lacks, by another library.

use p521::ecdsa::signature::Verifier as _;
use p521::ecdsa::{Signature, VerifyingKey};
use tollgate::policy::Crypto;
use tollgate::verify::algorithm::Algorithm;
use tollgate::verify::engine::{Budget, Engine, ModuleEngine, Signed};
use tollgate::verify::host::OFFERED;
use tollgate::verify::jwk::{Key, Public};

/// Answers as the filter in a proxy does.
pub struct Engines {
    /// Whether the proxy's verifier takes part.
    pub host: bool,
}

impl Engines {
    /// As `crypto` says.
    pub fn of(crypto: Crypto) -> Self {
        Self { host: crypto == Crypto::Auto }
    }
}

impl Engine for Engines {
    fn supports(&self, algorithm: Algorithm) -> bool {
        self.host || ModuleEngine.supports(algorithm)
    }

    fn check(&self, budget: &mut Budget, signed: Signed<'_>) -> Option<bool> {
        let Signed { key, algorithm, input, signature } = signed;
        let by_host = self.host && OFFERED.contains(&algorithm);
        (by_host || budget.take_in_module(algorithm)).then(|| match algorithm {
            Algorithm::Es512 => self.host && key.fits(algorithm) && es512(key, input, signature),
            _ => key.verify(algorithm, input, signature),
        })
    }
}

fn es512(key: &Key, input: &[u8], signature: &[u8]) -> bool {
    let Public::Ec { x, y } = key.public() else { return false };
    // SEC 1 §2.3.3: an uncompressed point.
    let point = [&[4][..], x, y].concat();
    let key = VerifyingKey::from_sec1_bytes(&point);
    let signature = Signature::from_slice(signature);
    matches!((key, signature), (Ok(key), Ok(signature)) if key.verify(input, &signature).is_ok())
}
