//! The four processes: NGINX or HAProxy, gateway, sidecar, and Microsoft's server with
//! `examples/azure/model/score.py`, with the changes of the page.

use std::net::SocketAddr;

use support::edge::{Kind, Proxy, caller};
use support::example::{Example, Folder};
use support::idp::{Idp, Scheme};
use support::prelude::*;
use support::servers::Server;
use support::tls::Authority;
use support::{eventually, root};

use crate::page;

pub const GATEWAY: &str = "spiffe://cluster.local/ns/ingress/sa/gateway";
pub const ENDPOINT_KEY: &str = "the-key-of-the-endpoint";
const SIDECAR: &str = "spiffe://cluster.local/ns/models/sa/scoring";

/// The names of the hops, in their order.
pub const HOPS: [&str; 4] = ["NGINX", "gateway", "sidecar", "score.py"];

/// What the Envoys of a test share.
pub struct Site {
    pub fixture: Fixture,
    pub authority: Authority,
    folder: Folder,
}

impl Site {
    /// `None` after [`support::skip::absent`].
    pub async fn new(kind: Kind) -> Option<Self> {
        let fixture = Fixture::new("ES256").await?;
        kind.program()?;
        Some(Self { fixture, authority: Authority::new(), folder: Folder::new() })
    }

    /// Microsoft's server, which takes these tokens, with further variables.
    pub async fn model(&self, more: &[(&'static str, &str)]) -> Option<(Server, Idp)> {
        let keys = self.fixture.idp(Scheme::Http);
        let at = keys.url(support::idp::JWKS);
        let variables = [
            ("TOKEN_KEYS", at.as_str()),
            ("TOKEN_ISSUER", "https://issuer.test"),
            ("TOKEN_AUDIENCE", "api://scoring"),
            ("TOKEN_ALGORITHMS", "ES256"),
        ];
        let variables: Vec<_> = variables.iter().chain(more).copied().collect();
        let server = Server::azure_ml("examples/azure/model/score.py", &variables).await?;
        Some((server, keys))
    }

    /// The sidecar's file with the change of the page, before this application.
    pub fn sidecar(&self, application: SocketAddr) -> Example {
        let change = page::change("Changes to the sidecar");
        let (certificate, key) = self.authority.workload_pem(SIDECAR);
        let file = |name, content: &str| self.folder.file(name, content);
        Example::load("envoy/sidecar.yaml")
            .managed(|manager| *manager = merged(manager.take(), change))
            .cluster("application", application)
            .with_file("/etc/tollgate/tls/tls.crt", &file("tls.crt", &certificate))
            .with_file("/etc/tollgate/tls/tls.key", &file("tls.key", &key))
            .with_file("/etc/tollgate/tls/ca.crt", &file("ca.crt", self.authority.pem()))
    }

    /// The gateway's file with the change of the page and the certificate of this workload, before this sidecar.
    pub fn gateway(&self, kind: Kind, name: &str, sidecar: SocketAddr) -> Example {
        let text = std::fs::read_to_string(root().join(kind.envoy())).unwrap();
        let mut file: Value = serde_yaml_ng::from_str(&text).unwrap();
        let cluster = file.pointer_mut("/static_resources/clusters/0").unwrap();
        *cluster = merged(cluster.take(), page::change("Changes to the gateway"));
        let (certificate, key) = self.authority.workload_pem(name);
        let to = |name, content: &str| self.folder.file(name, content);
        Example::parse(&file.to_string())
            .cluster("upstream", sidecar)
            .with_file("/etc/tollgate/tls/gateway.crt", &to("gateway.crt", &certificate))
            .with_file("/etc/tollgate/tls/gateway.key", &to("gateway.key", &key))
            .with_file("/etc/tollgate/tls/ca.crt", &to("ca.crt", self.authority.pem()))
    }

    /// A running Envoy with this file.
    pub async fn run(&self, example: &Example) -> Envoy {
        let proxy = self.fixture.proxy().environment("AML_ENDPOINT_KEY", ENDPOINT_KEY);
        proxy.start_file(&example.text()).await
    }

    /// A request over TLS from a caller's address.
    pub async fn send(&self, edge: &Proxy, request: &Request) -> Response {
        self.authority.send_from(caller(9), edge.address, request).await
    }

    /// A request that score.py can answer.
    pub fn score(&self, subject: &str) -> Request {
        score(self.fixture.token(subject))
    }
}

/// A request that score.py can answer, with this token.
pub fn score(token: impl AsRef<[u8]>) -> Request {
    Request::post("/score", r#"{"data": [[1, 2]]}"#).bearer(token)
}

/// The processes in a row.
pub struct Chain<'a> {
    pub site: &'a Site,
    pub edge: Proxy,
    pub gateway: Envoy,
    pub sidecar: Envoy,
    pub model: &'a Server,
}

impl<'a> Chain<'a> {
    /// With these files for the gateway and the sidecar.
    pub async fn start(
        site: &'a Site,
        kind: Kind,
        model: &'a Server,
        gateway: impl FnOnce(Example) -> Example,
        sidecar: impl FnOnce(Example) -> Example,
    ) -> Self {
        let sidecar = site.run(&sidecar(site.sidecar(model.address()))).await;
        let file = gateway(site.gateway(kind, GATEWAY, sidecar.address()));
        let gateway = site.run(&file).await;
        let edge = Proxy::start(kind, &site.authority, gateway.address(), &[]).await;
        Self { site, edge, gateway, sidecar, model }
    }

    /// As shipped, with the changes of the page.
    pub async fn shipped(site: &'a Site, kind: Kind, model: &'a Server) -> Self {
        Self::start(site, kind, model, |file| file, |file| file).await
    }

    pub async fn send(&self, request: &Request) -> Response {
        self.site.send(&self.edge, request).await
    }

    /// The lines of each hop with this request id.
    fn with_id(&self, id: &str) -> [Vec<Value>; 4] {
        let model = self.model.printed();
        [self.edge.access_log(), self.gateway.access_log(), self.sidecar.access_log(), model]
            .map(|lines| lines.into_iter().filter(|line| line["XRequestId"] == id).collect())
    }

    /// The line of each hop with this request id, once these first ones have it. None of the others has it after
    /// another request went the whole way.
    pub async fn lines(&self, id: &str, hops: usize) -> Vec<Value> {
        let have = async |id: &str, hops: usize| {
            let all = async || {
                let lines = self.with_id(id);
                lines[..hops].iter().all(|lines| !lines.is_empty()).then_some(lines)
            };
            eventually(all).await
        };
        if hops < HOPS.len() {
            let after = self.send(&self.site.score("marker")).await;
            let after = after.header("x-request-id").unwrap().to_owned();
            // The marker may be refused, too, but not before the hop that refused the request.
            have(&after, hops).await.expect("the marker in the logs");
        }
        let lines = have(id, hops).await.unwrap_or_else(|| panic!("{id}: {:?}", self.with_id(id)));
        for (at, lines) in lines.iter().enumerate() {
            assert_eq!(lines.len(), usize::from(at < hops), "{}: {lines:?}", HOPS[at]);
        }
        lines.into_iter().flatten().collect()
    }
}
