mod several;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::algorithms::{HS256Key, MACLike};
use proptest::prelude::{ProptestConfig, Strategy, prop, prop_assert_eq, proptest};
use serde_json::{Value, json};

use super::entries::Entries;
use super::*;
use crate::config::tests::compiled;
use crate::policy::Policy;
use crate::time::Moment;
use crate::verify::engine::ModuleEngine;
use crate::verify::keyset::KeySet;
use crate::verify::{Keys, Verifier};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

/// The keys of the document itself.
struct OwnKeys<'a>(&'a Policy);

impl Keys for OwnKeys<'_> {
    fn keys(&self, provider: usize) -> Option<&KeySet> {
        match &self.0.providers.get(provider)?.keys {
            crate::verify::provider::KeysFrom::Static(keys) => Some(keys),
            crate::verify::provider::KeysFrom::Remote(_) => None,
        }
    }
}

fn policy(allow: &Value) -> Policy {
    let document = json!({
        "providers": [{
            "name": "p", "issuers": ["https://issuer.test"], "audiences": "any",
            "algorithms": ["HS256"], "require_exp": false,
            "keys": {"inline": {"keys": [{"kty": "oct", "k": URL_SAFE_NO_PAD.encode(SECRET)}]}},
        }],
        "rules": [{"name": "r", "allow": allow}],
    });
    compiled(&document)
}

/// The verdict of `allow` on verified claims: the reason and the scopes asked for.
fn verdict(allow: Value, members: Value) -> (&'static str, Option<String>) {
    let policy = policy(&allow);
    let claims = verified(members);
    let entries = policy.rules[0].allow.as_ref().unwrap();
    let judged = entries.judge(&claims);
    assert_eq!(judged, walked(entries, &claims));
    assert_eq!(judged.is_ok(), entries.iter().any(|entry| entry.holds(&claims)));
    match judged {
        Ok(()) => ("ok", None),
        Err(unmet) => {
            let scope = entries[unmet.entry].scope.as_ref();
            (unmet.reason.as_str(), scope.map(ToString::to_string))
        }
    }
}

/// These claims, verified.
fn verified(mut members: Value) -> Claims {
    let policy = policy(&json!([{"clients": ["c"]}]));
    members["iss"] = json!("https://issuer.test");
    let parts = [json!({"alg": "HS256"}), members].map(|p| URL_SAFE_NO_PAD.encode(p.to_string()));
    let input = parts.join(".");
    let tag = HS256Key::from_bytes(SECRET).authentication_tag(input.as_bytes());
    let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(tag));
    let verifier = Verifier {
        providers: &policy.providers,
        keys: &OwnKeys(&policy),
        engine: &ModuleEngine,
        max_bytes: 1 << 16,
    };
    verifier.verify(token.as_bytes(), None, Moment::EPOCH).unwrap()
}

/// The verdict of a walk over all entries, each compared alone.
fn walked(entries: &Entries<Grant>, claims: &Claims) -> Result<(), Unmet> {
    let held = entries.iter().position(|entry| entry.holds(claims));
    assert_eq!(entries.first_held(claims, |_| true), held);
    if held.is_some() {
        return Ok(());
    }
    let given = Given::of(claims);
    let unmet = entries.iter().map(|entry| entry.unmet(&given).unwrap()).enumerate();
    let (entry, (reason, _)) = unmet.min_by_key(|(_, (_, more))| *more).unwrap();
    Err(Unmet { entry, reason })
}

fn reason(allow: Value, claims: Value) -> &'static str {
    verdict(json!([allow]), claims).0
}

/// The claim of a field, and whether a text in it is separated by spaces.
const NAMES: [(&str, &str, bool); 4] = [
    ("roles", "roles", false),
    ("groups", "groups", false),
    ("scopes", "scp", true),
    ("scopes", "scope", true),
];

