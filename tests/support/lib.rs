//! The end-to-end harness: a real Envoy with the filter in it, an upstream that records bytes, a
//! client that sends them, and a mint for tokens.
//!
//! ```ignore
//! use support::prelude::*;
//!
//! #[tokio::test(flavor = "multi_thread")]
//! async fn good_token_passes() {
//!     let Some(fixture) = Fixture::new("ES256").await else { return };
//!     let envoy = fixture.envoy(json!({"rules": [/* docs/configuration.md */]})).start().await;
//!     assert_eq!(envoy.send(&fixture.get("/score", "alice")).await.status, 200);
//! }
//! ```
//!
//! - [`fixture`]: an upstream, a signer, and Envoys between them.
//! - [`envoy`]: renders a bootstrap on free ports, starts Envoy, waits until it listens, ends it on
//!   drop. Listener configuration comes from a file, so [`envoy::Envoy::reload`] is a real push.
//!   Statistics, log and access log are read from it.
//! - [`upstream`]: an HTTP/1.1 server that keeps each request exactly as it came over the wire.
//! - [`abi`]: the functions of the ABI that a module uses.
//! - [`alerts`]: the alerts, in seconds.
//! - [`client`]: an HTTP/1.1 client in which each byte of a request can be chosen, and an h2c one.
//! - [`daemon`]: a program that serves on loopback for the length of a test.
//! - [`docs`]: the code blocks of the documentation.
//! - [`edge`]: NGINX and HAProxy in front of Envoy.
//! - [`entra`]: claims and keys of Microsoft Entra ID.
//! - [`graft`]: copies of the module with a fault in them.
//! - [`grpc`]: a receiver for access logs and spans.
//! - [`keycloak`]: a Keycloak with one realm.
//! - [`load`]: a constant stream of requests over connections that are kept.
//! - [`manifests`]: those for Kubernetes, Istio and Envoy Gateway, and Kustomize.
//! - [`mint`]: keys made at run time, tokens signed with them, well formed or not.
//! - [`mount`]: files of secrets as the kubelet and the Key Vault driver replace them.
//! - [`mistakes`]: the rows of `docs/mistakes.md`, and the findings of `tollgate check`.
//! - [`paths`]: the paths that servers read from one request line.
//! - [`ratelimit`]: a Rate Limit Service and its Redis.
//! - [`removal`]: the headers that a proxy removes before all filters.
//! - [`sample`]: the configurations under `envoy/`, run as they are.
//! - [`scenario`]: a provider and claims for most tests.
//! - [`scrape`]: the Prometheus text of an Envoy, parsed.
//! - [`servers`]: nginx, Apache, Flask, Express and more, with programs that record the requests.
//! - [`walk`]: every shipped example.
//! - [`json_suite`]: JSONTestSuite and the body guard's verdicts on it.
//! - [`skip`]: tests that need a program or file that the machine lacks.
//!
//! Every wait has a deadline and fails with the end of Envoy's log. The files of one Envoy lie in
//! `target/e2e/<process>-<number>` and stay there when its test fails.

#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
// Starting a server by default would surprise.
#![allow(clippy::new_without_default)]

pub mod abi;
pub mod alerts;
pub mod attacks;
pub mod client;
pub mod daemon;
pub mod docs;
pub mod edge;
pub mod entra;
pub mod example;
pub mod fixture;
pub mod graft;
pub mod grpc;
pub mod idp;
pub mod json_suite;
pub mod keycloak;
pub mod load;
pub mod manifests;
pub mod mint;
pub mod mistakes;
pub mod mount;
pub mod paths;
pub mod ports;
pub mod ratelimit;
pub mod removal;
pub mod sample;
pub mod scenario;
pub mod servers;
pub mod tls;
pub mod walk;

pub use harness::{
    PATIENCE, envoy, eventually, module, poll, process, root, scrape, skip, upstream,
};

/// The imports of nearly every end-to-end test.
pub mod prelude {
    pub use super::client::{self, Connection, Http2, Request, Response};
    pub use super::envoy::{Builder, Envoy, Push};
    pub use super::fixture::Fixture;
    pub use super::mint::{self, Signer};
    pub use super::scenario::{claims_with, good, merged, provider, refused};
    pub use super::upstream::{Recorded, Reply, Upstream};
    pub use serde_json::{Value, json};
}
