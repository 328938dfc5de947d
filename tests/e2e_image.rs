//! The OCI images in a real registry: pushed by `make push`, fetched as Istio, Envoy Gateway and
//! Envoy do, and run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use support::daemon::{Daemon, answers};
use support::example::Folder;
use support::ports::free_address;
use support::prelude::*;
use support::sample::Sample;
use support::skip::{self, absent, program};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const TAR_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const WASM: &str = "application/vnd.module.wasm.content.layer.v1+wasm";

/// A registry on loopback.
struct Registry {
    daemon: Daemon,
    address: SocketAddr,
}

impl Registry {
    /// `None` after [`absent`].
    async fn start() -> Option<Self> {
        let needed = ["docker-registry", "skopeo"];
        if let Some(name) = needed.into_iter().find(|name| program(name).is_none()) {
            absent(&format!("{name} is absent: install the package of that name"));
            return None;
        }
        let (folder, address) = (Folder::new(), free_address());
        let config = json!({
            "version": 0.1,
            "log": {"level": "warn"},
            "storage": {"filesystem": {"rootdirectory": folder.path().join("data")}},
            "http": {"addr": address.to_string()},
        });
        let mut command = Command::new(program("docker-registry").unwrap());
        command.arg("serve").arg(folder.file("config.yml", config.to_string()));
        let daemon = Daemon::start(command, folder, async || answers(address, "/v2/").await).await;
        Some(Self { daemon, address })
    }

    fn directory(&self) -> &Path {
        self.daemon.folder.path()
    }

    async fn get(&self, path: &str, accept: &str) -> Response {
        let request = Request::get(format!("/v2/team/tollgate/{path}")).header("accept", accept);
        let response = client::send(self.address, &request).await;
        assert_eq!(response.status, 200, "{path}");
        response
    }

    /// The manifest of a tag or digest, and its digest.
    async fn manifest(&self, reference: &str) -> (Value, String) {
        let response = self.get(&format!("manifests/{reference}"), MANIFEST).await;
        (response.json(), response.header("docker-content-digest").unwrap().to_owned())
    }

    async fn blob(&self, descriptor: &Value) -> Vec<u8> {
        let digest = descriptor["digest"].as_str().unwrap();
        let blob = self.get(&format!("blobs/{digest}"), "*/*").await.body;
        assert_eq!(format!("sha256:{}", sha256(&blob)), digest);
        blob
    }
}

