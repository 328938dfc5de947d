//! Providers that share an issuer, and keys that a token does not name, in a real Envoy.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use support::idp::{Idp, JWKS, Scheme};
use support::prelude::*;

/// Signatures that were checked by an engine.
async fn checked(envoy: &Envoy, engine: &str) -> u64 {
    let stats = envoy.stats(&format!("wasmcustom.tollgate_verify.engine.{engine}.")).await;
    stats.values().sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clusters_of_one_issuer_verify_their_own_tokens_through_rotations() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let [one, two, next] = ["one", "two", "next"].map(|kid| Signer::new("ES256", kid));
    let clusters = [&one, &two].map(|signer| Idp::serving(Scheme::Http, mint::jwks(&[signer])));
    let provider = |name: &str, idp: &Idp| {
        json!({
            "name": name, "issuers": ["https://kubernetes.default.svc"],
            "audiences": [mint::AUDIENCE],
            "keys": {"remote": {"uri": idp.url(JWKS), "cluster": name, "refresh_interval": "1h"}},
        })
    };
    let envoy = fixture
        .envoy(json!({
            "providers": [provider("c1", &clusters[0]), provider("c2", &clusters[1])],
            "tags": [{"name": "cluster", "value": "{@provider}", "header": "x-auth-cluster"}],
        }))
        .cluster("c1", clusters[0].address())
        .cluster("c2", clusters[1].address())
        .start()
        .await;
    let token = |signer: &Signer| {
        signer.sign(&claims_with("sa", json!({"iss": "https://kubernetes.default.svc"})))
    };
    for signer in [&one, &two, &one, &two] {
        assert_eq!(envoy.judge(&token(signer)).await, good());
    }
    // The second cluster has a new key. Its first token waits for the fetch that brings it.
    clusters[1].set_keys(mint::jwks(&[&two, &next]));
    assert_eq!(envoy.judge(&token(&next)).await, good());
    let requests = fixture.upstream.requests();
    let providers = requests.iter().map(|request| request.header("x-auth-cluster").unwrap());
    assert_eq!(providers.collect::<Vec<_>>(), ["c1", "c2", "c1", "c2", "c2"]);
    // An unknown key, and an unknown key under the `kid` of a known one.
    let stranger = Signer::new("ES256", "stranger");
    assert_eq!(envoy.judge(&token(&stranger)).await, refused("key_unknown"));
    let forged = token(&stranger.with_kid("next"));
    assert_eq!(envoy.judge(&forged).await, refused("signature_invalid"));
}

#[tokio::test(flavor = "multi_thread")]
async fn id_and_access_tokens_of_one_pool_pass_each_by_its_own_provider() {
    let Some(fixture) = Fixture::new("RS256").await else { return };
    let mut id = provider(&[&fixture.signer], &["RS256"]);
    id["name"] = json!("id");
    id["audiences"] = json!(["client"]);
    let mut access = provider(&[&fixture.signer], &["RS256"]);
    access["name"] = json!("access");
    access["audiences"] = json!("any");
    access["token_use"] = json!("access");
    for crypto in ["auto", "module"] {
        let envoy = fixture
            .envoy(json!({
                "providers": [id, access], "crypto": crypto,
                "rules": [{"name": "ids", "match": {"paths": ["/me"]}, "providers": ["id"]},
                          {"name": "all"}],
            }))
            .workers(1)
            .start()
            .await;
        let id = fixture.token_with("u", json!({"aud": "client"}));
        let access = fixture.token_with("u", json!({"aud": null, "scope": "read"}));
        let neither = fixture.token_with("u", json!({"aud": "other"}));
        assert_eq!(envoy.judge(&id).await, good());
        assert_eq!(envoy.judge(&access).await, good());
        assert_eq!(envoy.judge(&neither).await, refused("token_use_mismatch"));
        let me = Request::get("/me").bearer(&access);
        let response = envoy.send(&me).await;
        assert_eq!((response.status, response.reason().as_str()), (401, "claim_missing"));
        // One key, whichever provider accepts it: one check for each token under each list of providers.
        let engine = if crypto == "auto" { "host" } else { "module" };
        assert_eq!(checked(&envoy, engine).await, 4, "{crypto}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_a_token_does_not_name_are_tried_as_far_as_the_bound_goes() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    for (algorithm, crypto, engine, both) in [
        ("ES256", "auto", "host", true),
        ("ES256", "module", "module", false),
        ("EdDSA", "auto", "module", false),
        ("HS256", "auto", "module", true),
    ] {
        let signers = ["a", "b", "c"].map(|kid| Signer::new(algorithm, kid));
        let nameless = |number: usize| {
            let mut jwk = signers[number].jwk();
            jwk["kid"] = if number == 0 { json!("") } else { Value::Null };
            jwk
        };
        let start = async |count: usize| {
            let mut provider = provider(&[], &[algorithm]);
            let keys: Vec<Value> = (0..count).map(nameless).collect();
            provider["keys"] = json!({"inline": {"keys": keys}});
            fixture
                .envoy(json!({"providers": [provider], "crypto": crypto}))
                .workers(1)
                .start()
                .await
        };
        let header = |kid: Value| json!({"alg": algorithm, "kid": kid});
        let envoy = start(2).await;
        // A kid is a hint; one that is empty or null is absent.
        for kid in [json!("any"), json!(""), json!(null)] {
            for (number, signer) in signers[..2].iter().enumerate() {
                let subject = format!("{number} {kid}");
                let token = signer.sign_with(header(kid.clone()), &mint::claims(&subject));
                let want = if number == 0 || both { good() } else { refused("key_unknown") };
                assert_eq!(envoy.judge(&token).await, want, "{algorithm} {crypto} {kid}");
            }
        }
        let before = checked(&envoy, engine).await;
        let forged = signers[2].sign_with(header(json!("any")), &mint::claims("eve"));
        assert_eq!(envoy.judge(&forged).await.0, 401);
        assert_eq!(checked(&envoy, engine).await - before, if both { 2 } else { 1 });
        // Of three none is tried, and the log says why.
        let envoy = start(3).await;
        assert_eq!(envoy.judge(&forged).await, refused("key_unknown"));
        assert_eq!(checked(&envoy, engine).await, 0);
        envoy
            .wait_for_log("reason=key_unknown rule=default provider=main count=1: too many cand")
            .await;
    }
}
