//! `tollgate admission`: a validating webhook that refuses wrong configurations at `kubectl apply`.
//!
//! - [`review`]: judges one AdmissionReview · [`words`]: keeps messages and warnings short
//! - [`server`]: TLS, connections, the end · [`routes`]: paths and bodies · [`certificate`]: rereads its files

mod certificate;
mod review;
mod routes;
mod server;
mod words;

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tokio::net::TcpListener;

use crate::output::{self, Failure, plain};
use certificate::Certificate;

/// Serve a validating webhook of Kubernetes that refuses what `check` refuses.
///
/// The path is /validate. It judges WasmPlugin, TrafficExtension, EnvoyExtensionPolicy and EnvoyFilter
/// objects whose module's name or address contains `tollgate`, or that have the label `tollgate: check`,
/// and admits everything else. Problems refuse the object; warnings are shown to the user.
///
/// /healthz and /readyz are for probes. The certificate is read again when its files change. SIGTERM
/// ends the server after the requests in flight.
#[derive(Args)]
pub struct Arguments {
    /// The address to listen on; port 0 picks a free port.
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:8443")]
    listen: SocketAddr,
    /// A PEM file with the certificate of the server, then those of intermediate authorities.
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,
    /// A PEM file with its private key.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

/// Serves until SIGTERM or SIGINT.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let certificate = Certificate::load(&arguments.cert, &arguments.key).map_err(Failure::usage)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Failure::usage)?;
    let outcome = runtime.block_on(async {
        let listen = arguments.listen;
        let listener = TcpListener::bind(listen).await;
        let listener = listener.map_err(|e| Failure::usage(format_args!("{listen}: {e}")))?;
        let address = listener.local_addr().map_err(Failure::usage)?;
        output::text(&format!("admission webhook at https://{address}/validate\n"))?;
        server::serve(listener, certificate).await.map_err(Failure::usage)?;
        Ok(ExitCode::SUCCESS)
    });
    // A review that is still being judged does not delay the end.
    runtime.shutdown_background();
    outcome
}

/// Writes one line to the log, standard error.
fn log(line: impl Display) {
    anstream::eprintln!("{}", plain(&line.to_string()));
}
