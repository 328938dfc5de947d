//! Changes that replace the pods of the proxies. There is no Deployment controller: the test starts the new pod, sends
//! new connections to it, and ends the old one, in the order of Kubernetes.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use mesh::envoy_gateway::world::{connect, shipped};
use mesh::{api, machine};
use serde_json::json;
use support::load::Load;

use super::{changed, tokenless, world};

#[test]
fn a_change_of_the_bootstrap_replaces_the_pod_without_losing_a_request() {
    let Some(mut world) = world() else { return };
    world.policies(&changed("policy.yaml", |wasm| {
        wasm["config"]["limits"][0]["rate"] = json!("100000/s");
        wasm["config"]["limits"][0]["burst"] = json!(100_000);
    }));
    world.until(&world.score("rollout"), 200, "");
    let service = Arc::new(Mutex::new(world.proxy.at(443)));
    let of = Arc::clone(&service);
    let to_service = move || connect(*of.lock().unwrap());
    let runtime = machine::runtime();
    let good = Load::start(runtime.handle(), 4, &world.score("rollout"), to_service.clone());
    let bad = Load::start(runtime.handle(), 2, &tokenless(), to_service);
    let mut proxy = shipped("proxy.yaml").remove(0);
    let bootstrap = proxy["spec"]["bootstrap"]["value"].as_str().unwrap();
    let slower = bootstrap.replace("connect_timeout: 2s", "connect_timeout: 3s");
    proxy["spec"]["bootstrap"]["value"] = json!(slower);
    api::apply(&proxy.to_string()).ok();
    let start = Instant::now();
    let next = world.proxy.successor(21);
    *service.lock().unwrap() = next.at(443);
    let ready = start.elapsed();
    std::mem::replace(&mut world.proxy, next).terminate();
    world.proxy.publish();
    println!(
        "ready after {:.1} s, drained after {:.1} s",
        ready.as_secs_f64(),
        start.elapsed().as_secs_f64()
    );
    let (good, bad) = (runtime.block_on(good.end()), runtime.block_on(bad.end()));
    println!("with a token {good:?}, without {bad:?}");
    assert_eq!(good.keys().collect::<Vec<_>>(), ["200"], "{good:?}");
    assert_eq!(bad.keys().collect::<Vec<_>>(), ["401 token_missing"], "{bad:?}");
    api::apply(&shipped("proxy.yaml")[0].to_string()).ok();
    world.proxy.roll_out();
    world.until(&world.score("rollout"), 200, "");
}
