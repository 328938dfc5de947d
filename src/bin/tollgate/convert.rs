//! `tollgate json`: prints the configuration of a file as JSON, the form in which Envoy takes it, alone or within
//! Envoy's file.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::check;
use crate::document::{self, Chosen};
use crate::output::{self, Failure};

/// Print a configuration as one JSON document, for `configuration.value` of the filter in Envoy.
///
/// Istio and Envoy Gateway take the configuration as YAML and need no conversion. Members keep their
/// order, and comments are lost.
///
/// Exit codes: 0 if the document is printed, 1 if `tollgate check` finds a problem in the file, 2 for an
/// invalid command line.
#[derive(Args)]
pub struct Arguments {
    /// The file with the configuration, in any form that `tollgate check` accepts (`-` for standard input).
    file: PathBuf,
    /// The number of the configuration in the file, from 1.
    #[arg(long, value_name = "N", default_value_t = 1)]
    number: usize,
    /// A file of Envoy with one filter of tollgate: prints that file, with this configuration in place of its own.
    #[arg(long, value_name = "ENVOY")]
    into: Option<PathBuf>,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let Arguments { file, number, into } = arguments;
    let content = document::load(file, Chosen::ByName);
    let text = document::json(&content, *number, file);
    check::refused(file, content)?;
    let json = output::json_plain(text?.trim_end());
    match into {
        None => output::text(&format!("{json}\n")),
        Some(into) => {
            let around = document::load(into, Chosen::ByName);
            output::text(&document::replace(&around, &json, into)?)
        }
    }
}
