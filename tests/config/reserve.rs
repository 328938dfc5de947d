//! `limits[].reserve` and `limits[].price`.

use serde_json::{Value, json};
use tollgate::limit::reserve::{Price, Reserve};

use crate::document::*;

/// A document with a guarded rule and one limit of 100,000 an hour that reserves.
fn document(members: Value) -> Value {
    let mut document = with("/rules/0/payload", json!({"content_types": ["application/json"]}));
    set(&mut document, "/limits/0/rate", json!("100000/h"));
    document["limits"][0].as_object_mut().unwrap().remove("burst");
    set(&mut document, "/limits/0/charge", json!("response"));
    set(&mut document, "/limits/0/response_cost", json!({"json": "/usage/total_tokens"}));
    for (name, value) in members.as_object().unwrap() {
        set(&mut document, &format!("/limits/0/{name}"), value.clone());
    }
    document
}

fn tokens(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(str::to_owned).collect()
}

#[test]
fn a_reservation_and_a_price_are_compiled_with_their_defaults() {
    let policy = load(&document(json!({
        "reserve": {
            "json": ["/max_tokens", "/generationConfig/maxOutputTokens"], "default": 1024,
            "max": 10000, "bytes_per_token": 4,
        },
        "price": {"json": "/model", "of": {"gpt-5": 10, "gpt-4.1": 3}, "default": 2},
    })));
    let limit = &policy.limits[0];
    assert_eq!(
        limit.reserve,
        Some(Reserve {
            json: vec![tokens("/max_tokens"), tokens("/generationConfig/maxOutputTokens")],
            default: 1_024,
            max: 10_000,
            bytes_per_token: Some(4),
        })
    );
    let mut price = limit.price.clone().unwrap();
    price.of.sort();
    let of = vec![("gpt-4.1".to_owned(), 3), ("gpt-5".to_owned(), 10)];
    assert_eq!(price, Price { json: tokens("/model"), of, default: 2 });
    assert!(policy.rules.iter().any(|rule| rule.payload.as_ref().is_some_and(|guard| guard.reads)));
    let policy = load(&document(json!({"reserve": {"json": "/max_tokens", "max": 100000}})));
    let reserve = policy.limits[0].reserve.as_ref().unwrap();
    assert_eq!((reserve.default, reserve.bytes_per_token), (100_000, None));
    // A reservation that does not depend on the body needs no guard.
    let mut bare = document(json!({"reserve": {"default": 10, "max": 20}}));
    bare["rules"][0].as_object_mut().unwrap().remove("payload");
    assert!(load(&bare).limits[0].reserve.is_some());
}

#[test]
fn a_reservation_that_no_bucket_holds_is_refused_with_the_numbers() {
    let reserve = |max: u64| json!({"json": "/max_tokens", "max": max});
    let price = json!({"json": "/model", "of": {"gpt-5": 10}, "default": 2});
    let tiers = json!([
        {"when": {"roles_any": ["Batch"]}, "rate": "900000/h"},
        {"when": {"roles_any": ["Small"]}, "rate": "900000/h", "burst": 5000},
    ]);
    for (members, problem) in [
        (
            json!({"reserve": reserve(100_001)}),
            "reserve.max: reserves up to 100001 × 1 = 100001 tokens, and a bucket of the limit holds 100000",
        ),
        (
            json!({"reserve": reserve(10_001), "price": price}),
            "reserve.max: reserves up to 10001 × 10 = 100010 tokens, and a bucket of the limit holds 100000",
        ),
        (
            json!({"reserve": reserve(5_001), "tiers": tiers}),
            "reserve.max: reserves up to 5001 × 1 = 5001 tokens, and a bucket of tiers[1] holds 5000",
        ),
        (
            json!({"reserve": reserve(10), "rate_claim": {"claim": "q", "max": "9/s"}}),
            "rate_claim: needs a burst with reserve",
        ),
    ] {
        refused_text(&document(members).to_string(), &format!("limits[0].{problem}"));
    }
    load(&document(json!({"reserve": reserve(10_000), "price": price})));
    load(&document(json!({"reserve": reserve(5_000), "tiers": tiers})));
    let claim = json!({"claim": "q", "max": "9/s"});
    load(&document(json!({"reserve": reserve(10), "rate_claim": claim, "burst": 100_000})));
}

#[test]
fn a_missing_number_that_is_cheaper_than_the_reservation_is_warned_of() {
    let document = |missing: u64| {
        document(json!({
            "response_cost": {"json": "/usage/total_tokens", "missing": missing},
            "reserve": {"json": "/max_tokens", "default": 100, "max": 1000},
        }))
    };
    let warning = "limits[0].response_cost.missing: is less than reserve.max, 1000";
    warned(&document(999), Some(warning));
    warned(&document(1000), None);
}

