use std::rc::Rc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::few::Few;
use crate::gate::verdict::LimitReport;
use crate::limit::Ruling;
use crate::limit::plan::Limit;
use crate::request::headers::Headers;

pub(super) fn policy() -> Policy {
    let document = serde_json::json!({
        "providers": [{
            "name": "p",
            "issuers": ["https://issuer.test"],
            "audiences": ["a"],
            "keys": {"inline": {"keys": [{
                "kty": "OKP", "crv": "Ed25519",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", // RFC 8037 appendix A.2
            }]}},
        }],
        "rules": [{
            "name": "r", "limits": ["per-caller"], "concurrency": 3,
            "payload": {
                "content_types": ["application/json", "text/csv"], "max_bytes": 1024,
                "max_rows": 100, "require_any": ["/data"],
            },
        }],
        "limits": [{"name": "per-caller", "rate": "10/s", "burst": 20}],
        "responses": {"realm": "ml", "ratelimit_headers": "both"},
    });
    crate::config::tests::compiled(&document)
}

/// The reply to a caller without headers.
fn reply(denial: &Denial, facts: &Facts) -> Reply {
    compose(denial, facts, &policy(), Recipient::of(&Headers::default()), 0)
}

fn refused(reason: Reason) -> Reply {
    reply(&reason.into(), &Facts::default())
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str())
}

#[test]
fn a_missing_token_gets_a_challenge_without_an_error() {
    let reply = refused(Reason::TokenMissing);
    assert_eq!(reply.status, 401);
    assert_eq!(header(&reply, "www-authenticate"), Some("Bearer realm=\"ml\""));
    assert_eq!(header(&reply, "retry-after"), None);
}

#[test]
fn every_refusal_has_an_error_status_and_a_document_with_its_reason() {
    for reason in Reason::ALL {
        let reply = refused(reason);
        let passes = matches!(reason, Reason::Ok | Reason::Anonymous | Reason::Preflight);
        assert_eq!(reply.status < 400, passes, "{reason:?}");
        let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(body["reason"], reason.as_str());
        assert_eq!(body["status"], reply.status);
        let challenged = header(&reply, "www-authenticate").is_some();
        assert!(challenged || reply.status != 401, "{reason:?}");
    }
}

#[test]
fn a_405_names_the_methods_that_rules_may_admit() {
    let reply = refused(Reason::MethodNotAllowed);
    assert_eq!(reply.status, 405);
    assert!(header(&reply, "allow").is_some_and(|allow| !allow.contains("TRA")));
    let other = refused(Reason::NoRule);
    assert_eq!(header(&other, "allow"), None);
}

#[test]
fn the_challenge_says_why_a_token_is_invalid() {
    let reply = refused(Reason::Expired);
    assert_eq!(
        header(&reply, "www-authenticate"),
        Some("Bearer realm=\"ml\", error=\"invalid_token\", error_description=\"expired\"")
    );
}

#[test]
fn retry_after_is_in_whole_seconds_rounded_up() {
    let denial = Denial::for_now(Reason::RateLimited, Duration::new(1, 1));
    let reset = Duration::from_nanos(1);
    let policy = policy();
    let quota = policy.limits[0].quota;
    let limit = Rc::clone(&policy.limits[0]);
    let watched = Rc::new(Limit { dry_run: true, ..(*limit).clone() });
    let shown = LimitReport { limit, quota, remaining: 0, reset, ruling: Ruling::NotYet(reset) };
    let hidden = LimitReport { limit: watched, reset: 7 * reset, ..shown.clone() };
    let limits = Few::Many(vec![hidden, shown]);
    let facts = Facts { limits, ..Facts::default() };
    let reply = reply(&denial, &facts);
    assert_eq!(header(&reply, "retry-after"), Some("2"));
    assert_eq!(header(&reply, "ratelimit-policy"), Some("\"per-caller\";q=20;w=2"));
    assert_eq!(header(&reply, "ratelimit"), Some("\"per-caller\";r=0;t=1"));
    assert_eq!(header(&reply, "x-ratelimit-remaining"), Some("0"));
}

#[test]
fn grpc_callers_get_the_reason_and_a_grpc_status() {
    let of = |content_type: &str| {
        let headers = Headers::from_pairs(&[("content-type", content_type)]);
        let denial = Denial::for_now(Reason::RateLimited, Duration::from_secs(3));
        compose(&denial, &Facts::default(), &policy(), Recipient::of(&headers), 0)
    };
    for content_type in ["application/grpc", "application/grpc+proto", "application/grpc+"] {
        let reply = of(content_type);
        assert_eq!((reply.grpc_status, reply.body.as_slice()), (8, &b"rate_limited"[..]));
        assert_eq!(header(&reply, "content-type"), None);
        assert_eq!(header(&reply, "grpc-retry-pushback-ms"), Some("3000"));
    }
    let frame = b"\x80\0\0\0\x2agrpc-status:8\r\ngrpc-message:rate_limited\r\n";
    for content_type in ["grpc-web", "grpc-web+proto"] {
        let reply = of(&format!("application/{content_type}"));
        assert_eq!((reply.status, reply.body.as_slice()), (200, &frame[..]));
        assert_eq!(header(&reply, "content-type"), Some("application/grpc-web+proto"));
    }
    for content_type in ["grpc-web-text", "grpc-web-text+proto"] {
        let reply = of(&format!("application/{content_type}"));
        assert_eq!((reply.status, &reply.body), (200, &STANDARD.encode(frame).into_bytes()));
        assert_eq!(header(&reply, "content-type"), Some("application/grpc-web-text+proto"));
    }
}

/// A caller whose content type no server reads as gRPC must see the HTTP status.
#[test]
fn a_content_type_that_only_begins_like_grpc_gets_an_http_status() {
    for content_type in [
        "application/grpcfoo",
        "application/grpc;charset=utf-8",
        "application/grpc ",
        "application/grpc-webfoo",
        "application/grpc-web-textual",
        "application/grpc-web; charset=utf-8",
        "application/grpc-json",
        "Application/gRPC",
        "application/GRPC+proto",
        "text/application/grpc",
    ] {
        let headers = Headers::from_pairs(&[("content-type", content_type)]);
        let denial = Reason::TokenMissing.into();
        let reply = compose(&denial, &Facts::default(), &policy(), Recipient::of(&headers), 0);
        assert_eq!(reply.status, 401, "{content_type}");
        assert_eq!(header(&reply, "grpc-status"), None, "{content_type}");
        assert!(String::from_utf8(reply.body).unwrap().contains("token_missing"), "{content_type}");
    }
}
