//! The end of a response that is charged, against a fake host.

use proxy_wasm::types::Action;
use serde_json::{Value, json};

use super::exports::*;
use super::fake_host::host;
use super::tests::{CONTINUE, bearer, configuration, configure, state};

/// What the host calls at the end of a response.
type End = fn(u32) -> Action;

/// Begins a request of alice.
fn ask() -> u32 {
    let root = host(|host| {
        host.request = vec![
            (b":method".to_vec(), b"GET".to_vec()),
            (b":authority".to_vec(), b"ml".to_vec()),
            (b":path".to_vec(), b"/score".to_vec()),
            (b"authorization".to_vec(), bearer("alice")),
        ];
        host.root
    });
    let stream = root + 1;
    proxy_on_context_create(stream, root);
    assert_eq!(proxy_on_request_headers(stream, 0, true), CONTINUE);
    stream
}

/// The same, and its response has come but for its end.
fn respond(body: &[u8]) -> u32 {
    host(|host| {
        host.response = vec![
            (b":status".to_vec(), b"200".to_vec()),
            (b"content-type".to_vec(), b"application/json".to_vec()),
        ];
        host.body = body.to_vec();
    });
    let stream = ask();
    assert_eq!(proxy_on_response_headers(stream, 0, false), CONTINUE);
    assert_eq!(proxy_on_response_body(stream, body.len(), false), CONTINUE);
    stream
}

/// Loads a limit of this name that charges responses.
fn charge(name: &str, reserve: Option<Value>) {
    let mut document = configuration();
    document["limits"][0] = json!({
        "name": name, "rate": "1/d", "burst": 100, "charge": "response",
        "response_cost": {"json": "/tokens", "missing": 40},
    });
    if let Some(reserve) = reserve {
        document["limits"][0]["reserve"] = reserve;
    }
    document["rules"][1]["limits"] = json!([name]);
    assert!(configure(&document));
}

/// What the response is, how it ends, and what the caller has left of 100.
const ENDS: [(&str, End, &str); 9] = [
    (OBJECT, |stream| proxy_on_response_body(stream, 0, true), "97"),
    (OBJECT, |stream| proxy_on_response_trailers(stream, 1), "97"),
    (OBJECT, LEFT, "60"),
    ("data: {\"tokens\":3}\n\n", LEFT, "60"),
    // The SDK of OpenAI leaves here.
    ("data: {\"tokens\":3}\n\ndata: [DONE]\n\n", LEFT, "97"),
    ("data: {\"tokens\":3}\n\nevent: message_stop\ndata: {}\n\n", LEFT, "97"),
    ("event: response.completed\ndata: {\"tokens\":3}\n\n", LEFT, "97"),
    ("data: {}\n\ndata: [DONE]\n\n", LEFT, "60"),
    ("data: {\"tokens\":3}\n\ndata: [DONE]\n\ndata: {\"tokens\":4}\n\n", LEFT, "60"),
];

const OBJECT: &str = r#"{"tokens":3}"#;

/// The caller leaves, or the upstream does.
const LEFT: End = |_| CONTINUE;

#[test]
fn a_response_costs_its_number_once_it_is_whole_and_otherwise_what_a_missing_number_does() {
    for (index, (body, end, left)) in ENDS.into_iter().enumerate() {
        charge(&format!("per-caller-{index}"), None);
        let stream = respond(body.as_bytes());
        assert_eq!(end(stream), CONTINUE);
        let cost = (100 - left.parse::<u64>().unwrap()).to_string();
        assert_eq!(state("usage"), cost, "{body}");
        proxy_on_delete(stream);
        let next = respond(b"");
        assert_eq!(state("remaining"), left, "{body}");
        proxy_on_delete(next);
    }
}

/// The proxy ends the stream of a redirect that it follows, and begins a new one with the same request.
#[test]
fn a_redirect_that_the_proxy_follows_is_no_missing_response() {
    const DETAILS: &[u8] = b"response\0code_details";
    let reserve = json!({"default": 50, "max": 50});
    for (index, (details, reserve, left)) in [
        (&b"internal_redirect"[..], None, "100"),
        (b"internal_redirect", Some(&reserve), "49"),
        (b"", None, "60"),
        (b"", Some(&reserve), "10"),
    ]
    .into_iter()
    .enumerate()
    {
        charge(&format!("redirected-{index}"), reserve.cloned());
        let stream = ask();
        host(|host| host.properties.insert(DETAILS.to_vec(), details.to_vec()));
        proxy_on_delete(stream);
        host(|host| host.properties.remove(DETAILS));
        let next = respond(b"");
        assert_eq!(state("remaining"), left, "{index}");
        proxy_on_delete(next);
    }
}

#[test]
fn an_error_of_the_upstream_gives_back_what_was_reserved() {
    let reserve = json!({"default": 50, "max": 50});
    for (index, (status, grpc_status, left)) in [
        ("200", None, "10"),
        ("503", None, "49"),
        ("404", None, "49"),
        ("200", Some("14"), "49"),
        ("200", Some("0"), "10"),
    ]
    .into_iter()
    .enumerate()
    {
        charge(&format!("failed-{index}"), Some(reserve.clone()));
        let stream = ask();
        host(|host| {
            let grpc_status = grpc_status.map(|status| ("grpc-status", status));
            let pairs = [(":status", status)].into_iter().chain(grpc_status);
            host.response = pairs.map(|(name, value)| (name.into(), value.into())).collect();
        });
        assert_eq!(proxy_on_response_headers(stream, 0, true), CONTINUE);
        proxy_on_delete(stream);
        let next = respond(b"");
        assert_eq!(state("remaining"), left, "{status} {grpc_status:?}");
        proxy_on_delete(next);
    }
}
