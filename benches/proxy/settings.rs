//! The settings from the environment.

use std::env;
use std::path::PathBuf;
use std::str::FromStr;

use crate::Result;

/// The choices of one run.
pub struct Settings {
    /// The Envoy executable: `ENVOY_BIN`, else the one of `target/venv`.
    pub envoy: PathBuf,
    /// The module under test: `TOLLGATE_WASM`, else `dist/tollgate.wasm`.
    pub wasm: PathBuf,
    /// Another build of the module to compare with, case by case: `TOLLGATE_REFERENCE`.
    pub reference: Option<PathBuf>,
    /// Starts of Envoy: `BENCH_STARTS`, default 5.
    pub starts: usize,
    /// Rounds in each start: `BENCH_ROUNDS`, default 20.
    pub rounds: usize,
    /// Requests to each listener in a round: `BENCH_REQUESTS`, default 1,000.
    pub requests: usize,
    /// Only the case of this name, or the cases whose name contains this: `BENCH_ONLY`, default all.
    pub only: String,
    /// Where configuration and log of the started processes go.
    pub scratch: PathBuf,
}

impl Settings {
    /// Reads the environment; a number that does not parse is an error.
    pub fn from_environment() -> Result<Self> {
        let root = support::root();
        let path = |name: &str, default: &str| {
            env::var_os(name).map_or_else(|| root.join(default), PathBuf::from)
        };
        let settings = Self {
            envoy: path("ENVOY_BIN", "target/venv/bin/envoy"),
            wasm: path("TOLLGATE_WASM", "dist/tollgate.wasm"),
            reference: env::var_os("TOLLGATE_REFERENCE").map(PathBuf::from),
            starts: number("BENCH_STARTS", 5)?.max(1),
            rounds: number("BENCH_ROUNDS", 20)?.max(1),
            requests: number("BENCH_REQUESTS", 1_000)?.max(1),
            only: env::var("BENCH_ONLY").unwrap_or_default(),
            scratch: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench"),
        };
        if !settings.envoy.exists() {
            let path = settings.envoy.display();
            return Err(format!("no Envoy at {path}: set ENVOY_BIN").into());
        }
        Ok(settings)
    }

    /// Where the filter that does nothing is written.
    pub fn empty_filter(&self) -> PathBuf {
        self.scratch.join("empty.wasm")
    }

    /// Size of the module in bytes, or `None` where it was not built.
    pub fn module_size(&self) -> Option<u64> {
        self.wasm.metadata().ok().map(|metadata| metadata.len())
    }
}

fn number<T: FromStr>(name: &str, default: T) -> Result<T> {
    match env::var(name) {
        Err(_) => Ok(default),
        Ok(text) => text.parse().map_err(|_| format!("{name}={text} is not a number").into()),
    }
}
