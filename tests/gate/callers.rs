//! Identities, bound tokens, tags, and the names in a denial.

use super::*;

#[test]
fn a_bound_token_is_good_over_the_connection_of_its_certificate_alone() {
    let mut scene = Scene::new(json!({"bind": "mtls"}));
    let bound = |value: Value| json!({"cnf": {"x5t#S256": value}});
    let own = bound(json!(mint::b64(&[0xab; 32])));
    let hex = |byte: &str| Some(byte.repeat(32).into_bytes());
    for (claims, certificate, want) in [
        (own.clone(), hex("ab"), "ok"),
        (own.clone(), hex("AB"), "ok"),
        (own.clone(), hex("ac"), "binding_mismatch"),
        (own.clone(), None, "binding_mismatch"),
        (own.clone(), Some(b"ab".to_vec()), "binding_mismatch"),
        (own.clone(), hex("xy"), "binding_mismatch"),
        (own, Some([&b"ab".repeat(32)[..], b"a"].concat()), "binding_mismatch"),
        (json!({}), hex("ab"), "claim_missing"),
        (json!({"cnf": {}}), hex("ab"), "claim_missing"),
        (json!({"cnf": "x"}), hex("ab"), "claim_malformed"),
        (bound(json!(1)), hex("ab"), "claim_malformed"),
        (bound(json!("+")), hex("ab"), "claim_malformed"),
        (bound(json!(mint::b64(&[0xab; 31]))), hex("ab"), "claim_malformed"),
    ] {
        scene.certificate = certificate;
        assert_eq!(word(&scene.ask("a", claims.clone())), want, "{claims}");
    }
}

#[test]
fn an_identity_is_of_texts_and_exact_numbers_and_may_name_its_provider() {
    for (template, claims, want) in [
        ("{@provider}/{sub}", json!({}), Some("main/alice")),
        ("{uid}", json!({"uid": 7}), Some("7")),
        ("{uid}", json!({"uid": 9_007_199_254_740_993_u64}), None),
        ("{uid}", json!({"uid": 1e300}), None),
        ("{uid}", json!({"uid": ["alice"]}), None),
        ("{uid}", json!({"uid": []}), None),
        ("{uid}", json!({"uid": {"a": 1}}), None),
        ("{uid}", json!({"uid": ""}), None),
    ] {
        let scene = Scene::new(json!({"identity": [template]}));
        let judged = scene.ask("alice", claims.clone());
        assert_eq!(identity(&judged).as_deref(), want, "{claims}");
        assert_eq!(word(&judged), if want.is_some() { "ok" } else { "claim_missing" }, "{claims}");
    }
    let scene = Scene::new(json!({}));
    for sub in [json!(1), json!(true), json!(["alice"])] {
        assert_eq!(word(&scene.ask("alice", json!({"sub": sub}))), "claim_malformed");
    }
}

#[test]
fn values_that_differ_are_tagged_differently() {
    let scene = Scene::new(json!({
        "tags": [
            {"name": "subject", "value": "{sub}"},
            {"name": "roles", "value": "{roles}"},
            {"name": "plan", "value": "{@header:x-plan}"},
        ],
    }));
    let tags = |claims: Value, headers: &[(&str, &str)]| {
        let bearer = scene.bearer("alice", claims);
        let judged = scene.judge(&[&[("authorization", bearer.as_str())], headers].concat());
        let mut tags: Vec<_> =
            judged.facts.tags().map(|(at, value)| (*at, value.clone())).collect();
        tags.sort();
        tags.into_iter().map(|(_, value)| value).collect::<Vec<_>>()
    };
    for (claims, headers, want) in [
        (json!({"sub": "admin "}), &[][..], &["admin%20"][..]),
        (json!({"roles": ["viewer,admin"]}), &[], &["alice", "viewer%2Cadmin"]),
        (json!({"roles": ["viewer", "admin"]}), &[], &["alice", "viewer,admin"]),
        (json!({}), &[("x-plan", "free")], &["alice", "free"]),
        // More than one reading is none.
        (json!({}), &[("x_plan", "free")], &["alice"]),
        (json!({}), &[("x-plan", "free"), ("x~plan", "paid")], &["alice"]),
    ] {
        assert_eq!(tags(claims.clone(), headers), want, "{claims} {headers:?}");
    }
    let long = |end: &str| tags(json!({"sub": format!("{}{end}", "s".repeat(1_100))}), &[]);
    assert_ne!(long("a"), long("b"));
}

