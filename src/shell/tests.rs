//! The shell against a fake host, driven through the exports that a proxy calls.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::algorithms::{HS256Key, MACLike};
use proxy_wasm::types::Action;
use serde_json::{Value, json};

use super::exports::*;
use super::fake_host::host;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
/// Each root context has numbers for this many streams.
pub(super) const STREAMS: u32 = 10_000;
pub(super) const NOW_SECONDS: u64 = 1_800_000_000;
pub(super) const CONTINUE: Action = Action::Continue;
pub(super) const PAUSE: Action = Action::Pause;

pub(super) fn configuration() -> Value {
    json!({
        "providers": [{
            "name": "p",
            "issuers": ["https://issuer.test"],
            "audiences": ["api://scoring"],
            "algorithms": ["HS256"],
            "keys": {"inline": {"keys": [
                {"kty": "oct", "kid": "k", "k": URL_SAFE_NO_PAD.encode(SECRET)},
            ]}},
        }],
        "rules": [
            {"name": "health", "match": {"paths": ["/"]}, "auth": "none"},
            {"name": "score", "match": {"paths": ["/score"]}, "limits": ["per-caller"]},
        ],
        "limits": [{"name": "per-caller", "rate": "1/m", "burst": 2}],
        "tags": [{"name": "subject", "value": "{sub}", "header": "x-auth-subject"}],
        "store": {"max_identities": 64},
    })
}

fn token(subject: &str) -> String {
    let header = json!({"alg": "HS256", "typ": "JWT", "kid": "k"});
    let claims = json!({
        "iss": "https://issuer.test", "aud": "api://scoring", "sub": subject,
        "exp": NOW_SECONDS + 600,
    });
    let input = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
    let tag = HS256Key::from_bytes(SECRET).authentication_tag(input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// Loads a document into a new root context.
pub(super) fn configure(document: &Value) -> bool {
    let document = document.to_string().into_bytes();
    let size = document.len();
    let root = host(|host| {
        host.root = host.root / STREAMS * STREAMS + STREAMS;
        host.now = NOW_SECONDS * 1_000_000_000;
        host.configuration = document;
        host.properties.insert(b"plugin_name".to_vec(), b"tollgate".to_vec());
        host.properties.insert(b"source\0address".to_vec(), b"192.0.2.1:4711".to_vec());
        host.root
    });
    crate::shell::start();
    proxy_on_context_create(root, 0);
    proxy_on_configure(root, size)
}

pub(super) fn request(path: &str, more: &[(&str, &[u8])]) -> Action {
    let root = host(|host| {
        host.replies.clear();
        host.filter_state.clear();
        host.response.clear();
        host.request =
            [(":method", &b"GET"[..]), (":authority", b"ml"), (":path", path.as_bytes())]
                .iter()
                .chain(more)
                .map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec()))
                .collect();
        host.root
    });
    let stream = root + 1;
    proxy_on_context_create(stream, root);
    let action = proxy_on_request_headers(stream, 0, true);
    proxy_on_response_headers(stream, 0, true);
    proxy_on_delete(stream);
    action
}

pub(super) fn bearer(subject: &str) -> Vec<u8> {
    format!("Bearer {}", token(subject)).into_bytes()
}

pub(super) fn upstream_header(name: &str) -> Option<String> {
    host(|host| {
        let found = host.request.iter().find(|(n, _)| n == name.as_bytes());
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    })
}

pub(super) fn state(name: &str) -> String {
    host(|host| {
        let value = host.filter_state.get(&format!("tollgate.{name}")).cloned();
        String::from_utf8(value.unwrap_or_default()).unwrap()
    })
}

#[test]
fn a_verified_request_passes_tagged_limited_and_counted() {
    assert!(configure(&configuration()));
    assert_eq!(request("/score", &[("authorization", &bearer("alice"))]), CONTINUE);
    assert_eq!(upstream_header("x-auth-subject").as_deref(), Some("alice"));
    assert_eq!(
        ["decision", "reason", "rule", "provider", "subject", "remaining"].map(state),
        ["allow", "ok", "score", "p", "alice", "50"]
    );
    host(|host| {
        assert!(host.replies.is_empty());
        assert!(host.response.iter().any(|(name, _)| name == b"ratelimit"));
        let counter = "rule=.=score;.;provider=.=p;.;decision=.=allow;.;reason=.=ok;.;\
                       tollgate_requests"
            .to_owned();
        assert!(host.metrics.contains(&(counter, 1)), "{:?}", host.metrics);
        let version = env!("CARGO_PKG_VERSION");
        let version = format!("version=.={version};.;tollgate_build_info");
        assert!(host.metrics.contains(&(version, 1)), "{:?}", host.metrics);
    });
}

#[test]
fn an_empty_bucket_refuses_with_one_reply_and_another_caller_is_unharmed() {
    assert!(configure(&configuration()));
    for _ in 0..2 {
        assert_eq!(request("/score", &[("authorization", &bearer("alice"))]), CONTINUE);
    }
    assert_eq!(request("/score", &[("authorization", &bearer("alice"))]), PAUSE);
    assert_eq!(["decision", "reason", "subject"].map(state), ["deny", "rate_limited", "alice"]);
    host(|host| {
        assert_eq!(host.replies.len(), 1);
        assert_eq!(host.replies[0].status, 429);
        let retry = host.replies[0].headers.iter().find(|(name, _)| name == b"retry-after");
        let seconds: u32 = std::str::from_utf8(&retry.unwrap().1).unwrap().parse().unwrap();
        assert!((60..=75).contains(&seconds), "{seconds}");
    });
    assert_eq!(request("/score", &[("authorization", &bearer("bob"))]), CONTINUE);
}

