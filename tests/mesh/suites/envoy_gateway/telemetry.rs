//! The audit line.

use mesh::envoy_gateway::world::{World, shipped};
use mesh::{api, machine, until};
use serde_json::{Value, json};
use support::client::Request;
use support::grpc::Receiver;

use super::{changed, tokenless, world};

/// The expression of the page.
const REFUSALS: &str =
    "'wasm.tollgate.decision' in filter_state && filter_state['wasm.tollgate.decision'] == b'deny'";

/// The line of the access log with this member.
fn line(world: &World, member: &str, value: &str) -> Option<Value> {
    world.proxy.access_log().into_iter().find(|line| line[member] == value)
}

/// A request that the audit line names.
fn named(request: Request, id: &str) -> Request {
    request.header("x-ms-client-request-id", id)
}

#[test]
fn each_request_has_an_audit_line() {
    let Some(world) = world() else { return };
    world.policies(&changed("policy.yaml", |_| {}));
    world.until(&named(tokenless(), "audit-deny"), 401, "token_missing");
    world.until(&named(world.score("audit"), "audit-allow"), 200, "");
    let find = |id: &str| until(60, id, || line(&world, "XMSClientRequestId", id));
    let denied = find("audit-deny");
    assert_eq!(denied["Decision"], "deny");
    assert_eq!(denied["Reason"], "token_missing");
    assert_eq!(denied["ResponseCode"], 401);
    let allowed = find("audit-allow");
    assert_eq!((&allowed["Decision"], &allowed["Rule"]), (&json!("allow"), &json!("score")));
    assert_eq!((&allowed["Provider"], &allowed["Kid"]), (&json!("entra"), &json!("key-1")));
}

#[test]
fn a_log_of_refusals_needs_a_comparison_with_bytes() {
    let Some(world) = world() else { return };
    world.policies(&changed("policy.yaml", |_| {}));
    world.until(&world.score("lines"), 200, "");
    let compared = "filter_state['wasm.tollgate.decision'] ==";
    for (number, (expression, expected)) in [
        (REFUSALS.to_owned(), [true, false]),
        (REFUSALS.replace("b'deny'", "'deny'"), [false, false]),
        (format!("{compared} 'deny'"), [false, false]),
        (format!("{compared} b'deny'"), [true, false]),
    ]
    .into_iter()
    .enumerate()
    {
        let mut proxy = shipped("proxy.yaml").remove(0);
        let settings = proxy["spec"]["telemetry"]["accessLog"]["settings"].as_array_mut().unwrap();
        settings[0]["matches"] = json!([expression]);
        // All requests, after the line of the first.
        let mut all = settings[0].clone();
        all["matches"] = json!(["true"]);
        all["format"]["json"] =
            json!({"All": "%REQ(X-MS-CLIENT-REQUEST-ID)%", "Number": number.to_string()});
        settings.push(all);
        api::apply(&proxy.to_string()).ok();
        let id = |kind: &str| format!("{kind}-{number}");
        until(60, &expression, || {
            world.verdict(&named(tokenless(), &id("wait")));
            line(&world, "Number", &number.to_string())
        });
        world.until(&named(tokenless(), &id("deny")), 401, "token_missing");
        world.until(&named(world.score("lines"), &id("allow")), 200, "");
        let kept = ["deny", "allow"].map(|kind| {
            until(60, "the line of all", || line(&world, "All", &id(kind)));
            line(&world, "XMSClientRequestId", &id(kind)).is_some()
        });
        println!("{expression}: {kept:?}");
        assert_eq!(kept, expected, "{expression}");
    }
    api::apply(&shipped("proxy.yaml")[0].to_string()).ok();
}

#[test]
fn spans_carry_the_decision_and_the_identity() {
    let Some(world) = world() else { return };
    let address = machine::address(6);
    let collector = machine::runtime().block_on(Receiver::listening((address, 4317).into()));
    let backend = json!({
        "apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "Backend",
        "metadata": {"name": "collector", "namespace": "envoy-gateway-system"},
        "spec": {"endpoints": [{"ip": {"address": address, "port": 4317}}]},
    });
    api::apply(&backend.to_string()).ok();
    let mut proxy = shipped("proxy.yaml").remove(0);
    let group = "gateway.envoyproxy.io";
    let backend = json!({"group": group, "kind": "Backend", "name": "collector", "port": 4317});
    let tag = |name: &str| format!("%FILTER_STATE(wasm.tollgate.{name}:PLAIN)%");
    proxy["spec"]["telemetry"]["tracing"] = json!({
        "samplingRate": 100,
        "provider": {"type": "OpenTelemetry", "backendRefs": [backend]},
        "tags": {"tollgate.reason": tag("reason"), "tollgate.identity": tag("identity")},
    });
    api::apply(&proxy.to_string()).ok();
    world.policies(&changed("policy.yaml", |_| {}));
    until(60, "a span of each", || {
        world.verdict(&tokenless());
        world.verdict(&world.score("traced-caller"));
        let spans = collector.received("/Export");
        let spans = String::from_utf8_lossy(&spans);
        ["token_missing", "traced-caller"].iter().all(|text| spans.contains(text)).then_some(())
    });
    api::apply(&shipped("proxy.yaml")[0].to_string()).ok();
}
