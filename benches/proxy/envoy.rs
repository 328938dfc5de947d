//! The Envoy process: start, ports, CPU time, memory.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Result;
use crate::empty_filter;
use crate::listener::Listener;
use crate::load::Connection;
use crate::settings::Settings;

/// Longest time from start to ready.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running Envoy; it ends with this value.
pub struct Envoy {
    process: Child,
    log: PathBuf,
    addresses: Vec<(String, SocketAddr)>,
    /// From the start of the process until it reported itself ready.
    pub ready_after: Duration,
}

impl Envoy {
    /// Starts Envoy with `listeners` and one worker, and waits until it is ready.
    pub fn start(settings: &Settings, listeners: &[Listener], jwks: &Value) -> Result<Self> {
        Self::with_workers(1, settings, listeners, jwks)
    }

    /// The same with so many workers.
    pub fn with_workers(
        workers: u32,
        settings: &Settings,
        listeners: &[Listener],
        jwks: &Value,
    ) -> Result<Self> {
        fs::create_dir_all(&settings.scratch)?;
        let config = settings.scratch.join("envoy.json");
        let admin = settings.scratch.join("admin.txt");
        let log = settings.scratch.join("envoy.log");
        let listeners: Vec<_> =
            listeners.iter().map(|listener| listener.config(jwks, settings)).collect();
        let any = json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}});
        let bootstrap = json!({
            "admin": {"address": any},
            "static_resources": {"listeners": listeners},
        });
        fs::write(&config, bootstrap.to_string())?;
        fs::write(settings.empty_filter(), empty_filter::MODULE.concat())?;
        if admin.exists() {
            fs::remove_file(&admin)?;
        }
        let started = Instant::now();
        let process = Command::new(&settings.envoy)
            .args(["--concurrency", &workers.to_string()])
            .args(["--disable-hot-restart", "--log-level", "warning"])
            .arg("--config-path")
            .arg(&config)
            .arg("--admin-address-path")
            .arg(&admin)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()?;
        let mut envoy = Self { process, log, addresses: Vec::new(), ready_after: Duration::ZERO };
        let admin = envoy.wait_until_ready(&admin, started)?;
        envoy.ready_after = started.elapsed();
        envoy.addresses = addresses(&get(admin, "/listeners")?);
        Ok(envoy)
    }

    /// Where `listener` accepts connections.
    pub fn address(&self, listener: Listener) -> Result<SocketAddr> {
        let name = listener.name();
        let found = self.addresses.iter().find(|(known, _)| *known == name);
        found.map(|(_, address)| *address).ok_or_else(|| format!("no listener {name}").into())
    }

    /// CPU time of all threads so far, in nanoseconds.
    pub fn cpu(&self) -> Result<u64> {
        Ok(support::envoy::cpu(self.process.id())?)
    }

    /// Resident memory, in KiB.
    pub fn resident(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        number.ok_or_else(|| "no VmRSS in the status of the process".into())
    }

    /// The last lines that Envoy wrote, for a message.
    pub fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")
    }

    fn wait_until_ready(&mut self, admin: &PathBuf, started: Instant) -> Result<SocketAddr> {
        while started.elapsed() < PATIENCE {
            if let Some(status) = self.process.try_wait()? {
                return Err(format!("Envoy ended ({status}):\n{}", self.last_words()).into());
            }
            // The file may be there before its text is.
            let address = fs::read_to_string(admin).ok().and_then(|text| text.trim().parse().ok());
            if let Some(address) = address
                && get(address, "/ready").is_ok_and(|reply| reply.starts_with("HTTP/1.1 200"))
            {
                return Ok(address);
            }
            sleep(Duration::from_millis(2));
        }
        Err(format!("Envoy is not ready after {PATIENCE:?}:\n{}", self.last_words()).into())
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        // Nothing is left to do when it has already ended.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn get(admin: SocketAddr, path: &str) -> Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n");
    Connection::open(admin)?.exchange(request.as_bytes())
}

/// The `name::address` lines of the admin interface; lines of HTTP framing have no such form.
fn addresses(reply: &str) -> Vec<(String, SocketAddr)> {
    let line = |line: &str| {
        let (name, address) = line.split_once("::")?;
        Some((name.to_owned(), address.trim().parse().ok()?))
    };
    reply.lines().filter_map(line).collect()
}
