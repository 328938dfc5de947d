//! A real Envoy with the filter in it: started on free ports, asked through its admin interface,
//! reconfigured by a push, ended on drop.
//!
//! Envoy from the wheel also ends when the thread that started it does, so a killed test leaves none
//! behind; start it from the test itself, not from a thread that comes and goes.

mod builder;
mod promise;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use serde_json::Value;

use super::client::{self, Request, Response};
use super::eventually;
pub use builder::{Builder, cluster};

/// How often Envoy writes its logs to their files.
const FLUSH: Duration = Duration::from_millis(20);

/// How a push ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Push {
    /// Every worker uses the new configuration.
    Accepted,
    /// Envoy kept the old one.
    Rejected,
}

const ACCEPTED: &str = "listener_manager.lds.update_success";
const REJECTED: &str = "listener_manager.lds.update_rejected";
const IN_FORCE: &str = "listener_manager.listener_create_success";

/// A running Envoy.
pub struct Envoy {
    builder: Builder,
    directory: PathBuf,
    child: Child,
    admin: SocketAddr,
    address: SocketAddr,
    pushes: u64,
}

impl Envoy {
    /// `binary`: the path from [`super::skip::envoy_binary`].
    pub fn builder(binary: PathBuf) -> Builder {
        Builder::new(binary)
    }

    /// Where requests go.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The admin interface.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The response to one request on a connection of its own.
    pub async fn send(&self, request: &Request) -> Response {
        client::send(self.address, request).await
    }

    /// Status and reason of a `GET /score` with this token.
    pub async fn judge(&self, token: &str) -> (u16, String) {
        let response = self.send(&Request::get("/score").bearer(token)).await;
        (response.status, response.reason())
    }

    /// Pushes a new filter configuration and waits until Envoy took or refused it.
    ///
    /// Connections opened before an accepted push keep the old configuration until they drain.
    pub async fn reload(&mut self, plugin: Value) -> Push {
        self.push(Some(plugin)).await
    }

    /// Replaces the filters in front of ours by this one, for an Envoy without ours, and pushes.
    pub async fn reload_before(&mut self, filter: Value) -> Push {
        self.builder.set_before(filter);
        self.push(None).await
    }

    async fn push(&mut self, plugin: Option<Value>) -> Push {
        let before = (self.stat(ACCEPTED).await, self.stat(REJECTED).await);
        let in_force = self.stat(IN_FORCE).await + u64::from(self.builder.workers);
        self.pushes += 1;
        let lds = self.builder.lds(&self.directory, plugin.as_ref(), self.pushes);
        write_atomically(&self.directory, "lds.json", &lds);
        let envoy = &*self;
        let outcome = eventually(async || {
            if envoy.stat(REJECTED).await > before.1 {
                return Some(Push::Rejected);
            }
            let taken = envoy.stat(ACCEPTED).await > before.0;
            (taken && envoy.stat(IN_FORCE).await >= in_force).then_some(Push::Accepted)
        });
        match outcome.await {
            Some(push) => push,
            None => panic!("the push had no outcome:\n{}", self.log_end()),
        }
    }

    /// Counters and gauges whose name contains `part`. One of the filter goes by the name that the
    /// filter gave it: `wasmcustom.tollgate_verify.engine.host.result.ok`.
    pub async fn stats(&self, part: &str) -> BTreeMap<String, u64> {
        let text = self.admin_get("/stats").await;
        text.lines()
            .filter_map(|line| line.split_once(": "))
            .filter_map(|(name, value)| Some((plain_name(name), value.parse().ok()?)))
            .filter(|(name, _)| name.contains(part))
            .collect()
    }

    /// One counter or gauge; 0 when Envoy does not have it yet.
    pub async fn stat(&self, name: &str) -> u64 {
        self.stats(name).await.get(name).copied().unwrap_or_default()
    }

    /// How often a VM died: a trap was reloaded, or could not be. An Envoy without
    /// [`Builder::fault`] panics at its end when this is not 0.
    pub async fn vm_failures(&self) -> u64 {
        let reloads: u64 = self.stats("vm_reload").await.values().sum();
        let log = self.log();
        let crashes = log
            .lines()
            .filter(|line| line.contains("panicked") || line.contains("Uncaught RuntimeError"));
        reloads + crashes.count() as u64
    }

    /// The body of an admin page.
    pub async fn admin_get(&self, path: &str) -> String {
        let response = client::send(self.admin, &Request::get(path)).await;
        String::from_utf8_lossy(&response.body).into_owned()
    }

    /// Bytes that Envoy's allocator handed out, shared data included; the memory of VMs is not.
    pub async fn allocated(&self) -> u64 {
        let memory: Value = serde_json::from_str(&self.admin_get("/memory").await).unwrap();
        memory["allocated"].as_str().and_then(|n| n.parse().ok()).unwrap()
    }

    /// Resident memory of the process, bytes.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// CPU time of all threads of the process so far, nanoseconds.
    pub fn cpu(&self) -> u64 {
        cpu(self.pid()).unwrap()
    }

