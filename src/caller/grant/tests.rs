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

#[test]
fn any_entry_admits_and_inside_an_entry_all_fields_hold() {
    let allow = || {
        json!([
            {"roles_any": ["R"], "scopes_all": ["s1", "s2"]},
            {"clients": ["c"], "claims": [{"claim": "x", "exists": true}]},
        ])
    };
    for (claims, want, scope) in [
        (json!({"roles": ["R"], "scp": "s2 s1"}), "ok", None),
        (json!({"azp": "c", "x": 1}), "ok", None),
        // The entry with the fewest unmet fields is reported, the earliest of equals.
        (json!({}), "role_insufficient", Some("s1 s2")),
        (json!({"scp": "s1 s2"}), "role_insufficient", Some("s1 s2")),
        (json!({"roles": ["R"], "scp": "s1"}), "scope_insufficient", Some("s1 s2")),
        (json!({"roles": ["R"], "azp": "c"}), "scope_insufficient", Some("s1 s2")),
        (json!({"azp": "c"}), "claim_insufficient", None),
        (json!({"x": 1}), "client_not_allowed", None),
    ] {
        let got = verdict(allow(), claims.clone());
        assert_eq!((got.0, got.1.as_deref()), (want, scope), "{claims}");
    }
    let scopes = json!([{"scopes_any": ["a", "b"], "scopes_all": ["c"]}]);
    assert_eq!(verdict(scopes, json!({})).1.as_deref(), Some("c a b"));
}

#[test]
fn one_of_a_thousand_entries_is_tried_alone() {
    let test = |test: Value| json!({"roles_any": ["R"], "claims": [test]});
    for each in [
        &(|n| json!({"roles_any": [format!("n{n}")]})) as &dyn Fn(usize) -> Value,
        &|n| json!({"roles_any": ["R"], "groups_any": [format!("n{n}"), format!("m{n}")]}),
        &|n| json!({"scopes_all": [format!("n{n}")]}),
        &|n| json!({"roles_any": ["R"], "clients": [format!("n{n}")]}),
        &|n| json!({"actors_any": [format!("n{n}")]}),
        &|n| test(json!({"claim": "/x/y", "equals": format!("n{n}")})),
        &|n| test(json!({"claim": "groups", "contains": format!("n{n}")})),
    ] {
        let allow = (0..1000).map(each).collect();
        let entries = policy(&allow).rules[0].allow.clone().unwrap();
        let claims = json!({
            "roles": ["R", "n7"], "groups": ["other", "n7"], "scp": "s n7", "azp": "n7",
            "act": {"sub": "n7"}, "x": {"y": "n7"},
        });
        let claims = verified(claims);
        assert_eq!(entries.tried(&claims), 1, "{}", each(7));
        assert_eq!(entries.first_held(&claims, |_| true), Some(7));
    }
}

/// An entry of `allow` with a few of its fields, from few names, so that entries and claims meet.
fn entry() -> impl Strategy<Value = Value> {
    let name = || prop::sample::select(vec!["a", "b", "c", "d", "e", "f"]);
    let names = move || prop::option::weighted(0.25, prop::collection::vec(name(), 1..3));
    let test = (
        prop::sample::select(vec!["x", "y", "/z/w"]),
        prop::sample::select(vec!["equals", "contains", "any_of", "exists", "number"]),
        prop::collection::vec(name(), 1..3),
    );
    let test = test.prop_map(|(claim, kind, names)| match kind {
        "any_of" => json!({"claim": claim, "any_of": names}),
        "number" => json!({"claim": claim, "any_of": [1, "a"]}),
        "exists" => json!({"claim": claim, "exists": true}),
        kind => json!({"claim": claim, kind: names[0]}),
    });
    let lists = prop::array::uniform7(names());
    (lists, prop::collection::vec(test, 0..2)).prop_map(|(lists, tests)| {
        let fields = [
            "roles_any",
            "roles_all",
            "scopes_any",
            "scopes_all",
            "groups_any",
            "clients",
            "actors_any",
        ];
        let mut entry = json!({});
        for (field, list) in fields.iter().zip(lists) {
            if let Some(list) = list {
                entry[field] = json!(list);
            }
        }
        if !tests.is_empty() || entry == json!({}) {
            entry["claims"] = json!(tests);
        }
        if entry["claims"] == json!([]) {
            entry["claims"] = json!([{"claim": "x", "exists": true}]);
        }
        entry
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn many_entries_are_judged_as_each_alone(
        entries in prop::collection::vec(entry(), 1..24),
        given in prop::collection::vec((0..=255_u8, "[a-f]", "[a-f]"), 40),
    ) {
        let entries = policy(&json!(entries)).rules[0].allow.clone().unwrap();
        for (which, one, two) in given {
            let mut claims = json!({"iss": "https://issuer.test"});
            let members = [
                ("roles", json!([one, two])), ("scp", json!(format!("{one} {two}"))),
                ("groups", json!([two, one])), ("azp", json!(one)), ("act", json!({"sub": two})),
                ("x", json!(one)), ("y", json!([one, two])), ("z", json!({"w": two})),
            ];
            for (at, (name, value)) in members.into_iter().enumerate() {
                if which >> at & 1 == 1 {
                    claims[name] = value;
                }
            }
            let claims = verified(claims);
            prop_assert_eq!(entries.judge(&claims), walked(&entries, &claims));
        }
    }
}
