//! One per worker and configuration: loads the policy, makes the contexts of the streams.

use std::rc::Rc;

use log::{error, info, warn};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType};

use super::host;
use super::http::Http;
use super::metrics::Metrics;
use super::unconfigured::Unconfigured;
use super::worker::State;
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
    /// `None` before a configuration was accepted.
    state: Option<Rc<State>>,
}

impl Root {
    /// Adopts and fetches keys, then lets the requests go on that waited for them.
    fn tend_keys(&self) {
        let Some(state) = &self.state else { return };
        if !state.keys.any() {
            return;
        }
        state.keys.adopt(&state.policy, &state.metrics);
        state.keys.fetch(&state.policy, &state.metrics);
        state.resume_waiting();
    }
}

impl Context for Root {
    /// Takes the answer to a fetch. `body`: its size as the host announces it.
    fn on_http_call_response(&mut self, call: u32, _: usize, body: usize, _: usize) {
        let Some(state) = &self.state else { return };
        state.keys.on_answer(call, body, &state.policy, &state.metrics);
        state.resume_waiting();
    }
}

impl RootContext for Root {
    /// Refusing here makes the host keep the configuration that already serves. The answer
    /// depends on the document and the environment alone, so that every worker gives the same.
    fn on_configure(&mut self, size: usize) -> bool {
        let document = host::buffer(BufferType::PluginConfiguration, 0, size);
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
                    host::set_tick(super::held::keys::TICK);
                }
                self.state = Some(state);
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
    fn on_tick(&mut self) {
        self.tend_keys();
        // The host ticks a replaced configuration for as long as it has streams.
        if let Some(state) = &self.state {
            state.tend_concurrency();
            state.refuse_withheld();
        }
    }

    fn create_http_context(&self, context: u32) -> Option<Box<dyn HttpContext>> {
        Some(match &self.state {
            Some(state) => Box::new(Http::new(context, Rc::clone(state))),
            None => Box::new(Unconfigured),
        })
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// The host deletes a root context once another configuration is in effect and the last stream of this
/// one has ended. `on_done` would learn that, too, but a host calls it at the end of each stream as well.
impl Drop for Root {
    fn drop(&mut self) {
        if let Some(state) = &self.state {
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
