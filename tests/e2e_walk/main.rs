//! The requests of docs/identity-walk.md: NGINX, gateway and sidecar as shipped, with the changes of the page,
//! and each cell of its tables. Where a hop's headers are compared, a recording upstream stands behind it;
//! where logs are compared, Microsoft's model server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod chain;
mod ingress;
mod page;

use chain::{Chain, ENDPOINT_KEY, GATEWAY, HOPS, Site, score};
use page::{Known, is, table};
use support::edge::Kind::{Haproxy, Nginx};
use support::edge::{Proxy, caller};
use support::eventually;
use support::example::Example;
use support::prelude::*;
use support::tls::connect_from;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const HEADERS: &str =
    "| Header | Alice sends | NGINX forwards | The gateway forwards | score.py receives |";
const LINES: &str = "| Field | NGINX | Gateway | Sidecar | score.py |";
const FORWARD: &str = "| Gateway | Sidecar | Response | From |";
const ALICE: &str = "https://issuer.test/alice";

/// Compares one column of the table of headers with a request.
fn compare(column: usize, seen: &Recorded, known: &Known) {
    for row in table(HEADERS, 10) {
        let values = seen.all(&row[0]);
        assert!(values.len() <= 1, "{}: {} values", row[0], values.len());
        let value = values.first().map(|value| str::from_utf8(value).unwrap());
        assert!(is(&row[column], value, known), "{} is not {}", row[0], row[column]);
    }
}

