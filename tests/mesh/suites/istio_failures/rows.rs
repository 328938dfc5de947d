//! The rows: how each is made to happen, and how it is cured.

use mesh::istio::pod::Pod;
use mesh::registry::HOST;
use mesh::{api, machine, until};
use serde_json::{Value, json};
use support::client::{self, Request};
use support::scenario::merge;

use crate::page::Row;
use crate::scene::{BEFORE, CALLS, Scene, answer, expect};
use crate::sources::{BASIC, FOLDER, LOGIN, SILENT, STRANGER};

/// A row of the page: its first cell, and what makes it happen. Afterwards the filter is in effect.
pub type Happen = (&'static str, fn(&Scene, &Row));

/// An image at another port of the registry.
fn at(port: u16) -> Value {
    json!({"url": format!("oci://{HOST}:{port}/tollgate:0.1.0")})
}

/// A configuration that the filter refuses.
fn refused() -> Value {
    json!({"pluginConfig": {"limits": [{"name": "per-caller", "rate": "ten"}]}})
}

pub const ALL: &[Happen] = &[
    ("the registry refuses connections, and the plugin names a new image", |scene, row| {
        let new =
            json!({"url": format!("oci://{HOST}/tollgate:0.1.1"), "sha256": scene.sources.second});
        scene.mesh.registry().stop();
        scene.happens(row, &new);
        scene.mesh.registry().begin();
        for (pod, answers) in scene.pods.iter().zip(&row.answers) {
            expect(pod, &answers[1]);
        }
        scene.kubectl(&["annotate", "wasmplugin"], &["--overwrite", "retry.istio.io/at=1"]);
        scene.cured();
    }),
    ("the digest is wrong", |scene, row| {
        scene.happens(row, &json!({"sha256": "1".repeat(64)}));
        scene.good();
    }),
    ("the registry's certificate is of an unknown authority", |scene, row| {
        scene.happens(row, &at(STRANGER));
        scene.good();
    }),
    ("the registry requires a login", |scene, row| {
        scene.happens(row, &at(LOGIN));
        scene.good();
    }),
    ("`imagePullSecret` names a Secret that is not there", |scene, row| {
        let mut change = at(LOGIN);
        change["imagePullSecret"] = json!("pull");
        scene.happens(row, &change);
        scene.good();
    }),
    ("the registry requires a login by Basic authentication", |scene, row| {
        scene.happens(row, &at(BASIC));
        scene.good();
    }),
    ("the artifact has one layer", |scene, row| {
        scene.happens(row, &json!({"url": format!("oci://{HOST}/tollgate:one-layer"), "sha256": scene.sources.one_layer}));
        scene.good();
    }),
    ("the filter refuses the configuration", |scene, row| {
        scene.happens(row, &refused());
        scene.good();
    }),
    ("the filter refuses the configuration, and the module is new too", |scene, row| {
        let mut change = refused();
        change["url"] = json!(format!("oci://{HOST}/tollgate:other"));
        change["sha256"] = json!(scene.sources.other);
        scene.happens(row, &change);
        scene.good();
    }),
    ("Envoy refuses the listener, as with an access log that it cannot open", |scene, row| {
        api::apply(&unwritable(scene)).ok();
        scene.happens(row, &json!({}));
        api::kubectl(["delete", "envoyfilter", "log", "--namespace", scene.namespace]).ok();
        scene.cured();
    }),
    ("no pod has the labels of the plugin's `selector`", |scene, row| {
        scene.happens(row, &json!({"selector": {"matchLabels": {"app": "nobody"}}}));
        scene.good();
    }),
    ("the plugin was deleted", |scene, row| {
        scene.kubectl(&["delete", "wasmplugin"], &[]);
        scene.running(row, scene.marks());
        scene.started(row);
        scene.good();
    }),
    (
        "Envoy refuses the listener that brings plugin and EnvoyFilter to running pods",
        |scene, row| {
            first(scene, row, false);
        },
    ),
    ("the same, but the EnvoyFilter was installed before", |scene, row| first(scene, row, true)),
    ("the VM of the filter dies", |scene, row| dies(scene, row, "trap.wasm")),
    ("the VM of the filter dies, and no new one starts", |scene, row| {
        dies(scene, row, "fatal.wasm")
    }),
    ("the plugin names a file that is not there", |scene, row| {
        scene.happens(row, &file("absent.wasm"));
        scene.good();
    }),
];

/// Those that every pod of the mesh notices.
pub const ISTIOD: &[Happen] = &[
    ("the registry refuses connections, and istiod restarts", |scene, row| {
        scene.mesh.registry().stop();
        scene.mesh.restart_istiod();
        scene.running(row, scene.marks());
        scene.started(row);
        scene.mesh.registry().begin();
        // The agents connect again, and try again.
        scene.mesh.restart_istiod();
        scene.cured();
    }),
    ("istiod is down", |scene, row| {
        scene.mesh.without_istiod(|| {
            scene.running(row, scene.marks());
            scene.started(row);
        });
        scene.cured();
    }),
];

/// The row that takes a minute.
pub const SLOW: Happen = ("the registry accepts connections and does not answer", |scene, row| {
    let marks = scene.marks();
    scene.apply(&at(SILENT));
    for (pod, mark) in scene.pods.iter().zip(marks) {
        let now = answer(pod);
        let over = pod.log()[mark..].contains(row.quoted("log")[0]);
        assert!(over || now == BEFORE, "{now}");
    }
    scene.running(row, marks);
    scene.started(row);
    scene.good();
});

/// The module in a file.
pub fn file(name: &str) -> Value {
    json!({"url": format!("file://{FOLDER}/{name}"), "sha256": null})
}

/// The row with a module that dies of trailers.
fn dies(scene: &Scene, row: &Row, module: &str) {
    api::apply(&manager(
        scene,
        "trailers",
        &json!({"http_protocol_options": {"enable_trailers": true}}),
    ))
    .ok();
    scene.apply(&file(module));
    scene.cured();
    let marks = scene.marks();
    for ((pod, [expected, _]), mark) in scene.pods.iter().zip(&row.answers).zip(marks) {
        let died = || pod.log()[mark..].contains(row.quoted("in the log")[0]);
        // Each worker has a VM of its own, and a new one after a while where the strategy says so.
        until(60, "every VM died", || {
            if *expected != BEFORE || !died() {
                (0..8).for_each(|_| die(pod));
            }
            (died() && (0..CALLS).all(|_| answer(pod) == *expected)).then_some(())
        });
    }
    scene.running(row, marks);
    scene.started(row);
    api::kubectl(["delete", "envoyfilter", "trailers", "--namespace", scene.namespace]).ok();
    scene.good();
}

/// A request with trailers, on a connection of its own.
fn die(pod: &Pod) {
    // A path without a token: of a refused request, the filter sees no trailers.
    let mut request = Request::get("/").header("transfer-encoding", "chunked");
    request.body = b"0\r\nx-last: 1\r\n\r\n".to_vec();
    let _ = machine::runtime().block_on(client::try_send((pod.address, 8080).into(), &request));
}

/// The rows of a first installation: pods run without the plugin, and with the EnvoyFilter or not.
fn first(scene: &Scene, row: &Row, headers: bool) {
    scene.kubectl(&["delete", "wasmplugin"], &[]);
    scene.headers(headers);
    scene.renew();
    for (pod, [open, _]) in scene.pods.iter().zip(&row.answers) {
        expect(pod.ready(), open);
    }
    let marks = scene.marks();
    api::apply(&unwritable(scene)).ok();
    scene.headers(true);
    scene.apply(&json!({}));
    scene.running(row, marks);
    scene.started(row);
    api::kubectl(["delete", "envoyfilter", "log", "--namespace", scene.namespace]).ok();
    scene.cured();
}

/// An access log in a folder that does not exist.
fn unwritable(scene: &Scene) -> String {
    manager(
        scene,
        "log",
        &json!({"access_log": [{"name": "envoy.access_loggers.file", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": "/nonexistent/log",
        }}]}),
    )
}

/// An EnvoyFilter that changes the connection managers of the pods.
fn manager(scene: &Scene, name: &str, change: &Value) -> String {
    let mut config = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    });
    merge(&mut config, change.clone());
    json!({
        "apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter",
        "metadata": {"name": name, "namespace": scene.namespace},
        "spec": {"configPatches": [{
            "applyTo": "NETWORK_FILTER",
            "match": {"context": "SIDECAR_INBOUND", "listener": {"filterChain": {
                "filter": {"name": "envoy.filters.network.http_connection_manager"},
            }}},
            "patch": {"operation": "MERGE", "value": {"typed_config": config}},
        }]},
    })
    .to_string()
}
