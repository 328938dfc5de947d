//! The attack corpus against a real Envoy: nothing forged passes, nothing hostile arrives raw.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/attacks/mod.rs"]
mod attacks;
mod support;

use attacks::{Attack, Expect, World};
use support::mint;
use support::prelude::{Connection, Envoy, Request, Response, Upstream, json};

#[tokio::test(flavor = "multi_thread")]
async fn no_token_of_the_corpus_passes_raw() {
    let name = "no_token_of_the_corpus_passes_raw";
    let Some(binary) = support::envoy_binary(name) else { return };
    let world = World::new();
    let upstream = Upstream::start().await;
    let envoy = Envoy::builder(binary)
        .upstream(upstream.address())
        .plugin_config(json!({"providers": world.providers()}))
        .start()
        .await;
    let mut connection = Connection::open(envoy.address()).await;
    let mut wrong = Vec::new();
    for (name, token) in world.controls() {
        let response = connection.send(&Request::get("/score").bearer(token)).await;
        if response.status != 200 {
            wrong.push(format!("control {name}: {} {}", response.status, response.reason()));
        }
    }
    let attacks = attacks::corpus(&world).into_iter().filter(|attack| attack.fits_a_header());
    let mut sent = 0;
    for attack in attacks {
        upstream.clear();
        let response = connection.send(&Request::get("/score").bearer(&attack.token)).await;
        sent += 1;
        if !judged_as_expected(&attack, &response, &upstream) {
            let (status, reason) = (response.status, response.reason());
            let (family, name, expect) = (attack.family, &attack.name, attack.expect);
            wrong.push(format!("{family}/{name}: {status} {reason}, expected {expect:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {sent} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(sent >= 150, "{sent}");
    assert_eq!(envoy.vm_failures().await, 0);
}

fn judged_as_expected(attack: &Attack, response: &Response, upstream: &Upstream) -> bool {
    let refused = matches!(response.status, 400 | 401) && upstream.count() == 0;
    let reason = response.reason();
    // A comma in a field value may join two fields (RFC 9110 §5.3), so it is several tokens
    // before any of them is looked at.
    let joined = attack.token.contains(&b',') && reason == "token_multiple";
    match attack.expect {
        Expect::Refused(reasons) => refused && (joined || reasons.contains(&reason.as_str())),
        Expect::RefusedAny => refused,
        Expect::PassesSanitised => {
            let clean = upstream.last().is_some_and(|seen| seen.raw_bytes().is_empty());
            response.status == 200 && clean
        }
    }
}
