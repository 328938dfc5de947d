//! Accepts connections over TLS, in bounded number and for a bounded time, until the process is told to end.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{interval, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;

use super::certificate::Certificate;
use super::log;
use super::routes::Routes;

/// The most connections; others wait to be accepted.
const CONNECTIONS: u32 = 128;

/// The most requests at once on a connection of HTTP/2.
const STREAMS: u32 = 16;

/// The time for a TLS handshake, and for the headers of a request.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// The age at which a connection is closed, so that idle ones do not keep others out.
const AGE: Duration = Duration::from_secs(300);

/// The time for requests in flight at the end.
const GRACE: Duration = Duration::from_secs(15);

/// How often the files of the certificate are read.
const RENEWAL: Duration = Duration::from_secs(5);

/// Serves until SIGTERM or SIGINT, and then until the requests in flight are answered.
pub async fn serve(listener: TcpListener, certificate: Certificate) -> io::Result<()> {
    let certificate = Arc::new(certificate);
    let acceptor = acceptor(&certificate)?;
    tokio::spawn(async move {
        let mut ticks = interval(RENEWAL);
        loop {
            ticks.tick().await;
            certificate.renew().into_iter().for_each(log);
        }
    });
    let routes = Arc::new(Routes::new());
    let free = Arc::new(Semaphore::new(CONNECTIONS as usize));
    let (end, ending) = watch::channel(());
    let mut told = pin!(told_to_end()?);
    loop {
        let next = async {
            let place = Arc::clone(&free).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            () = &mut told => break,
        };
        let Ok((stream, _)) = accepted else {
            // There are no file descriptors left, for example.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let connection = connection(stream, acceptor.clone(), Arc::clone(&routes), ending.clone());
        tokio::spawn(async move {
            connection.await;
            drop(place);
        });
    }
    log("ending");
    drop((listener, end));
    // Every place is free once every connection has ended.
    let _ = timeout(GRACE, free.acquire_many(CONNECTIONS)).await;
    Ok(())
}

fn acceptor(certificate: &Arc<Certificate>) -> io::Result<TlsAcceptor> {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    let mut config = config.with_no_client_auth().with_cert_resolver(Arc::clone(certificate) as _);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn connection(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    routes: Arc<Routes>,
    mut ending: watch::Receiver<()>,
) {
    let Ok(Ok(stream)) = timeout(HANDSHAKE, acceptor.accept(stream)).await else { return };
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let builder = Builder::new(TokioExecutor::new());
    let mut builder = if is_http2 { builder.http2_only() } else { builder.http1_only() };
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HANDSHAKE);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HANDSHAKE)
        .max_concurrent_streams(STREAMS);
    let service = service_fn(|request| {
        let routes = Arc::clone(&routes);
        async move { Ok::<_, Infallible>(routes.answer(request).await) }
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = ending.changed() => {}
        () = sleep(AGE) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(GRACE, connection).await;
}

/// Ends with SIGTERM, which Kubernetes sends, or SIGINT.
fn told_to_end() -> io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    let mut terminated = {
        use tokio::signal::unix::{SignalKind, signal};
        signal(SignalKind::terminate())?
    };
    Ok(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = terminated.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    })
}
