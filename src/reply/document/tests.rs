use serde_json::{Value, json};

use super::*;

const FORMS: [BodyForm; 5] =
    [BodyForm::Json, BodyForm::V2, BodyForm::Problem, BodyForm::JsonRpc, BodyForm::Empty];

fn written(form: BodyForm) -> Option<(&'static str, Value)> {
    let content = Content {
        status: 429,
        grpc_status: 8,
        reason: Reason::RateLimited,
        detail: "The limit \"a\\b\" is used up.",
        retry_after: Some(12),
    };
    let (media_type, body) = document(form, &content)?;
    Some((media_type, serde_json::from_str(&body).unwrap()))
}

#[test]
fn each_form_is_that_of_the_contract() {
    let detail = "The limit \"a\\b\" is used up.";
    let message = format!("rate_limited: {detail}");
    let problem = json!({
        "type": "about:blank", "title": "Too Many Requests", "status": 429, "detail": detail,
        "reason": "rate_limited",
    });
    let with = |members: Value| {
        let mut document = problem.clone();
        document.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        document
    };
    let json = with(json!({"message": message, "error": {
        "type": "rate_limit_error", "code": "rate_limited", "status": "RESOURCE_EXHAUSTED",
        "message": message, "param": null,
    }}));
    let rpc = json!({"jsonrpc": "2.0", "id": null, "error": {
        "code": -32001, "message": message,
        "data": {"status": 429, "reason": "rate_limited", "retry_after": 12},
    }});
    let wanted = [
        Some(("application/json", json)),
        Some(("application/json", with(json!({"message": message, "error": message})))),
        Some(("application/problem+json", problem.clone())),
        Some(("application/json", rpc)),
        None,
    ];
    for (form, want) in FORMS.into_iter().zip(wanted) {
        assert_eq!(written(form), want, "{form:?}");
    }
}

#[test]
fn the_words_of_the_vendors_follow_the_status() {
    for (status, kind) in [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (405, "invalid_request_error"),
        (413, "invalid_request_error"),
        (415, "invalid_request_error"),
        (429, "rate_limit_error"),
        (503, "api_error"),
    ] {
        assert_eq!(error_type(status), kind, "{status}");
    }
    for (grpc_status, code) in [
        (3, "INVALID_ARGUMENT"),
        (7, "PERMISSION_DENIED"),
        (8, "RESOURCE_EXHAUSTED"),
        (14, "UNAVAILABLE"),
        (16, "UNAUTHENTICATED"),
    ] {
        assert_eq!(canonical(grpc_status), code, "{grpc_status}");
    }
}
