//! What the proxy gives to the filter: the cluster of the keys, and variables.

use mesh::envoy_gateway::world::shipped;
use mesh::{api, until};
use serde_json::{Value, json};

use super::{changed, tokenless, world};

/// The cluster `entra` of the shipped bootstrap, as a patch of the proxies' configuration.
fn patch() -> Value {
    let proxy = shipped("proxy.yaml").remove(0);
    let bootstrap = proxy["spec"]["bootstrap"]["value"].as_str().unwrap();
    let bootstrap: Value = serde_yaml_ng::from_str(bootstrap).unwrap();
    json!({
        "apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "EnvoyPatchPolicy",
        "metadata": {"name": "keys", "namespace": "models"},
        "spec": {
            "targetRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "scoring"},
            "type": "JSONPatch",
            "jsonPatches": [{
                "type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
                "name": "entra",
                "operation": {
                    "op": "add", "path": "",
                    "value": bootstrap["static_resources"]["clusters"][0],
                },
            }],
        },
    })
}

#[test]
fn the_key_cluster_comes_from_the_bootstrap_or_from_a_patch() {
    let Some(mut world) = world() else { return };
    world.policies(&changed("policy.yaml", |_| {}));
    world.until(&world.score("bootstrap"), 200, "");
    let mut bare = shipped("proxy.yaml").remove(0);
    bare["spec"].as_object_mut().unwrap().remove("bootstrap");
    api::apply(&bare.to_string()).ok();
    world.proxy.roll_out();
    world.until(&tokenless(), 401, "token_missing");
    world.until(&world.score("neither"), 503, "keys_unavailable");
    assert!(world.proxy.log().contains("check that a cluster of exactly this name exists"));
    world
        .policies(&changed("policy.yaml", |_| {}).into_iter().chain([patch()]).collect::<Vec<_>>());
    world.until(&world.score("patch"), 200, "");
    api::apply(&shipped("proxy.yaml")[0].to_string()).ok();
    world.policies(&changed("policy.yaml", |_| {}));
    world.proxy.roll_out();
    world.until(&world.score("restored"), 200, "");
}

#[test]
fn the_filter_reads_the_variables_of_the_proxy_that_its_policy_names() {
    let Some(mut world) = world() else { return };
    let mut proxy = shipped("proxy.yaml").remove(0);
    let variable =
        json!({"name": "TOLLGATE_HASH_KEY", "value": "0123456789abcdef0123456789abcdef"});
    proxy["spec"]["provider"] = json!({"type": "Kubernetes", "kubernetes": {
        "envoyDeployment": {"container": {"env": [variable]}},
    }});
    api::apply(&proxy.to_string()).ok();
    world.proxy.roll_out();
    world.policies(&changed("policy.yaml", |wasm| {
        wasm["env"] = json!({"hostKeys": ["TOLLGATE_HASH_KEY"]});
        wasm["config"]["privacy"] = json!({"hash_key_env": "TOLLGATE_HASH_KEY"});
        wasm["config"]["tags"][0]["hash"] = json!(true);
    }));
    let hashed = until(60, "a hashed identity", || {
        world.verdict(&world.score("hashed").case("hashed"));
        let seen = world
            .model
            .requests()
            .into_iter()
            .rev()
            .find(|r| r.header("x-case") == Some("hashed"))?;
        seen.header("x-auth-identity").filter(|value| value.len() == 32).map(str::to_owned)
    });
    assert!(hashed.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hashed}");
    api::apply(&shipped("proxy.yaml")[0].to_string()).ok();
    world.policies(&changed("policy.yaml", |_| {}));
    world.proxy.roll_out();
    world.until(&world.score("restored"), 200, "");
}
