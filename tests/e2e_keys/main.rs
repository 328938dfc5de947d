//! Remote key sets in a real Envoy: rotation, outages, and providers that misbehave.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod answers;
mod outages;
mod rotation;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use support::eventually;
use support::idp::{Behaviour, DISCOVERY, FAR_TOO_BIG, Idp, JUST_TOO_BIG, JWKS, Scheme};
use support::prelude::*;

/// A provider `name` of the issuer `https://<name>.test`, behind the cluster of the same name.
fn provider(name: &str, idp: &Idp, remote: Value) -> Value {
    provider_at(name, "uri", &idp.url(JWKS), remote)
}

/// The same, whose keys come from a `uri` or by `discovery`.
fn provider_at(name: &str, source: &str, url: &str, remote: Value) -> Value {
    let keys = json!({source: url, "cluster": name, "timeout": "1s", "refresh_interval": "1h"});
    json!({
        "name": name,
        "issuers": [format!("https://{name}.test")],
        "audiences": ["api://scoring"],
        "keys": {"remote": merged(keys, remote)},
    })
}

fn idp_with(scheme: Scheme, signers: &[&Signer]) -> Idp {
    Idp::serving(scheme, mint::jwks(signers))
}

fn key(kid: &str) -> Signer {
    Signer::new("ES256", kid)
}

/// A token of the provider `name`.
fn token(signer: &Signer, name: &str) -> String {
    signer.sign(&claims_with("alice", json!({"iss": format!("https://{name}.test")})))
}

fn get(token: impl AsRef<[u8]>) -> Request {
    Request::get("/score").bearer(token)
}

/// An Envoy with the one provider `main`.
async fn start(fixture: &Fixture, workers: u32, idp: &Idp, remote: Value) -> Envoy {
    fixture
        .envoy(json!({"providers": [provider("main", idp, remote)]}))
        .workers(workers)
        .cluster("main", idp.address())
        .start()
        .await
}

fn unavailable() -> (u16, String) {
    (503, "keys_unavailable".to_owned())
}

/// Asks until the answer is 200; how long that took.
async fn until_good(envoy: &Envoy, token: &str) -> Duration {
    let start = Instant::now();
    let good = eventually(async || (envoy.judge(token).await.0 == 200).then_some(())).await;
    assert!(good.is_some(), "no good answer:\n{:#?}", envoy.filter_log());
    start.elapsed()
}

/// A fetch counter of `provider`.
async fn fetched(envoy: &Envoy, provider: &str, result: &str) -> u64 {
    let part = format!("tollgate_jwks_fetch.provider.{provider}.result.{result}");
    envoy.stats(&part).await.values().sum()
}

/// Requests until `end`; each must be answered with 200.
struct Load {
    stop: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<usize>>,
}

impl Load {
    fn start(
        envoy: &Envoy,
        connections: usize,
        token: impl Fn() -> String + Send + Sync + 'static,
    ) -> Self {
        let (stop, token) = (Arc::new(AtomicBool::new(false)), Arc::new(token));
        let address = envoy.address();
        let tasks = (0..connections).map(|_| {
            let (stop, token) = (Arc::clone(&stop), Arc::clone(&token));
            tokio::spawn(async move {
                let mut connection = Connection::open(address).await;
                let mut count = 0;
                while !stop.load(Ordering::Relaxed) {
                    let response = connection.send(&get(token())).await;
                    assert_eq!(response.status, 200, "request {count}: {}", response.reason());
                    count += 1;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                count
            })
        });
        Self { tasks: tasks.collect(), stop }
    }

    /// How many requests there were.
    async fn end(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let mut count = 0;
        for task in self.tasks {
            count += task.await.expect("each request is answered with 200");
        }
        count
    }
}

async fn seconds(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}

/// Runs a scenario with one worker and with four, side by side: most of it is waiting.
async fn at_1_and_4_workers(scenario: impl AsyncFn(u32)) {
    tokio::join!(scenario(1), scenario(4));
}

/// A cluster that speaks TLS, sends the name, and trusts one CA for it.
fn tls_cluster(name: &str, idp: &Idp) -> Value {
    let mut cluster = support::envoy::cluster(name, idp.address());
    cluster["transport_socket"] = json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": "issuer.test",
            "common_tls_context": {"validation_context": {
                "trusted_ca": {"inline_string": idp.ca_pem()},
                "match_typed_subject_alt_names": [
                    {"san_type": "DNS", "matcher": {"exact": "issuer.test"}},
                ],
            }},
        },
    });
    cluster
}
