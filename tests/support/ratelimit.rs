//! A Rate Limit Service (`tests/ratelimit`) and the Redis that it counts in, as real processes.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::daemon::free_address;
use super::{poll, root, skip};

const DEADLINE: Duration = Duration::from_secs(20);

/// The programs of both.
pub struct Programs {
    redis: PathBuf,
    service: PathBuf,
}

/// Finds Redis and the service that was built beside the tests; `None` after [`skip::absent`].
pub fn programs() -> Option<Programs> {
    let Some(redis) = skip::program("redis-server") else {
        skip::absent("redis-server is absent: run scripts/install/servers");
        return None;
    };
    // target/<profile>/deps/<test>
    let test_binary = std::env::current_exe().unwrap();
    let service = test_binary.parent()?.parent()?.join("ratelimit");
    if !service.is_file() {
        skip::absent("the Rate Limit Service is absent: run cargo build -p ratelimit");
        return None;
    }
    Some(Programs { redis, service })
}

/// A Redis that keeps nothing on disk; it ends when dropped.
pub struct Redis {
    child: Child,
    port: u16,
}

impl Redis {
    pub async fn start(programs: &Programs) -> Self {
        let port = free_address().port();
        let child = Command::new(&programs.redis)
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .args(["--save", "", "--appendonly", "no"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let redis = Self { child, port };
        let up = async || redis.ask("PING").filter(|answer| answer.contains("PONG"));
        assert!(poll(DEADLINE, up).await.is_some(), "Redis did not start");
        redis
    }

    /// All keys, as Redis writes them.
    pub fn keys(&self) -> String {
        self.ask("KEYS *").unwrap()
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn ask(&self, command: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        Some(String::from_utf8_lossy(&answer).into_owned())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One descriptor that the service was asked about, and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Key and value, in their order.
    pub entries: Vec<(String, String)>,
    pub hits: u64,
    pub over: bool,
}

/// A running service; it ends when dropped.
pub struct Service {
    child: Child,
    output: PathBuf,
    address: SocketAddr,
}

impl Service {
    /// Starts it on a configuration of the repository.
    pub async fn start(programs: &Programs, config: &str, redis: &Redis) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = root().join("target/e2e");
        std::fs::create_dir_all(&folder).unwrap();
        let output = folder.join(format!("ratelimit-{}-{number}.log", std::process::id()));
        let child = Command::new(&programs.service)
            .arg(root().join(config))
            .arg(redis.port.to_string())
            .stdin(Stdio::null())
            .stdout(File::create(&output).unwrap())
            .spawn()
            .unwrap();
        let address = async || first_line(&output)?.parse().ok();
        let address = poll(DEADLINE, address).await.expect("the service did not start");
        Self { child, output, address }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything that it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        let text = std::fs::read_to_string(&self.output).unwrap();
        let asked = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            Asked {
                entries: serde_json::from_value(line["entries"].clone()).unwrap(),
                hits: line["hits"].as_u64().unwrap(),
                over: line["over"].as_bool().unwrap(),
            }
        };
        text.lines().skip(1).map(asked).collect()
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.output);
    }
}

fn first_line(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    text.split_once('\n').map(|(line, _)| line.to_owned())
}
