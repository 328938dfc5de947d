//! The thin shell: the only code that knows the proxy. Callbacks gather, decide, apply.

mod body;
mod counts;
mod foreign;
mod holding;
#[cfg(test)]
mod holding_tests;
mod host;
mod host_log;
mod http;
mod keys;
mod logging;
mod metering;
mod metrics;
mod random;
mod root;
mod state;
mod store;
mod trace;
mod unconfigured;
mod waiting;

#[cfg(test)]
mod callback_tests;
#[cfg(test)]
mod exports;
#[cfg(test)]
mod fake_host;
#[cfg(test)]
mod held_tests;
#[cfg(test)]
mod host_tests;
#[cfg(test)]
mod tests;

/// Registers the filter with the SDK. Called once for each VM, before anything else.
pub fn start() {
    host_log::install();
    proxy_wasm::set_root_context(|_| Box::new(root::Root::default()));
}
