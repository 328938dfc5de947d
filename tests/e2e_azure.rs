//! `examples/azure/score.py` and `azure-identity` as they are: only the endpoint that hands out tokens
//! is ours, and it speaks the protocol of Azure App Service. The configurations are those of
//! docs/azure-ml.md, in a real Envoy.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use support::entra::{self, OBJECT as CALLER, TENANT};
use support::idp::{Idp, Scheme};
use support::prelude::*;
use support::{docs, skip};

const GUIDE: &str = "docs/azure-ml.md";
const APP: &str = "aaaaaaaa-2222-3333-4444-555555555555";
/// The application of the caller itself.
const CLIENT: &str = "bbbbbbbb-2222-3333-4444-555555555555";
const ENDPOINT_KEY: &str = "the-key-of-the-endpoint";
/// `IDENTITY_HEADER`: the secret that App Service gives to the program that may ask for tokens.
const IDENTITY_HEADER: &str = "only-this-program-knows";

/// The claims of an app-only v2.0 token, as a managed identity gets it, with some changed.
fn claims(changes: Value) -> Value {
    let app = json!({
        "aud": APP, "azp": CLIENT, "idtyp": "app", "roles": ["Model.Score"], "scp": null,
    });
    entra::claims(TENANT, merged(app, changes))
}

/// An Entra key set, an endpoint, and Envoy with a configuration of the guide between them.
struct World {
    fixture: Fixture,
    envoy: Envoy,
    python: PathBuf,
    _idp: Idp,
}

impl World {
    /// `None` after [`skip::absent`].
    async fn start(config: Value) -> Option<Self> {
        let fixture = Fixture::new("RS256").await?;
        let python = support::root().join("target/python/bin/python3");
        if !python.is_file() {
            skip::absent("azure-identity is absent: run scripts/install/python");
            return None;
        }
        let idp = Idp::serving(Scheme::Http, entra::keys(&fixture.signer));
        let envoy = fixture
            .envoy(config)
            .cluster("outbound|443||login.microsoftonline.com", idp.address())
            .variable("AML_ENDPOINT_KEY", ENDPOINT_KEY)
            .start()
            .await;
        Some(Self { fixture, envoy, python, _idp: idp })
    }

    fn token(&self, changes: Value) -> String {
        self.fixture.signer.sign(&claims(changes))
    }

    /// Runs the client, whose platform hands out these tokens in turn, the last one from then on.
    async fn call(&self, tokens: Vec<String>, path: &str, more: &[(&str, &str)]) -> Called {
        let asked = Arc::new(AtomicUsize::new(0));
        let platform = Upstream::answering({
            let asked = Arc::clone(&asked);
            move |request| {
                if request.header("x-identity-header") != Some(IDENTITY_HEADER) {
                    return Reply::new(401, "");
                }
                let at = asked.fetch_add(1, Ordering::SeqCst).min(tokens.len() - 1);
                // As a platform whose cache is wrong: a token may have expired before that.
                let expires = mint::now() + 86_400;
                Reply::json(&json!({
                    "access_token": tokens[at], "expires_on": expires.to_string(),
                    "resource": format!("api://{APP}"), "token_type": "Bearer", "client_id": CLIENT,
                }))
            }
        })
        .await;
        let mut command = tokio::process::Command::new(&self.python);
        command
            .arg(support::root().join("examples/azure/score.py"))
            .arg(format!("http://{}{path}", self.envoy.address()))
            // Nothing of the machine's own identities, proxies or configuration.
            .env_clear()
            .env("IDENTITY_ENDPOINT", platform.url("/msi/token"))
            .env("IDENTITY_HEADER", IDENTITY_HEADER)
            .env("TOLLGATE_APP_ID", APP)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        for (name, value) in more {
            match name.strip_prefix("--") {
                Some(_) => command.args([name, value]),
                None => command.env(name, value),
            };
        }
        let mut child = command.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut input, br#"{"data": [[1, 2]]}"#).await.unwrap();
        drop(input);
        let end = tokio::time::timeout(Duration::from_secs(90), child.wait_with_output());
        let output = end.await.expect("the client did not end").unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Called {
            code: output.status.code(),
            answer: text(output.stdout),
            errors: text(output.stderr),
            asked: asked.load(Ordering::SeqCst),
            ask: platform.last(),
        }
    }
}

/// How a run of the client ended.
struct Called {
    code: Option<i32>,
    answer: String,
    errors: String,
    /// The number of token requests to the platform, and the last one.
    asked: usize,
    ask: Option<Recorded>,
}

