//! The shipped settings for callers: clients.yaml.

use mesh::envoy_gateway::world::shipped;
use serde_json::json;
use support::client::Request;
use support::removal::{spellings, tag_headers};

use super::{changed, clients, tokenless, world};

#[test]
fn forged_tag_headers_never_reach_the_model() {
    let Some(world) = world() else { return };
    let policy = shipped("policy.yaml").remove(0);
    let headers = tag_headers(&policy["spec"]["wasm"][0]["config"]);
    let names: Vec<_> =
        headers.into_iter().chain(["x-tollgate-reason"]).flat_map(spellings).collect();
    assert!(names.len() > 100);
    let forged = |case: &str, request: Request, names: &[String]| {
        names.iter().fold(request.case(case), |request, name| request.header(name, "forged"))
    };
    let reached = |case: &str| {
        let headers = world.model.case(case).unwrap().headers;
        headers.iter().filter(|(_, value)| value == b"forged").count()
    };
    // Envoy Gateway refuses names with an underscore by itself.
    let (underscores, others): (Vec<_>, Vec<_>) = names.into_iter().partition(|n| n.contains('_'));
    for (state, policies, request) in [
        ("without the filter", clients(), tokenless()),
        ("with the filter", changed("policy.yaml", |_| {}), world.score("forger")),
    ] {
        world.policies(&policies);
        world.until(&request, 200, "");
        world.until(&forged(state, request.clone(), &others[..80]), 200, "");
        assert_eq!(reached(state), 0, "{state}");
        for name in &underscores {
            let one = std::slice::from_ref(name);
            assert_eq!(world.verdict(&forged("_", request.clone(), one)).0, 400, "{name}");
        }
    }
    let seen = world.model.case("with the filter").unwrap();
    assert_eq!(seen.header("x-auth-tenant"), Some(support::entra::TENANT));
    // Neither filter nor settings: what callers write is believed.
    world.policies(&[]);
    world.until(&tokenless(), 200, "");
    let one = ["x-auth-identity".to_owned()];
    mesh::until(60, "the settings are gone", || {
        world.call(&forged("neither", tokenless(), &one));
        world
            .model
            .requests()
            .iter()
            .rev()
            .find(|r| r.header("x-auth-identity") == Some("forged"))?;
        Some(())
    });
}

#[test]
fn a_guarded_body_above_32_kib_needs_the_shipped_buffer_limit() {
    let Some(world) = world() else { return };
    let guarded = changed("policy.yaml", |wasm| {
        wasm["config"]["rules"][1]["payload"] = json!({"require_any": ["/data"]});
    });
    let body = format!(r#"{{"data": "{}"}}"#, "x".repeat(100 << 10));
    let large = Request::post("/score", body).bearer(world.token("large", json!({})));
    world.policies(&guarded);
    world.until(&large, 200, "");
    let mut without = guarded;
    without[1]["spec"].as_object_mut().unwrap().remove("connection");
    world.policies(&without);
    world.until(&large, 413, "");
    world.policies(&changed("policy.yaml", |_| {}));
    world.until(&large, 200, "");
}

#[test]
fn the_filter_sees_normalized_paths_and_the_port_of_the_host() {
    let Some(world) = world() else { return };
    world.policies(&changed("policy.yaml", |wasm| {
        wasm["config"]["rules"][0]["match"]["hosts"] = json!(["ml.example.com"]);
    }));
    world.until(&Request::get("/").host("ml.example.com:8443"), 400, "host_ambiguous");
    for (target, status, reason) in [
        ("/score", 200, ""),
        ("//score", 200, ""),
        ("/any/../score", 200, ""),
        ("/any%2fscore", 307, ""),
        ("/sc%6fre", 200, ""),
        ("/score%00", 400, ""),
        ("/any", 403, "no_rule"),
    ] {
        let request = Request { target: target.into(), ..world.score("paths") };
        assert_eq!(world.verdict(&request), (status, reason.to_owned()), "{target}");
    }
    world.until(&Request::get("/").host("ml.example.com"), 200, "");
    assert_eq!(world.verdict(&world.score("port").host("ml.example.com:8443")).0, 200);
}
