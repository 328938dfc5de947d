//! The recipes for two tenants: quotas of their own, and no way from one to the other.

use support::docs;
use support::entra::{self, TENANT};
use support::idp::{Idp, Scheme};
use support::prelude::*;

use crate::PAGE;
use crate::claims::{self, changed};

/// Statuses of so many requests.
async fn statuses(envoy: &Envoy, request: &Request, count: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(envoy.send(request).await.status);
    }
    statuses
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_with_their_own_issuers_have_their_own_hosts_and_quotas() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let stranger = Signer::new("ES256", "globex-1");
    let acme = Idp::serving(Scheme::Http, mint::jwks(&[&fixture.signer]));
    let globex = Idp::serving(Scheme::Http, mint::jwks(&[&stranger]));
    let mut config = docs::configuration(PAGE, "Each tenant has its own identity provider");
    // Buckets that a test can empty, and that nothing refills.
    for (limit, shipped, here) in [(0, "1000/m", "4/d"), (1, "100/m", "2/d"), (2, "60/m", "3/d")] {
        assert_eq!(config["limits"][limit]["rate"], shipped);
        config["limits"][limit]["rate"] = json!(here);
    }
    let envoy = fixture
        .envoy(config)
        .cluster("acme", acme.address())
        .cluster("globex", globex.address())
        .start()
        .await;
    let score = |signer: &Signer, issuer: &str, host: &str, subject: &str| {
        let token = signer.sign(&claims_with(subject, json!({"iss": issuer})));
        Request::post("/score", "{}").host(host).bearer(token)
    };
    let of_acme = |host: &str, subject: &str| {
        score(&fixture.signer, "https://login.acme.example", host, subject)
    };
    let of_globex =
        |host: &str, subject: &str| score(&stranger, "https://id.globex.example", host, subject);
    let (host_a, host_g) = ("acme.ml.example.com", "globex.ml.example.com");

    for (request, reason) in [
        (of_acme(host_g, "alice"), "issuer_not_allowed"),
        (of_globex(host_a, "alice"), "issuer_not_allowed"),
        (of_acme("other.ml.example.com", "alice"), "no_rule"),
    ] {
        assert_eq!(envoy.send(&request).await.reason(), reason);
    }
    assert_eq!(fixture.upstream.count(), 0);

    // A caller ends at its own limit, its tenant at the tenant's, the other tenant is not touched.
    assert_eq!(statuses(&envoy, &of_acme(host_a, "alice"), 4).await, [200, 200, 200, 429]);
    assert_eq!(fixture.upstream.last().unwrap().header("x-auth-tenant"), Some("acme"));
    assert_eq!(statuses(&envoy, &of_acme(host_a, "bob"), 2).await, [200, 429]);
    assert_eq!(statuses(&envoy, &of_globex(host_g, "alice"), 3).await, [200, 200, 429]);
    let forged = of_acme(host_a, "carol").header("x-auth-tenant", "globex");
    assert_eq!(envoy.send(&forged).await.status, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_of_one_issuer_are_told_apart_by_a_claim() {
    let Some(fixture) = Fixture::new("RS256").await else { return };
    let idp = Idp::serving(Scheme::Http, entra::keys(&fixture.signer));
    let mut config = docs::configuration(PAGE, "All tenants have one identity provider");
    let limits = &mut config["limits"];
    assert_eq!((&limits[0]["rate"], &limits[1]["rate"]), (&json!("100/m"), &json!("60/m")));
    limits[0]["rate"] = json!("2/d");
    limits[0]["tiers"][0]["rate"] = json!("4/d");
    limits[1]["rate"] = json!("3/d");
    let envoy = fixture.envoy(config).cluster("entra", idp.address()).start().await;
    let score = |tenant: &str, object: &str| {
        let ids = json!({"iss": entra::issuer(tenant), "tid": tenant, "oid": object});
        let token = fixture.signer.sign(&changed(claims::entra(), ids));
        Request::post("/score", "{}").bearer(token)
    };
    let other = "11111111-2222-3333-4444-555555555555";
    let [alice, bob] = [entra::OBJECT, "dddddddd-2222-3333-4444-555555555555"];
    assert_eq!(statuses(&envoy, &score(TENANT, alice), 4).await, [200, 200, 200, 429]);
    assert_eq!(statuses(&envoy, &score(TENANT, bob), 2).await, [200, 429]);
    // The same object in the other tenant is another caller.
    assert_eq!(statuses(&envoy, &score(other, alice), 3).await, [200, 200, 429]);
    assert_eq!(fixture.upstream.last().unwrap().header("x-auth-tenant"), Some(other));
    let stranger = envoy.send(&score("99999999-2222-3333-4444-555555555555", alice)).await;
    assert_eq!(stranger.reason(), "tenant_not_allowed");
}