#[test]
fn tags_say_what_the_token_and_the_request_are() {
    let templates = [
        ("{sub}", Some("alice")),
        ("{@identity}", Some("https://issuer.test/alice")),
        ("{@kid} of {@provider}", Some("key-1 of main")),
        ("{@rule} for {sub}", Some("all for alice")),
        ("{@client_address}", Some("192.0.2.1")),
        ("{@header:x-batch}", Some("7")),
        ("{@header:x-absent}", None),
        ("{absent}", None),
    ];
    let tag =
        |(at, (value, _)): (usize, &(&str, _))| json!({"name": format!("t{at}"), "value": value});
    let scene = Scene::new(json!({
        "rules": [{"name": "all"}],
        "tags": templates.iter().enumerate().map(tag).collect::<Vec<_>>(),
    }));
    let bearer = scene.bearer("alice", json!({}));
    for _ in 0..2 {
        let judged = scene.judge(&[("authorization", &bearer), ("x-batch", "7")]);
        assert_eq!(word(&judged), "ok");
        for (at, (template, want)) in templates.iter().enumerate() {
            let got = judged
                .facts
                .tags()
                .find(|(index, _)| *index == at)
                .map(|(_, value)| value.as_str());
            assert_eq!(got, *want, "{template}");
        }
    }
}

/// The tags of a denied request, and the claim or template that its reason is about.
fn named(scene: &Scene, judged: &Decision) -> (Vec<String>, Option<String>) {
    let tags = judged.denied_tags.iter().map(|(_, value)| value.clone()).collect();
    let provider = judged.facts.token.provider.and_then(|index| scene.policy.providers.get(index));
    let detail = judged.facts.token.error.and_then(|error| error.detail(provider));
    (tags, detail.map(|detail| detail.into_owned()))
}

#[test]
fn a_denial_names_the_caller_of_a_token_whose_signature_verified_and_no_other() {
    let members = |dry: bool| {
        json!({
            "rules": [{"name": "all"}], "dry_run": dry,
            "tags": [
                {"name": "who", "value": "{@identity}", "header": "x-who"},
                {"name": "sub", "value": "{sub}"},
                {"name": "key", "value": "{@kid} of {@provider} at {@rule}"},
            ],
        })
    };
    let (scene, watched) = (Scene::new(members(false)), Scene::new(members(true)));
    let whole = ["https://issuer.test/alice", "alice", "key-1 of main at all"];
    let now = mint::now();
    for (claims, reason, tags) in [
        (json!({"exp": now - 300}), "expired", &whole[..]),
        (json!({"aud": "them"}), "audience_mismatch", &whole),
        (json!({"aud": null}), "claim_missing", &whole),
        (json!({"exp": now * 1000}), "claim_malformed", &whole),
        (json!({"nbf": now + 300}), "not_yet_valid", &whole),
        (json!({"iat": now + 300}), "issued_in_future", &whole),
        (json!({"jti": 1}), "claim_malformed", &whole),
        (json!({"sub": null}), "claim_missing", &whole[2..]),
        (json!({"iss": "https://else.test"}), "issuer_not_allowed", &[]),
    ] {
        let bearer = scene.bearer("alice", claims.clone());
        // Twice: a remembered token names as much.
        for _ in 0..2 {
            let judged = scene.judge(&[("authorization", &bearer)]);
            assert_eq!(word(&judged), reason, "{claims}");
            assert_eq!(named(&scene, &judged).0, tags, "{claims}");
            // Only filter state names such a caller: no header, no limit, no body does.
            assert!(
                judged.facts.caller.is_none() && judged.facts.tags().next().is_none(),
                "{claims}"
            );
        }
        let judged = watched.ask("alice", claims.clone());
        assert_eq!((word(&judged), judged.verdict.decision()), (reason, "would_deny"));
        assert!(judged.denied_tags.is_empty() && judged.facts.tags().next().is_none(), "{claims}");
    }
    let forged = Signer::new("HS256", "key-1").sign(&claims_with("alice", json!({"exp": 1})));
    for _ in 0..2 {
        let judged = scene.judge(&[("authorization", &format!("Bearer {forged}"))]);
        assert_eq!((word(&judged), judged.denied_tags.len()), ("signature_invalid", 0));
    }
}

#[test]
fn a_caller_without_the_certificate_of_its_token_is_named_in_the_denial() {
    let mut scene = Scene::new(json!({"bind": "mtls", "rules": [{"name": "all"}],
                                      "tags": [{"name": "who", "value": "{@identity}"}]}));
    scene.certificate = Some(b"ac".repeat(32));
    let bound = json!({"cnf": {"x5t#S256": mint::b64(&[0xab; 32])}});
    for (claims, reason, detail) in [
        (bound, "binding_mismatch", None),
        (json!({}), "claim_missing", Some("cnf")),
        (json!({"cnf": {}}), "claim_missing", Some("cnf.x5t#S256")),
        (json!({"cnf": {"x5t#S256": 1}}), "claim_malformed", Some("cnf.x5t#S256")),
    ] {
        for _ in 0..2 {
            let judged = scene.ask("alice", claims.clone());
            let want = (vec!["https://issuer.test/alice".to_owned()], detail.map(str::to_owned));
            assert_eq!((word(&judged), named(&scene, &judged)), (reason, want), "{claims}");
            assert!(judged.facts.caller.is_none());
        }
    }
}

