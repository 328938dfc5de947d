//! Rate Limit Services (`tests/ratelimit`, and envoyproxy/ratelimit) and the Redis that they count in, as real
//! processes.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use super::daemon::{Daemon, answers};
use super::example::Folder;
use super::ports::free_address;
use super::{eventually, root, skip};

/// The programs of both.
pub struct Programs {
    pub redis: PathBuf,
    service: PathBuf,
}

/// Finds Redis and the service that was built beside the tests; `None` after [`skip::absent`].
pub fn programs() -> Option<Programs> {
    let redis = redis()?;
    // target/<profile>/deps/<test>
    let test_binary = std::env::current_exe().unwrap();
    let service = test_binary.parent()?.parent()?.join("ratelimit");
    if !service.is_file() {
        skip::absent("the Rate Limit Service is absent: run cargo build -p ratelimit");
        return None;
    }
    Some(Programs { redis, service })
}

/// Finds Redis; `None` after [`skip::absent`].
pub fn redis() -> Option<PathBuf> {
    let redis = skip::program("redis-server");
    if redis.is_none() {
        skip::absent("redis-server is absent: run scripts/install/servers");
    }
    redis
}

/// A Redis that keeps nothing on disk; it ends when dropped.
pub struct Redis {
    child: Child,
    port: u16,
}

impl Redis {
    pub async fn start(program: &Path) -> Self {
        let port = free_address().port();
        let child = Command::new(program)
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .args(["--save", "", "--appendonly", "no"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let redis = Self { child, port };
        let up = async || redis.ask("PING").filter(|answer| answer.contains("PONG"));
        assert!(eventually(up).await.is_some(), "Redis did not start");
        redis
    }

    /// All keys, as Redis writes them.
    pub fn keys(&self) -> String {
        self.ask("KEYS *").unwrap()
    }

    /// The number of the only key that contains this part; 0 without one.
    ///
    /// # Panics
    /// With several such keys: a window ended between two requests.
    pub fn count(&self, part: &str) -> u64 {
        let keys = self.keys();
        let keys: Vec<_> = keys.lines().filter(|key| key.contains(part)).collect();
        assert!(keys.len() <= 1, "{keys:?}");
        let Some(key) = keys.first() else { return 0 };
        let answer = self.ask(&format!("GET {key}")).unwrap();
        answer.lines().nth(1).unwrap().parse().unwrap()
    }

    /// The seconds after which Redis forgets this key.
    pub fn lifetime(&self, key: &str) -> u64 {
        let answer = self.ask(&format!("TTL {key}")).unwrap();
        answer.lines().next().unwrap().trim_start_matches(':').parse().unwrap()
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
        let address = eventually(address).await.expect("the service did not start");
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

/// envoyproxy/ratelimit on a configuration; it ends when dropped.
pub struct RealService {
    daemon: Option<Daemon>,
    address: SocketAddr,
}

impl RealService {
    /// The program that `scripts/install/ratelimit` builds; `None` after [`skip::absent`] without it.
    pub fn program() -> Option<PathBuf> {
        let program = root().join("target/envoyproxy-ratelimit");
        if program.is_file() {
            return Some(program);
        }
        skip::absent("envoyproxy/ratelimit is absent: run scripts/install/ratelimit");
        None
    }

    /// Starts it on the text of a configuration.
    pub async fn start(program: &Path, config: &str, redis: &Redis) -> Self {
        let folder = Folder::new();
        std::fs::create_dir_all(folder.path().join("ratelimit/config")).unwrap();
        folder.file("ratelimit/config/limits.yaml", config);
        let [address, health, debug] = std::array::from_fn(|_| free_address());
        let mut command = Command::new(program);
        command
            .envs(["HOST", "GRPC_HOST", "DEBUG_HOST"].map(|name| (name, "127.0.0.1")))
            .envs(
                [("PORT", health), ("GRPC_PORT", address), ("DEBUG_PORT", debug)]
                    .map(|(name, address)| (name, address.port().to_string())),
            )
            .env("RUNTIME_ROOT", folder.path())
            .envs([("RUNTIME_SUBDIRECTORY", "ratelimit"), ("RUNTIME_WATCH_ROOT", "false")])
            .envs([("USE_STATSD", "false"), ("REDIS_SOCKET_TYPE", "tcp")])
            // Its answer without Redis is to come before a client of the tests gives up.
            .env("REDIS_TIMEOUT", "3s")
            .env("REDIS_URL", format!("127.0.0.1:{}", redis.port));
        let ready = async || answers(health, "/healthcheck").await;
        Self { daemon: Some(Daemon::start(command, folder, ready).await), address }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn kill(&mut self) {
        self.daemon = None;
    }
}

fn first_line(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    text.split_once('\n').map(|(line, _)| line.to_owned())
}
