//! Reservations and prices: what a body takes from the limits of its rule, and what its response leaves.

use tollgate::limit::plan::{Planned, Settlement};

use super::*;

/// A limit of 100,000 an hour with a reservation and these members besides.
fn reserving(members: Value) -> Value {
    let mut limit = json!({
        "name": "tokens", "rate": "100000/h", "charge": "response",
        "response_cost": {"json": "/usage/total_tokens"},
        "reserve": {"json": ["/max_tokens", "/generationConfig/max"], "default": 1000, "max": 4000},
    });
    for (name, value) in members.as_object().unwrap() {
        limit[name] = value.clone();
    }
    limit
}

/// One rule for all paths that guards the body, and a limit of requests beside that one.
fn scene(hold_head: bool, limit: Value) -> Scene {
    Scene::new(json!({
        "rules": [{
            "name": "all", "limits": ["requests", "tokens"], "cost": 3,
            "payload": {"max_bytes": "64KiB"},
        }],
        "limits": [{"name": "requests", "rate": "30/h"}, limit],
        "hold_head": hold_head,
    }))
}

/// What is left in each limit, by name.
fn left(decision: &Decision, name: &str) -> u64 {
    let mut reports = decision.facts.limits.iter();
    reports.find(|report| report.limit.name == name).unwrap().remaining
}

fn settle(scene: &Scene, decision: &Decision, end: End) -> Settlement {
    let planned: &Planned = &decision.charges[0];
    let (request, settlement) = planned.charge(end);
    let table = scene.table.as_ref().unwrap();
    let counters = &mut Counters::default();
    limit::settle(table, &scene.memory, &|| scene.now, &request, planned.held(), counters);
    settlement
}

