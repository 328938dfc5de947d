//! The commands of the pages that need an API and no nodes, as they are written there; and what
//! docs/deploy-kubernetes.md says of the objects that they make.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use mesh::api::{self, kubectl};
use mesh::machine;
use mesh::program::{Answer, run};
use serde_json::{Value, json};
use support::{docs, root};

/// What an API does without nodes and controllers.
const VERBS: [&str; 6] = ["annotate", "apply", "create", "delete", "diff", "label"];

/// What needs pods or controllers.
const OTHERS: [&str; 7] = ["exec", "get", "kustomize", "logs", "port-forward", "rollout", "wait"];

/// The folder of a reader: the repository, and a certificate.
fn reader() -> PathBuf {
    let folder = machine::folder().join("reader");
    fs::create_dir_all(&folder).unwrap();
    for entry in fs::read_dir(root()).unwrap().map(Result::unwrap) {
        symlink(entry.path().canonicalize().unwrap(), folder.join(entry.file_name())).unwrap();
    }
    let openssl =
        "req -x509 -newkey rsa:2048 -nodes -subj /CN=ml.example.com -keyout tls.key -out tls.crt";
    run(Command::new("openssl").args(openssl.split(' ')).current_dir(&folder)).ok();
    folder
}

fn shell(folder: &Path, command: &str) -> Answer {
    let shell = ["-c", command];
    run(Command::new("sh").args(shell).current_dir(folder).env("KUBECONFIG", api::kubeconfig()))
}

/// The commands of a page that begin with `kubectl`.
fn commands(page: &str) -> Vec<String> {
    let blocks = docs::blocks(page).into_iter().filter(|block| block.language == "sh");
    let lines = blocks.flat_map(|block| {
        let text = block.text.replace("\\\n", " ");
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    lines.filter(|line| line.starts_with("kubectl ")).collect()
}

/// Whether a command reads a manifest of the reader: a name without a folder. Those of the repository have one.
fn names_a_file_of_the_reader(command: &str) -> bool {
    command.split_whitespace().any(|word| word.ends_with(".yaml") && !word.contains('/'))
}

/// Removes what a page made, except namespaces.
fn remove(folder: &Path, objects: &str) {
    let objects: Value = serde_json::from_str(objects).unwrap();
    let all = objects["items"].as_array().cloned().unwrap_or_else(|| vec![objects]);
    let all: Vec<_> = all.into_iter().filter(|object| object["kind"] != "Namespace").collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": all});
    fs::write(folder.join("made.json"), list.to_string()).unwrap();
    shell(folder, "kubectl delete --wait=false --filename made.json").ok();
}

#[test]
fn the_commands_of_every_page_that_need_no_nodes_succeed_as_written() {
    if super::started().is_none() {
        return;
    }
    let _alone = super::alone();
    for name in [
        "audit",
        "azureml",
        "gateway",
        "models",
        "monitoring",
        "envoy-gateway-system",
        "istio-ingress",
    ] {
        super::namespace(name);
    }
    let folder = reader();
    let mut count = 0;
    for page in docs::pages() {
        let mut applied = Vec::new();
        // Another page may make the same objects.
        let mut created = Vec::new();
        for command in commands(&page) {
            let verb = command.split_whitespace().nth(1).unwrap();
            if let Some(name) = command.strip_prefix("kubectl create namespace ") {
                super::namespace(name.trim());
                continue;
            }
            if OTHERS.contains(&verb) || names_a_file_of_the_reader(&command) {
                continue;
            }
            assert!(VERBS.contains(&verb), "{page}: {command}");
            let command = command.split(" #").next().unwrap();
            let command = match verb {
                // With 1 it says that there are differences.
                "diff" => format!("{command} || [ $? = 1 ]"),
                // It would wait for controllers, which empty a namespace.
                "delete" => format!("{command} --dry-run=server"),
                _ => command.to_owned(),
            };
            let answer = shell(&folder, &command);
            assert!(answer.good, "{page}: {command}\n{}", answer.stderr);
            count += 1;
            if verb == "create" {
                let made = format!("{command} --dry-run=client --output json");
                created.push(shell(&folder, &made).ok());
            }
            if verb == "apply" {
                // Nothing that the API adds looks like a change.
                let again = shell(&folder, &command.replacen("apply", "diff", 1));
                assert!(again.good, "{page}: {command}\n{}{}", again.stdout, again.stderr);
                applied.push(command.replacen("apply", "get --output json", 1));
            }
        }
        for command in applied {
            remove(&folder, &shell(&folder, &command).ok());
        }
        created.iter().for_each(|objects| remove(&folder, objects));
    }
    assert!(count >= 15, "{count}");
}

/// The Deployment, and the names of the ConfigMaps in the namespace `rollout`.
fn deployed() -> (Value, Vec<String>) {
    let deployment = api::get(&["deployment", "tollgate", "--namespace", "rollout"]).unwrap();
    let all = api::get(&["configmaps", "--namespace", "rollout"]).unwrap();
    let names = all["items"].as_array().unwrap().iter().map(|item| &item["metadata"]["name"]);
    let names = names.map(|name| name.as_str().unwrap().to_owned());
    (deployment, names.filter(|name| name.starts_with("tollgate")).collect())
}

fn volume<'v>(deployment: &'v Value, name: &str) -> &'v Value {
    let volumes = deployment.pointer("/spec/template/spec/volumes").unwrap().as_array().unwrap();
    volumes.iter().find(|volume| volume["name"] == name).unwrap()
}

