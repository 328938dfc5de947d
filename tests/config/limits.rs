//! `limits`: rates, tiers, and costs of responses.

use std::time::Duration;

use serde_json::json;
use tollgate::body::meter::{Measure, Part, Preset};
use tollgate::limit::cost::Cost;
use tollgate::limit::plan::ResponseCost;

use crate::document::*;

#[test]
fn a_limit_has_a_name_of_its_own_and_a_rate() {
    let second = with("/limits/-", json!({"name": "calls", "rate": "1/s"}));
    refused_text(&second.to_string(), "limits[1].name: …twice");
    let rate = "limits[0].rate: is required; allowed: N/s";
    refused_text(&without("/limits/0/rate").to_string(), rate);
    refused("/limits/0/rate", [(json!("10/x"), ": \"10/x\" is not a rate; allowed:")]);
    refused("/limits/0/burst", [(json!(0), ": …too small; allowed: from 1")]);
    refused("/limits/0/key", [(json!("{@who}"), ": …allowed: {@identity}")]);
    refused("/limits/0/tiers", [(json!([{"rate": "1/s"}]), "[0].when: is required")]);
    refused(
        "/limits/0/rate_claim",
        [
            (json!({"claim": "x"}), ".max: is required"),
            (
                json!({"claim": "x", "max": "5000000000/s"}),
                ".max: is not a valid quota with every number up to it",
            ),
        ],
    );
    let unused = "limits[0]: no rule uses the limit \"calls\"";
    warned(&with("/rules/0/limits", json!([])), Some(unused));
    warned(&least(), None);
}

#[test]
fn what_a_limit_says_of_callers_and_responses_is_compiled() {
    let mut document = with("/limits/0/rate_claim", json!({"claim": "/quota/rps", "max": "9/s"}));
    set(&mut document, "/limits/0/dry_run", json!(true));
    let batch = json!([{"when": {"roles_any": ["Batch"]}, "rate": "5/s", "burst": 7}]);
    set(&mut document, "/limits/0/tiers", batch);
    set(&mut document, "/rules/0/cost", json!({"header": "X-Batch", "max": 9}));
    set(&mut document, "/rules/0/concurrency", json!(8));
    let policy = load(&document);
    let limit = &policy.limits[0];
    let claim = limit.rate_claim.as_ref().unwrap();
    assert_eq!((claim.most, claim.period, claim.debt), (9, Duration::from_secs(1), false));
    assert!(limit.dry_run && limit.response_cost.is_none());
    let [tier] = &limit.tiers[..] else { panic!("one tier") };
    assert_eq!((tier.quota.refill(), tier.quota.burst()), (Duration::from_millis(1_400), 7));
    assert_eq!(tier.when.roles.any, Some(vec!["Batch".to_owned()].into()));
    let rule = &policy.rules[0];
    assert_eq!(rule.cost, Cost::Header { name: "x-batch".into(), max: 9 });
    assert_eq!(rule.concurrency, Some(8));
    let mut document = with("/limits/0/charge", json!("response"));
    set(&mut document, "/limits/0/response_cost", json!({"json": "/usage/total"}));
    let policy = load(&document);
    let part = |list: &[&[&str]], weight| Part {
        pointers: list
            .iter()
            .map(|tokens| tokens.iter().map(|t| (*t).to_owned()).collect())
            .collect(),
        weight,
    };
    let pointers = |list| Measure::new(vec![vec![part(list, 1)]], false).unwrap();
    let cost = |measure, missing| Some(ResponseCost { measure, missing });
    assert_eq!(policy.limits[0].response_cost, cost(pointers(&[&["usage", "total"]]), None));
    let parts = json!([{"json": ["/a/in", "/b"], "weight": 1_000_000}, {"json": "/out"}]);
    set(&mut document, "/limits/0/response_cost", json!({"sum": parts}));
    let sum = vec![part(&[&["a", "in"], &["b"]], 1_000_000), part(&[&["out"]], 1)];
    let want = cost(Measure::new(vec![sum], false).unwrap(), None);
    assert_eq!(load(&document).limits[0].response_cost, want);
    for (name, preset) in [
        ("openai", Preset::OpenAi),
        ("anthropic", Preset::Anthropic),
        ("gemini", Preset::Gemini),
        ("ollama", Preset::Ollama),
        ("any", Preset::Any),
    ] {
        set(&mut document, "/limits/0/response_cost", json!({"preset": name, "missing": 7}));
        let want = cost(preset.measure().unwrap(), Some(7));
        assert_eq!(load(&document).limits[0].response_cost, want, "{name}");
    }
    for missing in [0, 1_000_000_000] {
        let several = json!({"json": ["/usage/total", "/n"], "missing": missing});
        set(&mut document, "/limits/0/response_cost", several);
        let want = cost(pointers(&[&["usage", "total"], &["n"]]), Some(missing));
        assert_eq!(load(&document).limits[0].response_cost, want);
    }
    // Only a bucket that is charged afterwards may owe.
    let plain = load(&with("/limits/0/charge", json!("request")));
    assert_eq!(policy.limits[0].quota, plain.limits[0].quota.with_debt());
}

