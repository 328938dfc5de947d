//! The command `tollgate`: checks configurations and explains verdicts with the code that runs in
//! the proxy.
//!
//! - [`document`]: finds configurations in files, manifests and bootstraps; [`environment`]: the
//!   variables that they read.
//! - [`init`]: writes a first one · [`check`]: finds their problems · [`convert`]: prints one as JSON
//! - [`explain`]: explains verdicts
//! - [`probe`]: checks that a proxy enforces one · [`admission`]: refuses wrong ones in a cluster
//! - [`mint`], [`serve`]: an issuer for development · [`output`]: how results are written

mod admission;
mod check;
mod convert;
mod document;
mod environment;
mod explain;
mod init;
mod mint;
mod output;
mod probe;
mod serve;

use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Style, Styles};
use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use output::Failure;

const STYLES: Styles = Styles::styled()
    .header(Style::new().bold())
    .usage(Style::new().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(Style::new().dimmed());

/// Writes and checks configurations of tollgate, explains its decisions, and signs tokens for tests.
#[derive(Parser)]
#[command(name = "tollgate", version, styles = STYLES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Init(init::Arguments),
    Check(check::Arguments),
    Json(convert::Arguments),
    Explain(Box<explain::Arguments>),
    Mint(mint::Arguments),
    Probe(probe::Arguments),
    Admission(admission::Arguments),
    ServeJwks(serve::Arguments),
    /// Print the JSON Schema of the configuration.
    Schema,
    Completions(Completions),
}

/// Print a completion script for a shell.
#[derive(Args)]
struct Completions {
    /// The shell.
    shell: Shell,
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Admission(arguments) => admission::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Json(arguments) => convert::run(&arguments),
        Command::Init(arguments) => init::run(&arguments),
        Command::Mint(arguments) => mint::run(&arguments),
        Command::Probe(arguments) => probe::run(&arguments),
        Command::ServeJwks(arguments) => serve::run(&arguments),
        Command::Schema => output::json(&tollgate::config::json_schema()),
        Command::Completions(Completions { shell }) => completions(shell),
    };
    match result {
        Ok(code) => code,
        Err(Failure::Closed) => ExitCode::SUCCESS,
        Err(Failure::Usage(message)) => failed(&message, output::USAGE),
        Err(Failure::Refused(message)) => failed(&message, output::WRONG),
    }
}

fn failed(message: &str, code: u8) -> ExitCode {
    // A message can quote a file; its own lines stay.
    let message: Vec<String> = message.lines().map(output::plain).collect();
    anstream::eprintln!("{}: {}", output::bad("error"), message.join("\n"));
    ExitCode::from(code)
}

fn completions(shell: Shell) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tollgate", &mut script);
    output::text(&String::from_utf8_lossy(&script))
}
