//! The proxy's signature verifier, which is called as a foreign function.

use std::rc::Rc;

use super::host;
use super::metrics::Metrics;
use crate::verify::host::{By, Host, Outcome};

/// Envoy's `verify_signature`.
pub struct Foreign {
    metrics: Rc<Metrics>,
    counted: bool,
}

impl Foreign {
    /// `counted`: whether to count `tollgate_verify`.
    pub fn new(metrics: Rc<Metrics>, counted: bool) -> Self {
        Self { metrics, counted }
    }
}

impl Host for Foreign {
    fn verify_signature(&self, arguments: &[u8]) -> Option<Vec<u8>> {
        host::call_foreign("verify_signature", arguments).ok()
    }

    fn checked(&self, by: By, outcome: Outcome) {
        if self.counted {
            self.metrics.add(counter(by, outcome), 1);
        }
    }
}

const fn counter(by: By, outcome: Outcome) -> &'static str {
    match (by, outcome) {
        (By::Host, Outcome::Ok) => "tollgate_verify.engine.host.result.ok",
        (By::Host, Outcome::Failed) => "tollgate_verify.engine.host.result.failed",
        (By::Host, Outcome::Error) => "tollgate_verify.engine.host.result.error",
        (By::Module, Outcome::Ok) => "tollgate_verify.engine.module.result.ok",
        (By::Module, Outcome::Failed) => "tollgate_verify.engine.module.result.failed",
        (By::Module, Outcome::Error) => "tollgate_verify.engine.module.result.error",
    }
}
