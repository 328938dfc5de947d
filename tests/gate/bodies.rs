//! The costs of bodies and responses.

use std::time::Duration;

use super::*;

#[test]
fn a_body_costs_its_rows_and_a_refused_one_the_token_that_its_head_took() {
    let scene = Scene::new(limited(
        json!({"cost": {"json_rows": ["/data"], "max": 4}, "payload": {"max_rows": 100}}),
        json!({"rate": "10/h"}),
    ));
    for (rows, cost, want, left) in [
        (Err(Refusal::Rows(101)), 1, "rows_exceeded", 9),
        (Ok(0), 1, "ok", 8),
        (Ok(9), 4, "ok", 4),
        (Ok(1), 1, "ok", 3),
        // The head took one of three, and the rest of four is not there.
        (Ok(9), 4, "rate_limited", 2),
        (Ok(2), 2, "ok", 0),
    ] {
        let told = format!("{rows:?}");
        let judged = scene.ask_with_body(rows);
        assert_eq!((word(&judged), judged.facts.cost), (want, Some(cost)), "{told}");
        if let [report] = &judged.facts.limits[..] {
            assert_eq!(report.remaining, left, "{told}");
        }
    }
    // An empty bucket pays for no head.
    assert_eq!(word(&scene.ask("a", json!({}))), "rate_limited");
}

#[test]
fn checks_that_need_no_body_are_made_before_the_head_goes_on() {
    let guarded = |rule: Value, limit: Value| {
        let mut rule = rule;
        rule["payload"] = json!({});
        Scene::new(limited(rule, limit))
    };
    // The cost of the headers, and the number of requests whose headers pass with eight tokens.
    for (cost, heads) in [
        (json!(1), 8),
        (json!(3), 2),
        (json!(9), 0),
        (json!({"header": "x-batch", "max": 4}), 2),
        (json!({"json_rows": ["/data"], "max": 4}), 8),
    ] {
        for body in [Ok(1), Err(Refusal::Lacking)] {
            let scene = guarded(json!({"cost": cost}), json!({"rate": "8/h"}));
            let bearer = scene.bearer("a", json!({}));
            let mut went_on = 0;
            for _ in 0..20 {
                let headers = [("authorization", bearer.as_str()), ("x-batch", "4")];
                match scene.judged("192.0.2.1", &headers) {
                    Judged::Body(pending) => {
                        went_on += 1;
                        scene.conclude(pending, body);
                    }
                    Judged::Decided(decision) => {
                        assert!(decision.verdict.denial().is_some(), "{cost}");
                    }
                }
            }
            assert_eq!(went_on, heads, "{cost} {body:?}");
        }
    }
}

#[test]
fn missing_rows_are_announced_for_the_moment_at_which_the_whole_request_passes() {
    let rule = json!({"cost": {"json_rows": ["/data"], "max": 9}, "concurrency": 100});
    let mut scene = Scene::new(limited(rule, json!({"rate": "10/m", "burst": 8})));
    let conclude = |scene: &mut Scene, rows| {
        let mut judged = scene.ask_with_body(Ok(rows));
        scene.release(&mut judged);
        (word(&judged), judged.verdict.denial().and_then(|denial| denial.retry_after))
    };
    // One above the burst never passes, though a token of it is taken by the time.
    scene.now = scene.now + Duration::from_nanos(1);
    assert_eq!(conclude(&mut scene, 9), ("cost_exceeds_burst", None));
    scene.now = scene.now + Duration::from_secs(60);
    assert_eq!(conclude(&mut scene, 9), ("cost_exceeds_burst", None));
    // Seven are left, one of which the head takes.
    let (reason, wait) = conclude(&mut scene, 8);
    assert_eq!(reason, "rate_limited");
    scene.now = scene.now + wait.unwrap() - Duration::from_nanos(1);
    let (reason, more) = conclude(&mut scene, 8);
    assert_eq!(reason, "rate_limited", "a nanosecond early");
    scene.now = scene.now + more.unwrap();
    assert_eq!(conclude(&mut scene, 8), ("ok", None));
}

#[test]
fn a_dry_limit_that_would_have_refused_the_head_says_so_of_the_request() {
    let scene = Scene::new(limited(
        json!({"cost": {"json_rows": ["/data"], "max": 4}}),
        json!({"rate": "1/h", "dry_run": true}),
    ));
    for (rows, want) in [(1, "ok"), (1, "rate_limited"), (4, "cost_exceeds_burst")] {
        let judged = scene.ask_with_body(Ok(rows));
        assert_eq!(word(&judged), want, "{rows}");
        assert_ne!(judged.verdict.decision(), "deny");
    }
}

#[test]
fn a_response_is_charged_what_it_says_else_what_the_request_costs() {
    let scene = Scene::new(limited(
        json!({"cost": 2}),
        json!({"rate": "9/h", "charge": "response", "response_cost": {"json": "/usage/n"}}),
    ));
    let charge = |found: Option<u64>| {
        let judged = scene.ask("a", json!({}));
        scene.charge(&judged, found);
        let remaining = judged.facts.limits.first().map(|report| report.remaining);
        (word(&judged), remaining)
    };
    // The response shows the balance before the charge.
    assert_eq!(charge(None), ("ok", Some(9)));
    assert_eq!(charge(Some(6)), ("ok", Some(7)));
    assert_eq!(charge(Some(50)), ("ok", Some(1)));
    assert_eq!(charge(None).0, "rate_limited");
}

#[test]
fn a_response_without_the_number_is_charged_what_is_missing() {
    for (missing, number, left) in
        [(Some(5), None, 4), (Some(5), Some(3), 6), (Some(0), None, 9), (None, None, 7)]
    {
        let mut cost = json!({"json": "/usage/n"});
        if let Some(missing) = missing {
            cost["missing"] = json!(missing);
        }
        let scene = Scene::new(limited(
            json!({"cost": 2}),
            json!({"rate": "9/h", "charge": "response", "response_cost": cost}),
        ));
        scene.charge(&scene.ask("a", json!({})), number);
        let next = scene.ask("a", json!({}));
        assert_eq!(next.facts.limits[0].remaining, left, "{missing:?} {number:?}");
    }
}

#[test]
fn a_response_that_cannot_be_charged_is_counted() {
    let scene = Scene::new(limited(
        json!({}),
        json!({"charge": "response", "response_cost": {"json": "/usage/n"}}),
    ));
    let judged = scene.ask("a", json!({}));
    let (request, _) = judged.charges[0].charge(End::Told(3));
    let mut counters = Counters::default();
    let table = scene.table.as_ref().unwrap();
    for (store, uncharged) in [(&scene.memory as &dyn Store, 0), (&Broken, 1), (&Broken, 2)] {
        limit::settle(table, store, &|| scene.now, &request, 0, &mut counters);
        assert_eq!(counters.uncharged, uncharged);
    }
}
