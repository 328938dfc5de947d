//! `{@body:/pointer}` in a real Envoy: tags and limits that read the body.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use support::prelude::*;

/// A language model with a limit per caller and model.
fn document(header: bool) -> Value {
    let mut model = json!({"name": "model", "value": "{@body:/model}"});
    if header {
        model["header"] = json!("x-model");
    }
    json!({
        "rules": [{
            "name": "chat", "match": {"paths": ["/chat"]}, "limits": ["per-model", "per-caller"],
            "payload": {
                "content_types": ["application/json"], "max_bytes": "64KiB", "max_rows": 2,
                "require_any": ["/messages"],
            },
        }],
        "limits": [
            {"name": "per-model", "key": "{@identity}/{@body:/model}", "rate": "1/h", "burst": 2},
            {"name": "per-caller", "rate": "1000/h"},
        ],
        "tags": [{"name": "identity", "value": "{@identity}"}, model],
        "hold_head": header,
    })
}

/// Envoy with the model and the limit in its log. `header`: the head waits, and gets the model as a header.
fn envoy(fixture: &Fixture, header: bool) -> Builder {
    let state = |name: &str| format!("%FILTER_STATE(wasm.tollgate.{name}:PLAIN)%");
    let envoy = fixture.envoy(document(header));
    let envoy = envoy.log_field("model", &state("model")).log_field("limit", &state("limit"));
    if header { envoy.stop_iteration() } else { envoy }
}

/// A chat of `alice` with this body.
fn chat(fixture: &Fixture, body: &str) -> Request {
    Request::post("/chat", body)
        .header("content-type", "application/json")
        .bearer(fixture.token("alice"))
}

const IDENTITY: &str = "https://issuer.test/alice";

