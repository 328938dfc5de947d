//! The module on a web server of the cluster, as `examples/envoy-gateway/module.yaml` has it.

use std::fs;

use mesh::container::Container;
use mesh::envoy_gateway::world::{accepted, shipped};
use mesh::program::Program;
use mesh::{api, machine, until};
use serde_json::{Value, json};
use support::client::{self, Request};
use support::manifests::text;
use support::{root, skip};

use crate::scene::tokenless;

const FILE: &str = "examples/envoy-gateway/module.yaml";

/// The Service of the manifest.
const NAME: &str = "tollgate-module.envoy-gateway-system.svc.cluster.local";

/// The address that the manifest tells for the policy.
fn address() -> String {
    let text = fs::read_to_string(root().join(FILE)).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("#   http"));
    format!("http{}", line.unwrap())
}

/// Runs the container of the Deployment in a pod.
fn serve() -> Program {
    let manifests = support::manifests::read(FILE);
    let kind = |kind: &str| manifests.iter().find(|one| one["kind"] == kind).unwrap();
    let at = machine::pod("module", 30);
    machine::name(at, NAME);
    let pod = &kind("Deployment")["spec"]["template"]["spec"];
    let envoy = &pod["containers"][0];
    let mounted = |name: &str| {
        let mounts = envoy["volumeMounts"].as_array().unwrap();
        text(mounts.iter().find(|mount| mount["name"] == name).unwrap(), "/mountPath")
    };
    let folders = [mounted("config"), mounted("module")];
    let container = Container::new("module", &folders).within("module");
    let config = text(kind("ConfigMap"), "/data/envoy.yaml");
    container.write(format!("{}/envoy.yaml", folders[0]), config);
    let module = fs::read(support::module()).unwrap();
    container.write(format!("{}/plugin.wasm", folders[1]), module);
    let mut command = container.command(skip::envoy_binary().unwrap());
    command.args(envoy["args"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()));
    let server = Program::start("module", &mut command);
    let ready = Request::get(text(envoy, "/readinessProbe/httpGet/path"));
    until(30, "the server of the module is ready", || {
        let answer = machine::runtime().block_on(client::try_send((at, 8080).into(), &ready));
        answer.is_ok_and(|answer| answer.status == 200).then_some(())
    });
    server
}

#[test]
fn with_the_module_in_the_cluster_envoy_gateway_needs_no_registry() {
    let Some(mut scene) = crate::scene() else { return };
    let mut server = serve();
    scene.good();
    scene.world.registry.stop();
    let policy: Value = {
        let mut policy = shipped("policy-http.yaml").remove(0);
        policy["spec"]["wasm"][0]["code"]["http"]["url"] = json!(address());
        policy
    };
    scene.apply(&[policy]);
    assert_eq!(
        accepted("envoyextensionpolicy", "tollgate"),
        (true, "Policy has been accepted.".to_owned())
    );
    for proxy_starts in [false, true] {
        scene.stop();
        scene.start_again();
        if proxy_starts {
            scene.world.proxy.restart();
        }
        scene.serves();
    }
    // Without the server it refuses all requests, as without a registry.
    server.end();
    scene.stop();
    scene.start_again();
    scene.world.until(&tokenless(), 500, "");
    scene.world.registry.begin();
    api::kubectl(["delete", "envoyextensionpolicy", "tollgate", "--namespace", "models"]).ok();
    scene.good();
}