#[test]
fn spoofed_headers_are_stripped_on_every_path() {
    assert!(configure(&configuration()));
    let spoofed: [(&str, &[u8]); 3] =
        [("x-auth-subject", b"root"), ("x~auth.subject", b"root"), ("x!tollgate-rule", b"x")];
    assert_eq!(request("/", &spoofed), CONTINUE);
    assert_eq!(state("reason"), "anonymous");
    host(|host| assert_eq!(host.request.len(), 3, "{:?}", host.request));
    assert_eq!(request("/elsewhere", &spoofed), PAUSE);
    assert_eq!(state("reason"), "no_rule");
}

#[test]
fn a_bad_document_is_refused_with_one_line_for_each_problem() {
    let mut document = configuration();
    document["providers"][0]["clock_skew"] = json!("5x");
    document["rules"][1]["limits"] = json!(["nobody"]);
    assert!(!configure(&document));
    let log = host(|host| host.log.clone());
    for path in ["providers[0].clock_skew", "rules[1].limits[0]"] {
        assert_eq!(log.iter().filter(|line| line.contains(path)).count(), 1, "{path}: {log:?}");
    }
}

#[test]
fn any_byte_in_any_header_is_judged_and_never_panics() {
    assert!(configure(&configuration()));
    let token = token("alice");
    for byte in 0..=255_u8 {
        for at in [0, 7, 20, 7 + token.len() / 2, 6 + token.len()] {
            let mut value = format!("Bearer {token}").into_bytes();
            value[at] = byte;
            request("/score", &[("authorization", &value), ("x-auth-subject", &[byte])]);
            assert!(host(|host| host.replies.len()) <= 1);
        }
        let name = String::from_utf8_lossy(&[byte]).into_owned();
        request(&format!("/{name}"), &[(":authority", &[byte]), ("content-type", &[byte])]);
    }
}

#[test]
fn a_malformed_token_on_an_open_path_is_not_looked_at() {
    assert!(configure(&configuration()));
    let long = [b'.'; 20_000];
    let tokens: [&[u8]; 7] =
        [b"", b"a", b"a.b", b"a.b.", b"..", b"eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJpIn0.", &long];
    for token in tokens {
        let value = [b"Bearer ", token].concat();
        assert_eq!(request("/", &[("authorization", &value)]), CONTINUE);
        assert_eq!(state("reason"), "anonymous", "{}", token.escape_ascii());
    }
}

#[test]
fn a_host_that_answers_any_status_to_every_call_never_panics_the_module_nor_opens_it() {
    assert!(configure(&configuration()));
    for status in 1..=20 {
        host(|host| host.failing = Some(status));
        assert_eq!(request("/score", &[("authorization", &bearer("alice"))]), PAUSE, "{status}");
        assert_eq!(request("/", &[]), PAUSE, "{status}");
        host(|host| host.failing = None);
    }
    assert!(configure(&configuration()));
    assert_eq!(request("/score", &[("authorization", &bearer("carol"))]), CONTINUE);
}

#[test]
fn a_grpc_caller_is_refused_with_a_grpc_status_and_the_bare_word() {
    assert!(configure(&configuration()));
    assert_eq!(request("/score", &[("content-type", b"application/grpc+proto")]), PAUSE);
    let reply = host(|host| host.replies[0].clone());
    assert_eq!((reply.grpc_status, reply.body), (16, b"token_missing".to_vec()));
}

#[test]
fn what_is_stripped_is_not_there_for_the_judgement_either() {
    // The configuration that would ask for it does not load, so what is left is a header of replies.
    let mut document = configuration();
    document["responses"] = json!({"cors": {"allow_origins": ["https://app.test"]}});
    document["tags"][0]["header"] = json!("access-control-request-method");
    assert!(configure(&document));
    let pairs = [
        (":method", "OPTIONS"),
        (":authority", "ml"),
        (":path", "/score"),
        ("origin", "https://app.test"),
        ("access-control-request-method", "POST"),
    ];
    let root = host(|host| {
        host.replies.clear();
        host.request = pairs.map(|(n, v)| (n.as_bytes().to_vec(), v.as_bytes().to_vec())).to_vec();
        host.root
    });
    proxy_on_context_create(root + 1, root);
    assert_eq!(proxy_on_request_headers(root + 1, 5, true), PAUSE);
    proxy_on_delete(root + 1);
    assert_eq!(state("reason"), "token_missing");
}

#[test]
fn a_table_that_could_not_be_opened_at_load_is_opened_by_a_later_request() {
    for counted in [false, true] {
        let mut document = configuration();
        if counted {
            document["rules"][1]["concurrency"] = json!(4);
        }
        host(|host| {
            host.shared.clear();
            host.log.clear();
            host.shared_data_fails = true;
        });
        assert!(configure(&document));
        let ask = || request("/score", &[("authorization", &bearer("dora"))]);
        for _ in 0..3 {
            assert_eq!((ask(), state("reason").as_str()), (PAUSE, "store_unavailable"));
        }
        host(|host| host.shared_data_fails = false);
        assert_eq!((ask(), state("reason").as_str()), (PAUSE, "store_unavailable"));
        host(|host| host.now += 1_000_000_000);
        let reasons = [(); 3].map(|()| (ask(), state("reason")));
        let expected = [(CONTINUE, "ok"), (CONTINUE, "ok"), (PAUSE, "rate_limited")];
        assert_eq!(reasons, expected.map(|(action, reason)| (action, reason.to_owned())));
        let log = host(|host| host.log.clone());
        for line in ["no bucket table", "the bucket table is open now"] {
            assert_eq!(log.iter().filter(|l| l.contains(line)).count(), 1, "{line}: {log:?}");
        }
    }
}
