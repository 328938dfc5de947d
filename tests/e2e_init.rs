//! What `tollgate init` writes: Envoy's form in a real Envoy, the manifests against the definitions of
//! their projects.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "core/definitions.rs"]
mod definitions;

use std::process::Command;

use definitions::Definitions;
use support::daemon::{Daemon, answers, free_address};
use support::example::{Example, Folder};
use support::manifests::{documents, one, text};
use support::prelude::*;

/// The output of the command.
fn tollgate(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_tollgate")).args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_configuration_of_envoy_serves_tokens_of_the_issuer_alone() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let folder = Folder::new();
    let keys = folder.path().join("keys").to_str().unwrap().to_owned();
    let minted = |options: &[&str]| tollgate(&[&["mint", "--dir", &keys], options].concat());
    let address = free_address();
    let issuer = format!("http://{address}");
    let common = ["--issuer", &issuer, "--audience", "api://orders"];
    let token = minted(&[&common[..], &["--subject", "alice"]].concat());
    let mut server = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    server.args(["serve-jwks", "--dir", &keys, "--listen", &address.to_string()]);
    let ready = async || answers(address, "/jwks").await;
    let _server = Daemon::start(server, Folder::new(), ready).await;

    let written = tollgate(&[&["init"], &common[..]].concat());
    let example = Example::parse(&written).cluster("upstream", fixture.upstream.address());
    let envoy = fixture.proxy().start_file(&example.text()).await;
    let get = |path: &str, token: &str| Request::get(path).bearer(token);
    let good = envoy.send(&get("/orders", &token).header("x-auth-subject", "root")).await;
    assert_eq!(good.status, 200, "{} {:#?}", good.reason(), envoy.filter_log());
    let seen = fixture.upstream.last().unwrap();
    assert_eq!(seen.header("x-auth-subject"), Some("alice"));
    assert_eq!(envoy.send(&Request::get("/healthz")).await.status, 200);
    let elsewhere = minted(&["--issuer", &issuer, "--audience", "api://else"]);
    for (request, reason) in [
        (Request::get("/orders"), "token_missing"),
        (get("/orders", &elsewhere), "audience_mismatch"),
        (get("/orders", &fixture.signer.sign(&mint::claims("alice"))), "issuer_not_allowed"),
    ] {
        let response = envoy.send(&request).await;
        assert_eq!((response.status, response.reason().as_str()), (401, reason));
    }
    let line = envoy.access_after(0).await;
    assert_eq!((&line["Decision"], &line["Rule"]), (&json!("allow"), &json!("all")), "{line:#}");
}

#[test]
fn new_manifests_fit_the_definitions_and_name_the_cluster_that_they_define() {
    let definitions = Definitions::load();
    let fits = |objects: &[Value]| {
        for object in objects {
            let undefined = ["EnvoyProxy", "ClientTrafficPolicy"].contains(&text(object, "/kind"));
            let defined = definitions.as_ref().filter(|_| !undefined);
            if let Some(definitions) = defined {
                assert_eq!(definitions.errors(object), Some(Vec::new()), "{object:#}");
            }
        }
    };
    for (source, host, port) in [
        (["--entra", "72f988bf-86f1-41af-91ab-2d7cd011db47"], "login.microsoftonline.com", 443),
        (["--issuer", "https://idp.test:8443/realms/a"], "idp.test", 8443),
    ] {
        let init = |target: &str| {
            let options = ["init", "--audience", "api://orders", "--for", target];
            documents(&tollgate(&[&options[..], &source].concat()))
        };
        let objects = init("istio");
        fits(&objects);
        let config = &one(&objects, "WasmPlugin")["spec"]["pluginConfig"];
        let cluster = text(config, "/providers/0/keys/remote/cluster");
        let entry = &one(&objects, "ServiceEntry")["spec"];
        let own = entry["ports"].as_array().unwrap().iter().find(|p| p["name"] == "http-keys");
        let own = own.unwrap();
        assert_eq!(cluster, format!("outbound|{}||{host}", own["number"]));
        assert_eq!((&own["targetPort"], &entry["hosts"]), (&json!(port), &json!([host])));
        let ports: Vec<_> =
            entry["ports"].as_array().unwrap().iter().map(|p| &p["number"]).collect();
        assert_ne!(ports[0], ports[1]);
        let rule = &one(&objects, "DestinationRule")["spec"];
        let settings = &rule["trafficPolicy"]["portLevelSettings"][0];
        assert_eq!((&rule["host"], &settings["port"]["number"]), (&json!(host), &own["number"]));
        assert_eq!(settings["tls"]["subjectAltNames"], json!([host]));

        let objects = init("envoy-gateway");
        fits(&objects);
        let proxy = &one(&objects, "EnvoyProxy")["spec"];
        let bootstrap: Value = documents(text(proxy, "/bootstrap/value")).remove(0);
        let cluster = &bootstrap["static_resources"]["clusters"][0];
        let policy = &one(&objects, "EnvoyExtensionPolicy")["spec"]["wasm"][0];
        let named = &policy["config"]["providers"][0]["keys"]["remote"]["cluster"];
        assert_eq!(&cluster["name"], named);
        let endpoint =
            "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address";
        let address = json!({"address": host, "port_value": port});
        assert_eq!(cluster.pointer(endpoint), Some(&address));
    }
}
