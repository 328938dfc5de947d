//! The common start of the end-to-end tests: an upstream, a signer, and Envoys between them.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::client::Request;
use super::envoy::{Builder, Envoy};
use super::idp::{Idp, Scheme};
use super::mint::{Signer, claims, jwks};
use super::scenario::{claims_with, merged, provider};
use super::skip;
use super::upstream::{Recorded, Reply, Upstream};

/// An upstream, and the signer that the filter in front of it trusts.
///
/// Each Envoy that it starts checks at its end that no VM died and that no refused request reached
/// the upstream.
pub struct Fixture {
    pub upstream: Upstream,
    pub signer: Signer,
    pub binary: PathBuf,
}

impl Fixture {
    /// An upstream that echoes, and a signer with a key `key-1` for this algorithm.
    ///
    /// `None` after [`skip::absent`] without Envoy or the module.
    pub async fn new(algorithm: &str) -> Option<Self> {
        Self::answering(algorithm, Reply::echo).await
    }

    /// The same with an upstream that answers by this function.
    pub async fn answering(
        algorithm: &str,
        answer: impl Fn(&Recorded) -> Reply + Send + Sync + 'static,
    ) -> Option<Self> {
        let binary = skip::envoy_binary()?;
        let upstream = Upstream::answering(answer).await;
        Some(Self { upstream, signer: Signer::new(algorithm, "key-1"), binary })
    }

    /// A whole configuration of these sections: where they have no `providers`, it has the provider
    /// `main`, which trusts the signer.
    pub fn config(&self, sections: Value) -> Value {
        let provider = provider(&[&self.signer], &[self.signer.algorithm()]);
        merged(json!({"providers": [provider]}), sections)
    }

    /// An Envoy before the upstream, with the filter and the [`Fixture::config`] of these sections.
    pub fn envoy(&self, sections: Value) -> Builder {
        self.proxy().plugin_config(self.config(sections))
    }

    /// An Envoy before the upstream, without the filter. Its environment has the signer's key for
    /// the files under `envoy/`.
    pub fn proxy(&self) -> Builder {
        Envoy::builder(self.binary.clone())
            .upstream(self.upstream.address())
            .environment("TOLLGATE_JWKS", jwks(&[&self.signer]).to_string())
    }

    /// An identity provider with the signer's key.
    pub fn idp(&self, scheme: Scheme) -> Idp {
        Idp::serving(scheme, jwks(&[&self.signer]))
    }

    /// A good token.
    pub fn token(&self, subject: &str) -> String {
        self.signer.sign(&claims(subject))
    }

    /// A token with some claims changed; `null` removes a claim.
    pub fn token_with(&self, subject: &str, changes: Value) -> String {
        self.signer.sign(&claims_with(subject, changes))
    }

    /// A `GET` with a good token.
    pub fn get(&self, target: impl AsRef<[u8]>, subject: &str) -> Request {
        Request::get(target).bearer(self.token(subject))
    }
}
