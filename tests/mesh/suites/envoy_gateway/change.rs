//! Changes while callers go on.

use std::fs;
use std::time::Instant;

use mesh::envoy_gateway::world::World;
use mesh::until;
use serde_json::{Value, json};

use super::{changed, clients, tokenless, world};

/// The address of a module, and its digest.
type Module = (String, String);

/// A change of the filter's configuration.
type Change = fn(&mut Value);

/// The shipped policy with a module, a limit that the load stays below, and a realm that tells it apart.
fn policy(realm: &str, module: &Module, change: Change) -> Vec<Value> {
    changed("policy-http.yaml", |wasm| {
        let (url, digest) = module;
        wasm["code"]["http"] = json!({"url": url, "sha256": digest});
        let config = &mut wasm["config"];
        config["limits"][0]["rate"] = json!("100000/s");
        config["limits"][0]["burst"] = json!(100_000);
        config["responses"]["realm"] = json!(realm);
        change(config);
    })
}

/// Waits until the proxy answers with a realm, by a module.
fn serves(world: &World, realm: &str, digest: &str) {
    until(60, &format!("{realm} and {digest} serve"), || {
        let listeners = world.proxy.admin("GET", "/config_dump?resource=dynamic_listeners");
        let challenge = world.call(&tokenless()).header("www-authenticate")?.to_owned();
        let new = challenge.contains(realm) && listeners.contains(digest);
        (new && !listeners.contains("warming_state")).then_some(())
    });
}

#[test]
fn configurations_and_modules_under_load_lose_no_request_and_admit_none_without_a_token() {
    let Some(world) = world() else { return };
    let module = fs::read(support::module()).unwrap();
    // The same module with an empty section, which has another digest.
    let another = [&module[..], b"\x00\x08\x07another"].concat();
    let put = |name: &str, content: &[u8]| {
        (format!("https://files.example.com/{name}"), world.files.put(name, content))
    };
    let (old, new) = (put("tollgate-0.1.0.wasm", &module), put("tollgate-0.2.0.wasm", &another));
    world.policies(&policy("zero", &old, |_| {}));
    serves(&world, "zero", &old.1);
    world.until(&world.score("load"), 200, "");
    let (good, bad) = (world.load(4, &world.score("load")), world.load(2, &tokenless()));
    let steps: [(&str, &Module, Change); 8] = [
        ("rule", &old, |c| c["rules"][1]["match"]["paths"] = json!(["/score", "/predict"])),
        ("limit", &old, |c| c["limits"][0]["burst"] = json!(200_000)),
        ("audience", &old, |c| c["providers"][0]["audiences"] = json!(["api://scoring", "other"])),
        ("tag", &old, |c| c["tags"][0]["header"] = json!("x-auth-caller")),
        ("realm", &old, |_| {}),
        ("realm", &new, |_| {}),
        ("realm", &old, |_| {}),
        ("module and configuration", &new, |c| c["limits"][1]["rate"] = json!("9/s")),
    ];
    for (name, module, change) in steps {
        let start = Instant::now();
        world.policies(&policy(name, module, change));
        serves(&world, name, &module.1);
        println!("{name} of {}: {:.1} s", module.0, start.elapsed().as_secs_f64());
    }
    let bad = bad.end();
    world.policies(&clients());
    world.until(&tokenless(), 200, "");
    let good = good.end();
    println!("with a token {good:?}, without {bad:?}");
    assert_eq!(good.keys().collect::<Vec<_>>(), ["200"], "{good:?}");
    assert_eq!(bad.keys().collect::<Vec<_>>(), ["401 token_missing"], "{bad:?}");
}
