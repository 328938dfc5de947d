//! One decision in the audit line, the scrape and the span.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn audit_line_scrape_and_span_tell_the_same_of_every_kind_of_decision() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let zipkin = Upstream::answering(|_| Reply::new(202, "")).await;
    // A port at which no program listens.
    let nobody = free_address();
    let mut sample = sample(&fixture).with("zipkin", zipkin.address()).cluster("away", nobody);
    // Envoy would answer this one itself; here the filter is asked.
    *sample.at(&format!("{HCM}/path_with_escaped_slashes_action")) = json!("KEEP_UNCHANGED");
    let mut config = sample.plugin_config();
    config["providers"].as_array_mut().unwrap().push(json!({
        "name": "away",
        "issuers": ["https://away.test"],
        "audiences": ["api://scoring"],
        "keys": {"remote": {
            "uri": "https://away.test/keys", "cluster": "away", "timeout": "1s",
        }},
    }));
    config["responses"]["cors"] = json!({"allow_origins": ["https://app.test"]});
    let envoy = start(&fixture, sample.plugin(&config)).await;
    // A request that stays in flight: it announces a body and sends none.
    let held = Request::post("/crowd", "{}").bearer(fixture.token("bob")).to_bytes();
    let mut holder = tokio::net::TcpStream::connect(envoy.address()).await.unwrap();
    holder.write_all(&held[..held.len() - 2]).await.unwrap();
    let crowd = [("rule", "crowd"), ("provider", "demo"), ("decision", "allow"), ("reason", "ok")];
    let judged = async || scrape::of(&envoy).await.value("tollgate_requests", &crowd);
    eventually(judged).await.expect("the held request is in flight");

    let (bob, away) =
        ("https://issuer.test/bob", claims_with("bob", json!({"iss": "https://away.test"})));
    let crowded = fixture.get("/crowd", "bob");
    let preflight = Request::new("OPTIONS", "/score")
        .header("origin", "https://app.test")
        .header("access-control-request-method", "POST");
    let away = Request::get("/v1/x").bearer(fixture.signer.sign(&away));
    let mut cases = cases(&fixture);
    cases.extend([
        Case { request: crowded, trace: ["crowd", "demo", "deny", "concurrency_limited", bob] },
        Case { request: preflight, trace: ["none", "none", "allow", "preflight", "-"] },
        Case { request: away, trace: ["score", "away", "deny", "keys_unavailable", "-"] },
    ]);
    assert_traces(&fixture, &envoy, &zipkin, cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_names_who_brought_a_verified_token_and_what_it_lacks() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let envoy = start(&fixture, sample(&fixture)).await;
    let past = mint::now() - 300;
    let forged = Signer::new("ES256", "key-1").sign(&claims_with("eve", json!({"exp": past})));
    let ask = |path: &str, changes: Value| {
        Request::get(path).bearer(fixture.token_with("alice", changes))
    };
    let alice = "https://issuer.test/alice";
    for (request, decision, reason, identity, detail) in [
        (ask("/score", json!({"exp": past})), "deny", "expired", Some(alice), None),
        (ask("/score", json!({"aud": null})), "deny", "claim_missing", Some(alice), Some("aud")),
        (ask("/score", json!({"sub": ""})), "deny", "claim_missing", None, Some("{iss}/{sub}")),
        (ask("/score", json!({"jti": 1})), "deny", "claim_malformed", Some(alice), None),
        (Request::get("/score").bearer(forged), "deny", "signature_invalid", None, None),
        // It passes, and a token that was not accepted names no caller.
        (ask("/trial", json!({"exp": past})), "would_deny", "expired", None, None),
        (
            ask("/trial", json!({"sub": ""})),
            "would_deny",
            "claim_missing",
            None,
            Some("{iss}/{sub}"),
        ),
        (ask("/score", json!({"nbf": -62_135_596_800_i64})), "allow", "ok", Some(alice), None),
    ] {
        let (logged, seen) = (envoy.access_log().len(), fixture.upstream.requests().len());
        let response = envoy.send(&request).await;
        let line = envoy.access_after(logged).await;
        let told = [&line["Decision"], &line["Reason"], &line["Identity"], &line["Detail"]];
        let want = [json!(decision), json!(reason), json!(identity), json!(detail)];
        assert_eq!(told, want.each_ref(), "{line}");
        assert_eq!(
            line["Kid"].is_string(),
            decision != "would_deny" && reason != "signature_invalid"
        );
        assert_eq!(response.status == 200, decision != "deny");
        if decision == "would_deny" {
            let passed = &fixture.upstream.requests()[seen];
            let ours = ["x-auth-identity", "x-auth-subject", "x-auth-issuer"];
            assert!(ours.iter().all(|name| passed.header(name).is_none()), "{passed:?}");
        }
    }
    // A minute has one line for each cause, and each claim that is missing is one.
    let lines = envoy.filter_log().join("\n");
    for detail in ["count=1: aud; ", "count=1: {iss}/{sub}; ", "count=1: jti; "] {
        assert!(lines.contains(detail), "{detail}: {lines}");
    }
    assert!(!lines.contains("alice"), "{lines}");
}

