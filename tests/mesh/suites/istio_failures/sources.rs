//! The places from which modules come in the rows: registries that fail in different ways, and files.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use mesh::istio::Mesh;
use mesh::machine;
use mesh::program::{Program, run};
use mesh::registry::HOST;
use serde_json::{Value, json};
use support::graft::{self, Fault};
use support::tls::Authority;

/// A line of a password file: `mesh` with the password `mesh`.
const PASSWORDS: &str = "mesh:$2y$04$RvhoPQM2wxcJxh8IgD2hm./sdUnQ3ops8P.n5aEZiEt91jphqOk7m\n";

/// Ports of the registries beside the good one.
pub const BASIC: u16 = 5001;
pub const LOGIN: u16 = 5002;
pub const STRANGER: u16 = 5003;
pub const SILENT: u16 = 5004;

/// Where the component `file` finds the module.
pub const FOLDER: &str = "/var/tollgate";

pub struct Sources {
    _registries: Vec<Program>,
    /// It accepts connections and does not answer.
    _silent: TcpListener,
    /// The digest of a second image of the same module.
    pub second: String,
    /// That of an artifact with one layer.
    pub one_layer: String,
    /// That of an artifact with another module.
    pub other: String,
}

impl Sources {
    pub fn start(mesh: &Mesh) -> Self {
        fs::create_dir_all(FOLDER).unwrap();
        run(Command::new("mount").args(["-t", "tmpfs", "tmpfs", FOLDER])).ok();
        for (file, fault) in [("trap.wasm", Fault::Trap), ("fatal.wasm", Fault::TrapForGood)] {
            graft::module(fault, &Path::new(FOLDER).join(file));
        }
        let write = |name: &str, text: &str| {
            let path = machine::folder().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let (certificate, key) = Authority::new().workload_pem(HOST);
        let registry = mesh.registry();
        let beside = |name, port, settings| registry.beside(name, port, settings);
        let second = registry.push("0.1.1");
        let passwords = write("passwords", PASSWORDS);
        let bundle = write("tokens.pem", machine::authority().pem());
        let registries = vec![
            beside(
                "basic",
                BASIC,
                json!({"auth": {"htpasswd": {"realm": "registry", "path": passwords}}}),
            ),
            beside(
                "login",
                LOGIN,
                json!({"auth": {"token": {
                    // Itself: it refuses everyone, as a server of tokens refuses callers without a login.
                    "realm": format!("https://{HOST}:{LOGIN}/v2/"),
                    "service": "registry", "issuer": "registry", "rootcertbundle": bundle,
                }}}),
            ),
            beside(
                "stranger",
                STRANGER,
                json!({"http": {
                    "addr": format!("{}:{STRANGER}", registry.address()),
                    "tls": {"certificate": write("own.crt", &certificate), "key": write("own.key", &key)},
                }}),
            ),
        ];
        let at = (registry.address(), SILENT);
        Self {
            _registries: registries,
            _silent: TcpListener::bind(at).unwrap(),
            second,
            one_layer: artifact("one-layer", |_, layers| layers.truncate(1)),
            other: artifact("other", |folder, layers| {
                let module = Path::new(FOLDER).join("trap.wasm");
                let digest = digest(&module);
                layers[0]["size"] = json!(fs::metadata(&module).unwrap().len());
                layers[0]["digest"] = json!(format!("sha256:{digest}"));
                fs::copy(module, folder.join(digest)).unwrap();
            }),
        }
    }
}

/// Pushes a changed copy of the artifact as `tollgate:TAG`; its digest.
fn artifact(tag: &str, change: impl FnOnce(&Path, &mut Vec<Value>)) -> String {
    let folder = machine::folder().join(tag);
    let at = format!("dir:{}", folder.display());
    let image = |tag: &str| format!("docker://{HOST}/tollgate:{tag}");
    let copy =
        |from: &str, to: &str| run(Command::new("skopeo").args(["copy", "--quiet", from, to])).ok();
    copy(&image("0.1.0-artifact"), &at);
    let path = folder.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&folder, manifest["layers"].as_array_mut().unwrap());
    fs::write(&path, manifest.to_string()).unwrap();
    copy(&at, &image(tag));
    digest(&path)
}

fn digest(path: &Path) -> String {
    run(Command::new("sha256sum").arg(path)).ok().split(' ').next().unwrap().to_owned()
}
