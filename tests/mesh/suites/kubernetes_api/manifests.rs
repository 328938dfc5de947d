//! Every manifest of the repository and of its pages, as `kubectl apply --server-side` sends it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use mesh::{api, machine};
use serde_json::{Value, json};
use support::manifests::{Kustomize, files, read};
use support::{docs, root};

/// Manifests that users apply together: what a folder builds, a file, or a block of a page.
struct Source {
    name: String,
    manifests: Vec<Value>,
}

impl Source {
    fn new(name: String, documents: Vec<Value>) -> Self {
        Self { name, manifests: documents.into_iter().filter(is_manifest).collect() }
    }

    /// A stream of documents; JSON is YAML.
    fn text(&self) -> String {
        self.manifests.iter().map(|manifest| format!("---\n{manifest}\n")).collect()
    }
}

/// Whether this is an object of Kubernetes. Kustomize alone reads its own kinds.
fn is_manifest(document: &Value) -> bool {
    let group = document["apiVersion"].as_str().unwrap_or("kustomize");
    document["kind"].is_string() && !group.starts_with("kustomize")
}

/// Each text in a value.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(list) => list.iter().flat_map(texts).collect(),
        Value::Object(map) => map.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// Each YAML file of the repository, except those of the tests.
fn all_files() -> Vec<PathBuf> {
    let entries = fs::read_dir(root()).unwrap().map(Result::unwrap);
    let folders = entries.filter(|entry| entry.path().is_dir());
    let names = folders.map(|folder| folder.file_name().into_string().unwrap());
    let ours = |name: &String| {
        !name.starts_with('.') && !["target", "tests", "dist"].contains(&name.as_str())
    };
    names.filter(ours).flat_map(|folder| files(&folder)).collect()
}

/// What a component makes that users add to folders of their own: of a workload, and of the plugin for sidecars.
fn with_component(kustomize: &Kustomize, component: &Path) -> Vec<Value> {
    let folder = machine::folder().join("components").join(component);
    fs::create_dir_all(&folder).unwrap();
    let below = folder.strip_prefix(root().canonicalize().unwrap()).unwrap();
    let up = "../".repeat(below.components().count());
    let labels = json!({"app": "scoring"});
    let workload = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "scoring", "namespace": "models"},
        "spec": {"selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "scoring", "image": "registry.example.com/scoring:1"}]},
        }},
    });
    fs::write(folder.join("workload.yaml"), workload.to_string()).unwrap();
    let build = |components: Value| {
        let resources = [format!("{up}istio/overlays/sidecar"), "workload.yaml".to_owned()];
        let kustomization = json!({"resources": resources, "components": components});
        fs::write(folder.join("kustomization.yaml"), kustomization.to_string()).unwrap();
        kustomize.build(folder.to_str().unwrap())
    };
    let built = build(json!([format!("{up}{}", component.display())]));
    assert_ne!(built, build(json!([])), "{} changes nothing", component.display());
    built
}

/// All sources: a folder of Kustomize stands for the files that it names.
fn sources() -> Vec<Source> {
    let kustomize = Kustomize::find().unwrap();
    let (mut found, mut parts, mut components) = (Vec::new(), BTreeSet::new(), Vec::new());
    let (kustomizations, others): (Vec<_>, Vec<_>) =
        all_files().into_iter().partition(|path| path.ends_with("kustomization.yaml"));
    for path in kustomizations {
        let folder = path.parent().unwrap();
        let [kustomization] = read(&path).try_into().unwrap();
        parts.extend(
            texts(&kustomization)
                .iter()
                .filter_map(|text| root().join(folder).join(text).canonicalize().ok()),
        );
        match kustomization["kind"] == "Component" {
            true => components.push(folder.to_owned()),
            false => {
                let folder = folder.to_str().unwrap();
                found.push(Source::new(folder.to_owned(), kustomize.build(folder)));
            }
        }
    }
    for component in components {
        if !parts.contains(&root().join(&component).canonicalize().unwrap()) {
            let built = with_component(&kustomize, &component);
            found.push(Source::new(component.display().to_string(), built));
        }
    }
    for path in others {
        if !parts.contains(&root().join(&path).canonicalize().unwrap()) {
            found.push(Source::new(path.display().to_string(), read(&path)));
        }
    }
    for page in docs::pages() {
        for block in docs::blocks(&page) {
            let name = format!("{page}:{}", block.line);
            found.push(Source::new(name, block.documents()));
        }
    }
    found.retain(|source| !source.manifests.is_empty());
    found
}

/// What the API says against a source; `None` if it accepts every object without a warning.
fn refusal(source: &Source) -> Option<String> {
    let answer = api::accepts(&source.text());
    let accepted = answer.stdout.lines().count() == source.manifests.len();
    (!accepted || !answer.stderr.is_empty()).then(|| format!("{}: {}", source.name, answer.stderr))
}

#[test]
fn the_api_accepts_every_manifest_of_the_repository_and_of_its_pages() {
    if super::started().is_none() {
        return;
    }
    let _alone = super::alone();
    let sources = sources();
    let all = Source {
        name: "all".to_owned(),
        manifests: sources.iter().flat_map(|source| source.manifests.clone()).collect(),
    };
    let namespaces =
        all.manifests.iter().filter_map(|object| object["metadata"]["namespace"].as_str());
    for name in namespaces.collect::<BTreeSet<_>>() {
        super::namespace(name);
    }
    for pod in all.manifests.iter().filter(|object| object["kind"] == "Pod") {
        let (namespace, account) =
            (&pod["metadata"]["namespace"], &pod["spec"]["serviceAccountName"]);
        super::account(namespace.as_str().unwrap(), account.as_str().unwrap_or("default"));
    }
    // One call is enough where nothing is refused.
    if let Some(together) = refusal(&all) {
        let alone: Vec<_> = sources.iter().filter_map(refusal).collect();
        panic!("{}\n{together}", alone.join("\n"));
    }
    let of = |part: &str| sources.iter().filter(|source| source.name.contains(part)).count();
    for (part, least) in [("istio/", 8), ("examples/", 8), ("envoy/", 5), ("docs/", 5)] {
        assert!(of(part) >= least, "{part}: {}", of(part));
    }
    println!("{} objects of {} sources", all.manifests.len(), sources.len());
}