/// Every capability that the module asks for, apart from one.
fn every_capability_but(missing: &str) -> Value {
    let module = std::fs::read(support::module()).unwrap();
    let wasi = ["fd_write", "random_get", "clock_time_get", "environ_get", "environ_sizes_get"];
    let named =
        module.windows(6).enumerate().filter(|(_, word)| word == b"proxy_").map(|(at, _)| {
            let name = module[at..].iter().take_while(|b| b.is_ascii_lowercase() || **b == b'_');
            String::from_utf8(name.copied().collect()).unwrap()
        });
    let names = named.filter(|name| name != missing);
    let all = names.chain(wasi.map(str::to_owned)).map(|name| (name, json!({})));
    json!({"allowed_capabilities": all.collect::<serde_json::Map<_, _>>()})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_without_a_store_leaves_the_same_trace_and_its_cause_in_the_log() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let zipkin = Upstream::answering(|_| Reply::new(202, "")).await;
    let mut sample = sample(&fixture).with("zipkin", zipkin.address());
    let wasm = sample.at(&format!("{HCM}/http_filters/0/typed_config/config"));
    wasm["capability_restriction_config"] = every_capability_but("proxy_set_shared_data");
    let envoy = start(&fixture, sample).await;
    let get = |path: &str| fixture.get(path, "bob");
    let bob = "https://issuer.test/bob";
    let cases = ["once", "crowd"].map(|rule| Case {
        request: get(&format!("/{rule}")),
        trace: [rule, "demo", "deny", "store_unavailable", bob],
    });
    assert_traces(&fixture, &envoy, &zipkin, cases.into()).await;
    envoy.wait_for_log("no bucket table, failure_mode applies until it opens").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_removes_no_header_refuses_only_requests_with_one_of_ours() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let zipkin = Upstream::answering(|_| Reply::new(202, "")).await;
    let mut sample = sample(&fixture).with("zipkin", zipkin.address());
    // Envoy would remove the spoofed header before the filter sees it.
    let manager = sample.at(HCM).as_object_mut().unwrap();
    manager.remove("early_header_mutation_extensions").unwrap();
    let wasm = sample.at(&format!("{HCM}/http_filters/0/typed_config/config"));
    wasm["capability_restriction_config"] = every_capability_but("proxy_remove_header_map_value");
    let envoy = start(&fixture, sample).await;
    let plain = fixture.get("/once", "bob");
    assert_eq!(envoy.send(&plain).await.status, 200);
    assert_eq!(envoy.access_after(0).await["Reason"], "ok");
    let spoofed =
        Request::get("/once").bearer(fixture.token("bob")).header("X_Auth.Subject", "root");
    let refused =
        Case { request: spoofed, trace: ["none", "none", "deny", "store_unavailable", "-"] };
    assert_traces(&fixture, &envoy, &zipkin, vec![refused]).await;
    // A trailer that had to go and did not ends a request that had passed.
    for (trailer, status) in [("x-checksum", 200), ("x_auth_subject", 503)] {
        let fields = [(trailer.parse().unwrap(), "root".parse().unwrap())];
        let fields = hyper::HeaderMap::from_iter(fields);
        let body = Full::new(Bytes::from_static(b"{}")).with_trailers(async { Some(Ok(fields)) });
        let request = hyper::Request::post("http://ml.example.com/score")
            .header("authorization", format!("Bearer {}", fixture.token("bob")))
            .body(Box::pin(body))
            .unwrap();
        let response = client::send_h2_with(envoy.address(), request).await;
        assert_eq!(response.status, status, "{trailer}: {}", response.reason());
    }
}

