//! One per worker and configuration: loads the policy, makes the contexts of the streams.

use std::rc::Rc;

use log::{error, info, warn};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType};

use super::buckets::limits_in_flight;
use super::held::keys::TICK;
use super::host;
use super::http::Http;
use super::http::Unconfigured;
use super::metrics::Metrics;
use super::stream::Traffic;
use super::worker::Worker;
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
    traffic: Option<Rc<Traffic>>,
}

impl Context for Root {
    /// Takes the answer to a fetch. `body`: its size as the host announces it.
    fn on_http_call_response(&mut self, call: u32, _: usize, body: usize, _: usize) {
        let Some(traffic) = &self.traffic else { return };
        let Worker { keys, policy, metrics, .. } = &traffic.worker;
        keys.on_answer(call, body, policy, metrics);
        traffic.resume_waiting();
    }
}

impl RootContext for Root {
    /// If it refuses, the host keeps the previous configuration. The result depends on nothing but the
    /// document, the environment and the verifier of the proxy, so that it is the same in every worker.
    fn on_configure(&mut self, size: usize) -> bool {
        let document = host::buffer(BufferType::PluginConfiguration, 0, size);
        let metrics = Rc::new(Metrics::default());
        let loaded = config::compile(&document, &VmEnvironment).and_then(|(policy, warnings)| {
            let worker =
                Worker::new(policy, Rc::clone(&metrics)).map_err(|problem| vec![problem])?;
            Ok((worker, warnings))
        });
        match loaded {
            Ok((worker, warnings)) => {
                for warning in warnings {
                    warn!("tollgate: configuration: {warning}");
                }
                metrics.add("tollgate_config.result.accepted", 1);
                info!("tollgate: configuration accepted: {}", summary(&worker.policy));
                let traffic = Traffic::new(worker);
                let Worker { keys, policy, metrics, .. } = &traffic.worker;
                if keys.any() {
                    keys.adopt(policy, metrics);
                    // The first fetch waits for the first tick: Envoy tries each configuration in a VM that
                    // it then discards, whose fetch would never end.
                    traffic.awaiting_keys.start_ticks();
                } else if limits_in_flight(policy) || traffic.worker.holds_heads() {
                    host::set_tick(TICK);
                }
                self.traffic = Some(Rc::new(traffic));
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

    /// Fetches keys and renews places in flight. The host ticks a replaced configuration as long as it has
    /// streams.
    fn on_tick(&mut self) {
        let Some(traffic) = &self.traffic else { return };
        let worker = &traffic.worker;
        if worker.keys.any() {
            worker.tend_keys();
            traffic.resume_waiting();
        }
        worker.telemetry.count_store(&worker.buckets.renew_places());
        traffic.refuse_withheld();
    }

    fn create_http_context(&self, context: u32) -> Option<Box<dyn HttpContext>> {
        Some(match &self.traffic {
            Some(traffic) => Box::new(Http::new(context, Rc::clone(traffic))),
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
        if let Some(traffic) = &self.traffic {
            traffic.worker.keys.release();
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
