//! The recipes of the upstreams: rows and the endpoint's key, tokens of a language model.

use support::docs;
use support::entra;
use support::idp::{Idp, Scheme};
use support::prelude::*;

use crate::PAGE;
use crate::claims::{self, changed};

const JSON: (&str, &str) = ("content-type", "application/json");

fn post(path: &str, body: impl Into<Vec<u8>>, token: &str) -> Request {
    Request::post(path, body).bearer(token).header(JSON.0, JSON.1)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_endpoint_charges_rows_guards_bodies_and_lends_its_key() {
    let Some(fixture) = Fixture::new("RS256").await else { return };
    let idp = Idp::serving(Scheme::Http, entra::keys(&fixture.signer));
    let mut config = docs::configuration(PAGE, "A model endpoint");
    // A bucket that nothing refills while the test runs.
    assert_eq!(config["limits"][0]["rate"], "100/s");
    config["limits"][0]["rate"] = json!("1/d");
    let envoy = fixture
        .envoy(config)
        .cluster("entra", idp.address())
        .variable("AML_ENDPOINT_KEY", "the-key-of-the-endpoint")
        .stop_iteration()
        .log_field("cost", "%FILTER_STATE(wasm.tollgate.cost:PLAIN)%")
        .start()
        .await;
    let token = |roles: Value| {
        fixture.signer.sign(&changed(claims::entra(), json!({"scp": null, "roles": roles})))
    };
    let scorer = token(json!(["Model.Score"]));
    let rows = |count: usize| json!({"data": vec![[1]; count]}).to_string();

    let three = post("/score", rows(3), &scorer).header("x-case", "three");
    assert_eq!(envoy.send(&three).await.status, 200, "{:#?}", envoy.filter_log());
    assert_eq!(envoy.access("three").await["cost"], "3");
    let seen = fixture.upstream.last().unwrap();
    assert_eq!(seen.all("authorization"), [b"Bearer the-key-of-the-endpoint"]);
    let identity = format!("{}/{}", entra::TENANT, entra::OBJECT);
    assert_eq!(seen.header("x-auth-identity"), Some(identity.as_str()));

    let served = fixture.upstream.count();
    let neither = json!({"rows": [[1]]}).to_string();
    let text =
        Request::post("/score", rows(1)).bearer(&scorer).header("content-type", "text/plain");
    for (request, status, reason) in [
        (post("/score", rows(1001), &scorer), 413, "rows_exceeded"),
        (post("/score", neither, &scorer), 400, "payload_malformed"),
        (text, 415, "content_type_not_allowed"),
        (post("/score", rows(1), &token(json!(["Other"]))), 403, "role_insufficient"),
        (post("/score", rows(1000), &scorer), 429, "rate_limited"),
    ] {
        let response = envoy.send(&request).await;
        assert_eq!((response.status, response.reason().as_str()), (status, reason));
        assert_eq!(response.header("x-should-retry").is_some(), status == 429);
    }
    assert_eq!(fixture.upstream.count(), served, "nothing of a refused request arrives");
    // The other role has a bucket of its own.
    let batch = post("/score", rows(1000), &token(json!(["Model.Batch"])));
    assert_eq!(envoy.send(&batch).await.status, 200);
}

/// A server whose response is the body of the request.
async fn parrot() -> Option<Fixture> {
    let answer = |request: &Recorded| {
        let body = String::from_utf8(request.body.clone()).unwrap();
        let kind = if body.starts_with("data:") { "text/event-stream" } else { JSON.1 };
        Reply::new(200, body).header("content-type", kind)
    };
    Fixture::answering("ES256", answer).await
}

fn llm(fixture: &Fixture, preset: Option<Value>) -> Builder {
    let mut config = docs::configuration(PAGE, "A language model with token budgets");
    assert_eq!(config["limits"][1]["rate"], "100000/h");
    config["limits"][1]["rate"] = json!("100000/d");
    if let Some(preset) = preset {
        config["limits"][1]["response_cost"]["preset"] = preset;
        // Streams stand in the body of the request here.
        for rule in config["rules"].as_array_mut().unwrap() {
            rule.as_object_mut().unwrap().retain(|name, _| name != "payload" && name != "allow");
        }
        config["limits"][1].as_object_mut().unwrap().remove("reserve");
        config.as_object_mut().unwrap().remove("tags");
    }
    config["providers"] = fixture.config(json!({}))["providers"].clone();
    fixture
        .envoy(config)
        .stop_iteration()
        .log_field("usage", "%FILTER_STATE(wasm.tollgate.usage:PLAIN)%")
        .log_field("model", "%FILTER_STATE(wasm.tollgate.model:PLAIN)%")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_language_model_charges_the_tokens_of_each_response() {
    let Some(fixture) = parrot().await else { return };
    let envoy = llm(&fixture, None).start().await;
    let token = fixture.token("alice");
    let chat = |tokens: u32| {
        let usage = json!({"prompt_tokens": 9, "total_tokens": tokens});
        let body = json!({"model": "large", "usage": usage}).to_string();
        post("/v1/chat/completions", body, &token)
    };
    for (case, request, usage, model) in [
        ("usage", chat(1234), "1234", json!("large")),
        ("no usage", post("/v1/chat/completions", "{}", &token), "1025", json!(null)),
    ] {
        assert_eq!(envoy.send(&request.header("x-case", case)).await.status, 200, "{case}");
        let line = envoy.access(case).await;
        assert_eq!((&line["usage"], &line["model"]), (&json!(usage), &model), "{case}");
    }
    // A member of the other API would make a small reservation that its server ignores.
    for (path, member) in [
        ("/v1/chat/completions", "max_output_tokens"),
        ("/v1/responses", "max_tokens"),
        ("/v1/responses", "max_completion_tokens"),
    ] {
        let refused = envoy.send(&post(path, json!({member: 1}).to_string(), &token)).await;
        assert_eq!((refused.status, refused.reason().as_str()), (403, "body_not_allowed"));
    }
    // A response that costs more than its reservation leaves a debt, which refuses the next request.
    assert_eq!(envoy.send(&chat(500_000)).await.status, 200);
    let refused = envoy.send(&chat(1)).await;
    assert_eq!((refused.status, refused.reason().as_str()), (429, "rate_limited"));
    assert_eq!(refused.header("x-should-retry"), Some("false"), "the debt lasts for days");
    // The other tier has a bucket of its own, and models are listed without one.
    let power = fixture.token_with("alice", json!({"roles": ["llm-power"]}));
    let body = json!({"usage": {"total_tokens": 1}}).to_string();
    assert_eq!(envoy.send(&post("/v1/chat/completions", body, &power)).await.status, 200);
    let models = Request::get("/v1/models").bearer(&token);
    assert_eq!(envoy.send(&models).await.status, 200);
}

/// The presets of the table of APIs, against a response and the end of a stream of each.
#[tokio::test(flavor = "multi_thread")]
async fn the_presets_of_the_page_find_the_usage_of_each_api() {
    let Some(fixture) = parrot().await else { return };
    let page = std::fs::read_to_string(support::root().join(PAGE)).unwrap();
    let (_, table) = page.split_once("| API | `preset` |\n").unwrap();
    let rows: Vec<&str> = table.lines().skip(1).take_while(|line| line.starts_with('|')).collect();
    let preset = |api: &str| {
        let row = rows.iter().find(|row| row.contains(api)).unwrap_or_else(|| panic!("{api}"));
        row.split('`').nth(1).unwrap().to_owned()
    };
    let event = |data: Value| format!("data: {data}\n\n");
    let chat = json!({"usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}});
    let responses = json!({"usage": {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}});
    let anthropic = json!({"usage": {"input_tokens": 3, "output_tokens": 4}});
    let gemini = json!({"usageMetadata": {"promptTokenCount": 5, "totalTokenCount": 7}});
    let ollama = json!({"done": true, "prompt_eval_count": 3, "eval_count": 4});
    let completed = json!({"type": "response.completed", "response": responses});
    let start = json!({"type": "message_start", "message": {"usage": {"input_tokens": 3, "output_tokens": 1}}});
    let delta = json!({"type": "message_delta", "usage": {"output_tokens": 4}});
    for (api, bodies) in [
        ("OpenAI", vec![chat.to_string(), event(chat.clone()) + "data: [DONE]\n\n"]),
        ("OpenAI", vec![responses.to_string(), event(completed)]),
        ("Anthropic", vec![anthropic.to_string(), event(start) + &event(delta)]),
        ("Gemini", vec![gemini.to_string(), event(gemini.clone())]),
        ("Ollama", vec![ollama.to_string()]),
    ] {
        let envoy = llm(&fixture, Some(json!(preset(api)))).start().await;
        for (number, body) in bodies.into_iter().enumerate() {
            let case = format!("{api} {number}");
            let token = fixture.token(&format!("caller-{number}"));
            let request = post("/v1/chat/completions", body, &token).case(&case);
            assert_eq!(envoy.send(&request).await.status, 200, "{case}");
            assert_eq!(envoy.access(&case).await["usage"], "7", "{case}");
        }
    }
}
