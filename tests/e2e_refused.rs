//! No refused request reaches the program behind the filter, for any reason.
//!
//! Many servers call their handler when the head of a request arrives, so that a head is not let go
//! on before all is decided that needs no body. Refusals by the body hold the head back where the
//! proxy has it wait: with `hold_head`, or with Envoy's buffer filter behind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use support::prelude::*;
use tollgate::reason::Reason;

const TENANT: &str = "11111111-2222-3333-4444-555555555555";

/// How heads wait for bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Hold,
    Buffer,
    Neither,
}

const WAYS: [Way; 3] = [Way::Neither, Way::Hold, Way::Buffer];

impl Way {
    fn envoy(self, fixture: &Fixture, mut config: Value) -> Builder {
        config["hold_head"] = json!(self == Self::Hold);
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
        let builder = fixture.envoy(config).cluster("idp", nowhere);
        match self {
            Self::Hold => builder.stop_iteration(),
            Self::Buffer => builder.buffer_filter(),
            Self::Neither => builder,
        }
    }

    fn holds(self) -> bool {
        self != Self::Neither
    }
}

/// Guarded rules for each kind of refusal.
fn config(signer: &Signer) -> Value {
    let provider = |name: &str, issuer: &str| {
        json!({
            "name": name, "issuers": [issuer], "audiences": [mint::AUDIENCE],
            "algorithms": ["ES256"], "keys": {"inline": mint::jwks(&[signer])},
        })
    };
    let mut main = provider("main", mint::ISSUER);
    main["typ"] = json!(["JWT"]);
    main["token_use"] = json!("access");
    main["max_lifetime"] = json!("1h");
    let mut tenants = provider("tenants", "https://t.test/{tenantid}");
    tenants["tenants"] = json!([TENANT]);
    let mut bound = provider("bound", "https://bound.test");
    bound["bind"] = json!("mtls");
    let mut remote = provider("remote", "https://remote.test");
    remote["keys"] = json!({"remote": {
        "uri": "https://remote.test/jwks", "cluster": "idp", "timeout": "1s",
    }});
    let payload = json!({
        "content_types": ["application/json"], "max_bytes": "1KiB", "max_rows": 3, "max_depth": 4,
        "require_any": ["/data"],
    });
    let rule = |name: &str, more: Value| {
        let rule = json!({
            "name": name, "match": {"paths": [format!("/{name}")]}, "payload": payload,
        });
        merged(rule, more)
    };
    json!({
        "providers": [main, tenants, bound, remote],
        "token": {
            "from": [{"header": "authorization", "prefix": "Bearer "}, {"header": "x-user-token"}],
            "max_bytes": "4KiB",
        },
        "rules": [
            rule("score", json!({})),
            rule("role", json!({"allow": [{"roles_any": ["Admin"]}]})),
            rule("scope", json!({"allow": [{"scopes_all": ["admin"]}]})),
            rule("client", json!({"allow": [{"clients": ["c"]}]})),
            rule("claim", json!({"allow": [{"claims": [{"claim": "x", "exists": true}]}]})),
            rule("groups", json!({"allow": [{"groups_any": ["g"]}]})),
            rule("spent", json!({"limits": ["one"]})),
            rule("batch", json!({"limits": ["ten"], "cost": {"header": "x-batch", "max": 50}})),
            rule("rows", json!({
                "limits": ["two"], "cost": {"json_rows": ["/data"], "max": 9},
            })),
            rule("busy", json!({"concurrency": 1})),
            rule("model", json!({"allow": [{"body": [{"json": "/model", "equals": "m"}]}]})),
            rule("stream", json!({"payload": {"include_usage": "require"}})),
        ],
        "limits": [
            {"name": "one", "rate": "1/h"},
            {"name": "two", "rate": "2/h"},
            {"name": "ten", "rate": "10/h"},
        ],
    })
}

fn post(path: &str, body: &str) -> Request {
    Request::post(path, body).header("content-type", "application/json")
}

const GOOD: &str = r#"{"data":[1]}"#;

