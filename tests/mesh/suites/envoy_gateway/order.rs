//! The filters of Envoy Gateway beside ours.

use mesh::api;
use mesh::envoy_gateway::world::{World, accepted, shipped};
use mesh::until;
use serde_json::{Value, json};
use support::client::Request;

use super::{changed, tokenless, world};

/// The names of the filters that a request passes, in their order.
fn filters(world: &World) -> Vec<String> {
    let dump = world.proxy.admin("GET", "/config_dump?resource=dynamic_listeners");
    let dump: Value = serde_json::from_str(&dump).unwrap();
    let listeners = dump["configs"].as_array().unwrap();
    let https = listeners.iter().find(|one| one["name"] == "models/scoring/https").unwrap();
    let chain = &https["active_state"]["listener"]["filter_chains"][0];
    let filters = chain["filters"][0]["typed_config"]["http_filters"].as_array().unwrap();
    let name =
        |filter: &Value| filter["name"].as_str().unwrap().split('/').next().unwrap().to_owned();
    filters.iter().map(name).collect()
}

/// Applies the shipped EnvoyProxy with another order, and waits for the order of the filters.
fn reorder(world: &World, order: &Value, expected: &[&str]) {
    let mut proxy = shipped("proxy.yaml").remove(0);
    proxy["spec"]["filterOrder"] = order.clone();
    api::apply(&proxy.to_string()).ok();
    let mut last = Vec::new();
    until(60, &format!("{expected:?}"), || {
        last = filters(world);
        last.retain(|name| expected.iter().any(|one| name == one));
        (last == expected).then_some(())
    });
}

/// A policy of Envoy Gateway for the Gateway.
fn beside(kind: &str, spec: &Value) -> Value {
    let target =
        json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "scoring"});
    json!({
        "apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": kind,
        "metadata": {"name": "beside", "namespace": "models"},
        "spec": support::scenario::merged(json!({"targetRefs": [target]}), spec.clone()),
    })
}

const WASM: &str = "envoy.filters.http.wasm";
const BUFFER: &str = "envoy.filters.http.buffer";
const RBAC: &str = "envoy.filters.http.rbac";
const LIMIT: &str = "envoy.filters.http.local_ratelimit";

#[test]
fn authorization_and_rate_limits_of_envoy_gateway_read_our_tags() {
    let Some(world) = world() else { return };
    let readers = json!({"headers": [{"name": "x-auth-roles", "values": ["Reader"]}]});
    let authorization = beside(
        "SecurityPolicy",
        &json!({"authorization": {
            "defaultAction": "Deny", "rules": [{"action": "Allow", "principal": readers}],
        }}),
    );
    let readers = json!([{"headers": [{"name": "x-auth-roles", "value": "Reader"}]}]);
    let limit = beside(
        "BackendTrafficPolicy",
        &json!({"rateLimit": {"type": "Local", "local": {
            "rules": [{"clientSelectors": readers, "limit": {"requests": 3, "unit": "Hour"}}],
        }}}),
    );
    world.policies(&[changed("policy.yaml", |_| {}), vec![authorization, limit]].concat());
    assert!(accepted("securitypolicy", "beside").0 && accepted("backendtrafficpolicy", "beside").0);
    let order = json!([{"name": BUFFER, "after": WASM}]);
    reorder(&world, &order, &[WASM, RBAC, LIMIT]);
    let of = |roles: Value| {
        Request::post("/score", "{}").bearer(world.token("reader", json!({"roles": roles})))
    };
    let (reader, writer) = (of(json!(["Reader"])), of(json!(["Writer"])));
    world.until(&writer, 403, "");
    let forged = writer.header("x-auth-roles", "Reader").header("x-auth-identity", "root");
    assert_eq!(world.verdict(&forged), (403, String::new()));
    assert_eq!(world.verdict(&tokenless()), (401, "token_missing".to_owned()));
    let statuses: Vec<_> = (0..5).map(|_| world.verdict(&reader).0).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    // Before our filter, authorization sees no tag.
    reorder(&world, &json!([{"name": RBAC, "before": WASM}]), &[RBAC, WASM, LIMIT]);
    world.until(&reader, 403, "");
    world.until(&tokenless(), 403, "");
    reorder(&world, &order, &[WASM, RBAC, LIMIT]);
}

#[test]
fn the_shipped_order_lets_headers_wait_for_the_verdict_on_their_body() {
    let Some(world) = world() else { return };
    let policies = changed("policy.yaml", |wasm| {
        wasm["config"]["rules"][1]["payload"] = json!({"require_any": ["/data"]});
    });
    world.policies(&[policies, shipped("buffer.yaml")].concat());
    reorder(&world, &json!([]), &[BUFFER, WASM]);
    reorder(&world, &json!([{"name": BUFFER, "after": WASM}]), &[WASM, BUFFER]);
    let send = |case: &str, body: &str| {
        let token = world.token("buffer", json!({}));
        Request::post("/score", body).bearer(token).case(case)
    };
    world.until(&send("good", r#"{"data": []}"#), 200, "");
    for _ in 0..5 {
        world.until(&send("bad", r#"{"rows": []}"#), 400, "payload_malformed");
    }
    assert_eq!((world.model.heads("bad"), world.model.heads("good") > 0), (0, true));
}
