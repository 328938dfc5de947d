//! Time to ready and resident memory, with and without the module.

use crate::Result;
use crate::envoy::Envoy;
use crate::listener::Listener;
use crate::measure::Stream;
use crate::report::median;
use crate::scenario::{FOOTPRINT, Lane};
use crate::settings::Settings;
use crate::traffic::{Algorithm, Requests, Traffic};

/// Starts of each Envoy, of which the median is reported.
const STARTS: usize = 5;

/// One Envoy with a single listener.
pub struct Row {
    /// The name of the listener.
    pub name: String,
    /// Milliseconds from start to ready.
    pub ready: f64,
    /// Resident KiB once ready.
    pub idle: f64,
    /// Resident KiB after one round of valid tokens.
    pub loaded: f64,
}

/// Starts an Envoy for the bare listener, the native filters with cache, and the module.
pub fn measure(settings: &Settings, requests: &Requests, module: bool) -> Result<Vec<Row>> {
    let mut listeners = vec![Listener::Bare, Listener::Native { cached: true }];
    if module {
        listeners.push(Listener::Tollgate(FOOTPRINT));
    }
    listeners.into_iter().map(|listener| row(settings, requests, listener)).collect()
}

fn row(settings: &Settings, requests: &Requests, listener: Listener) -> Result<Row> {
    let lane = Lane { listener, traffic: Traffic::Valid(Algorithm::Rs256) };
    let (mut ready, mut idle, mut loaded) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let envoy = Envoy::start(settings, &[listener], requests.jwks())?;
        ready.push(envoy.ready_after.as_secs_f64() * 1_000.0);
        idle.push(envoy.resident()? as f64);
        Stream::open(&envoy, requests, lane)?.send(settings.requests)?;
        loaded.push(envoy.resident()? as f64);
    }
    let name = listener.name();
    Ok(Row { name, ready: median(&ready), idle: median(&idle), loaded: median(&loaded) })
}
