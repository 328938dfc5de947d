//! The module in a file of the proxy's container (istio/components), without a registry.

use std::fs;
use std::path::Path;
use std::process::Command;

use mesh::istio::namespaces;
use mesh::istio::pod::Spec;
use mesh::program::run;
use mesh::{api, machine, until};
use serde_json::{Value, json};
use support::client::Request;
use support::manifests::documents;
use support::root;

use crate::sources::FOLDER;
use crate::world;

/// The overlay for sidecars with the component `file`, in a namespace of its own.
const KUSTOMIZATION: &str = "
namespace: file
resources: [../istio/overlays/sidecar]
components: [../istio/components/file]
";

#[test]
fn a_module_in_a_file_needs_no_registry() {
    let Some((mesh, _)) = world() else { return };
    namespaces(&["file"]);
    fs::copy(support::module(), Path::new(FOLDER).join("plugin.wasm")).unwrap();
    let manifests = mesh.manifests("file");
    fs::create_dir(manifests.folder().join("file")).unwrap();
    fs::write(manifests.folder().join("file/kustomization.yaml"), KUSTOMIZATION).unwrap();
    manifests.shell("kubectl apply --kustomize file", &[]).ok();
    let [pod, caller] = ["guarded", "caller"].map(|name| Spec::sidecar("file", name).start());
    // For these pods the registry is down.
    for network in ["guarded-1", "caller-1"] {
        machine::ip(&format!("-n {network} route add blackhole {}", mesh.registry().address()));
    }
    caller.ready();
    let good = mesh.token(json!({}));
    let score = || Request::post("/score", "{}");
    let enforced = || {
        pod.ready();
        until(60, "a good token passes, and no other request", || {
            let passed = caller.send("guarded:8080", score().bearer(&good)).status == 200;
            let refused = caller.send("guarded:8080", score());
            (passed && refused.status == 401 && refused.reason() == "token_missing").then_some(())
        });
    };
    enforced();
    let patch = |patch: Value| {
        let change =
            ["patch", "wasmplugin", "tollgate", "--namespace", "file", "--type=merge", "--patch"];
        api::kubectl(change.into_iter().chain([patch.to_string().as_str()])).ok();
    };
    // The digest of a file is not compared, neither by a running pod nor by a new one.
    patch(json!({"spec": {"sha256": "1".repeat(64)}}));
    enforced();
    pod.begin();
    enforced();
    // A refused configuration does not replace the old one.
    let limits = |rate: &str| json!({"spec": {"pluginConfig": {"limits": [{"name": "per-caller", "rate": rate, "burst": 20}]}}});
    patch(limits("ten"));
    until(60, "the configuration was refused", || {
        pod.log().contains("configuration refused").then_some(())
    });
    enforced();
    patch(limits("10/s"));
    // A running pod reads the file again with the next change of the plugin.
    fs::write(Path::new(FOLDER).join("plugin.wasm"), "no module").unwrap();
    enforced();
    patch(limits("11/s"));
    until(60, "the file was read", || pod.log().contains("corrupted Wasm module").then_some(()));
    enforced();
    assert!(!pod.metrics().text.contains("wasm_remote_fetch_count"), "nothing was fetched");
}

#[test]
fn istios_injector_mounts_the_module_into_the_proxy_before_it_starts() {
    if world().is_none() {
        return;
    }
    let folder = machine::folder();
    let manifests = run(Command::new("istioctl").args(["manifest", "generate"])).ok();
    let map = |name: &str| {
        let is_it =
            |object: &Value| object["kind"] == "ConfigMap" && object["metadata"]["name"] == name;
        documents(&manifests).into_iter().find(is_it).unwrap()["data"].take()
    };
    let write = |name: &str, text: &Value| {
        let path = folder.join(name);
        fs::write(&path, text.as_str().unwrap()).unwrap();
        path
    };
    let injector = map("istio-sidecar-injector");
    let (config, values) =
        (write("inject.yaml", &injector["config"]), write("values.json", &injector["values"]));
    let mesh = write("mesh.yaml", &map("istio")["mesh"]);
    for (component, place) in [("image-volume", "initContainers"), ("init-container", "containers")]
    {
        let at = folder.join(component);
        fs::create_dir_all(&at).unwrap();
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "scoring"},
            "spec": {
                "selector": {"matchLabels": {"app": "scoring"}},
                "template": {
                    "metadata": {"labels": {"app": "scoring"}},
                    "spec": {"containers": [{"name": "app", "image": "app"}]},
                },
            },
        });
        fs::write(at.join("deployment.yaml"), deployment.to_string()).unwrap();
        run(Command::new("cp")
            .arg("--recursive")
            .arg(root().join("istio/components").join(component))
            .arg(at.join("component")))
        .ok();
        fs::write(
            at.join("kustomization.yaml"),
            "{resources: [deployment.yaml], components: [component]}",
        )
        .unwrap();
        let built = api::kubectl(["kustomize", at.to_str().unwrap()]).ok();
        fs::write(at.join("built.yaml"), built).unwrap();
        let mut inject = Command::new("istioctl");
        inject.args(["kube-inject", "--filename"]).arg(at.join("built.yaml"));
        inject
            .arg("--injectConfigFile")
            .arg(&config)
            .arg("--meshConfigFile")
            .arg(&mesh)
            .arg("--valuesFile")
            .arg(&values);
        // Sidecars start before other init containers, unless the pod says otherwise.
        inject.env("ENABLE_NATIVE_SIDECARS", "true").env("KUBECONFIG", api::kubeconfig());
        let injected = documents(&run(&mut inject).ok()).remove(0);
        let pod = &injected["spec"]["template"]["spec"];
        let container = |list: &str, name: &str| {
            pod[list].as_array().unwrap().iter().find(|c| c["name"] == name).cloned()
        };
        let proxy =
            container(place, "istio-proxy").unwrap_or_else(|| panic!("{component}: {pod:#}"));
        assert_ne!(proxy["image"], "auto");
        let mount = json!({"name": "tollgate", "mountPath": FOLDER, "readOnly": true});
        assert!(proxy["volumeMounts"].as_array().unwrap().contains(&mount), "{proxy:#}");
        assert_eq!(
            container("initContainers", "tollgate").is_some(),
            component == "init-container"
        );
        let volumes = pod["volumes"].as_array().unwrap();
        assert!(volumes.iter().any(|volume| volume["name"] == "tollgate"), "{component}");
    }
}
