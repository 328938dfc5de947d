//! Several entries of `allow`.

use super::*;

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
