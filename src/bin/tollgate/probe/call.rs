//! One request over HTTP/1.1, with TLS for `https`.

use std::path::Path;
use std::sync::Arc;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{HeaderMap, Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::answer::Answer;
use crate::output::Failure;

/// No refusal of tollgate is longer.
const MAX_BODY: usize = 16 * 1024;

/// Reads the address: `http` or `https`, and a host.
pub fn address(text: &str) -> Result<Uri, String> {
    if !text.contains("://") {
        return Err(format!("the scheme is missing; as in http://{text} or https://{text}"));
    }
    let uri: Uri = text.parse().map_err(|error| format!("{error}"))?;
    match (uri.scheme_str(), uri.authority()) {
        (Some("http" | "https"), Some(authority)) if !authority.as_str().contains('@') => Ok(uri),
        _ => Err("allowed: http:// or https://, a host, a path".to_owned()),
    }
}

/// Reads `NAME:VALUE`.
pub fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("allowed: NAME:VALUE")?;
    let name = name.trim().parse().map_err(|error| format!("{error}"))?;
    Ok((name, value.trim().parse().map_err(|error| format!("{error}"))?))
}

/// The trusted authorities for an address: those of the file, else of the system; none for `http`.
pub fn roots(uri: &Uri, file: Option<&Path>) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    if uri.scheme_str() == Some("http") {
        return Ok(roots);
    }
    let certificates = match file {
        Some(path) => {
            let wrong = |error| Failure::usage(format_args!("{}: {error}", path.display()));
            let list = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
            list.map_err(wrong)?
        }
        None => rustls_native_certs::load_native_certs().certs,
    };
    roots.add_parsable_certificates(certificates);
    match roots.is_empty() {
        true => Err(Failure::usage("there is no trusted authority; name a file with --ca")),
        false => Ok(roots),
    }
}

/// A request to send.
pub struct Call<'a> {
    pub uri: &'a Uri,
    pub method: &'a Method,
    pub headers: HeaderMap,
    pub roots: RootCertStore,
}

impl Call<'_> {
    /// The answer, or why there is none.
    pub async fn send(self) -> Result<Answer, String> {
        let is_tls = self.uri.scheme_str() == Some("https");
        let host = self.uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = self.uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let stream = TcpStream::connect((host.as_str(), port)).await.map_err(text)?;
        let request = self.request().map_err(text)?;
        let response = match is_tls {
            false => exchange(stream, request).await?,
            true => {
                let config = ClientConfig::builder()
                    .with_root_certificates(self.roots)
                    .with_no_client_auth();
                let name = ServerName::try_from(host).map_err(text)?;
                let connector = TlsConnector::from(Arc::new(config));
                exchange(connector.connect(name, stream).await.map_err(text)?, request).await?
            }
        };
        let (head, mut incoming) = response.into_parts();
        let mut body = Vec::new();
        while body.len() < MAX_BODY {
            let Some(Ok(frame)) = incoming.frame().await else { break };
            body.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        }
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }

    fn request(&self) -> hyper::http::Result<Request<Empty<Bytes>>> {
        let target = self.uri.path_and_query().map_or("/", |target| target.as_str());
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        let mut request = Request::builder()
            .method(self.method)
            .uri(target)
            .header(HOST, authority)
            .header(USER_AGENT, concat!("tollgate-probe/", env!("CARGO_PKG_VERSION")))
            .body(Empty::new())?;
        request.headers_mut().extend(self.headers.clone());
        Ok(request)
    }
}

async fn exchange<S>(
    stream: S,
    request: Request<Empty<Bytes>>,
) -> Result<Response<Incoming>, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(text)?;
    // Its errors are those of the request.
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(text)
}

/// An error with its causes.
fn text(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
