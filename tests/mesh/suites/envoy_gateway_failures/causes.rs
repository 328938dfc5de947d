//! The places from which modules come in the rows: registries and a web server that fail in different ways.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use mesh::envoy_gateway::world::World;
use mesh::machine;
use mesh::program::{Program, run};
use mesh::registry::HOST;
use serde_json::{Value, json};
use support::graft::{self, Fault};
use support::tls::Authority;

/// A line of a password file: `user` with the password `secret`.
const PASSWORDS: &str = "user:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

/// Ports of the registries beside the good one.
pub const LOGIN: u16 = 5001;
pub const STRANGER: u16 = 5002;

pub struct Sources {
    /// A registry that requires a login.
    _login: Program,
    /// One whose certificate nobody trusts, and its authority.
    _stranger: Program,
    pub authority: Authority,
    /// The digest of the image that every registry has.
    pub digest: String,
    /// That of an artifact with one layer.
    pub one_layer: String,
    /// A module that dies of trailers.
    pub fatal: Value,
    /// How many modules were made that no proxy has loaded yet.
    fresh: u8,
    /// The server in the place of the registry that accepts connections and does not answer.
    silent: Option<TcpListener>,
}

impl Sources {
    pub fn start(world: &World) -> Self {
        let write = |name: &str, text: &str| {
            let path = machine::folder().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let passwords = write("passwords", PASSWORDS);
        let htpasswd = json!({"auth": {"htpasswd": {"realm": "registry", "path": passwords}}});
        let authority = Authority::new();
        let (certificate, key) = authority.workload_pem(HOST);
        let http = json!({"http": {
            "addr": format!("{}:{STRANGER}", world.registry.address()),
            "tls": {
                "certificate": write("unknown.crt", &certificate),
                "key": write("unknown.key", &key),
            },
        }});
        let fatal = machine::folder().join("fatal.wasm");
        graft::module(Fault::Trap, &fatal);
        Self {
            _login: world.registry.beside("login", LOGIN, htpasswd),
            _stranger: world.registry.beside("stranger", STRANGER, http),
            authority,
            digest: shipped_digest(),
            one_layer: one_layer(),
            fatal: served(world, "fatal.wasm", &fs::read(fatal).unwrap()),
            fresh: 0,
            silent: None,
        }
    }

    /// The module with an empty section of its own: no proxy has it yet.
    pub fn another(&mut self, world: &World) -> Value {
        self.fresh += 1;
        let section = [0, 2, 1, self.fresh];
        let module = [fs::read(support::module()).unwrap(), section.to_vec()].concat();
        served(world, &format!("another-{}.wasm", self.fresh), &module)
    }

    /// From now on the registry accepts connections and does not answer.
    pub fn hang(&mut self, world: &mut World) {
        if self.silent.is_none() {
            world.registry.stop();
            let at = SocketAddr::from((world.registry.address(), 443));
            self.silent = Some(mesh::until(10, "the port of the registry is free", || {
                TcpListener::bind(at).ok()
            }));
        }
    }

    /// The issuer refuses connections.
    pub fn issuer_down(&self, world: &World) {
        machine::runtime().block_on(world.issuer.down());
    }

    /// The issuer answers again.
    pub fn issuer_up(&self, world: &World) {
        let _runtime = machine::runtime().enter();
        world.issuer.up();
    }

    /// Nothing listens in the place of the registry any more.
    pub fn hang_up(&mut self) {
        self.silent = None;
    }
}

/// Puts a module on the web server; the `code` of a policy with it.
fn served(world: &World, name: &str, module: &[u8]) -> Value {
    let sha256 = world.files.put(name, module);
    let url = format!("https://files.example.com/{name}");
    json!({"type": "HTTP", "http": {"url": url, "sha256": sha256}})
}

fn shipped_digest() -> String {
    let policy = mesh::envoy_gateway::world::shipped("policy.yaml").remove(0);
    policy["spec"]["wasm"][0]["code"]["image"]["sha256"].as_str().unwrap().to_owned()
}

/// Pushes a copy of the artifact without its second layer; its digest.
fn one_layer() -> String {
    let folder = machine::folder().join("one-layer");
    let at = format!("dir:{}", folder.display());
    let image = |tag: &str| format!("docker://{HOST}/tollgate:{tag}");
    let copy =
        |from: &str, to: &str| run(Command::new("skopeo").args(["copy", "--quiet", from, to])).ok();
    copy(&image("0.1.0-artifact"), &at);
    let path = folder.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    manifest["layers"].as_array_mut().unwrap().truncate(1);
    fs::write(&path, manifest.to_string()).unwrap();
    copy(&at, &image("one-layer"));
    let digest = run(Command::new("sha256sum").arg(path)).ok();
    digest.split(' ').next().unwrap().to_owned()
}
