//! The recipe of docs/azure-ml.md that hides the errors of a model server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use support::docs;
use support::prelude::*;

const PAGE: &str = "docs/azure-ml.md";

/// What a model server says of itself when it fails.
const TRACE: &str =
    "Traceback (most recent call last):\n  File \"/var/azureml-app/score.py\", line 7";

/// A model server that fails with the status in the path.
fn failing(request: &Recorded) -> Reply {
    let status = request.path.trim_start_matches('/').parse().unwrap_or(200);
    Reply::new(status, TRACE)
        .header("server", "gunicorn/23.0.0")
        .header("x-powered-by", "azureml-inference-server-http/1.4.0")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_model_server_shows_nothing_of_it_and_has_the_request_id() {
    let Some(fixture) = Fixture::answering("ES256", failing).await else { return };
    let blocks = docs::blocks(PAGE);
    let blocks: Vec<_> =
        blocks.iter().filter(|block| block.heading == "Errors of the model server").collect();
    let [filter, route] = [0, 1].map(|index: usize| blocks[index].documents().remove(0));
    let mut routes = json!([{"match": {"prefix": "/"}, "route": {"cluster": "upstream"}}]);
    routes[0]["response_headers_to_remove"] = route["response_headers_to_remove"].clone();
    let envoy = fixture.envoy(json!({})).filter_after(filter.clone()).routes(routes).start().await;

    for status in [500, 502, 503, 504, 599] {
        let request = fixture.get(format!("/{status}"), "alice").header("x-request-id", "a\"b");
        let response = envoy.send(&request).await;
        assert_eq!(response.status, status);
        let body: Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!(body["title"], "The model server failed");
        assert!(body["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{body}");
        let whole = format!("{:?} {body}", response.headers).to_lowercase();
        for word in ["gunicorn", "azureml", "traceback"] {
            let bytes = format!("{:?}", word.as_bytes());
            assert!(!whole.contains(word) && !whole.contains(bytes.trim_matches(['[', ']'])));
        }
    }
    // Every other answer keeps its body.
    let good = envoy.send(&fixture.get("/404", "alice")).await;
    assert_eq!((good.status, good.body), (404, TRACE.as_bytes().to_vec()));

    let away = json!({"remote": {"uri": "https://idp.test/keys", "cluster": "absent"}});
    let mut own = fixture.config(json!({}));
    own["providers"][0]["keys"] = away;
    let envoy = fixture.envoy(own).filter_after(filter).start().await;
    let refused = envoy.send(&fixture.get("/500", "alice")).await;
    assert_eq!((refused.status, refused.reason().as_str()), (503, "keys_unavailable"));
    assert_eq!(refused.json()["reason"], "keys_unavailable");
}
