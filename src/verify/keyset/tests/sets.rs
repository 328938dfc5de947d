//! Whole sets.

use super::*;

#[test]
fn secrets_are_taken_from_the_operators_own_sets_alone() {
    let set = json!({"keys": [oct(64), rsa()]}).to_string();
    let (keys, skipped) = KeySet::parse(set.as_bytes(), SecretKeys::Refuse).unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!(skipped, [SkippedKey { index: 0, why: KeyError::SecretRefused }]);
}

#[test]
fn bad_keys_are_skipped_and_the_rest_is_used() {
    let x5c_only = json!({"kty": "RSA", "kid": "x", "x5c": ["MII"]});
    let (keys, skipped) = parse(&[x5c_only, rsa(), json!([]), p256()]).unwrap();
    assert_eq!(keys.len(), 2);
    assert_eq!(skipped[0], SkippedKey { index: 0, why: KeyError::MemberMissing("n") });
    assert_eq!(skipped[0].to_string(), "keys[0]: n is absent");
    assert_eq!(skipped[1], SkippedKey { index: 2, why: KeyError::NotAnObject });
}

#[test]
fn a_set_that_is_none_is_an_error() {
    let parse = |text: &str| KeySet::parse(text.as_bytes(), SecretKeys::Admit).map(|_| ());
    let none = || Err(KeySetError::NoUsableKey(vec![]));
    assert_eq!(parse(r#"{"keys":[]}"#), none());
    assert_eq!(parse(&json!({"keys": [p521()]}).to_string()), Ok(()));
    use KeySetError::{Certificates, Discovery, NoKeys, OneKey, Unreadable};
    use json::Unreadable::{ByteOrderMark, Gzip, Markup, NotAnObject};
    for (text, why) in [
        ("", Unreadable(NotAnObject)),
        ("[]", Unreadable(NotAnObject)),
        (r#"{"keys":[],"keys":[]}"#, Unreadable(NotAnObject)),
        (r#"{"keys":[],"\u006beys":[]}"#, Unreadable(NotAnObject)),
        (r#"{"a":1,"keys":[],"a":1}"#, Unreadable(NotAnObject)),
        (r#"{"a":{"b":1,"b":2},"keys":[]}"#, Unreadable(NotAnObject)),
        (r#"{"a":1e400,"keys":[]}"#, Unreadable(NotAnObject)),
        ("\u{feff}{}", Unreadable(ByteOrderMark)),
        ("\u{1f}\u{0}", Unreadable(NotAnObject)),
        ("<html>", Unreadable(Markup)),
        ("{}", NoKeys),
        (r#"{"keys":{}}"#, NoKeys),
        (r#"{"keys":null}"#, NoKeys),
        (r#"{"keys":"[]"}"#, NoKeys),
        (r#"{"kty":"RSA","keys":1}"#, NoKeys),
        (r#"{"kty":"RSA"}"#, OneKey),
        (r#"{"jwks_uri":"https://i/keys"}"#, Discovery),
        (r#"{"a":"-----BEGIN CERTIFICATE-----\n","b":"-----BEGIN CERT"}"#, Certificates),
        (r#"{"a":"-----BEGIN CERTIFICATE-----\n","b":"no"}"#, NoKeys),
    ] {
        assert_eq!(parse(text), Err(why), "{text}");
    }
    let gzip = KeySet::parse(b"\x1f\x8b\x08", SecretKeys::Admit).map(|_| ());
    assert_eq!(gzip, Err(Unreadable(Gzip)));
    let many = json!({"keys": vec![json!({}); MAX_KEYS + 1]}).to_string();
    assert_eq!(parse(&many), Err(KeySetError::TooManyKeys));
    assert_eq!(parse(&" ".repeat(MAX_BYTES + 1)), Err(KeySetError::TooLarge));
    let most = json!({"keys": vec![p256(); MAX_KEYS]}).to_string();
    let padding = " ".repeat(MAX_BYTES - most.len());
    assert_eq!(parse(&(most + &padding)), Ok(()));
    let bad = parse(&json!({"keys": vec![json!({"kty": "RSA"}); 20]}).to_string()).unwrap_err();
    assert_eq!(bad.to_string().matches("n is absent").count(), 8);
}

#[test]
fn nothing_of_a_key_is_printed() {
    let (keys, _) = parse(&[oct(64), rsa()]).unwrap();
    let printed = format!("{keys:?}");
    assert!(!printed.contains("BwcH") && !printed.contains("7, 7"), "{printed}");
    assert!(!printed.contains("ofgW") && printed.len() < 200, "{printed}");
    assert!(printed.contains("family: Secret") && !keys.is_empty(), "{printed}");
}
