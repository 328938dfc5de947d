//! `envoy/azure-ml-managed.yaml` in front of a server with the certificate of a managed online endpoint
//! of Azure ML. Only addresses, certificates and the bundle of authorities are those of the test.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use support::entra::{self, OBJECT, TENANT};
use support::example::{Example, Folder};
use support::idp::{Idp, Scheme};
use support::prelude::*;
use support::tls::Authority;
use tokio::net::{TcpListener, TcpStream};

const EXAMPLE: &str = "envoy/azure-ml-managed.yaml";
const HOST: &str = "scoring.westeurope.inference.ml.azure.com";
/// The name in the certificate of Azure, which all endpoints of a region share.
const REGION: &str = "*.westeurope.inference.ml.azure.com";
const KEY: &str = "the-key-of-the-endpoint";
const PATH: &str = "/api/v1/endpoint/scoring/score";

/// TLS in front of the upstream, as Azure has it in front of a deployment.
struct Endpoint {
    address: SocketAddr,
    /// The names that clients asked for.
    names: Arc<Mutex<Vec<String>>>,
}

impl Endpoint {
    /// With a certificate of this name. The first connections, as many as `dropped`, end before TLS begins.
    async fn start(authority: &Authority, name: &str, to: SocketAddr, dropped: usize) -> Self {
        let (acceptor, names) = (authority.acceptor(name, &[]), Arc::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Self { address: listener.local_addr().unwrap(), names: Arc::clone(&names) };
        tokio::spawn(async move {
            for _ in 0..dropped {
                drop(listener.accept().await);
            }
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, names) = (acceptor.clone(), Arc::clone(&names));
                tokio::spawn(async move {
                    let mut near = acceptor.accept(stream).await?;
                    let asked = near.get_ref().1.server_name().unwrap_or_default().to_owned();
                    names.lock().unwrap().push(asked);
                    let mut far = TcpStream::connect(to).await?;
                    tokio::io::copy_bidirectional(&mut near, &mut far).await
                });
            }
        });
        endpoint
    }
}

/// The example between callers and an endpoint.
struct World {
    fixture: Fixture,
    authority: Authority,
    endpoint: Endpoint,
    envoy: Envoy,
    _idp: Idp,
    _folder: Folder,
}

/// The deployment: the body of a request is the status of the answer.
fn deployment(request: &Recorded) -> Reply {
    match String::from_utf8_lossy(&request.body).parse() {
        Ok(0) => Reply { hang_up: true, ..Reply::new(200, "") },
        Ok(424) => Reply::new(424, "of the endpoint")
            .header("ms-azureml-model-error-statuscode", "500")
            .header("ms-azureml-model-error-reason", "model_error"),
        Ok(status) => Reply::new(status, "of the endpoint"),
        Err(_) => Reply::echo(request),
    }
}

impl World {
    /// `None` after a note, without Envoy. `trusted`: whether the bundle has the endpoint's authority.
    async fn start(name: &str, trusted: bool, dropped: usize) -> Option<Self> {
        let fixture = Fixture::answering("RS256", deployment).await?;
        let idp = Idp::serving(Scheme::Https, entra::keys(&fixture.signer));
        let (authority, folder) = (Authority::new(), Folder::new());
        let upstream = fixture.upstream.address();
        let endpoint = Endpoint::start(&authority, name, upstream, dropped).await;
        let bundle = match trusted {
            true => idp.ca_pem() + authority.pem(),
            false => idp.ca_pem(),
        };
        let (certificate, key) = authority.server_pem();
        let text = std::fs::read_to_string(support::root().join(EXAMPLE)).unwrap();
        let bundle = folder.file("bundle.crt", bundle);
        let example = Example::parse(&text.replace("/etc/ssl/certs/ca-certificates.crt", &bundle))
            .cluster("endpoint", endpoint.address)
            .cluster("entra", idp.address())
            .with_file("/etc/tollgate/tls/tls.crt", &folder.file("tls.crt", certificate))
            .with_file("/etc/tollgate/tls/tls.key", &folder.file("tls.key", key));
        let proxy = fixture.proxy().workers(1).environment("AML_ENDPOINT_KEY", KEY);
        let envoy = proxy.start_file(&example.text()).await;
        envoy.wait_for_log("fetched").await;
        Some(Self { fixture, authority, endpoint, envoy, _idp: idp, _folder: folder })
    }

    fn token(&self) -> String {
        let app = json!({"roles": ["Model.Score"], "scp": null, "idtyp": "app"});
        self.fixture.signer.sign(&entra::claims(TENANT, app))
    }

    async fn send(&self, request: &Request) -> Response {
        self.authority.send(self.envoy.address(), None, request).await
    }

