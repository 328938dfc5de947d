//! Where the module comes from.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mesh::envoy_gateway::world::accepted;
use mesh::{api, machine};
use serde_json::{Value, json};
use support::tls::Authority;

use super::{changed, tokenless, world};

/// The user `reader` with the password `secret`, as bcrypt.
const READER: &str = "reader:$2b$04$p2cd/lO0pXrpufiHCK78iOd7CVhbyESQZjT9J7Six3k/ms5fKFntu\n";

/// The shipped policy with the image at another port of the registry, and with further settings of it.
fn image(port: u16, settings: &Value) -> Vec<Value> {
    changed("policy.yaml", |wasm| {
        let image = wasm["code"]["image"].as_object_mut().unwrap();
        image["url"] = json!(format!("registry.example.com:{port}/tollgate:0.1.0"));
        image.extend(settings.as_object().unwrap().clone());
    })
}

/// The policy with the image at this port is refused with a message that contains a text, and accepted with settings.
fn refused_without(port: u16, message: &str, settings: &Value) {
    let Some(world) = world() else { return };
    world.policies(&image(port, &json!({})));
    let (state, said) = accepted("envoyextensionpolicy", "tollgate");
    assert!(!state && said.contains(message), "{said}");
    world.until(&tokenless(), 500, "");
    world.policies(&image(port, settings));
    assert!(accepted("envoyextensionpolicy", "tollgate").0);
    world.until(&tokenless(), 401, "token_missing");
    world.until(&world.score("image"), 200, "");
}

#[test]
fn a_module_of_an_image_and_one_of_a_web_server_judge_alike() {
    let Some(world) = world() else { return };
    for file in ["policy-http.yaml", "policy.yaml"] {
        world.policies(&changed(file, |_| {}));
        assert!(accepted("envoyextensionpolicy", "tollgate").0);
        world.until(&tokenless(), 401, "token_missing");
        world.until(&world.score(file), 200, "");
    }
}

#[test]
fn a_registry_with_a_login_needs_the_pull_secret() {
    let Some(world) = world() else { return };
    let path = machine::folder().join("htpasswd");
    fs::write(&path, READER).unwrap();
    let login = json!({"auth": {"htpasswd": {"realm": "registry", "path": path}}});
    let _registry = world.registry.beside("registry-login", 5443, login);
    drop(world);
    let auths = json!({"auths": {"registry.example.com:5443": {
        "auth": STANDARD.encode("reader:secret"),
    }}});
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
        "metadata": {"name": "registry", "namespace": "models"},
        "stringData": {".dockerconfigjson": auths.to_string()},
    });
    api::apply(&secret.to_string()).ok();
    refused_without(5443, "UNAUTHORIZED", &json!({"pullSecretRef": {"name": "registry"}}));
}

#[test]
fn a_registry_of_a_private_authority_needs_its_certificate() {
    let Some(world) = world() else { return };
    let authority = Authority::new();
    let (certificate, key) = authority.workload_pem("registry.example.com");
    let file = |name: &str, text: &str| {
        let path = machine::folder().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let http = json!({"http": {
        "addr": format!("{}:5444", world.registry.address()),
        "tls": {"certificate": file("private.crt", &certificate), "key": file("private.key", &key)},
    }});
    let _registry = world.registry.beside("registry-private", 5444, http);
    drop(world);
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "authority", "namespace": "models"},
        "data": {"ca.crt": authority.pem()},
    });
    api::apply(&map.to_string()).ok();
    let reference = json!({"group": "", "kind": "ConfigMap", "name": "authority"});
    refused_without(5444, "x509", &json!({"tls": {"caCertificateRef": reference}}));
}