fn sha256(bytes: &[u8]) -> String {
    hmac_sha256::Hash::hash(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Runs a program in the root of the repository with fixed labels, and returns its output.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(support::root())
        .env("IMAGE_VERSION", "1.2.3")
        .env("IMAGE_REVISION", "0123456789abcdef")
        .env("SOURCE_DATE_EPOCH", "1767323045")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command of `xtask` that writes into `dist`, and returns its output.
fn xtask(command: &str, dist: &Path) -> String {
    run("cargo", &["xtask", command, dist.to_str().unwrap()])
}

/// Reads a manifest as the fetchers of Istio (`pkg/wasm/imagefetcher.go`) and of Envoy Gateway do: the last layer if it is an archive, then `plugin.wasm` in it; else of exactly
/// two layers the one of the module's type.
async fn fetch_as_istio(registry: &Registry, manifest: &Value) -> Vec<u8> {
    let layers = manifest["layers"].as_array().unwrap();
    let last = layers.last().unwrap();
    if last["mediaType"] == TAR_GZIP {
        return unpack(&registry.blob(last).await, "plugin.wasm");
    }
    assert_eq!(layers.len(), 2);
    let layer = layers.iter().find(|layer| layer["mediaType"] == WASM).unwrap();
    registry.blob(layer).await
}

/// One file of a `.tar.gz`.
fn unpack(archive: &[u8], name: &str) -> Vec<u8> {
    let mut tar = Command::new("tar")
        .args(["--extract", "--gzip", "--to-stdout", name])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = tar.stdin.take().unwrap();
    let archive = archive.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&archive).unwrap());
    let output = tar.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    output.stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pushed_is_pulled_by_tag_and_digest_and_runs() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let Some(registry) = Registry::start().await else { return };
    let module = std::fs::read(support::root().join("dist/tollgate.wasm")).unwrap();

    let host_module = std::fs::read(support::root().join("dist/tollgate-host.wasm")).unwrap();

    let built = xtask("image", registry.directory());
    let again = xtask("image", &registry.directory().join("again"));
    assert_eq!(built, again, "two builds, one digest");
    let sbom = |dist: &str| std::fs::read(registry.directory().join(dist)).unwrap();
    assert_eq!(sbom("tollgate.cdx.json"), sbom("again/tollgate.cdx.json"));
    assert!(built.contains(&format!("sha256:{}", sha256(&module))), "{built}");

    let place = format!("{}/team", registry.address);
    let dist = format!("DIST={}", registry.directory().display());
    let registry_at = format!("REGISTRY={place}");
    // The images are built already, so the target `image` is skipped.
    let push = ["--no-print-directory", "--old-file=image", "push", "PLAIN_HTTP=1"];
    let pushed = run("make", &[&push[..], &[&dist, &registry_at]].concat());
    let pushed: Vec<_> = pushed.lines().collect();
    assert_eq!(pushed.len(), 4, "{pushed:?}");
    let tags = ["1.2.3", "1.2.3-artifact", "1.2.3-host", "1.2.3-host-artifact"];
    for (line, tag) in pushed.iter().zip(tags) {
        let module = if tag.contains("host") { &host_module } else { &module };
        let digest = line.strip_prefix(&format!("oci://{place}/tollgate:{tag}@")).unwrap();
        assert!(built.contains(digest), "the digest of the build is that of the registry");
        for reference in [tag, digest] {
            let (manifest, found) = registry.manifest(reference).await;
            assert_eq!(found, digest);
            assert_eq!(manifest["annotations"]["org.opencontainers.image.version"], "1.2.3");
            assert_eq!(&fetch_as_istio(&registry, &manifest).await, module, "{reference}");
        }
    }

    let (manifest, _) = registry.manifest("1.2.3").await;
    let pulled = registry.directory().join("pulled.wasm");
    std::fs::write(&pulled, fetch_as_istio(&registry, &manifest).await).unwrap();
    let envoy = fixture.envoy(json!({})).module(&pulled).start().await;
    judges(&envoy, &fixture).await;
    drop(envoy);

    // Envoy's own fetcher takes the first layer of the artifact as the module.
    let (manifest, _) = registry.manifest("1.2.3-artifact").await;
    let digest = manifest["layers"][0]["digest"].as_str().unwrap();
    let uri = format!("http://{}/v2/team/tollgate/blobs/{digest}", registry.address);
    let mut sample = Sample::load(fixture.upstream.address()).cluster("registry", registry.address);
    *sample.at(CODE) = json!({"remote": {
        "http_uri": {"uri": uri, "cluster": "registry", "timeout": "10s"},
        "sha256": digest.strip_prefix("sha256:").unwrap(),
    }});
    let envoy = fixture.proxy().start_file(&sample.text()).await;
    judges(&envoy, &fixture).await;
}

const CODE: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/\
                    http_filters/0/typed_config/config/vm_config/code";

/// The module in it lets a good token pass and refuses none at all.
async fn judges(envoy: &Envoy, fixture: &Fixture) {
    let score = || Request::post("/score", "{}");
    let good = score().bearer(fixture.token("alice"));
    assert_eq!(envoy.send(&good).await.status, 200);
    let refused = envoy.send(&score()).await;
    assert_eq!((refused.status, refused.reason().as_str()), (401, "token_missing"));
}

#[test]
fn the_module_names_no_folder_of_the_machine_that_built_it() {
    let Some(module) = skip::module() else { return };
    let module = std::fs::read(module).unwrap();
    let home = || std::env::var("HOME").unwrap() + "/.cargo";
    let cargo = std::env::var("CARGO_HOME").unwrap_or_else(|_| home());
    for folder in [&cargo, "/.cargo/registry", support::root().to_str().unwrap()] {
        let found = module.windows(folder.len()).position(|part| part == folder.as_bytes());
        let text = found.map(|at| module[at..].iter().take(80).copied().collect::<Vec<_>>());
        assert!(text.is_none(), "{}", text.unwrap().escape_ascii());
    }
}

