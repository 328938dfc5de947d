//! Tokens that a real Keycloak issued, judged by the recipe at the time of their recording: a realm `ml` with
//! the clients `scoring` (the API), `notebook` (a user signs in) and `trainer` (a service account).

use serde_json::{Value, json};
use support::docs;
use tollgate::config::{self, NoVariables};
use tollgate::gate::judged::Judged;
use tollgate::time::Moment;
use tollgate::verify::engine::ModuleEngine;

use crate::PAGE;
use crate::policy::judge;

const ALICE: &str = "https://sso.example.com/realms/ml/e30d2862-075f-4283-a83c-23363c8e4fd7";
const TRAINER: &str = "https://sso.example.com/realms/ml/1bff8f96-f51f-40a2-b087-8849c8787f26";

#[test]
fn tokens_of_a_real_keycloak_have_the_verdicts_of_the_page() {
    let text = include_str!("../data/keycloak.json");
    let recorded: Value = serde_json::from_str(text).unwrap();
    let mut recipe = docs::configuration(PAGE, "Keycloak");
    recipe["providers"][0]["keys"] = json!({"inline": recorded["keys"]});
    // Token and grants are judged here, without a store for limits.
    recipe["rules"][1]["limits"] = json!([]);
    recipe["limits"] = json!([]);
    let (policy, _) = config::compile(recipe.to_string().as_bytes(), &NoVariables).unwrap();
    let now = Moment::from_secs(recorded["now"].as_u64().unwrap());
    let cache = policy.empty_cache(42);
    let wanted = [
        ("a realm role", Ok(ALICE)),
        ("a client role", Ok(ALICE)),
        ("a service account", Ok(TRAINER)),
        ("a service account without the role", Err("claim_insufficient")),
        ("no audience mapper", Err("audience_mismatch")),
        ("no scope basic", Err("claim_missing")),
        ("an ID token", Err("audience_mismatch")),
    ];
    let tokens = recorded["tokens"].as_object().unwrap();
    assert_eq!(tokens.len(), wanted.len());
    for (name, verdict) in wanted {
        let authorization = format!("Bearer {}", tokens[name].as_str().unwrap());
        let headers = [
            (":method", "POST"),
            (":path", "/score"),
            (":authority", "ml.example.com"),
            ("authorization", authorization.as_str()),
        ];
        let judged = judge(&policy, &ModuleEngine, &cache, &headers, now);
        let Judged::Decided(decision) = judged else { panic!("no rule has a guard") };
        let reason = decision.verdict.reason().as_str();
        let caller = decision.facts.caller.as_ref();
        let identity = caller.map(|caller| caller.principal().identity());
        match verdict {
            Ok(wanted) => assert_eq!((reason, identity), ("ok", Some(wanted)), "{name}"),
            Err(wanted) => assert_eq!(reason, wanted, "{name}"),
        }
    }
}
