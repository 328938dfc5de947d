//! The endpoint: TLS that asks for a certificate, and an upstream behind it that asks for a key.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use support::prelude::*;
use support::tls::TlsAcceptor;
use tokio::net::{TcpListener, TcpStream};

/// The keys that the endpoint accepts, and those that came.
#[derive(Clone, Default)]
pub struct Keys(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    accepted: BTreeSet<String>,
    seen: Vec<(Instant, String)>,
}

impl Keys {
    /// Only these count from now on.
    pub fn accept(&self, keys: &[&str]) {
        self.0.lock().unwrap().accepted = keys.iter().map(|key| format!("Bearer {key}")).collect();
    }

    /// When each key came, as a whole header.
    pub fn seen(&self) -> Vec<(Instant, String)> {
        self.0.lock().unwrap().seen.clone()
    }

    /// The answer to a request: `/score` needs a key.
    pub fn answer(&self, request: &Recorded) -> Reply {
        let mut state = self.0.lock().unwrap();
        let key = request.header("authorization").unwrap_or_default().to_owned();
        state.seen.push((Instant::now(), key.clone()));
        let admitted = request.path != "/score" || state.accepted.contains(&key);
        Reply::new(if admitted { 200 } else { 401 }, "")
    }
}

/// A server with TLS in front of a plain one; it ends with the test.
pub struct Endpoint {
    pub address: SocketAddr,
    tls: Arc<Mutex<TlsAcceptor>>,
    clients: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Endpoint {
    pub async fn start(tls: TlsAcceptor, to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tls, clients) = (Arc::new(Mutex::new(tls)), Arc::<Mutex<Vec<Vec<u8>>>>::default());
        let endpoint = Self { address, tls: Arc::clone(&tls), clients: Arc::clone(&clients) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, clients) = (tls.lock().unwrap().clone(), Arc::clone(&clients));
                tokio::spawn(async move {
                    stream.set_nodelay(true)?;
                    let mut near = acceptor.accept(stream).await?;
                    let peer = near.get_ref().1.peer_certificates().unwrap_or_default();
                    clients.lock().unwrap().push(peer.first().unwrap().to_vec());
                    let mut far = TcpStream::connect(to).await?;
                    far.set_nodelay(true)?;
                    tokio::io::copy_bidirectional(&mut near, &mut far).await
                });
            }
        });
        endpoint
    }

    /// What new connections get from now on.
    pub fn renew(&self, tls: TlsAcceptor) {
        *self.tls.lock().unwrap() = tls;
    }

    /// How many connections came from a client whose certificate has this name.
    pub fn clients(&self, name: &str) -> usize {
        let has =
            |certificate: &&Vec<u8>| certificate.windows(name.len()).any(|w| w == name.as_bytes());
        self.clients.lock().unwrap().iter().filter(has).count()
    }
}
