//! `tollgate explain`: what would become of a request, step by step, and why.

mod admission;
mod caller;
mod claims;
mod engine;
mod limits;
mod moment;
mod print;
mod scene;
mod source;
mod steps;
mod store;
mod telling;
mod upstream;

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::output::Failure;
use scene::Line;

/// Explain what would become of a request: each step of the verdict, and why.
///
/// The same code decides as in the proxy; every bucket is full, and keys are not fetched. The token,
/// keys and signatures are never printed. Claims are; --redact hides them.
#[derive(Args)]
pub struct Arguments {
    /// The configuration: whatever `tollgate check` takes.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Which of several configurations in the file: its number from 1.
    #[arg(long, value_name = "N", default_value_t = 1)]
    number: usize,
    /// The token; `-` reads it from standard input, out of sight of other processes.
    #[arg(long, value_name = "TOKEN|-", conflicts_with = "tokens")]
    token: Option<String>,
    /// A file with a token on each line (`-`: standard input); each gets a line of its own.
    #[arg(long, value_name = "FILE|-")]
    tokens: Option<PathBuf>,
    /// The keys of a provider, as a JWKS: for those that the filter would fetch.
    #[arg(long, value_name = "PROVIDER=FILE")]
    keys: Vec<String>,
    /// An environment variable of the VM: NAME=VALUE, or NAME for one that is set here.
    #[arg(long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// The method of the request.
    #[arg(long, default_value = "GET")]
    method: String,
    /// Its path, with a query if it has one.
    #[arg(long, default_value = "/")]
    path: String,
    /// Its host.
    #[arg(long, default_value = "localhost")]
    host: String,
    /// A header of the request.
    #[arg(long, value_name = "NAME:VALUE")]
    header: Vec<String>,
    /// When it arrives: RFC 3339, or seconds since 1970; now if absent.
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    at: Option<u64>,
    /// The address that it comes from.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    client_address: String,
    /// The SHA-256 of the client's certificate in hexadecimal, for `bind: mtls`.
    #[arg(long, value_name = "HEX")]
    peer_certificate: Option<String>,
    /// Hide the values of claims and tags.
    #[arg(long)]
    redact: bool,
    /// Print JSON: one document, or with --tokens one on each line.
    #[arg(long)]
    json: bool,
}

/// Runs the command. The exit code says that an explanation was given, not what it is.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let scene = source::scene(arguments)?;
    let line = line(arguments)?;
    if let Some(path) = &arguments.tokens {
        let tokens = match path.as_os_str() == "-" {
            true => stdin()?,
            false => std::fs::read(path)
                .map_err(|error| Failure::usage(format_args!("{}: {error}", path.display())))?,
        };
        // The last line may end in a newline, and is no further token for it.
        let tokens = tokens.strip_suffix(b"\n").unwrap_or(&tokens);
        return print::batch(&scene, &line, tokens.split(|byte| *byte == b'\n'), arguments.json);
    }
    let token = match arguments.token.as_deref() {
        Some("-") => Some(stdin()?.trim_ascii().to_vec()),
        token => token.map(|token| token.as_bytes().to_vec()),
    };
    let outcome = scene.judge(&line, token.as_deref());
    let steps = steps::of(&scene, &line, &outcome, arguments.redact);
    match arguments.json {
        true => print::json(&scene, &outcome, &steps, arguments.redact),
        false => print::people(&scene, &outcome, &steps),
    }
}

fn stdin() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().read_to_end(&mut bytes);
    read.map_err(|error| Failure::usage(format_args!("standard input: {error}")))?;
    Ok(bytes)
}

/// The request as the options describe it.
fn line(arguments: &Arguments) -> Result<Line, Failure> {
    let pseudo = [
        (":method", &arguments.method),
        (":path", &arguments.path),
        (":authority", &arguments.host),
    ];
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
        peer_certificate: arguments.peer_certificate.as_ref().map(|hex| hex.to_ascii_lowercase()),
        now: arguments.at.unwrap_or_else(moment::now),
    })
}
