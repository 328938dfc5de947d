//! Keys that rules lend, dry runs, and requests that look for another rule.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_upstreams_key_reaches_the_upstream_alone() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    const KEY: &str = "k3y-of-the-endpoint-9f8e7d6c";
    let lent = json!({"env": "AML_ENDPOINT_KEY", "prefix": "Bearer "});
    let score = json!({"allow": [{"roles_any": ["R"]}], "upstream_authorization": lent});
    let dry = merged(score.clone(), json!({"dry_run": true}));
    let sections = json!({
        "token": {"from": [
            {"header": "authorization", "prefix": "Bearer "}, {"header": "x-user-token"},
        ]},
        "rules": [rule("score", score), rule("dry", dry), {"name": "rest"}],
    });
    let mut envoy = fixture
        .envoy(sections.clone())
        .variable("AML_ENDPOINT_KEY", KEY)
        .log_level("trace")
        .start()
        .await;
    let (good, poor) =
        (fixture.token_with("alice", json!({"roles": ["R"]})), fixture.token("alice"));
    let get = Request::get;
    let own = format!("Bearer {KEY}");
    let kept = format!("Bearer {poor}");
    for (case, request, status, authorization) in [
        ("good", get("/score").bearer(&good), 200, Some(own.as_str())),
        ("header", get("/score").header("x-user-token", &good), 200, Some(&own)),
        (
            "basic",
            get("/score").header("x-user-token", &good).header("authorization", "Basic x"),
            200,
            Some(&own),
        ),
        (
            "hop",
            get("/score")
                .header("x-user-token", &good)
                .header("authorization", "Basic x")
                .header("connection", "authorization, Authorization"),
            200,
            Some(&own),
        ),
        ("poor", get("/score").bearer(&poor), 403, None),
        ("dry-good", get("/dry").bearer(&good), 200, Some(&own)),
        // A dry run lends no key to a request that it would refuse.
        ("dry-poor", get("/dry").bearer(&poor), 200, Some(&kept)),
        ("dry-none", get("/dry"), 200, None),
        ("rest", get("/rest").bearer(&poor), 200, Some(&kept)),
    ] {
        let response = envoy.send(&request.case(case)).await;
        assert_eq!(response.status, status, "{case}: {}", response.reason());
        let seen = fixture.upstream.case(case);
        assert_eq!(seen.is_some(), status == 200, "{case}");
        let given = seen.as_ref().and_then(|seen| seen.header("authorization"));
        assert_eq!(given, authorization, "{case}");
        if status != 200 {
            assert!(!String::from_utf8_lossy(&response.body).contains(KEY));
        }
    }
    // The filter does not log it. (At trace level Envoy's own codec prints every header.)
    assert!(envoy.filter_log().iter().all(|line| !line.contains(KEY)));
    let mut broken = fixture.config(sections.clone());
    broken["rules"][0]["upstream_authorization"]["env"] = json!("NOT_SET");
    assert_eq!(envoy.reload(broken).await, Push::Rejected);
    let line = envoy.wait_for_log("NOT_SET is not set").await;
    assert!(line.contains("rules[0].upstream_authorization.env"), "{line}");

    let envoy = fixture.envoy(sections).start_refused().await;
    envoy.wait_for_log("the environment variable AML_ENDPOINT_KEY is not set").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_reports_what_it_would_refuse_and_lets_it_pass_unauthenticated() {
    let sections = json!({
        "rules": [
            rule("dry", json!({
                "allow": [{"roles_any": ["R"]}], "dry_run": true, "limits": ["few"],
            })),
            rule("real", json!({})),
        ],
        "limits": [{"name": "few", "rate": "1/h", "burst": 1}],
    });
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let mut envoy = fixture.envoy(sections.clone()).start().await;
    let good = fixture.token_with("alice", json!({"roles": ["R"]}));
    let poor = fixture.token("alice");
    let forged = Signer::new("ES256", "key-1").sign(&mint::claims("mallory"));
    let spoofed = |request: Request| {
        request.header("x-auth-subject", "root").header("x_auth_identity", "root")
    };
    let get = |path: &str| spoofed(Request::get(path));
    for (case, request, status, decision, reason, subject) in [
        ("ok", get("/dry").bearer(&good), 200, "allow", "ok", Some("alice")),
        ("limited", get("/dry").bearer(&good), 200, "would_deny", "rate_limited", Some("alice")),
        ("poor", get("/dry").bearer(&poor), 200, "would_deny", "role_insufficient", Some("alice")),
        ("none", get("/dry"), 200, "would_deny", "token_missing", None),
        ("forged", get("/dry").bearer(&forged), 200, "would_deny", "signature_invalid", None),
        ("bad", get("/dry").bearer("x"), 200, "would_deny", "token_malformed", None),
        ("two", get("/dry").bearer(&good).bearer(&poor), 200, "would_deny", "token_multiple", None),
        ("real", get("/real"), 401, "deny", "token_missing", None),
        ("no-rule", get("/other"), 403, "deny", "no_rule", None),
    ] {
        let response = envoy.send(&request.case(case)).await;
        assert_eq!(response.status, status, "{case}");
        let entry = envoy.access(case).await;
        assert_eq!(
            (&entry["decision"], &entry["reason"]),
            (&json!(decision), &json!(reason)),
            "{case}"
        );
        assert_eq!(entry["subject"].as_str(), subject, "{case}");
        let seen = fixture.upstream.case(case);
        assert_eq!(seen.is_some(), status == 200, "{case}");
        if let Some(seen) = seen {
            assert_eq!(seen.header("x-auth-subject"), subject, "{case}");
            assert!(!seen.head_contains(b"root"), "{case}");
        }
    }
    let counters = envoy.stats("decision.would_deny").await;
    for reason in ["rate_limited", "role_insufficient", "token_missing", "signature_invalid"] {
        let end = format!("reason.{reason}");
        let count: u64 = counters.iter().filter(|(n, _)| n.ends_with(&end)).map(|(_, v)| v).sum();
        assert_eq!(count, 1, "{reason}: {counters:?}");
    }
    let mut global = fixture.config(sections);
    global["dry_run"] = json!(true);
    assert_eq!(envoy.reload(global).await, Push::Accepted);
    for (path, reason) in
        [("/real", "token_missing"), ("/other", "no_rule"), ("/a/..;/b", "path_ambiguous")]
    {
        let case = format!("global-{reason}");
        let response = envoy.send(&get(path).case(&case)).await;
        assert_eq!(response.status, 200, "{path}");
        let entry = envoy.access(&case).await;
        assert_eq!((&entry["decision"], &entry["reason"]), (&json!("would_deny"), &json!(reason)));
        assert!(!fixture.upstream.case(&case).unwrap().head_contains(b"root"));
    }
}

