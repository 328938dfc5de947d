//! The build steps that need more than a few commands: `cargo run --package xtask -- COMMAND`.
//!
//! - `prune IN OUT`: removes backtraces from the module and checks that it cannot sign ([`prune`]).

mod prune;

use std::env;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    match arguments {
        ["prune", input, output] => prune::run(Path::new(input), Path::new(output)),
        _ => Err("usage: xtask prune IN OUT".into()),
    }
}
