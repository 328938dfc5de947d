//! `allow[].body`: which bodies an entry admits, and when.

use super::*;

/// A rule whose entries ask of the claims, of the body, and of both.
fn scene(rule: Value) -> Scene {
    let mut all = json!({
        "name": "all", "payload": {"max_bytes": 5_000}, "limits": ["caller", "model"],
        "allow": [
            {"roles_any": ["admin"]},
            {"roles_any": ["user"], "body": [
                {"json": "/model", "any_of": ["small", "tiny", 7]},
                {"json": "/tools", "exists": false},
            ]},
            {"roles_any": ["user"], "scopes_all": ["large"], "body": [{"json": "/model", "equals": "large"}]},
            {"clients": ["tool"], "body": [{"json": "/tools", "exists": true}, {"json": "/n", "equals": true}]},
        ],
    });
    for (name, value) in rule.as_object().unwrap() {
        all[name] = value.clone();
    }
    Scene::new(json!({
        "rules": [all],
        "limits": [
            {"name": "caller", "rate": "50/h"},
            {"name": "model", "rate": "50/h", "key": "{@identity}/{@body:/model}"},
        ],
        "tags": [{"name": "model", "value": "{@body:/model}"}],
    }))
}

#[test]
fn an_entry_admits_a_body_if_its_claims_and_its_tests_of_the_body_hold() {
    let scene = scene(json!({}));
    let (admin, user) = (json!({"roles": ["admin"]}), json!({"roles": ["user"]}));
    let large = json!({"roles": ["user"], "scp": "large"});
    let tool = json!({"azp": "tool"});
    let long = format!(r#"{{"model":"{}"}}"#, "small".repeat(400));
    let refused = "body_not_allowed";
    for (claims, body, reason) in [
        (&admin, r#"{"model":"large","tools":[]}"#, "ok"),
        (&admin, "[]", "ok"),
        (&user, r#"{"model":"small"}"#, "ok"),
        (&user, r#"{"m\u006fdel":"sm\u0061ll"}"#, "ok"),
        (&user, r#"{"model":7}"#, "ok"),
        (&user, r#"{"model":7.0}"#, "ok"),
        (&user, r#"{"model":70e-1}"#, "ok"),
        (&user, r#"{"model":"7"}"#, refused),
        (&user, r#"{"model":"large"}"#, refused),
        (&user, r#"{"model":"Small"}"#, refused),
        (&user, r#"{"model":["small"]}"#, refused),
        (&user, r#"{"model":{"small":"small"}}"#, refused),
        (&user, r#"{"model":null}"#, refused),
        (&user, r#"{"model":true}"#, refused),
        (&user, "{}", refused),
        (&user, "[{\"model\":\"small\"}]", refused),
        (&user, "\"small\"", refused),
        (&user, &long, refused),
        (&user, r#"{"model":"small","tools":null}"#, "ok"),
        (&user, r#"{"model":"small","tools":[]}"#, refused),
        (&user, r#"{"model":"small","tools":{}}"#, refused),
        (&user, r#"{"model":"small","tools":""}"#, refused),
        (&user, &format!(r#"{{"model":"small","tools":"{}"}}"#, "x".repeat(2_000)), refused),
        // What one server reads and another does not is refused by the guard.
        (&user, r#"{"model":"small","model":"large"}"#, "payload_malformed"),
        (&user, r#"{"model":"small","Model":"large"}"#, "payload_malformed"),
        (&user, r#"{"model":"small","Tools":[]}"#, "payload_malformed"),
        (&large, r#"{"model":"large","tools":[]}"#, "ok"),
        (&large, r#"{"model":"small"}"#, "ok"),
        (&large, r#"{"model":"huge"}"#, refused),
        (&tool, r#"{"tools":{},"n":true}"#, "ok"),
        (&tool, r#"{"tools":[1],"n":true}"#, "ok"),
        (&tool, r#"{"tools":0,"n":1}"#, refused),
        (&tool, r#"{"tools":null,"n":true}"#, refused),
        (&tool, r#"{"n":true}"#, refused),
        // The claims of no entry hold, so that the body is not waited for.
        (&json!({}), r#"{"model":"small"}"#, "role_insufficient"),
    ] {
        let decision = scene.send(claims.clone(), body);
        assert_eq!(word(&decision), reason, "{claims} {body}");
    }
}

/// The head has paid for itself, as for any body that is refused; what waits for the body is not asked.
#[test]
fn a_body_that_no_entry_admits_costs_what_its_head_cost() {
    for (rows, dry, decision) in
        [(false, false, "deny"), (true, false, "deny"), (true, true, "would_deny")]
    {
        let mut rule = json!({"dry_run": dry});
        if rows {
            rule["cost"] = json!({"json_rows": ["/data"], "max": 9});
        }
        let scene = scene(rule);
        let refused = scene.send(json!({"roles": ["user"]}), r#"{"model":"large","data":[1,2]}"#);
        assert_eq!((word(&refused), refused.verdict.decision()), ("body_not_allowed", decision));
        let limits: Vec<_> = refused
            .facts
            .limits
            .iter()
            .map(|report| (report.limit.name.as_str(), report.remaining))
            .collect();
        assert_eq!(limits, [("caller", 49)]);
        // The log names the model.
        assert_eq!(refused.facts.own_tags.len(), 1);
        let passed = scene.send(json!({"roles": ["user"]}), r#"{"model":"small","data":[1,2]}"#);
        assert_eq!(word(&passed), "ok");
        let left = passed.facts.limits.iter().map(|report| report.remaining).collect::<Vec<_>>();
        assert_eq!(left, if rows { [47, 48] } else { [48, 49] });
    }
}

#[test]
fn a_request_without_a_body_has_no_value_that_an_entry_asks_for() {
    let scene = scene(json!({"payload": {}}));
    for (claims, reason) in [
        (json!({"roles": ["admin"]}), "ok"),
        (json!({"roles": ["user"]}), "body_not_allowed"),
        (json!({"azp": "tool"}), "body_not_allowed"),
        (json!({}), "role_insufficient"),
    ] {
        let bearer = scene.bearer("alice", claims.clone());
        let headers = [("authorization", bearer.as_str())];
        let judged = scene.at_gate("192.0.2.1", &headers, |gate, request| {
            gate.judge(&Request { bodyless: true, ..*request })
        });
        let Judged::Decided(decision) = judged else { panic!("{claims} waits for a body") };
        assert_eq!(word(&decision), reason, "{claims}");
    }
}
