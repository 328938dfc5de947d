//! Places of tokens, and certificates that tokens are bound to.

use support::tls;

use super::*;

fn places() -> Value {
    json!([
        {"header": "authorization", "prefix": "Bearer "},
        {"header": "x-user-token"},
        {"cookie": "access_token"},
        {"query": "access_token"},
        {"websocket_protocol": "base64url.bearer.authorization.k8s.io."},
        {"websocket_protocol_after": "bearer"},
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_taken_from_each_place_and_removed_exactly_there() {
    let sections = json!({"token": {"from": places(), "forward": false}});
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let mut envoy = fixture.envoy(sections).start().await;
    let t = fixture.token("alice");
    let protocol = format!("base64url.bearer.authorization.k8s.io.{}", mint::b64(t.as_bytes()));
    let get = |target: &str| Request::get(target);
    let table: Vec<(Request, &str, &str, Option<String>)> = vec![
        (get("/a").bearer(&t), "/a", "authorization", None),
        (get("/a").header("x-user-token", &t), "/a", "x-user-token", None),
        (get("/a").header("cookie", format!("access_token={t}")), "/a", "cookie", None),
        (
            get("/a").header("cookie", format!("s=\"1 2\";access_token=\"{t}\"; u=%3B")),
            "/a",
            "cookie",
            Some("s=\"1 2\"; u=%3B".into()),
        ),
        (get(&format!("/a?access_token={t}")), "/a", "cookie", None),
        (get(&format!("/a?x=%2f&access_token={t}&&y")), "/a?x=%2f&&y", "cookie", None),
        (
            get("/a").header("sec-websocket-protocol", format!("v4.k8s.io, {protocol},x")),
            "/a",
            "sec-websocket-protocol",
            Some("v4.k8s.io,x".into()),
        ),
        (
            get("/a").header("sec-websocket-protocol", format!("bearer, {t}")),
            "/a",
            "sec-websocket-protocol",
            None,
        ),
        (
            get("/a").header("sec-websocket-protocol", format!("chat, bearer, {t}, v2")),
            "/a",
            "sec-websocket-protocol",
            Some("chat, v2".into()),
        ),
        (get("/a").header("x_user.token", &t), "/a", "x_user.token", None),
        (
            get(&format!("/a?access_token={t}&z"))
                .bearer(&t)
                .header("cookie", format!("a=b; access_token={t}")),
            "/a?z",
            "cookie",
            Some("a=b".into()),
        ),
    ];
    for (number, (request, path, header, left)) in table.iter().enumerate() {
        let case = format!("removed-{number}");
        let request = request.clone().header("x-keep", "Bearer kept").case(&case);
        let response = envoy.send(&request).await;
        assert_eq!(response.status, 200, "{number}: {}", response.reason());
        let seen = fixture.upstream.case(&case).unwrap();
        assert_eq!((seen.path.as_str(), seen.header(header)), (*path, left.as_deref()), "{number}");
        assert!(!seen.head_contains(t.as_bytes()), "{number}: {}", seen.head.escape_ascii());
        assert!(!seen.head_contains(protocol.as_bytes()), "{number}");
        assert_eq!(seen.header("x-keep"), Some("Bearer kept"));
        assert_eq!(seen.header("x-auth-subject"), Some("alice"));
    }
    // A rule that looks for no token removes malformed ones as well.
    let open = fixture.config(json!({
        "token": {"from": places(), "forward": false},
        "rules": [{"name": "open", "auth": "none"}],
    }));
    assert_eq!(envoy.reload(open).await, Push::Accepted);
    for value in ["Bearer\tforged", "bearer \tforged", "Bearer\u{a0}forged", "Bearer forged"] {
        fixture.upstream.clear();
        let request = get("/a").header("authorization", value).header("X_User_Token", "forged");
        assert_eq!(envoy.send(&request).await.status, 200);
        let seen = fixture.upstream.last().unwrap();
        assert!(!seen.head_contains(b"forged"), "{}", seen.head.escape_ascii());
    }
    // With `forward: true` every byte stays.
    let forwarding = fixture.config(json!({"token": {"from": places()}}));
    assert_eq!(envoy.reload(forwarding).await, Push::Accepted);
    for (number, (request, ..)) in table.into_iter().enumerate() {
        let case = format!("kept-{number}");
        let request = request.case(&case);
        assert_eq!(envoy.send(&request).await.status, 200, "{number}");
        let seen = fixture.upstream.case(&case).unwrap();
        assert_eq!(seen.path.as_bytes(), request.target, "{number}");
        for (name, value) in &request.headers {
            let name = std::str::from_utf8(name).unwrap();
            assert_eq!(seen.all(name), [&value[..]], "{number} {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_tokens_are_refused_and_one_in_two_places_counts_once() {
    let sections = json!({
        "token": {"from": places()},
        "rules": [
            rule("open", json!({"auth": "optional"})), rule("none", json!({"auth": "none"})),
            {"name": "rest"},
        ],
    });
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let envoy = fixture.envoy(sections).start().await;
    let (a, b) = (fixture.token("alice"), fixture.token_with("alice", json!({"jti": "2"})));
    let forged = Signer::new("ES256", "key-1").sign(&mint::claims("mallory"));
    let get = || Request::get("/score");
    let bearer = |value: String| get().header("authorization", value);
    let mut cases = vec![
        (get().bearer(&a).header("x-user-token", &a), 200, ""),
        (get().bearer(&a).header("x-user-token", &b), 400, "token_multiple"),
        (get().bearer(&a).header("cookie", format!("access_token={b}")), 400, "token_multiple"),
        (
            get().header("cookie", format!("access_token={a}; access_token={b}")),
            400,
            "token_multiple",
        ),
        (Request::get(format!("/?access_token={a}")).bearer(&b), 400, "token_multiple"),
        (Request::get(format!("/?access_token={a}&access_token={b}")), 400, "token_multiple"),
        (get().bearer(&a).bearer(&a), 400, "token_multiple"),
        (bearer(format!("Bearer {a},Bearer {a}")), 400, "token_multiple"),
        (bearer(format!("Bearer {a}, {b}")), 400, "token_multiple"),
        (bearer(format!("Basic x, Bearer {a}")), 400, "token_multiple"),
        (bearer(format!("Bearer Bearer {a}")), 401, "token_malformed"),
        (bearer(format!("Bearer\t{a}")), 401, "token_malformed"),
        (bearer(format!("Bearer \t{a}")), 401, "token_malformed"),
        (bearer(format!("Bearer\u{a0}{a}")), 401, "token_malformed"),
        (bearer("Bearer".into()), 401, "token_malformed"),
        // An empty value is none, beside a token as well.
        (get().header("cookie", "access_token="), 401, "token_missing"),
        (get().header("x-user-token", ""), 401, "token_missing"),
        (get().bearer(&a).header("x-user-token", ""), 200, ""),
        (get().bearer(&a).header("cookie", "access_token="), 200, ""),
        (Request::get("/score?access_token=").bearer(&a), 200, ""),
        // Some servers read another spelling as the header.
        (get().header("x_user_token", &a), 200, ""),
        (get().header("x-user-token", &a).header("x_user~token", &b), 400, "token_multiple"),
        (get().header("x-user-token", &a).header("X.User.Token", &a), 400, "token_multiple"),
        (get().bearer(&a).header("x_user_token", &b), 400, "token_multiple"),
        (Request::get("/open").header("x~user~token", "forged"), 401, "token_malformed"),
        (Request::get("/open").header("authorization", "Bearer\tforged"), 401, "token_malformed"),
        (get(), 401, "token_missing"),
        (Request::get("/open"), 200, ""),
        (Request::get("/open").bearer(&a), 200, ""),
        (Request::get("/open").bearer("garbage"), 401, "token_malformed"),
        (Request::get("/open").bearer(&forged), 401, "signature_invalid"),
        (Request::get("/none").bearer("garbage"), 200, ""),
    ];
    // CVE-2020-25017, CVE-2026-26308: good and bad, in either order and in any place.
    for (good, bad) in [(&a, &forged), (&forged, &a)] {
        cases.push((get().bearer(good).bearer(bad), 400, "token_multiple"));
        cases.push((bearer(format!("Bearer {good}, Bearer {bad}")), 400, "token_multiple"));
        cases.push((get().bearer(good).header("x-user-token", bad), 400, "token_multiple"));
        let cookie = format!("access_token={good}; access_token={bad}");
        cases.push((get().header("cookie", cookie), 400, "token_multiple"));
    }
    for (number, (request, status, reason)) in cases.into_iter().enumerate() {
        let response = envoy.send(&request).await;
        assert_eq!((response.status, response.reason().as_str()), (status, reason), "{number}");
        let challenge = response.header("www-authenticate");
        match reason {
            "" => assert_eq!(challenge, None),
            "token_missing" => assert_eq!(challenge, Some("Bearer")),
            "token_multiple" => assert_eq!(
                challenge,
                Some("Bearer error=\"invalid_request\", error_description=\"token_multiple\"")
            ),
            reason => assert_eq!(
                challenge.unwrap(),
                format!("Bearer error=\"invalid_token\", error_description=\"{reason}\"")
            ),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn very_many_cookies_and_headers_are_judged() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let envoy = fixture
        .envoy(json!({"token": {"from": places(), "forward": false}}))
        .hcm(json!({
            "max_request_headers_kb": 256, "common_http_protocol_options": {"max_headers_count": 12000},
        }))
        .start()
        .await;
    let t = fixture.token("alice");
    let many: Vec<String> = (0..10_000).map(|n| format!("c{n}=v")).collect();
    let joined =
        Request::get("/a").header("cookie", format!("{}; access_token={t}", many.join("; ")));
    let lines = many.iter().fold(Request::get("/a"), |request, c| request.header("cookie", c));
    let thousand = (0..1_000)
        .fold(Request::get("/a").bearer(&t), |request, n| request.header(format!("x-h{n}"), "v"));
    let same = (0..300).fold(Request::get("/a"), |request, _| request.header("x-user-token", &t));
    let long = Request::get("/a").bearer(&t).header("x-long", "v".repeat(60 << 10));
    let long_token = Request::get("/a").bearer("v".repeat(60 << 10));
    for (request, status, reason) in [
        (joined, 200, ""),
        (lines.header("cookie", format!("access_token={t}")), 200, ""),
        (thousand, 200, ""),
        (same, 400, "token_multiple"),
        (long, 200, ""),
        (long_token, 400, "token_too_large"),
    ] {
        let response = envoy.send(&request).await;
        assert_eq!((response.status, response.reason().as_str()), (status, reason));
    }
    let seen = fixture.upstream.requests();
    assert!(seen.iter().all(|request| !request.head_contains(t.as_bytes())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_token_is_good_for_its_certificate_alone() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let authority = tls::Authority::new();
    let (own, other) = (authority.client("alice"), authority.client("mallory"));
    let mut config = fixture.config(json!({}));
    config["providers"][0]["bind"] = json!("mtls");
    let envoy =
        fixture.envoy(config.clone()).transport_socket(authority.downstream(false)).start().await;
    let bound =
        |thumbprint: Value| fixture.token_with("alice", json!({"cnf": {"x5t#S256": thumbprint}}));
    let to_own = bound(json!(mint::b64(&own.sha256())));
    let bytes = |length: usize| json!(mint::b64(&vec![7; length]));
    for (number, (certificate, token, status, reason)) in [
        (Some(&own), to_own.clone(), 200, ""),
        (Some(&other), to_own.clone(), 401, "binding_mismatch"),
        (None, to_own.clone(), 401, "binding_mismatch"),
        (Some(&other), bound(json!(mint::b64(&other.sha256()))), 200, ""),
        (Some(&own), bound(bytes(32)), 401, "binding_mismatch"),
        (Some(&own), bound(bytes(31)), 401, "claim_malformed"),
        (Some(&own), bound(json!("")), 401, "claim_malformed"),
        (Some(&own), bound(json!(7)), 401, "claim_malformed"),
        (Some(&own), bound(json!([mint::b64(&own.sha256())])), 401, "claim_malformed"),
        (Some(&own), fixture.token("alice"), 401, "claim_missing"),
        (
            Some(&own),
            fixture.token_with("alice", json!({"cnf": {"jkt": "x"}})),
            401,
            "claim_missing",
        ),
        (Some(&own), fixture.token_with("alice", json!({"cnf": "x"})), 401, "claim_malformed"),
    ]
    .into_iter()
    .enumerate()
    {
        let request = Request::get("/score").bearer(token).case(format!("bound-{number}"));
        // A header of the client about its certificate has no effect.
        let hex: String = own.sha256().iter().map(|byte| format!("{byte:02x}")).collect();
        let request = request.header("x-forwarded-client-cert", format!("Hash={hex}"));
        let response = authority.send(envoy.address(), certificate, &request).await;
        assert_eq!((response.status, response.reason().as_str()), (status, reason), "{number}");
        if status == 401 {
            let challenge = response.header("www-authenticate").unwrap();
            assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
        }
    }
    // Without TLS there is no certificate.
    let plain = fixture.envoy(config).start().await;
    assert_eq!(plain.judge(&to_own).await, refused("binding_mismatch"));
}
