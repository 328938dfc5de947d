//! Envoy with a rule for each body and case, and a server behind it that answers in the shapes of the SDKs.

use std::net::SocketAddr;

use support::envoy::cluster;
use support::grpc::Receiver;
use support::prelude::*;

use super::clients::Client;

/// A kind of refusal.
pub struct Case {
    pub name: &'static str,
    pub reason: &'static str,
    /// A part of the sentence.
    pub sentence: &'static str,
    /// Whether the bucket is emptied before the call.
    pub spends: bool,
    /// Whether a client that waits as it is told gets an answer.
    pub passes_later: bool,
    /// Whether a client is told not to retry.
    pub never: bool,
}

impl Case {
    /// As the page names it.
    pub fn title(&self) -> String {
        match self.name {
            "rate_limited_hour" => "`rate_limited`, up to an hour".to_owned(),
            "rate_limited_soon" => "`rate_limited`, 3 seconds".to_owned(),
            _ => format!("`{}`", self.reason),
        }
    }
}

const fn case(name: &'static str, sentence: &'static str) -> Case {
    Case { name, reason: name, sentence, spends: false, passes_later: false, never: false }
}

/// The first loads the SDK, so that little time passes in the later ones between the emptying of the bucket and the call.
pub const CASES: &[Case] = &[
    case("token_missing", "The request has no access token"),
    case("expired", "The token has expired; request a new one."),
    case("scope_insufficient", "request one with the scopes: score.read."),
    case("role_insufficient", "ask the owner of the service to assign it."),
    case("content_type_not_allowed", "send application/x-ndjson."),
    case("payload_too_large", "The body is too large; send at most 4 bytes."),
    Case {
        never: true,
        ..case(
            "cost_exceeds_burst",
            "The request costs more than the limit 'small' can ever hold, 2",
        )
    },
    Case {
        reason: "rate_limited",
        spends: true,
        never: true,
        ..case("rate_limited_hour", "The limit 'hourly' is used up; try again in 3")
    },
    Case {
        reason: "rate_limited",
        spends: true,
        passes_later: true,
        ..case("rate_limited_soon", "The limit 'soon' is used up; try again in ")
    },
    case("keys_unavailable", "The keys of the identity provider cannot be fetched at the moment"),
];

const BODIES: [&str; 4] = ["json", "v2", "jsonrpc", "grpc"];

/// What a rule requires in a case, besides a token.
fn requires(case: &Case) -> Value {
    match case.name {
        "scope_insufficient" => json!({"allow": [{"scopes_all": ["score.read"]}]}),
        "role_insufficient" => json!({"allow": [{"roles_any": ["Model.Score"]}]}),
        "content_type_not_allowed" => {
            json!({"payload": {"content_types": ["application/x-ndjson"]}})
        }
        // An empty message of gRPC has 5.
        "payload_too_large" => json!({"payload": {"max_bytes": 4}}),
        "cost_exceeds_burst" => json!({"limits": ["small"], "cost": 5}),
        "rate_limited_hour" => json!({"limits": ["hourly"]}),
        "rate_limited_soon" => json!({"limits": ["soon"]}),
        _ => json!({}),
    }
}

/// A part of the address of a case. It does not have the reason, which some clients would show with the address.
fn place(case: &Case) -> String {
    let number = CASES.iter().position(|other| other.name == case.name).unwrap();
    format!("case-{number}")
}

fn host(case: &Case) -> String {
    format!("{}.grpc.test", place(case))
}

/// A rule for a case with a form of the body. gRPC fixes the path, so there the host tells the cases apart.
fn rule(body: &str, case: &Case) -> Value {
    let name = format!("{body}-{}", case.name);
    let rule = match body {
        "grpc" => json!({"name": name, "match": {"hosts": [format!("*.{}", host(case))]}}),
        _ => json!({
            "name": name, "body": body,
            "match": {"paths": [format!("/{body}/{}/**", place(case))]},
        }),
    };
    merged(rule, requires(case))
}

/// Envoy and what is behind it.
pub struct Server {
    envoy: Envoy,
    fixture: Fixture,
    _grpc: Receiver,
}

