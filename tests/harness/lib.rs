//! The core of the end-to-end harness, which the demo uses too: a real Envoy with the filter in it,
//! an upstream that records bytes, a client that sends them, and tokens of one key.
//!
//! - [`envoy`]: renders a bootstrap on free ports, starts Envoy, waits until it listens, ends it on
//!   drop. Listener configuration comes from a file, so [`envoy::Envoy::reload`] is a real push.
//!   Statistics, log and access log are read from it.
//! - [`upstream`]: an HTTP/1.1 server that keeps each request exactly as it came over the wire.
//! - [`client`]: an HTTP/1.1 client in which each byte of a request can be chosen.
//! - [`scrape`]: the Prometheus text of an Envoy, parsed.
//! - [`mint`]: claims, and an ES256 key that is made at run time.
//! - [`redact`]: keeps tokens out of the messages of failed assertions.
//! - [`skip`]: tests that need a program or file that the machine lacks.
//!
//! Every wait has a deadline and fails with the end of Envoy's log. The files of one Envoy lie in
//! `target/e2e/<process>-<number>` and stay there when its test fails.

#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod client;
pub mod envoy;
pub mod mint;
pub mod redact;
pub mod scrape;
pub mod skip;
pub mod upstream;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The module that `make wasm` built.
pub fn module() -> PathBuf {
    match std::env::var_os("TOLLGATE_WASM") {
        Some(path) => PathBuf::from(path),
        None => root().join("dist/tollgate.wasm"),
    }
}

/// The module without a verifier, which `make wasm` built beside the other.
pub fn host_module() -> PathBuf {
    match std::env::var_os("TOLLGATE_HOST_WASM") {
        Some(path) => PathBuf::from(path),
        None => root().join("dist/tollgate-host.wasm"),
    }
}

/// A name for the files of this process. The suites of `tests/mesh` all have one process id.
pub fn process() -> String {
    let program = std::env::current_exe().unwrap();
    format!("{}-{}", program.file_stem().unwrap().to_string_lossy(), std::process::id())
}

/// How long anything may take that must happen: a slow machine decides no test, and a hang still ends.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks `probe` until it has an answer; `None` after [`PATIENCE`].
pub async fn eventually<T, F: AsyncFnMut() -> Option<T>>(probe: F) -> Option<T> {
    poll(PATIENCE, probe).await
}

/// Asks `probe` every 10 ms until it has an answer; `None` after `limit`.
pub async fn poll<T, F: AsyncFnMut() -> Option<T>>(limit: Duration, mut probe: F) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = probe().await {
            return Some(found);
        }
        if Instant::now() >= end {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The members of both objects; those of the second replace those of the first.
pub fn merged(mut one: Value, other: Value) -> Value {
    merge(&mut one, other);
    one
}

/// Adds the members of another object, which replace those of the same names.
pub fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => into.extend(from),
        (into, from) => panic!("objects are merged, not {into} and {from}"),
    }
}
