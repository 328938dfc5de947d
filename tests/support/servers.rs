//! Real servers with a program behind each of them, which notes all that it read.
//!
//! The programs lie in `tests/data/servers`; `scripts/install/upstreams` installs the servers.
//! Each appends a line to a file when it is called, before it reads the body, and a second one with
//! the rows that it found in the body ([`Server::calls`]). So a call counts also when the client
//! never saw an answer, and a program's answer holds nothing of the request.
//!
//! A server listens on a port of loopback, runs in a process group of its own, and ends on drop.

mod calls;
mod launch;

use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::client::{self, Request};
use super::skip::absent;
use super::{poll, root};
pub use calls::{Call, folded};

/// A server and the program in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// nginx, with a program behind it by SCGI: names are folded as for FastCGI and uwsgi.
    Nginx,
    /// Apache httpd with a CGI program, and TRACE as it comes.
    Apache,
    /// lighttpd with a CGI program.
    Lighttpd,
    /// Go's `net/http`.
    Go,
    /// Flask on gunicorn, with the option that lets every header in.
    Flask,
    /// A WSGI application on the server of Python's library.
    Wsgi,
    /// A bare ASGI application on uvicorn.
    Uvicorn,
    /// Express.
    Express,
    /// Node's own HTTP/1.1 server.
    Node,
    /// Node's own HTTP/2 server, with prior knowledge.
    NodeH2,
    /// Microsoft's `azureml-inference-server-http`.
    AzureMl,
    /// `mlflow models serve`.
    Mlflow,
}

impl Kind {
    /// Every server.
    pub const ALL: [Self; 12] = [
        Self::Nginx,
        Self::Apache,
        Self::Lighttpd,
        Self::Go,
        Self::Flask,
        Self::Wsgi,
        Self::Uvicorn,
        Self::Express,
        Self::Node,
        Self::NodeH2,
        Self::AzureMl,
        Self::Mlflow,
    ];

    /// Its name in messages, clusters and folders.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Apache => "apache",
            Self::Lighttpd => "lighttpd",
            Self::Go => "go",
            Self::Flask => "flask",
            Self::Wsgi => "wsgi",
            Self::Uvicorn => "uvicorn",
            Self::Express => "express",
            Self::Node => "node",
            Self::NodeH2 => "node-h2",
            Self::AzureMl => "azureml",
            Self::Mlflow => "mlflow",
        }
    }

    /// A path that answers 200 to a GET once the server is ready.
    fn ready(self) -> &'static str {
        if self == Self::Mlflow { "/ping" } else { "/" }
    }
}

/// The program in Microsoft's server.
#[derive(Clone)]
struct Entry {
    script: &'static str,
    /// Variables of its environment.
    variables: Vec<(&'static str, String)>,
}

impl Default for Entry {
    fn default() -> Self {
        Self { script: launch::ENTRY, variables: Vec::new() }
    }
}

/// A running server; its processes and files end with it.
pub struct Server {
    kind: Kind,
    address: SocketAddr,
    directory: PathBuf,
    entry: Entry,
    group: Vec<Child>,
    /// Ends the group when its input ends: when this is dropped, or the test's process is gone.
    watchdog: Child,
    seen: AtomicU64,
}

impl Server {
    /// Starts a server; `None` after [`absent`] when something that it needs is not installed.
    ///
    /// # Panics
    /// When it does not answer within a minute; with the end of its output.
    pub async fn start(kind: Kind) -> Option<Self> {
        Self::start_all(&[kind]).await.pop()
    }

