//! MCP clients log in at a real identity provider with the address of a server alone.

use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use support::daemon::Daemon;
use support::envoy::cluster;
use support::example::Folder;
use support::keycloak::Keycloak;
use support::ports::free_address;
use support::prelude::*;

use super::clients::Language;

const USER: &str = "ann";

/// A realm in which clients register themselves (RFC 7591), with a scope for each server. The policies are
/// Keycloak's own, with this machine as a trusted host.
fn realm(password: &str) -> Value {
    let scope = |name: &str| {
        json!({
            "name": name, "protocol": "openid-connect",
            "attributes": {"include.in.token.scope": "true", "display.on.consent.screen": "true"},
            "protocolMappers": [{
                "name": "audience", "protocol": "openid-connect",
                "protocolMapper": "oidc-audience-mapper",
                "config": {"included.custom.audience": "mcp", "access.token.claim": "true"},
            }],
        })
    };
    // As in a realm that Keycloak makes itself: every client has it, and it stands in no token.
    let basic = json!({
        "name": "basic", "protocol": "openid-connect",
        "attributes": {"include.in.token.scope": "false", "display.on.consent.screen": "false"},
        "protocolMappers": [{
            "name": "sub", "protocol": "openid-connect", "protocolMapper": "oidc-sub-mapper",
            "config": {"access.token.claim": "true"},
        }],
    });
    let scopes = ["alpha.read", "beta.read"];
    let policy = |name: &str, config: Value| json!({"name": name, "providerId": name, "subType": "anonymous", "config": config});
    json!({
        "clientScopes": scopes.map(scope).into_iter().chain([basic]).collect::<Vec<_>>(),
        "defaultDefaultClientScopes": ["basic"],
        "defaultOptionalClientScopes": scopes,
        "components": {
            "org.keycloak.services.clientregistration.policy.ClientRegistrationPolicy": [
                policy("trusted-hosts", json!({
                    "trusted-hosts": ["127.0.0.1"], "client-uris-must-match": ["true"],
                    "host-sending-registration-request-must-match": ["true"],
                })),
                policy("allowed-client-templates", json!({"allow-default-scopes": ["true"]})),
                policy("consent-required", json!({})),
            ],
        },
        "users": [{
            "username": USER, "enabled": true, "email": "ann@example.test", "emailVerified": true,
            "firstName": "Ann", "lastName": "A",
            "credentials": [{"type": "password", "value": password}],
        }],
    })
}

/// The script of a language; it is a client and a server.
fn script(language: Language) -> Command {
    let mut command = Command::new(language.program());
    command.arg(language.script().with_file_name(match language {
        Language::Python => "mcp_login.py",
        Language::Node => "mcp_login.mjs",
    }));
    command.current_dir(language.folder());
    command
}

/// An MCP server at this path.
async fn serve(language: Language, path: &str) -> (Daemon, SocketAddr) {
    let address = free_address();
    let mut command = script(language);
    command.arg("serve").arg(address.port().to_string()).arg(path);
    let ready = async || client::try_send(address, &Request::get("/ready")).await.ok().map(drop);
    (Daemon::start(command, Folder::new(), ready).await, address)
}

/// What a client prints that has logged in at a server and called its tool.
fn log_in(language: Language, server: &str, password: &str) -> Value {
    let mut child = script(language);
    let child =
        child.arg("login").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    let job = json!({"server": server, "user": USER, "password": password});
    child.stdin.take().unwrap().write_all(job.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{language:?}: {errors}"))
}

/// A configuration with a scope and a metadata document for each server.
fn config(keycloak: &Keycloak, port: u16) -> Value {
    let rule = |name: &str| {
        json!({
            "name": name, "match": {"paths": [format!("/{name}/mcp")]},
            "allow": [{"scopes_all": [format!("{name}.read")]}],
        })
    };
    let resource = |host: &str, name: &str| {
        let path = format!("/{name}/mcp");
        json!({
            "url": format!("http://{host}:{port}/.well-known/oauth-protected-resource{path}"),
            "hosts": [host], "paths": [path], "scopes": [format!("{name}.read")],
        })
    };
    json!({
        "providers": [{
            "name": "keycloak", "issuers": [keycloak.issuer], "audiences": ["mcp"],
            "keys": {"remote": {
                "discovery": format!("{}/.well-known/openid-configuration", keycloak.issuer),
                "cluster": "idp",
            }},
        }],
        "rules": [rule("alpha"), rule("beta")],
        "responses": {
            "body": "jsonrpc",
            "resource_metadata": [resource("127.0.0.1", "alpha"), resource("localhost", "beta")],
        },
    })
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "make sdk: the SDKs and Keycloak must have been installed"]
async fn mcp_clients_log_in_with_the_address_of_a_server_and_get_the_scope_of_its_rule_alone() {
    if !Language::Python.installed() || !Language::Node.installed() {
        return support::skip::absent("the MCP SDKs are absent: run `make sdk`");
    }
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let password = mint::b64(&mint::now().to_be_bytes());
    let Some(keycloak) = Keycloak::start(realm(&password)).await else { return };
    let (_alpha, alpha) = serve(Language::Python, "/alpha/mcp").await;
    let (_beta, beta) = serve(Language::Node, "/beta/mcp").await;
    let mut envoy = fixture
        .envoy(json!({}))
        .cluster("idp", keycloak.address())
        .raw_cluster(cluster("alpha", alpha))
        .raw_cluster(cluster("beta", beta))
        .routes(json!([
            {"match": {"prefix": "/alpha/"}, "route": {"cluster": "alpha", "timeout": "0s"}},
            {"match": {"prefix": "/beta/"}, "route": {"cluster": "beta", "timeout": "0s"}},
        ]))
        .start()
        .await;
    let port = envoy.address().port();
    // The documents name the address of the proxy, which is known only now.
    assert_eq!(envoy.reload(config(&keycloak, port)).await, Push::Accepted);
    for language in [Language::Python, Language::Node] {
        let mut tokens = Vec::new();
        for (host, name, tool) in [("127.0.0.1", "alpha", "python"), ("localhost", "beta", "node")]
        {
            let server = format!("http://{host}:{port}/{name}/mcp");
            let seen = log_in(language, &server, &password);
            let scope = format!("{name}.read");
            let token = seen["token"].as_str().unwrap().to_owned();
            eprintln!("{language:?} at {name}: asked {} got {}", seen["asked"], claims(&token));
            assert_eq!((&seen["tool"], &seen["asked"]), (&json!(tool), &json!(scope)));
            assert_eq!(claims(&token)["scope"], json!(scope), "{language:?}");
            tokens.push(token);
        }
        for (token, other) in tokens.iter().zip(["beta", "alpha"]) {
            let request = Request::post(format!("/{other}/mcp"), "{}").bearer(token);
            let refused = envoy.send(&request).await;
            assert_eq!(refused.status, 403);
            assert_eq!(refused.json()["error"]["data"]["reason"], "scope_insufficient");
        }
    }
}

/// The claims of a token.
fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}
