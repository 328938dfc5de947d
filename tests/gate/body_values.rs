//! Tags and limits that read the body.

use support::mint;

use super::*;

/// One rule for all paths with these members; a tag and a limit that read the body, and a limit that does not.
fn scene(rule: Value) -> Scene {
    let mut all = json!({
        "name": "all", "payload": {"max_bytes": 200, "max_rows": 3, "require_any": ["/data"]},
        "limits": ["model", "caller"],
    });
    for (name, value) in rule.as_object().unwrap() {
        all[name] = value.clone();
    }
    Scene::new(json!({
        "rules": [all],
        "limits": [
            {"name": "model", "rate": "2/h", "key": "{@identity}/{@body:/model}"},
            {"name": "caller", "rate": "50/h"},
        ],
        "tags": [
            {"name": "who", "value": "{sub}"},
            {"name": "model", "value": "{@body:/model}"},
            {"name": "both", "value": "{@rule}:{@body:/model}:{@body:/n}"},
        ],
    }))
}

impl Scene {
    /// The decision on a request of `alice` with this body.
    pub fn send(&self, claims: Value, body: &str) -> Decision {
        let bearer = self.bearer("alice", claims);
        let headers = [("authorization", bearer.as_str())];
        self.at_gate("192.0.2.1", &headers, |gate, request| match gate.judge(request) {
            Judged::Decided(decision) => decision,
            Judged::Body(pending) => {
                let mut read = pending.guard.check(request.headers);
                let fed = body.as_bytes().chunks(3).try_for_each(|p| read.feed(&pending.guard, p));
                let rows = fed.and_then(|()| read.finish(&pending.guard));
                pending.conclude(gate, request, &read, rows)
            }
        })
    }

    /// The value of each tag that telemetry shows.
    fn shown(&self, decision: &Decision) -> Vec<(&str, String)> {
        let tags = decision.facts.tags().chain(&decision.denied_tags);
        tags.map(|(index, value)| (self.policy.tags[*index].name.as_str(), value.clone())).collect()
    }
}

#[test]
fn a_tag_has_the_value_of_the_body_also_if_the_request_is_refused() {
    let scene = scene(json!({"limits": ["caller"]}));
    let who = ("who", "alice".to_owned());
    let model = ("model", "m".to_owned());
    let both = ("both", "all:m:1".to_owned());
    for (body, reason, tags) in [
        (r#"{"model":"m","data":[1],"n":1.0}"#, "ok", vec![&who, &model, &both]),
        (r#"{"model":"m","data":[1]}"#, "ok", vec![&who, &model]),
        (r#"{"data":[1],"n":1}"#, "ok", vec![&who]),
        (r#"{"model":["m"],"data":[1]}"#, "ok", vec![&who]),
        (r#"{"model":"m","data":[1,2,3,4]}"#, "rows_exceeded", vec![&who, &model]),
        (r#"{"model":"m"}"#, "payload_malformed", vec![&who, &model]),
        // What was read of the body is not certain.
        (r#"{"model":"m","model":"n","data":[1]}"#, "payload_malformed", vec![&who]),
        (r#"{"model":"m","data":[1]"#, "payload_malformed", vec![&who]),
        (
            &format!(r#"{{"model":"m","data":[{}]}}"#, " ".repeat(200)),
            "payload_too_large",
            vec![&who, &model],
        ),
    ] {
        let decision = scene.send(json!({}), body);
        assert_eq!(word(&decision), reason, "{body}");
        let shown = scene.shown(&decision);
        assert_eq!(shown.iter().collect::<Vec<_>>(), tags, "{body}");
    }
    // The body of a refused token is not read.
    let decision = scene.send(json!({"exp": mint::now() - 300, "iat": mint::now() - 900}), "{}");
    assert_eq!((word(&decision), scene.shown(&decision)), ("expired", vec![who]));
}

/// In a dry run, the upstream gets a refused request with its headers.
#[test]
fn a_dry_run_passes_no_value_of_a_body_that_was_not_read_to_its_end() {
    let scene = scene(json!({"limits": ["caller"], "dry_run": true}));
    for (body, count) in [
        (r#"{"model":"m","data":[1,2,3,4]}"#.to_owned(), 2),
        (r#"{"model":"m","model":"n","data":[1]}"#.to_owned(), 1),
        (format!(r#"{{"model":"m","data":[{}]}}"#, " ".repeat(200)), 1),
    ] {
        let decision = scene.send(json!({}), &body);
        assert_eq!(decision.verdict.decision(), "would_deny", "{body}");
        assert_eq!(scene.shown(&decision).len(), count, "{body}");
    }
}

#[test]
fn a_limit_whose_key_is_in_the_body_has_a_bucket_for_each_value() {
    let scene = scene(json!({}));
    let body = |model: &str| format!(r#"{{"model":{model},"data":[1]}}"#);
    for (model, reason, limit) in [
        (r#""a""#, "ok", None),
        (r#""\u0061""#, "ok", None),
        (r#""a""#, "rate_limited", Some("model")),
        (r#""b""#, "ok", None),
        ("1", "ok", None),
        ("1.0", "ok", None),
        ("10e-1", "rate_limited", Some("model")),
        // Without a value, the address is the key.
        ("null", "ok", None),
        ("[]", "ok", None),
        ("{}", "rate_limited", Some("model")),
    ] {
        let decision = scene.send(json!({}), &body(model));
        assert_eq!(word(&decision), reason, "{model}");
        assert_eq!(decision.limited_by().map(|limit| limit.name.as_str()), limit, "{model}");
        let names = decision.facts.limits.iter().map(|report| report.limit.name.as_str());
        assert_eq!(names.collect::<Vec<_>>(), ["caller", "model"], "{model}");
    }
}

#[test]
fn limits_of_the_body_and_of_the_rows_take_all_or_nothing() {
    let rows = json!({"cost": {"json_rows": ["/data"], "max": 9}, "payload": {}});
    let scene = scene(rows);
    let left = |decision: &Decision| -> Vec<u64> {
        decision.facts.limits.iter().map(|report| report.remaining).collect()
    };
    let ok = scene.send(json!({}), r#"{"model":"a","data":[1,2]}"#);
    assert_eq!((word(&ok), left(&ok)), ("ok", vec![48, 0]));
    // The head took one token of the caller; the rest of two is left, because the model has none.
    let refused = scene.send(json!({}), r#"{"model":"a","data":[1,2]}"#);
    assert_eq!((word(&refused), left(&refused)), ("rate_limited", vec![47, 0]));
    let never = scene.send(json!({}), r#"{"model":"b","data":[1,2,3]}"#);
    assert_eq!((word(&never), left(&never)), ("cost_exceeds_burst", vec![46, 2]));
    let other = scene.send(json!({}), r#"{"model":"b","data":[1,2]}"#);
    assert_eq!((word(&other), left(&other)), ("ok", vec![44, 0]));
}

#[test]
fn a_malformed_body_takes_nothing_from_a_limit_of_the_body() {
    let scene = scene(json!({}));
    for _ in 0..5 {
        let refused = scene.send(json!({}), r#"{"model":"a"}"#);
        assert_eq!((word(&refused), refused.facts.limits.len()), ("payload_malformed", 1));
    }
    let ok = scene.send(json!({}), r#"{"model":"a","data":[1]}"#);
    assert_eq!((word(&ok), ok.charges.len()), ("ok", 0));
    assert_eq!(ok.facts.limits[0].remaining, 44);
}