/// The guide's configuration for a Kubernetes online endpoint, with one of its limits replaced.
fn kubernetes(per_caller: Value) -> Value {
    let mut config = docs::configuration(GUIDE, "tollgate holds the endpoint's key");
    let limit = config["limits"].as_array_mut().unwrap();
    let limit = limit.iter_mut().find(|limit| limit["name"] == "per-caller").unwrap();
    *limit = merged(json!({"name": "per-caller", "key": "{@identity}"}), per_caller);
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_calls_with_its_identity_and_says_why_it_was_refused() {
    let Some(mut world) = World::start(kubernetes(json!({"rate": "9/d"}))).await else {
        return;
    };
    let called = world.call(vec![world.token(json!({}))], "/score", &[]).await;
    assert_eq!(called.code, Some(0), "{} {:#?}", called.errors, world.envoy.filter_log());
    let echo: Value = serde_json::from_str(&called.answer).unwrap();
    assert_eq!((&echo["path"], &echo["body_length"]), (&json!("/score"), &json!(18)));
    // A managed identity asks for `api://<app>/.default` by this resource.
    let ask = called.ask.unwrap().path;
    assert_eq!(ask, format!("/msi/token?api-version=2019-08-01&resource=api://{APP}"));
    let seen = world.fixture.upstream.last().unwrap();
    assert_eq!(seen.header("authorization"), Some(format!("Bearer {ENDPOINT_KEY}").as_str()));
    assert_eq!(seen.header("x-auth-identity"), Some(format!("{TENANT}/{CALLER}").as_str()));
    let id = seen.header("x-ms-client-request-id").unwrap();
    assert_eq!(id.len(), 36, "an id that both logs have: {id}");

    let expired = world.token(json!({"exp": mint::now() - 300, "iat": mint::now() - 4000}));
    let renewed = world.call(vec![expired.clone(), world.token(json!({}))], "/score", &[]).await;
    assert_eq!((renewed.code, renewed.asked), (Some(0), 2), "{}", renewed.errors);

    // Neither a new token nor a wait helps: the client tries once.
    let served = world.fixture.upstream.count();
    for (tokens, path, asked, error) in [
        (vec![world.token(json!({"roles": ["Other"]}))], "/score", 1, "403 role_insufficient"),
        (vec![world.token(json!({"roles": null}))], "/score", 1, "401 token_use_mismatch"),
        (vec![world.token(json!({"aud": CLIENT}))], "/score", 1, "401 audience_mismatch"),
        (vec![world.token(json!({}))], "/other", 1, "403 no_rule"),
        (vec![expired], "/score", 4, "401 expired"),
    ] {
        let denied = world.call(tokens, path, &[]).await;
        assert_eq!((denied.code, denied.asked), (Some(1), asked), "{}", denied.errors);
        let told = denied.errors.lines().next().unwrap();
        assert!(told.starts_with(&format!("denied: {error} (request ")), "{}", denied.errors);
        let sentence = denied.errors.trim_end().lines().last().unwrap();
        assert!(sentence.ends_with('.') && sentence != told, "{}", denied.errors);
        assert_eq!(denied.answer, "");
    }
    assert_eq!(world.fixture.upstream.count(), served);

    // With `body: empty` the reason is in the challenge alone; a wait of hours is not waited for.
    let mut terse = kubernetes(json!({"rate": "1/d"}));
    terse["responses"]["body"] = json!("empty");
    terse["responses"]["retry_after_max"] = json!("24h");
    assert_eq!(world.envoy.reload(terse).await, Push::Accepted);
    let denied = world.call(vec![world.token(json!({"roles": ["Other"]}))], "/score", &[]).await;
    assert!(denied.errors.starts_with("denied: 403 role_insufficient"), "{}", denied.errors);
    let other = || vec![world.token(json!({"oid": CLIENT}))];
    assert_eq!(world.call(other(), "/score", &[]).await.code, Some(0));
    let denied = world.call(other(), "/score", &[]).await;
    assert!(denied.errors.starts_with("denied: 429 Too Many Requests"), "{}", denied.errors);
    assert!(denied.errors.contains("\ncome back in "), "{}", denied.errors);
    assert_eq!(world.envoy.vm_failures().await, 0);
}

/// A second caller of the same identity takes every token that the bucket has until the client has
/// been refused once; so the client is refused, whatever the speed of the machine.
#[tokio::test(flavor = "multi_thread")]
async fn the_client_waits_as_long_as_it_is_told_and_is_then_served() {
    let mut config = kubernetes(json!({"rate": "1/s"}));
    let drain = json!({"name": "drain", "match": {"paths": ["/drain"]}, "limits": ["per-caller"]});
    config["rules"].as_array_mut().unwrap().push(drain);
    let Some(world) = World::start(config).await else { return };
    let token = world.token(json!({}));
    let pump = async {
        let request = Request::get("/drain").bearer(&token);
        let mut connection = Connection::open(world.envoy.address()).await;
        let refused = |line: &Value| line["path"] == "/score" && line["status"] == 429;
        while !world.envoy.access_log().iter().any(refused) {
            connection.send(&request).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let (called, ()) = tokio::join!(world.call(vec![token.clone()], "/score", &[]), pump);
    assert_eq!(called.code, Some(0), "{}", called.errors);
    // A second, and another one of spread.
    let waits = ["1", "2"].map(|wait| format!("429 rate_limited: waiting {wait} s\n"));
    assert!(waits.iter().any(|line| called.errors.starts_with(line)), "{}", called.errors);
    assert_eq!(called.asked, 1, "waiting needs no new token");
    assert_eq!(world.fixture.upstream.last().unwrap().path, "/score");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_with_a_key_of_its_own_sends_the_token_beside_it() {
    let config = docs::configuration(GUIDE, "The caller holds the endpoint's key");
    let Some(world) = World::start(config).await else { return };
    let own = [("AML_ENDPOINT_KEY", "a-key-of-its-own"), ("--token-header", "x-user-token")];
    let called = world.call(vec![world.token(json!({}))], "/score", &own).await;
    assert_eq!(called.code, Some(0), "{} {:#?}", called.errors, world.envoy.filter_log());
    let seen = world.fixture.upstream.last().unwrap();
    assert_eq!(seen.header("authorization"), Some("Bearer a-key-of-its-own"));
    assert_eq!(seen.header("x-user-token"), None, "the endpoint never sees the token");
    // The key alone is no identity.
    let bare = Request::post("/score", "{}").bearer("a-key-of-its-own");
    let response = client::send(world.envoy.address(), &bare).await;
    assert_eq!((response.status, response.reason().as_str()), (401, "token_missing"));
}
