//! `tollgate probe`, at a real Envoy with and without the filter.

use std::time::Duration;

use support::example::{Example, Folder};
use support::ports::free_address;
use support::prelude::*;
use support::tls::Authority;

use super::tollgate;

/// Exit code, the sentence for people, and the JSON.
fn probe(arguments: &[&str]) -> (i32, String, Value) {
    let arguments = [&["probe"], arguments].concat();
    let (text, errors, code) = tollgate(&arguments);
    let (json, _, same) = tollgate(&[&arguments[..], &["--json"]].concat());
    assert_eq!(code, same, "{text}{errors}");
    (code, [text, errors].concat(), serde_json::from_str(&json).unwrap_or_default())
}

fn minimal(fixture: &Fixture) -> Example {
    Example::load("envoy/minimal.yaml").cluster("upstream", fixture.upstream.address())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_expected_refusal_of_the_filter_is_a_success() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let rules = json!({"rules": [
        {"name": "open", "match": {"paths": ["/open"]}, "auth": "none"},
        {"name": "score", "match": {"paths": ["/score"], "methods": ["POST"]}},
    ]});
    let envoy = fixture.envoy(rules.clone()).start().await;
    let empty = json!({"responses": {"body": "empty", "realm": "a"}});
    let empty = fixture.envoy(merged(rules, empty)).start().await;
    let expired = fixture.token_with("alice", json!({"exp": mint::now() - 300}));
    let expired = format!("authorization: Bearer {expired}");
    // Without a problem document, a refusal without a challenge has no reason.
    for (envoy, no_rule) in [(&envoy, 0), (&empty, 1)] {
        let url = |path: &str| format!("http://{}{path}", envoy.address());
        let (score, open, other) = (url("/score?a=b"), url("/open"), url("/other"));
        let (score, open, other) = (score.as_str(), open.as_str(), other.as_str());
        for (arguments, code, said) in [
            (&[score, "--method", "POST"][..], 0, "ok: POST"),
            (&[score, "--method", "POST", "--header", &expired, "--expect", "expired"], 0, "401"),
            (&[score, "--method", "POST", "--header", &expired], 1, "401 expired from tollgate"),
            (&[score, "--method", "POST", "--expect", "expired"], 1, "runbook.md#token_missing"),
            (&[open], 1, "200, not from tollgate"),
            (&[other, "--expect", "no_rule"], no_rule, "403"),
        ] {
            let (found, text, json) = probe(arguments);
            assert_eq!((found, text.contains(said)), (code, true), "{arguments:?}: {text}");
            assert_eq!(json["ok"], code == 0, "{json}");
            assert_eq!(json["cause"].is_null(), code == 0, "{json}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_in_which_the_filter_is_missing_is_a_failure_with_its_usual_cause() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let bare = fixture.proxy().start().await;
    let open = minimal(&fixture).without_module("FAIL_OPEN").text();
    let open = fixture.proxy().start_file(&open).await;
    let closed = minimal(&fixture).without_module("FAIL_RELOAD").text();
    let closed = fixture.proxy().start_file(&closed).await;
    let rbac = json!({"name": "envoy.filters.http.rbac", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
        "rules": {"action": "ALLOW", "policies": {}},
    }});
    let rbac = fixture.proxy().filter_before(rbac).start().await;
    for (envoy, seen, cause) in [
        (&bare, "200, not from tollgate", "the filter is absent or disabled"),
        (&open, "200, not from tollgate", "FAIL_OPEN"),
        (&closed, "503, not from tollgate", "VM does not run"),
        (&rbac, "403, not from tollgate", "RBAC"),
    ] {
        let (code, text, json) = probe(&[&format!("http://{}/score", envoy.address())]);
        assert_eq!(code, 1, "{text}");
        assert!(text.contains(seen) && text.contains(cause), "{text}");
        assert_eq!((&json["ok"], &json["reason"]), (&json!(false), &Value::Null));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_another_server_is_told_from_a_refusal_of_the_filter() {
    let problem = r#"{"type":"about:blank","title":"Unauthorized","status":401,"reason":"other"}"#;
    let replies = [
        ("/moved", Reply::new(302, "").header("location", "/"), "a redirect"),
        ("/own", Reply::new(401, "").header("www-authenticate", "Basic"), "of its own"),
        // Envoy's JWT filter.
        (
            "/jwt",
            Reply::new(401, "Jwt is missing").header("www-authenticate", "Bearer realm=\"a\""),
            "of its own",
        ),
        ("/bare", Reply::new(401, "").header("www-authenticate", "Bearer"), "of its own"),
        (
            "/problem",
            Reply::new(401, problem).header("content-type", "application/problem+json"),
            "of its own",
        ),
        ("/404", Reply::new(404, ""), "no route"),
        ("/500", Reply::new(500, ""), "no accepted configuration"),
        ("/502", Reply::new(502, "bad"), "a proxy in front"),
    ];
    let answers = replies.clone();
    let upstream = Upstream::answering(move |request| {
        let found = answers.iter().find(|(path, _, _)| request.path == *path);
        found.map_or_else(|| Reply::new(200, ""), |(_, reply, _)| reply.clone())
    });
    let upstream = upstream.await;
    for (path, _, cause) in &replies {
        let (code, text, _) = probe(&[&upstream.url(path)]);
        assert!(code == 1 && text.contains("not from tollgate") && text.contains(cause), "{text}");
    }
    let slow = Upstream::answering(|_| {
        let mut reply = Reply::new(200, "");
        reply.delay = Duration::from_secs(4);
        reply
    });
    let slow = slow.await.url("/");
    let nobody = format!("http://{}/", free_address());
    for url in [slow, nobody] {
        let (code, text, json) = probe(&[&url, "--timeout", "1"]);
        assert!(code == 1 && text.contains("no answer: "), "{text}");
        assert!(json["status"].is_null() && json["error"].is_string(), "{json}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_needs_a_trusted_authority_and_the_name_of_the_host() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let (authority, folder) = (Authority::new(), Folder::new());
    let socket = authority.downstream(false);
    let envoy = fixture.envoy(json!({})).transport_socket(socket).start().await;
    let port = envoy.address().port();
    let ca = folder.file("ca.crt", authority.pem());
    let other = folder.file("other.crt", Authority::new().pem());
    let good = format!("https://localhost:{port}/score");
    let host = ["--header", "host: ml.example.com"];
    assert_eq!(probe(&[&[&good, "--ca", &ca][..], &host].concat()).0, 0);
    let (code, text, _) = probe(&[&good, "--ca", &other]);
    assert!(code == 1 && text.contains("certificate"), "{text}");
    let (code, text, _) = probe(&[&format!("https://127.0.0.2:{port}/score"), "--ca", &ca]);
    assert!(code == 1 && text.contains("no answer"), "{text}");
}

/// The arguments of the shipped job, at another address.
#[tokio::test(flavor = "multi_thread")]
async fn the_job_in_kubernetes_succeeds_with_the_filter_alone() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let job = support::manifests::read("examples/kubernetes/probe/cronjob.yaml").remove(0);
    let container = "/spec/jobTemplate/spec/template/spec/containers/0";
    let container = job.pointer(container).unwrap();
    assert_eq!(container["command"], json!(["tollgate"]));
    let arguments = container["args"].as_array().unwrap();
    let mut arguments: Vec<_> = arguments.iter().map(|word| word.as_str().unwrap()).collect();
    assert_eq!(arguments.pop(), Some("https://ml.example.com/score"));
    for (envoy, code) in
        [(fixture.envoy(json!({})).start().await, 0), (fixture.proxy().start().await, 1)]
    {
        let url = format!("http://{}/score", envoy.address());
        assert_eq!(tollgate(&[&arguments[..], &[&url]].concat()).2, code);
    }
}

#[test]
fn wrong_usage_has_exit_code_2() {
    for arguments in [
        &["localhost/score"][..],
        &["127.0.0.1:10500/score"],
        &["ftp://localhost/score"],
        &["http://user@localhost/score"],
        &["http://localhost/", "--expect", "missing"],
        &["http://localhost/", "--header", "x"],
        &["http://localhost/", "--method", "G T"],
        &["http://localhost/", "--timeout", "-1"],
        &["https://localhost/", "--ca", "/absent.crt"],
        &[],
    ] {
        let (text, _, code) = tollgate(&[&["probe"], arguments].concat());
        assert_eq!((code, text.as_str()), (2, ""), "{arguments:?}");
    }
    let (_, errors, _) = tollgate(&["probe", "127.0.0.1:10500/score"]);
    assert!(errors.contains("missing; as in http://127.0.0.1:10500/score"), "{errors}");
    for arguments in [
        &["http://user:a-secret@localhost/"][..],
        &["http://localhost/", "--header", "x-api-key a-secret"],
        &["http://localhost/", "--header", "x-api-key: a-secret\u{1}"],
        &["http://localhost/", "--header", "x api key: a-secret"],
    ] {
        let (text, errors, code) = tollgate(&[&["probe"], arguments].concat());
        assert_eq!(code, 2, "{arguments:?}");
        assert!(![text, errors].concat().contains("a-secret"), "{arguments:?}");
    }
}
