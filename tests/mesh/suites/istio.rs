//! The manifests under `istio/` in a real Istio: as pasted, with only the digest of the image set.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use mesh::istio::pod::Spec;
use mesh::istio::{Mesh, kubectl};
use mesh::until;
use support::prelude::*;

fn score() -> Request {
    Request::post("/score", "{}")
}

#[test]
fn the_overlay_for_sidecars_admits_callers_of_the_tenant_alone() {
    let Some(mesh) = Mesh::start() else { return };
    kubectl("apply --kustomize istio/overlays/sidecar").ok();
    let (scoring, curl) =
        (Spec::sidecar("models", "scoring").start(), Spec::sidecar("models", "curl").start());
    scoring.ready();
    curl.ready();
    let good = mesh.token(json!({}));
    let call = |request: Request| curl.send("scoring:8080", request);
    until(30, "the keys are there", || (call(score().bearer(&good)).status == 200).then_some(()));
    let refused = call(score());
    assert_eq!((refused.status, refused.reason().as_str()), (401, "token_missing"));
    let alice = mesh.token(json!({"oid": "aaaaaaaa-2222-3333-4444-555555555555"}));
    let passed = call(score().bearer(&alice).case("alice"));
    assert_eq!(passed.status, 200);
    let seen = scoring.saw("alice").unwrap();
    assert_eq!(seen.header("x-auth-tenant"), Some(support::entra::TENANT));
    // Sent at once, so that no token comes back into the bucket meanwhile.
    let address = mesh::istio::pod::resolve("scoring:8080");
    let burst = vec![score().host("scoring:8080").bearer(&alice); 60];
    let answers = curl.within(|| client::send_at_once(address, burst));
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert!(
        statuses.contains(&429) && statuses.iter().all(|s| [200, 429].contains(s)),
        "{statuses:?}"
    );
    let metrics = scoring.metrics();
    let found = |name: &str| metrics.samples.iter().filter(|sample| sample.name == name).count();
    assert!(found("tollgate_requests") > 0, "{}", metrics.text);
    assert_eq!(metrics.value("tollgate_jwks_keys", &[("provider", "entra")]), Some(1.0));
}
