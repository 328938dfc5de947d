//! Who gets the key of the endpoint: requests that tollgate allows by the rule `score`, and no others.

use support::poll;
use support::prelude::*;
use support::sample::is_1_36;

use super::world::{DEADLINE, World, key_file};

const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";

/// The `authorization` of each request that reached the endpoint.
fn arrived(world: &World) -> Vec<String> {
    world.keys.seen().into_iter().map(|(_, key)| key).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_allowed_request_of_its_rule_gets_the_key_and_the_token_stays_here() {
    let Some(world) = World::new().await else { return };
    let envoy = world.start().await;
    let send = async |request: &Request| world.front.send(envoy.address(), None, request).await;
    assert_eq!(send(&world.score()).await.status, 200);
    let seen = world.fixture.upstream.last().unwrap();
    assert_eq!(seen.all("authorization"), [b"Bearer old-key".as_slice()]);
    assert!(!seen.head_contains(world.token().as_bytes()), "the caller's token");
    // A rule without a token, whatever the caller sends; and refused ones.
    for (request, status) in [
        (Request::get("/"), 200),
        (Request::get("/").bearer("anything"), 200),
        (Request::post("/score", "{}"), 401),
        (Request::post("/score", "{}").bearer("anything"), 401),
        (Request::get("/other").bearer(world.token()), 403),
    ] {
        let target = request.target.escape_ascii().to_string();
        assert_eq!(send(&request).await.status, status, "{target}");
    }
    let keys = arrived(&world);
    assert_eq!(keys.iter().filter(|key| key.contains("old-key")).count(), 1);
    assert_eq!(keys.len(), 3);
    for page in ["/config_dump?include_eds", "/stats", "/certs"] {
        assert!(!envoy.admin_get(page).await.contains("old-key"), "{page}");
    }
    assert!(!envoy.log().contains("old-key"));
}

/// Changes members of the filter's configuration.
fn configure(bootstrap: &mut Value, changes: Value) {
    let manager = bootstrap.pointer_mut(MANAGER).unwrap();
    let text = &mut manager["http_filters"][0]["typed_config"]["config"]["configuration"]["value"];
    let config: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
    *text = json!(merged(config, changes).to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tollgates_verdict_no_request_gets_the_key() {
    let Some(world) = World::new().await else { return };
    let mut dry = world.bootstrap();
    configure(&mut dry, json!({"dry_run": true}));
    let mut missing = world.bootstrap();
    missing.pointer_mut(MANAGER).unwrap()["http_filters"].as_array_mut().unwrap().remove(0);
    let mut silent = world.bootstrap();
    configure(&mut silent, json!({"telemetry": {"filter_state": "denied"}}));
    for (name, bootstrap, request) in [
        ("a dry run", dry, Request::post("/score", "{}").bearer("anything")),
        ("no filter", missing, world.score()),
        ("no filter state", silent, world.score()),
    ] {
        let envoy = world.start_on(&bootstrap).await;
        let response = world.front.send(envoy.address(), None, &request).await;
        assert_eq!(response.status, 401, "{name}: the endpoint asks for its key");
        assert!(!arrived(&world).iter().any(|key| key.contains("old-key")), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guarded_body_goes_with_the_key_only_if_its_head_waits_for_the_verdict() {
    let Some(world) = World::new().await else { return };
    let rule = json!([{
        "name": "score",
        "match": {"paths": ["/score", "/{endpoint}/score"]},
        "payload": {"require_any": ["/data"]},
    }]);
    for (waits, status, keys) in [(false, 401, 0), (true, 200, 1)] {
        let mut bootstrap = world.bootstrap();
        configure(&mut bootstrap, json!({"rules": rule, "hold_head": waits}));
        let filter = format!("{MANAGER}/http_filters/0/typed_config/config");
        let filter = bootstrap.pointer_mut(&filter).unwrap();
        filter["allow_on_headers_stop_iteration"] = json!(waits);
        let envoy = world.start_on(&bootstrap).await;
        for (body, status) in [(r#"{"data": [1]}"#, status), (r#"{"other": [1]}"#, 400)] {
            let request = Request::post("/score", body).bearer(world.token());
            let request = request.header("content-type", "application/json");
            let response = world.front.send(envoy.address(), None, &request).await;
            assert_eq!(response.status, status, "{waits}: {body}: {}", response.reason());
        }
        let lent = arrived(&world).iter().filter(|key| key.contains("old-key")).count();
        assert_eq!(lent, keys, "{waits}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_requests_are_refused_until_there_is_one() {
    let Some(mut world) = World::new().await else { return };
    std::fs::remove_file(world.secrets.path().join("..data/endpoint-key")).unwrap();
    let envoy = world.start().await;
    let response = world.front.send(envoy.address(), None, &world.score()).await;
    let told = String::from_utf8_lossy(&response.body).into_owned();
    assert_eq!((response.status, told.as_str()), (401, "Failed to inject credential."));
    let line = envoy.access_after(0).await;
    assert_eq!(line["Decision"], "allow");
    assert_eq!(line["ResponseCodeReason"], "failed_to_inject_credential");
    assert!(arrived(&world).is_empty());
    assert_eq!(envoy.stat("sds.endpoint-key.update_rejected").await, 1);
    assert_eq!(envoy.stat("http.gateway.credential_injector.failed").await, 1);

    let good = key_file(&world.fixture, "old-key");
    world.secrets.replace(&[("endpoint-key", &good)]);
    // Envoy 1.36 looks for a file that was missing only at its next start.
    let envoy = if is_1_36(&world.fixture.binary) { world.start().await } else { envoy };
    for (content, status) in [(good.as_str(), 200), ("", 401), (&good, 200)] {
        world.secrets.replace(&[("endpoint-key", content)]);
        let used = async || (world.status(&envoy).await == status).then_some(());
        assert!(poll(DEADLINE, used).await.is_some(), "{status}\n{}", envoy.log());
    }
}
