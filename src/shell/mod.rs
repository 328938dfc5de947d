//! The shell: the only code that knows the proxy.
//!
//! - [`root`] is the root context, [`http`] the context of a stream, whose work [`stream`] does.
//! - [`worker`] is the state of one worker: it judges requests and knows no stream.
//! - [`held`] are the streams that wait, [`lacking`] says which of them wait for keys.
//! - [`host`] are the host calls.

mod body;
mod buckets;
mod foreign;
mod held;
mod histograms;
mod host;
mod host_log;
mod http;
mod keys;
mod lacking;
mod metering;
mod metrics;
mod random;
mod refusal_log;
mod root;
mod store;
mod stream;
mod telemetry;
mod upstream;
mod worker;

#[cfg(test)]
mod callback_tests;
#[cfg(test)]
mod exports;
#[cfg(test)]
mod fake_host;
#[cfg(test)]
mod fetch_tests;
#[cfg(test)]
mod filter_state_tests;
#[cfg(test)]
mod guarded_tests;
#[cfg(test)]
mod held_tests;
#[cfg(test)]
mod histogram_tests;
#[cfg(test)]
mod holding_tests;
#[cfg(test)]
mod host_tests;
#[cfg(test)]
mod metering_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod usage_tests;

/// Registers the filter with the SDK. Called once for each VM, before anything else.
pub fn start() {
    host_log::install();
    proxy_wasm::set_root_context(|_| Box::new(root::Root::default()));
}
