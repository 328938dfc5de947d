//! Answers of key servers: discovery documents, misbehaviour, skipped keys.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn each_misbehaviour_is_counted_keeps_the_old_keys_and_harms_no_other_provider() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let table = [
        ("status-500", Behaviour::Status(500), "status"),
        ("status-302", Behaviour::Status(302), "status"),
        ("redirect", Behaviour::Redirect("/login?secret"), "status"),
        ("hang", Behaviour::Hang, "unreachable"),
        ("reset", Behaviour::Reset, "unreachable"),
        ("truncated", Behaviour::Truncated, "unreachable"),
        ("html", Behaviour::Html200, "malformed"),
        ("empty", Behaviour::EmptySet, "no_usable_key"),
        ("gzip", Behaviour::Coded("gzip"), "malformed"),
        ("big", Behaviour::Huge(JUST_TOO_BIG), "too_large"),
        ("huge", Behaviour::Huge(FAR_TOO_BIG), "too_large"),
        ("not-json", Behaviour::NotJson, "malformed"),
        ("trickle", Behaviour::Trickle, "unreachable"),
        // Many providers send octet-stream or plain text; only the bytes count.
        ("content-type", Behaviour::WrongContentType, "ok"),
        ("good", Behaviour::Normal, "ok"),
    ];
    // All share one kid, as two providers may.
    let remote = json!({"refresh_interval": "1s", "timeout": "500ms"});
    at_1_and_4_workers(async |workers| {
        let world = table.map(|(name, behaviour, result)| {
            let signer = key("shared");
            let idp = idp_with(Scheme::Http, &[&signer]);
            (name, behaviour, result, signer, idp)
        });
        let providers: Vec<_> =
            world.iter().map(|(name, _, _, _, idp)| provider(name, idp, remote.clone())).collect();
        let mut builder = fixture.envoy(json!({"providers": providers})).workers(workers);
        for (name, _, _, _, idp) in &world {
            builder = builder.cluster(name, idp.address());
        }
        let envoy = builder.start().await;
        for (name, _, _, signer, _) in &world {
            assert_eq!(envoy.judge(&token(signer, name)).await.0, 200, "{name}");
        }
        for (name, behaviour, _, _, idp) in &world {
            assert!(fetched(&envoy, name, "ok").await >= 1);
            idp.behave(*behaviour);
        }
        // Those that are well do at least two more fetches, the others fail at least twice.
        for (name, _, result, _, _) in &world {
            let before = if *result == "ok" { fetched(&envoy, name, "ok").await } else { 0 };
            let counted =
                async || (fetched(&envoy, name, result).await >= before + 2).then_some(());
            let counted = eventually(counted).await;
            let stats = envoy.stats(&format!("tollgate_jwks_fetch.provider.{name}.")).await;
            assert!(counted.is_some(), "{name} is not {result}: {stats:?}");
        }
        for (name, _, result, signer, _) in &world {
            let (good, other) = (token(signer, name), token(&world[0].3, name));
            for _ in 0..3 {
                assert_eq!(envoy.judge(&good).await.0, 200, "{name}");
            }
            if *name != world[0].0 {
                let answer = envoy.judge(&other).await;
                assert_eq!(answer, refused("signature_invalid"), "{name}");
            }
            // On a machine that is busy any answer may come too late.
            let stats = envoy.stats(&format!("tollgate_jwks_fetch.provider.{name}.")).await;
            let kinds = [*result, "ok", "unreachable"];
            let known = |stat: &String| kinds.iter().any(|kind| stat.ends_with(kind));
            assert!(stats.keys().all(known), "{name}: {stats:?}");
            let gauge = envoy.stats(&format!("tollgate_jwks_keys.provider.{name}")).await;
            assert_eq!(gauge.values().copied().collect::<Vec<_>>(), [1], "{name}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_discovery_document_leads_to_the_keys_and_one_of_another_issuer_does_not() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let [good, wrong] = [(); 2].map(|()| fixture.idp(Scheme::Http));
    let discovered = |name: &str, idp: &Idp, issuer: String| {
        let timeout = json!({"timeout": "300ms"});
        let mut provider = provider_at(name, "discovery", &idp.url(DISCOVERY), timeout);
        provider["issuers"] = json!([issuer]);
        provider
    };
    let envoy = fixture
        .envoy(json!({"providers": [
            discovered("good", &good, good.url("")),
            discovered("wrong", &wrong, "https://another.test".to_owned()),
        ]}))
        .cluster("good", good.address())
        .cluster("wrong", wrong.address())
        .start()
        .await;
    let of = |issuer: &str| fixture.token_with("alice", json!({"iss": issuer}));
    assert_eq!(envoy.judge(&of(&good.url(""))).await.0, 200);
    assert_eq!((good.discoveries(), good.fetches()), (1, 1));
    let answer = envoy.judge(&of("https://another.test")).await;
    assert_eq!(answer, unavailable());
    assert_eq!(wrong.fetches(), 0);
    assert!(fetched(&envoy, "wrong", "issuer_mismatch").await >= 1);
    let line = envoy.wait_for_log("a discovery document of another issuer").await;
    for part in
        [&wrong.url(DISCOVERY), &format!("it names {}", wrong.url("")), "https://another.test"]
    {
        assert!(line.contains(part), "{part}: {line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_knows_only_the_type_of_key_sets_or_codes_what_it_may_is_understood() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let set = mint::jwks(&[&fixture.signer]);
    // As the API server of Kubernetes: 406 unless the request accepts the type of its key set.
    let keys = Upstream::answering(move |request| {
        let header = |name: &str| request.header(name).unwrap_or_default().to_owned();
        if !header("accept").split(',').any(|part| part.trim() == "application/jwk-set+json") {
            return Reply::new(406, "only application/jwk-set+json");
        }
        let reply = Reply::new(200, set.to_string());
        let reply = reply.header("content-type", "application/jwk-set+json");
        match header("accept-encoding").as_str() {
            "identity" => reply,
            _ => reply.header("content-encoding", "gzip"),
        }
    })
    .await;
    let envoy = fixture
        .envoy(json!({"providers": [provider_at("main", "uri", &keys.url("/jwks"), json!({}))]}))
        .cluster("main", keys.address())
        .start()
        .await;
    assert_eq!(envoy.judge(&token(&fixture.signer, "main")).await.0, 200);
    let asked = keys.last().unwrap();
    let version = format!("tollgate/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(asked.header("user-agent"), Some(version.as_str()));
    let accept = "application/jwk-set+json, application/json;q=0.9, */*;q=0.5";
    assert_eq!(asked.header("accept"), Some(accept));
    let line = envoy.wait_for_log("fetched 1 key(s)").await;
    let whole = format!("from http://{}/jwks through cluster main", keys.address());
    assert!(line.contains(&whole), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_on_another_host_come_through_keys_cluster_and_each_line_names_its_address() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let set = mint::jwks(&[&fixture.signer]).to_string();
    let certs = Upstream::answering(move |request| match request.path.as_str() {
        "/certs" => Reply::new(200, set.clone()),
        _ => Reply::new(404, "none"),
    })
    .await;
    // As Google: the document is on one host, the keys are on another.
    let at = certs.address();
    let accounts = Upstream::answering(move |request| {
        // The wrong cluster answers 404 to the path of the other host.
        let Some(name) = request.path.strip_prefix("/g-") else { return Reply::new(404, "none") };
        Reply::json(&json!({
            "issuer": format!("https://g-{name}.test"), "jwks_uri": format!("http://{at}/certs"),
        }))
    })
    .await;
    let provider = |name: &str, remote: Value| {
        let mut remote = remote;
        remote["cluster"] = json!("accounts");
        provider_at(name, "discovery", &accounts.url(&format!("/{name}")), remote)
    };
    let envoy = fixture
        .envoy(json!({"providers": [
            provider("g-two", json!({"keys_cluster": "certs"})),
            provider("g-one", json!({})),
            provider("g-none", json!({"keys_cluster": "missing"})),
        ]}))
        .cluster("accounts", accounts.address())
        .cluster("certs", at)
        .start()
        .await;
    assert_eq!(envoy.judge(&token(&fixture.signer, "g-two")).await.0, 200);
    let line = envoy.wait_for_log("provider g-two: fetched 1 key(s)").await;
    assert!(line.contains(&format!("from http://{at}/certs through cluster certs")), "{line}");
    for (name, parts) in [
        (
            "g-one",
            [
                format!("fetching http://{at}/certs through cluster accounts failed"),
                "status 404".to_owned(),
                "keys.remote.keys_cluster".to_owned(),
            ],
        ),
        (
            "g-none",
            [
                format!("fetching http://{at}/certs through cluster missing failed"),
                "the proxy refused the call".to_owned(),
                "exactly this name".to_owned(),
            ],
        ),
    ] {
        let answer = envoy.judge(&token(&fixture.signer, name)).await;
        assert_eq!(answer, unavailable());
        let line = envoy.wait_for_log(&format!("provider {name}: fetching ")).await;
        for part in parts {
            assert!(line.contains(&part), "{part}: {line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_useless_answer_is_logged_by_its_own_reason_and_with_what_was_asked() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let good = key("k").jwk();
    let with = |name: &str, value: Value| {
        let mut key = good.clone();
        key[name] = value;
        key
    };
    let text = |document: Value| Reply::json(&document);
    let sets = |keys: Vec<Value>| Reply::json(&json!({ "keys": keys }));
    let discovery =
        |name: &str, uri: &str| json!({"issuer": format!("https://{name}.test"), "jwks_uri": uri});
    let twice =
        r#"{"issuer":"https://x.test","issuer":"https://d-twice.test","jwks_uri":"http://x/"}"#;
    let table = [
        (
            "s-enc",
            sets(vec![with("use", json!("enc"))]),
            "keys[0]: use is neither sig nor jwt-svid",
        ),
        ("s-svid", sets(vec![with("use", json!("x509-svid"))]), "neither sig nor jwt-svid"),
        ("s-object", text(json!({})), "a JSON object without an array keys"),
        ("s-one", text(good.clone()), "a single key (JWK)"),
        ("s-x509", text(json!({"a": "-----BEGIN CERTIFICATE-----\nMII"})), "a map of X.509"),
        (
            "s-bom",
            Reply::new(200, format!("\u{feff}{}", json!({"keys": [good]}))),
            "a byte order mark",
        ),
        ("s-gzip", Reply::new(200, &b"\x1f\x8b\x08\0\0"[..]), "compressed with gzip"),
        (
            "s-br",
            sets(vec![good.clone()]).header("content-encoding", "br"),
            "a body with the content coding br",
        ),
        ("s-page", Reply::new(200, "<html>"), "a page of HTML or XML"),
        ("s-document", text(discovery("s-document", "http://x/")), "keys.remote.discovery"),
        (
            "s-login",
            Reply::new(302, "").header("location", "https://u:secret@idp.test/login?secret"),
            "status 302, a redirect to idp.test/login, which is not followed",
        ),
        ("d-keys", sets(vec![good.clone()]), "keys.remote.uri"),
        ("d-twice", Reply::new(200, twice), "not a discovery document"),
        ("d-relative", text(discovery("d-relative", "/jwks")), "not an absolute http(s) address"),
        (
            "d-user",
            text(discovery("d-user", "http://u:secret@x/")),
            "not an absolute http(s) address",
        ),
        ("d-other", text(discovery("x", "http://x/")), "it names https://x.test"),
    ];
    let replies = table.clone().map(|(name, reply, _)| (format!("/{name}"), reply));
    let keys = Upstream::answering(move |request| {
        let found = replies.iter().find(|(path, _)| *path == request.path);
        found.map_or(Reply::new(404, "none"), |(_, reply)| reply.clone())
    })
    .await;
    let providers: Vec<Value> = (table.iter())
        .map(|(name, ..)| {
            let source = if name.starts_with('d') { "discovery" } else { "uri" };
            let shared = json!({"cluster": "keys"});
            provider_at(name, source, &keys.url(&format!("/{name}")), shared)
        })
        .collect();
    let envoy = fixture
        .envoy(json!({ "providers": providers }))
        .cluster("keys", keys.address())
        .start()
        .await;
    let address = keys.address();
    for (name, _, words) in &table {
        let line = envoy.wait_for_log(&format!("provider {name}: fetching ")).await;
        let asked = format!("http://{address}/{name} through cluster keys failed");
        assert!(line.contains(words) && line.contains(&asked), "{words}: {line}");
    }
    assert!(!envoy.filter_log().concat().contains("secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skipped_key_is_logged_and_its_kid_causes_no_fetch() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let (good, leaked, twice) = (key("good"), key("leaked"), key("twice"));
    let mut private = leaked.jwk();
    private["d"] = json!("AQAB");
    let two = twice.jwk().to_string().replacen(r#""kid""#, r#""kid":"x","kid""#, 1);
    let set = format!(r#"{{"keys":[{private},{two},{{"x":1e400}},{}]}}"#, good.jwk());
    let keys = Upstream::answering(move |_| Reply::new(200, set.clone())).await;
    let envoy = fixture
        .envoy(json!({"providers": [provider_at("main", "uri", &keys.url("/"), json!({}))]}))
        .cluster("main", keys.address())
        .start()
        .await;
    assert_eq!(envoy.judge(&token(&good, "main")).await.0, 200);
    for words in [
        "keys[0] is skipped: the private key is in the set",
        "keys[1] is skipped: a duplicate member",
        "keys[2] is skipped: a duplicate member, a number too large",
    ] {
        let line = envoy.wait_for_log(words).await;
        let from = format!("from http://{}/ through cluster main", keys.address());
        assert!(line.contains(&from), "{line}");
    }
    let refused = refused("key_unknown");
    for _ in 0..3 {
        assert_eq!(envoy.judge(&token(&leaked, "main")).await, refused);
    }
    envoy.wait_for_log("its key was skipped: the private key is in the set").await;
    assert_eq!(keys.count(), 1);
    // A kid that the set has not at all is fetched for.
    assert_eq!(envoy.judge(&token(&key("other"), "main")).await, refused);
    assert_eq!(keys.count(), 2);
}
