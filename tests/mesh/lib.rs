//! The harness of the tests with real control planes. `make mesh` builds their programs and runs each suite on a
//! machine of its own: with network, mounts and processes that no other program sees, and that end with the suite
//! (`xtask/src/mesh.rs`).
//!
//! - [`machine`]: the machine of a suite: its names, its certificate authorities, its pods.
//! - [`program`]: a program that runs in the background, with its log.
//! - [`api`]: a Kubernetes API and `kubectl`.
//! - [`registry`]: a container registry with the images of the module.
//! - [`istio`]: Istio, and pods with its proxies.
//! - [`container`]: the files that the program of a pod sees.
//! - [`entra_keys`]: the key server of Entra ID.
//! - [`envoy_gateway`]: Envoy Gateway, its proxies, and the world of its suites.

#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod api;
pub mod container;
pub mod entra_keys;
pub mod envoy_gateway;
pub mod istio;
pub mod machine;
pub mod program;
pub mod registry;

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// The folder of the programs and files that `cargo xtask mesh` built from the Go module `tests/mesh/NAME`.
pub fn built(module: &str) -> PathBuf {
    let variable = format!("MESH_{}", module.to_uppercase().replace('-', "_"));
    PathBuf::from(std::env::var_os(&variable).unwrap_or_else(|| panic!("{variable} is not set")))
}

/// Asks `probe` every 50 ms until it has an answer.
///
/// # Panics
/// After `seconds`, with the name of what did not happen.
pub fn until<T>(seconds: u64, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < end, "not within {seconds} s: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}
