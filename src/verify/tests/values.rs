//! Claims as values: their text in tags, their part in an identity.

use super::*;
use crate::template::{ClaimRef, PartValue};

#[test]
fn a_good_token_becomes_claims_that_can_be_read() {
    let claims = with(
        good(),
        json!({"n": 1, "b": false, "roles": ["a", 2, true], "mixed": ["a", {}], "none": [],
               "realm_access": {"roles": ["x"], "a/b": "slash"}, "a.b": "dot"}),
    );
    let claims = one(provider(), claims).unwrap();
    assert_eq!((claims.provider(), claims.kid()), (0, None));
    assert_eq!(claims.expires(&provider()), Some(Moment::from_secs(NOW + 360)));
    let name = |name: &str| ClaimRef::Name(name.to_owned());
    let pointer = |tokens: &[&str]| {
        ClaimRef::Pointer(tokens.iter().map(|token| (*token).to_owned()).collect())
    };
    for (claim, text) in [
        (name("sub"), Some("s")),
        (name("n"), Some("1")),
        (name("b"), Some("false")),
        (name("roles"), Some("a,2,true")),
        (name("mixed"), None),
        (name("none"), Some("")),
        (name("realm_access"), None),
        (name("a.b"), Some("dot")),
        (name("absent"), None),
        (name("/sub"), None),
        (pointer(&["sub"]), Some("s")),
        (pointer(&["realm_access", "roles"]), Some("x")),
        (pointer(&["realm_access", "a/b"]), Some("slash")),
        (pointer(&["roles", "1"]), Some("2")),
        (pointer(&["roles", "01"]), None),
        (pointer(&["roles", "+1"]), None),
        (pointer(&["roles", "-"]), None),
        (pointer(&["roles", ""]), None),
        (pointer(&["roles", "9"]), None),
        (pointer(&["roles", "99999999999999999999999"]), None),
        (pointer(&["sub", "0"]), None),
        (pointer(&[]), None),
    ] {
        let found = claims.part(&claim).map(|part| match part {
            PartValue::Text(text) => text.into_owned(),
            PartValue::List(items) => items.join(","),
        });
        assert_eq!(found.as_deref(), text, "{claim:?}");
    }
    assert_eq!(format!("{claims:?}"), "Claims { provider: 0, .. }");
}

#[test]
fn the_subject_is_a_string_and_no_other_value_becomes_its_text() {
    for value in [json!(1), json!(true), json!(["s"]), json!({"s": 1}), json!([])] {
        let refused = one(provider(), with(good(), json!({"sub": value}))).unwrap_err();
        assert_eq!(refused, VerifyError::ClaimMalformed("sub"), "{value}");
    }
    for value in [json!("1"), json!(""), json!("true")] {
        assert!(one(provider(), with(good(), json!({"sub": value}))).is_ok(), "{value}");
    }
}

#[test]
fn numbers_that_are_read_as_one_have_no_value_and_an_identity_has_no_large_ones() {
    let part = |text: &str, of: fn(&Claims, &ClaimRef) -> bool| {
        let number: serde_json::Value = serde_json::from_str(text).unwrap();
        let claims = one(provider(), with(good(), json!({"n": number}))).unwrap();
        of(&claims, &ClaimRef::Name("n".into()))
    };
    for (number, in_tags, in_identities) in [
        ("0", true, true),
        ("-7", true, true),
        ("1.5", true, true),
        ("9007199254740992", true, true),
        ("9007199254740993", true, false),
        ("-9007199254740993", true, false),
        ("18446744073709551615", true, false),
        ("18446744073709551616", false, false),
        ("9007199254740991.0", true, true),
        ("9007199254740993.0", false, false), // Read as 2^53.
        ("1e300", false, false),
        ("-1e300", false, false),
    ] {
        let shown = part(number, |claims, claim| claims.part(claim).is_some());
        let identifies = part(number, |claims, claim| claims.identity_part(claim).is_some());
        assert_eq!((shown, identifies), (in_tags, in_identities), "{number}");
    }
    let claims = one(provider(), with(good(), json!({"n": [1], "b": true, "o": {}}))).unwrap();
    for (name, identifies) in [("n", false), ("b", true), ("o", false), ("absent", false)] {
        let claim = ClaimRef::Name(name.into());
        assert_eq!(claims.identity_part(&claim).is_some(), identifies, "{name}");
    }
}