#[test]
fn a_body_reserves_what_it_names_and_nobody_slips_out() {
    for (limit, body, reserved) in [
        (json!({}), r#"{"max_tokens": 70}"#, 70),
        (json!({}), r#"{"max_tokens": 69.5}"#, 70),
        (json!({}), r#"{"max_tokens": 7e1, "generationConfig": {"max": 90}}"#, 90),
        (json!({}), r#"{"max_tokens": 70, "generationConfig": {"max": null}}"#, 70),
        (json!({}), "{}", 1_000),
        (json!({}), "[]", 1_000),
        (json!({}), r#"{"max_tokens": null}"#, 1_000),
        (json!({}), r#"{"generationConfig": [{"max": 7}]}"#, 1_000),
        (json!({}), r#"{"max_tokens": 100000000000000000000000}"#, 4_000),
        (json!({}), r#"{"max_tokens": 0}"#, 4_000),
        (json!({}), r#"{"max_tokens": -1}"#, 4_000),
        (json!({}), r#"{"max_tokens": "70"}"#, 4_000),
        (json!({}), r#"{"max_tokens": true}"#, 4_000),
        (json!({}), r#"{"max_tokens": [70]}"#, 4_000),
        (json!({}), r#"{"max_tokens": {"n": 70}}"#, 4_000),
        (json!({}), r#"{"max_tokens": 1, "generationConfig": {"max": "9"}}"#, 4_000),
        // With a price: of a named model, another one, none, and one that servers read in different ways.
        (priced(), r#"{"max_tokens": 70, "model": "big"}"#, 700),
        (priced(), r#"{"max_tokens": 70, "model": "b\u0069g"}"#, 700),
        (priced(), r#"{"max_tokens": 70, "model": "small"}"#, 70),
        (priced(), r#"{"max_tokens": 70, "model": "other"}"#, 140),
        (priced(), r#"{"max_tokens": 70}"#, 140),
        (priced(), r#"{"max_tokens": 70, "model": null}"#, 140),
        (priced(), r#"{"max_tokens": 70, "model": "BIG "}"#, 700),
        (priced(), r#"{"max_tokens": 70, "model": ["small"]}"#, 700),
        (priced(), r#"{"max_tokens": 70, "model": {"id": "small"}}"#, 700),
        (priced(), r#"{"max_tokens": 70, "model": 5}"#, 140),
    ] {
        for hold_head in [false, true] {
            let scene = scene(hold_head, reserving(limit.clone()));
            let decision = scene.send(json!({}), body);
            assert_eq!(word(&decision), "ok", "{body}");
            assert_eq!(decision.charges[0].reserved, Some(reserved), "{body}");
            assert_eq!(decision.charges[0].held(), reserved, "{body}");
            assert_eq!(left(&decision, "tokens"), 100_000 - reserved, "{body}");
            assert_eq!(left(&decision, "requests"), 27, "{body}");
        }
    }
    // Two readings of a name are no reading.
    for body in [
        r#"{"max_tokens": 1, "max_tokens": 4000}"#,
        r#"{"max_tokens": 1, "Max_Tokens": 4000}"#,
        r#"{"model": "small", "model": "big"}"#,
        r#"{"model": "small", "Model": "big"}"#,
        r#"{"max_tokens": 1"#,
    ] {
        let decision = scene(true, reserving(priced())).send(json!({}), body);
        assert_eq!(word(&decision), "payload_malformed", "{body}");
        assert!(decision.charges.is_empty());
    }
}

fn priced() -> Value {
    json!({"price": {"json": "/model", "of": {"big": 10, "small": 1}, "default": 2}})
}

#[test]
fn the_bytes_of_a_body_reserve_tokens_too() {
    let mut limit = reserving(json!({}));
    limit["reserve"]["bytes_per_token"] = json!(4);
    let scene = scene(true, limit);
    let body = format!(r#"{{"max_tokens":70,"text":"{}"}}"#, "x".repeat(4_000));
    let decision = scene.send(json!({}), &body);
    let bytes = body.len() as u64;
    assert_eq!(decision.charges[0].reserved, Some(70 + bytes.div_ceil(4)));
}

#[test]
fn the_budget_after_the_response_is_that_of_the_arithmetic() {
    use Settlement::{Missing, Refunded, Settled};
    let missing = json!({"response_cost": {"json": "/usage/total_tokens", "missing": 400}});
    let with_price = |mut limit: Value| {
        limit["price"] = priced()["price"].clone();
        limit
    };
    for (limit, end, settlement, used) in [
        (json!({}), End::Told(50), Settled, 50),
        (json!({}), End::Told(70), Settled, 70),
        (json!({}), End::Told(90), Settled, 90),
        (json!({}), End::Told(0), Settled, 0),
        // The cost of the rule stays.
        (json!({}), End::Failed, Refunded, 3),
        (json!({}), End::Untold, Missing, 70),
        (json!({}), End::Cut(5), Missing, 70),
        (json!({}), End::Cut(90), Missing, 90),
        (missing.clone(), End::Untold, Missing, 400),
        (missing.clone(), End::Failed, Refunded, 3),
        (with_price(json!({})), End::Told(50), Settled, 500),
        (with_price(json!({})), End::Told(90), Settled, 900),
        (with_price(json!({})), End::Failed, Refunded, 30),
        (with_price(json!({})), End::Untold, Missing, 700),
        (with_price(missing.clone()), End::Cut(300), Missing, 4_000),
        (with_price(missing), End::Untold, Missing, 4_000),
    ] {
        let scene = scene(true, reserving(limit));
        let body = r#"{"max_tokens": 70, "model": "big"}"#;
        let decision = scene.send(json!({}), body);
        assert_eq!(settle(&scene, &decision, end), settlement, "{end:?}");
        let next = scene.send(json!({}), r#"{"max_tokens": 1, "model": "small"}"#);
        assert_eq!(left(&next, "tokens"), 100_000 - used - 1, "{end:?}");
    }
}

#[test]
fn a_request_costs_and_is_charged_at_the_price_of_its_model_without_a_reservation() {
    // By its response.
    let mut limit = reserving(priced());
    limit.as_object_mut().unwrap().remove("reserve");
    let scene = scene(false, limit);
    let decision = scene.send(json!({}), r#"{"model": "big"}"#);
    assert_eq!((decision.charges[0].reserved, decision.charges[0].held()), (None, 0));
    assert_eq!(settle(&scene, &decision, End::Told(7)), Settlement::Settled);
    let decision = scene.send(json!({}), r#"{"model": "big"}"#);
    assert_eq!(left(&decision, "tokens"), 100_000 - 70);
    // A failure without a reservation costs what is missing: the cost of the rule at the price.
    assert_eq!(settle(&scene, &decision, End::Failed), Settlement::Missing);
    let decision = scene.send(json!({}), "{}");
    assert_eq!(left(&decision, "tokens"), 100_000 - 70 - 30);
    // By itself: one token with its headers, the rest with its body.
    let limit = json!({"name": "tokens", "rate": "40/h", "price": priced()["price"]});
    for hold_head in [false, true] {
        let scene = self::scene(hold_head, limit.clone());
        for (body, want, tokens) in [
            (r#"{"model": "big"}"#, "ok", 10),
            (r#"{"model": "small"}"#, "ok", 7),
            (r#"{"model": "other"}"#, "ok", 1),
            (r#"{"model": "big"}"#, "rate_limited", 0),
        ] {
            let decision = scene.send(json!({}), body);
            assert_eq!((word(&decision), left(&decision, "tokens")), (want, tokens), "{body}");
        }
    }
}

#[test]
fn a_reservation_that_does_not_fit_takes_from_no_limit_and_names_the_moment_at_which_it_does() {
    let mut scene = scene(true, reserving(json!({"rate": "36000/h", "burst": 4000})));
    let big = r#"{"max_tokens": 3000}"#;
    assert_eq!(word(&scene.send(json!({}), big)), "ok");
    for _ in 0..20 {
        let refused = scene.send(json!({}), big);
        assert_eq!(word(&refused), "rate_limited");
        assert_eq!((left(&refused, "tokens"), left(&refused, "requests")), (1_000, 27));
        let wait = refused.verdict.denial().unwrap().retry_after.unwrap();
        assert_eq!(wait, std::time::Duration::from_secs(200));
        assert!(refused.charges.is_empty());
    }
    // A smaller one fits, and both do at the moment that was named.
    let small = scene.send(json!({}), r#"{"max_tokens": 1000}"#);
    assert_eq!(left(&small, "requests"), 24);
    settle(&scene, &small, End::Told(0));
    scene.now = scene.now + std::time::Duration::from_nanos(199_999_999_999);
    assert_eq!(word(&scene.send(json!({}), big)), "rate_limited");
    scene.now = scene.now + std::time::Duration::from_nanos(1);
    assert_eq!(word(&scene.send(json!({}), big)), "ok");
}

#[test]
fn headers_that_go_on_before_their_body_pay_what_they_can_and_need_one_token_of_the_budget() {
    let scene = scene(false, reserving(json!({"rate": "1/h", "burst": 4000})));
    assert_eq!(word(&scene.send(json!({}), r#"{"max_tokens": 4000}"#)), "ok");
    let bearer = scene.bearer("alice", json!({}));
    match scene.judged("192.0.2.1", &[("authorization", &bearer)]) {
        Judged::Decided(decision) => assert_eq!(word(&decision), "rate_limited"),
        Judged::Body(_) => panic!("the headers went on"),
    }
    // Headers that went on have paid the other limits, and the body gives nothing back.
    let scene = self::scene(false, reserving(json!({"rate": "1/h", "burst": 4000})));
    assert_eq!(word(&scene.send(json!({}), r#"{"max_tokens": 3000}"#)), "ok");
    let refused = scene.send(json!({}), r#"{"max_tokens": 3000}"#);
    assert_eq!(word(&refused), "rate_limited");
    assert_eq!((left(&refused, "requests"), left(&refused, "tokens")), (24, 1_000));
}

#[test]
fn a_request_without_a_body_reserves_the_default_at_once() {
    let scene = scene(true, reserving(priced()));
    let bearer = scene.bearer("alice", json!({}));
    let headers = Headers::from_pairs(&[
        (":method", "GET"),
        (":path", "/"),
        (":authority", "h"),
        ("authorization", bearer.as_str()),
    ]);
    let request = Request {
        headers: &headers,
        bodyless: true,
        client_address: &|| None,
        now: scene.now,
        peer_certificate: &|| None,
        clock: &|| scene.now,
    };
    match scene.gate(|gate| gate.judge(&request)) {
        Judged::Decided(decision) => assert_eq!(decision.charges[0].held(), 2_000),
        Judged::Body(_) => panic!("no body comes"),
    }
}

#[test]
fn what_is_not_taken_is_not_given_back() {
    // A limit in a dry run that has too little, and a store that fails while all is allowed.
    let dry = scene(true, reserving(json!({"rate": "1/h", "burst": 4000, "dry_run": true})));
    let whole = r#"{"max_tokens": 4000}"#;
    assert_eq!(dry.send(json!({}), whole).charges[0].held(), 4_000);
    let passed = dry.send(json!({}), whole);
    assert_eq!((word(&passed), passed.verdict.decision()), ("rate_limited", "would_deny"));
    assert_eq!((passed.charges[0].reserved, passed.charges[0].held()), (Some(4_000), 0));
    settle(&dry, &passed, End::Failed);
    // The first reservation and the cost of the second request: three tokens are owed.
    assert_eq!(left(&dry.send(json!({}), whole), "tokens"), 0);

    let mut broken = Scene::new(json!({
        "rules": [{"name": "all", "limits": ["tokens"], "payload": {}}],
        "limits": [reserving(json!({}))],
        "failure_mode": "allow",
    }));
    broken.table = None;
    let passed = broken.send(json!({}), whole);
    assert_eq!((word(&passed), passed.charges[0].held()), ("ok", 0));
}

#[test]
fn a_body_of_another_format_reserves_the_most_at_the_dearest_price() {
    let scene = Scene::new(json!({
        "rules": [{
            "name": "all", "limits": ["tokens"], "cost": {"json_rows": ["/data"], "max": 9},
        }],
        "limits": [reserving(priced())],
    }));
    let bearer = scene.bearer("alice", json!({}));
    let headers = [("authorization", bearer.as_str()), ("content-type", "text/csv")];
    let decision =
        scene.at_gate("192.0.2.1", &headers, |gate, request| match gate.judge(request) {
            Judged::Decided(decision) => decision,
            Judged::Body(pending) => {
                let mut read = pending.guard.check(request.headers);
                read.feed(&pending.guard, b"max_tokens\n1\n").unwrap();
                let rows = read.finish(&pending.guard);
                pending.conclude(gate, request, &read, rows)
            }
        });
    assert_eq!((word(&decision), decision.charges[0].reserved), ("ok", Some(40_000)));
}

#[test]
fn the_pointers_of_a_budget_do_not_count_as_rows() {
    let scene = Scene::new(json!({
        "rules": [{
            "name": "all", "limits": ["tokens"],
            "payload": {"max_rows": 2, "require_any": ["/messages"]},
        }],
        "limits": [reserving(priced())],
    }));
    for (body, want) in [
        (r#"{"max_tokens": 7, "model": "m", "messages": [1, 2]}"#, "ok"),
        (r#"{"max_tokens": 7, "model": "m", "messages": [1, 2, 3]}"#, "rows_exceeded"),
        (r#"{"max_tokens": 7, "model": "m"}"#, "payload_malformed"),
    ] {
        assert_eq!(word(&scene.send(json!({}), body)), want, "{body}");
    }
}