#[test]
fn a_text_is_one_name_but_in_scopes_which_are_separated_by_spaces() {
    for (kind, claim, spaced) in NAMES {
        let no = match kind {
            "roles" => "role_insufficient",
            "scopes" => "scope_insufficient",
            _ => "claim_insufficient",
        };
        let any = || json!({(format!("{kind}_any")): ["a", "b"]});
        let all = || json!({(format!("{kind}_all")): ["a", "b"]});
        for (value, holds_any, holds_all) in [
            (json!("a"), true, false),
            (json!("x a y"), spaced, false),
            (json!("b a"), spaced, spaced),
            (json!("  a   b "), spaced, spaced),
            (json!("a "), spaced, false),
            (json!("Not a"), spaced, false),
            (json!(["a"]), true, false),
            (json!(["x", "b", "a"]), true, true),
            (json!("A B"), false, false),
            (json!("ab"), false, false),
            (json!("a,b"), false, false),
            (json!("a\tb"), false, false),
            (json!(["a b"]), false, false),
            (json!(["Not a", "b x"]), false, false),
            (json!([]), false, false),
            (json!(""), false, false),
            // Malformed claims never admit, whatever else is in them.
            (json!(["a", "b", 1]), false, false),
            (json!(["a", "b", null]), false, false),
            (json!([["a", "b"]]), false, false),
            (json!({"a": true, "b": true}), false, false),
            (json!(true), false, false),
            (json!(1), false, false),
            (json!(null), false, false),
        ] {
            let claims = json!({claim: value});
            let want = |holds| if holds { "ok" } else { no };
            assert_eq!(reason(any(), claims.clone()), want(holds_any), "{claims}");
            if kind != "groups" {
                assert_eq!(reason(all(), claims.clone()), want(holds_all), "{claims}");
            }
        }
        assert_eq!(reason(any(), json!({})), no);
    }
    let both = json!({"scopes_all": ["a", "b"]});
    assert_eq!(reason(both, json!({"scp": "a", "scope": ["b"]})), "ok");
}

#[test]
fn clients_are_azp_then_appid_then_client_id() {
    let one = || json!({"clients": ["c1", "c2"]});
    for (claims, want) in [
        (json!({"azp": "c1"}), "ok"),
        (json!({"appid": "c2"}), "ok"),
        (json!({"client_id": "c1"}), "ok"),
        (json!({"azp": "evil", "appid": "c1", "client_id": "c1"}), "client_not_allowed"),
        (json!({"azp": ["c1"], "appid": "c1"}), "client_not_allowed"),
        (json!({"azp": null, "appid": "c1"}), "client_not_allowed"),
        (json!({"azp": "c1 c2"}), "client_not_allowed"),
        (json!({"azp": "C1"}), "client_not_allowed"),
        (json!({"azp": ""}), "client_not_allowed"),
        (json!({}), "client_not_allowed"),
    ] {
        assert_eq!(reason(one(), claims.clone()), want, "{claims}");
    }
}

#[test]
fn actors_are_act_sub_and_the_clients_that_entra_marks_as_agents() {
    let one = || json!({"actors_any": ["a1", "a2"]});
    for (claims, want) in [
        (json!({"act": {"sub": "a1"}}), "ok"),
        (json!({"act": {"sub": "a2", "iss": "https://other.test"}}), "ok"),
        (json!({"act": {"sub": "a1", "act": {"sub": "evil"}}}), "ok"),
        // What acted before is history (RFC 8693 §4.1).
        (json!({"act": {"sub": "evil", "act": {"sub": "a1"}}}), "claim_insufficient"),
        (json!({"act": {"act": {"sub": "a1"}}}), "claim_insufficient"),
        (json!({"act": {"sub": ["a1"]}}), "claim_insufficient"),
        (json!({"act": "a1"}), "claim_insufficient"),
        (json!({"sub": "a1"}), "claim_insufficient"),
        (json!({"azp": "a1", "xms_act_fct": "11"}), "ok"),
        (json!({"appid": "a2", "xms_act_fct": "3 9 11"}), "ok"),
        (json!({"azp": "evil", "appid": "a1", "xms_act_fct": "11"}), "claim_insufficient"),
        (json!({"azp": "a1", "xms_act_fct": "3 9"}), "claim_insufficient"),
        (json!({"azp": "a1", "xms_act_fct": "111"}), "claim_insufficient"),
        (json!({"azp": "a1", "xms_sub_fct": "11"}), "claim_insufficient"),
        (json!({"azp": "a1", "xms_act_fct": 11}), "claim_insufficient"),
        (json!({"azp": "a1"}), "claim_insufficient"),
        // `act` decides where both are present, even if it is malformed.
        (json!({"act": {"sub": "evil"}, "azp": "a1", "xms_act_fct": "11"}), "claim_insufficient"),
        (json!({"act": null, "azp": "a1", "xms_act_fct": "11"}), "claim_insufficient"),
        (json!({}), "claim_insufficient"),
    ] {
        assert_eq!(reason(one(), claims.clone()), want, "{claims}");
    }
}