#[test]
fn a_missing_claim_is_named_by_itself_or_by_the_templates_without_a_value() {
    let provider = |scene: &mut Scene, templates: &[&str]| {
        let parse = |text: &&str| tollgate::template::Template::parse(text).unwrap();
        let mut list = Vec::from(std::mem::take(&mut scene.policy.providers));
        list[0].identity = templates.iter().map(parse).collect();
        list[0].max_lifetime = Some(86_400);
        scene.policy.providers = list.into();
    };
    let mut scene = Scene::new(json!({}));
    for (templates, claims, detail) in [
        (&["{sub}"][..], json!({"exp": null}), "exp"),
        (&["{sub}"], json!({"aud": null}), "aud"),
        (&["{sub}"], json!({"iss": null}), "iss"),
        (&["{sub}"], json!({"iat": null}), "iat"),
        (&["{tid}/{oid}", "{iss}/{/a/b~1c}"], json!({}), "{tid}/{oid}, {iss}/{/a/b~1c}"),
        (&["{tid}/{oid}", "{iss}/{sub}"], json!({"sub": ""}), "{iss}/{sub}"),
        (&["{tid}/{oid}", "{iss}/{sub}"], json!({"tid": "", "oid": "x"}), "{tid}/{oid}"),
    ] {
        provider(&mut scene, templates);
        let judged = scene.ask("alice", claims.clone());
        let found = (word(&judged), named(&scene, &judged).1);
        assert_eq!(found, ("claim_missing", Some(detail.to_owned())), "{claims}");
    }
}

#[test]
fn a_bound_provider_is_not_passed_by_for_one_of_its_issuer_that_binds_nothing() {
    let mut scene = Scene::new(json!({"bind": "mtls"}));
    let document = |bind: &str, name: &str| {
        let mut entry = provider(&[&scene.signer], &["HS256"]);
        entry["bind"] = json!(bind);
        entry["name"] = json!(name);
        entry
    };
    let both = json!({"providers": [document("mtls", "a"), document("none", "b")]});
    scene.policy = policy::compiled(&both);
    for claims in [json!({}), json!({"cnf": {"x5t#S256": mint::b64(&[0xab; 32])}})] {
        let judged = scene.ask("alice", claims);
        assert!(["claim_missing", "binding_mismatch"].contains(&word(&judged)));
    }
}

#[test]
fn a_tag_of_the_path_is_known_for_every_request_that_matched_a_rule() {
    let scene = Scene::new(json!({
        "rules": [
            {"name": "open", "match": {"paths": ["/open/{endpoint}"]}, "auth": "none"},
            {"name": "score", "match": {"paths": ["/api/{endpoint}/score"], "methods": ["GET", "TRACE"]},
             "allow": [{"roles_any": ["Score"]}]},
        ],
        "tags": [
            {"name": "endpoint", "value": "{@rule}/{@path:endpoint}", "header": "x-endpoint"},
            {"name": "subject", "value": "{sub}"},
            {"name": "both", "value": "{sub}@{@path:endpoint}"},
        ],
    }));
    let good = scene.bearer("alice", json!({"roles": ["Score"]}));
    let poor = scene.bearer("alice", json!({}));
    let late = scene.bearer("alice", json!({"exp": 1}));
    let all = ["score/a", "alice", "alice@a"];
    for (path, token, reason, headers, state) in [
        ("/open/a", "", "anonymous", &[][..], &["open/a"][..]),
        ("/api/a/score", "", "token_missing", &[], &["score/a"]),
        ("/api/a/score", "Bearer x", "token_malformed", &[], &["score/a"]),
        ("/api/a/score", &late, "expired", &[], &all),
        ("/api/a/score", &poor, "role_insufficient", &all, &all),
        ("/api/a/score", &good, "ok", &all, &all),
        ("/api/a;b/score", &good, "path_ambiguous", &[], &[]),
        ("/elsewhere", &good, "no_rule", &[], &[]),
    ] {
        let mut given = vec![(":path", path)];
        given.extend((!token.is_empty()).then_some(("authorization", token)));
        let judged = scene.judge(&given);
        assert_eq!(word(&judged), reason, "{path}");
        let texts = |mut tags: Vec<(usize, String)>| {
            tags.sort();
            tags.into_iter().map(|(_, value)| value).collect::<Vec<_>>()
        };
        let written: Vec<_> = judged.facts.tags().cloned().collect();
        assert_eq!(texts(written.clone()), headers, "{path} {reason}");
        let shown = [written, judged.facts.match_tags.clone(), judged.denied_tags.clone()].concat();
        assert_eq!(texts(shown), state, "{path} {reason}");
    }
}
