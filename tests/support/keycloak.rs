//! A Keycloak, as `scripts/install/providers keycloak` installs it.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::daemon::{Group, answers};
use super::ports::free_address;
use super::{poll, root, skip};

/// A running Keycloak with one realm, `models`.
pub struct Keycloak {
    /// The issuer of the realm's tokens.
    pub issuer: String,
    _process: Group,
}

impl Keycloak {
    /// Starts it with the rest of a realm. `None` after a note if it is not installed.
    ///
    /// # Panics
    /// When it is not ready within ten minutes, which a machine with much other work may need.
    pub async fn start(mut realm: Value) -> Option<Self> {
        let home = root().join("target/providers/keycloak");
        let script = home.join("bin/kc.sh");
        if !script.exists() {
            skip::absent("Keycloak is absent: run scripts/install/providers keycloak");
            return None;
        }
        realm["realm"] = "models".into();
        realm["enabled"] = true.into();
        realm["sslRequired"] = "none".into();
        std::fs::create_dir_all(home.join("data/import")).unwrap();
        std::fs::write(home.join("data/import/realm.json"), realm.to_string()).unwrap();
        let address = free_address();
        let log = std::fs::File::create(home.join("log")).unwrap();
        let mut command = Command::new("bash");
        command
            .arg(&script)
            .args(["start-dev", "--import-realm", "--db=dev-mem", "--http-host=127.0.0.1"])
            .arg(format!("--http-port={}", address.port()))
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let mut process = Group::start(&mut command);
        let discovery = "/realms/models/.well-known/openid-configuration";
        let ready = async || {
            assert!(process.0.try_wait().unwrap().is_none(), "Keycloak ended: see its log");
            answers(address, discovery).await
        };
        poll(Duration::from_secs(600), ready).await.expect("Keycloak is ready: see its log");
        Some(Self { issuer: format!("http://{address}/realms/models"), _process: process })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        let host = self.issuer.strip_prefix("http://").and_then(|rest| rest.split('/').next());
        host.unwrap().parse().unwrap()
    }
}
