//! `tollgate explain`: judges one request and prints each step.

mod admission;
mod audit;
mod caller;
mod claims;
pub mod cures;
mod engine;
mod hint;
mod limits;
mod method;
mod moment;
mod near;
mod print;
mod scene;
mod source;
mod steps;
mod trace;
mod upstream;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tollgate::time::Moment;

use clap::Args;

use crate::document::is_standard_input;
use crate::output::Failure;
use scene::Line;

/// Explain the decision on a request step by step, or the lines of an audit log.
///
/// The decision is made by the filter's own code, with full buckets and without fetching keys. Tokens,
/// keys and signatures are never printed. Claims are printed unless --redact is given.
///
/// Exit codes: 0 if the request is allowed, 3 if it is denied (with --tokens and --audit: if any is),
/// 1 if the filter refuses the configuration, 2 for an invalid command line.
#[derive(Args)]
pub struct Arguments {
    /// The file with the configuration, in any form that `tollgate check` accepts (`-` for standard input).
    #[arg(long, value_name = "FILE", required_unless_present = "audit")]
    config: Option<PathBuf>,
    /// A file with audit lines (`-` for standard input): prints for each what happened and what cures
    /// it, without a configuration.
    #[arg(long, value_name = "FILE|-", conflicts_with_all = ["config", "token", "tokens"])]
    audit: Option<PathBuf>,
    /// The number of the configuration in the file, from 1.
    #[arg(long, value_name = "N", default_value_t = 1)]
    number: usize,
    /// The token; `-` reads it from standard input, which hides it from other processes.
    #[arg(long, value_name = "TOKEN|-", conflicts_with = "tokens")]
    token: Option<String>,
    /// A file with one token per line (`-` for standard input); prints one line per token.
    #[arg(long, value_name = "FILE|-")]
    tokens: Option<PathBuf>,
    /// A JWKS file for a provider whose keys the filter would fetch.
    #[arg(long, value_name = "PROVIDER=FILE")]
    keys: Vec<String>,
    /// An environment variable of the VM: NAME=VALUE, or NAME to pass on one that is set here.
    #[arg(long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// The method of the request; by default the only one that the rules admit for it, else GET.
    #[arg(long)]
    method: Option<String>,
    /// The path, with a query if there is one.
    #[arg(long, default_value = "/")]
    path: String,
    /// The host.
    #[arg(long, default_value = "localhost")]
    host: String,
    /// A request header.
    #[arg(long, value_name = "NAME:VALUE")]
    header: Vec<String>,
    /// A file with the body of the request (`-` for standard input). Without it, explain lists what the body decides.
    #[arg(long, value_name = "FILE|-")]
    body: Option<PathBuf>,
    /// The arrival time: RFC 3339, or seconds since 1970; the default is now.
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    at: Option<Moment>,
    /// The client address.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    client_address: String,
    /// The SHA-256 of the client's certificate in hexadecimal, for `bind: mtls`.
    #[arg(long, value_name = "HEX")]
    peer_certificate: Option<String>,
    /// Hide the values of claims and tags.
    #[arg(long)]
    redact: bool,
    /// Print JSON: one document, or with --tokens one document per line.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if let Some(path) = &arguments.audit {
        return audit::run(&read(path)?, arguments.redact, arguments.json);
    }
    let standard = |file: &Option<PathBuf>| file.as_deref().is_some_and(is_standard_input);
    let token = arguments.token.as_deref() == Some("-") || standard(&arguments.tokens);
    let config = standard(&arguments.config);
    if (token || config) && standard(&arguments.body) {
        let what = if token { "token" } else { "configuration" };
        return Err(Failure::usage(format_args!(
            "--body: standard input has the {what}; name a file"
        )));
    }
    if token && config {
        return Err(Failure::usage("--config: standard input has the token; name a file"));
    }
    let scene = source::scene(arguments)?;
    let mut line = line(arguments)?;
    let chosen = method::choose(&scene, &mut line, arguments.method.as_deref());
    let typed = method::assume_type(&scene, &mut line);
    if let Some(path) = &arguments.tokens {
        let tokens = read(path)?;
        // A newline at the end does not begin another token.
        let tokens = tokens.strip_suffix(b"\n").unwrap_or(&tokens);
        return print::batch(&scene, &line, tokens.split(|byte| *byte == b'\n'), arguments.json);
    }
    let token = match arguments.token.as_deref() {
        Some("-") => Some(stdin()?.trim_ascii().to_vec()),
        token => token.map(|token| token.as_bytes().to_vec()),
    };
    if token.as_ref().is_some_and(Vec::is_empty) {
        let from = match arguments.token.as_deref() {
            Some("-") => "standard input",
            _ => "the value",
        };
        return Err(Failure::usage(format_args!(
            "--token: {from} is empty; leave --token out for a request without a token"
        )));
    }
    let outcome = scene.judge(&line, token.as_deref());
    let steps = steps::of(&scene, &line, &outcome, arguments.redact);
    let steps: Vec<_> = chosen.into_iter().chain(typed).chain(steps).collect();
    match arguments.json {
        true => print::json(&scene, &outcome, &steps, arguments.redact),
        false => print::people(&scene, &outcome, &steps),
    }
}

/// The content of a file, or of standard input for `-`.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    if is_standard_input(path) {
        return stdin();
    }
    std::fs::read(path).map_err(|error| Failure::usage(format_args!("{}: {error}", path.display())))
}

fn stdin() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().read_to_end(&mut bytes);
    read.map_err(|error| Failure::usage(format_args!("standard input: {error}")))?;
    Ok(bytes)
}

/// The request as the options describe it.
fn line(arguments: &Arguments) -> Result<Line, Failure> {
    // The proxy's path always begins so, but for that of `OPTIONS *`; no rule would match.
    if !arguments.path.starts_with('/') && arguments.path != "*" {
        let found = &arguments.path;
        return Err(Failure::usage(format_args!(
            "--path: {found:?} does not begin with /; give the part of the address after the host"
        )));
    }
    let pseudo = [(":path", &arguments.path), (":authority", &arguments.host)];
    let mut headers: Vec<(String, Vec<u8>)> =
        pseudo.map(|(name, value)| (name.to_owned(), value.clone().into_bytes())).to_vec();
    for header in &arguments.header {
        let Some((name, value)) = header.split_once(':') else {
            return Err(Failure::usage("--header: allowed: NAME:VALUE"));
        };
        headers.push((name.trim().to_ascii_lowercase(), value.trim().as_bytes().to_vec()));
    }
    Ok(Line {
        headers,
        client_address: arguments.client_address.clone(),
        body: arguments.body.as_deref().map(read).transpose()?,
        peer_certificate: arguments.peer_certificate.as_ref().map(|hex| hex.to_ascii_lowercase()),
        now: arguments.at.unwrap_or_else(moment::now),
    })
}