#[test]
fn a_changed_configuration_or_source_of_the_module_is_a_rollout_that_can_be_taken_back() {
    if super::started().is_none() {
        return;
    }
    super::namespace("rollout");
    let folder = machine::folder().join("rollout");
    run(Command::new("cp").arg("--recursive").arg(root().join("examples/kubernetes")).arg(&folder))
        .ok();
    let change = |file: &str, from: &str, to: &str| {
        let path = folder.join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file}: {from}");
        fs::write(path, text.replace(from, to)).unwrap();
    };
    change("base/kustomization.yaml", "namespace: models", "namespace: rollout");
    let apply = |part: &str| {
        kubectl(["apply", "--kustomize", folder.join(part).to_str().unwrap()]).ok();
        deployed()
    };
    let (first, names) = apply("base");
    let config = |deployment| volume(deployment, "config")["configMap"]["name"].clone();
    let generation = |deployment: &Value| deployment["metadata"]["generation"].as_u64().unwrap();
    assert_eq!(json!(names), json!([config(&first)]));
    assert_eq!(generation(&apply("base").0), generation(&first), "no change, no rollout");

    change("base/envoy.yaml", "\"burst\": 20", "\"burst\": 40");
    let (second, names) = apply("base");
    assert_eq!(generation(&second), generation(&first) + 1);
    assert_ne!(config(&second), config(&first));
    assert_eq!(names.len(), 2, "the previous one stays");
    change("base/envoy.yaml", "\"burst\": 40", "\"burst\": 20");
    assert_eq!(config(&apply("base").0), config(&first));

    let (downloads, _) = apply("overlays/init-container");
    let module = volume(&downloads, "module");
    assert!(module["emptyDir"].is_object() && module["image"].is_null(), "{module}");
    assert!(downloads.pointer("/spec/template/spec/initContainers/0").is_some());
    let (back, _) = apply("base");
    assert_eq!(back["spec"], first["spec"]);

    // The fragments of the page, each in its place.
    let fragments: Vec<Value> =
        docs::blocks("docs/deploy-kubernetes.md").iter().flat_map(docs::Block::documents).collect();
    let fragment = |member: &str| {
        let found: Vec<_> = fragments.iter().filter(|part| part.get(member).is_some()).collect();
        let [fragment] = found[..] else { panic!("one {member}: {found:?}") };
        fragment.clone()
    };
    let built =
        kubectl(["kustomize", folder.join("overlays/init-container").to_str().unwrap()]).ok();
    let built = support::manifests::documents(&built);
    let mut deployment = support::manifests::one(&built, "Deployment").clone();
    let template = &mut deployment["spec"]["template"];
    template["metadata"]["annotations"] = fragment("annotations")["annotations"].clone();
    let pod = &mut template["spec"];
    pod["containers"][0]["env"] = fragment("env")["env"].clone();
    let download = pod["initContainers"][0].as_object_mut().unwrap();
    download.remove("args").unwrap();
    download.remove("env").unwrap();
    download.extend(fragment("command").as_object().unwrap().clone());
    api::try_apply(&[], &deployment.to_string()).ok();
}
