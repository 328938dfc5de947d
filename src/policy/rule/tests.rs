use super::*;
use crate::policy::choice::{Choice, choose};
use crate::policy::rules::Rules;
use crate::request::matcher::tests::{methods, request};

/// A rule for these requests, by `auth`; the name is what a test asks for.
pub(crate) fn rule(name: &str, matcher: Matcher, auth: Auth) -> Rule {
    Rule {
        name: name.into(),
        matcher,
        auth,
        providers: None,
        position: 0,
        provider_class: 0,
        traits: Traits::default(),
        limits: Vec::new(),
        cost: Cost::Fixed(1),
        concurrency: None,
        payload: None,
        allow: None,
        upstream_authorization: None,
        body: None,
        dry_run: false,
    }
}

#[test]
fn only_a_request_with_a_host_and_a_path_gets_by_without_a_token() {
    for (host, path, whole) in [
        (Some("h"), Some("/"), true),
        (Some("h"), Some("*"), false),
        (Some("h"), Some(""), false),
        (Some("h"), None, false),
        (None, Some("/"), false),
        (None, None, false),
    ] {
        for (auth, want) in [(Auth::Required, true), (Auth::Optional, whole), (Auth::None, whole)] {
            let rules = Rules::new(vec![rule("all", Matcher::default(), auth)]);
            let got = matches!(choose(&rules, &request(host, path, "GET"), true), Choice::One(_));
            assert_eq!(got, want, "{host:?} {path:?} {auth:?}");
        }
    }
}

#[test]
fn trace_and_track_must_be_named_by_a_rule_that_lends_no_key() {
    let key = || Some(lent("k"));
    let any = rule("any", Matcher::default(), Auth::Required);
    let named = rule("named", methods(&["TRACE"]), Auth::Required);
    let lends = Rule { upstream_authorization: key(), ..named.clone() };
    for method in ["TRACE", "TRACK", "trace", "Track"] {
        assert!(!any.admits_method(method.as_bytes()), "{method}");
        assert!(!lends.admits_method(method.as_bytes()), "{method}");
        assert_eq!(named.admits_method(method.as_bytes()), method == "TRACE");
    }
    for method in ["GET", "DELETE", "TRACES", "CONNECT", ""] {
        for rule in [&any, &named, &lends] {
            assert!(rule.admits_method(method.as_bytes()), "{method}");
        }
    }
}

#[test]
fn the_secret_of_a_header_is_for_the_header_alone() {
    let secret = HeaderSecret::new("Bearer hush".into());
    assert_eq!(secret.expose(), "Bearer hush");
    assert_eq!(format!("{secret:?}"), "HeaderSecret");
}

/// A key in `authorization`.
pub(in crate::policy) fn lent(value: &str) -> LentKey {
    LentKey { header: "authorization".into(), value: HeaderSecret::new(value.into()) }
}