/// A request for each reason that the headers decide. Those of one reason are sent in their order;
/// the last is refused.
fn by_head(signer: &Signer) -> Vec<(&'static str, Vec<Request>)> {
    let good = |changes: Value| claims_with("ann", merged(json!({"scp": "score"}), changes));
    let to = |path: &str, claims: Value| post(path, GOOD).bearer(signer.sign(&good(claims)));
    let with = |changes: Value| vec![to("/score", changes)];
    let headed = |header: Value| {
        let token = signer.sign_with(header, &good(json!({})));
        vec![post("/score", GOOD).bearer(token)]
    };
    let now = mint::now();
    let other = Signer::new("ES256", signer.kid());
    let token = signer.sign(&good(json!({})));
    let typed = |value: &str| {
        let mut request = to("/score", json!({}));
        request.headers.retain(|(name, _)| name != b"content-type");
        vec![request.header("content-type", value)]
    };
    let overage = json!({"_claim_names": {"groups": "src1"}});
    vec![
        ("token_multiple", vec![to("/score", json!({})).header("x-user-token", "a.b.c")]),
        ("token_too_large", vec![post("/score", GOOD).bearer("x".repeat(5_000))]),
        ("path_ambiguous", vec![to("/a//score", json!({}))]),
        ("host_ambiguous", vec![to("/score", json!({})).host("ml.example.com:x")]),
        ("method_not_allowed", vec![Request::new("TRACE", "/score").bearer(&token)]),
        ("token_missing", vec![post("/score", GOOD)]),
        ("token_malformed", vec![post("/score", GOOD).bearer("abc")]),
        (
            "type_not_allowed",
            headed(json!({"alg": "ES256", "typ": "secevent+jwt", "kid": "key-1"})),
        ),
        (
            "crit_unsupported",
            headed(json!({"alg": "ES256", "typ": "JWT", "kid": "key-1", "crit": ["x"], "x": 1})),
        ),
        ("algorithm_not_allowed", headed(json!({"alg": "RS256", "typ": "JWT", "kid": "key-1"}))),
        ("key_unknown", headed(json!({"alg": "ES256", "typ": "JWT", "kid": "other"}))),
        ("signature_invalid", vec![post("/score", GOOD).bearer(other.sign(&good(json!({}))))]),
        ("issuer_not_allowed", with(json!({"iss": "https://else.test"}))),
        (
            "tenant_not_allowed",
            with(json!({
                "iss": "https://t.test/99999999-2222-3333-4444-555555555555",
                "tid": "99999999-2222-3333-4444-555555555555",
            })),
        ),
        ("audience_mismatch", with(json!({"aud": "api://other"}))),
        ("claim_missing", with(json!({"sub": null}))),
        ("claim_malformed", with(json!({"exp": "soon"}))),
        ("expired", with(json!({"exp": now - 3_600}))),
        ("not_yet_valid", with(json!({"nbf": now + 3_600}))),
        ("issued_in_future", with(json!({"iat": now + 3_600, "exp": now + 4_000}))),
        ("lifetime_too_long", with(json!({"exp": now + 86_400}))),
        ("token_use_mismatch", with(json!({"scp": null}))),
        (
            "binding_mismatch",
            with(json!({
                "iss": "https://bound.test", "cnf": {"x5t#S256": mint::b64(&[7; 32])},
            })),
        ),
        ("no_rule", vec![to("/elsewhere", json!({}))]),
        ("role_insufficient", vec![to("/role", json!({}))]),
        ("scope_insufficient", vec![to("/scope", json!({}))]),
        ("client_not_allowed", vec![to("/client", json!({}))]),
        ("claim_insufficient", vec![to("/claim", json!({}))]),
        ("groups_overage", vec![to("/groups", overage)]),
        ("content_type_not_allowed", typed("text/plain")),
        (
            "content_type_not_allowed",
            vec![to("/score", json!({})).header("content-encoding", "gzip")],
        ),
        (
            "payload_too_large",
            vec![{
                let body = format!(r#"{{"data":"{}"}}"#, "x".repeat(2_000));
                post("/score", &body).bearer(&token)
            }],
        ),
        ("rate_limited", vec![to("/spent", json!({})), to("/spent", json!({}))]),
        ("rate_limited", {
            let batch = |size: &str| to("/batch", json!({"sub": "bea"})).header("x-batch", size);
            vec![batch("8"), batch("3")]
        }),
        ("rate_limited", {
            let row = || to("/rows", json!({"sub": "cid"}));
            vec![row(), row(), row()]
        }),
        ("cost_exceeds_burst", vec![to("/batch", json!({})).header("x-batch", "11")]),
        ("keys_unavailable", with(json!({"iss": "https://remote.test"}))),
    ]
}

/// A body for each reason that it decides, and where it goes.
const BY_BODY: [(&str, &str, &str); 10] = [
    ("payload_malformed", "/score", r#"{"data":[1,]}"#),
    ("payload_malformed", "/score", r#"{"data":[1]"#),
    ("payload_malformed", "/score", r#"{"other":[1]}"#),
    ("payload_malformed", "/score", r#"{"data":[1],"data":[1,2,3,4]}"#),
    ("body_not_allowed", "/model", r#"{"data":[1],"model":"n"}"#),
    ("usage_required", "/stream", r#"{"data":[1],"stream":true}"#),
    ("rows_exceeded", "/score", r#"{"data":[1,2,3,4]}"#),
    ("depth_exceeded", "/score", r#"{"data":[[[[1]]]]}"#),
    // The limit holds two: three never fit, and an earlier head took one.
    ("cost_exceeds_burst", "/rows", r#"{"data":[1,2,3]}"#),
    ("rate_limited", "/rows", r#"{"data":[1,2]}"#),
];

#[tokio::test(flavor = "multi_thread")]
async fn no_refused_request_reaches_the_program_behind() {
    for way in WAYS {
        let Some(fixture) = Fixture::new("ES256").await else { return };
        let (signer, upstream) = (&fixture.signer, &fixture.upstream);
        let envoy = way.envoy(&fixture, config(signer)).start().await;
        let mut met = BTreeSet::new();
        for (number, (reason, requests)) in by_head(signer).into_iter().enumerate() {
            let last = requests.len() - 1;
            for (place, request) in requests.into_iter().enumerate() {
                let case = format!("{number}-{place}");
                let request = request.case(&case);
                if place < last {
                    let response = envoy.send(&request).await;
                    assert_eq!(
                        (response.status, upstream.heads(&case)),
                        (200, 1),
                        "{way:?} {case}"
                    );
                    continue;
                }
                // The answer needs no byte of the body.
                let response = client::send_in_two(envoy.address(), &request, pending).await;
                assert_eq!(response.reason(), reason, "{way:?} {case}");
                assert_eq!(upstream.heads(&case), 0, "{way:?} {reason}");
                assert_eq!(envoy.access(&case).await["reason"], reason, "{way:?}");
                met.insert(reason);
            }
        }

        // A place in flight is taken by a head alone.
        let bearer = signer.sign(&claims_with("dan", json!({"scp": "score"})));
        let busy = post("/busy", GOOD).bearer(&bearer);
        let (address, first) = (envoy.address(), busy.clone().case("busy-1"));
        let (go, wait) = tokio::sync::oneshot::channel::<()>();
        let held = tokio::spawn(async move {
            client::send_in_two(address, &first, async || wait.await.unwrap()).await
        });
        let refused = support::eventually(async || {
            let active = envoy.stat("http.e2e.downstream_rq_active").await;
            (active >= 1).then_some(())
        });
        refused.await.expect("the first request is in flight");
        let second = support::eventually(async || {
            let response = client::send(address, &busy.clone().case("busy-2")).await;
            (response.reason() == "concurrency_limited").then_some(())
        });
        second.await.expect("the place is taken");
        go.send(()).unwrap();
        assert_eq!(held.await.unwrap().status, 200);
        met.insert("concurrency_limited");

        for (number, (reason, path, body)) in BY_BODY.into_iter().enumerate() {
            let case = format!("body-{number}");
            let token = signer.sign(&claims_with("eve", json!({"scp": "score"})));
            let request = post(path, body).bearer(token).case(&case);
            // Without a way to wait the head is there before the body is sent.
            let seen = async || {
                if !way.holds() {
                    let seen = async || (upstream.heads(&case) > 0).then_some(());
                    support::eventually(seen).await;
                }
            };
            let response = client::send_in_two(envoy.address(), &request, seen).await;
            assert_eq!(response.reason(), reason, "{way:?} {case}");
            assert_eq!(upstream.heads(&case), usize::from(!way.holds()), "{way:?} {reason}");
            assert!(upstream.case(&case).is_none(), "{way:?} {reason}: its body");
            met.insert(reason);
        }

        for reason in Reason::ALL {
            // The last is the proxy's own failure, see below and in other suites.
            let passes = ["ok", "anonymous", "preflight"].contains(&reason.as_str());
            let word = reason.as_str();
            let known = passes || met.contains(word) || reason == Reason::StoreUnavailable;
            assert!(known, "{word} is not tried");
        }
    }
}

/// A broken body costs as much as its head, so that a caller cannot have the program behind act more
/// often than its limits allow, however often it is refused.
#[tokio::test(flavor = "multi_thread")]
async fn the_program_behind_acts_no_more_often_than_the_limits_say_whatever_the_bodies_are() {
    for (body, first) in [(GOOD, 200), (r#"{"data":["#, 400)] {
        let Some(fixture) = Fixture::new("ES256").await else { return };
        let (signer, upstream) = (&fixture.signer, &fixture.upstream);
        let mut document = config(signer);
        document["limits"][0]["burst"] = json!(3);
        let envoy = Way::Neither.envoy(&fixture, document).start().await;
        let token = signer.sign(&claims_with("ann", json!({"scp": "score"})));
        for number in 0..23 {
            let case = number.to_string();
            let request = post("/spent", body).bearer(&token).case(&case);
            let seen = async || {
                let seen = async || (upstream.heads(&case) > 0).then_some(());
                support::eventually(seen).await;
            };
            let response = client::send_in_two(envoy.address(), &request, seen).await;
            let (status, heads) = if number < 3 { (first, 1) } else { (429, 0) };
            assert_eq!((response.status, upstream.heads(&case)), (status, heads), "{number}");
        }
    }
}

/// A held head is written when the verdict is there: tags, the lent key, the token that is taken out.
#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_waited_has_all_that_is_written_to_it_and_its_body_is_whole() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let mut document = config(&fixture.signer);
    document["token"]["forward"] = json!(false);
    document["rules"][0]["upstream_authorization"] = json!({"env": "KEY", "prefix": "Bearer "});
    document["rules"][0]["payload"] = json!({"max_bytes": "2MiB", "max_depth": 32});
    let envoy = Way::Hold
        .envoy(&fixture, document)
        .variable("KEY", "lent-key")
        .buffer_limit(4 << 20)
        .start()
        .await;
    let token = fixture.token_with("ann", json!({"scp": "score"}));
    let large = format!("[\"{}\"]", "x".repeat(900 << 10));
    for (case, request, body) in [
        ("small", post("/score", GOOD), GOOD),
        ("large", post("/score", &large), &large),
        ("chunked", post("/score", GOOD).chunked(6), GOOD),
    ] {
        let request = request.bearer(&token).header("x-auth-subject", "spoof").case(case);
        let response = envoy.send(&request).await;
        assert_eq!(response.status, 200, "{case}");
        let seen = fixture.upstream.case(case).unwrap();
        assert_eq!(seen.body, body.as_bytes(), "{case}");
        assert_eq!(seen.header("x-auth-subject"), Some("ann"), "{case}");
        assert_eq!(seen.header("authorization"), Some("Bearer lent-key"), "{case}");
        assert!(!seen.head_contains(token.as_bytes()), "{case}");
        let length = seen.header("content-length").map(str::to_owned);
        let chunked = case == "chunked";
        assert_eq!(length, (!chunked).then(|| body.len().to_string()), "{case}");
    }
    let trailers = trailers_h2(envoy.address(), &token, GOOD.as_bytes()).await;
    assert_eq!(trailers, 200);
    assert_eq!(fixture.upstream.case("trailers").unwrap().body, GOOD.as_bytes());
    assert_eq!(fixture.upstream.case("trailers").unwrap().header("x-auth-subject"), Some("ann"));
    assert_eq!(trailers_h2(envoy.address(), &token, b"[1,").await, 400);
}

/// One HTTP/2 request that ends with trailers; its status.
async fn trailers_h2(address: SocketAddr, token: &str, body: &'static [u8]) -> u16 {
    use http_body_util::{BodyExt, Full};
    let mut fields = hyper::HeaderMap::new();
    fields.insert("x-sum", hyper::header::HeaderValue::from_static("1"));
    let trailers = std::future::ready(Some(Ok(fields)));
    let body = Full::new(bytes::Bytes::from_static(body)).with_trailers(trailers);
    let request = hyper::Request::builder()
        .method("POST")
        .uri("http://ml.example.com/score")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .header("x-case", "trailers")
        .body(body)
        .unwrap();
    client::send_h2_with(address, request).await.status
}

/// A request that waits for keys is shown with its body by a host that shows bodies of paused heads.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_came_while_keys_were_awaited_is_judged() {
    for hold in [false, true] {
        let Some(fixture) = Fixture::new("ES256").await else { return };
        let keys = mint::jwks(&[&fixture.signer]);
        // Long enough for both requests to be in; a slower machine tries less, and fails nothing.
        let delay = Duration::from_secs(3);
        let idp = Upstream::answering(move |_| Reply { delay, ..Reply::json(&keys) }).await;
        let document = json!({
            "hold_head": hold,
            "providers": [{
                "name": "p", "issuers": [mint::ISSUER], "audiences": [mint::AUDIENCE],
                "keys": {"remote": {
                    "uri": "http://idp/jwks", "cluster": "idp", "timeout": "20s",
                }},
            }],
            "rules": [{"name": "all", "payload": {"require_any": ["/data"]}}],
        });
        let envoy = fixture
            .envoy(document)
            .workers(1)
            .cluster("idp", idp.address())
            .stop_iteration()
            .start()
            .await;
        let token = fixture.token("ann");
        let requests = [("good", GOOD), ("bad", r#"{"data":[1"#)]
            .map(|(case, body)| post("/score", body).bearer(&token).case(case));
        let address = envoy.address();
        let tasks = requests.map(|request| {
            tokio::spawn(async move { client::send(address, &request).await.status })
        });
        let mut statuses = Vec::new();
        for task in tasks {
            statuses.push(task.await.unwrap());
        }
        assert_eq!(statuses, [200, 400], "hold_head: {hold}");
        assert_eq!(fixture.upstream.case("good").unwrap().body, GOOD.as_bytes());
        assert_eq!(fixture.upstream.heads("bad"), 0, "hold_head: {hold}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_body_beyond_the_buffer_of_the_proxy_is_its_own_413_and_reported_as_ours() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let mut document = config(&fixture.signer);
    document["rules"][0]["payload"] = json!({"max_bytes": "1MiB", "max_depth": 32});
    let envoy = Way::Hold.envoy(&fixture, document).buffer_limit(32 << 10).start().await;
    let token = fixture.token_with("ann", json!({"scp": "score"}));
    let body = format!("[\"{}\"]", "x".repeat(200 << 10));
    let request = post("/score", &body).bearer(&token).case("large");
    let response = envoy.send(&request).await;
    assert_eq!((response.status, response.reason().as_str()), (413, ""));
    let entry = envoy.access("large").await;
    assert_eq!(entry["details"], "request_payload_too_large");
    assert_eq!(entry["reason"], "payload_too_large");
    assert_eq!(fixture.upstream.heads("large"), 0);
}

/// A proxy that holds a body back with its head would leave both for ever.
#[tokio::test(flavor = "multi_thread")]
async fn hold_head_on_a_host_that_does_not_honour_it_is_told_and_refused_instead_of_waiting() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let mut document = config(&fixture.signer);
    document["hold_head"] = json!(true);
    let envoy =
        fixture.envoy(document).cluster("idp", SocketAddr::from(([127, 0, 0, 1], 1))).start().await;
    let token = fixture.token_with("ann", json!({"scp": "score"}));
    let request = post("/score", GOOD).bearer(&token).case("one");
    let response = envoy.send(&request).await;
    assert_eq!((response.status, response.reason().as_str()), (503, "store_unavailable"));
    assert_eq!(fixture.upstream.heads("one"), 0);
    envoy.wait_for_log("hold_head needs allow_on_headers_stop_iteration").await;
}

/// A rule in dry run reports the refusal, and lends its key to no such request.
#[tokio::test(flavor = "multi_thread")]
async fn a_watched_rule_lends_no_key_before_its_verdict() {
    for way in WAYS {
        let Some(fixture) = Fixture::new("ES256").await else { return };
        let mut document = config(&fixture.signer);
        document["rules"][0]["upstream_authorization"] = json!({"env": "KEY"});
        document["rules"][0]["dry_run"] = json!(true);
        let envoy = way.envoy(&fixture, document).variable("KEY", "lent-key").start().await;
        let token = fixture.token_with("ann", json!({"scp": "score"}));
        for (case, body, lent) in
            [("good", GOOD, way == Way::Hold), ("bad", r#"{"other":[1]}"#, false)]
        {
            let request = post("/score", body).bearer(&token).case(case);
            assert_eq!(envoy.send(&request).await.status, 200);
            let seen = fixture.upstream.case(case).unwrap();
            assert_eq!(seen.header("authorization") == Some("lent-key"), lent, "{way:?} {case}");
            let decision = if case == "good" { "allow" } else { "would_deny" };
            assert_eq!(envoy.access(case).await["decision"], decision, "{way:?}");
        }
    }
}
