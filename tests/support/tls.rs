//! Mutual TLS for a listener: an authority made at run time, certificates of clients, and a client.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

pub use tokio_rustls::TlsAcceptor;

use super::client::{Connection, Request, Response};

/// The authority that signs the certificates of the listener and of its clients.
#[derive(Clone)]
pub struct Authority {
    certificate: CertificateDer<'static>,
    pem: String,
    issuer: Arc<Issuer<'static, KeyPair>>,
}

/// A certificate of a client and its key.
pub struct Client {
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Client {
    /// The hash for `cnf.x5t#S256` of a token (RFC 8705 §3.1).
    pub fn sha256(&self) -> Vec<u8> {
        superboring::reexports::hmac_sha256::Hash::hash(&self.certificate).to_vec()
    }
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        // Verifiers find an authority by its name.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let name = format!("tollgate test CA {}", NEXT.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certificate = params.self_signed(&key).unwrap();
        Self {
            pem: certificate.pem(),
            certificate: certificate.der().clone(),
            issuer: Arc::new(Issuer::new(params, key)),
        }
    }

    fn leaf(
        &self,
        name: &str,
        usages: &[ExtendedKeyUsagePurpose],
    ) -> (rcgen::Certificate, KeyPair) {
        self.sign(&Self::params(name, usages))
    }

    fn sign(&self, params: &CertificateParams) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    fn params(name: &str, usages: &[ExtendedKeyUsagePurpose]) -> CertificateParams {
        // A SPIFFE name is a URI; everything else is the name of a host.
        let mut params = CertificateParams::default();
        let name_of = rcgen::string::Ia5String::try_from(name).unwrap();
        params.subject_alt_names.push(match name.contains("://") {
            true => SanType::URI(name_of),
            false => SanType::DnsName(name_of),
        });
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = usages.to_vec();
        params
    }

    /// The certificate of this authority.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The certificate of a server on this machine, and its key.
    pub fn server_pem(&self) -> (String, String) {
        let (certificate, key) = self.leaf("localhost", &[ExtendedKeyUsagePurpose::ServerAuth]);
        (certificate.pem(), key.serialize_pem())
    }

    /// The same, for a day.
    pub fn expiring_pem(&self) -> (String, String) {
        let mut params = Self::params("localhost", &[ExtendedKeyUsagePurpose::ServerAuth]);
        params.not_after = (SystemTime::now() + Duration::from_secs(24 * 60 * 60)).into();
        let (certificate, key) = self.sign(&params);
        (certificate.pem(), key.serialize_pem())
    }

    /// The certificate of a workload by its SPIFFE name, for both sides of a connection, and its key.
    pub fn workload_pem(&self, name: &str) -> (String, String) {
        use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
        let (certificate, key) = self.leaf(name, &[ClientAuth, ServerAuth]);
        (certificate.pem(), key.serialize_pem())
    }

    /// TLS of a server with a certificate of this name. If there are authorities of clients, a client needs a
    /// certificate of one of them.
    pub fn acceptor(&self, name: &str, clients: &[&Authority]) -> TlsAcceptor {
        let (certificate, key) = self.leaf(name, &[ExtendedKeyUsagePurpose::ServerAuth]);
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let config = match clients {
            [] => config.with_no_client_auth(),
            clients => {
                let mut roots = RootCertStore::empty();
                clients.iter().for_each(|one| roots.add(one.certificate.clone()).unwrap());
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
                config.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = config.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        TlsAcceptor::from(Arc::new(config))
    }

    /// Serves TLS at an address until the task is aborted, with a certificate of this name, and forwards what comes to
    /// a plain server. If `mutual`, clients need a certificate of this authority.
    pub async fn terminate(
        &self,
        address: (Ipv4Addr, u16),
        name: &str,
        to: SocketAddr,
        mutual: bool,
    ) -> JoinHandle<()> {
        let clients: &[&Self] = if mutual { &[self] } else { &[] };
        let acceptor = self.acceptor(name, clients);
        let listener = TcpListener::bind(address).await.unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut near = acceptor.accept(stream).await?;
                    let mut far = TcpStream::connect(to).await?;
                    tokio::io::copy_bidirectional(&mut near, &mut far).await
                });
            }
        })
    }

    /// A certificate for a client: of a host, or of a workload by its SPIFFE name.
    pub fn client(&self, name: &str) -> Client {
        let (certificate, key) = self.leaf(name, &[ExtendedKeyUsagePurpose::ClientAuth]);
        Client { certificate: certificate.der().clone(), key: key.serialize_der() }
    }

    /// The transport socket of a listener that asks clients for a certificate of this authority.
    pub fn downstream(&self, required: bool) -> Value {
        let (certificate, key) = self.leaf("localhost", &[ExtendedKeyUsagePurpose::ServerAuth]);
        json!({"name": "envoy.transport_sockets.tls", "typed_config": {
            "@type": "type.googleapis.com/\
                      envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "require_client_certificate": required,
            "common_tls_context": {
                "tls_certificates": [{
                    "certificate_chain": {"inline_string": certificate.pem()},
                    "private_key": {"inline_string": key.serialize_pem()},
                }],
                "validation_context": {"trusted_ca": {"inline_string": self.pem}},
            },
        }})
    }

    /// One request over TLS, with the certificate of a client or without any.
    pub async fn send(
        &self,
        address: SocketAddr,
        client: Option<&Client>,
        request: &Request,
    ) -> Response {
        let stream = self.connect(Ipv4Addr::LOCALHOST.into(), address, client).await.unwrap();
        Connection::over(stream, request).await
    }

    /// One request over TLS from another address of loopback: another caller.
    pub async fn send_from(
        &self,
        source: IpAddr,
        address: SocketAddr,
        request: &Request,
    ) -> Response {
        Connection::over(self.connect(source, address, None).await.unwrap(), request).await
    }

    /// A TLS connection from an address of loopback.
    ///
    /// With TLS 1.3 a server judges the client's certificate after this: reading shows its verdict.
    pub async fn connect(
        &self,
        source: IpAddr,
        address: SocketAddr,
        client: Option<&Client>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        self.greet("localhost", connect_from(source, address).await?, client).await
    }

    /// TLS with the server of this name over a connection to it.
    pub async fn greet(
        &self,
        name: &str,
        stream: TcpStream,
        client: Option<&Client>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match client {
            None => config.with_no_client_auth(),
            Some(client) => {
                let key = PrivateKeyDer::try_from(client.key.clone()).unwrap();
                config.with_client_auth_cert(vec![client.certificate.clone()], key).unwrap()
            }
        };
        let name = ServerName::try_from(name.to_owned()).unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }
}

/// A connection from an address of loopback.
pub async fn connect_from(source: IpAddr, address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(source, 0))?;
    socket.connect(address).await
}