#[tokio::test(flavor = "multi_thread")]
async fn the_model_of_a_body_is_a_tag_and_the_key_of_a_limit() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    for header in [false, true] {
        let envoy = envoy(&fixture, header).start().await;
        let null = Value::Null;
        let model = |name: &str| json!(name);
        for (number, (body, reason, name)) in [
            (r#"{"model":"large","messages":[1]}"#, "ok", &model("large")),
            // An escape is another spelling of the same text.
            (r#"{"messages":[1],"model":"lar\u0067e"}"#, "ok", &model("large")),
            (r#"{"model":"large","messages":[1]}"#, "rate_limited", &model("large")),
            (r#"{"model":"small","messages":[1]}"#, "ok", &model("small")),
            (r#"{"model":"a\r\nb: é","messages":[1]}"#, "ok", &model("a%0D%0Ab: %C3%A9")),
            (r#"{"model":"small","messages":[1,2,3]}"#, "rows_exceeded", &model("small")),
            (r#"{"messages":[1]}"#, "ok", &null),
            (r#"{"model":"a","model":"b","messages":[1]}"#, "payload_malformed", &null),
            (r#"{"model":"a","Model":"b","messages":[1]}"#, "payload_malformed", &null),
        ]
        .into_iter()
        .enumerate()
        {
            let request = match number % 3 {
                0 => chat(&fixture, body),
                // Every border of chunks, even inside of an escape.
                1 => chat(&fixture, body).chunked(1),
                _ => chat(&fixture, body).chunked(5),
            };
            let case = format!("{header}-{number}");
            let response = envoy.send(&request.header("x-model", "forged").case(&case)).await;
            let line = envoy.access(&case).await;
            assert_eq!(line["reason"], reason, "{body} {:#?}", envoy.filter_log());
            assert_eq!((&line["model"], &line["identity"]), (name, &json!(IDENTITY)), "{body}");
            let limit = if reason == "rate_limited" { json!("per-model") } else { null.clone() };
            assert_eq!(line["limit"], limit, "{body}");
            let seen = fixture.upstream.case(&case);
            assert_eq!((response.status == 200, seen.is_some()), (reason == "ok", reason == "ok"));
            let Some(seen) = seen else { continue };
            let written = if header { name.as_str() } else { None };
            let forged = Some("forged").filter(|_| !header);
            assert_eq!(seen.header("x-model"), written.or(forged), "{body}");
        }
    }
}

/// A body that has not ended has no verdict, and a body that is too large has been read in part.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_cut_off_names_its_model_once_it_is_refused() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let envoy = envoy(&fixture, true).start().await;
    let large = format!(r#"{{"model":"large","messages":["{}"]}}"#, "x".repeat(64 << 10));
    let response = envoy.send(&chat(&fixture, &large).chunked(4096).case("large")).await;
    assert_eq!((response.status, response.reason().as_str()), (413, "payload_too_large"));
    let line = envoy.access("large").await;
    assert_eq!((&line["model"], &line["reason"]), (&json!("large"), &json!("payload_too_large")));
    assert!(fixture.upstream.case("large").is_none());
}

/// Heads wait for their bodies, so that a limit of one token per model admits one of them.
#[tokio::test(flavor = "multi_thread")]
async fn many_requests_at_once_are_admitted_as_often_as_the_model_allows() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let envoy = envoy(&fixture, true).workers(2).start().await;
    let body = |number: usize| {
        let model = ["one", "two"][number % 2];
        format!(r#"{{"messages":[1],"model":"{model}"}}"#)
    };
    let requests = (0..24).map(|number| chat(&fixture, &body(number)).chunked(9)).collect();
    let responses = client::send_at_once(envoy.address(), requests).await;
    assert_eq!(client::passed(&responses), 4, "two of each model");
    assert!(responses.iter().all(|response| [200, 429].contains(&response.status)));
}

/// A model that a caller may not use: the answer says so, the log names the model, and the upstream sees nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_may_use_the_models_of_its_grants_alone() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    for header in [false, true] {
        let mut document = document(header);
        document["rules"][0]["allow"] = json!([
            {"roles_any": ["all"]},
            {"body": [{"json": "/model", "any_of": ["small", "tiny"]}, {"json": "/tools", "exists": false}]},
        ]);
        let envoy = fixture.envoy(document);
        let model = "%FILTER_STATE(wasm.tollgate.model:PLAIN)%";
        let envoy = envoy.log_field("model", model);
        let envoy = if header { envoy.stop_iteration() } else { envoy.buffer_filter() };
        let envoy = envoy.start().await;
        for (number, (roles, body, status)) in [
            (json!(["all"]), r#"{"model":"large","messages":[1],"tools":[]}"#, 200),
            (json!([]), r#"{"model":"small","messages":[1]}"#, 200),
            (json!([]), r#"{"messages":[1],"model":"tin\u0079"}"#, 200),
            (json!([]), r#"{"model":"large","messages":[1]}"#, 403),
            (json!([]), r#"{"model":"small","messages":[1],"tools":[]}"#, 403),
            (json!([]), r#"{"messages":[1]}"#, 403),
            (json!([]), r#"{"model":"small","messages":[1],"model":"large"}"#, 400),
        ]
        .into_iter()
        .enumerate()
        {
            let case = format!("grant-{header}-{number}");
            let request = Request::post("/chat", body)
                .header("content-type", "application/json")
                .bearer(fixture.token_with("alice", json!({"roles": roles})))
                .case(&case);
            let request = if number % 2 == 0 { request } else { request.chunked(3) };
            let response = envoy.send(&request).await;
            assert_eq!(response.status, status, "{body}");
            let line = envoy.access(&case).await;
            let reason = match status {
                200 => "ok",
                403 => "body_not_allowed",
                _ => "payload_malformed",
            };
            assert_eq!(line["reason"], reason, "{body}");
            assert_eq!(fixture.upstream.heads(&case), usize::from(status == 200), "{body}");
            if status == 403 {
                assert_eq!(response.json()["reason"], reason);
                let challenge = response.header("www-authenticate").unwrap_or_default();
                assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
                let named = body.split('"').nth(3).filter(|_| body.contains("model"));
                assert_eq!(line["model"].as_str(), named, "{body}");
            }
        }
    }
}
