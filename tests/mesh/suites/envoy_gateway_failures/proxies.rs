//! The rows about what proxies do with what they get.

use mesh::envoy_gateway::world::shipped;
use serde_json::json;
use support::client::Request;

use crate::policies::{access_log, code, config, other, refused};
use crate::rows::{Row, row};
use crate::scene::Scene;

pub const ROWS: &[Row] = &[
    row(
        "the filter refuses the configuration",
        |scene, open| {
            scene.apply(&[refused(scene, open)]);
        },
        Scene::good_again,
    ),
    row(
        "the filter refuses the configuration, and a proxy starts",
        |scene, open| {
            scene.apply(&[refused(scene, open)]);
            scene.world.proxy.restart();
        },
        Scene::good_again,
    ),
    row(
        "the filter refuses the configuration, and the module is new too",
        |scene, open| {
            scene.apply(&[scene.policy(open)]);
            scene.serves();
            let mut policy = refused(scene, open);
            *code(&mut policy) = scene.sources.another(&scene.world);
            scene.apply(&[policy]);
        },
        Scene::good_again,
    ),
    row(
        "the VM of the filter dies",
        |scene, open| {
            let mut policy = scene.policy(open);
            *code(&mut policy) = scene.sources.fatal.clone();
            let mut clients = shipped("clients.yaml").remove(0);
            clients["spec"]["http1"] = json!({"enableTrailers": true});
            scene.world.policies(&[clients, policy]);
            scene.world.proxy.restart();
            scene.serves();
            scene.kill_vms();
        },
        |scene| {
            scene.apply(&[scene.policy(false)]);
            scene.world.proxy.restart();
        },
    ),
    row(
        "Envoy refuses the listener, as with an access log that it cannot open",
        |scene, open| {
            scene.apply(&[scene.policy(open)]);
            scene.serves();
            access_log("/nowhere/access.log");
        },
        |_| access_log("/dev/stdout"),
    ),
    row(
        "Envoy refuses the listener, and a proxy starts",
        |scene, open| {
            scene.apply(&[scene.policy(open)]);
            access_log("/nowhere/access.log");
            scene.world.proxy.restart();
        },
        |_| access_log("/dev/stdout"),
    ),
    row("the policy is not there yet", |scene, _| scene.apply(&[]), Scene::good_again),
    row(
        "the policy names a Gateway that does not exist",
        |scene, open| {
            scene.apply(&[]);
            let mut policy = scene.policy(open);
            policy["spec"]["targetRefs"][0]["name"] = json!("scorings");
            scene.apply(&[policy]);
        },
        Scene::good_again,
    ),
    row(
        "an older policy names the same Gateway",
        |scene, open| {
            let mut older = other();
            older["spec"]["targetRefs"][0] = scene.policy(open)["spec"]["targetRefs"][0].clone();
            scene.apply(&[older.clone()]);
            // The age has a precision of one second.
            std::thread::sleep(std::time::Duration::from_millis(1100));
            scene.apply(&[older, scene.policy(open)]);
        },
        Scene::good_again,
    ),
    row(
        "an HTTPRoute has a policy of its own",
        |scene, open| {
            scene.apply(&[scene.policy(open), other()]);
        },
        Scene::good_again,
    ),
    row(
        "an HTTPRoute has a policy of its own with `mergeType: StrategicMerge`",
        |scene, open| {
            let mut other = other();
            other["spec"]["mergeType"] = json!("StrategicMerge");
            scene.apply(&[scene.policy(open), other]);
        },
        Scene::good_again,
    ),
    Row {
        request: |world| world.score("bob"),
        ..row(
            "the policy names a cluster of keys that does not exist",
            |scene, open| {
                let mut policy = scene.policy(open);
                config(&mut policy)["providers"][0]["name"] = json!("nowhere");
                config(&mut policy)["providers"][0]["keys"]["remote"]["cluster"] = json!("nowhere");
                scene.apply(&[policy]);
            },
            Scene::good_again,
        )
    },
    Row {
        request: |world| world.score("bob"),
        ..row(
            "the issuer's keys cannot be fetched",
            |scene, open| {
                let mut policy = scene.policy(open);
                config(&mut policy)["providers"][0]["name"] = json!("down");
                scene.sources.issuer_down(&scene.world);
                scene.apply(&[policy]);
            },
            |scene| {
                scene.sources.issuer_up(&scene.world);
                scene.good();
            },
        )
    },
    Row {
        request: |world| {
            let body = json!({"data": ["0".repeat(40_000)]}).to_string();
            Request::post("/score", body)
                .header("content-type", "application/json")
                .bearer(world.token("bob", json!({})))
        },
        ..row(
            "a guarded body over 32 KiB, without `bufferLimit`",
            |scene, open| {
                let mut policy = scene.policy(open);
                config(&mut policy)["rules"][1]["payload"] = json!({"require_any": ["/data"]});
                let mut clients = shipped("clients.yaml").remove(0);
                clients["spec"].as_object_mut().unwrap().remove("connection");
                scene.world.policies(&[clients, policy]);
            },
            Scene::good_again,
        )
    },
];