/// Alice's request, from the first column.
fn request(known: &Known) -> Request {
    let request = Request::post("/score", r#"{"data": [[1, 2]]}"#);
    table(HEADERS, 10).iter().fold(request, |request, row| {
        request.header(&row[0], row[1].replace("<token>", &known["token"]))
    })
}

/// The id that the response names.
fn id(response: &Response) -> String {
    let id = response.header("x-request-id").unwrap().to_owned();
    assert_eq!(id.len(), 36, "an id of the gateway: {id}");
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn the_request_of_the_page_has_at_each_hop_the_headers_of_its_table() {
    let Some(site) = Site::new(Nginx).await else { return };
    let upstream = &site.fixture.upstream;
    let mut known =
        Known::from([("token", site.fixture.token("alice")), ("caller", caller(9).to_string())]);
    let alice = request(&known);
    let seen = async |edge: &Proxy| {
        let response = site.send(edge, &alice).await;
        assert_eq!(response.status, 200, "{}", response.reason());
        (response, upstream.last().unwrap())
    };

    // NGINX alone.
    let nginx = Proxy::start(Nginx, &site.authority, upstream.address(), &[]).await;
    compare(2, &seen(&nginx).await.1, &known);

    // With the gateway as shipped: what it forwards, before a sidecar reads it.
    let shipped = Example::load(Nginx.envoy()).cluster("upstream", upstream.address());
    let envoy = site.run(&shipped).await;
    let nginx = Proxy::start(Nginx, &site.authority, envoy.address(), &[]).await;
    let (response, recorded) = seen(&nginx).await;
    known.insert("request id", id(&response));
    compare(3, &recorded, &known);
    drop((nginx, envoy));

    // All hops.
    let sidecar = site.run(&site.sidecar(upstream.address())).await;
    let gateway = site.run(&site.gateway(Nginx, GATEWAY, sidecar.address())).await;
    let nginx = Proxy::start(Nginx, &site.authority, gateway.address(), &[]).await;
    let (response, recorded) = seen(&nginx).await;
    known.insert("request id", id(&response));
    compare(4, &recorded, &known);

    // The same forgeries at each hop, from a caller and from a gateway without the filter: none arrives.
    let compromised = site.gateway(Nginx, GATEWAY, sidecar.address()).believing();
    let compromised = site.run(&compromised).await;
    for hop in &HOPS[..3] {
        let names = [
            "x-auth-identity",
            "X-Auth-Subject",
            "x_auth_subject",
            "x-auth.subject",
            "x-tollgate-identity",
        ];
        let forged =
            names.iter().fold(site.score(hop), |request, name| request.header(name, "root"));
        let response = match *hop {
            "NGINX" => site.send(&nginx, &forged).await,
            "gateway" => gateway.send(&forged).await,
            _ => compromised.send(&forged).await,
        };
        assert_eq!(response.status, 200, "{hop}: {}", response.reason());
        let seen = upstream.last().unwrap();
        assert_eq!(seen.header("x-auth-subject"), Some(*hop));
        assert!(!seen.head_contains(b"root"), "{hop}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_token_leaves_the_same_caller_and_request_id_in_the_log_of_each_of_the_four() {
    for kind in [Nginx, Haproxy] {
        let Some(site) = Site::new(kind).await else { continue };
        let Some((model, _keys)) = site.model(&[]).await else { return };
        let chain = Chain::shipped(&site, kind, &model).await;
        let mut known = Known::from([
            ("token", site.fixture.token("alice")),
            ("caller", caller(9).to_string()),
        ]);
        let response = chain.send(&request(&known)).await;
        assert_eq!((response.status, &*response.body), (200, &b"[3]"[..]), "{kind:?}");
        assert_eq!(response.header("x-tollgate-identity"), None, "for the log alone");
        known.insert("request id", id(&response));
        let lines = chain.lines(&known["request id"], 4).await;
        for row in table(LINES, 10) {
            for (cell, line) in row[1..].iter().zip(&lines) {
                let value = match &line[&row[0]] {
                    Value::Null => None,
                    Value::String(text) => Some(text.clone()),
                    other => Some(other.to_string()),
                };
                assert!(is(cell, value.as_deref(), &known), "{} is {value:?}, not {cell}", row[0]);
            }
        }

        // A name that must be escaped.
        let response = chain.send(&site.score("acme/al%\"ié|x")).await;
        let lines = chain.lines(&id(&response), 4).await;
        for (hop, line) in HOPS.iter().zip(lines) {
            assert_eq!(
                line["Identity"], "https://issuer.test/acme%252Fal%2525\"i%C3%A9|x",
                "{kind:?} {hop}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_is_in_the_logs_up_to_the_hop_that_refuses_it_and_in_no_other() {
    let Some(site) = Site::new(Nginx).await else { return };
    let Some((model, _keys)) = site.model(&[("TOKEN_LEEWAY", "0")]).await else { return };
    let token = |changes| site.fixture.token_with("alice", changes);
    let expired = |seconds: u64| score(token(json!({"exp": mint::now() - seconds})));

    // At NGINX, which Envoy's id does not reach.
    let chain = Chain::shipped(&site, Nginx, &model).await;
    let twice = site.score("alice").bearer(token(json!({})));
    let response = chain.send(&twice).await;
    assert_eq!((response.status, response.header("x-request-id")), (400, None));
    let line = async || chain.edge.access_log().into_iter().find(|l| l["ResponseCode"] == "400");
    let line = eventually(line).await.unwrap();
    assert_eq!((&line["XRequestId"], &line["Identity"]), (&json!(""), &json!("")));

    // At the gateway: a token with a good signature names its caller, any other names no one.
    for (request, reason, known) in [
        (Request::post("/score", "{}"), "token_missing", false),
        (score("a.b.c"), "token_malformed", false),
        (expired(300), "expired", true),
        (score(token(json!({"aud": "api://other"}))), "audience_mismatch", true),
    ] {
        let response = chain.send(&request).await;
        assert_eq!((response.status, response.reason().as_str()), (401, reason));
        let lines = chain.lines(&id(&response), 2).await;
        assert_eq!(lines[0]["Identity"], if known { ALICE } else { "" }, "{reason}");
        assert_eq!(lines[1]["Identity"], if known { json!(ALICE) } else { Value::Null });
        assert_eq!((&lines[1]["Decision"], &lines[1]["Reason"]), (&json!("deny"), &json!(reason)));
    }

    // At score.py, which grants no leeway.
    let response = chain.send(&expired(25)).await;
    assert_eq!(response.status, 401);
    let challenge = response.header("www-authenticate").unwrap();
    assert!(challenge.ends_with("error_description=\"expired\""), "{challenge}");
    let lines = chain.lines(&id(&response), 4).await;
    assert_eq!((&lines[2]["Decision"], &lines[2]["ResponseCode"]), (&json!("allow"), &json!(401)));
    assert_eq!((&lines[3]["Decision"], &lines[3]["Reason"]), (&json!("deny"), &json!("expired")));

    // At the sidecar, whose clock decides otherwise than that of the gateway.
    drop(chain);
    let strict = |file: Example| {
        file.configured(|config| config["providers"][0]["clock_skew"] = json!("0s"))
    };
    let chain = Chain::start(&site, Nginx, &model, |file| file, strict).await;
    let response = chain.send(&expired(25)).await;
    assert_eq!((response.status, response.reason().as_str()), (401, "expired"));
    let lines = chain.lines(&id(&response), 3).await;
    assert_eq!((&lines[1]["Decision"], &lines[1]["ResponseCode"]), (&json!("allow"), &json!(401)));
    assert_eq!((&lines[2]["Decision"], &lines[2]["Reason"]), (&json!("deny"), &json!("expired")));
    assert!(lines.iter().all(|line| line["Identity"] == ALICE), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_place_that_removes_the_token_has_the_outcome_of_the_page() {
    let Some(site) = Site::new(Nginx).await else { return };
    let Some((model, _keys)) = site.model(&[]).await else { return };
    let lent = page::change("With a key of the endpoint");
    let with = |cell: &str, file: Example| match cell {
        "no filter" => file.believing(),
        "the endpoint's key" => with_key(file, &lent),
        cell => {
            let change: Value = serde_yaml_ng::from_str(cell).unwrap();
            file.configured(|config| *config = merged(config.take(), change))
        }
    };
    for row in table(FORWARD, 5) {
        let [gateway, sidecar, response, from] = &row[..] else { panic!("{row:?}") };
        let chain = Chain::start(
            &site,
            Nginx,
            &model,
            |file| with(gateway, file),
            |file| with(sidecar, file),
        )
        .await;
        let answer = chain.send(&site.score("alice")).await;
        let (status, reason) = response.split_once(' ').unwrap();
        assert_eq!(answer.status.to_string(), status, "{row:?}");
        let hop = HOPS.iter().position(|hop| hop == from).unwrap();
        let lines = chain.lines(&id(&answer), hop + 1).await;
        assert_eq!(lines[hop]["Reason"], reason, "{row:?}");
        // The key is for the endpoint alone.
        assert!(!answer.body.windows(10).any(|part| part == &ENDPOINT_KEY.as_bytes()[..10]));
    }

    // With the token in a header of its own, the key does not replace it.
    let Some((model, _keys)) = site.model(&[("TOKEN_HEADER", "x-user-token")]).await else {
        return;
    };
    let own = |config: &mut Value| config["token"] = json!({"from": [{"header": "x-user-token"}]});
    let sidecar = |file: Example| with_key(file, &lent).configured(own);
    let chain = Chain::start(&site, Nginx, &model, |file| file.configured(own), sidecar).await;
    let body = r#"{"data": [[1, 2]]}"#;
    let token = site.fixture.token("alice");
    let answer = chain.send(&Request::post("/score", body).header("x-user-token", token)).await;
    assert_eq!(answer.status, 200, "{}", answer.reason());
    let lines = chain.lines(&id(&answer), 4).await;
    assert!(lines.iter().all(|line| line["Identity"] == ALICE), "{lines:?}");
}

#[test]
fn the_tests_install_what_the_entry_script_requires() {
    let file = |path| std::fs::read_to_string(support::root().join(path)).unwrap();
    let installed = file("tests/data/servers/requirements.txt");
    let required = file("examples/azure/model/requirements.txt");
    let required = required.lines().filter(|line| !line.starts_with('#'));
    let without_extras = |line: &str| line.replace("[crypto]", "");
    let required: Vec<_> = required.map(without_extras).collect();
    assert_eq!(required.len(), 2);
    assert!(required.iter().all(|pin| installed.lines().any(|line| line == pin)), "{required:?}");
}

/// The sidecar with the page's change for an endpoint that has a key.
fn with_key(file: Example, change: &Value) -> Example {
    let wasm = "/http_filters/0/typed_config/config/vm_config";
    file.managed(|manager| {
        manager.pointer_mut(wasm).unwrap()["environment_variables"] =
            change["environment_variables"].clone();
    })
    .configured(|config| {
        let rules = config["rules"].as_array_mut().unwrap();
        let score = rules.iter_mut().find(|rule| rule["name"] == "score").unwrap();
        score["upstream_authorization"] = change["upstream_authorization"].clone();
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_beside_the_gateway_is_refused_or_named_by_its_own_token_and_peer() {
    let Some(site) = Site::new(Nginx).await else { return };
    let Some((model, _keys)) = site.model(&[]).await else { return };
    const BATCH: &str = "spiffe://cluster.local/ns/batch/sa/nightly";
    let peers = "/static_resources/listeners/0/filter_chains/0/transport_socket/typed_config\
                 /common_tls_context/validation_context/match_typed_subject_alt_names";
    let two = |file: Example| {
        let mut value: Value = serde_json::from_str(&file.text()).unwrap();
        let peer = json!({"san_type": "URI", "matcher": {"exact": BATCH}});
        value.pointer_mut(peers).unwrap().as_array_mut().unwrap().push(peer);
        Example::whole(value)
    };
    let chain = Chain::start(&site, Nginx, &model, |file| file, two).await;
    let forged = |subject: &str, id: &str| {
        let request = site.score(subject).header("x-request-id", id);
        request.header("x-auth-identity", ALICE).header("x-auth-subject", "alice")
    };

    // The gateway takes connections of NGINX alone.
    let mut stream = connect_from(caller(2), chain.gateway.address()).await.unwrap();
    let _ = stream.write_all(&forged("bob", "1").to_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty(), "{}", answer.escape_ascii());

    // The sidecar takes those of its peers alone: the same proxy as another workload does not get in.
    let other =
        site.gateway(Nginx, "spiffe://cluster.local/ns/default/sa/other", chain.sidecar.address());
    let other = site.run(&other).await;
    let response = other.send(&forged("bob", "2")).await;
    assert_eq!((response.status, response.reason().as_str()), (503, ""));

    // A peer that is admitted beside the gateway is judged by its token, and the line names the peer. It has no
    // filter, so that it forwards what it was told.
    let batch = site.gateway(Nginx, BATCH, chain.sidecar.address()).believing();
    let batch = site.run(&batch).await;
    let bare = Request::post("/score", "{}").header("x-auth-identity", ALICE);
    let response = batch.send(&bare).await;
    assert_eq!((response.status, response.reason().as_str()), (401, "token_missing"));
    let response = batch.send(&forged("bob", "3")).await;
    assert_eq!(response.status, 200, "{}", response.reason());
    let id = id(&response);
    let line = async |log: &dyn Fn() -> Vec<Value>, id: &str| {
        let line = async || log().into_iter().find(|line| line["XRequestId"] == id);
        eventually(line).await.unwrap()
    };
    for log in [&(|| chain.sidecar.access_log()) as &dyn Fn() -> _, &|| model.printed()] {
        assert_eq!(line(log, &id).await["Identity"], "https://issuer.test/bob");
    }
    assert_eq!(line(&|| chain.sidecar.access_log(), &id).await["Peer"], BATCH);
    for log in [chain.edge.access_log(), chain.gateway.access_log()] {
        assert!(log.iter().all(|line| line["XRequestId"] != *id));
    }

    // Microsoft's server listens on all addresses; score.py believes no header.
    let bare = bare.header("x-request-id", "bare");
    assert_eq!(client::send(model.address(), &bare).await.status, 401);
    assert_eq!(client::send(model.address(), &forged("bob", "direct")).await.status, 200);
    let refused = line(&|| model.printed(), "bare").await;
    assert_eq!((&refused["Identity"], &refused["Reason"]), (&Value::Null, &json!("token_missing")));
    let direct = line(&|| model.printed(), "direct").await;
    assert_eq!(direct["Identity"], "https://issuer.test/bob");
    assert!(!model.output().contains(&site.fixture.token("bob")[..40]), "a token in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_puts_neither_a_caller_nor_an_id_into_the_log_of_the_edge() {
    let forged = [
        "x-tollgate-identity",
        "x_tollgate_identity",
        "X-Tollgate_Identity",
        "x_tollgate-identity",
        "x-request-id",
        "x_request_id",
        "x-request_id",
        "X_Request-Id",
    ];
    let answer = move |_: &Recorded| {
        forged.iter().fold(Reply::new(200, "{}"), |reply, name| reply.header(name, "root"))
    };
    for kind in [Nginx, Haproxy] {
        let Some(fixture) = Fixture::answering("ES256", answer).await else { return };
        if kind.program().is_none() {
            continue;
        }
        let authority = support::tls::Authority::new();
        let file = Example::load(kind.envoy()).cluster("upstream", fixture.upstream.address());
        let envoy = fixture.proxy().start_file(&file.text()).await;
        let edge = Proxy::start(kind, &authority, envoy.address(), &[]).await;
        for (request, identity) in [
            (Request::get("/"), if kind == Nginx { "" } else { "-" }),
            (Request::post("/score", "{}").bearer(fixture.token("alice")), ALICE),
        ] {
            let response = authority.send_from(caller(9), edge.address, &request).await;
            assert_eq!(response.status, 200);
            let id = id(&response);
            let line =
                async || edge.access_log().into_iter().find(|line| line["XRequestId"] == *id);
            let line = eventually(line).await.expect("a line with the id");
            assert_eq!(line["Identity"], identity, "{kind:?}");
        }
        assert_eq!(fixture.upstream.count(), 2);
    }
}
