//! What a refused caller reads, in each form, and keys that are lent in other headers.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn each_rule_answers_in_its_own_form_and_names_the_cure() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let detail = "The token has expired; request a new one.";
    let message = format!("expired: {detail}");
    let cases = [
        ("json", "application/json", "/error/message", message.as_str()),
        ("v2", "application/json", "/error", &message),
        ("problem", "application/problem+json", "/detail", detail),
        ("jsonrpc", "application/json", "/error/message", &message),
        ("empty", "", "", ""),
    ];
    let rules = cases.map(|(form, ..)| rule(form, json!({"body": form})));
    let envoy = fixture.envoy(json!({"rules": rules, "responses": {"body": "v2"}})).start().await;
    let token = fixture.token_with("alice", json!({"exp": 1}));
    for (form, media_type, place, text) in cases {
        let response = envoy.send(&Request::get(format!("/{form}")).bearer(&token)).await;
        assert_eq!(response.status, 401, "{form}");
        assert_eq!(response.header("content-type").unwrap_or_default(), media_type, "{form}");
        if place.is_empty() {
            assert!(response.body.is_empty(), "{form}");
            continue;
        }
        assert_eq!(response.json().pointer(place), Some(&json!(text)), "{form}");
    }
    // No rule matched: the form of the whole configuration.
    let response = envoy.send(&Request::get("/nowhere").bearer(&token)).await;
    let message = response.json()["error"].as_str().map(str::to_owned);
    assert!(message.is_some_and(|message| message.starts_with("no_rule: ")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_goes_in_the_header_of_the_interface_and_no_copy_of_the_token_beside_it() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let lent = |header: &str| {
        let key = json!({"upstream_authorization": {"env": "KEY", "header": header}});
        rule(header, key)
    };
    let headers = ["api-key", "x-api-key", "x-goog-api-key"];
    let envoy = fixture
        .envoy(json!({"rules": headers.map(lent), "token": {"forward": false}}))
        .variable("KEY", "secret-key")
        .start()
        .await;
    for header in headers {
        let token = fixture.token("alice");
        let request = Request::get(format!("/{header}?api_key={token}&a=b"))
            .bearer(&token)
            .header(header, &token)
            .header("x-copy", &token)
            .header("cookie", format!("a=b; t={token}"))
            .case(header);
        assert_eq!(envoy.send(&request).await.status, 200, "{header}");
        let seen = fixture.upstream.case(header).unwrap();
        assert_eq!(seen.all(header), [b"secret-key"], "{header}");
        assert_eq!(seen.path, format!("/{header}?a=b"), "{header}");
        assert_eq!(seen.header("cookie"), Some("a=b"), "{header}");
        let gone = seen.header("authorization").or(seen.header("x-copy"));
        assert!(gone.is_none(), "{header}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metadata_of_a_resource_is_for_any_origin() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let path = "/.well-known/oauth-protected-resource";
    let url = format!("https://ml.example.com{path}");
    let envoy = fixture.envoy(json!({"responses": {"resource_metadata": url}})).start().await;
    for method in ["GET", "HEAD", "OPTIONS"] {
        let request = Request::new(method, path)
            .header("origin", "https://inspector.example")
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "mcp-protocol-version");
        let response = envoy.send(&request).await;
        let status = if method == "OPTIONS" { 204 } else { 200 };
        assert_eq!(response.status, status, "{method}");
        assert_eq!(response.header("access-control-allow-origin"), Some("*"), "{method}");
        let allowed = response.header("access-control-allow-headers");
        assert_eq!(allowed, (status == 204).then_some("mcp-protocol-version"), "{method}");
    }
}
