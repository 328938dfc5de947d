//! The real NGINX and the real HAProxy with the files that are shipped for them.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::daemon::Daemon;
use super::example::{Folder, adapt};
use super::ports::free_address;
use super::root;
use super::skip::{absent, program};
use super::tls::{Authority, connect_from};

use Kind::{Haproxy, Nginx};

/// A caller: loopback has addresses enough.
pub fn caller(number: u8) -> IpAddr {
    [127, 0, 0, number].into()
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Nginx,
    Haproxy,
}

impl Kind {
    /// The lines that set the caller's address.
    pub fn address_lines(self) -> &'static [&'static str] {
        match self {
            Nginx => &["proxy_set_header X-Forwarded-For $remote_addr;"],
            Haproxy => &["http-request del-header x-forwarded-for\n", "option forwardfor\n"],
        }
    }

    /// `None` after [`absent`].
    pub fn program(self) -> Option<PathBuf> {
        let name = format!("{self:?}").to_lowercase();
        let system = || Some(PathBuf::from("/usr/sbin").join(&name)).filter(|path| path.is_file());
        let found = program(&name).or_else(system);
        if found.is_none() {
            absent(&format!("{self:?} is absent: run scripts/install/servers"));
        }
        found
    }

    /// The example of Envoy behind it.
    pub fn envoy(self) -> &'static str {
        match self {
            Nginx => "envoy/nginx/envoy.yaml",
            Haproxy => "envoy/haproxy/envoy.yaml",
        }
    }
}

/// A running NGINX or HAProxy.
pub struct Proxy {
    pub address: SocketAddr,
    daemon: Daemon,
}

impl Proxy {
    /// The shipped file with this test's ports and certificates, and with further `changes`.
    pub async fn start(
        kind: Kind,
        authority: &Authority,
        envoy: SocketAddr,
        changes: &[(&str, &str)],
    ) -> Self {
        let shipped = |path| std::fs::read_to_string(root().join(path)).unwrap();
        let envoy = envoy.to_string();
        if kind == Nginx {
            let text = adapt(
                shipped("envoy/nginx/nginx.conf"),
                &[("server 127.0.0.1:10000;", &format!("server {envoy};"))],
            );
            return Self::nginx(authority, adapt(text, changes)).await;
        }
        let (folder, address) = (Folder::new(), free_address());
        let (certificate, key) = authority.server_pem();
        let pem = folder.file("tls.pem", certificate + &key);
        let text = adapt(
            shipped("envoy/haproxy/haproxy.cfg"),
            &[
                ("bind :8443 ", &format!("bind {address} ")),
                ("server envoy 127.0.0.1:10000", &format!("server envoy {envoy}")),
                ("/etc/tollgate/tls/tls.pem", &pem),
                // The user that runs the test.
                ("  user haproxy\n", ""),
                ("  group haproxy\n", ""),
                ("maxconn 4000", "maxconn 100"),
            ],
        );
        let file = folder.file("haproxy.cfg", adapt(text, changes));
        let mut command = Command::new(kind.program().unwrap());
        command.args(["-db", "-f", &file]);
        Self::listening(command, folder, address).await
    }

    /// NGINX with a file that has the port, the certificate and the log of the shipped one.
    pub async fn nginx(authority: &Authority, text: String) -> Self {
        let (folder, address) = (Folder::new(), free_address());
        let (certificate, key) = authority.server_pem();
        // Folders that a user other than root may write.
        let folders = "http {\n client_body_temp_path b; proxy_temp_path p;\n\
                       fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;\n";
        let text = adapt(
            text,
            &[
                ("http {\n", folders),
                ("listen 8443 ", &format!("listen {address} ")),
                ("/etc/tollgate/tls/tls.crt", &folder.file("tls.crt", certificate)),
                ("/etc/tollgate/tls/tls.key", &folder.file("tls.key", key)),
                ("/var/log/nginx/access.log", &folder.file("access.log", "")),
                ("worker_processes auto;", ""),
            ],
        );
        folder.file("nginx.conf", text);
        let mut command = Command::new(Nginx.program().unwrap());
        command
            .arg("-p")
            .arg(folder.path())
            .args(["-c", "nginx.conf", "-e", "stderr"])
            .args(["-g", "daemon off; master_process off; pid nginx.pid;"]);
        Self::listening(command, folder, address).await
    }

    async fn listening(command: Command, folder: Folder, address: SocketAddr) -> Self {
        let ready = async || connect_from(caller(1), address).await.ok().map(drop);
        Self { address, daemon: Daemon::start(command, folder, ready).await }
    }

    /// The lines of its access log, which HAProxy prints.
    pub fn access_log(&self) -> Vec<Value> {
        let text = |name| std::fs::read_to_string(self.daemon.folder.path().join(name));
        let text = text("access.log").or_else(|_| text("log.txt")).unwrap();
        let lines = text.lines().filter(|line| line.starts_with('{'));
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
