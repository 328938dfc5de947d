//! Measures the cost of tollgate in a real Envoy, compared with Envoy's own filters.
//!
//! One Envoy process with one worker holds a listener per case. All of them answer from the route
//! (`direct_response`), so no upstream adds noise; the filters run as for any request. In every
//! round the listeners get the same number of requests, in a random order. The CPU time of the Envoy
//! process (every thread, from `schedstat`) is compared within a round: with the bare listener, and with
//! the reference of the case. A start of Envoy gives the median of these differences. Where its code and data
//! happen to lie moves all figures of a start, so that there are several starts, whose spread is shown. The
//! load comes from this process, so its own work is not counted.
//!
//! - [`settings`]: the settings from the environment.
//! - [`scenario`]: the table of cases and their references.
//! - [`lists`]: configurations with long lists.
//! - [`audit`]: the audit line of the examples.
//! - [`listener`]: each case as Envoy configuration.
//! - [`empty_filter`]: a Wasm filter that does nothing, the lower bound of the cost of any Wasm filter.
//! - [`traffic`]: the tokens, and the requests that carry them.
//! - [`envoy`]: the process: start, ports, CPU time, memory.
//! - [`load`]: requests over a few kept-open connections; a reply of the wrong status is an error.
//! - [`measure`]: the rounds of a start. [`footprint`]: start and memory. [`report`]: the printed tables.
//!
//! A slow result never fails the run. An unexpected response does, because the listener then
//! measures something else.

mod audit;
mod empty_filter;
mod envoy;
mod footprint;
mod listener;
mod lists;
mod load;
mod measure;
mod report;
mod scenario;
mod settings;
mod traffic;

use std::error::Error;
use std::process::ExitCode;

use envoy::Envoy;
use settings::Settings;
use traffic::Requests;

/// Any failure of the bench, printed and fatal.
type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let settings = Settings::from_environment()?;
    println!("{}", report::preamble(&settings)?);
    let module = settings.module_size();
    match module {
        Some(bytes) => {
            println!("module: {} ({} KiB)", settings.wasm.display(), bytes.div_ceil(1024))
        }
        None => println!(
            "module: {} does not exist: the tollgate cases are left out (`make wasm` builds it)",
            settings.wasm.display()
        ),
    }
    let scenarios =
        scenario::selected(&settings.only, module.is_some(), settings.reference.is_some());
    let footprint = settings.only.is_empty() || "footprint".contains(&settings.only);
    if scenarios.is_empty() && !footprint {
        return Err(format!("BENCH_ONLY={} selects nothing", settings.only).into());
    }
    let requests = Requests::mint()?;

    if footprint {
        let rows = footprint::measure(&settings, &requests, module.is_some())?;
        println!("\n{}", report::footprint(&rows));
    }
    if !scenarios.is_empty() {
        let lanes = scenario::lanes(&scenarios);
        let listeners = scenario::listeners(&lanes);
        let mut starts = Vec::new();
        for number in 1..=settings.starts {
            eprintln!("start {number} of {}", settings.starts);
            let envoy = Envoy::start(&settings, &listeners, requests.jwks())?;
            starts.push(measure::start(&settings, &envoy, &requests, &lanes)?);
        }
        println!("\n{}", report::costs(&scenarios, &starts));
    }
    Ok(())
}
