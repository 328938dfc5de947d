//! `tollgate serve-jwks`: serves discovery and keys of the development issuer on loopback.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::mint::keys;
use crate::output::{self, Failure};

/// Serve the discovery document and the public keys of `tollgate mint` on loopback.
#[derive(Args)]
pub struct Arguments {
    /// The directory with the keys.
    #[arg(long, value_name = "DIR", default_value = "tollgate-dev-keys")]
    dir: PathBuf,
    /// The loopback address to listen on; port 0 picks a free port.
    #[arg(long, value_name = "127.0.0.1:PORT", default_value = "127.0.0.1:8087")]
    listen: SocketAddr,
    /// The issuer in the discovery document; the default is http:// and the address.
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
}

/// Serves until the process is stopped.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if !arguments.listen.ip().is_loopback() {
        return Err(Failure::usage("--listen: allowed: an address of loopback"));
    }
    keys::jwks(&arguments.dir)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    runtime.map_err(Failure::usage)?.block_on(serve(arguments))
}

async fn serve(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let listener = TcpListener::bind(arguments.listen).await;
    let listener =
        listener.map_err(|error| Failure::usage(format_args!("{}: {error}", arguments.listen)))?;
    let address = listener.local_addr().map_err(Failure::usage)?;
    let issuer = arguments.issuer.clone().unwrap_or_else(|| format!("http://{address}"));
    let jwks_uri = format!("http://{address}/jwks");
    output::text(&format!("development issuer {issuer}, keys at {jwks_uri}\n"))?;
    let discovery = json!({"issuer": issuer, "jwks_uri": jwks_uri});
    let shared = Arc::new((discovery, arguments.dir.clone()));
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let shared = Arc::clone(&shared);
        let answer = service_fn(move |request: Request<Incoming>| {
            let (discovery, dir) = &*shared;
            let reply = reply(request.uri().path(), discovery, dir);
            async move { Ok::<_, Infallible>(reply) }
        });
        // Browsers open connections before they need them, so that one must not keep the others waiting.
        let connection =
            http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), answer);
        tokio::spawn(connection);
    }
}

/// Reads the keys for each answer, so that a new key is served at once.
fn reply(path: &str, discovery: &Value, dir: &Path) -> Response<Full<Bytes>> {
    let document = match path {
        "/.well-known/openid-configuration" => Some(discovery.clone()),
        "/jwks" | "/.well-known/jwks.json" => keys::jwks(dir).ok(),
        _ => None,
    };
    let status = if document.is_some() { 200 } else { 404 };
    let body = document.map(|document| document.to_string()).unwrap_or_default();
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() =
        hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::NOT_FOUND);
    let json = hyper::header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, json);
    response
}
