//! `make demo`: runs the filter in a real Envoy and prints the result of a dozen requests.
//!
//! It runs `envoy/envoy.yaml` unchanged, apart from the ports. The issuer's key is created at start.
//! `make demo KEEP=1` keeps Envoy running and prints requests to try by hand.

#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::future::poll_fn;
use std::pin::pin;
use std::process::ExitCode;
use std::task::Poll;

use harness::client::{self, Request, Response};
use harness::envoy::Envoy;
use harness::mint::{self, Es256, claims_with};
use harness::upstream::Upstream;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

/// The `kid` of the issuer's key.
const KID: &str = "demo-key";

/// A request, its title, and the expected status.
struct Scene {
    title: &'static str,
    request: Request,
    expected: u16,
}

fn scene(title: &'static str, request: Request, expected: u16) -> Scene {
    Scene { title, request, expected }
}

/// A token as the issuer makes it.
fn token(key: &Es256, claims: &Value) -> String {
    key.sign(&json!({"alg": "ES256", "typ": "JWT", "kid": KID}), claims)
}

fn scenes(key: &Es256) -> Vec<Scene> {
    let now = mint::now();
    let score = || Request::post("/score", r#"{"data": [[1, 2]]}"#);
    let with = |changes: Value| score().bearer(token(key, &claims_with("alice", changes)));
    let alice = score().bearer(token(key, &mint::claims("alice")));
    let bob = score().bearer(token(key, &mint::claims("bob")));
    let forged = token(&Es256::generate(), &mint::claims("alice"));
    let unsigned = key.sign(&json!({"alg": "none"}), &mint::claims("alice"));
    let unsigned = unsigned[..=unsigned.rfind('.').unwrap()].to_owned();
    let past = json!({"iat": now - 900, "nbf": now - 900, "exp": now - 300});
    let spoofed = alice.clone().header("x-auth-subject", "admin").header("X_Auth_Subject", "root");
    let mut scenes = vec![
        scene("valid token of alice", alice.clone(), 200),
        scene("no token", score(), 401),
        scene("expired 5 minutes ago", with(past), 401),
        scene("token for another API", with(json!({"aud": "api://billing"})), 401),
        scene("forged: signed with another key", score().bearer(forged), 401),
        scene("unsigned: alg none", score().bearer(unsigned), 401),
        scene("valid token, spoofed x-auth-subject", spoofed, 200),
    ];
    let burst = ["bob 1", "bob 2", "bob 3", "bob 4", "bob 5", "bob 6", "bob 7"];
    for (number, title) in burst.into_iter().enumerate() {
        scenes.push(scene(title, bob.clone(), if number < 5 { 200 } else { 429 }));
    }
    scenes.push(scene("alice again", alice, 200));
    let health = Request::get("/").header("x-auth-subject", "admin");
    scenes.push(scene("health probe, spoofed x-auth-subject", health, 200));
    scenes.push(scene("path without a rule", Request::get("/admin"), 403));
    scenes
}

/// The sample configuration with the upstream's port, and free ports for Envoy's own.
fn configuration(upstream: &Upstream) -> String {
    let mut yaml = std::fs::read_to_string(harness::root().join("envoy/envoy.yaml")).unwrap();
    for (sample, port) in [(9901, 0), (10000, 0), (8080, upstream.address().port())] {
        let (from, to) = (format!("port_value: {sample}}}"), format!("port_value: {port}}}"));
        assert_eq!(yaml.matches(&from).count(), 1, "{from}");
        yaml = yaml.replace(&from, &to);
    }
    yaml
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // A signal drops the demo, and with it Envoy, whenever it comes.
        let (mut demo, mut stopped) = (pin!(demo()), pin!(stopped()));
        let end = poll_fn(|context| match demo.as_mut().poll(context) {
            Poll::Ready(code) => Poll::Ready(code),
            Poll::Pending => stopped.as_mut().poll(context).map(|()| ExitCode::FAILURE),
        });
        end.await
    })
}

/// Waits for Ctrl-C, or for `kill`. From the call on, these do not end the process by themselves.
fn stopped() -> impl Future<Output = ()> {
    let mut ends =
        [SignalKind::interrupt(), SignalKind::terminate()].map(|kind| signal(kind).unwrap());
    poll_fn(move |context| {
        let came = ends.iter_mut().any(|end| end.poll_recv(context).is_ready());
        if came { Poll::Ready(()) } else { Poll::Pending }
    })
}

