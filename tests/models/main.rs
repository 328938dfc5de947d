//! Real SDKs, and a real model server: what the filter charges is what the user of an SDK sees in `usage`.
//!
//! The server is llama.cpp's own, with a language model of random weights (`tests/data/models/python/serve.py`): the
//! APIs of OpenAI and Anthropic. Gemini's, and compressed responses, come from an upstream of the tests in their published
//! shapes. `make models` installs the packages (scripts/install/models).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod recorded;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use support::daemon::{Daemon, answers};
use support::docs;
use support::example::Folder;
use support::ports::free_address;
use support::prelude::*;
use support::{root, skip};

/// What a response without a number costs in these tests; no response of the model does.
const MISSING: u64 = 77_777;

/// One call of an SDK.
#[derive(Clone, Copy)]
struct Call {
    language: Language,
    api: &'static str,
    stream: bool,
    /// Whether the caller asks for the number of a stream.
    asks: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    Python,
    Node,
}

impl Language {
    fn program(self) -> PathBuf {
        match self {
            Self::Python => python(),
            Self::Node => skip::program("node").unwrap_or_default(),
        }
    }

    fn script(self) -> &'static str {
        match self {
            Self::Python => "tests/data/models/python/clients.py",
            Self::Node => "target/models/node/clients.mjs",
        }
    }
}

impl Call {
    fn case(&self) -> String {
        let Self { language, api, stream, asks } = self;
        format!("{language:?} {api} stream={stream} asks={asks}")
    }
}

fn python() -> PathBuf {
    root().join("target/models/python/bin/python3")
}

/// Whether the packages are installed; a note otherwise.
fn installed() -> bool {
    let all = [python(), root().join(Language::Node.script())];
    let absent = all.iter().find(|path| !path.exists());
    if absent.is_some() {
        skip::absent("the SDKs and the model server are absent: run `make models`");
    }
    absent.is_none()
}

/// What an SDK shows of each call: the tokens that its user sees, if any.
fn run(language: Language, calls: &[Call], base: SocketAddr, token: &str) -> Vec<Value> {
    let calls: Vec<_> = calls.iter().filter(|call| call.language == language).collect();
    let jobs: Vec<_> = calls
        .iter()
        .map(|call| {
            let base = format!("http://{base}");
            json!({"case": call.case(), "api": call.api, "stream": call.stream, "asks": call.asks,
                "base": base, "token": token})
        })
        .collect();
    let folder = Folder::new();
    let jobs = std::fs::File::open(folder.file("jobs.json", json!(jobs).to_string())).unwrap();
    let mut command = Command::new(language.program());
    command.arg(root().join(language.script())).stdin(jobs).stderr(Stdio::inherit());
    if language == Language::Node {
        command.current_dir(root().join("target/models/node"));
    }
    let output = command.output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = printed.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), calls.len(), "{language:?}: {printed}");
    lines
}

/// All calls through an Envoy; for each, what the SDK shows, and what the filter has charged.
async fn charged(
    envoy: &Envoy,
    calls: &'static [Call],
    token: String,
) -> Vec<(String, Value, u64)> {
    let address = envoy.address();
    let both = [Language::Python, Language::Node].map(|language| {
        let token = token.clone();
        tokio::task::spawn_blocking(move || run(language, calls, address, &token))
    });
    let mut all = Vec::new();
    for language in both {
        for line in language.await.unwrap() {
            let case = line["case"].as_str().unwrap().to_owned();
            assert_eq!(line["error"], json!(null), "{case}: {:#?}", envoy.filter_log());
            let usage = envoy.access(&case).await["usage"].as_str().map(str::parse);
            let usage = usage.unwrap_or_else(|| panic!("{case}: nothing is charged")).unwrap();
            eprintln!(
                "{case}: the SDK ({}) shows {}, charged {usage}",
                line["version"], line["seen"]
            );
            all.push((case, line["seen"].clone(), usage));
        }
    }
    all
}

/// The recipe of the page, with one large budget and a telling price for a response without a number. `asks`: streams
/// of the chat API ask for it, as in the recipe.
fn envoy(fixture: &Fixture, asks: bool) -> Builder {
    let mut config = docs::configuration("docs/llm-gateway.md", "Teams");
    config["providers"] = fixture.config(json!({}))["providers"].clone();
    config["token"] = json!({"from": [
        {"header": "authorization", "prefix": "Bearer "}, {"header": "x-goog-api-key"},
    ]});
    for limit in config["limits"].as_array_mut().unwrap() {
        limit["rate"] = json!("1000000000/d");
        limit.as_object_mut().unwrap().remove("tiers");
        if limit["charge"] == "response" {
            limit["response_cost"]["missing"] = json!(MISSING);
        }
    }
    for rule in config["rules"].as_array_mut().unwrap() {
        rule.as_object_mut().unwrap().remove("upstream_authorization");
        if !asks && rule["name"] == "chat" {
            rule["payload"]["include_usage"] = json!("off");
        }
        match rule["name"].as_str() {
            Some("chat") => {
                rule["match"]["paths"] = json!(["/v1/chat/completions", "/v1/completions"]);
            }
            Some("messages") => rule["match"]["paths"] = json!(["/v1/**", "/v1beta/**"]),
            _ => {}
        }
    }
    fixture
        .envoy(config)
        .stop_iteration()
        .log_field("usage", "%FILTER_STATE(wasm.tollgate.usage:PLAIN)%")
}

