//! The traces of a call: the audit line, the scrape and the span of the shipped configurations, in a
//! real Envoy.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod decisions;
mod histograms;
mod metrics;
mod receivers;
mod secrets;

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use support::grpc::Receiver;
use support::ports::free_address;
use support::prelude::*;
use support::sample::{self, Sample};
use support::{eventually, poll, scrape};
use tokio::io::AsyncWriteExt;

/// The configuration of the sample with other rules and limits.
fn config(sample: &Sample) -> Value {
    let mut config = sample.plugin_config();
    config["rules"] = json!([
        {"name": "health", "match": {"paths": ["/"]}, "auth": "none"},
        {"name": "open", "match": {"paths": ["/open"]}, "auth": "optional"},
        {"name": "trial", "match": {"paths": ["/trial"]}, "dry_run": true},
        {"name": "once", "match": {"paths": ["/once"]}, "limits": ["roomy", "once"]},
        {"name": "dear", "match": {"paths": ["/dear"]}, "limits": ["roomy", "once"], "cost": 2},
        {"name": "crowd", "match": {"paths": ["/crowd"]}, "concurrency": 1},
        {"name": "graded", "match": {"paths": ["/graded"]}, "allow": [{"roles_any": ["Score"]}]},
        {"name": "body", "match": {"paths": ["/body"]}, "payload": {"max_bytes": 100, "max_depth": 32}},
        {"name": "chat", "match": {"paths": ["/chat"]}, "limits": ["chat"], "payload": {}},
        {"name": "score", "match": {"paths": ["/score", "/v1/**", "/{endpoint}/score"]}},
    ]);
    config["limits"] = json!([
        {"name": "roomy", "rate": "1000/s"},
        {"name": "once", "rate": "1/h", "burst": 1},
        {
            "name": "chat", "rate": "1000/s", "charge": "response",
            "response_cost": {"json": "/usage/total_tokens"},
            "reserve": {"json": "/max_tokens", "max": 9},
            "price": {"json": "/model", "of": {"gpt-4.1": 3}, "default": 2},
        },
    ]);
    config
}

/// The shipped sample before the fixture's upstream.
fn sample(fixture: &Fixture) -> Sample {
    Sample::load(fixture.upstream.address())
}

/// An Envoy with a sample and the rules of [`config`].
async fn start(fixture: &Fixture, sample: Sample) -> Envoy {
    let sample = sample.for_envoy(&fixture.binary);
    let config = config(&sample);
    let proxy = fixture.proxy().environment("TOLLGATE_HASH_KEY", HASH_KEY);
    proxy.start_file(&sample.plugin(&config).text()).await
}

/// Whether spans contain the decision, also for refused requests: in Envoy since 1.37.
fn full_spans(fixture: &Fixture) -> bool {
    !sample::is_1_36(&fixture.binary)
}

const HASH_KEY: &str = "0123456789abcdef0123456789abcdef";

/// A request and the trace it has to leave: rule, provider, decision, reason, identity.
struct Case {
    request: Request,
    trace: [&'static str; 5],
}

fn cases(fixture: &Fixture) -> Vec<Case> {
    let now = mint::now();
    let score = || Request::post("/score", "{}");
    let with = |changes: Value| score().bearer(fixture.token_with("alice", changes));
    let forged = Signer::new("ES256", "key-1").sign(&mint::claims("alice"));
    let get = |path: &str| fixture.get(path, "bob");
    let body = |text: &str| {
        let token = fixture.token("bob");
        Request::post("/body", text).bearer(token).header("content-type", "application/json")
    };
    let past = json!({"iat": now - 900, "nbf": now - 900, "exp": now - 300});
    let (alice, bob) = ("https://issuer.test/alice", "https://issuer.test/bob");
    let case = |request, trace| Case { request, trace };
    vec![
        case(with(json!({})), ["score", "demo", "allow", "ok", alice]),
        case(Request::get("/open"), ["open", "none", "allow", "anonymous", "-"]),
        case(Request::get("/"), ["health", "none", "allow", "anonymous", "-"]),
        case(score(), ["score", "none", "deny", "token_missing", "-"]),
        case(score().bearer("x"), ["score", "none", "deny", "token_malformed", "-"]),
        case(with(past), ["score", "demo", "deny", "expired", alice]),
        case(with(json!({"aud": "b"})), ["score", "demo", "deny", "audience_mismatch", alice]),
        case(with(json!({"iss": "b"})), ["score", "none", "deny", "issuer_not_allowed", "-"]),
        case(score().bearer(forged), ["score", "demo", "deny", "signature_invalid", "-"]),
        case(get("/once"), ["once", "demo", "allow", "ok", bob]),
        case(get("/once"), ["once", "demo", "deny", "rate_limited", bob]),
        case(get("/dear"), ["dear", "demo", "deny", "cost_exceeds_burst", bob]),
        case(get("/graded"), ["graded", "demo", "deny", "role_insufficient", bob]),
        case(body("{}"), ["body", "demo", "allow", "ok", bob]),
        case(body("{"), ["body", "demo", "deny", "payload_malformed", bob]),
        case(body(&" ".repeat(101)), ["body", "demo", "deny", "payload_too_large", bob]),
        case(Request::get("/trial"), ["trial", "none", "would_deny", "token_missing", "-"]),
        case(Request::get("/nothing"), ["none", "none", "deny", "no_rule", "-"]),
        case(Request::get("/v1/a%2Fb"), ["none", "none", "deny", "path_ambiguous", "-"]),
    ]
}

const HCM: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
