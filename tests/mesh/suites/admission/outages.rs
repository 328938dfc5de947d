//! The webhook is down, or its certificate changes.

use std::fs;

use mesh::{api, until};
use serde_json::json;
use support::tls::Authority;

use super::{HOST, World, write};

#[test]
fn without_the_webhook_the_failure_policy_decides_for_its_kinds_alone() {
    let Some(mut world) = World::start("down", 8446) else { return };
    let [bad, ..] = world.manifests(&json!({"providers": 1}), "tollgate");
    let (bad, config_map) = (
        bad.to_string(),
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "tollgate", "namespace": world.namespace}, "data": {},
        }),
    );
    world.webhook.end();
    assert!(world.webhook.log().contains("ending"));
    // `Ignore`, as shipped.
    api::accepts(&bad).ok();
    world.configure(&Authority::new(), 8446, "Fail");
    let answer = until(60, "the API knows the new policy", || {
        let answer = api::accepts(&bad);
        (!answer.good).then_some(answer)
    });
    let errors = answer.refused();
    assert!(errors.contains("failed calling webhook \"check.admission.tollgate\""), "{errors}");
    api::apply(&config_map.to_string()).ok();
}

#[test]
fn a_new_certificate_is_used_without_a_restart_and_a_broken_one_is_not() {
    let Some(world) = World::start("renewal", 8447) else { return };
    let [bad, ..] = world.manifests(&json!({"providers": 1}), "tollgate");
    let denied = || api::accepts(&bad.to_string()).stderr.contains("denied the request");
    let next = Authority::new();
    fs::write(world.folder.join("tls.crt"), next.workload_pem(HOST).0).unwrap();
    world.webhook.logged(60, "the certificate of before stays in use");
    assert!(denied());
    write(&world.folder, &next);
    world.webhook.logged(60, "a new certificate is in use");
    // With `Fail`, an answer that is no refusal by the webhook shows as an error of the call.
    world.configure(&next, 8447, "Fail");
    until(60, "the API trusts the new authority and is answered", || denied().then_some(()));
    assert_eq!(world.webhook.log().matches("admission webhook at").count(), 1);
}