#[test]
fn the_bill_names_each_crate_that_is_compiled_into_the_module_and_no_other() {
    let dist = support::root().join(format!("target/e2e/sbom-{}", std::process::id()));
    if skip::module().is_none() {
        return;
    }
    xtask("image", &dist);
    let bill = std::fs::read_to_string(dist.join("tollgate.cdx.json")).unwrap();
    let host = std::fs::read_to_string(dist.join("tollgate-host.cdx.json")).unwrap();
    std::fs::remove_dir_all(dist).unwrap();
    let verifier =
        ["jwt-simple", "superboring", "p256", "p384", "k256", "ed25519-compact", "hmac-sha512"];
    for name in verifier {
        let named = format!("\"name\": \"{name}\"");
        assert!(bill.contains(&named) && !host.contains(&named), "{name}");
    }
    assert!(host.contains("\"name\": \"serde_json\""));
    let bill: Value = serde_json::from_str(&bill).unwrap();
    let components = bill["components"].as_array().unwrap();
    let names: Vec<_> = components.iter().map(|c| c["name"].as_str().unwrap()).collect();
    // Every direct dependency is there; no tool of the tests and no macro is.
    let manifest = std::fs::read_to_string(support::root().join("Cargo.toml")).unwrap();
    let (_, direct) = manifest.split_once("\n[dependencies]\n").unwrap();
    let (direct, _) = direct.split_once("\n[").unwrap();
    let direct = direct.lines().filter(|line| !line.contains("optional = true"));
    for line in direct.filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase())) {
        let (name, _) = line.split_once(" = ").unwrap();
        assert!(names.contains(&name), "{name}");
    }
    for name in ["tokio", "hyper", "proptest", "criterion", "serde_derive", "walrus", "tar"] {
        assert!(!names.contains(&name), "{name}");
    }
    for component in components {
        assert!(component["licenses"][0]["expression"].is_string(), "{component}");
        assert_eq!(component["hashes"][0]["content"].as_str().unwrap().len(), 64, "{component}");
    }
}

#[test]
fn a_release_is_the_same_twice_and_its_examples_name_its_digests() {
    if skip::module().is_none() {
        return;
    }
    let sums = ["one", "two"].map(|time| {
        let dist =
            support::root().join(format!("target/e2e/release-{}/{time}", std::process::id()));
        xtask("release", &dist);
        dist.join("release")
    });
    let read = |folder: &Path, file: &str| std::fs::read_to_string(folder.join(file)).unwrap();
    assert_eq!(read(&sums[0], "SHA256SUMS"), read(&sums[1], "SHA256SUMS"));
    let folder = &sums[0];
    let check = Command::new("sha256sum")
        .args(["--check", "--strict", "SHA256SUMS"])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(check.status.success(), "{check:?}");
    for file in [
        ".wasm",
        ".cdx.json",
        ".schema.json",
        "-examples.tar.gz",
        "-oci.tar",
        "-host.wasm",
        "-host.cdx.json",
    ] {
        assert!(folder.join(format!("tollgate-1.2.3{file}")).is_file(), "{file}");
    }
    let archive = std::fs::read(folder.join("tollgate-1.2.3-examples.tar.gz")).unwrap();
    let envoy = unpack(&archive, "tollgate-1.2.3-examples/envoy/envoy.yaml");
    assert_eq!(envoy, std::fs::read(support::root().join("envoy/envoy.yaml")).unwrap());
    // A manifest that fetches an image names its digest; one that fetches a file, that of the file.
    let digests = read(folder, "digests.txt");
    let digest = |what: &str| {
        let line = digests.lines().find(|line| line.starts_with(what)).unwrap();
        line.rsplit_once("sha256:").unwrap().1.to_owned()
    };
    const KUBERNETES: &str = "examples/kubernetes";
    for (file, before, what) in [
        ("istio/base/plugin.yaml", "sha256: \"", "compat"),
        ("examples/envoy-gateway/policy.yaml", "sha256: \"", "compat"),
        ("examples/envoy-gateway/policy-http.yaml", "sha256: \"", "module"),
        ("examples/envoy-gateway/module.yaml", "@sha256:", "compat"),
        (&format!("{KUBERNETES}/base/deployment.yaml"), "@sha256:", "compat"),
        (&format!("{KUBERNETES}/overlays/init-container/download.yaml"), "/sha256:", "module"),
    ] {
        let example = unpack(&archive, &format!("tollgate-1.2.3-examples/{file}"));
        let example = String::from_utf8(example).unwrap();
        assert!(example.contains(&format!("{before}{}", digest(what))), "{file}");
    }
    let archive = folder.join("tollgate-1.2.3-examples.tar.gz");
    let all = Command::new("tar").arg("-xzOf").arg(archive).output().unwrap().stdout;
    assert!(!String::from_utf8_lossy(&all).contains(&"0".repeat(64)), "a placeholder is left");
    std::fs::remove_dir_all(folder.parent().unwrap().parent().unwrap()).unwrap();
}
