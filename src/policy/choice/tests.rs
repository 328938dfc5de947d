mod methods;
mod readings;

use std::time::Duration;

use super::*;
use crate::caller::grant::{Demand, Grant};
use crate::limit::plan::Limit;
use crate::limit::quota::Quota;
use crate::policy::rule::Auth;
use crate::policy::rule::tests::lent;
use crate::policy::rule::tests::rule;
use crate::request::headers::Headers;
use crate::request::matcher::Matcher;
use crate::request::matcher::index::tests as index;
use crate::request::matcher::tests::{headers, hosts, methods, paths, request};
use crate::template::Template;

/// The name of the rule that a request falls under, or the word for why it falls under none.
fn choice<'r>(rules: &'r [Rule], request: &RequestLine<'_>, strict: bool) -> &'r str {
    match choose(&Rules::new(rules.to_vec()), request, strict) {
        Choice::None => "none",
        Choice::One(rule) => &rules.iter().find(|other| other.name == rule.name).unwrap().name,
        Choice::Ambiguous(Ambiguity::Host) => "host",
        Choice::Ambiguous(Ambiguity::Path) => "path",
        Choice::Ambiguous(Ambiguity::Method) => "method",
        Choice::Ambiguous(Ambiguity::Header) => "header",
    }
}

fn for_host<'r>(rules: &'r [Rule], host: &str) -> &'r str {
    choice(rules, &request(Some(host), Some("/"), "GET"), true)
}

fn for_path<'r>(rules: &'r [Rule], path: &str, strict: bool) -> &'r str {
    choice(rules, &request(Some("h"), Some(path), "GET"), strict)
}

fn limit(name: &str) -> Rc<Limit> {
    Rc::new(Limit {
        name: name.into(),
        position: 0,
        key: Template::parse("{@identity}").unwrap(),
        quota: Quota::new(1, Duration::from_secs(1), 1).unwrap(),
        item: String::new(),
        tiers: Vec::new().into(),
        rate_claim: None,
        response_cost: None,
        reserve: None,
        price: None,
        dry_run: false,
    })
}

/// The rule asks for one of these roles.
fn with_role(rule: Rule, role: &str) -> Rule {
    let roles = Demand { any: Some(vec![role.to_owned()].into()), all: None };
    Rule { allow: Some(vec![Grant { roles, ..Grant::default() }].into()), ..rule }
}

#[test]
fn an_authority_with_a_port_or_dot_opens_no_rule_that_the_whole_of_it_would_not() {
    for auth in [Auth::None, Auth::Optional] {
        let rules = [
            rule("open", hosts(&["public.example.com"]), auth),
            rule("below", hosts(&["*.open.example.com"]), auth),
            rule("api", Matcher::default(), Auth::Required),
        ];
        for (host, want) in [
            ("public.example.com", "open"),
            ("PUBLIC.example.com", "open"),
            ("public.example.com:1", "host"),
            ("public.example.com:443", "host"),
            ("public.example.com:", "host"),
            ("public.example.com.", "host"),
            ("public.example.com.:80", "host"),
            ("x.open.example.com", "below"),
            ("x.open.example.com:80", "host"),
            ("other:80", "api"),
        ] {
            assert_eq!(for_host(&rules, host), want, "{host}");
        }
        let alone = &rules[..2];
        assert_eq!(for_host(alone, "public.example.com"), "open");
        assert_eq!(for_host(alone, "public.example.com:1"), "host");
        assert_eq!(for_host(alone, "x.open.example.com."), "host");
        assert_eq!(for_host(alone, "other:1"), "none");
        // Two open rules differ, too: their limits may.
        let two = [rules[0].clone(), rule("rest", Matcher::default(), auth)];
        assert_eq!(for_host(&two, "public.example.com:1"), "host");
        // A rule for any host is the same in both readings.
        assert_eq!(for_host(&two[1..], "public.example.com:1"), "rest");
    }
}

#[test]
fn of_two_rules_that_a_port_decides_the_one_that_asks_for_all_of_the_other_applies_or_none() {
    let named = || rule("named", hosts(&["a"]), Auth::Required);
    let rest = || rule("rest", Matcher::default(), Auth::Required);
    let key = |value: &str| Some(lent(value));
    let known = [limit("a"), limit("b")];
    let limited = |rule: Rule, limits: &[usize]| {
        let limits = limits.iter().map(|index| Rc::clone(&known[*index])).collect();
        Rule { limits, ..rule }
    };
    for (named, rest, want) in [
        (named(), rest(), "named"),
        (with_role(named(), "Admin"), rest(), "named"),
        (named(), with_role(rest(), "Admin"), "rest"),
        (with_role(named(), "Admin"), with_role(rest(), "Admin"), "named"),
        (with_role(named(), "Admin"), with_role(rest(), "Reader"), "host"),
        (limited(named(), &[0]), rest(), "named"),
        (named(), limited(rest(), &[0]), "rest"),
        (limited(named(), &[0]), limited(rest(), &[1]), "host"),
        (limited(named(), &[0, 1]), limited(rest(), &[1]), "named"),
        (Rule { providers: Some(vec![0]), ..named() }, rest(), "named"),
        (Rule { providers: Some(vec![0]), ..named() }, with_role(rest(), "Admin"), "host"),
        (
            Rule { concurrency: Some(2), ..named() },
            Rule { concurrency: Some(8), ..rest() },
            "named",
        ),
        (Rule { concurrency: Some(8), ..named() }, Rule { concurrency: Some(2), ..rest() }, "rest"),
        (Rule { upstream_authorization: key("k"), ..named() }, rest(), "rest"),
        (Rule { upstream_authorization: key("k"), ..with_role(named(), "Admin") }, rest(), "host"),
        (Rule { upstream_authorization: key("k"), ..named() }, with_role(rest(), "A"), "rest"),
        (
            Rule { upstream_authorization: key("k"), ..named() },
            Rule { upstream_authorization: key("l"), ..rest() },
            "host",
        ),
        (Rule { dry_run: true, ..named() }, rest(), "host"),
        (Rule { dry_run: true, ..named() }, Rule { dry_run: true, ..rest() }, "host"),
    ] {
        let rules = [named, rest];
        assert_eq!(for_host(&rules, "a:8443"), want, "{rules:?}");
        assert_eq!(for_host(&rules, "a"), "named");
        assert_eq!(for_host(&rules, "b:8443"), "rest");
    }
    assert_eq!(for_host(&[named()], "a:8443"), "named");
    assert_eq!(for_host(&[Rule { dry_run: true, ..named() }], "a:8443"), "host");
    // Where Envoy leads the whole authority elsewhere, no key may go along.
    let lends = Rule { upstream_authorization: key("k"), ..named() };
    assert_eq!(for_host(std::slice::from_ref(&lends), "a:8443"), "host");
    assert_eq!(for_host(&[lends], "a"), "named");
}

