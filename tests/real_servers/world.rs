//! The servers, and the Envoy in front of them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use support::prelude::*;
use support::servers::{Call, Kind, Server};
use tokio::sync::Mutex;

use super::options::Options;
use super::row::{Client, Row};
use super::rules::{LENT_KEY, cluster, plugin, routes};

/// The filter or option that holds the head of a request back until its body is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Envoy's `buffer` filter behind ours.
    Buffer,
    /// `hold_head`.
    Hold,
    /// Nothing.
    Neither,
    /// There is no filter at all.
    NoFilter,
}

/// All servers that are installed. Tests that run at the same time share them; they end with the
/// last of these. `None` after [`support::skip::absent`] when there is not even one.
pub async fn servers() -> Option<Arc<Vec<Server>>> {
    static SHARED: Mutex<Weak<Vec<Server>>> = Mutex::const_new(Weak::new());
    support::skip::envoy_binary()?;
    let mut shared = SHARED.lock().await;
    if let Some(servers) = shared.upgrade() {
        return Some(servers);
    }
    let servers = Arc::new(Server::start_all(&Kind::ALL).await);
    *shared = Arc::downgrade(&servers);
    (!servers.is_empty()).then_some(servers)
}

/// An Envoy in front of all servers: `x-server` chooses one.
pub struct World {
    pub servers: Arc<Vec<Server>>,
    pub envoy: Envoy,
    pub options: Options,
    token: String,
}

/// The outcome of a row at one server.
#[derive(Debug)]
pub struct Outcome {
    pub kind: Kind,
    pub row: Row,
    pub response: Option<Response>,
    /// The calls of the server's program.
    pub calls: Vec<Call>,
    /// The entry of the access log; Envoy writes none for an invalid request.
    pub entry: Option<Value>,
}

impl Outcome {
    pub fn status(&self) -> Option<u16> {
        self.response.as_ref().map(|response| response.status)
    }
}

impl World {
    /// `None` after [`support::skip::absent`].
    pub async fn start(options: Options, guard: Guard) -> Option<Self> {
        let servers = servers().await?;
        let signer = Signer::new("ES256", "key-1");
        let mut builder = Envoy::builder(support::skip::envoy_binary()?)
            .variable("KEY", LENT_KEY)
            .log_field("cost", "%FILTER_STATE(wasm.tollgate.cost:PLAIN)%")
            .hcm(options.hcm())
            .hcm(json!({"route_config": routes(&servers, &options)}));
        for server in servers.iter() {
            builder = builder.raw_cluster(cluster(server));
        }
        if guard != Guard::NoFilter {
            builder = builder.plugin_config(plugin(&signer, guard));
        }
        if guard == Guard::Hold {
            builder = builder.stop_iteration();
        }
        if guard == Guard::Buffer {
            builder = builder.buffer_filter();
        }
        let token = signer.sign(&mint::claims("alice"));
        Some(Self { servers, envoy: builder.start().await, options, token })
    }

    /// Sends to each server the rows of its table, to all servers at the same time.
    pub async fn send(&self, table: impl Fn(Kind) -> Vec<Row>) -> Vec<Outcome> {
        let tasks: Vec<_> = (0..self.servers.len())
            .map(|at| {
                let servers = Arc::clone(&self.servers);
                let (address, token) = (self.envoy.address(), self.token.clone());
                let rows = table(servers[at].kind());
                tokio::spawn(async move { send(&servers[at], address, &token, rows).await })
            })
            .collect();
        let mut sent = Vec::new();
        for task in tasks {
            sent.extend(task.await.unwrap());
        }
        // Calls of requests that were refused already may still be on their way.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let mut calls: BTreeMap<String, Vec<Call>> = BTreeMap::new();
        for (case, outcome) in &mut sent {
            calls.entry(case.clone()).or_default().append(&mut outcome.calls);
        }
        for call in self.servers.iter().flat_map(|server| server.calls()) {
            if let Some(calls) = call.case.as_ref().and_then(|case| calls.get_mut(case)) {
                calls.push(call);
            }
        }
        let called = calls.iter().filter(|(_, calls)| !calls.is_empty());
        let called: Vec<_> = called.map(|(case, _)| case.clone()).collect();
        let mut log = self.log_of(&called).await;
        sent.into_iter()
            .map(|(case, mut outcome)| {
                outcome.calls = calls.remove(&case).unwrap_or_default();
                outcome.entry = log.remove(&case);
                outcome
            })
            .collect()
    }

    /// The access log by `x-case`, once it has all these; Envoy writes it a moment later.
    async fn log_of(&self, cases: &[String]) -> BTreeMap<String, Value> {
        let by_case = |entry: Value| Some((entry["case"].as_str()?.to_owned(), entry));
        let log = support::eventually(async || {
            let log = self.envoy.access_log().into_iter().filter_map(by_case);
            let log: BTreeMap<_, _> = log.collect();
            cases.iter().all(|case| log.contains_key(case)).then_some(log)
        });
        log.await.expect("an entry of the access log for each request that was served")
    }
}

async fn send(
    server: &Server,
    address: std::net::SocketAddr,
    token: &str,
    rows: Vec<Row>,
) -> Vec<(String, Outcome)> {
    static CASE: AtomicU64 = AtomicU64::new(0);
    // The model of MLflow sees no `x-case`: its calls are those since the request before.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());
    let mut client = Client::new(address);
    let mut outcomes = Vec::new();
    for row in rows {
        let case = format!("case-{}", CASE.fetch_add(1, Ordering::Relaxed));
        let mut whole = row.clone().header("x-case", &case).header("x-server", server.name());
        if row.token {
            whole.request = whole.request.bearer(token);
        }
        let (response, calls) = if server.kind() == Kind::Mlflow {
            let _alone = ONE_AT_A_TIME.lock().await;
            let response = client.send(&whole).await;
            (response, server.new_calls())
        } else {
            (client.send(&whole).await, Vec::new())
        };
        outcomes.push((case, Outcome { kind: server.kind(), row, response, calls, entry: None }));
    }
    outcomes
}
