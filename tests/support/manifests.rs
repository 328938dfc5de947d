//! The manifests under `istio/` and `examples/`: their documents, and the objects that Kustomize builds
//! of them.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use super::root;
use super::skip::{absent, program};

/// The plugin of every installation of Istio.
pub const PLUGIN: &str = "istio/base/plugin.yaml";

/// The documents of a file of the repository.
pub fn read(path: impl AsRef<Path>) -> Vec<Value> {
    let path = root().join(path);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    documents(&text)
}

/// The documents of a text.
pub fn documents(text: &str) -> Vec<Value> {
    serde_yaml_ng::Deserializer::from_str(text)
        .map(|document| Value::deserialize(document).unwrap_or_else(|e| panic!("{e}:\n{text}")))
        .collect()
}

/// Each YAML file below a folder, relative to the root.
pub fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files(&path)),
            false => found.push(PathBuf::from(path)),
        }
    }
    found.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    found.sort();
    found
}

/// A text in an object: `text(&plugin, "/spec/url")`.
pub fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} in {value}"))
}

/// The one object of a kind.
pub fn one<'v>(objects: &'v [Value], kind: &str) -> &'v Value {
    let mut of_kind = objects.iter().filter(|object| object["kind"] == kind);
    let found = of_kind.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(of_kind.next().is_none(), "a second {kind}");
    found
}

/// The object of a kind and name.
pub fn named<'v>(objects: &'v [Value], kind: &str, name: &str) -> &'v Value {
    let is_it = |object: &&Value| object["kind"] == kind && object["metadata"]["name"] == name;
    objects.iter().find(is_it).unwrap_or_else(|| panic!("no {kind} {name}"))
}

/// Kustomize, as part of kubectl or alone; `None` after a note when there is none that knows what the
/// manifests use (components, a patch that changes the kind): version 5.
pub struct Kustomize(Vec<PathBuf>);

impl Kustomize {
    pub fn find() -> Option<Self> {
        // Where scripts/install/kubectl leaves one if that of the machine is too old.
        let fetched = root().join("target/kubectl/usr/bin/kubectl");
        let mut kubectls = program("kubectl").into_iter().chain([fetched]);
        let within = kubectls.find(|kubectl| minor(kubectl) >= Some(27));
        let within = within.map(|path| vec![path, "kustomize".into()]);
        let alone = || program("kustomize").map(|path| vec![path, "build".into()]);
        if let Some(command) = within.or_else(alone) {
            return Some(Self(command));
        }
        absent("there is neither kubectl 1.27 nor kustomize 5: run scripts/install/kubectl");
        None
    }

    /// The objects that a folder builds.
    pub fn build(&self, folder: &str) -> Vec<Value> {
        let (program, arguments) = self.0.split_first().unwrap();
        let output =
            Command::new(program).args(arguments).arg(root().join(folder)).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{folder}: {said}");
        documents(std::str::from_utf8(&output.stdout).unwrap())
    }
}

/// The `32` of kubectl 1.32.
fn minor(kubectl: &Path) -> Option<u32> {
    let arguments = ["version", "--client", "--output", "json"];
    let output = Command::new(kubectl).args(arguments).output().ok()?;
    let version: Value = serde_json::from_slice(&output.stdout).ok()?;
    let minor = version.pointer("/clientVersion/minor")?.as_str()?;
    minor.trim_end_matches('+').parse().ok()
}
