//! A program that serves on loopback for the length of a test.

use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use super::client::{self, Request};
use super::eventually;
use super::example::Folder;

/// A running program and its folder; both end when this is dropped.
pub struct Daemon {
    child: Child,
    pub folder: Folder,
}

impl Daemon {
    /// Runs a program whose output goes into `log.txt` of its folder, and waits until it is ready.
    ///
    /// # Panics
    /// When it is not ready within 30 s; with its output.
    pub async fn start(
        mut command: Command,
        folder: Folder,
        ready: impl AsyncFnMut() -> Option<()>,
    ) -> Self {
        let log = std::fs::File::create(folder.path().join("log.txt")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut daemon = Self { child: command.spawn().unwrap(), folder };
        if eventually(ready).await.is_none() {
            let log = std::fs::read_to_string(daemon.folder.path().join("log.txt")).unwrap();
            panic!("{command:?} is not ready: {:?}\n{log}", daemon.child.try_wait());
        }
        daemon
    }
}

impl Daemon {
    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program that ends when this is dropped, together with all processes that it started.
pub struct Group(pub Child);

impl Group {
    /// Runs a program in a process group of its own.
    pub fn start(command: &mut Command) -> Self {
        Self(command.process_group(0).stdin(Stdio::piped()).spawn().unwrap())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The group: a script may have become a parent.
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.0.wait();
    }
}

/// `Some` once a `GET` of this path is answered with 200.
pub async fn answers(address: SocketAddr, path: &str) -> Option<()> {
    let answer = client::try_send(address, &Request::get(path)).await;
    answer.ok().filter(|response| response.status == 200).map(drop)
}