fn token(fixture: &Fixture) -> String {
    fixture.token_with("ann", json!({"team": "red"}))
}

/// llama.cpp's server.
async fn model_server() -> (Daemon, SocketAddr) {
    let (folder, address) = (Folder::new(), free_address());
    let mut command = Command::new(python());
    command.arg(root().join("tests/data/models/python/serve.py"));
    command.arg(folder.path()).arg(address.port().to_string());
    (Daemon::start(command, folder, async || answers(address, "/health").await).await, address)
}

const fn call(language: Language, api: &'static str, stream: bool, asks: bool) -> Call {
    Call { language, api, stream, asks }
}

const SERVER: &[Call] = &[
    call(Language::Python, "chat", false, false),
    call(Language::Python, "chat", true, true),
    call(Language::Python, "chat", true, false),
    call(Language::Python, "completions", false, false),
    call(Language::Python, "completions", true, true),
    call(Language::Python, "completions", true, false),
    call(Language::Python, "responses", false, false),
    call(Language::Python, "responses", true, false),
    call(Language::Python, "messages", false, false),
    call(Language::Python, "messages", true, false),
    call(Language::Node, "chat", false, false),
    call(Language::Node, "chat", true, true),
    call(Language::Node, "chat", true, false),
    call(Language::Node, "responses", false, false),
    call(Language::Node, "responses", true, false),
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "make models: the SDKs and the model server must have been installed"]
async fn what_is_charged_is_what_the_user_of_an_sdk_sees_in_usage() {
    if !installed() {
        return;
    }
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let (_server, address) = model_server().await;
    let asking = envoy(&fixture, true).upstream(address).start().await;
    for (case, seen, charged) in charged(&asking, SERVER, token(&fixture)).await {
        assert_eq!(Some(charged), seen.as_u64(), "{case}");
    }
    // Without `include_usage`, a stream has the number only where the caller asks for it.
    let plain = envoy(&fixture, false).upstream(address).start().await;
    for (case, seen, charged) in charged(&plain, STREAMS, token(&fixture)).await {
        let told = case.contains("asks=true");
        assert_eq!(seen.is_u64(), told, "{case}");
        assert_eq!(charged, seen.as_u64().unwrap_or(MISSING), "{case}");
    }
}

const STREAMS: &[Call] = &[
    call(Language::Python, "chat", true, true),
    call(Language::Python, "chat", true, false),
    call(Language::Node, "chat", true, false),
];

const SHAPES: &[Call] = &[
    call(Language::Python, "gemini", false, false),
    call(Language::Python, "gemini", true, false),
    call(Language::Python, "messages", true, false),
    call(Language::Python, "chat", false, false),
    call(Language::Node, "chat", false, false),
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "make models: the SDKs must have been installed"]
async fn published_shapes_are_charged_and_a_compressed_response_never_arrives_unasked() {
    if !installed() {
        return;
    }
    let Some(fixture) = Fixture::answering("ES256", recorded::answer(&python())).await else {
        return;
    };
    let token = token(&fixture);
    // All SDKs ask for compression, and a server that compresses gives it to them.
    let address = fixture.upstream.address();
    let (direct, own) = (token.clone(), SHAPES);
    let lines = tokio::task::spawn_blocking(move || {
        [Language::Python, Language::Node]
            .map(|language| run(language, own, address, &direct))
            .concat()
    });
    for line in lines.await.unwrap() {
        assert_eq!(line["seen"], recorded::TOKENS, "{line}");
    }
    let asked: Vec<_> = fixture.upstream.requests();
    assert_eq!(asked.len(), SHAPES.len());
    for request in &asked {
        assert!(
            request.header("accept-encoding").is_some_and(|v| v.contains("gzip")),
            "{}",
            request.path
        );
    }
    // The filter removes `accept-encoding`: the response arrives as it is, and with its number.
    fixture.upstream.clear();
    let envoy = envoy(&fixture, true).start().await;
    for (case, seen, charged) in charged(&envoy, SHAPES, token.clone()).await {
        assert_eq!((seen, charged), (json!(recorded::TOKENS), recorded::TOKENS), "{case}");
    }
    assert!(fixture.upstream.requests().iter().all(|r| r.all("accept-encoding").is_empty()));
    // A server that compresses unasked: the SDK reads it, the filter does not.
    let body = json!({"model": "unasked"}).to_string();
    let request = Request::post("/v1/chat/completions", body).bearer(&token).case("unasked");
    let response = envoy.send(&request.header("content-type", "application/json")).await;
    assert_eq!((response.status, response.header("content-encoding")), (200, Some("gzip")));
    assert_eq!(envoy.access("unasked").await["usage"], MISSING.to_string());
}