#[test]
fn groups_that_were_left_out_for_size_are_told_apart() {
    let one = || json!({"groups_any": ["g1"]});
    for (claims, want) in [
        (json!({"groups": ["g0", "g1"]}), "ok"),
        (json!({"groups": ["g0"]}), "claim_insufficient"),
        (json!({"groups": ["g1", 7]}), "claim_insufficient"),
        (json!({}), "claim_insufficient"),
        (json!({"_claim_names": {"groups": "src1"}}), "groups_overage"),
        (json!({"hasgroups": true}), "groups_overage"),
        (json!({"hasgroups": "true"}), "groups_overage"),
        (json!({"hasgroups": false}), "claim_insufficient"),
        (json!({"_claim_names": {"other": "src1"}}), "claim_insufficient"),
        (json!({"_claim_names": "groups"}), "claim_insufficient"),
    ] {
        assert_eq!(reason(one(), claims.clone()), want, "{claims}");
    }
    assert_eq!(
        reason(json!({"roles_any": ["r"]}), json!({"hasgroups": true})),
        "role_insufficient"
    );
}

#[test]
fn claims_are_tested_by_name_and_by_pointer() {
    let test = |test: Value| json!({"claims": [test]});
    let equals = |value: Value| test(json!({"claim": "c", "equals": value}));
    let any_of = |values: Value| test(json!({"claim": "c", "any_of": values}));
    let contains = |value: Value| test(json!({"claim": "c", "contains": value}));
    let exists = |wanted: bool| test(json!({"claim": "c", "exists": wanted}));
    let pointer = test(json!({"claim": "/a/b~1c/0", "equals": "x"}));
    let c = |value: Value| json!({"c": value});
    for (allow, claims, holds) in [
        (equals(json!("x")), c(json!("x")), true),
        (equals(json!("x")), c(json!("X")), false),
        (equals(json!("x")), c(json!(["x"])), false),
        (equals(json!("x")), c(json!("xy")), false),
        (equals(json!("1")), c(json!(1)), false),
        (equals(json!(1)), c(json!("1")), false),
        (equals(json!(1)), c(json!(1)), true),
        (equals(json!(1.0)), c(json!(1)), true),
        (equals(json!(1)), c(json!(1.0)), true),
        (equals(json!(1)), c(json!(1.5)), false),
        (equals(json!(true)), c(json!(true)), true),
        (equals(json!(true)), c(json!("true")), false),
        (equals(json!(true)), c(json!(1)), false),
        (equals(json!(9_007_199_254_740_993_u64)), c(json!(9_007_199_254_740_992_u64)), false),
        (equals(json!(false)), json!({}), false),
        (equals(json!("")), json!({}), false),
        (equals(json!("")), c(json!(null)), false),
        (any_of(json!(["x", 2])), c(json!("x")), true),
        (any_of(json!(["x", 2])), c(json!(2)), true),
        (any_of(json!(["x", 2])), c(json!(["y", "x"])), true),
        (any_of(json!(["x", 2])), c(json!(["y"])), false),
        (any_of(json!(["x", 2])), c(json!([["x"]])), false),
        (any_of(json!(["x", 2])), c(json!({"x": 1})), false),
        (any_of(json!(["x", 2])), json!({}), false),
        (contains(json!("x")), c(json!(["y", "x"])), true),
        (contains(json!("x")), c(json!("x")), false),
        (contains(json!("x")), c(json!("axb")), false),
        (contains(json!("x")), c(json!(["xy"])), false),
        (contains(json!("x")), json!({}), false),
        (exists(true), c(json!("")), true),
        (exists(true), c(json!(false)), true),
        (exists(true), c(json!(null)), false),
        (exists(true), json!({}), false),
        (exists(false), json!({}), true),
        (exists(false), c(json!(null)), true),
        (exists(false), c(json!(0)), false),
        (pointer.clone(), json!({"a": {"b/c": ["x"]}}), true),
        (pointer.clone(), json!({"a": {"b/c": ["y", "x"]}}), false),
        (pointer, json!({"/a/b~1c/0": "x"}), false),
        // GHSA-c5c4-8r6x-56w3: nothing is compared by its end.
        (equals(json!("a@corp.com")), c(json!("a@evil@corp.com")), false),
        (equals(json!("a@corp.com")), c(json!("a@corp\u{ff0e}com")), false),
    ] {
        let want = if holds { "ok" } else { "claim_insufficient" };
        assert_eq!(reason(allow.clone(), claims.clone()), want, "{allow} {claims}");
    }
}