#[test]
fn what_a_response_costs_is_read_from_one_pointer_or_several_and_bounded() {
    let document = with("/limits/0/charge", json!("response")).to_string();
    refused_text(&document, "limits[0].response_cost: is required");
    refused("/limits/0/response_cost", [(json!({"json": "/a"}), ": …charge: response")]);
    let many: Vec<_> = (0..65).map(|n| format!("/{n}")).collect();
    let large = "missing: 1000000001 is out of bounds; allowed: 0 to 1000000000";
    for (cost, problem) in [
        (json!({}), "is required; allowed: exactly one of json, sum, preset"),
        (json!({"missing": 1}), "is required; allowed: exactly one of json, sum, preset"),
        (json!({"json": "/a", "preset": "any"}), "has more than one member; allowed: exactly one"),
        (json!({"json": "/a", "sum": [{"json": "/b"}]}), "has more than one member"),
        (json!({"sum": [{"json": "/b"}], "preset": "any"}), "has more than one member"),
        (
            json!({"preset": "mistral"}),
            "preset: is \"mistral\", expected one of `openai`, `anthropic`",
        ),
        (json!({"sum": []}), "sum: is an empty list; allowed: parts such as"),
        (json!({"sum": {"json": "/a"}}), "sum: is an object, expected a list"),
        (json!({"sum": [{"weight": 2}]}), "sum[0].json: is required; allowed: a JSON Pointer"),
        (json!({"sum": [{"json": "a"}]}), "sum[0].json: \"a\" is not a JSON Pointer"),
        (
            json!({"sum": [{"json": "/a", "weight": 0}]}),
            "sum[0].weight: 0 is out of bounds; allowed: 1 to",
        ),
        (
            json!({"sum": [{"json": "/a", "weight": 0.5}]}),
            "sum[0].weight: is 0.5, expected a whole",
        ),
        (
            json!({"sum": [{"json": many[..64]}, {"json": "/x"}]}),
            "has too many pointers; allowed: 64",
        ),
        (json!({"json": "usage"}), "json: \"usage\" is not a JSON Pointer"),
        (json!({"json": []}), "json: is an empty list"),
        (json!({"json": ["/a", "b"]}), "json[1]: \"b\" is not a JSON Pointer"),
        (json!({"json": many}), "has too many pointers; allowed: 64"),
        (json!({"json": {"a": 1}}), "json: "),
        (json!({"json": "/a", "missing": -1}), "missing: "),
        (json!({"json": "/a", "missing": 1_000_000_001_u64}), large),
    ] {
        let mut document = with("/limits/0/charge", json!("response"));
        set(&mut document, "/limits/0/response_cost", cost.clone());
        let lines = problems(&document.to_string());
        let dot = if problem.starts_with("is") || problem.starts_with("has") { ": " } else { "." };
        let problem = format!("limits[0].response_cost{dot}{problem}");
        assert!(lines.iter().any(|line| line.starts_with(&problem)), "{cost}: {lines:?}");
    }
}
