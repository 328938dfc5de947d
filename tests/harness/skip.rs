//! Programs and files that a test needs and the machine may lack. Without them the test is skipped
//! and logs why; with `CI=true` it fails.

use std::io::Write;
use std::path::PathBuf;

use super::root;

/// Envoy's binary: `ENVOY_BIN`, or the one that `make envoy` installed.
///
/// `None` after [`absent`] without it or without a module to load into it.
pub fn envoy_binary() -> Option<PathBuf> {
    let Some(binary) = find_envoy() else {
        absent("Envoy is absent: run `make envoy`, or set ENVOY_BIN");
        return None;
    };
    module().map(|_| binary)
}

/// The module that `make wasm` built; `None` after [`absent`] without it.
pub fn module() -> Option<PathBuf> {
    built(super::module())
}

/// The module without a verifier; `None` after [`absent`] without it.
pub fn host_module() -> Option<PathBuf> {
    built(super::host_module())
}

fn built(module: PathBuf) -> Option<PathBuf> {
    if !module.is_file() {
        absent(&format!("{} is absent: run `make wasm`", module.display()));
        return None;
    }
    Some(module)
}

/// A file or folder of `../shared`, which lies beside the checkout; `TOLLGATE_SHARED` names another
/// folder. `None` after [`absent`] without it.
pub fn shared(name: &str) -> Option<PathBuf> {
    let folder = match std::env::var_os("TOLLGATE_SHARED") {
        Some(folder) => PathBuf::from(folder),
        None => root().join("../shared"),
    };
    let path = folder.join(name);
    if !path.exists() {
        absent(&format!("{} is absent", path.display()));
        return None;
    }
    Some(path)
}

/// Notes that the running test cannot run here. `make test` prints the notes after the results.
///
/// # Panics
/// With `CI=true`: there no test may be skipped.
pub fn absent(why: &str) {
    let test = test();
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{test}: {why}");
    eprintln!("SKIPPED {test}: {why}");
    let list = root().join("target/skipped.txt");
    if let Ok(mut file) = std::fs::OpenOptions::new().create(true).append(true).open(list) {
        let _ = writeln!(file, "SKIPPED {test}: {why}");
    }
}

/// The running test as `file::function`: libtest names each thread after its test. On any other
/// thread, the program alone.
fn test() -> String {
    let program = std::env::current_exe().unwrap();
    let program = program.file_stem().unwrap().to_string_lossy();
    let program = program.rsplit_once('-').map_or(&*program, |(name, _hash)| name);
    match std::thread::current().name() {
        Some(test) if test != "main" && !test.starts_with("tokio") => format!("{program}::{test}"),
        _ => program.to_owned(),
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