    /// Microsoft's server with another entry script of this repository; `None` after [`absent`].
    ///
    /// # Panics
    /// As [`Server::start`].
    pub async fn azure_ml(
        script: &'static str,
        variables: &[(&'static str, &str)],
    ) -> Option<Self> {
        if let Some(what) = launch::missing(Kind::AzureMl) {
            absent(&format!("{what} is absent: run scripts/install/servers"));
            return None;
        }
        let variables =
            variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Some(Self::spawn(Kind::AzureMl, Entry { script, variables }).ready().await)
    }

    /// Starts all of these at the same time, without those that are absent.
    pub async fn start_all(kinds: &[Kind]) -> Vec<Self> {
        let mut started = Vec::new();
        for kind in kinds {
            match launch::missing(*kind) {
                Some(what) => {
                    let name = kind.name();
                    absent(&format!("{what}, for {name}, is absent: run scripts/install/servers"));
                }
                None => started.push(Self::spawn(*kind, Entry::default())),
            }
        }
        let mut servers = Vec::new();
        for server in started {
            servers.push(server.ready().await);
        }
        servers
    }

    /// Waits until the server answers. Something else may have taken its port meanwhile; it ends
    /// then, and another is started.
    async fn ready(mut self) -> Self {
        for _ in 0..3 {
            match poll(Duration::from_secs(60), async || self.answers().await).await {
                Some(true) => return self,
                Some(false) => self = Self::spawn(self.kind, self.entry.clone()),
                None => break,
            }
        }
        panic!("{} does not answer:\n{}", self.name(), self.output());
    }

    fn spawn(kind: Kind, entry: Entry) -> Self {
        let port = launch::port();
        let directory = launch::directory(kind);
        let mut group: Vec<Child> = Vec::new();
        for mut command in launch::commands(kind, entry.script, port, &directory) {
            command.envs(entry.variables.iter().map(|(name, value)| (name, value)));
            group.push(launch::run(&mut command, &directory, group.first().map(Child::id)));
        }
        // Servers fork workers: all of them are of the group of the first process.
        let watchdog = Command::new("sh")
            .args(["-c", "read -r _; kill -s KILL -- \"-$0\"", &group[0].id().to_string()])
            .process_group(0)
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Self { kind, address, directory, entry, group, watchdog, seen: AtomicU64::new(0) }
    }

    /// Whether the server answers (`true`) or has ended (`false`); `None`: neither yet.
    async fn answers(&mut self) -> Option<bool> {
        if self.group.iter_mut().any(|child| matches!(child.try_wait(), Ok(Some(_)))) {
            return Some(false);
        }
        if self.kind == Kind::NodeH2 {
            return std::net::TcpStream::connect(self.address).ok().map(|_| true);
        }
        let response =
            client::try_send(self.address, &Request::get(self.kind.ready())).await.ok()?;
        (response.status == 200).then_some(true)
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub fn name(&self) -> &'static str {
        self.kind.name()
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests that the program read since it started, in the order of its calls.
    pub fn calls(&self) -> Vec<Call> {
        calls::read(&self.directory.join(launch::CALLS), 0).0
    }

    /// The calls that were noted since this was asked before.
    pub fn new_calls(&self) -> Vec<Call> {
        let seen = self.seen.load(Ordering::Relaxed);
        let (calls, seen) = calls::read(&self.directory.join(launch::CALLS), seen);
        self.seen.store(seen, Ordering::Relaxed);
        calls
    }

    /// The calls of the request with this `x-case`.
    pub fn case(&self, case: &str) -> Vec<Call> {
        self.calls().into_iter().filter(|call| call.case.as_deref() == Some(case)).collect()
    }

    /// The lines of JSON that its processes printed.
    pub fn printed(&self) -> Vec<Value> {
        let output = self.output();
        let lines = output.lines().filter(|line| line.starts_with('{'));
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// All that its processes printed.
    pub fn output(&self) -> String {
        std::fs::read_to_string(self.directory.join("output.log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
        for child in &mut self.group {
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("the files of {} are kept in {}", self.name(), self.directory.display());
        } else {
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }
}

/// The folder in which `scripts/install/upstreams` installs.
fn installed() -> PathBuf {
    root().join("target/servers")
}
