//! Each recipe of docs/llm-gateway.md in a real Envoy: what is limited, what the server behind sees, what is billed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::process::{Command, Stdio};

use support::docs;
use support::example::Folder;
use support::prelude::*;
use support::{poll, root, skip};

const PAGE: &str = "docs/llm-gateway.md";

/// The recipe under this heading, with the signer of the test, and so many tokens for each limit in a bucket that
/// nothing refills.
fn recipe(fixture: &Fixture, heading: &str, budgets: &[(&str, u64)]) -> Value {
    let mut config = docs::configuration(PAGE, heading);
    let audience = config["providers"][0]["audiences"].clone();
    config["providers"] = fixture.config(json!({}))["providers"].clone();
    config["providers"][0]["audiences"] = audience;
    for (name, tokens) in budgets {
        let limits = config["limits"].as_array_mut().unwrap().iter_mut();
        let limit = limits.into_iter().find(|limit| limit["name"] == *name).unwrap();
        limit["rate"] = json!(format!("{tokens}/d"));
        if limit["charge"] == "response" {
            limit["reserve"] = json!({"default": 1, "max": 1});
        }
    }
    config
}

fn token(fixture: &Fixture, config: &Value, subject: &str, claims: Value) -> String {
    let audience = json!({"aud": config["providers"][0]["audiences"][0]});
    fixture.token_with(subject, merged(claims, audience))
}

fn post(path: &str, body: &Value, token: &str) -> Request {
    Request::post(path, body.to_string()).bearer(token).header("content-type", "application/json")
}

/// A server whose response is the body of the request, so that a test chooses what a response costs.
async fn parrot() -> Option<Fixture> {
    let answer = |request: &Recorded| {
        Reply::new(200, request.body.clone()).header("content-type", "application/json")
    };
    Fixture::answering("ES256", answer).await
}

fn usage(model: &str, tokens: u64) -> Value {
    json!({"model": model, "usage": {"total_tokens": tokens}})
}

/// The status and, where one refused, the limit.
async fn outcome(envoy: &Envoy, case: &str, request: Request) -> (u16, Value) {
    let status = envoy.send(&request.case(case)).await.status;
    (status, envoy.access(case).await["limit"].clone())
}

