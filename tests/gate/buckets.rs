//! Which bucket a request takes from.

use super::*;

#[test]
fn a_caller_has_the_bucket_of_its_own_rate_else_of_its_first_tier_else_of_the_limit() {
    let scene = Scene::new(limited(
        json!({}),
        json!({
            "tiers": [
                {"when": {"roles_any": ["Batch"]}, "rate": "7/h"},
                {"when": {"roles_any": ["Batch", "Night"]}, "rate": "9/h", "burst": 11},
            ],
            "rate_claim": {"claim": "/quota/rps", "max": "20/h"},
        }),
    ));
    for (subject, claims, want) in [
        ("plain", json!({}), 5),
        ("batch", json!({"roles": ["Batch"]}), 7),
        ("night", json!({"roles": ["Night"]}), 11),
        ("own", json!({"quota": {"rps": 3}, "roles": ["Batch"]}), 3),
        ("text", json!({"quota": {"rps": "12"}}), 12),
        ("greedy", json!({"quota": {"rps": 1e9}}), 20),
        ("nothing", json!({"quota": {"rps": 0}}), 1),
        ("nonsense", json!({"quota": {"rps": true}}), 5),
        // A second token of the same caller, with a quota of its own, has a bucket of its own.
        ("plain", json!({"roles": ["Batch"]}), 7),
        ("plain", json!({}), 0),
    ] {
        assert_eq!(scene.passes(subject, &claims), want, "{subject} {claims}");
    }
}

#[test]
fn an_unknown_caller_is_counted_by_address_and_never_in_the_bucket_of_a_name() {
    let scene = Scene::new(limited(json!({"auth": "optional"}), json!({"rate": "2/h"})));
    let judged: Vec<_> = (0..3).map(|_| scene.judge(&[])).collect();
    let told = judged.iter().map(|judged| {
        let hours = |report: &LimitReport| report.reset.as_secs() / 1_800;
        (word(judged), judged.facts.limits[0].remaining, hours(&judged.facts.limits[0]))
    });
    // The last column: half hours until the bucket is full again.
    let want = [("anonymous", 1, 1), ("anonymous", 0, 2), ("rate_limited", 0, 2)];
    assert_eq!(told.collect::<Vec<_>>(), want);
    let keyed = Scene::new(limited(json!({}), json!({"key": "{sub}", "rate": "1/h"})));
    for (subject, want) in [("192.0.2.1", "ok"), ("a", "ok"), ("a", "rate_limited")] {
        assert_eq!(word(&keyed.ask(subject, json!({}))), want, "{subject}");
    }
}

