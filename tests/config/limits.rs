//! `limits`: rates, tiers, and costs of responses.

use std::time::Duration;

use serde_json::json;
use tollgate::body::json::pointers::Pointers;
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
    let [tier] = limit.tiers.as_slice() else { panic!("one tier") };
    assert_eq!((tier.quota.refill(), tier.quota.burst()), (Duration::from_millis(1_400), 7));
    assert_eq!(tier.when.roles.any, Some(vec!["Batch".to_owned()]));
    let rule = &policy.rules[0];
    assert_eq!(rule.cost, Cost::Header { name: "x-batch".into(), max: 9 });
    assert_eq!(rule.concurrency, Some(8));
    let mut document = with("/limits/0/charge", json!("response"));
    set(&mut document, "/limits/0/response_cost", json!({"json": "/usage/total"}));
    let policy = load(&document);
    let pointers = |list: &[&[&str]]| {
        let list: Vec<Vec<String>> =
            list.iter().map(|tokens| tokens.iter().map(|t| (*t).to_owned()).collect()).collect();
        Pointers::new(list.iter().map(Vec::as_slice))
    };
    let cost = |pointers, missing| Some(ResponseCost { pointers, missing });
    assert_eq!(policy.limits[0].response_cost, cost(pointers(&[&["usage", "total"]]), None));
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
        (json!({}), "json: is required"),
        (json!({"missing": 1}), "json: is required"),
        (json!({"json": "usage"}), "json: \"usage\" is not a JSON Pointer"),
        (json!({"json": []}), "json: is an empty list"),
        (json!({"json": ["/a", "b"]}), "json[1]: \"b\" is not a JSON Pointer"),
        (json!({"json": many}), "json: has too many pointers; allowed: 64"),
        (json!({"json": {"a": 1}}), "json: "),
        (json!({"json": "/a", "missing": -1}), "missing: "),
        (json!({"json": "/a", "missing": 1_000_000_001_u64}), large),
        // Members of the contract that this version does not know.
        (json!({"json": "/a", "sum": []}), "sum: "),
        (json!({"preset": "any"}), "preset: "),
    ] {
        let mut document = with("/limits/0/charge", json!("response"));
        set(&mut document, "/limits/0/response_cost", cost.clone());
        let lines = problems(&document.to_string());
        let problem = format!("limits[0].response_cost.{problem}");
        assert!(lines.iter().any(|line| line.starts_with(&problem)), "{cost}: {lines:?}");
    }
}
