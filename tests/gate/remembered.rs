//! What a remembered token changes: nothing but the work.

use proptest::prelude::*;
use std::time::Duration;
use tollgate::limit::Ruling;

use super::*;

/// Limits whose buckets depend on each part of a request, of which each rule has some.
fn document(cache: u32, budget: bool) -> Value {
    let mut document = json!({
        "twin": "https://twin.test",
        "token_cache": {"entries": cache},
        "rules": [
            {"name": "a", "match": {"paths": ["/a"]},
             "limits": ["identity", "header", "mixed", "absent", "all", "tiers"]},
            {"name": "b", "match": {"paths": ["/b"]}, "providers": ["twin"],
             "limits": ["tiers", "identity", "rule", "own", "kid"]},
            {"name": "c", "match": {"paths": ["/c"]}, "auth": "optional", "cost": {"header": "x-cost", "max": 3},
             "limits": ["identity"]},
            {"name": "d", "match": {"paths": ["/d"]},
             "payload": {"max_bytes": 200, "max_rows": 3, "require_any": ["/data"]},
             "limits": ["identity", "model", "tiers"]},
            {"name": "e", "match": {"paths": ["/e"]},
             "limits": ["x1", "x2", "x3", "x4", "x5", "x6", "absent", "tiers", "watched", "own"]},
        ],
        "limits": [
            {"name": "identity", "rate": "9/h"},
            {"name": "header", "rate": "5/h", "key": "{@header:x-key}"},
            {"name": "mixed", "rate": "7/h", "key": "{@header:x-key}/{sub}"},
            {"name": "absent", "rate": "8/h", "key": "{team}"},
            {"name": "all", "rate": "60/h", "key": "everybody"},
            {"name": "tiers", "rate": "6/h", "key": "{sub}", "tiers": [
                {"when": {"roles_any": ["R"]}, "rate": "7/h"},
                {"when": {"roles_any": ["S"]}, "rate": "6/h"},
            ]},
            {"name": "rule", "rate": "8/h", "key": "{@rule} {sub}"},
            {"name": "own", "rate": "8/h", "key": "{@identity}", "rate_claim": {"claim": "rate", "max": "20/h"}},
            {"name": "kid", "rate": "30/h", "key": "{@provider} {@kid}"},
            {"name": "model", "rate": "4/h", "key": "{sub}/{@body:/m}"},
            {"name": "watched", "rate": "1/h", "dry_run": true},
        ],
    });
    for n in 1..=6 {
        let limit = json!({"name": format!("x{n}"), "rate": "20/h", "key": format!("{{sub}} {n}")});
        document["limits"].as_array_mut().unwrap().push(limit);
    }
    if budget {
        for at in [0, 5, 9] {
            document["limits"][at]["charge"] = json!("response");
            document["limits"][at]["response_cost"] = json!({"json": ["/n"]});
        }
    }
    document
}

/// What a request shows of its limits.
fn shown(decision: &Decision) -> Vec<(String, u64, Duration, Ruling)> {
    let report = |report: &LimitReport| {
        (report.limit.name.clone(), report.remaining, report.reset, report.ruling)
    };
    decision.facts.limits.iter().map(report).collect()
}

type Step = (usize, usize, usize, usize, Option<u64>, u64);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step =
        (0..9_usize, 0..5_usize, 0..3_usize, 0..3_usize, prop::option::of(0..5_u64), 0..400_u64);
    prop::collection::vec(step, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_remembered_token_takes_what_a_new_one_takes(steps in steps(), budget: bool) {
        let mut scenes = [0, 2, 100].map(|entries| Scene::new(document(entries, budget)));
        let claims = [
            ("s", json!({})),
            ("s", json!({"roles": ["R"]})),
            ("s", json!({"roles": ["S"]})),
            ("s", json!({"roles": ["S"], "iss": "https://twin.test"})),
            ("s", json!({"iss": "https://twin.test"})),
            ("t", json!({"team": "x", "rate": 3})),
            ("t", json!({"team": "s", "rate": 9, "iss": "https://twin.test"})),
            ("192.0.2.1", json!({"team": "t"})),
        ];
        let tokens = scenes.each_ref().map(|scene| {
            claims.iter().map(|(sub, claims)| scene.bearer(sub, claims.clone())).collect::<Vec<_>>()
        });
        for (token, rule, key, cost, charge, passed) in steps {
            let (cost, key) = (cost.to_string(), ["s", "t", "x"][key]);
            let path = ["/a", "/b", "/c", "/d", "/e"][rule];
            let headers = vec![(":path", path), ("x-key", key), ("x-cost", cost.as_str())];
            let body = format!("{{\"m\":\"{key}\",\"data\":[1,2]}}");
            let mut each = tokens.iter();
            let seen = scenes.each_mut().map(|scene| {
                let own = each.next().unwrap().get(token);
                let mut headers = headers.clone();
                headers.extend(own.map(|token| ("authorization", token.as_str())));
                scene.now = scene.now + Duration::from_secs(passed);
                let decision = scene.at_gate("192.0.2.1", &headers, |gate, request| {
                    match gate.judge(request) {
                        Judged::Decided(decision) => decision,
                        Judged::Body(pending) => {
                            let mut read = pending.guard.check(request.headers);
                            let fed = read.feed(&pending.guard, body.as_bytes());
                            let rows = fed.and_then(|()| read.finish(&pending.guard));
                            pending.conclude(gate, request, &read, rows)
                        }
                    }
                });
                scene.charge(&decision, charge);
                (word(&decision), shown(&decision), identity(&decision))
            });
            prop_assert_eq!(&seen[0], &seen[1]);
            prop_assert_eq!(&seen[0], &seen[2]);
        }
    }
}
