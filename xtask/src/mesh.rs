//! `xtask mesh [SUITE...] [-- ARGUMENT...]`: builds the control planes and runs the suites of `tests/mesh`.
//!
//! The programs come from the Go modules below `tests/mesh` and are kept in `target/mesh/MODULE-HASH`, by the hash of
//! the module's files. Each suite runs on a machine of its own: new namespaces for the network, mounts and process
//! ids, so that all it started ends with it. The arguments go to the test programs.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::output;
use crate::test::{self, Suites};

/// A Go module below `tests/mesh`.
struct Module {
    name: &'static str,
    programs: &'static [Build],
    /// Files of a module that it requires: the module, the file or folder in it, and the name in our folder.
    files: &'static [(&'static str, &'static str, &'static str)],
}

/// A program: its name, its package, its build tags.
type Build = (&'static str, &'static str, &'static str);

const MODULES: [Module; 4] = [
    Module {
        name: "kubernetes",
        programs: &[
            ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver", ""),
            ("etcd", "go.etcd.io/etcd/server/v3", ""),
            ("kubectl", "k8s.io/kubernetes/cmd/kubectl", ""),
        ],
        files: &[],
    },
    Module {
        name: "istio",
        // The tags of Istio's own build.
        programs: &[
            (
                "pilot-discovery",
                "istio.io/istio/pilot/cmd/pilot-discovery",
                "vtprotobuf,disable_pgv",
            ),
            ("pilot-agent", "istio.io/istio/pilot/cmd/pilot-agent", "agent,disable_pgv"),
            ("istioctl", "istio.io/istio/istioctl/cmd/istioctl", "vtprotobuf,disable_pgv"),
        ],
        files: &[
            ("istio.io/istio", "manifests/charts/base/files/crd-all.gen.yaml", "crds.yaml"),
            (
                "istio.io/istio",
                "tools/packaging/common/envoy_bootstrap.json",
                "envoy_bootstrap.json",
            ),
        ],
    },
    Module {
        name: "envoy-gateway",
        programs: &[("envoy-gateway", "github.com/envoyproxy/gateway/cmd/envoy-gateway", "")],
        files: &[
            (
                "github.com/envoyproxy/gateway",
                "charts/gateway-helm/charts/crds/crds/generated",
                "crds",
            ),
            ("sigs.k8s.io/gateway-api", "config/crd/experimental", "gateway-api"),
        ],
    },
    // Kinds of other projects that our manifests use.
    Module {
        name: "definitions",
        programs: &[],
        files: &[
            (
                "github.com/prometheus-operator/prometheus-operator",
                "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
                "podmonitors.yaml",
            ),
            (
                "github.com/prometheus-operator/prometheus-operator",
                "example/prometheus-operator-crd/monitoring.coreos.com_probes.yaml",
                "probes.yaml",
            ),
            (
                "github.com/prometheus-operator/prometheus-operator",
                "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
                "prometheusrules.yaml",
            ),
            (
                "github.com/cilium/cilium",
                "pkg/k8s/apis/cilium.io/client/crds/v2/ciliumnetworkpolicies.yaml",
                "ciliumnetworkpolicies.yaml",
            ),
            (
                "github.com/cert-manager/cert-manager",
                "deploy/crds/cert-manager.io_certificates.yaml",
                "certificates.yaml",
            ),
            (
                "github.com/cert-manager/cert-manager",
                "deploy/crds/cert-manager.io_issuers.yaml",
                "issuers.yaml",
            ),
            (
                "sigs.k8s.io/secrets-store-csi-driver",
                "config/crd/bases/secrets-store.csi.x-k8s.io_secretproviderclasses.yaml",
                "secretproviderclasses.yaml",
            ),
        ],
    },
];

/// Programs of the system that the suites start.
const NEEDED: [&str; 6] = ["go", "unshare", "ip", "iptables", "docker-registry", "skopeo"];

/// The selection of `make test`, so that nothing is compiled twice.
const SELECTION: [&str; 5] =
    ["--workspace", "--exclude", "ratelimit", "--features", "tollgate/cli"];

/// A suite that runs longer hangs.
const DEADLINE: Duration = Duration::from_secs(30 * 60);

/// Builds what is missing, and runs the suites side by side.
pub fn run(arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    let (suites, rest) = match arguments.iter().position(|argument| *argument == "--") {
        Some(place) => (arguments.get(..place), arguments.get(place + 1..)),
        None => (Some(arguments), None),
    };
    require()?;
    let start = Instant::now();
    let mut environment = vec![("TOLLGATE_MESH".to_owned(), "1".into())];
    let mut path = Vec::new();
    for module in &MODULES {
        let folder = build(module)?;
        environment.push((
            format!("MESH_{}", module.name.to_uppercase().replace('-', "_")),
            folder.clone().into(),
        ));
        path.push(folder);
    }
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    environment.push(("PATH".to_owned(), std::env::join_paths(path)?));
    println!("control planes built in {:.0} s", start.elapsed().as_secs_f64());

    let suites = match suites.unwrap_or_default() {
        [] => suites_of("tests/mesh/suites")?,
        named => named.iter().map(|name| (*name).to_owned()).collect(),
    };
    command_line_tool()?;
    let tests = suites.iter().flat_map(|suite| ["--test", suite]);
    let isolated =
        ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
    test::run_suites(&Suites {
        build: SELECTION.into_iter().chain(tests).collect(),
        wrapper: isolated.to_vec(),
        arguments: rest.unwrap_or_default().to_vec(),
        environment,
        beside: thread::available_parallelism()?.get(),
        deadline: DEADLINE,
    })
}

/// Builds `tollgate`, which cargo builds itself only for tests of its own package.
fn command_line_tool() -> Result<(), Box<dyn Error>> {
    let mut command = Command::new("cargo");
    let status = command.arg("build").args(SELECTION).args(["--bin", "tollgate"]).status()?;
    match status.success() {
        true => Ok(()),
        false => Err("the command line tool does not compile".into()),
    }
}

/// The names of the suites in a folder.
fn suites_of(folder: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let mut suites = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            suites.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    suites.sort();
    Ok(suites)
}

/// An error with all that the suites need and this machine lacks.
fn require() -> Result<(), Box<dyn Error>> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let present =
        |name: &&str| std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    let mut absent: Vec<String> =
        NEEDED.iter().filter(|name| !present(name)).map(|name| (*name).to_owned()).collect();
    if output("id", &["-u"])?.trim() != "0" {
        absent.push("root, for networks of pods".to_owned());
    }
    match absent.is_empty() {
        true => Ok(()),
        false => Err(format!("`make mesh` needs: {}", absent.join(", ")).into()),
    }
}