#[test]
fn a_reservation_by_members_of_several_apis_is_warned_of_unless_the_rule_closes_all_but_one() {
    let closed = |names: &[&str]| {
        let test = |name: &&str| json!({"json": name, "exists": false});
        json!({"body": names.iter().map(test).collect::<Vec<_>>()})
    };
    let all = ["/max_tokens", "/max_completion_tokens", "/max_output_tokens"];
    let start = |one, other| {
        format!("rules[0].limits: reserve by members of several APIs, {one} and {other}: ")
    };
    let texts = [
        start("/max_tokens", "/max_output_tokens"),
        start("/max_tokens", "/options/num_predict"),
        start("/max_completion_tokens", "/max_output_tokens"),
        start("/max_tokens", "/options/a~1b"),
    ];
    let [several, ollama, half, escaped] = texts.each_ref().map(|text| Some(text.as_str()));
    for (pointers, allow, auth, warning) in [
        (&all[..], None, "required", several),
        (&all[..2], None, "required", None),
        (&all[2..], None, "required", None),
        (&["/max_tokens", "/options/num_predict"][..], None, "required", ollama),
        (&["/max_tokens", "/options/a~1b"][..], None, "required", escaped),
        (&all[..], Some(json!([closed(&all[2..])])), "required", None),
        (&all[..], Some(json!([closed(&all[..2])])), "required", None),
        (&all[..], Some(json!([closed(&all[..1])])), "required", half),
        // Another entry, or a caller without a token, leaves it open.
        (&all[..], Some(json!([closed(&all[2..]), {"clients": ["a"]}])), "required", several),
        (&all[..], Some(json!([closed(&all[2..])])), "optional", several),
        (
            &all[..],
            Some(json!([{"body": [{"json": "/max_output_tokens", "exists": true}]}])),
            "required",
            several,
        ),
    ] {
        let mut document: Value =
            document(json!({"reserve": {"json": pointers, "default": 100, "max": 1000}}));
        document["rules"][0]["auth"] = json!(auth);
        if let Some(allow) = allow {
            document["rules"][0]["allow"] = allow;
        }
        warned(&document, warning);
    }
}

#[test]
fn a_reservation_and_a_price_are_checked() {
    let reserve = |members: Value| {
        let mut reserve = json!({"json": "/max_tokens", "max": 100});
        for (name, value) in members.as_object().unwrap() {
            reserve[name] = value.clone();
        }
        json!({"reserve": reserve})
    };
    let price = |members: Value| {
        let mut price = json!({"json": "/model", "of": {"a": 1}, "default": 2});
        for (name, value) in members.as_object().unwrap() {
            price[name] = value.clone();
        }
        json!({"price": price})
    };
    for (members, problem) in [
        (json!({"reserve": {"json": "/max_tokens"}}), "reserve.max: is required"),
        (reserve(json!({"max": 0})), "reserve.max: …out of bounds"),
        (reserve(json!({"default": 101})), "reserve.default: is more than max, 100"),
        (reserve(json!({"default": 0})), "reserve.default: …out of bounds"),
        (reserve(json!({"bytes_per_token": 0})), "reserve.bytes_per_token: …out of bounds"),
        (reserve(json!({"json": "max_tokens"})), "reserve.json: …is not a JSON Pointer"),
        (reserve(json!({"json": ["/a", "b"]})), "reserve.json[1]: …is not a JSON Pointer"),
        (reserve(json!({"json": []})), "reserve.json: is an empty list"),
        (reserve(json!({"n": 1})), "reserve.n: unknown field"),
        (json!({"price": {"json": "/model", "default": 1}}), "price.of: is required"),
        (price(json!({"of": {}})), "price.of: is required"),
        (json!({"price": {"json": "/model", "of": {"a": 1}}}), "price.default: is required"),
        (json!({"price": {"of": {"a": 1}, "default": 1}}), "price.json: is required"),
        (price(json!({"json": "model"})), "price.json: …is not a JSON Pointer"),
        (price(json!({"of": {"a": 0}})), "price.of.a: …out of bounds"),
        (price(json!({"of": {"a": 0.5}})), "price.of.a: is 0.5, expected a whole number"),
        (price(json!({"of": ["a"]})), "price.of: is a list, expected an object"),
        (price(json!({"of": {"a;b": 1}})), "price.of.a;b: is no name of a model"),
        (price(json!({"of": {"": 1}})), "price.of.: is no name of a model"),
        (price(json!({"default": 0})), "price.default: …out of bounds"),
    ] {
        refused_text(&document(members).to_string(), &format!("limits[0].{problem}"));
    }
    let mut early = document(reserve(json!({})));
    for member in ["charge", "response_cost"] {
        early["limits"][0].as_object_mut().unwrap().remove(member);
    }
    refused_text(&early.to_string(), "limits[0].reserve: is only allowed with charge: response");
}

#[test]
fn a_limit_that_reads_the_body_needs_a_rule_that_guards_it() {
    let price = json!({"price": {"json": "/model", "of": {"a": 1}, "default": 2}});
    let named = json!({"reserve": {"json": "/max_tokens", "max": 100}});
    let sized = json!({"reserve": {"default": 10, "max": 100, "bytes_per_token": 4}});
    for members in [price, named, sized] {
        let mut bare = document(members.clone());
        load(&bare);
        bare["rules"][0].as_object_mut().unwrap().remove("payload");
        let problem = "rules[0].payload: is required, because the limit \"calls\" reads the body";
        refused_text(&bare.to_string(), problem);
    }
}
