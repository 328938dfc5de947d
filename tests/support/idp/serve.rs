//! The sockets: the accept loop, one task per connection, and the TLS identity.

use std::error::Error as _;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;

use super::Shared;
use super::answer::{Reset, answer};

const BACKLOG: u32 = 1024;

/// A socket bound to `address`, beside others that are bound there but do not listen.
pub(super) fn bind(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("SO_REUSEADDR");
    socket.bind(address).expect("the port is free or reserved by us");
    socket
}

/// A listening server; dropping it makes it end soon, [`Server::stop`] waits for that.
pub(super) struct Server {
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

impl Server {
    pub(super) fn start(address: SocketAddr, tls: Option<TlsAcceptor>, shared: Shared) -> Self {
        let listener = bind(address).listen(BACKLOG).expect("no other program listens on the port");
        let (stop, stopped) = oneshot::channel();
        Self { stop, ended: tokio::spawn(accept(listener, stopped, tls, shared)) }
    }

    pub(super) async fn stop(self) {
        drop(self.stop);
        self.ended.await.expect("the accept loop does not panic");
    }
}

async fn accept(
    listener: TcpListener,
    stopped: oneshot::Receiver<()>,
    tls: Option<TlsAcceptor>,
    shared: Shared,
) {
    let mut stopped = pin!(stopped);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            accepted = listener.accept() => {
                // A client that left before it was accepted is no concern of the others.
                let Ok((stream, _)) = accepted else { continue };
                let (tls, shared) = (tls.clone(), Arc::clone(&shared));
                connections.spawn(async move {
                    match tls {
                        None => serve(stream, shared).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, shared).await;
                            }
                        }
                    }
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    connections.shutdown().await;
}

/// A stream whose TCP connection can be reached, to reset it.
trait Stream: AsyncRead + AsyncWrite + Unpin {
    fn tcp(&self) -> &TcpStream;
}

impl Stream for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Stream for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

async fn serve(stream: impl Stream, shared: Shared) {
    let _ = stream.tcp().set_nodelay(true);
    let service = service_fn(|request: Request<Incoming>| {
        answer(Arc::clone(&shared), request.uri().path().to_owned())
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let result = (&mut connection).await;
    let reset = result.is_err_and(|error| error.source().is_some_and(|cause| cause.is::<Reset>()));
    if reset {
        // A close with a linger of zero sends RST instead of FIN.
        let stream = connection.into_parts().io.into_inner();
        let _ = stream.tcp().set_zero_linger();
    }
}

/// A CA made for one provider, and the acceptor with a leaf of it.
pub(super) struct Tls {
    pub(super) ca_pem: String,
    pub(super) acceptor: TlsAcceptor,
}

impl Tls {
    /// The leaf has these names.
    pub(super) fn new(names: &[&str]) -> Self {
        let ca_key = KeyPair::generate().expect("a key for the CA");
        let mut ca = CertificateParams::default();
        ca.distinguished_name.push(DnType::CommonName, "tollgate test CA");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca_pem = ca.self_signed(&ca_key).expect("a CA certificate").pem();

        let leaf_key = KeyPair::generate().expect("a key for the leaf");
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut leaf = CertificateParams::new(names).expect("valid names");
        leaf.distinguished_name.push(DnType::CommonName, "tollgate test issuer");
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.use_authority_key_identifier_extension = true;
        let leaf = leaf.signed_by(&leaf_key, &Issuer::new(ca, ca_key)).expect("a leaf certificate");

        // The provider is named: with two of them compiled in, rustls would not choose.
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has the default versions")
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.der().clone()],
                PrivateKeyDer::try_from(leaf_key.serialize_der()).expect("a PKCS#8 key"),
            )
            .expect("the key fits the certificate");
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self { ca_pem, acceptor: TlsAcceptor::from(Arc::new(config)) }
    }
}
