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

/// Requests between two readings of memory, about an hour of a busy sidecar.
const LOAD: usize = 100_000;

/// Workers beyond the first, to measure the memory of one worker.
const MORE: u32 = 4;

/// One Envoy with a single listener.
pub struct Row {
    /// The name of the listener.
    pub name: String,
    /// Milliseconds from start to ready.
    pub ready: f64,
    /// Resident KiB once ready, after [`LOAD`] requests, and after as many again.
    pub resident: [u64; 3],
    /// Resident KiB that one more worker takes once ready.
    pub worker: u64,
}

/// Starts an Envoy for the bare listener, the native filters with cache, a Wasm filter that does
/// nothing, and the module.
pub fn measure(settings: &Settings, requests: &Requests, module: bool) -> Result<Vec<Row>> {
    let mut listeners =
        vec![Listener::Bare, Listener::Native { cached: true }, Listener::EmptyWasm];
    if module {
        listeners.push(Listener::Tollgate(FOOTPRINT));
    }
    listeners.into_iter().map(|listener| row(settings, requests, listener)).collect()
}

fn row(settings: &Settings, requests: &Requests, listener: Listener) -> Result<Row> {
    let start = || Envoy::start(settings, &[listener], requests.jwks());
    let ready: Vec<_> = (0..STARTS)
        .map(|_| Ok(start()?.ready_after.as_secs_f64() * 1_000.0))
        .collect::<Result<_>>()?;
    let envoy = start()?;
    let idle = envoy.resident()?;
    let lane = Lane { listener, traffic: Traffic::Valid(Algorithm::Rs256) };
    let mut stream = Stream::open(&envoy, requests, lane)?;
    let mut loaded = || {
        stream.send(LOAD)?;
        envoy.resident()
    };
    let resident = [idle, loaded()?, loaded()?];
    let many = Envoy::with_workers(1 + MORE, settings, &[listener], requests.jwks())?.resident()?;
    let worker = many.saturating_sub(idle) / u64::from(MORE);
    Ok(Row { name: listener.name(), ready: median(&ready), resident, worker })
}
