//! What `tollgate init` writes: Envoy's form in a real Envoy, the manifests against the definitions of
//! their projects.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "core/definitions.rs"]
mod definitions;

use std::process::Command;

use definitions::Definitions;
use support::daemon::{Daemon, answers};
use support::example::{Example, Folder};
use support::grpc::Receiver;
use support::manifests::{documents, one, text};
use support::ports::free_address;
use support::prelude::*;

/// The output of the command.
fn tollgate(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_tollgate")).args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// An issuer that serves its keys.
struct Issuer {
    folder: Folder,
    url: String,
    _server: Daemon,
}

const AUDIENCE: &str = "api://orders";

impl Issuer {
    async fn start() -> Self {
        let (folder, address) = (Folder::new(), free_address());
        let mut server = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        server.args(["serve-jwks", "--listen", &address.to_string(), "--dir"]);
        server.arg(folder.path().join("keys"));
        let url = format!("http://{address}");
        mint(&folder, &url, &["--audience", AUDIENCE]);
        let ready = async || answers(address, "/jwks").await;
        let server = Daemon::start(server, Folder::new(), ready).await;
        Self { folder, url, _server: server }
    }

    /// A token with these options.
    fn token(&self, options: &[&str]) -> String {
        mint(&self.folder, &self.url, options)
    }

    /// The configuration of Envoy for its tokens.
    fn written(&self, options: &[&str]) -> String {
        let common = ["init", "--issuer", &self.url, "--audience", AUDIENCE];
        tollgate(&[&common, options].concat())
    }
}

fn mint(folder: &Folder, issuer: &str, options: &[&str]) -> String {
    let keys = folder.path().join("keys").to_str().unwrap().to_owned();
    tollgate(&[&["mint", "--dir", &keys, "--issuer", issuer], options].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_configuration_of_envoy_serves_tokens_of_the_issuer_alone() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let issuer = Issuer::start().await;

    let token = issuer.token(&["--audience", AUDIENCE, "--subject", "alice"]);
    let written = issuer.written(&[]);
    let example = Example::parse(&written).cluster("upstream", fixture.upstream.address());
    let envoy = fixture.proxy().start_file(&example.text()).await;
    let get = |path: &str, token: &str| Request::get(path).bearer(token);
    let good = envoy.send(&get("/orders", &token).header("x-auth-subject", "root")).await;
    assert_eq!(good.status, 200, "{} {:#?}", good.reason(), envoy.filter_log());
    let seen = fixture.upstream.last().unwrap();
    assert_eq!(seen.header("x-auth-subject"), Some("alice"));
    assert_eq!(envoy.send(&Request::get("/healthz")).await.status, 200);
    let elsewhere = issuer.token(&["--audience", "api://else"]);
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

/// A preset: the header of its SDKs, calls that they make, calls that nobody may make, and what the body of a refusal
/// has at its pointer.
type Case =
    (&'static str, &'static str, &'static [&'static str], &'static [&'static str], &'static str);

const PRESETS: [Case; 6] = [
    (
        "openai",
        "authorization",
        &[
            "POST /v1/chat/completions",
            "POST /v1/responses",
            "POST /v1/audio/transcriptions",
            "GET /v1/models",
            "GET /v1/models/gpt-5",
        ],
        &["POST /v1/models", "DELETE /v1/models/gpt-5", "GET /v1/responses/r-1", "GET /v1/files"],
        "/error/message",
    ),
    (
        "anthropic",
        "x-api-key",
        &["POST /v1/messages", "POST /v1/messages/count_tokens?beta=true", "GET /v1/models"],
        &["POST /v1/models", "GET /v1/messages/batches", "POST /v1/messages/batches"],
        "/error/message",
    ),
    (
        "gemini",
        "x-goog-api-key",
        &[
            "POST /v1/models/gemini-2.5-pro:generateContent",
            "POST /v1beta/models/gemini-2.5-pro:generateContent",
            "POST /v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
            "POST /v1beta/models/gemini-embedding-001:batchEmbedContents",
            "GET /v1beta/models?pageSize=50",
        ],
        &[
            "POST /v1beta/models",
            "POST /v1beta/models/gemini-2.5-pro",
            "POST /v1beta/models/veo:predictLongRunning",
            "GET /v1beta/files",
        ],
        "/error/message",
    ),
    (
        "azure-openai",
        "api-key",
        &[
            "POST /openai/deployments/gpt/chat/completions?api-version=2024-10-21",
            "POST /openai/deployments/whisper/audio/transcriptions?api-version=2024-10-21",
            "POST /openai/v1/responses",
            "GET /openai/models?api-version=2024-10-21",
            "GET /openai/v1/models",
        ],
        &[
            "POST /openai/models",
            "POST /openai/v1/models",
            "GET /openai/deployments/gpt",
            "GET /openai/files",
        ],
        "/error/message",
    ),
    (
        "kserve",
        "authorization",
        &[
            "POST /v2/models/iris/infer",
            "POST /v2/models/iris/versions/3/infer",
            "GET /v2/models/iris/versions/3/ready",
            "GET /v2",
            "POST /inference.GRPCInferenceService/ModelInfer",
        ],
        &[
            "POST /v2/models/iris",
            "GET /v2/models/iris/infer",
            "POST /v2/repository/models/iris/load",
            "POST /inference.GRPCInferenceService/RepositoryModelLoad",
        ],
        "/error",
    ),
    (
        "mcp",
        "authorization",
        &["POST /mcp", "GET /mcp", "DELETE /mcp", "POST /mcp/"],
        &["PUT /mcp", "GET /", "POST /mcp/other"],
        "/error/message",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_preset_admits_the_calls_of_its_sdks_and_no_other() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let issuer = Issuer::start().await;

    for (preset, header, admitted, refused, pointer) in PRESETS {
        let server: &[&str] =
            if preset == "mcp" { &["--server", "https://ml.example.com"] } else { &[] };
        let options = ["--preset", preset, "--upstream-key", "UPSTREAM_KEY"];
        let written = issuer.written(&[&options[..], server].concat());
        let example = Example::parse(&written).cluster("upstream", fixture.upstream.address());
        let wasm: Value =
            serde_json::from_str(text(example.wasm(), "/configuration/value")).unwrap();
        let proxy = fixture.proxy().environment("UPSTREAM_KEY", "key-of-the-upstream");
        let envoy = proxy.start_file(&example.text()).await;
        let call = |call: &str, header: &str, token: &str| {
            let (method, path) = call.split_once(' ').unwrap();
            let content = if path.starts_with("/inference.") {
                "application/grpc"
            } else {
                "application/json"
            };
            let request = match method {
                "POST" => Request::post(path, "{}").header("content-type", content),
                _ => Request::new(method, path),
            };
            match header {
                "authorization" => request.bearer(token),
                _ => request.header(header, token),
            }
        };

        // Every path of every rule, with the place of the SDK's key and with a bearer token.
        let rules = wasm["rules"].as_array().unwrap();
        let of_rules = rules.iter().filter(|rule| rule["auth"] != "none").flat_map(|rule| {
            let list = |pointer| rule.pointer(pointer).and_then(Value::as_array).unwrap().iter();
            let texts = |value: &Value| value.as_str().unwrap().to_owned();
            let paths: Vec<_> = list("/match/paths").map(texts).collect();
            let call = |method: &Value, path: &String| {
                let path =
                    path.replace("{endpoint}", "one").replace("**", "any").replace('*', "one");
                let path = path.replace("{model}", "one");
                format!("{} {path}", method.as_str().unwrap())
            };
            list("/match/methods")
                .flat_map(|m| paths.iter().map(|p| call(m, p)).collect::<Vec<_>>())
                .collect::<Vec<_>>()
        });
        let calls: Vec<_> =
            of_rules.chain(admitted.iter().map(|call| (*call).to_owned())).collect();
        let mut token = String::new();
        for (index, one) in calls.iter().enumerate() {
            // A caller's bucket has 20 tokens.
            if index % 5 == 0 {
                token = issuer.token(&[
                    "--audience",
                    AUDIENCE,
                    "--subject",
                    &format!("{preset}-{index}"),
                ]);
            }
            for header in [header, "authorization"] {
                let response = envoy.send(&call(one, header, &token)).await;
                assert_eq!(response.status, 200, "{preset} {one}: {}", response.reason());
                let seen = fixture.upstream.last().unwrap();
                assert!(seen.head_contains(b"key-of-the-upstream"), "{preset} {one}");
                assert!(
                    !seen.head_contains(token.as_bytes()),
                    "{preset} {one}: the token is forwarded"
                );
            }
        }
        let shown = |response: &Response| match response.header("grpc-message") {
            Some(message) => message.to_owned(),
            None => response.json().pointer(pointer).unwrap().as_str().unwrap().to_owned(),
        };
        for one in refused {
            let response = envoy.send(&call(one, header, &token)).await;
            assert!(
                shown(&response).starts_with("no_rule"),
                "{preset} {one}: {}",
                shown(&response)
            );
        }
        // A key of the upstream is no token, and opens nothing.
        let wrong = call(admitted[0], header, "key-of-the-upstream");
        assert_eq!(envoy.send(&wrong).await.status, 401, "{preset}");
        let (method, path) = admitted[0].split_once(' ').unwrap();
        let text = Request::new(method, path).bearer(&token).header("content-type", "text/plain");
        let text = Request { body: b"{}".to_vec(), ..text.header("content-length", "2") };
        let response = envoy.send(&text).await;
        assert!(shown(&response).starts_with("content_type_not_allowed"), "{preset}");
        if preset == "kserve" {
            let bare = Request::post("/v2/models/iris/infer", "{}").bearer(&token);
            assert_eq!(envoy.send(&bare).await.status, 200, "a body without a type");
        }
        if preset == "mcp" {
            let path = "/.well-known/oauth-protected-resource/mcp";
            let document = envoy.send(&Request::get(path)).await.json();
            assert_eq!(document["resource"], "https://ml.example.com/mcp");
            assert_eq!(document["authorization_servers"], json!([issuer.url]));
            let response = envoy.send(&Request::post("/mcp", "{}")).await;
            let challenge = response.header("www-authenticate").unwrap();
            assert!(challenge.contains(&format!("https://ml.example.com{path}")), "{challenge}");
        }
    }
}

/// With what the command writes, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn the_lines_of_a_preset_are_a_bill_by_model() {
    let usage = |tokens: u64| json!({"usage": {"total_tokens": tokens}});
    let reply = move |seen: &Recorded| match seen.path.contains("generateContent") {
        true => Reply::json(&json!({"usageMetadata": {"totalTokenCount": 7}})),
        false if seen.path.contains("messages") => {
            Reply::json(&json!({"usage": {"input_tokens": 3, "output_tokens": 4}}))
        }
        false => Reply::json(&usage(7)),
    };
    let Some(fixture) = Fixture::answering("ES256", reply).await else { return };
    let Some(python) = support::skip::program("python3") else {
        return support::skip::absent("python3 is absent: run scripts/install/servers");
    };
    let issuer = Issuer::start().await;
    let token = issuer.token(&["--audience", AUDIENCE, "--subject", "ann"]);
    for (preset, path, body) in [
        ("openai", "/v1/chat/completions", r#"{"model": "m-1"}"#),
        ("anthropic", "/v1/messages", r#"{"model": "m-1"}"#),
        ("gemini", "/v1beta/models/m-1:generateContent", "{}"),
        ("azure-openai", "/openai/v1/responses", r#"{"model": "m-1"}"#),
    ] {
        let written = issuer.written(&["--preset", preset]);
        let example = Example::parse(&written).cluster("upstream", fixture.upstream.address());
        let envoy = fixture.proxy().start_file(&example.text()).await;
        let request = Request::post(path, body).header("content-type", "application/json");
        assert_eq!(envoy.send(&request.bearer(&token)).await.status, 200, "{preset}");
        let line = envoy.access_after(0).await;
        let month = line["Time"].as_str().unwrap()[..7].to_owned();
        let (bill, notes) = bill(&python, &format!("{line}\n"));
        let header = "month,identity,model,requests,without_usage,tokens";
        let row = format!("{month},{}/ann,m-1,1,0,7", issuer.url);
        assert_eq!((bill, notes), (format!("{header}\n{row}\n"), String::new()), "{preset}");
    }
    let bare = r#"{"Time": "2026-11-29T00:00:00Z", "Decision": "allow", "Identity": "ann"}"#;
    let (table, notes) = bill(&python, &format!("{bare}\n"));
    assert!(table.ends_with("\n2026-11,ann,,1,1,0\n"), "{table}");
    let missing = |name: &str| format!("no line has the field {name}: ");
    assert!(["Model", "Usage"].iter().all(|name| notes.contains(&missing(name))), "{notes}");
}

/// What examples/llm/chargeback.py writes for these lines.
fn bill(python: &std::path::Path, lines: &str) -> (String, String) {
    let folder = Folder::new();
    let output = Command::new(python)
        .arg(support::root().join("examples/llm/chargeback.py"))
        .arg(folder.file("audit.log", lines))
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grpc_call_reaches_the_upstream_of_the_preset_over_http2() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let issuer = Issuer::start().await;

    let token = issuer.token(&["--audience", AUDIENCE]);
    let receiver = Receiver::start().await;
    let written = issuer.written(&["--preset", "kserve"]);
    let example = Example::parse(&written).cluster("upstream", receiver.address());
    let envoy = fixture.proxy().start_file(&example.text()).await;
    let message = b"\0\0\0\0\x06\x0a\x04iris";
    for method in ["ModelInfer", "ModelStreamInfer"] {
        let path = format!("/inference.GRPCInferenceService/{method}");
        let call = Request::post(path, message).bearer(&token).header("te", "trailers");
        let call = call.header("content-type", "application/grpc");
        let response = client::send_h2(envoy.address(), call.h2()).await;
        assert_eq!(response.header("grpc-status"), Some("0"), "{method}");
        assert_eq!(receiver.received(method), message, "{method}");
    }
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
    let preset = ["--preset", "gemini", "--upstream-key", "UPSTREAM_KEY"];
    let entra = ["--entra", "72f988bf-86f1-41af-91ab-2d7cd011db47"];
    let issuer = ["--issuer", "https://idp.test:8443/realms/a"];
    for (source, host, port) in [
        (entra.to_vec(), "login.microsoftonline.com", 443),
        (issuer.to_vec(), "idp.test", 8443),
        ([&issuer[..], &preset].concat(), "idp.test", 8443),
    ] {
        let init = |target: &str| {
            let options = ["init", "--audience", "api://orders", "--for", target];
            documents(&tollgate(&[&options, &source[..]].concat()))
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
