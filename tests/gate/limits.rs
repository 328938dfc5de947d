//! Standings, dry runs, places in flight, a store that is absent.

use super::*;

#[test]
fn the_remaining_share_is_the_least_of_any_limit() {
    let scene = Scene::new(json!({
        "rules": [
            {"name": "free", "match": {"paths": ["/free"]}},
            {"name": "all", "limits": ["wide", "narrow"]},
        ],
        "limits": [
            {"name": "wide", "rate": "1000/h"},
            {"name": "narrow", "rate": "1/h", "burst": 3, "dry_run": true},
        ],
    }));
    let told: Vec<_> =
        (0..4).map(|_| scene.ask("a", json!({})).facts.remaining_percent()).collect();
    assert_eq!(told, [Some(66), Some(33), Some(0), Some(0)]);
    let bearer = scene.bearer("a", json!({}));
    let free = scene.judge(&[(":path", "/free"), ("authorization", &bearer)]);
    assert_eq!(free.facts.remaining_percent(), None);
}

#[test]
fn a_dry_limit_and_a_dry_rule_report_what_they_would_refuse() {
    for (rule, limit, want) in [
        (json!({}), json!({"dry_run": true}), ["ok", "rate_limited"]),
        (json!({"dry_run": true}), json!({}), ["ok", "rate_limited"]),
        (json!({"cost": 2}), json!({"dry_run": true}), ["cost_exceeds_burst"; 2]),
        (json!({"cost": 2, "dry_run": true}), json!({}), ["cost_exceeds_burst"; 2]),
    ] {
        let mut limit = limit;
        limit["rate"] = json!("1/h");
        let scene = Scene::new(limited(rule.clone(), limit.clone()));
        let judged = [0, 1].map(|_| scene.ask("a", json!({})));
        assert_eq!(judged.each_ref().map(word), want, "{rule} {limit}");
        assert_eq!(judged[1].verdict.decision(), "would_deny", "{rule} {limit}");
        assert_eq!(judged[1].limited_by().unwrap().name, "l", "{rule} {limit}");
    }
}

#[test]
fn of_dry_limits_one_that_can_never_be_met_is_reported() {
    for (burst, want) in [(1, "cost_exceeds_burst"), (2, "rate_limited")] {
        let scene = Scene::new(json!({
            "rules": [{"name": "all", "cost": 2, "limits": ["a", "b"]}],
            "limits": [
                {"name": "a", "rate": "3/h", "dry_run": true},
                {"name": "b", "rate": "1/h", "burst": burst, "dry_run": true},
            ],
        }));
        let judged = [0, 1].map(|_| scene.ask("a", json!({})));
        assert_eq!(word(&judged[1]), want, "{burst}");
    }
}

#[test]
fn of_several_limits_that_refuse_the_one_that_takes_longest_is_named() {
    for (limits, named) in [
        ([("second", "1/s", false), ("hour", "1/h", false)], "hour"),
        ([("hour", "1/h", false), ("second", "1/s", false)], "hour"),
        ([("first", "1/h", false), ("other", "1/h", false)], "first"),
        // A limit in a dry run refuses nothing.
        ([("second", "1/s", false), ("hour", "1/h", true)], "second"),
        ([("second", "1/s", true), ("hour", "1/h", true)], "hour"),
    ] {
        let limit = |(name, rate, dry): (&str, &str, bool)| json!({"name": name, "rate": rate, "dry_run": dry});
        let scene = Scene::new(json!({
            "rules": [{"name": "all", "limits": [limits[0].0, limits[1].0]}],
            "limits": limits.map(limit),
        }));
        let judged = [0, 1].map(|_| scene.ask("a", json!({})));
        assert_eq!(judged[1].limited_by().unwrap().name, named, "{limits:?}");
    }
}

#[test]
fn an_absent_store_refuses_unless_the_configuration_lets_pass() {
    for (mode, want) in [("deny", "store_unavailable"), ("allow", "ok")] {
        for rule in [json!({}), json!({"limits": [], "concurrency": 1})] {
            let mut document = limited(rule.clone(), json!({}));
            document["failure_mode"] = json!(mode);
            let mut scene = Scene::new(document);
            scene.table = None;
            scene.concurrency = None;
            let judged = scene.ask("a", json!({}));
            assert_eq!(word(&judged), want, "{mode} {rule}");
            let waits = judged.verdict.denial().map(|denial| denial.retry_after.is_some());
            assert_eq!(waits, (mode == "deny").then_some(true), "{mode} {rule}");
        }
    }
}

#[test]
fn a_place_in_flight_is_held_by_those_who_pass_and_given_back_by_those_who_do_not() {
    let scene = Scene::new(limited(json!({"concurrency": 2}), json!({"rate": "3/h"})));
    let mut held: Vec<_> = (0..2).map(|_| scene.ask("a", json!({}))).collect();
    let third = scene.ask("a", json!({}));
    assert_eq!(word(&third), "concurrency_limited");
    assert!(third.verdict.denial().unwrap().retry_after.is_some());
    assert_eq!(word(&scene.ask("b", json!({}))), "ok", "another identity has its own");
    let in_flight = || scene.concurrency.as_ref().unwrap().borrow().in_flight();
    assert_eq!(in_flight(), 3);
    assert!(held.iter().all(|judged| judged.lease.is_some()));
    scene.release(&mut held[0]);
    assert_eq!(word(&scene.ask("a", json!({}))), "ok");
    scene.release(&mut held[1]);
    // The bucket is empty: the place that was taken for this one is free again.
    assert_eq!(word(&scene.ask("a", json!({}))), "rate_limited");
    assert_eq!(in_flight(), 2);
}

#[test]
fn the_plan_names_the_limit_and_the_bucket_of_a_request() {
    let scene = Scene::new(limited(
        json!({"cost": {"header": "x-batch", "max": 8}}),
        json!({"tiers": [{"when": {"roles_any": ["Batch"]}, "rate": "70/h"}]}),
    ));
    let judged = scene.ask("a", json!({"roles": ["Batch"]}));
    scene.at_gate("192.0.2.1", &[], |gate, request| {
        let plan = gate.plan(request, &judged.facts, None);
        let told: Vec<_> =
            plan.iter().map(|p| (p.limit.name.as_str(), p.bucket(), p.cost)).collect();
        assert_eq!(told, [("l", Some("l/tier0"), 1)]);
    });
}
