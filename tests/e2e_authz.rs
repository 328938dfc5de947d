//! Who may do what, in a real Envoy: grants, token places, bindings, replies, dry runs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use support::prelude::*;
use support::scenario::{claims_with, provider};
use support::tls;

/// An Envoy with the sections of a configuration beside one provider, its upstream and its key.
async fn start(test: &str, sections: Value) -> Option<(Envoy, Upstream, Signer)> {
    let binary = support::envoy_binary(test)?;
    let signer = Signer::new("ES256", "key-1");
    let upstream = Upstream::start().await;
    let envoy = Envoy::builder(binary)
        .upstream(upstream.address())
        .plugin_config(config(&signer, sections))
        .start()
        .await;
    Some((envoy, upstream, signer))
}

fn config(signer: &Signer, sections: Value) -> Value {
    let mut config = json!({"providers": [provider(&[signer], &["ES256"])]});
    config.as_object_mut().unwrap().extend(sections.as_object().unwrap().clone());
    config
}

fn token(signer: &Signer, changes: Value) -> String {
    signer.sign(&claims_with("alice", changes))
}

/// A rule that requires a token for one path.
fn rule(name: &str, more: Value) -> Value {
    let mut rule =
        json!({"name": name, "match": {"paths": [format!("/{name}"), format!("/{name}/**")]}});
    rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    rule
}

