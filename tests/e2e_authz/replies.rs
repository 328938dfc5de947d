//! Replies of the filter: challenges, metadata, CORS, HTTP versions.

use super::*;

const METADATA: &str = "/.well-known/oauth-protected-resource";
const APP: &str = "https://app.example.com";

fn replies() -> Value {
    json!({
        "rules": [
            rule("score", json!({"allow": [{"scopes_any": ["score.invoke"]}], "limits": ["few"]})),
            rule("open", json!({"auth": "none"})),
        ],
        "limits": [{"name": "few", "rate": "1/h", "burst": 1}],
        "responses": {
            "resource_metadata": format!("https://ml.example.com{METADATA}"),
            "cors": {"allow_origins": [APP], "allow_credentials": true},
        },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metadata_is_served_without_a_token_and_named_in_challenges() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let envoy = fixture.envoy(replies()).start().await;
    let request = Request::get(METADATA).case("metadata");
    let response = envoy.send(&request).await;
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(
        response.json(),
        json!({
            "resource": "https://ml.example.com",
            "authorization_servers": ["https://issuer.test"],
            "scopes_supported": ["score.invoke"],
            "bearer_methods_supported": ["header"],
        })
    );
    let entry = envoy.access("metadata").await;
    assert_eq!((&entry["decision"], &entry["reason"]), (&json!("allow"), &json!("anonymous")));
    let length = response.body.len().to_string();
    let head = envoy.send(&Request::new("HEAD", METADATA)).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert!(head.header("content-length").is_none_or(|given| given == length || given == "0"));
    let with_query = Request::get(format!("{METADATA}?a=b"));
    assert_eq!(envoy.send(&with_query).await.status, 200);
    for request in [
        Request::post(METADATA, "{}"),
        Request::get(format!("{METADATA}/")),
        Request::get(format!("{METADATA}/x")),
        Request::get(METADATA.to_uppercase()),
    ] {
        assert_eq!(envoy.send(&request).await.reason(), "no_rule");
    }
    let url = format!("resource_metadata=\"https://ml.example.com{METADATA}\"");
    let response = envoy.send(&Request::get("/score")).await;
    let scope = "scope=\"score.invoke\"";
    assert_eq!(
        response.header("www-authenticate"),
        Some(format!("Bearer {scope}, {url}").as_str())
    );
    let response = envoy.send(&Request::get("/score").bearer("x")).await;
    assert_eq!(
        response.header("www-authenticate").unwrap(),
        format!(
            "Bearer error=\"invalid_token\", error_description=\"token_malformed\", {scope}, {url}"
        )
    );
    assert_eq!(fixture.upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_reads_the_metadata_without_end_is_limited_and_no_other_is() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let trusting = json!({"use_remote_address": true, "xff_num_trusted_hops": 1});
    let envoy = fixture.envoy(replies()).hcm(trusting).start().await;
    let read = |address: &str| Request::get(METADATA).header("x-forwarded-for", address);
    // Three times the burst, faster than 10/s refill it.
    let responses = client::send_at_once(envoy.address(), vec![read("192.0.2.1"); 300]).await;
    let refused: Vec<_> = responses.iter().filter(|response| response.status != 200).collect();
    assert!((1..=200).contains(&refused.len()), "{}", refused.len());
    for response in refused {
        assert_eq!((response.status, response.reason().as_str()), (429, "rate_limited"));
        assert_eq!(
            response.json()["detail"].as_str().unwrap().split(';').next(),
            Some("The limit 'resource_metadata' is used up")
        );
        assert!(response.header("retry-after").is_some());
    }
    assert_eq!(envoy.send(&read("192.0.2.2")).await.status, 200);
    assert_eq!(
        envoy.send(&Request::get("/score").header("x-forwarded-for", "192.0.2.1")).await.status,
        401
    );
    assert!(
        envoy.stat("wasmcustom.tollgate_limit.limit.resource_metadata.result.denied").await >= 1
    );
    assert_eq!(fixture.upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn preflights_are_answered_and_pages_of_allowed_origins_may_read_our_replies() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let envoy = fixture.envoy(replies()).start().await;
    let preflight = |origin: &str| {
        Request::new("OPTIONS", "/score")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
    };
    let asked = preflight(APP).header("access-control-request-headers", "authorization,x-a");
    let response = envoy.send(&asked.case("preflight")).await;
    assert_eq!((response.status, response.body.len()), (204, 0));
    for (name, value) in [
        ("access-control-allow-origin", APP),
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-methods", "POST"),
        ("access-control-allow-headers", "authorization,x-a"),
        ("access-control-max-age", "600"),
        ("vary", "origin"),
    ] {
        assert_eq!(response.header(name), Some(value), "{name}");
    }
    let entry = envoy.access("preflight").await;
    assert_eq!((&entry["decision"], &entry["reason"]), (&json!("allow"), &json!("preflight")));

    // Any other request, such as one of another origin, is judged as usual.
    for request in [
        preflight("https://evil.example"),
        preflight("https://app.example.com.evil"),
        preflight("null"),
        preflight(APP).header("origin", "https://evil.example"),
        Request::new("OPTIONS", "/score").header("origin", APP),
        Request::new("OPTIONS", "/score").header("access-control-request-method", "POST"),
        Request::get("/score").header("origin", APP).header("access-control-request-method", "GET"),
    ] {
        let response = envoy.send(&request).await;
        assert_eq!((response.status, response.reason().as_str()), (401, "token_missing"));
        let foreign = request.headers.iter().filter(|(name, _)| name == b"origin");
        let own = foreign.clone().count() == 1 && foreign.clone().all(|(_, v)| v == APP.as_bytes());
        assert_eq!(response.header("access-control-allow-origin"), own.then_some(APP));
        assert_eq!(response.header("vary"), Some("origin"));
    }
    let strange = preflight(APP).header("access-control-request-headers", "a\x01b, x y");
    let response = envoy.send(&strange).await;
    assert_eq!(response.header("access-control-allow-headers"), None);

    let good = fixture.token_with("alice", json!({"scp": "score.invoke"}));
    let good = Request::get("/score").bearer(good).header("origin", APP);
    assert_eq!(envoy.send(&good).await.status, 200);
    let limited = envoy.send(&good).await;
    assert_eq!((limited.status, limited.header("access-control-allow-origin")), (429, Some(APP)));
    assert!(limited.header("access-control-expose-headers").unwrap().contains("retry-after"));
    let metadata = Request::get(METADATA).header("origin", APP);
    let response = envoy.send(&metadata).await;
    assert_eq!(response.header("access-control-allow-origin"), Some("*"), "it is public");
    // The filter leaves the upstream's answer alone.
    let open = Request::get("/open").header("origin", APP);
    let response = envoy.send(&open).await;
    assert_eq!((response.status, response.header("access-control-allow-origin")), (200, None));
    assert_eq!(fixture.upstream.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_resources_each_has_its_own_challenge_and_its_own_document() {
    let entry = |host: &str, path: &str| {
        json!({
            "url": format!("https://{host}{METADATA}{path}"), "hosts": [host],
            "paths": [path, format!("{path}/**")],
        })
    };
    let resources =
        [("ml.example.com", "/mcp"), ("ml.example.com", "/other/mcp"), ("b.example.com", "/mcp")];
    let list: Vec<_> = resources.iter().map(|(host, path)| entry(host, path)).collect();
    let sections = json!({"responses": {
        "resource_metadata": list,
        "cors": {"allow_origins": ["https://*.example.com", "https://[::1]:8443"]},
    }});
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let envoy = fixture.envoy(sections).start().await;
    for (host, path) in resources {
        let at = |path: String| Request::get(path).host(host);
        let url = format!("https://{host}{METADATA}{path}");
        let response = envoy.send(&at(format!("{path}/tools"))).await;
        assert_eq!(
            (response.status, response.header("www-authenticate")),
            (401, Some(format!("Bearer resource_metadata=\"{url}\"").as_str()))
        );
        let document = envoy.send(&at(format!("{METADATA}{path}"))).await;
        assert_eq!(document.json()["resource"], format!("https://{host}{path}"));
    }
    let elsewhere = envoy.send(&Request::get("/score")).await;
    assert_eq!(elsewhere.header("www-authenticate"), Some("Bearer"));
    let foreign = Request::get(format!("{METADATA}/mcp")).host("c.example.com");
    assert_eq!(envoy.send(&foreign).await.status, 401);

    for (origin, allowed) in [
        ("https://app.example.com", true),
        ("https://[::1]:8443", true),
        ("https://example.com", false),
        ("http://app.example.com", false),
    ] {
        let request = Request::get("/score").header("origin", origin);
        let response = envoy.send(&request).await;
        let named = response.header("access-control-allow-origin");
        assert_eq!(named, allowed.then_some(origin), "{origin}");
    }
    assert_eq!(fixture.upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_http_version_and_head_get_the_same_answers() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let mut sections = replies();
    sections["rules"][0].as_object_mut().unwrap().remove("limits");
    sections["limits"] = json!([]);
    let envoy = fixture
        .envoy(sections)
        .hcm(json!({"http_protocol_options": {"accept_http_10": true}}))
        .start()
        .await;
    let good = fixture.token_with("alice", json!({"scp": "score.invoke"}));
    let poor = fixture.token("alice");
    for (bearer, status, reason) in [
        (Some(&good), 200, ""),
        (Some(&poor), 403, "scope_insufficient"),
        (None, 401, "token_missing"),
    ] {
        let auth = bearer.map(|token| format!("Bearer {token}"));
        let mut head = Request::new("HEAD", "/score");
        let mut old = "GET /score HTTP/1.0\r\nhost: ml.example.com\r\n".to_owned();
        let mut two = hyper::Request::get("http://ml.example.com/score");
        if let Some(auth) = &auth {
            head = head.header("authorization", auth);
            old.push_str(&format!("authorization: {auth}\r\n"));
            two = two.header("authorization", auth);
        }
        let response = envoy.send(&head).await;
        assert_eq!((response.status, response.body.len()), (status, 0));
        assert_eq!(response.header("www-authenticate").is_some(), status != 200);
        let mut connection = Connection::open(envoy.address()).await;
        let response = connection.try_send(format!("{old}\r\n").as_bytes()).await.unwrap();
        assert_eq!((response.status, response.reason().as_str()), (status, reason));
        let two = two.body(Default::default()).unwrap();
        let response = client::send_h2(envoy.address(), two).await;
        assert_eq!((response.status, response.reason().as_str()), (status, reason));
    }
    // No host: no rule that opens the way without a token.
    let mut connection = Connection::open(envoy.address()).await;
    let response = connection.try_send(b"GET /open HTTP/1.0\r\n\r\n").await.unwrap();
    assert_ne!(response.status, 200);
}
