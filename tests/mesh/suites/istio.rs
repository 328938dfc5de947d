//! The manifests under `istio/` for sidecars in a real Istio.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "istio/plugins.rs"]
mod plugins;

use std::sync::LazyLock;

use mesh::istio::Mesh;
use mesh::istio::manifests::{Manifests, block};
use mesh::istio::pod::{Pod, Spec, resolve};
use mesh::{machine, until};
use support::entra::TENANT as HOME;
use support::prelude::*;

const PARTNER: &str = "11111111-2222-3333-4444-555555555555";

fn score() -> Request {
    Request::post("/score", "{}")
}

/// The overlay for sidecars as pasted: a pod with the application, and its caller.
struct Pasted {
    mesh: &'static Mesh,
    manifests: Manifests,
    scoring: Pod,
    curl: Pod,
}

impl Pasted {
    /// `None` outside of `make mesh`.
    fn get() -> Option<&'static Self> {
        static PASTED: LazyLock<Option<Pasted>> = LazyLock::new(|| {
            let mesh = Mesh::shared()?;
            let manifests = mesh.manifests("pasted");
            manifests.shell(&block("Quick start", "kubectl apply"), &[]).ok();
            let [scoring, curl] =
                ["scoring", "curl"].map(|name| Spec::sidecar("models", name).start());
            let pasted = Pasted { mesh, manifests, scoring, curl };
            pasted.scoring.ready();
            pasted.curl.ready();
            let good = score().bearer(mesh.token(json!({})));
            until(30, "the keys are there", || {
                (pasted.call(good.clone()).status == 200).then_some(())
            });
            Some(pasted)
        });
        PASTED.as_ref()
    }

    fn call(&self, request: Request) -> Response {
        self.curl.send("scoring:8080", request)
    }
}

#[test]
fn the_calls_of_the_page_are_answered_as_it_says() {
    let Some(pasted) = Pasted::get() else { return };
    let mesh = pasted.mesh;
    let tokens = [mesh.token(json!({})), mesh.token_of(PARTNER, json!({}))];
    let variables = [("TOKEN", &*tokens[0]), ("TOKEN_OF_ANOTHER_TENANT", &*tokens[1])];
    let calls = block("Quick start", "call()");
    let said = pasted.manifests.shell(&calls, &variables).ok();
    assert_eq!(
        said.split_whitespace().collect::<Vec<_>>(),
        ["200", "401", "403", "401"],
        "{calls}"
    );
    let look = block("Quick start", "istioctl proxy-config cluster");
    let said = pasted.manifests.shell(&look, &[]).ok();
    for text in [
        "outbound",
        "STRICT_DNS",
        "tollgate_jwks_keys{provider=\"entra\"} 1",
        "tollgate_requests{",
        "decision=\"allow\"",
    ] {
        assert!(said.contains(text), "{text}: {said}");
    }
}

#[test]
fn a_request_passes_if_the_filter_and_the_policy_admit_it() {
    let Some(pasted) = Pasted::get() else { return };
    let token = |changes| pasted.mesh.token(changes);
    let good = || score().bearer(token(json!({"oid": "table"})));
    let partner = pasted.mesh.token_of(PARTNER, json!({}));
    let forged = |request: Request| {
        request
            .header("x-auth-tenant", HOME)
            .header("X_Auth-Identity", "root")
            .header("x-auth-roles", "admin")
    };
    const ISTIO: &str = "RBAC: access denied";
    for (case, request, status, said) in [
        ("good", good(), 200, ""),
        ("good and forged", forged(good()), 200, ""),
        ("health", Request::get("/"), 200, ""),
        ("health and forged", forged(Request::get("/")), 200, ""),
        ("bare", score(), 401, "token_missing"),
        ("forged", forged(score()), 401, "token_missing"),
        ("partner", score().bearer(&partner), 403, ISTIO),
        ("partner, forged", forged(score().bearer(&partner)), 403, ISTIO),
        ("expired", score().bearer(token(json!({"exp": mint::now() - 300}))), 401, "expired"),
        (
            "other audience",
            score().bearer(token(json!({"aud": "api://other"}))),
            401,
            "audience_mismatch",
        ),
        ("no rule", Request::get("/admin"), 403, "no_rule"),
    ] {
        let response = pasted.call(request.case(case));
        let body = String::from_utf8_lossy(&response.body);
        assert_eq!(response.status, status, "{case}: {body}");
        assert!(body.contains(said), "{case}: {body}");
        assert_eq!(pasted.scoring.saw(case).is_some(), status == 200, "{case}");
    }
    let seen = pasted.scoring.saw("good and forged").unwrap();
    assert_eq!(seen.header("x-auth-tenant"), Some(HOME));
    assert_eq!(seen.header("x-auth-identity"), Some(format!("{HOME}/table").as_str()));
    assert!(!seen.head_contains(b"root") && !seen.head_contains(b"admin"));
    let seen = pasted.scoring.saw("health and forged").unwrap();
    assert!(!seen.head_contains(b"uth-"), "{}", seen.head.escape_ascii());
}