async fn demo() -> ExitCode {
    let Some(binary) = harness::skip::envoy_binary() else { return ExitCode::FAILURE };
    let key = Es256::generate();
    let upstream = Upstream::start().await;
    let envoy = Envoy::builder(binary)
        .environment("TOLLGATE_JWKS", key.jwks(KID).to_string())
        .start_file(&configuration(&upstream))
        .await;

    println!("\n{:38} {:6}  {:21}  the upstream received", "request", "status", "reason");
    println!("{}", "─".repeat(110));
    let mut unexpected = 0;
    for scene in scenes(&key) {
        unexpected += u32::from(!show(&envoy, &upstream, scene).await);
    }
    match unexpected {
        0 => println!("\nEvery request got the expected status."),
        _ => println!("\n{unexpected} requests did not get the expected status (!)."),
    }
    look(&envoy).await;
    if std::env::var("KEEP").is_ok_and(|keep| !keep.is_empty() && keep != "0") {
        keep_running(&envoy, &key).await;
    }
    if unexpected == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Sends one request and prints its line; returns whether the status was the expected one.
async fn show(envoy: &Envoy, upstream: &Upstream, scene: Scene) -> bool {
    upstream.clear();
    let logged = envoy.access_log().len();
    let response = client::send(envoy.address(), &scene.request).await;
    let entry = envoy.access_after(logged).await;
    let reason = entry["Reason"].as_str().unwrap_or("–");
    let good = response.status == scene.expected;
    let mark = if good { ' ' } else { '!' };
    let saw = saw(upstream, &response);
    println!("{:38} {:<6}{mark} {reason:21}  {saw}", scene.title, response.status);
    good
}

/// Prints the operator's view: a part of the scrape, and the audit line of one refusal.
async fn look(envoy: &Envoy) {
    println!("\nPrometheus reads these metrics, among others:");
    let scrape = harness::scrape::of(envoy).await;
    let ours = scrape.text.lines().filter(|line| line.starts_with("tollgate_requests{"));
    for line in ours.take(5) {
        println!("  {line}");
    }
    let log = envoy.access_log();
    if let Some(line) = log.iter().find(|entry| entry["Reason"] == "rate_limited") {
        println!("\nThe audit line of bob's sixth request:\n  {line}");
    }
}

/// The subject headers that reached the upstream, in any spelling.
fn saw(upstream: &Upstream, response: &Response) -> String {
    let Some(request) = upstream.last() else {
        return match response.header("retry-after") {
            Some(seconds) => format!("nothing (retry after {seconds} s)"),
            None => "nothing".to_owned(),
        };
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let subject =
        |name: &str| name.to_ascii_lowercase().replace(['_', '.'], "-") == "x-auth-subject";
    let tags: Vec<_> = request
        .headers
        .iter()
        .map(|(name, value)| (text(name), text(value)))
        .filter(|(name, _)| subject(name))
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    match tags[..] {
        [] => "the request, with no identity".to_owned(),
        _ => tags.join(", "),
    }
}

/// Prints requests to paste, then waits for Ctrl-C.
async fn keep_running(envoy: &Envoy, key: &Es256) {
    let url = format!("http://{}", envoy.address());
    let hour = json!({"exp": mint::now() + 3600});
    let alice = token(key, &claims_with("alice", hour.clone()));
    let carol = token(key, &claims_with("carol", hour));
    println!("\nEnvoy runs at {url}, its admin interface at http://{}.", envoy.admin_address());
    println!("The tokens are valid for an hour. Ctrl-C stops Envoy.\n");
    println!("ALICE={alice}\n\nCAROL={carol}\n");
    println!(r#"curl -i -d '{{"data": [[1, 2]]}}' -H "authorization: Bearer $ALICE" {url}/score"#);
    println!(r#"curl -i -d '{{}}' -H "authorization: Bearer ${{ALICE}}x" {url}/score"#);
    println!("curl -i -d '{{}}' {url}/score");
    println!("curl -i -H 'x-auth-subject: admin' {url}/");
    println!(
        r#"for i in 1 2 3 4 5 6 7; do curl -s -o /dev/null -w '%{{http_code}}\n' -d '{{}}' -H "authorization: Bearer $CAROL" {url}/score; done"#
    );
    println!();
    stopped().await;
}
