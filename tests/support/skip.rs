//! Servers that may be absent: a test says so and is skipped, except in continuous integration.

use std::io::Write;
use std::path::PathBuf;

use super::root;

/// Envoy's binary: `ENVOY_BIN`, or the one that `make envoy` installed.
///
/// `None` after [`absent`] when there is none, or no module to load into it.
pub fn envoy_binary(test: &str) -> Option<PathBuf> {
    let Some(binary) = find_envoy() else {
        absent(test, "Envoy is absent: run `make envoy`, or set ENVOY_BIN");
        return None;
    };
    if !super::module().is_file() {
        absent(test, "dist/tollgate.wasm is absent: run `make wasm`");
        return None;
    }
    Some(binary)
}

/// Notes that `test` cannot run here. `make test` prints the notes after the results.
///
/// With `CI=true` it fails instead: there nothing may be left out.
pub fn absent(test: &str, why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{test}: {why}");
    eprintln!("SKIPPED {test}: {why}");
    let list = root().join("target/skipped.txt");
    if let Ok(mut file) = std::fs::OpenOptions::new().create(true).append(true).open(list) {
        let _ = writeln!(file, "SKIPPED {test}: {why}");
    }
}

/// A program of the system, by its name.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// The real binary, not the wheel's launcher: the process started must be Envoy itself, so that
/// its memory is read and it is ended without a Python process in between.
fn find_envoy() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("ENVOY_BIN").filter(|path| !path.is_empty()) {
        return Some(PathBuf::from(path)).filter(|path| path.is_file());
    }
    let lib = std::fs::read_dir(root().join("target/venv/lib")).ok()?;
    lib.flatten()
        .map(|python| python.path().join("site-packages/envoy/_bin/envoy"))
        .find(|path| path.is_file())
}
