//! The certificate of the server, which is read again when its files change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

/// The current pair and the files that it comes from.
#[derive(Debug)]
pub struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
    /// What the last reading found, so that nothing is said twice.
    last: Mutex<Result<Vec<u8>, String>>,
}

/// The content of both files, and the pair that it makes.
struct Pair {
    content: Vec<u8>,
    certified: CertifiedKey,
}

impl Certificate {
    /// Reads both files.
    pub fn load(chain: &Path, key: &Path) -> Result<Self, String> {
        let Pair { content, certified } = read(chain, key)?;
        Ok(Self {
            chain: chain.to_owned(),
            key: key.to_owned(),
            current: RwLock::new(Arc::new(certified)),
            last: Mutex::new(Ok(content)),
        })
    }

    /// Reads both files again and takes a new pair for the connections that follow. Returns the news: what
    /// was taken, or why the pair of before stays. Content is compared, because Kubernetes replaces the
    /// directory of a Secret.
    pub fn renew(&self) -> Option<String> {
        let (found, certified) = match read(&self.chain, &self.key) {
            Ok(pair) => (Ok(pair.content), Some(pair.certified)),
            Err(error) => (Err(error), None),
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if *last == found {
            return None;
        }
        let news = match &found {
            Ok(_) => "a new certificate is in use".to_owned(),
            Err(error) => format!("the certificate of before stays in use: {error}"),
        };
        *last = found;
        if let Some(certified) = certified {
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certified);
        }
        Some(news)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Reads a chain and the key of its first certificate, which must fit each other.
fn read(chain: &Path, key: &Path) -> Result<Pair, String> {
    let file =
        |path: &Path| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let (mut content, secret) = (file(chain)?, file(key)?);
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&content)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{}: {error}", chain.display()))?;
    if certificates.is_empty() {
        return Err(format!("{}: contains no certificate in PEM", chain.display()));
    }
    let private = PrivateKeyDer::from_pem_slice(&secret)
        .map_err(|error| format!("{}: {error}", key.display()))?;
    let certified = CertifiedKey::from_der(certificates, private, &ring::default_provider())
        .map_err(|error| format!("{} with {}: {error}", chain.display(), key.display()))?;
    content.extend(secret);
    Ok(Pair { content, certified })
}
