//! `tollgate init`: writes a first configuration, made from the shipped examples.

mod clients;
mod envoy;
mod family;
mod kubernetes;
mod source;
mod template;

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgGroup, Args, ValueEnum};

use crate::check;
use crate::output::{self, Failure};
use family::Preset;
use source::Source;

/// Write a first configuration for Envoy, Istio or Envoy Gateway.
///
/// Each request needs a token of one issuer, except for /healthz, and each caller has a quota. The
/// result passes `tollgate check`. With `--preset`, only the paths of an API are open. In manifests, the digest of the image remains to be set.
#[derive(Args)]
#[command(group(ArgGroup::new("source").args(["issuer", "entra"]).required(true)))]
pub struct Arguments {
    /// The `iss` of the tokens, which is also the address of the issuer's discovery document.
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// The tenant ID in Microsoft Entra ID, instead of an issuer.
    #[arg(long, value_name = "TENANT")]
    entra: Option<String>,
    /// The `aud` of the tokens: the name of your API at the issuer.
    #[arg(long, value_name = "AUDIENCE")]
    audience: String,
    /// The API that clients call: the rules name its paths, and nothing else passes.
    #[arg(long, value_enum, value_name = "API")]
    preset: Option<Preset>,
    /// The variable of Envoy's environment with the upstream's key, which replaces the caller's token.
    #[arg(long, value_name = "VARIABLE", requires = "preset")]
    upstream_key: Option<String>,
    /// The address of the proxy for clients, as in https://ml.example.com; for `--preset mcp`.
    #[arg(long, value_name = "URL", requires = "preset", required_if_eq("preset", "mcp"))]
    server: Option<String>,
    /// Where the configuration is used.
    #[arg(long = "for", value_enum, default_value_t = Target::Envoy)]
    target: Target,
    /// The file to create; by default, standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The forms of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Target {
    /// A complete configuration of Envoy.
    Envoy,
    /// A WasmPlugin, with the ServiceEntry and DestinationRule of the issuer.
    Istio,
    /// An EnvoyExtensionPolicy, with an EnvoyProxy that has the issuer's cluster.
    EnvoyGateway,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let source = Source::of(arguments)?;
    if !source.is_tls && arguments.target != Target::Envoy {
        return Err(Failure::usage(
            "--issuer: http is for tests with a plain Envoy; allowed: https",
        ));
    }
    let text = match arguments.target {
        Target::Envoy => envoy::bootstrap(&source)?,
        Target::Istio => kubernetes::istio(&source)?,
        Target::EnvoyGateway => kubernetes::gateway(&source)?,
    };
    // A wrong tenant or issuer gets the same message as in `check`.
    if let Some((path, message)) = check::first_of(text.as_bytes()) {
        return Err(Failure::usage(format_args!("{}: {message}", option(&path))));
    }
    match &arguments.output {
        None => output::text(&text),
        Some(path) => create(path, &text),
    }
}

/// The option whose value stands at a path of the result.
fn option(path: &str) -> &str {
    let at = |part: &(&str, &'static str)| path.contains(part.0).then_some(part.1);
    let options = [
        (".issuers", "--issuer"),
        (".keys.remote", "--issuer"),
        (".tenants", "--entra"),
        (".audiences", "--audience"),
        (".upstream_authorization", "--upstream-key"),
        ("resource_metadata", "--server"),
    ];
    options.iter().find_map(at).unwrap_or(path)
}

/// Creates a file; an existing one stays.
fn create(path: &Path, text: &str) -> Result<ExitCode, Failure> {
    let written = File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes()));
    match written {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(Failure::usage(
            format_args!("{}: the file exists; remove it, or name another", path.display()),
        )),
        Err(error) => Err(Failure::usage(format_args!("{}: {error}", path.display()))),
    }
}