/// A host has a /64 of IPv6: it is one caller, and so is an IPv4 address however it is written.
#[test]
fn the_addresses_of_one_network_are_one_caller_in_limits_places_and_tags() {
    let document = |prefixes: Value| {
        let mut document = limited(
            json!({"auth": "none", "concurrency": 2}),
            json!({"rate": "3/h", "key": "{@client_address}"}),
        );
        document["client_address"] = prefixes;
        document
    };
    let flood: Vec<_> = (0..6_144_u32).map(|n| format!("2001:db8:1:2::{n:x}")).collect();
    let mapped = ["192.0.2.9", "::ffff:192.0.2.9", "::ffff:c000:209"].map(str::to_owned);
    for (prefixes, addresses, want) in [
        (json!({}), &flood[..], 2),
        (json!({"ipv6_prefix": 128}), &flood[..64], 64),
        (json!({}), &mapped[..], 2),
        (
            json!({"ipv4_prefix": 24}),
            &["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(str::to_owned),
            2,
        ),
        (json!({}), &["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(str::to_owned), 3),
    ] {
        let scene = Scene::new(document(prefixes.clone()));
        // The places are taken first: two of one caller.
        let words: Vec<_> =
            addresses.iter().map(|address| word(&scene.judge_from(address, &[]))).collect();
        let passed = words.iter().filter(|word| **word == "anonymous").count();
        assert_eq!(passed, want, "{prefixes} {:?}", words.first());
    }
}

/// Callers without a token fill only the buckets whose key has no part of a token.
#[test]
fn a_flood_without_tokens_evicts_no_verified_callers_bucket_nor_crowds_out_its_place() {
    let scene = Scene::new(json!({
        "store": {"max_identities": 2_048},
        "rules": [
            {"name": "open", "match": {"paths": ["/open"]}, "auth": "none",
             "limits": ["address", "header", "caller"]},
            {"name": "busy", "match": {"paths": ["/busy"]}, "auth": "none", "concurrency": 4},
            {"name": "score", "limits": ["caller"], "concurrency": 9},
        ],
        "limits": [
            {"name": "address", "rate": "9/h", "key": "{@client_address}"},
            {"name": "header", "rate": "9/h", "key": "{@header:x-key}"},
            {"name": "caller", "rate": "1/h"},
        ],
    }));
    let callers: Vec<_> = (0..20).map(|n| format!("caller-{n}")).collect();
    for caller in &callers {
        assert_eq!(word(&scene.ask(caller, json!({}))), "ok");
    }
    for n in 0..6_144_u32 {
        let address = format!("2001:db8:{:x}:{:x}::1", n / 256, n % 256);
        // The places of callers without a token are full some time.
        for (path, words) in
            [("/open", &["anonymous"][..]), ("/busy", &["anonymous", "store_unavailable"])]
        {
            let headers = [(":path", path), ("x-key", &n.to_string())];
            let judged = scene.judge_from(&address, &headers);
            assert!(words.contains(&word(&judged)), "{path} {}", word(&judged));
        }
    }
    for caller in &callers {
        assert_eq!(word(&scene.ask(caller, json!({}))), "rate_limited", "{caller}");
    }
    assert_eq!(word(&scene.ask("someone new", json!({}))), "ok");
}

#[test]
fn a_separator_inside_a_part_makes_no_caller_another_one() {
    let scene = Scene::new(json!({
        "twin": "https://issuer.test/acme",
        "rules": [{"name": "all", "limits": ["l"]}],
        "limits": [{"name": "l", "rate": "1/h"}],
    }));
    let other = json!({"iss": "https://issuer.test/acme"});
    let judged = [scene.ask("acme/alice", json!({})), scene.ask("alice", other.clone())];
    assert_eq!(judged.each_ref().map(word), ["ok", "ok"]);
    let identities = judged.each_ref().map(|judged| identity(judged).unwrap());
    assert_eq!(identities, ["https://issuer.test/acme%2Falice", "https://issuer.test/acme/alice"]);
    assert_eq!(word(&scene.ask("acme/alice", json!({}))), "rate_limited");
    assert_eq!(word(&scene.ask("alice", other)), "rate_limited");
}

#[test]
fn callers_of_two_providers_share_neither_a_bucket_nor_a_place_in_flight() {
    for (key, shared) in [
        (json!("{@identity}"), false),
        (json!("{sub}"), false),
        (json!("{tid}"), false),
        (json!("{@rule} {sub}"), false),
        (json!("{@rule}"), true),
        (json!("everybody"), true),
    ] {
        let scene = Scene::new(json!({
            "identity": ["{sub}"],
            "twin": "https://twin.test",
            "rules": [{"name": "all", "limits": ["l"]}],
            "limits": [{"name": "l", "rate": "1/h", "key": key}],
        }));
        let ask = |iss: &str| word(&scene.ask("alice", json!({"iss": iss, "tid": "t"}))).to_owned();
        assert_eq!(ask("https://issuer.test"), "ok", "{key}");
        assert_eq!(ask("https://issuer.test"), "rate_limited", "{key}");
        let want = if shared { "rate_limited" } else { "ok" };
        assert_eq!(ask("https://twin.test"), want, "{key}");
    }
    let scene = Scene::new(json!({
        "identity": ["{sub}"],
        "twin": "https://twin.test",
        "rules": [{"name": "all", "concurrency": 1}],
    }));
    let ask = |iss: &str| scene.ask("alice", json!({"iss": iss}));
    let held = [ask("https://issuer.test"), ask("https://twin.test"), ask("https://twin.test")];
    assert_eq!(held.each_ref().map(word), ["ok", "ok", "concurrency_limited"]);
}

#[test]
fn the_parts_of_a_key_do_not_run_into_each_other() {
    for key in ["{a}{b}", "{a}/{b}", "{a}{@rule}{b}"] {
        let scene = Scene::new(json!({
            "rules": [{"name": "all", "limits": ["l"]}],
            "limits": [{"name": "l", "rate": "1/h", "key": key}],
        }));
        let ask =
            |a: Value, b: Value| word(&scene.ask("alice", json!({"a": a, "b": b}))).to_owned();
        for (a, b) in [
            (json!("x"), json!("yz")),
            (json!("xy"), json!("z")),
            (json!("x/y"), json!("z")),
            (json!("x"), json!("y/z")),
            (json!("x"), json!("y%2Fz")),
            (json!(["x", "y"]), json!("z")),
            (json!(["x,y"]), json!("z")),
            (json!("x,y"), json!(["z", "w"])),
        ] {
            assert_eq!(ask(a.clone(), b.clone()), "ok", "{key} {a} {b}");
            assert_eq!(ask(a.clone(), b.clone()), "rate_limited", "{key} {a} {b}");
        }
    }
}

#[test]
fn a_bucket_of_a_path_segment_has_one_spelling() {
    let rule = json!({"match": {"paths": ["/api/{endpoint}/score"]}});
    let scene = Scene::new(limited(rule, json!({"key": "{@path:endpoint}", "rate": "2/h"})));
    let bearer = scene.bearer("alice", json!({}));
    let ask = |path| word(&scene.judge(&[(":path", path), ("authorization", &bearer)]));
    let paths = ["/api/a/score", "/api/%61/score", "/api/a/score?x=1", "/api/A/score"];
    assert_eq!(paths.map(ask), ["ok", "ok", "rate_limited", "ok"]);
}
