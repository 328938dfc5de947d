//! The rows about the way of the module to Envoy Gateway, and about Envoy Gateway itself.

use mesh::api;
use serde_json::json;
use support::scenario::merge;

use crate::causes::{LOGIN, STRANGER};
use crate::policies::{code, config, image};
use crate::rows::{Row, row};
use crate::scene::Scene;

pub const ROWS: &[Row] = &[
    row(
        "the registry refuses connections, and the policy names a module that Envoy Gateway has",
        |scene, open| {
            scene.world.registry.stop();
            let mut policy = scene.policy(open);
            config(&mut policy)["limits"][0]["rate"] = json!("11/s");
            scene.apply(&[policy]);
        },
        |scene| scene.world.registry.begin(),
    ),
    row(
        "the registry refuses connections, and the policy names a new module",
        |scene, open| {
            scene.world.registry.stop();
            scene.apply(&[image(scene, open, "registry.example.com/tollgate:0.2.0", "2")]);
        },
        |scene| {
            scene.good();
            scene.world.registry.begin();
        },
    ),
    row(
        "the registry accepts connections and does not answer",
        |scene, open| {
            let Scene { world, sources, .. } = scene;
            sources.hang(world);
            scene.apply(&[image(scene, open, "registry.example.com/tollgate:0.3.0", "3")]);
        },
        |scene| {
            scene.sources.hang_up();
            scene.good();
            scene.world.registry.begin();
        },
    ),
    row(
        "the digest is wrong",
        |scene, open| {
            scene.apply(&[image(scene, open, "registry.example.com/tollgate:0.1.0", "1")]);
        },
        Scene::good_again,
    ),
    row(
        "the registry requires a login",
        |scene, open| {
            let mut policy =
                image(scene, open, &format!("registry.example.com:{LOGIN}/tollgate:0.1.0"), "");
            code(&mut policy)["image"]["sha256"] = json!(scene.sources.digest);
            scene.apply(&[policy]);
        },
        |scene| {
            let auth = json!({"auths": {format!("registry.example.com:{LOGIN}"): {"auth": "dXNlcjpzZWNyZXQ="}}});
            let secret = json!({
                "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
                "metadata": {"name": "pull", "namespace": "models"},
                "stringData": {".dockerconfigjson": auth.to_string()},
            });
            api::apply(&secret.to_string()).ok();
            let mut policy =
                image(scene, false, &format!("registry.example.com:{LOGIN}/tollgate:0.1.0"), "");
            merge(
                &mut code(&mut policy)["image"],
                json!({
                    "sha256": scene.sources.digest, "pullSecretRef": {"name": "pull"},
                }),
            );
            scene.apply(&[policy]);
        },
    ),
    row(
        "the registry's certificate is of an unknown authority",
        |scene, open| {
            let mut policy =
                image(scene, open, &format!("registry.example.com:{STRANGER}/tollgate:0.1.0"), "");
            code(&mut policy)["image"]["sha256"] = json!(scene.sources.digest);
            scene.apply(&[policy]);
        },
        |scene| {
            let map = json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "registry-ca", "namespace": "models"},
                "data": {"ca.crt": scene.sources.authority.pem()},
            });
            api::apply(&map.to_string()).ok();
            let mut policy =
                image(scene, false, &format!("registry.example.com:{STRANGER}/tollgate:0.1.0"), "");
            merge(
                &mut code(&mut policy)["image"],
                json!({
                    "sha256": scene.sources.digest,
                    "tls": {"caCertificateRef": {"kind": "ConfigMap", "group": "", "name": "registry-ca"}},
                }),
            );
            scene.apply(&[policy]);
        },
    ),
    row(
        "the artifact has one layer",
        |scene, open| {
            let mut policy = image(scene, open, "registry.example.com/tollgate:one-layer", "");
            code(&mut policy)["image"]["sha256"] = json!(scene.sources.one_layer);
            scene.apply(&[policy]);
        },
        Scene::good_again,
    ),
    row(
        "Envoy Gateway restarts while the registry is down",
        |scene, open| {
            scene.apply(&[scene.policy(open)]);
            scene.world.registry.stop();
            scene.stop();
            scene.start_again();
        },
        |scene| {
            scene.world.registry.begin();
            scene.stop();
            scene.start_again();
        },
    ),
    row(
        "Envoy Gateway is down",
        |scene, open| {
            if open {
                scene.start_again();
            }
            scene.apply(&[scene.policy(open)]);
            scene.serves();
            scene.stop();
        },
        |scene| scene.start_again(),
    ),
    row(
        "Envoy Gateway is down, and a proxy starts",
        |scene, open| {
            if open {
                scene.start_again();
                scene.apply(&[scene.policy(open)]);
                scene.serves();
            }
            scene.stop();
            scene.world.proxy.restart();
        },
        |scene| scene.start_again(),
    ),
];
