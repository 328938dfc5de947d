//! One per worker and configuration: loads the policy, makes the contexts of the streams.

use std::cell::RefCell;
use std::rc::Rc;

use log::{error, info, warn};

use super::host::{self, Buffer};
use super::http::Http;
use super::metrics::Metrics;
use super::state::State;
use crate::config::{self, Environment};

/// The VM's environment variables.
struct VmEnvironment;

impl Environment for VmEnvironment {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

/// The root context.
#[derive(Default)]
pub struct Root {
    state: RefCell<Option<Rc<State>>>,
}

impl Root {
    /// What the configuration came to; `None` before one was accepted.
    fn state(&self) -> Option<Rc<State>> {
        self.state.borrow().clone()
    }

    /// The context of a new stream; `None` before a configuration was accepted.
    pub fn open(&self, context: u32) -> Option<Http> {
        self.state().map(|state| Http::new(context, state))
    }

    /// Adopts and fetches keys, then lets the requests go on that waited for them.
    fn tend_keys(&self) {
        let Some(state) = self.state() else { return };
        if !state.keys.any() {
            return;
        }
        state.keys.adopt(&state.policy, &state.metrics);
        state.keys.fetch(&state.policy, &state.metrics);
        state.resume_waiting();
    }

    /// Refusing here makes the host keep the configuration that already serves. The answer
    /// depends on the document and the environment alone, so that every worker gives the same.
    pub fn on_configure(&self, size: usize) -> bool {
        let document = host::buffer(Buffer::Configuration, 0, size);
        let metrics = Metrics::default();
        match config::compile(&document, &VmEnvironment) {
            Ok((policy, warnings)) => {
                for warning in warnings {
                    warn!("tollgate: configuration: {warning}");
                }
                metrics.add("tollgate_config.result.accepted", 1);
                info!("tollgate: configuration accepted: {}", summary(&policy));
                let state = Rc::new(State::new(policy, metrics));
                if state.keys.any() {
                    state.keys.adopt(&state.policy, &state.metrics);
                    // The first fetch waits for the first tick: Envoy tries each configuration in
                    // a VM that it then throws away, and whose fetch would never end.
                    state.waiting.start_ticks();
                } else if state.counts_concurrency() || state.holds_heads() {
                    host::set_tick(super::waiting::TICK);
                }
                self.state.replace(Some(state));
                true
            }
            Err(problems) => {
                for problem in problems {
                    error!("tollgate: configuration refused: {problem}");
                }
                metrics.add("tollgate_config.result.refused", 1);
                false
            }
        }
    }

    /// Fetches what is due, and renews places in flight.
    pub fn on_tick(&self) {
        self.tend_keys();
        // The host ticks a replaced configuration for as long as it has streams.
        if let Some(state) = self.state() {
            state.tend_concurrency();
            state.refuse_withheld();
        }
    }

    /// Takes the answer to a call of ours; `body` is its size as the host announces it.
    pub fn on_answer(&self, call: u32, body: usize) {
        let Some(state) = self.state() else { return };
        state.keys.on_answer(call, body, &state.policy, &state.metrics);
        state.resume_waiting();
    }
}

/// Another configuration has taken over and no stream of this one is left. `on_done` would be told
/// that as well, but a module that has it is asked at the end of each stream, too.
impl Drop for Root {
    fn drop(&mut self) {
        if let Some(state) = self.state.get_mut() {
            state.keys.release();
        }
    }
}

fn summary(policy: &crate::policy::Policy) -> String {
    format!(
        "{} provider(s), {} rule(s), {} limit(s), {} tag(s)",
        policy.providers.len(),
        policy.rules.len(),
        policy.limits.len(),
        policy.tags.len()
    )
}