    /// The whole log.
    pub fn log(&self) -> String {
        let read = |name: &str| std::fs::read(self.directory.join(name)).unwrap_or_default();
        let bytes = [read("envoy.log"), read("output.log")].concat();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The lines that the filter wrote.
    pub fn filter_log(&self) -> Vec<String> {
        let log = self.log();
        log.lines().filter(|line| line.contains("wasm log")).map(str::to_owned).collect()
    }

    /// The first log line that contains `part`.
    ///
    /// # Panics
    /// When none appears.
    pub async fn wait_for_log(&self, part: &str) -> String {
        let find = async || self.log().lines().find(|l| l.contains(part)).map(str::to_owned);
        match eventually(find).await {
            Some(line) => line,
            None => panic!("no log line with {part:?}:\n{}", self.log_end()),
        }
    }

    /// The access log so far, from its file or standard output. Lines appear a moment after their
    /// response.
    pub fn access_log(&self) -> Vec<Value> {
        let read = |name: &str| std::fs::read(self.directory.join(name)).unwrap_or_default();
        let bytes = [read("access.log"), read("output.log")].concat();
        let lines = String::from_utf8_lossy(&bytes);
        lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The lines on standard output and standard error, as bytes: what an access log to
    /// `/dev/stdout` really wrote.
    pub fn output_lines(&self) -> Vec<Vec<u8>> {
        let bytes = std::fs::read(self.directory.join("output.log")).unwrap_or_default();
        bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
    }

    /// The access-log entry of the request with this `x-case`.
    ///
    /// # Panics
    /// When none appears.
    pub async fn access(&self, case: &str) -> Value {
        let find = async || self.access_log().into_iter().find(|entry| entry["case"] == case);
        match eventually(find).await {
            Some(entry) => entry,
            None => panic!("no access-log entry of {case:?}"),
        }
    }

    /// The access-log entry after the first `count`; for requests sent one after the other.
    ///
    /// # Panics
    /// When none appears.
    pub async fn access_after(&self, count: usize) -> Value {
        let find = async || self.access_log().into_iter().nth(count);
        match eventually(find).await {
            Some(entry) => entry,
            None => panic!("no access-log entry:\n{}", self.log_end()),
        }
    }

    async fn listening(mut self) -> Self {
        match eventually(async || self.listener().await).await {
            Some(address) => self.address = address,
            None => panic!("no listener:\n{}", self.log_end()),
        }
        self
    }

    /// The admin address, once the server is live. The initial listener file has been judged then.
    async fn admin_when_live(&mut self) -> Option<SocketAddr> {
        if let Ok(Some(status)) = self.child.try_wait() {
            panic!("Envoy ended with {status}:\n{}", self.log_end());
        }
        let text = std::fs::read_to_string(self.directory.join("admin")).ok()?;
        let admin = text.trim().parse().ok()?;
        let response = client::try_send(admin, &Request::get("/ready")).await.ok()?;
        (response.status == 200).then_some(admin)
    }

    async fn listener(&self) -> Option<SocketAddr> {
        let text = self.admin_get("/listeners?format=json").await;
        let listeners: Value = serde_json::from_str(&text).ok()?;
        let address = &listeners["listener_statuses"][0]["local_address"]["socket_address"];
        let port = u16::try_from(address["port_value"].as_u64()?).ok()?;
        let all = self.stat(IN_FORCE).await >= u64::from(self.builder.workers);
        (port != 0 && all).then(|| SocketAddr::from(([127, 0, 0, 1], port)))
    }

    /// Why this Envoy ended before its test, or how many of its VMs died. `None` for one that ended
    /// in order, such as after an interrupt of the whole group.
    fn died(&mut self) -> Option<String> {
        match self.child.try_wait().unwrap() {
            Some(status) => (!status.success()).then(|| format!("Envoy ended with {status}")),
            // Stopped before its admin interface was known.
            None if self.builder.faulty() || self.admin.port() == 0 => None,
            None => {
                let count = block_on(async {
                    // After this time the log has the lines of the last request.
                    tokio::time::sleep(2 * FLUSH).await;
                    self.vm_failures().await
                });
                (count > 0).then(|| format!("{count} VM failure(s):\n{}", self.log_end()))
            }
        }
    }

    fn log_end(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Envoy {
    /// Ends the process, and panics when a VM died or the promise is broken, unless the thread
    /// panics already.
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        // An Envoy that does not answer is ended, too.
        let died = catch_unwind(AssertUnwindSafe(|| if failed { None } else { self.died() }));
        let died = died.unwrap_or_else(|_| Some("Envoy does not answer".to_owned()));
        let _ = self.child.kill();
        let _ = self.child.wait();
        if failed {
            eprintln!("the files of Envoy are kept in {}", self.directory.display());
            return;
        }
        let broken = || self.builder.promise().broken(&self.access_log());
        if let Some(why) = died.or_else(broken) {
            panic!("{why}; the files of Envoy are kept in {}", self.directory.display());
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Waits where nothing can be awaited: a thread has a runtime of its own.
fn block_on<T: Send>(future: impl Future<Output = T> + Send) -> T {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(future)
    };
    std::thread::scope(|scope| scope.spawn(run).join().unwrap())
}

/// CPU time that the living threads of a process have had, nanoseconds.
pub fn cpu(pid: u32) -> std::io::Result<u64> {
    let mut total = 0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        let spent = text.split(' ').next().and_then(|field| field.parse::<u64>().ok());
        total += spent.ok_or(std::io::ErrorKind::InvalidData)?;
    }
    Ok(total)
}

/// `wasmcustom.label=.=value;.;metric` as `wasmcustom.metric.label.value`; see the filter's metrics.
fn plain_name(name: &str) -> String {
    let Some((labels, metric)) = name.rsplit_once(";.;") else { return name.to_owned() };
    let labels = labels.trim_start_matches("wasmcustom.").replace(";.;", ".").replace("=.=", ".");
    format!("wasmcustom.{metric}.{labels}")
}

/// Envoy watches for renames into the directory, so a half-written file is never read.
fn write_atomically(directory: &Path, name: &str, content: &str) {
    let fresh = directory.join(format!("{name}.new"));
    std::fs::write(&fresh, content).unwrap();
    std::fs::rename(fresh, directory.join(name)).unwrap();
}
