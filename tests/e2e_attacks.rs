//! The attack corpus in a real Envoy: each token on the wire, as it would come.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/attacks/mod.rs"]
mod attacks;
mod support;

use attacks::{Attack, Expect, World};
use support::prelude::*;

/// How long a header value of ours may be (CONFIG.md, "Telemetry contract").
const LONGEST_VALUE: usize = 1024;

#[tokio::test(flavor = "multi_thread")]
async fn every_attack_is_refused_for_its_reason_and_none_reaches_the_upstream() {
    let test = "every_attack_is_refused_for_its_reason_and_none_reaches_the_upstream";
    let world = World::new();
    let corpus = attacks::corpus(&world);
    run_against_envoy(test, world.providers(), &world.controls(), &corpus).await;
}

/// Sends every attack that a header can carry; none, if Envoy or the module is absent.
async fn run_against_envoy(
    test: &str,
    providers: Value,
    controls: &[(&str, String)],
    corpus: &[Attack],
) {
    let Some(binary) = support::envoy_binary(test) else { return };
    let upstream = Upstream::start().await;
    let envoy = Envoy::builder(binary)
        .upstream(upstream.address())
        .plugin_config(json!({"providers": providers}))
        .start()
        .await;
    let mut connection = Connection::open(envoy.address()).await;
    for (name, token) in controls {
        let response = connection.send(&Request::get("/score").bearer(token)).await;
        assert_eq!((response.status, response.reason().as_str()), (200, ""), "{name}");
    }
    upstream.clear();

    let mut complaints = Vec::new();
    let mut sent = 0;
    for (at, attack) in corpus.iter().enumerate().filter(|(_, attack)| attack.fits_a_header()) {
        let case = format!("attack-{at}");
        let request = Request::get("/score").bearer(&attack.token).case(&case);
        let response = connection.send(&request).await;
        let seen = upstream.case(&case);
        sent += 1;
        if let Some(why) = complaint(attack, &response, seen.as_ref()) {
            complaints.push(format!("{}: {}: {why}", attack.family, attack.name));
        }
    }
    let count = complaints.len();
    assert!(count == 0, "{count} of {sent}:\n{}", complaints.join("\n"));
    let pass = |attack: &&Attack| attack.expect == Expect::PassesSanitised;
    assert_eq!(upstream.count(), corpus.iter().filter(pass).count());
    assert!(sent > 1000, "{sent}");
    assert_eq!(envoy.vm_failures().await, 0);
    let log = envoy.log();
    for attack in corpus {
        let secret = signature(attack);
        assert!(secret.is_empty() || !log.contains(secret), "{}: in the log", attack.name);
    }
}

/// What is wrong with the answer to an attack; nothing, if it is as it must be.
fn complaint(attack: &Attack, response: &Response, seen: Option<&Recorded>) -> Option<String> {
    let (status, reason) = (response.status, response.reason());
    let secret = signature(attack);
    let ours = seen.is_none() && !secret.is_empty();
    if ours && String::from_utf8_lossy(&response.body).contains(secret) {
        return Some("the answer holds the signature".to_owned());
    }
    // A list of credentials is two tokens to whoever reads headers by the book.
    let listed = attack.token.contains(&b',') && reason == "token_multiple";
    let expected = match attack.expect {
        Expect::PassesSanitised => return sanitised(status, seen),
        Expect::Refused(reasons) => listed || reasons.contains(&reason.as_str()),
        Expect::RefusedAny => !reason.is_empty(),
    };
    let refused = [400, 401].contains(&status) && seen.is_none();
    let expect = attack.expect;
    (!refused || !expected).then(|| format!("{status} {reason:?}, not {expect:?}"))
}

/// What a hostile subject must have become by the time the upstream sees it.
fn sanitised(status: u16, seen: Option<&Recorded>) -> Option<String> {
    let Some(seen) = seen else { return Some(format!("{status}, not passed on")) };
    if !seen.raw_bytes().is_empty() {
        return Some(format!("raw bytes upstream: {:?}", seen.raw_bytes()));
    }
    for name in ["x-auth-subject", "x-auth-identity", "x-auth-issuer"] {
        match seen.all(name)[..] {
            [value] if value.len() <= LONGEST_VALUE => {}
            [value] => return Some(format!("{name} has {} bytes", value.len())),
            ref values => return Some(format!("{name} is there {} times", values.len())),
        }
    }
    (!seen.all("x-auth-roles").is_empty()).then(|| "a header was injected".to_owned())
}

/// The last part of a token, if it is long enough to be known by.
fn signature(attack: &Attack) -> &str {
    let text = std::str::from_utf8(&attack.token).unwrap_or_default();
    text.rsplit('.').next().filter(|part| part.len() >= 40).unwrap_or_default()
}