impl Server {
    /// `None` after a note without Envoy or the module.
    pub async fn start() -> Option<Self> {
        let fixture = Fixture::answering("ES256", answer).await?;
        let grpc = Receiver::start().await;
        let mut behind = cluster("grpc", grpc.address());
        behind["typed_extension_protocol_options"] = json!({
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            },
        });
        let rules: Vec<_> =
            BODIES.iter().flat_map(|body| CASES.iter().map(move |case| rule(body, case))).collect();
        let config = json!({
            "providers": [provider(&[&fixture.signer], &["ES256"]), {
                "name": "away", "issuers": ["https://away.test"], "audiences": "any",
                "keys": {"remote": {"uri": "http://away.test/keys", "cluster": "away", "timeout": "1s"}},
            }],
            "token": {"from": [
                {"header": "authorization", "prefix": "Bearer "},
                {"header": "api-key"}, {"header": "x-api-key"}, {"header": "x-goog-api-key"},
            ]},
            "rules": rules,
            "limits": [
                {"name": "small", "rate": "1/h", "burst": 2},
                {"name": "hourly", "rate": "1/h"},
                {"name": "soon", "rate": "20/m", "burst": 1},
            ],
        });
        let kind = json!({"string_match": {"prefix": "application/grpc"}, "name": "content-type"});
        let envoy = fixture
            .envoy(config)
            .hcm(json!({"strip_any_host_port": true}))
            .raw_cluster(behind)
            .cluster("away", SocketAddr::from(([127, 0, 0, 1], 1)))
            .routes(json!([
                {"match": {"prefix": "/", "headers": [kind]}, "route": {"cluster": "grpc"}},
                {"match": {"prefix": "/"}, "route": {"cluster": "upstream"}},
            ]))
            .log_field("authority", "%REQ(:AUTHORITY)%")
            .start()
            .await;
        Some(Self { envoy, fixture, _grpc: grpc })
    }

    /// A case as the script of a client reads it.
    pub fn job(&self, client: &Client, case: &Case) -> Value {
        let changes = match case.name {
            "expired" => json!({"exp": mint::now() - 3600}),
            "keys_unavailable" => json!({"iss": "https://away.test"}),
            _ => json!({}),
        };
        let token = match case.name {
            "token_missing" => String::new(),
            _ => self.fixture.token_with(&client.key(), changes),
        };
        let (path, authority) = match client.body {
            "grpc" => (String::new(), format!("{}.{}", client.key(), host(case))),
            body => (format!("/{body}/{}/{}", place(case), client.key()), "127.0.0.1".to_owned()),
        };
        json!({
            "case": case.name, "port": self.envoy.address().port(), "path": path,
            "authority": authority, "token": token, "spends": case.spends,
        })
    }

    /// The access log, with all requests that were sent before.
    pub async fn log(&self) -> Vec<Value> {
        self.envoy.send(&Request::get("/end").case("end")).await;
        self.envoy.access("end").await;
        self.envoy.access_log()
    }
}

/// How many requests of a client were refused in a case.
///
/// # Panics
/// When one was refused for another reason.
pub fn refused(log: &[Value], client: &Client, case: &Case) -> usize {
    let of_case = |entry: &&Value| match client.body {
        "grpc" => entry["authority"] == format!("{}.{}", client.key(), host(case)),
        body => {
            let prefix = format!("/{body}/{}/{}/", place(case), client.key());
            entry["path"].as_str().is_some_and(|path| path.starts_with(&prefix))
        }
    };
    let refused = log.iter().filter(of_case).filter(|entry| entry["decision"] == "deny");
    refused.inspect(|entry| assert_eq!(entry["reason"], case.reason, "{}", client.name)).count()
}

/// The answer to a call that passed, in the shape that its path asks for.
pub fn answer(request: &Recorded) -> Reply {
    let body = || serde_json::from_slice::<Value>(&request.body).unwrap_or_default();
    let text = "hello";
    Reply::json(&match request.path.rsplit('/').next().unwrap_or_default() {
        "completions" => json!({
            "id": "1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{
                "index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text},
            }],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }),
        "messages" => json!({
            "id": "1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
            "content": [{"type": "text", "text": text}],
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }),
        "m:generateContent" => json!({
            "candidates": [{"content": {"role": "model", "parts": [{"text": text}]}}],
        }),
        "create" => json!({"experiment_id": "1"}),
        "infer" => json!({"model_name": "m", "outputs": []}),
        "mcp" => return rpc(&body()),
        _ => json!({}),
    })
}

/// The answer of an MCP server.
fn rpc(request: &Value) -> Reply {
    let result = match request["method"].as_str() {
        Some("initialize") => json!({
            "protocolVersion": request["params"]["protocolVersion"], "capabilities": {"tools": {}},
            "serverInfo": {"name": "test", "version": "1"},
        }),
        Some("tools/list") => json!({"tools": []}),
        _ if request["id"].is_null() => return Reply::new(202, ""),
        _ => {
            let error = json!({"code": -32601, "message": "Method not found"});
            return Reply::json(&json!({"jsonrpc": "2.0", "id": request["id"], "error": error}));
        }
    };
    Reply::json(&json!({"jsonrpc": "2.0", "id": request["id"], "result": result}))
}
