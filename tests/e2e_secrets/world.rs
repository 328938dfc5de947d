//! `envoy/secrets/` in a real Envoy, between callers and an endpoint that asks for a certificate and a key.

use std::net::Ipv4Addr;
use std::time::Duration;

use support::entra::{self, TENANT};
use support::example::{Example, Folder, adapt};
use support::idp::{Idp, Scheme};
use support::load::Load;
use support::mount::Mount;
use support::ports::free_address;
use support::prelude::*;
use support::sample::is_1_36;
use support::tls::Authority;
use support::{poll, root};
use tokio::runtime::Handle;

use super::endpoint::{Endpoint, Keys};

const EXAMPLE: &str = "envoy/secrets";

/// The name in the endpoint's certificate.
pub const NAME: &str = "scoring";

/// A loaded machine needs time; the measured times are printed.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// How many connections the load keeps.
pub const CONNECTIONS: usize = 8;

/// All that the example needs around it.
pub struct World {
    pub fixture: Fixture,
    pub idp: Idp,
    pub folder: Folder,
    pub secrets: Mount,
    /// Signs the certificate for callers.
    pub front: Authority,
    /// Signs the endpoint's certificate.
    pub back: Authority,
    /// Signs the certificate for the endpoint.
    pub clients: Authority,
    pub endpoint: Endpoint,
    pub keys: Keys,
}

/// A certificate and its key in one file, as Key Vault exports them.
pub fn pem((certificate, key): (String, String)) -> String {
    key + &certificate
}

impl World {
    /// `None` after a note, without Envoy. The first key is `old-key`, the first client `gateway-1`.
    pub async fn new() -> Option<Self> {
        let keys = Keys::default();
        keys.accept(&["old-key"]);
        let answers = keys.clone();
        let fixture = Fixture::answering("RS256", move |request| answers.answer(request)).await?;
        let [front, back, clients] = [(); 3].map(|()| Authority::new());
        let folder = Folder::new();
        let secrets = Mount::new(
            folder.path().join("secrets"),
            &[
                ("serving.pem", &pem(front.server_pem())),
                ("client.pem", &pem(clients.workload_pem("gateway-1"))),
                ("ca.pem", back.pem()),
                ("endpoint-key", &key_file(&fixture, "old-key")),
            ],
        );
        let endpoint =
            Endpoint::start(back.acceptor(NAME, &[&clients]), fixture.upstream.address()).await;
        let idp = Idp::serving(Scheme::Https, entra::keys(&fixture.signer));
        let world = Self { fixture, idp, folder, secrets, front, back, clients, endpoint, keys };
        for file in ["serving.yaml", "client.yaml", "ca.yaml", "endpoint-key.yaml"] {
            let text = std::fs::read_to_string(root().join(EXAMPLE).join(file)).unwrap();
            let secrets = world.secrets.path().to_str().unwrap();
            world.folder.file(file, text.replace("/etc/tollgate/secrets", secrets));
        }
        Some(world)
    }

    /// The bootstrap on this machine, without a limit that the load would meet.
    pub fn bootstrap(&self) -> Value {
        let text = std::fs::read_to_string(root().join(EXAMPLE).join("envoy.yaml")).unwrap();
        let text = adapt(
            text,
            &[
                ("filename: /etc/tollgate/module/plugin.wasm", "filename: dist/tollgate.wasm"),
                (r#""rate": "10/s", "burst": 20"#, r#""rate": "100000/s", "burst": 100000"#),
            ],
        );
        let text = match is_1_36(&self.fixture.binary) {
            true => {
                adapt(text, &[("                      header_value_prefix: \"Bearer \"\n", "")])
            }
            false => text,
        };
        let text = text.replace("/etc/tollgate/config", self.folder.path().to_str().unwrap());
        let example = Example::parse(&text)
            .cluster("upstream", self.endpoint.address)
            .cluster("entra", self.idp.address())
            .cluster("admin", free_address())
            .with_file(
                "/etc/ssl/certs/ca-certificates.crt",
                &self.folder.file("idp.crt", self.idp.ca_pem()),
            );
        serde_json::from_str(&example.text()).unwrap()
    }

    /// Starts Envoy on the example.
    pub async fn start(&self) -> Envoy {
        self.start_on(&self.bootstrap()).await
    }

    /// Starts Envoy on a changed bootstrap.
    pub async fn start_on(&self, bootstrap: &Value) -> Envoy {
        self.fixture.proxy().start_file(&bootstrap.to_string()).await
    }

    pub fn token(&self) -> String {
        self.fixture.signer.sign(&entra::claims(TENANT, json!({})))
    }

    /// A request that tollgate allows.
    pub fn score(&self) -> Request {
        Request::post("/score", "{}").bearer(self.token())
    }

    /// The status of one such request, over a connection of its own.
    pub async fn status(&self, envoy: &Envoy) -> u16 {
        self.front.send(envoy.address(), None, &self.score()).await.status
    }

    /// Callers that keep their connections and send all the time.
    pub async fn load(&self, envoy: &Envoy) -> Load {
        let (front, address) = (self.front.clone(), envoy.address());
        let load = Load::start(&Handle::current(), CONNECTIONS, &self.score(), move || {
            let front = front.clone();
            async move { front.connect(Ipv4Addr::LOCALHOST.into(), address, None).await }
        });
        more(&load).await;
        load
    }
}

/// The file of the key. Envoy 1.36 adds no prefix: it is in the file, by a comment of the example.
pub fn key_file(fixture: &Fixture, key: &str) -> String {
    match is_1_36(&fixture.binary) {
        true => format!("Bearer {key}"),
        false => key.to_owned(),
    }
}

/// Waits for 200 more answers.
pub async fn more(load: &Load) {
    let count = || load.answers().values().sum::<usize>();
    let until = count() + 200;
    let enough = poll(DEADLINE, async || (count() >= until).then_some(())).await;
    assert!(enough.is_some(), "{:?}", load.answers());
}

/// Ends the load: every request got 200, over the connections of the start. How many there were.
pub async fn none_lost(load: Load) -> usize {
    let opened = load.opened();
    let answers = load.end().await;
    assert_eq!(answers.keys().collect::<Vec<_>>(), ["200"], "{answers:?}");
    assert_eq!(opened, CONNECTIONS, "the connections go on");
    answers["200"]
}