/// Sends each request and finds the same in its audit line, in the scrape and in its span.
async fn assert_traces(fixture: &Fixture, envoy: &Envoy, zipkin: &Upstream, cases: Vec<Case>) {
    let full_spans = full_spans(fixture);
    let mut traces = Vec::new();
    for (number, case) in cases.into_iter().enumerate() {
        let [rule, provider, decision, reason, identity] = case.trace;
        let labels = [("rule", rule), ("provider", provider)];
        let labels = [labels, [("decision", decision), ("reason", reason)]].concat();
        let before = scrape::of(envoy).await.value("tollgate_requests", &labels).unwrap_or(0.0);
        let logged = envoy.access_log().len();
        let client_id = format!("call-{number}");
        let request = case.request.clone().header("x-ms-client-request-id", &client_id);
        let response = envoy.send(&request).await;

        let line = envoy.access_after(logged).await;
        let identity = if identity == "-" { Value::Null } else { json!(identity) };
        let told = ["Rule", "Provider", "Decision", "Reason"].map(|field| line[field].clone());
        assert_eq!(told, [rule, provider, decision, reason], "{line}");
        assert_eq!(
            (&line["Identity"], &line["XMSClientRequestId"]),
            (&identity, &json!(client_id))
        );
        assert_eq!(line["ResponseCode"], json!(response.status), "{line}");
        assert_eq!(line["Kid"], if identity.is_null() { Value::Null } else { json!("key-1") });
        let limit = match reason {
            "rate_limited" | "cost_exceeds_burst" => json!("once"),
            _ => Value::Null,
        };
        assert_eq!(line["Limit"], limit, "{line}");
        if decision == "deny" {
            assert_eq!(response.reason(), reason);
            assert_eq!(line["ResponseCodeReason"], format!("tollgate_{reason}"));
        }

        let after = scrape::of(envoy).await.value("tollgate_requests", &labels);
        assert_eq!(after, Some(before + 1.0), "{reason}");

        traces.push((line["XRequestId"].clone(), case.trace, response.status));
    }
    for (id, [rule, provider, decision, reason, identity], status) in traces {
        let id = id.as_str().unwrap();
        let span = eventually(async || span(zipkin, id)).await.expect(reason);
        let tags = &span["tags"];
        if !full_spans {
            // A header of the request: there where the request passed. The head of one whose body
            // was refused may have passed before.
            let expected = if decision == "deny" { "-" } else { identity };
            let found = tags["enduser.id"].as_str().unwrap_or("-");
            assert!(found == expected || rule == "body", "{span}");
            continue;
        }
        let told = ["rule", "provider", "decision", "reason"]
            .map(|tag| tags[format!("tollgate.{tag}")].clone());
        assert_eq!(told, [rule, provider, decision, reason], "{span}");
        assert_eq!(tags["tollgate.identity"].as_str().unwrap_or("-"), identity, "{span}");
        assert_eq!(tags["http.status_code"], status.to_string());
    }
}

/// The span of one request as Zipkin v2 JSON.
fn span(zipkin: &Upstream, request_id: &str) -> Option<Value> {
    zipkin
        .requests()
        .iter()
        .filter(|post| post.path == "/api/v2/spans")
        .filter_map(|post| serde_json::from_slice::<Vec<Value>>(&post.body).ok())
        .flatten()
        .find(|span| span["tags"]["guid:x-request-id"] == request_id)
}