/// CVE-2023-27487, CVE-2024-45806, CVE-2026-40575, GHSA-5hvv-m4w4-gf6v and their like.
#[tokio::test(flavor = "multi_thread")]
async fn no_header_of_a_client_changes_which_rule_applies() {
    let sections = json!({"rules": [rule("open", json!({"auth": "none"})), {"name": "rest"}]});
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let envoy = fixture.envoy(sections).start().await;
    let mut headers: Vec<(String, String)> = Vec::new();
    for name in [
        "x-envoy-original-path",
        "x-forwarded-uri",
        "x-original-url",
        "x-rewrite-url",
        "x-original-uri",
        "x-forwarded-path",
        "x-forwarded-prefix",
        "x-envoy-original-url",
        "x-envoy-decorator-operation",
        "x-envoy-internal",
        "x-envoy-external-address",
        "x-envoy-expected-rq-timeout-ms",
        "x-envoy-downstream-service-cluster",
        "x-envoy-original-method",
        "x-envoy-force-trace",
        "x-envoy-retry-on",
        "x-envoy-peer-metadata",
        "x-envoy-original-dst-host",
        "x-envoy-ip-tags",
        "x-envoy-hedge-on-per-try-timeout",
        "x-envoy-upstream-alt-stat-name",
        "x-envoy-upstream-rq-timeout-ms",
        "x-envoy-max-retries",
    ] {
        for value in ["/open", "true", "1", "http://ml.example.com/open"] {
            headers.push((name.into(), value.into()));
        }
    }
    for name in ["x-http-method-override", "x-method-override", "x-http-method"] {
        headers.push((name.into(), "OPTIONS".into()));
    }
    for name in ["x-forwarded-for", "x-real-ip", "true-client-ip", "forwarded", "x-forwarded-host"]
    {
        for value in ["127.0.0.1", "10.0.0.1", "localhost", "for=127.0.0.1"] {
            headers.push((name.into(), value.into()));
        }
    }
    for agent in [
        "kube-probe/1.30",
        "GoogleHC/1.0",
        "ELB-HealthChecker/2.0",
        "Envoy/HC",
        "Mozilla/5.0+(compatible; UptimeRobot/2.0)",
        "AlwaysOn",
        "HealthCheck/1.0",
        "Go-http-client/1.1",
    ] {
        headers.push(("user-agent".into(), agent.into()));
    }
    headers.push(("x-envoy-hc".into(), "1".into()));
    headers.push((":path".into(), "/open".into()));
    let mut connection = Connection::open(envoy.address()).await;
    for (name, value) in headers {
        let request = Request::get("/score").header(&name, &value);
        match connection.try_send(&request.to_bytes()).await {
            // A name with a colon is Envoy's to refuse.
            Ok(response) if name.starts_with(':') => assert_eq!(response.status, 400),
            Ok(response) => {
                assert_eq!(
                    (response.status, response.reason().as_str()),
                    (401, "token_missing"),
                    "{name}: {value}"
                );
            }
            Err(error) => panic!("{name}: {error}"),
        }
    }
    assert_eq!(fixture.upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_without_a_path_or_host_open_no_rule_and_never_trap() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let everything = json!([
        {"match": {"connect_matcher": {}}, "route": {"cluster": "upstream"}},
        {"match": {"prefix": "/"}, "route": {"cluster": "upstream"}},
    ]);
    let envoy = fixture
        .envoy(json!({
            "rules": [{"name": "open", "auth": "none"}],
            "responses": {"cors": {"allow_origins": ["*"]}},
        }))
        .hcm(json!({
            "http_protocol_options": {"accept_http_10": true},
            "upgrade_configs": [{"upgrade_type": "CONNECT"}, {"upgrade_type": "websocket"}],
            "http2_protocol_options": {"allow_connect": true},
        }))
        .routes(everything)
        .start()
        .await;
    // A request that is whole passes the open rule.
    assert_eq!(envoy.send(&Request::get("/")).await.status, 200);
    for (bytes, reason) in [
        ("CONNECT ml.example.com:443 HTTP/1.1\r\nhost: ml.example.com:443\r\n\r\n", "no_rule"),
        ("OPTIONS * HTTP/1.1\r\nhost: ml.example.com\r\n\r\n", "no_rule"),
        ("GET / HTTP/1.0\r\n\r\n", "no_rule"),
        ("GET /a HTTP/1.1\r\nhost: \r\n\r\n", "no_rule"),
        ("OPTIONS * HTTP/1.1\r\nhost: h\r\norigin: https://a\r\n\r\n", "no_rule"),
    ] {
        let mut connection = Connection::open(envoy.address()).await;
        let response = connection.try_send(bytes.as_bytes()).await.unwrap();
        let refused = matches!(response.status, 400 | 403 | 404);
        assert!(refused, "{bytes:?}: {} {:?}", response.status, response.reason());
        assert!(["", reason].contains(&response.reason().as_str()), "{bytes:?}");
    }
    for request in [
        hyper::Request::builder().method("CONNECT").uri("ml.example.com:443"),
        hyper::Request::builder().method("OPTIONS").uri("http://ml.example.com"),
    ] {
        let request = request.body(Default::default()).unwrap();
        let response = client::send_h2(envoy.address(), request).await;
        assert!(matches!(response.status, 200 | 400 | 403 | 404), "{}", response.status);
    }
    assert!(fixture.upstream.requests().iter().all(|seen| seen.path.starts_with('/')));
    assert_eq!(envoy.send(&Request::get("/")).await.status, 200);
}
