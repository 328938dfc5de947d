//! A container registry over TLS with the images of the module.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use support::root;

use super::program::{self, Program};
use super::{machine, until};

/// The name in the manifests.
pub const HOST: &str = "registry.example.com";

const LAST: u8 = 2;

/// A running registry; [`Registry::stop`] and [`Registry::begin`] keep its images.
pub struct Registry {
    config: PathBuf,
    program: Option<Program>,
}

impl Registry {
    /// Starts an empty registry at `https://registry.example.com`.
    pub fn start() -> Self {
        machine::name(machine::address(LAST), HOST);
        let mut registry = Self { config: configure("registry", 443, json!({})), program: None };
        registry.begin();
        registry
    }

    /// Its address, which has room for other ports.
    pub fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 244, 0, LAST)
    }

    /// Starts it again.
    pub fn begin(&mut self) {
        self.program = Some(serve("registry", &self.config, self.address(), 443));
    }

    /// Connections are refused from now on.
    pub fn stop(&mut self) {
        self.program = None;
    }

    /// A second registry over the same images, on another port and with other settings, such as `auth`.
    pub fn beside(&self, name: &str, port: u16, settings: Value) -> Program {
        serve(name, &configure(name, port, settings), self.address(), port)
    }

    /// Builds the images of the module with this version and pushes them as `make push` does; the digest of the image
    /// `tollgate:VERSION`. The version is a label, so each has its own digest.
    pub fn push(&self, version: &str) -> String {
        let dist = machine::folder().join(format!("image-{version}"));
        fs::create_dir_all(&dist).unwrap();
        let dist = dist.display();
        let run = |program: &str, arguments: &[&str]| {
            let mut command = Command::new(program);
            program::run(command.args(arguments).current_dir(root()).env("IMAGE_VERSION", version))
                .ok()
        };
        run("cargo", &["xtask", "image", &dist.to_string()]);
        // The images are built already, so the target `image` is skipped.
        let (dist, host) = (format!("DIST={dist}"), format!("REGISTRY={HOST}"));
        let pushed =
            run("make", &["--no-print-directory", "--old-file=image", "push", &dist, &host]);
        let digest = pushed.lines().next().and_then(|line| line.rsplit_once("@sha256:")).unwrap().1;
        digest.to_owned()
    }
}

/// Writes the configuration of a registry.
fn configure(name: &str, port: u16, settings: Value) -> PathBuf {
    let folder = machine::folder();
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let (certificate, key) = machine::authority().workload_pem(HOST);
    let config = json!({
        "version": 0.1,
        "log": {"level": "info"},
        "storage": {"filesystem": {"rootdirectory": folder.join("registry")}},
        "http": {
            "addr": format!("{}:{port}", Ipv4Addr::new(10, 244, 0, LAST)),
            "tls": {
                "certificate": file(&format!("{name}.crt"), &certificate),
                "key": file(&format!("{name}.key"), &key),
            },
        },
    });
    file(&format!("{name}.json"), &support::scenario::merged(config, settings).to_string())
}

fn serve(name: &str, config: &PathBuf, address: Ipv4Addr, port: u16) -> Program {
    let program = Program::start(name, Command::new("docker-registry").arg("serve").arg(config));
    until(30, "the registry listens", || std::net::TcpStream::connect((address, port)).ok());
    program
}