#[tokio::test(flavor = "multi_thread")]
async fn each_grant_admits_whom_it_names_and_tells_the_others_what_lacks() {
    let name = "each_grant_admits_whom_it_names_and_tells_the_others_what_lacks";
    let rules = json!([
        rule("role", json!({"allow": [{"roles_any": ["Model.Score", "Admin"]}]})),
        rule("roles", json!({"allow": [{"roles_all": ["Model.Score", "Admin"]}]})),
        rule("scope", json!({"allow": [{"scopes_any": ["score.read", "score.invoke"]}]})),
        rule("scopes", json!({"allow": [{"scopes_all": ["score.read", "score.invoke"]}]})),
        rule("client", json!({"allow": [{"clients": ["app-1"]}]})),
        rule("group", json!({"allow": [{"groups_any": ["g1"]}]})),
        rule(
            "claim",
            json!({"allow": [{"claims": [
                {"claim": "/project/id", "any_of": ["a", "b"]},
                {"claim": "email_verified", "equals": true},
                {"claim": "features", "contains": "beta"},
                {"claim": "x", "exists": true},
            ]}]})
        ),
        rule(
            "either",
            json!({"allow": [
                {"roles_any": ["Admin"], "scopes_all": ["score.invoke"]}, {"clients": ["app-1"]},
            ]})
        ),
    ]);
    let sections = json!({"rules": rules, "responses": {"realm": "ml"}});
    let Some((envoy, upstream, signer)) = start(name, sections).await else { return };
    let project = |id: &str| {
        json!({
            "project": {"id": id}, "email_verified": true, "features": ["beta"], "x": 0,
        })
    };
    let challenge = |reason: &str, scope: &str| {
        format!(
            "Bearer realm=\"ml\", error=\"insufficient_scope\", error_description=\"{reason}\"{scope}"
        )
    };
    let asked = |scope: &str| format!(", scope=\"{scope}\"");
    let (read_or_invoke, invoke) = (asked("score.read score.invoke"), asked("score.invoke"));
    let mut connection = Connection::open(envoy.address()).await;
    for (number, (path, claims, reason, scope)) in [
        ("/role", json!({"roles": ["Model.Score"]}), "ok", ""),
        ("/role", json!({"roles": "Admin"}), "ok", ""),
        ("/role", json!({"roles": "x Admin"}), "role_insufficient", ""),
        ("/role", json!({"roles": "Admin Assistant"}), "role_insufficient", ""),
        ("/group", json!({"groups": "Not g1"}), "claim_insufficient", ""),
        ("/role", json!({"roles": ["model.score"]}), "role_insufficient", ""),
        ("/role", json!({"roles": ["Admin", 1]}), "role_insufficient", ""),
        ("/role", json!({}), "role_insufficient", ""),
        ("/roles", json!({"roles": ["Admin", "Model.Score"]}), "ok", ""),
        ("/roles", json!({"roles": ["Admin"]}), "role_insufficient", ""),
        ("/scope", json!({"scp": "openid score.read"}), "ok", ""),
        ("/scope", json!({"scope": ["score.invoke"]}), "ok", ""),
        ("/scope", json!({"scp": "score"}), "scope_insufficient", read_or_invoke.as_str()),
        ("/scopes", json!({"scp": "score.read", "scope": "score.invoke"}), "ok", ""),
        ("/scopes", json!({"scp": ["score.read"]}), "scope_insufficient", &read_or_invoke),
        ("/client", json!({"azp": "app-1"}), "ok", ""),
        ("/client", json!({"appid": "app-1"}), "ok", ""),
        ("/client", json!({"client_id": "app-1"}), "ok", ""),
        ("/client", json!({"azp": "app-2", "client_id": "app-1"}), "client_not_allowed", ""),
        ("/group", json!({"groups": ["g0", "g1"]}), "ok", ""),
        ("/group", json!({"groups": ["g0"]}), "claim_insufficient", ""),
        ("/group", json!({"_claim_names": {"groups": "src1"}}), "groups_overage", ""),
        ("/group", json!({"hasgroups": true}), "groups_overage", ""),
        ("/claim", project("b"), "ok", ""),
        ("/claim", project("c"), "claim_insufficient", ""),
        ("/either", json!({"azp": "app-1"}), "ok", ""),
        ("/either", json!({"roles": ["Admin"], "scp": "score.invoke"}), "ok", ""),
        ("/either", json!({"roles": ["Admin"]}), "scope_insufficient", &invoke),
        ("/either", json!({}), "client_not_allowed", ""),
    ]
    .into_iter()
    .enumerate()
    {
        let case = format!("grant-{number}");
        let request = Request::get(path).bearer(token(&signer, claims.clone())).case(&case);
        let response = connection.send(&request).await;
        let what = format!("{path} {claims}: {} {:?}", response.status, response.headers);
        let entry = envoy.access(&case).await;
        assert_eq!(entry["reason"], reason, "{what}");
        assert_eq!(entry["subject"], "alice", "a verified caller is named: {what}");
        assert_eq!(upstream.case(&case).is_some(), reason == "ok", "{what}");
        if reason == "ok" {
            assert_eq!(response.status, 200, "{what}");
            continue;
        }
        assert_eq!((response.status, response.reason().as_str()), (403, reason), "{what}");
        assert_eq!(response.json()["status"], 403);
        let problem = Some("application/problem+json");
        assert_eq!(response.header("content-type"), problem, "{what}");
        let given = response.header("www-authenticate");
        assert_eq!(given, Some(challenge(reason, scope).as_str()), "{what}");
        assert_eq!(response.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_admits_its_providers_alone() {
    let name = "a_rule_admits_its_providers_alone";
    let Some(binary) = support::envoy_binary(name) else { return };
    let (one, two) = (Signer::new("ES256", "key-1"), Signer::new("ES256", "key-2"));
    let mut second = provider(&[&two], &["ES256"]);
    second["name"] = json!("second");
    second["issuers"] = json!(["https://second.test"]);
    let upstream = Upstream::start().await;
    let envoy = Envoy::builder(binary)
        .upstream(upstream.address())
        .plugin_config(json!({
            "providers": [provider(&[&one], &["ES256"]), second],
            "rules": [rule("second", json!({"providers": ["second"]})), {"name": "all"}],
        }))
        .start()
        .await;
    let of_second = token(&two, json!({"iss": "https://second.test"}));
    let crossed = token(&one, json!({"iss": "https://second.test"}));
    let of_first = token(&one, json!({}));
    for (path, token, status, reason) in [
        ("/second", &of_second, 200, ""),
        ("/second", &of_first, 401, "issuer_not_allowed"),
        ("/second", &crossed, 401, "key_unknown"),
        ("/other", &of_first, 200, ""),
        ("/other", &of_second, 200, ""),
    ] {
        let response = client::send(envoy.address(), &Request::get(path).bearer(token)).await;
        assert_eq!((response.status, response.reason().as_str()), (status, reason), "{path}");
    }
}

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
    let name = "a_token_is_taken_from_each_place_and_removed_exactly_there";
    let sections = json!({"token": {"from": places(), "forward": false}});
    let Some((mut envoy, upstream, signer)) = start(name, sections).await else { return };
    let t = token(&signer, json!({}));
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
        let response = client::send(envoy.address(), &request).await;
        assert_eq!(response.status, 200, "{number}: {}", response.reason());
        let seen = upstream.case(&case).unwrap();
        assert_eq!((seen.path.as_str(), seen.header(header)), (*path, left.as_deref()), "{number}");
        assert!(!seen.head_contains(t.as_bytes()), "{number}: {}", seen.head.escape_ascii());
        assert!(!seen.head_contains(protocol.as_bytes()), "{number}");
        assert_eq!(seen.header("x-keep"), Some("Bearer kept"));
        assert_eq!(seen.header("x-auth-subject"), Some("alice"));
    }
    // What is malformed goes, too, wherever no token is looked for.
    let open = config(
        &signer,
        json!({
            "token": {"from": places(), "forward": false},
            "rules": [{"name": "open", "auth": "none"}],
        }),
    );
    assert_eq!(envoy.reload(open).await, Push::Accepted);
    for value in ["Bearer\tforged", "bearer \tforged", "Bearer\u{a0}forged", "Bearer forged"] {
        upstream.clear();
        let request = get("/a").header("authorization", value).header("X_User_Token", "forged");
        assert_eq!(client::send(envoy.address(), &request).await.status, 200);
        let seen = upstream.last().unwrap();
        assert!(!seen.head_contains(b"forged"), "{}", seen.head.escape_ascii());
    }
    // With `forward: true` every byte stays.
    let forwarding = config(&signer, json!({"token": {"from": places()}}));
    assert_eq!(envoy.reload(forwarding).await, Push::Accepted);
    for (number, (request, ..)) in table.into_iter().enumerate() {
        let case = format!("kept-{number}");
        let request = request.case(&case);
        assert_eq!(client::send(envoy.address(), &request).await.status, 200, "{number}");
        let seen = upstream.case(&case).unwrap();
        assert_eq!(seen.path.as_bytes(), request.target, "{number}");
        for (name, value) in &request.headers {
            let name = std::str::from_utf8(name).unwrap();
            assert_eq!(seen.all(name), [&value[..]], "{number} {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_tokens_are_refused_and_one_in_two_places_counts_once() {
    let name = "several_tokens_are_refused_and_one_in_two_places_counts_once";
    let sections = json!({
        "token": {"from": places()},
        "rules": [
            rule("open", json!({"auth": "optional"})), rule("none", json!({"auth": "none"})),
            {"name": "rest"},
        ],
    });
    let Some((envoy, _upstream, signer)) = start(name, sections).await else { return };
    let (a, b) = (token(&signer, json!({})), token(&signer, json!({"jti": "2"})));
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
        // Some servers take another spelling for the header.
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
        let response = client::send(envoy.address(), &request).await;
        let got = (response.status, response.reason());
        assert_eq!((got.0, got.1.as_str()), (status, reason), "{number}");
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
    assert_eq!(envoy.vm_failures().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn very_many_cookies_and_headers_are_judged_in_time() {
    let name = "very_many_cookies_and_headers_are_judged_in_time";
    let Some(binary) = support::envoy_binary(name) else { return };
    let signer = Signer::new("ES256", "key-1");
    let upstream = Upstream::start().await;
    let envoy = Envoy::builder(binary)
        .upstream(upstream.address())
        .plugin_config(config(&signer, json!({"token": {"from": places(), "forward": false}})))
        .hcm(json!({
            "max_request_headers_kb": 256, "common_http_protocol_options": {"max_headers_count": 12000},
        }))
        .start()
        .await;
    let t = token(&signer, json!({}));
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
        let begin = std::time::Instant::now();
        let response = client::send(envoy.address(), &request).await;
        let took = begin.elapsed();
        assert_eq!((response.status, response.reason().as_str()), (status, reason));
        assert!(took < std::time::Duration::from_secs(3), "{took:?}");
    }
    let seen = upstream.requests();
    assert!(seen.iter().all(|request| !request.head_contains(t.as_bytes())));
    assert_eq!(envoy.vm_failures().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_token_is_good_for_its_certificate_alone() {
    let name = "a_bound_token_is_good_for_its_certificate_alone";
    let Some(binary) = support::envoy_binary(name) else { return };
    let authority = tls::Authority::new();
    let (own, other) = (authority.client("alice"), authority.client("mallory"));
    let signer = Signer::new("ES256", "key-1");
    let mut provider = provider(&[&signer], &["ES256"]);
    provider["bind"] = json!("mtls");
    let upstream = Upstream::start().await;
    let envoy = Envoy::builder(binary.clone())
        .upstream(upstream.address())
        .plugin_config(json!({"providers": [provider.clone()]}))
        .transport_socket(authority.downstream(false))
        .start()
        .await;
    let bound = |thumbprint: Value| token(&signer, json!({"cnf": {"x5t#S256": thumbprint}}));
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
        (Some(&own), token(&signer, json!({})), 401, "claim_missing"),
        (Some(&own), token(&signer, json!({"cnf": {"jkt": "x"}})), 401, "claim_missing"),
        (Some(&own), token(&signer, json!({"cnf": "x"})), 401, "claim_malformed"),
    ]
    .into_iter()
    .enumerate()
    {
        let request = Request::get("/score").bearer(token).case(format!("bound-{number}"));
        // What a client says of its certificate counts for nothing.
        let hex: String = own.sha256().iter().map(|byte| format!("{byte:02x}")).collect();
        let request = request.header("x-forwarded-client-cert", format!("Hash={hex}"));
        let response = authority.send(envoy.address(), certificate, &request).await;
        let got = (response.status, response.reason());
        assert_eq!((got.0, got.1.as_str()), (status, reason), "{number}");
        if status == 401 {
            let challenge = response.header("www-authenticate").unwrap();
            assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
        }
    }
    // Without TLS there is no certificate.
    let plain = Envoy::builder(binary)
        .upstream(upstream.address())
        .plugin_config(json!({"providers": [provider]}))
        .start()
        .await;
    let response = client::send(plain.address(), &Request::get("/score").bearer(&to_own)).await;
    assert_eq!((response.status, response.reason().as_str()), (401, "binding_mismatch"));
}

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
    let name = "the_metadata_is_served_without_a_token_and_named_in_challenges";
    let Some((envoy, upstream, _signer)) = start(name, replies()).await else { return };
    let request = Request::get(METADATA).case("metadata");
    let response = client::send(envoy.address(), &request).await;
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
    let head = client::send(envoy.address(), &Request::new("HEAD", METADATA)).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert!(head.header("content-length").is_none_or(|given| given == length || given == "0"));
    let with_query = Request::get(format!("{METADATA}?a=b"));
    assert_eq!(client::send(envoy.address(), &with_query).await.status, 200);
    for request in [
        Request::post(METADATA, "{}"),
        Request::get(format!("{METADATA}/")),
        Request::get(format!("{METADATA}/x")),
        Request::get(METADATA.to_uppercase()),
    ] {
        assert_eq!(client::send(envoy.address(), &request).await.reason(), "no_rule");
    }
    let url = format!("resource_metadata=\"https://ml.example.com{METADATA}\"");
    let response = client::send(envoy.address(), &Request::get("/score")).await;
    assert_eq!(response.header("www-authenticate"), Some(format!("Bearer {url}").as_str()));
    let response = client::send(envoy.address(), &Request::get("/score").bearer("x")).await;
    assert_eq!(
        response.header("www-authenticate").unwrap(),
        format!("Bearer error=\"invalid_token\", error_description=\"token_malformed\", {url}")
    );
    assert_eq!(upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn preflights_are_answered_and_pages_of_allowed_origins_may_read_our_replies() {
    let name = "preflights_are_answered_and_pages_of_allowed_origins_may_read_our_replies";
    let Some((envoy, upstream, signer)) = start(name, replies()).await else { return };
    let preflight = |origin: &str| {
        Request::new("OPTIONS", "/score")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
    };
    let asked = preflight(APP).header("access-control-request-headers", "authorization,x-a");
    let response = client::send(envoy.address(), &asked.case("preflight")).await;
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

    // What is no preflight of an allowed origin is a request like any other.
    for request in [
        preflight("https://evil.example"),
        preflight("https://app.example.com.evil"),
        preflight("null"),
        preflight(APP).header("origin", "https://evil.example"),
        Request::new("OPTIONS", "/score").header("origin", APP),
        Request::new("OPTIONS", "/score").header("access-control-request-method", "POST"),
        Request::get("/score").header("origin", APP).header("access-control-request-method", "GET"),
    ] {
        let response = client::send(envoy.address(), &request).await;
        assert_eq!((response.status, response.reason().as_str()), (401, "token_missing"));
        let foreign = request.headers.iter().filter(|(name, _)| name == b"origin");
        let own = foreign.clone().count() == 1 && foreign.clone().all(|(_, v)| v == APP.as_bytes());
        assert_eq!(response.header("access-control-allow-origin"), own.then_some(APP));
        assert_eq!(response.header("vary"), Some("origin"));
    }
    let strange = preflight(APP).header("access-control-request-headers", "a\x01b, x y");
    let response = client::send(envoy.address(), &strange).await;
    assert_eq!(response.header("access-control-allow-headers"), None);

    let good = token(&signer, json!({"scp": "score.invoke"}));
    let good = Request::get("/score").bearer(good).header("origin", APP);
    assert_eq!(client::send(envoy.address(), &good).await.status, 200);
    let limited = client::send(envoy.address(), &good).await;
    assert_eq!((limited.status, limited.header("access-control-allow-origin")), (429, Some(APP)));
    assert!(limited.header("access-control-expose-headers").unwrap().contains("retry-after"));
    let metadata = Request::get(METADATA).header("origin", APP);
    let response = client::send(envoy.address(), &metadata).await;
    assert_eq!(response.header("access-control-allow-origin"), Some(APP));
    // What the upstream answers is the upstream's.
    let open = Request::get("/open").header("origin", APP);
    let response = client::send(envoy.address(), &open).await;
    assert_eq!((response.status, response.header("access-control-allow-origin")), (200, None));
    assert_eq!(upstream.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_resources_each_has_its_own_challenge_and_its_own_document() {
    let name = "of_several_resources_each_has_its_own_challenge_and_its_own_document";
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
    let Some((envoy, upstream, _signer)) = start(name, sections).await else { return };
    for (host, path) in resources {
        let at = |path: String| Request::get(path).host(host);
        let url = format!("https://{host}{METADATA}{path}");
        let response = client::send(envoy.address(), &at(format!("{path}/tools"))).await;
        assert_eq!(
            (response.status, response.header("www-authenticate")),
            (401, Some(format!("Bearer resource_metadata=\"{url}\"").as_str()))
        );
        let document = client::send(envoy.address(), &at(format!("{METADATA}{path}"))).await;
        assert_eq!(document.json()["resource"], format!("https://{host}{path}"));
    }
    let elsewhere = client::send(envoy.address(), &Request::get("/score")).await;
    assert_eq!(elsewhere.header("www-authenticate"), Some("Bearer"));
    let foreign = Request::get(format!("{METADATA}/mcp")).host("c.example.com");
    assert_eq!(client::send(envoy.address(), &foreign).await.status, 401);

    for (origin, allowed) in [
        ("https://app.example.com", true),
        ("https://[::1]:8443", true),
        ("https://example.com", false),
        ("http://app.example.com", false),
    ] {
        let request = Request::get("/score").header("origin", origin);
        let response = client::send(envoy.address(), &request).await;
        let named = response.header("access-control-allow-origin");
        assert_eq!(named, allowed.then_some(origin), "{origin}");
    }
    assert_eq!(upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_http_version_and_head_get_the_same_answers() {
    let name = "every_http_version_and_head_get_the_same_answers";
    let Some(binary) = support::envoy_binary(name) else { return };
    let signer = Signer::new("ES256", "key-1");
    let upstream = Upstream::start().await;
    let mut sections = replies();
    sections["rules"][0].as_object_mut().unwrap().remove("limits");
    sections["limits"] = json!([]);
    let envoy = Envoy::builder(binary)
        .upstream(upstream.address())
        .plugin_config(config(&signer, sections))
        .hcm(json!({"http_protocol_options": {"accept_http_10": true}}))
        .start()
        .await;
    let good = token(&signer, json!({"scp": "score.invoke"}));
    let poor = token(&signer, json!({}));
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
        let response = client::send(envoy.address(), &head).await;
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
    assert_eq!(envoy.vm_failures().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_upstreams_key_reaches_the_upstream_and_nobody_else() {
    let name = "the_upstreams_key_reaches_the_upstream_and_nobody_else";
    let Some(binary) = support::envoy_binary(name) else { return };
    const KEY: &str = "k3y-of-the-endpoint-9f8e7d6c";
    let signer = Signer::new("ES256", "key-1");
    let upstream = Upstream::start().await;
    let lent = json!({"env": "AML_ENDPOINT_KEY", "prefix": "Bearer "});
    let plugin = config(
        &signer,
        json!({
            "token": {"from": [
                {"header": "authorization", "prefix": "Bearer "}, {"header": "x-user-token"},
            ]},
            "rules": [
                rule("score", json!({
                    "allow": [{"roles_any": ["R"]}], "upstream_authorization": lent,
                })),
                rule("dry", json!({
                    "allow": [{"roles_any": ["R"]}], "upstream_authorization": lent, "dry_run": true,
                })),
                {"name": "rest"},
            ],
        }),
    );
    let mut envoy = Envoy::builder(binary.clone())
        .upstream(upstream.address())
        .plugin_config(plugin.clone())
        .variable("AML_ENDPOINT_KEY", KEY)
        .log_level("trace")
        .start()
        .await;
    let (good, poor) = (token(&signer, json!({"roles": ["R"]})), token(&signer, json!({})));
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
        // A dry run lends no key to who would be refused.
        ("dry-poor", get("/dry").bearer(&poor), 200, Some(&kept)),
        ("dry-none", get("/dry"), 200, None),
        ("rest", get("/rest").bearer(&poor), 200, Some(&kept)),
    ] {
        let response = client::send(envoy.address(), &request.case(case)).await;
        assert_eq!(response.status, status, "{case}: {}", response.reason());
        let seen = upstream.case(case);
        assert_eq!(seen.is_some(), status == 200, "{case}");
        let given = seen.as_ref().and_then(|seen| seen.header("authorization"));
        assert_eq!(given, authorization, "{case}");
        if status != 200 {
            assert!(!String::from_utf8_lossy(&response.body).contains(KEY));
        }
    }
    // The filter says nothing of it. (At trace level Envoy's own codec prints every header.)
    assert!(envoy.filter_log().iter().all(|line| !line.contains(KEY)));
    let mut broken = plugin.clone();
    broken["rules"][0]["upstream_authorization"]["env"] = json!("NOT_SET");
    assert_eq!(envoy.reload(broken).await, Push::Rejected);
    let line = envoy.wait_for_log("NOT_SET is not set").await;
    assert!(line.contains("rules[0].upstream_authorization.env"), "{line}");

    let refused = Envoy::builder(binary).upstream(upstream.address()).plugin_config(plugin);
    let envoy = refused.start_refused().await;
    envoy.wait_for_log("the environment variable AML_ENDPOINT_KEY is not set").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_reports_what_it_would_refuse_and_lets_it_pass_unauthenticated() {
    let name = "a_dry_run_reports_what_it_would_refuse_and_lets_it_pass_unauthenticated";
    let sections = json!({
        "rules": [
            rule("dry", json!({
                "allow": [{"roles_any": ["R"]}], "dry_run": true, "limits": ["few"],
            })),
            rule("real", json!({})),
        ],
        "limits": [{"name": "few", "rate": "1/h", "burst": 1}],
    });
    let Some((mut envoy, upstream, signer)) = start(name, sections.clone()).await else { return };
    let good = token(&signer, json!({"roles": ["R"]}));
    let poor = token(&signer, json!({}));
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
        let response = client::send(envoy.address(), &request.case(case)).await;
        assert_eq!(response.status, status, "{case}");
        let entry = envoy.access(case).await;
        assert_eq!(
            (&entry["decision"], &entry["reason"]),
            (&json!(decision), &json!(reason)),
            "{case}"
        );
        assert_eq!(entry["subject"].as_str(), subject, "{case}");
        let seen = upstream.case(case);
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
    let mut global = config(&signer, sections);
    global["dry_run"] = json!(true);
    assert_eq!(envoy.reload(global).await, Push::Accepted);
    for (path, reason) in
        [("/real", "token_missing"), ("/other", "no_rule"), ("/a/..;/b", "path_ambiguous")]
    {
        let case = format!("global-{reason}");
        let response = client::send(envoy.address(), &get(path).case(&case)).await;
        assert_eq!(response.status, 200, "{path}");
        let entry = envoy.access(&case).await;
        assert_eq!((&entry["decision"], &entry["reason"]), (&json!("would_deny"), &json!(reason)));
        assert!(!upstream.case(&case).unwrap().head_contains(b"root"));
    }
}

/// CVE-2023-27487, CVE-2024-45806, CVE-2026-40575, GHSA-5hvv-m4w4-gf6v and their like.
#[tokio::test(flavor = "multi_thread")]
async fn no_header_of_a_client_changes_which_rule_applies() {
    let name = "no_header_of_a_client_changes_which_rule_applies";
    let sections = json!({"rules": [rule("open", json!({"auth": "none"})), {"name": "rest"}]});
    let Some((envoy, upstream, _signer)) = start(name, sections).await else { return };
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
                let got = (response.status, response.reason());
                assert_eq!((got.0, got.1.as_str()), (401, "token_missing"), "{name}: {value}");
            }
            Err(error) => panic!("{name}: {error}"),
        }
    }
    assert_eq!(upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_without_a_path_or_host_open_no_rule_and_never_trap() {
    let name = "requests_without_a_path_or_host_open_no_rule_and_never_trap";
    let Some(binary) = support::envoy_binary(name) else { return };
    let signer = Signer::new("ES256", "key-1");
    let upstream = Upstream::start().await;
    let everything = json!([
        {"match": {"connect_matcher": {}}, "route": {"cluster": "upstream"}},
        {"match": {"prefix": "/"}, "route": {"cluster": "upstream"}},
    ]);
    let envoy = Envoy::builder(binary)
        .upstream(upstream.address())
        .plugin_config(config(
            &signer,
            json!({
                "rules": [{"name": "open", "auth": "none"}],
                "responses": {"cors": {"allow_origins": ["*"]}},
            }),
        ))
        .hcm(json!({
            "http_protocol_options": {"accept_http_10": true},
            "upgrade_configs": [{"upgrade_type": "CONNECT"}, {"upgrade_type": "websocket"}],
            "http2_protocol_options": {"allow_connect": true},
        }))
        .routes(everything)
        .start()
        .await;
    // A request that is whole passes the open rule.
    assert_eq!(client::send(envoy.address(), &Request::get("/")).await.status, 200);
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
    assert_eq!(envoy.vm_failures().await, 0);
    assert!(upstream.requests().iter().all(|seen| seen.path.starts_with('/')));
    assert_eq!(client::send(envoy.address(), &Request::get("/")).await.status, 200);
}