#[test]
fn every_recipe_of_the_page_has_a_test() {
    let source = include_str!("e2e_llm_gateway.rs");
    let blocks = docs::blocks(PAGE);
    for recipe in blocks.iter().filter(|block| !block.configurations().is_empty()) {
        assert!(source.contains(&format!("{:?}", recipe.heading)), "{}", recipe.heading);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_teams_and_models_have_budgets_of_their_own() {
    let Some(fixture) = parrot().await else { return };
    let budgets = [("caller", 1000), ("team", 1500), ("model", 600)];
    let config = recipe(&fixture, "Teams", &budgets);
    let bearer =
        |subject: &str, team: &str| token(&fixture, &config, subject, json!({"team": team}));
    let envoy = fixture
        .envoy(config.clone())
        .stop_iteration()
        .variable("MODEL_SERVER_KEY", "the-key-of-the-server")
        .log_field("limit", "%FILTER_STATE(wasm.tollgate.limit:PLAIN)%")
        .start()
        .await;
    let path = "/v1/chat/completions";
    for (case, subject, team, model, tokens, expected) in [
        ("a", "ann", "red", "large", 600, (200, json!(null))),
        ("b", "ann", "red", "large", 1, (429, json!("model"))),
        ("c", "ann", "red", "small", 400, (200, json!(null))),
        ("d", "ann", "red", "other", 1, (429, json!("caller"))),
        ("e", "bob", "red", "large", 500, (200, json!(null))),
        ("f", "bob", "red", "small", 1, (429, json!("team"))),
        ("g", "bob", "blue", "small", 1, (200, json!(null))),
    ] {
        let request = post(path, &usage(model, tokens), &bearer(subject, team));
        assert_eq!(outcome(&envoy, case, request).await, expected, "{case}");
    }
    let seen = fixture.upstream.last().unwrap();
    assert_eq!(seen.all("authorization"), [b"Bearer the-key-of-the-server"]);
    assert_eq!(seen.header("x-auth-team"), Some("blue"));

    let teamless = token(&fixture, &config, "eve", json!({}));
    let refused = envoy.send(&post(path, &usage("large", 1), &teamless)).await;
    assert_eq!((refused.status, refused.reason().as_str()), (403, "claim_insufficient"));
    let other = post(path, &json!({"max_output_tokens": 1}), &bearer("ann", "red"));
    let refused = envoy.send(&other).await;
    assert_eq!((refused.status, refused.reason().as_str()), (403, "body_not_allowed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_picker_gets_the_headers_of_the_token_and_never_those_of_the_caller() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let config = recipe(&fixture, "Inference Extension", &[]);
    let envoy = fixture.envoy(config.clone()).start().await;
    let (fairness, objective) =
        ("x-gateway-inference-fairness-id", "x-gateway-inference-objective");
    let claims = json!({"team": "red", "objective": "batch"});
    for (claims, expected) in [
        (claims, [Some("red"), Some("batch")]),
        (json!({"team": "red"}), [Some("red"), None]),
        (json!({}), [None, None]),
    ] {
        let bearer = token(&fixture, &config, "ann", claims);
        let request = post("/v1/completions", &json!({}), &bearer)
            .header(fairness, "blue")
            .header("X-Gateway_Inference-Fairness-ID", "blue")
            .header(objective, "premium");
        assert_eq!(envoy.send(&request).await.status, 200);
        let seen = fixture.upstream.last().unwrap();
        assert_eq!([seen.header(fairness), seen.header(objective)], expected);
        assert!(!seen.head_contains(b"blue") && !seen.head_contains(b"premium"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_its_user_and_both_together_have_limits_of_their_own() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let config = recipe(&fixture, "Agents", &[("agent", 5), ("user", 3), ("pair", 2)]);
    let envoy = fixture
        .envoy(config.clone())
        .stop_iteration()
        .log_field("limit", "%FILTER_STATE(wasm.tollgate.limit:PLAIN)%")
        .start()
        .await;
    let bearer = |user: &str, agent: &str| {
        // The actor before this one, which decides nothing.
        let act = json!({"sub": agent, "act": {"sub": "agent://unknown"}});
        token(&fixture, &config, user, json!({"scope": "mcp:read", "act": act}))
    };
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let (planner, coder) = ("agent://planner", "agent://coder");
    for (case, user, agent, expected) in [
        ("a", "ann", planner, (200, json!(null))),
        ("b", "ann", planner, (200, json!(null))),
        ("c", "ann", planner, (429, json!("pair"))),
        ("d", "ann", coder, (200, json!(null))),
        ("f", "ann", coder, (429, json!("user"))),
        ("g", "bob", planner, (200, json!(null))),
        ("h", "bob", planner, (200, json!(null))),
        ("i", "cid", planner, (200, json!(null))),
        ("j", "cid", planner, (429, json!("agent"))),
    ] {
        let request = post("/mcp", &call, &bearer(user, agent));
        assert_eq!(outcome(&envoy, case, request).await, expected, "{case}");
    }
    assert_eq!(fixture.upstream.last().unwrap().header("x-auth-actor"), Some(planner));

    let stranger = post("/mcp", &call, &bearer("ann", "agent://unknown"));
    assert_eq!(envoy.send(&stranger).await.status, 403);
    // A token of Entra's shape: the agent is the client, and a facet says that it is an agent.
    for (facets, status) in [("3 9 11", 200), ("3 9", 403)] {
        let claims = json!({"scope": "mcp:read", "azp": coder, "xms_act_fct": facets});
        let request = post("/mcp", &call, &token(&fixture, &config, "eve", claims));
        assert_eq!(envoy.send(&request).await.status, status, "{facets}");
    }
    assert_eq!(fixture.upstream.last().unwrap().header("x-auth-actor"), Some(coder));
    let person = json!({"scope": "mcp:read", "roles": ["developer"]});
    let person = post("/mcp", &call, &token(&fixture, &config, "dan", person));
    assert_eq!(envoy.send(&person).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bill_is_the_sum_of_the_usage_of_each_caller_and_model() {
    let Some(fixture) = parrot().await else { return };
    let Some(python) = skip::program("python3") else {
        return skip::absent("python3 is absent: run scripts/install/servers");
    };
    let config = recipe(&fixture, "Teams", &[("caller", 1000), ("team", 1000), ("model", 1000)]);
    let state = |name: &str| format!("%FILTER_STATE(wasm.tollgate.{name}:PLAIN)%");
    let envoy = fixture
        .envoy(config.clone())
        .stop_iteration()
        .variable("MODEL_SERVER_KEY", "the-key-of-the-server")
        .log_field("Time", "%START_TIME%")
        .log_field("Identity", &state("identity"))
        .log_field("Decision", &state("decision"))
        .log_field("Model", &state("model"))
        .log_field("Usage", &state("usage"))
        .start()
        .await;
    let bearer = |subject: &str| token(&fixture, &config, subject, json!({"team": "red"}));
    let spent =
        [("ann", "large", 300), ("ann", "large", 45), ("ann", "small", 7), ("bob", "large", 9)];
    for (subject, model, tokens) in spent {
        let request = post("/v1/responses", &usage(model, tokens), &bearer(subject));
        assert_eq!(envoy.send(&request).await.status, 200);
    }
    // Neither a refusal nor a caller without a name is billed.
    assert_eq!(envoy.send(&post("/v1/responses", &json!({}), "x.y.z")).await.status, 401);
    assert_eq!(envoy.send(&Request::get("/health")).await.status, 200);
    let all = async || Some(envoy.access_log()).filter(|lines| lines.len() == 6);
    let lines = poll(std::time::Duration::from_secs(20), all).await.unwrap();
    let month = lines[0]["Time"].as_str().unwrap()[..7].to_owned();
    let later = lines[3]["Time"].as_str().unwrap();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    // Envoy's own log may stand between the lines.
    let folder = Folder::new();
    let file = std::fs::File::open(folder.file("audit.log", format!("[info] start\n{text}\n")));
    let output = Command::new(python)
        .arg(root().join("examples/llm/chargeback.py"))
        .args(["--price", "large=10.5"])
        .stdin(Stdio::from(file.unwrap()))
        .output()
        .unwrap();
    let (bill, notes) = (String::from_utf8(output.stdout).unwrap(), output.stderr);
    let notes = String::from_utf8(notes).unwrap();
    assert!(output.status.success(), "{notes}");
    assert_eq!(notes, "1 lines are not of the audit line\nwithout a price: small\n");
    let name = |subject: &str| format!("https://issuer.test/{subject}");
    let expected = format!(
        "month,identity,model,requests,without_usage,tokens,amount\n\
         {month},{ann},large,2,0,345,0.003622\n\
         {month},{ann},small,1,0,7,\n\
         {month},{bob},large,1,0,9,0.000094\n",
        ann = name("ann"),
        bob = name("bob"),
    );
    assert!(bill == expected || !later.starts_with(&month), "{bill}\n{expected}");
}

#[test]
fn a_file_of_lines_that_is_absent_is_named_in_one_line() {
    let Some(python) = skip::program("python3") else { return };
    let script = root().join("examples/llm/chargeback.py");
    let output = Command::new(python).arg(script).arg("/absent.log").output().unwrap();
    let (bill, notes) = (output.stdout, String::from_utf8(output.stderr).unwrap());
    assert!(!output.status.success() && bill.is_empty());
    assert_eq!(notes, "chargeback.py: /absent.log: No such file or directory\n");
}