    /// Sends a request with a token, and this body.
    async fn score(&self, path: &str, body: &str) -> Response {
        self.send(&Request::post(path, body).bearer(self.token())).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_endpoint_gets_its_own_name_and_key_and_nothing_of_the_callers_token() {
    let Some(world) = World::start(REGION, true, 0).await else { return };
    let token = world.token();
    let request = Request::post(PATH, r#"{"data": []}"#)
        .bearer(&token)
        .header("azureml-model-deployment", "blue")
        .header("x-ms-client-request-id", "of-the-caller");
    let response = world.send(&request).await;
    assert_eq!(response.status, 200, "{} {:#?}", response.reason(), world.envoy.filter_log());
    let seen = world.fixture.upstream.last().unwrap();
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/score"));
    let identity = format!("{TENANT}/{OBJECT}");
    for (name, value) in [
        ("host", HOST),
        ("authorization", &format!("Bearer {KEY}")),
        ("azureml-model-deployment", "blue"),
        ("x-ms-client-request-id", "of-the-caller"),
        ("x-auth-identity", &identity),
    ] {
        assert_eq!(seen.header(name), Some(value), "{name}");
    }
    assert!(token.split('.').all(|part| !seen.head_contains(part.as_bytes())), "part of the token");
    assert_eq!(*world.endpoint.names.lock().unwrap(), [HOST]);
    let line = world.envoy.access_after(0).await;
    for (field, value) in [
        ("EndpointName", json!("scoring")),
        ("DeploymentName", json!("blue")),
        ("XMSClientRequestId", json!("of-the-caller")),
        ("Identity", json!(identity)),
        ("ResponseCode", json!(200)),
        ("ResponseCodeReason", json!("via_upstream")),
        ("ModelStatusCode", json!(null)),
    ] {
        assert_eq!(line[field], value, "{field}");
    }
    assert!(!line.to_string().contains(KEY));

    // Without an id of the caller, both logs have Envoy's.
    assert_eq!(world.score("/score", "{}").await.status, 200);
    let seen = world.fixture.upstream.last().unwrap();
    let id = seen.header("x-ms-client-request-id").unwrap();
    assert_eq!((id.len(), seen.header("x-request-id")), (36, Some(id)));
    let line = world.envoy.access_after(1).await;
    assert_eq!((&line["XMSClientRequestId"], &line["EndpointName"]), (&json!(id), &json!(null)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_filter_refuses_and_what_envoy_answers_never_reaches_the_endpoint() {
    let Some(world) = World::start(REGION, true, 0).await else { return };
    let other = json!({"roles": ["Other"], "scp": null, "idtyp": "app"});
    let other = world.fixture.signer.sign(&entra::claims(TENANT, other));
    for (request, status, reason) in [
        (Request::post(PATH, "{}"), 401, "token_missing"),
        (Request::post(PATH, "{}").bearer(KEY), 401, "token_missing"),
        (Request::post(PATH, "{}").bearer(other), 403, "role_insufficient"),
        (Request::get("/").bearer(world.token()), 403, "no_rule"),
        // A name without a route: the key of one endpoint goes to no other.
        (Request::post("/api/v1/endpoint/other/score", "{}").bearer(world.token()), 404, ""),
        (Request::get("/healthz"), 200, ""),
    ] {
        let response = world.send(&request).await;
        assert_eq!((response.status, response.reason().as_str()), (status, reason));
    }
    assert!(world.endpoint.names.lock().unwrap().is_empty(), "no connection at all");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_the_endpoint_passes_unchanged_and_its_request_is_sent_once() {
    let Some(world) = World::start(REGION, true, 0).await else { return };
    let cases =
        [(408, None), (424, Some("500")), (429, None), (500, None), (503, None), (504, None)];
    for (number, (status, model)) in cases.into_iter().enumerate() {
        let response = world.score(PATH, &status.to_string()).await;
        assert_eq!((response.status, response.body.as_slice()), (status, &b"of the endpoint"[..]));
        assert_eq!(response.header("x-tollgate-reason"), None, "{status}: not the filter's");
        let line = world.envoy.access_after(number).await;
        assert_eq!((&line["Decision"], &line["Reason"]), (&json!("allow"), &json!("ok")));
        assert_eq!(line["ResponseCode"], status);
        assert_eq!(line["ResponseCodeReason"], "via_upstream");
        assert_eq!(line["ModelStatusCode"], json!(model), "{status}");
        assert_eq!(line["ModelStatusReason"], json!(model.map(|_| "model_error")), "{status}");
        assert_eq!(world.fixture.upstream.count(), number + 1, "{status}: sent once");
    }
    // The endpoint got the request and went away: it may have worked on it.
    assert_eq!(world.score(PATH, "0").await.status, 503);
    assert_eq!(world.fixture.upstream.count(), cases.len() + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_tried_again_and_costs_the_caller_one_request() {
    let Some(world) = World::start(REGION, true, 2).await else { return };
    let response = world.score(PATH, "{}").await;
    assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
    assert_eq!(world.envoy.stat("cluster.endpoint.upstream_rq_retry").await, 2);
    assert_eq!(world.fixture.upstream.count(), 1);
    let decided: u64 = world.envoy.stats("tollgate_requests").await.values().sum();
    assert_eq!(decided, 1, "the filter, and with it the limit, runs once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_another_name_or_authority_gets_neither_request_nor_key() {
    for (name, trusted) in [
        ("*.northeurope.inference.ml.azure.com", true),
        ("*.inference.ml.azure.com", true),
        ("other.westeurope.inference.ml.azure.com", true),
        ("*.westeurope.inference.ml.azure.com.example.com", true),
        (REGION, false),
        (HOST, false),
    ] {
        let Some(world) = World::start(name, trusted, 0).await else { return };
        let response = world.score(PATH, "{}").await;
        assert_eq!(response.status, 503, "{name}");
        assert_eq!(world.fixture.upstream.count(), 0, "{name}");
        let line = world.envoy.access_after(0).await;
        let reason = line["ResponseCodeReason"].as_str().unwrap();
        assert!(reason.contains("CERTIFICATE_VERIFY_FAILED"), "{name}: {reason}");
    }
    let Some(world) = World::start(HOST, true, 0).await else { return };
    assert_eq!(world.score(PATH, "{}").await.status, 200, "without a wildcard");
}
