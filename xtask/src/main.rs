//! The build steps that need more than a few commands: `cargo xtask COMMAND`.
//!
//! - `prune IN OUT`: removes backtraces from the module and checks that it cannot sign.
//! - `trace IN OUT`: makes a module that tells which functions it enters.
//! - `image DIST`: writes the OCI layout and the bill of materials.
//! - `release DIST`: collects all files of a release.
//! - `matrix VERSION...`: runs the end-to-end suites on several versions of Envoy.
//! - `first-run`: measures `make demo` in a fresh clone.
//! - `test [ARGUMENT...]`: runs the tests, several programs at a time.
//! - `mesh [SUITE...] [-- ARGUMENT...]`: runs the tests with real control planes.
//!
//! The working directory is the root of the repository.

#[cfg(feature = "full")]
mod archive;
mod first_run;
#[cfg(feature = "full")]
mod image;
#[cfg(feature = "full")]
mod labels;
#[cfg(feature = "full")]
mod layout;
mod matrix;
#[cfg(feature = "full")]
mod mesh;
mod order;
mod prune;
#[cfg(feature = "full")]
mod release;
#[cfg(feature = "full")]
mod sbom;
#[cfg(feature = "full")]
mod test;
mod trace;

use std::env;
use std::error::Error;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

const USAGE: &str =
    "usage: cargo xtask prune IN OUT | trace IN OUT | image DIST | release DIST | matrix VERSION... | first-run
    | test ARGUMENT... | mesh [SUITE...] [-- ARGUMENT...]";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["prune", input, output] => prune::run(Path::new(input), Path::new(output)),
        ["trace", input, output] => trace::run(Path::new(input), Path::new(output)),
        #[cfg(feature = "full")]
        ["image", dist] => image::run(Path::new(dist)),
        #[cfg(feature = "full")]
        ["release", dist] => release::run(Path::new(dist)),
        ["matrix", versions @ ..] if !versions.is_empty() => matrix::run(versions),
        #[cfg(feature = "full")]
        ["test", arguments @ ..] => test::run(arguments),
        #[cfg(feature = "full")]
        ["mesh", arguments @ ..] => mesh::run(arguments),
        ["first-run"] => first_run::run(),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The standard output of a program. Its error output goes to ours.
fn output(program: &str, arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    let output = Command::new(program).args(arguments).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{program} {}: {}", arguments.join(" "), output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
