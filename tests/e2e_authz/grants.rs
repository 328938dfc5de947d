//! Grants: roles, scopes, clients, groups, claims, and the providers of a rule.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn each_grant_admits_its_callers_and_gives_others_the_reason() {
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
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let envoy = fixture.envoy(sections).start().await;
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
        let request =
            Request::get(path).bearer(fixture.token_with("alice", claims.clone())).case(&case);
        let response = connection.send(&request).await;
        let what = format!("{path} {claims}: {} {:?}", response.status, response.headers);
        let entry = envoy.access(&case).await;
        assert_eq!(entry["reason"], reason, "{what}");
        assert_eq!(entry["subject"], "alice", "a verified caller is named: {what}");
        assert_eq!(fixture.upstream.case(&case).is_some(), reason == "ok", "{what}");
        if reason == "ok" {
            assert_eq!(response.status, 200, "{what}");
            continue;
        }
        assert_eq!((response.status, response.reason().as_str()), (403, reason), "{what}");
        assert_eq!(response.json()["status"], 403);
        assert_eq!(response.header("content-type"), Some("application/json"), "{what}");
        let given = response.header("www-authenticate");
        assert_eq!(given, Some(challenge(reason, scope).as_str()), "{what}");
        assert_eq!(response.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_admits_its_providers_alone() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let two = Signer::new("ES256", "key-2");
    let mut second = provider(&[&two], &["ES256"]);
    second["name"] = json!("second");
    second["issuers"] = json!(["https://second.test"]);
    let sections = json!({
        "providers": [provider(&[&fixture.signer], &["ES256"]), second],
        "rules": [rule("second", json!({"providers": ["second"]})), {"name": "all"}],
    });
    let envoy = fixture.envoy(sections).start().await;
    let of_second = two.sign(&claims_with("alice", json!({"iss": "https://second.test"})));
    let crossed = fixture.token_with("alice", json!({"iss": "https://second.test"}));
    let of_first = fixture.token("alice");
    for (path, token, status, reason) in [
        ("/second", &of_second, 200, ""),
        ("/second", &of_first, 401, "issuer_not_allowed"),
        ("/second", &crossed, 401, "key_unknown"),
        ("/other", &of_first, 200, ""),
        ("/other", &of_second, 200, ""),
    ] {
        let response = envoy.send(&Request::get(path).bearer(token)).await;
        assert_eq!((response.status, response.reason().as_str()), (status, reason), "{path}");
    }
}