#[test]
fn a_burst_of_one_caller_ends_in_429_and_no_other_caller_notices() {
    let Some(pasted) = Pasted::get() else { return };
    let of =
        |oid: &str| score().host("scoring:8080").bearer(pasted.mesh.token(json!({"oid": oid})));
    // Sent at once, so that few tokens come back into the bucket meanwhile.
    let (address, burst) = (resolve("scoring:8080"), vec![of("burst"); 80]);
    let answers = pasted.curl.within(|| client::send_at_once(address, burst));
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert!(count(200) >= 20 && count(429) >= 10, "{} passed", count(200));
    assert_eq!(count(200) + count(429), 80);
    assert_eq!(pasted.call(of("another")).status, 200);
    // The scrape has the metrics of Envoy, which are the filter's, and those of the agent.
    let names: Vec<_> =
        pasted.scoring.metrics().samples.into_iter().map(|sample| sample.name).collect();
    for name in ["tollgate_requests", "tollgate_config", "istio_agent_wasm_remote_fetch_count"] {
        assert!(names.iter().any(|found| found == name), "{name} in {names:?}");
    }
}

#[test]
fn plain_text_is_refused() {
    let Some(pasted) = Pasted::get() else { return };
    let inbound = (pasted.scoring.address, 8080).into();
    let plain = machine::runtime().block_on(client::try_send(inbound, &score()));
    assert!(plain.is_err(), "{plain:?}");
}

#[test]
fn each_request_leaves_the_audit_line() {
    let Some(pasted) = Pasted::get() else { return };
    let partner = pasted.mesh.token_of(PARTNER, json!({"oid": "audit"}));
    for (id, request) in [
        ("audit-good", score().bearer(pasted.mesh.token(json!({"oid": "audit"})))),
        ("audit-bare", score()),
        ("audit-partner", score().bearer(partner)),
    ] {
        pasted.call(request.header("x-request-id", id).header("user-agent", "audit"));
    }
    let line = |id: &str| {
        until(30, id, || {
            let lines = pasted.scoring.log();
            let mut lines =
                lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            lines.find(|line| line["XRequestId"] == id)
        })
    };
    let good = line("audit-good");
    for (field, value) in [
        ("Decision", "allow"),
        ("Reason", "ok"),
        ("Rule", "score"),
        ("Provider", "entra"),
        ("Identity", &format!("{HOME}/audit")),
        ("Peer", "spiffe://cluster.local/ns/models/sa/default"),
        ("ClientAddress", &pasted.curl.address.to_string()),
        ("UserAgent", "audit"),
    ] {
        assert_eq!(good[field], value, "{good}");
    }
    let bare = line("audit-bare");
    assert_eq!((&bare["Decision"], &bare["Reason"]), (&json!("deny"), &json!("token_missing")));
    let partner = line("audit-partner");
    assert_eq!(
        (&partner["Decision"], &partner["Identity"]),
        (&json!("allow"), &json!(format!("{PARTNER}/audit")))
    );
    assert!(
        partner["ResponseCodeReason"].as_str().unwrap().starts_with("rbac_access_denied"),
        "{partner}"
    );
}

/// The names of the HTTP filters of a connection manager, in their order.
fn filters(manager: &Value) -> Vec<String> {
    let filters = manager["typed_config"]["http_filters"].as_array().unwrap().iter();
    filters.map(|filter| filter["name"].as_str().unwrap().to_owned()).collect()
}

/// Where a filter stands whose name ends so.
#[track_caller]
fn place(filters: &[String], name: &str) -> usize {
    let found = filters.iter().position(|filter| filter.ends_with(name));
    found.unwrap_or_else(|| panic!("no {name} in {filters:?}"))
}

#[test]
fn the_proxy_removes_headers_of_inbound_requests_only_and_has_the_filter_before_the_policy() {
    let Some(pasted) = Pasted::get() else { return };
    let inbound = pasted.scoring.managers("virtualInbound");
    assert!(!inbound.is_empty());
    for manager in inbound {
        let filters = filters(&manager);
        let wasm = place(&filters, "models.tollgate~istio-translated-wasmplugin");
        assert!(wasm < place(&filters, "rbac"), "{filters:?}");
        let removal = &manager["typed_config"]["early_header_mutation_extensions"][0];
        assert!(removal.to_string().contains("(identity|tenant|roles)"), "{removal}");
    }
    for manager in pasted.scoring.managers("0.0.0.0_8080") {
        let text = manager.to_string();
        assert!(!text.contains("early_header") && !text.contains("tollgate~"), "{text}");
    }
}
