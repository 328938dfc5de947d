//! Changes while callers go on.

use std::fs;
use std::time::Instant;

use mesh::envoy_gateway::world::{World, connect};
use mesh::{machine, until};
use serde_json::{Value, json};
use support::client::{Request, read_response};
use support::graft::{self, Fault};
use tokio::io::AsyncWriteExt as _;

use super::{changed, clients, tokenless, world};

/// Where a module comes from: the `code` of a policy, and the digest that the proxy knows it by.
type Module = (Value, String);

/// A change of the filter's configuration.
type Change = fn(&mut Value);

/// A module of the web server under this name; with an empty section more, it has another digest.
fn module(world: &World, name: &str, more: &[u8]) -> Module {
    let content = [&fs::read(support::module()).unwrap(), more].concat();
    let digest = world.files.put(name, &content);
    let url = format!("https://files.example.com/{name}");
    (json!({"type": "HTTP", "http": {"url": url, "sha256": digest}}), digest)
}

/// Two modules of different digests.
fn modules(world: &World) -> [Module; 2] {
    let section = b"\x00\x08\x07another";
    [module(world, "tollgate-0.1.0.wasm", b""), module(world, "tollgate-0.2.0.wasm", section)]
}

/// The shipped policy with a module, a limit that the load stays below, and a realm that tells it apart.
fn policy(realm: &str, module: &Module, change: Change) -> Vec<Value> {
    changed("policy.yaml", |wasm| {
        wasm["code"] = module.0.clone();
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
    let [old, new] = modules(&world);
    let image = |version: &str| {
        let url = format!("registry.example.com/tollgate:{version}");
        let digest = world.registry.push(version);
        (json!({"type": "Image", "image": {"url": url, "sha256": digest}}), old.1.clone())
    };
    let (image, next) = (image("0.1.0"), image("0.2.0"));
    world.policies(&policy("zero", &old, |_| {}));
    serves(&world, "zero", &old.1);
    world.until(&world.score("load"), 200, "");
    let (good, bad) = (world.load(4, &world.score("load")), world.load(2, &tokenless()));
    let steps: [(&str, &Module, Change); 11] = [
        ("rule", &old, |c| c["rules"][1]["match"]["paths"][0] = json!("/scor*")),
        ("limit", &old, |c| c["limits"][0]["burst"] = json!(200_000)),
        ("audience", &old, |c| c["providers"][0]["audiences"] = json!(["api://scoring", "other"])),
        ("tag", &old, |c| c["tags"][0]["header"] = json!("x-auth-caller")),
        ("realm", &old, |_| {}),
        ("realm", &new, |_| {}),
        ("realm", &old, |_| {}),
        ("both", &new, |c| c["limits"][1]["rate"] = json!("9/s")),
        ("image", &image, |_| {}),
        ("next image", &next, |_| {}),
        ("image again", &image, |_| {}),
    ];
    for (name, module, change) in steps {
        apply(&world, name, &policy(name, module, change), &module.1);
    }
    let bad = machine::runtime().block_on(bad.end());
    world.policies(&clients());
    world.until(&tokenless(), 200, "");
    apply(&world, "after deletion", &policy("after deletion", &image, |_| {}), &image.1);
    let good = machine::runtime().block_on(good.end());
    println!("with a token {good:?}, without {bad:?}");
    assert_eq!(good.keys().collect::<Vec<_>>(), ["200"], "{good:?}");
    assert_eq!(bad.keys().collect::<Vec<_>>(), ["401 token_missing"], "{bad:?}");
}

/// Applies policies, waits until they serve, and says how long that took.
fn apply(world: &World, realm: &str, policies: &[Value], digest: &str) {
    let start = Instant::now();
    world.policies(policies);
    serves(world, realm, digest);
    println!("{realm}, {}: {:.1} s", &digest[..8], start.elapsed().as_secs_f64());
}

#[test]
fn buckets_outlive_a_change_of_configuration_and_of_module() {
    let Some(world) = world() else { return };
    let [old, new] = modules(&world);
    let limit: Change = |config| config["limits"][0] = json!({"name": "per-caller", "rate": "2/h"});
    world.policies(&policy("first", &old, limit));
    serves(&world, "first", &old.1);
    let spender = world.score("spender");
    let spent = || (0..3).map(|_| world.verdict(&spender).0).collect::<Vec<_>>();
    assert_eq!(spent(), [200, 200, 429]);
    for (realm, module) in [("second", &old), ("third", &new)] {
        world.policies(&policy(realm, module, limit));
        serves(&world, realm, &module.1);
        assert_eq!(spent(), [429, 429, 429], "{realm}");
    }
}

#[test]
fn a_connection_opened_before_a_change_gets_one_answer_of_the_old_configuration() {
    let Some(world) = world() else { return };
    let [module, _] = modules(&world);
    let at = world.proxy.at(443);
    world.policies(&policy("before", &module, |_| {}));
    serves(&world, "before", &module.1);
    let mut stream = machine::runtime().block_on(connect(at)).unwrap();
    let request = world.score("early").to_bytes();
    // Whether the new configuration judged the request, and whether the connection stays.
    let mut ask = || {
        let exchange = async {
            stream.write_all(&request).await?;
            stream.flush().await?;
            read_response(&mut stream, false).await
        };
        let (answer, open) = machine::runtime().block_on(exchange).unwrap();
        assert_eq!(answer.status, 200);
        (String::from_utf8(answer.body).unwrap().contains("x-auth-caller"), open)
    };
    assert_eq!(ask(), (false, true));
    let caller: Change = |config| config["tags"][0]["header"] = json!("x-auth-caller");
    world.policies(&policy("after", &module, caller));
    serves(&world, "after", &module.1);
    assert_eq!(ask(), (false, false));
}

/// Trailers are fatal to the second module: so the test knows which code runs. Envoy looks for a VM of the policy before
/// it has fetched the module, and finds the one that runs (docs/upgrading.md).
#[test]
fn the_code_of_a_new_module_runs_after_one_more_change_of_the_configuration() {
    let Some(mut world) = world() else { return };
    let [good, _] = modules(&world);
    let fatal = machine::folder().join("fatal.wasm");
    graft::module(Fault::Trap, &fatal);
    let digest = world.files.put("fatal.wasm", &fs::read(fatal).unwrap());
    let url = "https://files.example.com/fatal.wasm";
    let fatal = (json!({"type": "HTTP", "http": {"url": url, "sha256": digest}}), digest);
    let with_trailers = |realm: &str, module: &Module| {
        let mut manifests = policy(realm, module, |_| {});
        let clients = manifests.iter_mut().find(|one| one["kind"] == "ClientTrafficPolicy");
        clients.unwrap()["spec"]["http1"] = json!({"enableTrailers": true});
        manifests
    };
    for (realm, module, status) in
        [("old", &good, 200), ("new", &fatal, 200), ("more", &fatal, 503)]
    {
        world.policies(&with_trailers(realm, module));
        serves(&world, realm, &module.1);
        let head = Request::new("POST", "/score").header("transfer-encoding", "chunked");
        let mut request = head.bearer(world.token(realm, json!({})));
        request.body = b"0\r\nx-last: 1\r\n\r\n".to_vec();
        assert_eq!(world.verdict(&request).0, status, "{realm}");
    }
    world.policies(&policy("restarted", &good, |_| {}));
    world.proxy.restart();
    world.until(&tokenless(), 401, "token_missing");
}