#[test]
fn with_parameters_in_its_path_a_request_falls_under_the_rule_that_asks_for_more() {
    let rules = [
        rule("open", paths(&["/open/**", "/a;x"]), Auth::None),
        rule("maybe", paths(&["/maybe"]), Auth::Optional),
        rule("closed", paths(&["/closed", "/b;x"]), Auth::Required),
    ];
    for (path, lenient, strict) in [
        ("/open/a", "open", "open"),
        ("/open/a;x", "open", "open"),
        ("/open;x/a", "path", "path"),
        ("/maybe", "maybe", "maybe"),
        ("/maybe;x", "path", "path"),
        ("/closed", "closed", "closed"),
        ("/closed;x=1", "closed", "path"),
        ("/closed%3bx", "closed", "path"),
        // Envoy can be told to compare what stands before the first parameter alone.
        ("/closed;x/more", "closed", "path"),
        ("/a;x", "path", "path"),
        ("/b;x", "closed", "path"),
        ("/c;x", "none", "none"),
        ("/c", "none", "none"),
    ] {
        assert_eq!(for_path(&rules, path, false), lenient, "{path}");
        assert_eq!(for_path(&rules, path, true), strict, "{path}");
    }
}

#[test]
fn a_character_that_is_encoded_without_need_opens_no_rule_that_it_would_not_open_as_it_is() {
    let rules = [
        rule("open", paths(&["/public/**", "/a b", "/m/*:get", "/caf\u{e9}"]), Auth::None),
        rule("secret", paths(&["/secret"]), Auth::Required),
        rule("rest", paths(&["/**"]), Auth::Optional),
    ];
    for (path, want) in [
        ("/public/x", "open"),
        ("/public/%78", "open"),
        ("/public/a%20b", "open"),
        ("/%70ublic/x", "path"),
        ("/a%20b", "open"),
        ("/m/%78:get", "open"),
        ("/m/x%3Aget", "path"),
        ("/caf%C3%A9", "open"),
        ("/caf%c3%a9", "path"),
        ("/%73ecret", "secret"),
        ("/other%20x", "rest"),
    ] {
        assert_eq!(for_path(&rules, path, true), want, "{path}");
    }
    // One that closes does so in either reading, whatever stands behind it.
    let two = [rules[0].clone(), rule("rest", Matcher::default(), Auth::Required)];
    assert_eq!(for_path(&two, "/%70ublic/x", true), "rest");
}

#[test]
fn an_encoded_slash_passes_by_the_rule_that_admits_it_unless_another_names_the_path() {
    let admits = |matcher| Matcher { encoded_slash: Some(true), ..matcher };
    let rules = [
        rule("models", admits(paths(&["/models/*:predict"])), Auth::None),
        rule("private", paths(&["/models/private/**"]), Auth::Required),
        rule("refuses", paths(&["/closed/*"]), Auth::Required),
        rule("rest", paths(&["/**"]), Auth::Required),
    ];
    for (path, want) in [
        ("/models/m:predict", "models"),
        ("/models/org%2Fm:predict", "models"),
        ("/models/org%2fm%2F7:predict", "models"),
        ("/models/private%2Fm:predict", "path"),
        ("/models/x;y%2Fm:predict", "path"),
        ("/closed/a%2Fb", "path"),
        ("/other%2Fx", "path"),
    ] {
        assert_eq!(for_path(&rules, path, true), want, "{path}");
    }
    assert_eq!(for_path(&rules, "/closed/a%2Fb", false), "refuses");
    let mut refuses = rules.clone();
    refuses[2].matcher.encoded_slash = Some(false);
    assert_eq!(for_path(&refuses, "/closed/a%2Fb", false), "path");
    // Without a rule it is as ambiguous as before.
    assert_eq!(for_path(&rules[2..3], "/x%2Fy", true), "path");
    assert_eq!(for_path(&rules[2..3], "/x%2Fy", false), "none");
}