/// The folder of a module's programs, which are built unless they are there.
fn build(module: &Module) -> Result<PathBuf, Box<dyn Error>> {
    let source = Path::new("tests/mesh").join(module.name);
    let mut hash = Sha256::new();
    for file in ["go.mod", "go.sum"] {
        hash.update(fs::read(source.join(file))?);
    }
    let hash: String = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let folder = std::env::current_dir()?.join(format!("target/mesh/{}-{hash}", module.name));
    let done = folder.join("complete");
    if done.is_file() {
        return Ok(folder);
    }
    fs::create_dir_all(&folder)?;
    for (name, package, tags) in module.programs {
        println!("building {name}");
        let flags = format!("-s -w{}", version(module.name, &source)?);
        go(
            &source,
            &[
                "build",
                "-trimpath",
                "-tags",
                tags,
                "-ldflags",
                &flags,
                "-o",
                &folder.join(name).display().to_string(),
                package,
            ],
        )?;
    }
    for (required, from, to) in module.files {
        go(&source, &["mod", "download", required])?;
        let dir = go(&source, &["list", "-m", "-f", "{{.Dir}}", required])?;
        let (from, to) = (Path::new(dir.trim()).join(from), folder.join(to));
        let copied = Command::new("cp")
            .args(["--recursive", "--no-preserve=mode"])
            .arg(from)
            .arg(to)
            .status()?;
        if !copied.success() {
            return Err(format!("the files of {required} cannot be copied").into());
        }
    }
    fs::write(done, "")?;
    Ok(folder)
}

/// Kubernetes' programs take their version from the linker, and refuse to start with an unknown one.
fn version(module: &str, source: &Path) -> Result<String, Box<dyn Error>> {
    if module != "kubernetes" {
        return Ok(String::new());
    }
    let version = go(source, &["list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes"])?;
    let version = version.trim();
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    let at = "k8s.io/component-base/version.git";
    Ok(format!(" -X {at}Version={version} -X {at}Major={major} -X {at}Minor={minor}"))
}

/// The output of Go in a module. One set of flags, so that the modules share what they compile.
fn go(source: &Path, arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    let output = Command::new("go")
        .args(arguments)
        .current_dir(source)
        .env("CGO_ENABLED", "0")
        .stderr(std::process::Stdio::inherit())
        .output()?;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout)?),
        false => Err(format!("go {}: {}", arguments.join(" "), output.status).into()),
    }
}
