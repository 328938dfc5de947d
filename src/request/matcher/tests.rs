//! Which requests a matcher fits; `path_patterns` has the paths.

mod path_patterns;

use std::sync::LazyLock;

use super::*;
use crate::request::headers::Headers;
use crate::request::host::Authority;
use crate::request::line::RequestLine;

/// No headers, for requests that outlive a test's own values.
static NONE: LazyLock<Headers> = LazyLock::new(Headers::default);

/// A request for which every server reads the same.
fn line<'a>(host: Option<&'a str>, path: Option<&'a str>, method: &'a str) -> Reading<'a> {
    request(host, path, method).reading()
}

/// `host` is an authority, or nothing.
pub(crate) fn request<'a>(
    host: Option<&'a str>,
    path: Option<&'a str>,
    method: &'a str,
) -> RequestLine<'a> {
    RequestLine {
        authority: host.map(|host| Authority::parse(host.as_bytes()).unwrap()),
        path: path.map(str::as_bytes),
        method: method.as_bytes(),
        headers: &NONE,
    }
}

pub(crate) fn paths(patterns: &[&str]) -> Matcher {
    let paths = patterns.iter().map(|p| PathPattern::parse(p).unwrap()).collect();
    Matcher { paths: Some(paths), ..Matcher::default() }
}

pub(crate) fn hosts(patterns: &[&str]) -> Matcher {
    let host = |p: &&str| match p.strip_prefix('*') {
        Some(suffix) => HostPattern::Suffix(suffix.into()),
        None => HostPattern::Exact((*p).into()),
    };
    Matcher { hosts: Some(patterns.iter().map(host).collect()), ..Matcher::default() }
}

pub(crate) fn headers(name: &str, value: Option<&str>) -> Matcher {
    let pattern = HeaderPattern { name: name.into(), value: value.map(str::to_owned) };
    Matcher { headers: vec![pattern], ..Matcher::default() }
}

pub(crate) fn methods(names: &[&str]) -> Matcher {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    Matcher { methods: Some(names), ..Matcher::default() }
}

#[test]
fn hosts_match_without_port_trailing_dot_and_case() {
    for (pattern, host, want) in [
        ("ml.example.com", "ml.example.com", true),
        ("ml.example.com", "ML.Example.com:8443", true),
        ("ml.example.com", "ml.example.com.", true),
        ("ml.example.com", "ml.example.com.:80", true),
        ("ml.example.com", "xml.example.com", false),
        ("ml.example.com", "mlxexample.com", false),
        ("*.ml.example.com", "a.ml.example.com", true),
        ("*.ml.example.com", "a.b.ML.example.com:1", true),
        ("*.ml.example.com", "ml.example.com", false),
        ("*.ml.example.com", "xml.example.com", false),
        ("*.ml.example.com", "a~b.ml.example.com", true),
        ("*.ml.example.com", "!$&'()*+;=.ml.example.com", true),
        ("[::1]", "[::1]:8080", true),
        ("[::1]", "[::1]", true),
        ("10.0.0.1", "10.0.0.1:80", true),
    ] {
        let got = hosts(&[pattern]).matches(&line(Some(host), None, "GET"));
        assert_eq!(got, want, "{pattern} {host}");
    }
}

#[test]
fn a_header_that_comes_twice_or_in_another_spelling_has_more_than_one_reading() {
    type Case = (&'static [(&'static str, &'static str)], Option<&'static str>, Fit);
    let cases: [Case; 19] = [
        (&[("x-a", "1")], Some("1"), Fit::Surely),
        (&[("x-a", "1")], Some("2"), Fit::No),
        (&[("x-a", "1")], None, Fit::Surely),
        (&[("x-a", "1"), ("x-a", "1")], Some("1"), Fit::Perhaps),
        (&[("x-a", "2"), ("x-a", "1")], Some("1"), Fit::Perhaps),
        (&[("x-a", "2"), ("x-a", "3")], Some("1"), Fit::No),
        (&[("x-a", "1"), ("x-a", "2")], None, Fit::Surely),
        (&[("x-a", "2,1")], Some("1"), Fit::Perhaps),
        (&[("x-a", "2, 1 ")], Some("1"), Fit::Perhaps),
        (&[("x-a", "2,11")], Some("1"), Fit::No),
        (&[("x_a", "1")], Some("1"), Fit::Perhaps),
        (&[("x~a", "1")], None, Fit::Perhaps),
        (&[("x.a", "2")], Some("1"), Fit::No),
        (&[("x-a", "1"), ("x_a", "2")], Some("1"), Fit::Perhaps),
        (&[("x-a", "2"), ("x_a", "1")], Some("1"), Fit::Perhaps),
        (&[("x-a", "1"), ("x_a", "2")], None, Fit::Surely),
        (&[("xa", "1"), ("x-a-", "1")], Some("1"), Fit::No),
        (&[], Some("1"), Fit::No),
        (&[], None, Fit::No),
    ];
    for (given, value, want) in cases {
        let given = Headers::from_pairs(given);
        let request = Reading { headers: &given, ..line(None, None, "GET") };
        assert_eq!(headers("x-a", value).fit(&request), want, "{given:?} {value:?}");
    }
}

#[test]
fn a_request_without_a_part_matches_only_rules_that_do_not_ask_for_it() {
    let nothing = line(None, None, "CONNECT");
    assert!(Matcher::default().matches(&nothing));
    assert!(!paths(&["/**"]).matches(&nothing));
    assert!(!hosts(&["a"]).matches(&nothing));
    assert!(!hosts(&["*.a"]).matches(&nothing));
}

#[test]
fn every_given_field_must_match() {
    let matcher = Matcher {
        methods: Some(vec!["GET".into(), "HEAD".into()]),
        ..paths(&["/", "/swagger.json"])
    };
    assert!(matcher.matches(&line(Some("h"), Some("/"), "HEAD")));
    assert!(!matcher.matches(&line(Some("h"), Some("/"), "get")));
    assert!(!matcher.matches(&line(Some("h"), Some("/x"), "GET")));
}

#[test]
fn covers_is_never_claimed_without_reason() {
    let all = Matcher::default();
    let folded = |ignore_case, ignore_trailing_slash| Matcher {
        ignore_case,
        ignore_trailing_slash,
        ..paths(&["/a"])
    };
    for (wide, narrow, want) in [
        (all.clone(), paths(&["/a"]), true),
        (paths(&["/a"]), all.clone(), false),
        (paths(&["/**"]), all.clone(), false),
        (paths(&["/**"]), paths(&["/", "/a/*"]), true),
        (paths(&["/v1/**"]), paths(&["/v1", "/v1/x/**"]), true),
        (paths(&["/v1/**"]), paths(&["/v2"]), false),
        (paths(&["/*"]), paths(&["/"]), false),
        (paths(&["/*"]), paths(&["/a"]), true),
        (paths(&["/a"]), paths(&["/*"]), false),
        (paths(&["/a"]), paths(&["/a/**"]), false),
        (paths(&["/*"]), paths(&["/a*b"]), true),
        (paths(&["/a*"]), paths(&["/ab*c", "/ax"]), true),
        (paths(&["/a*c"]), paths(&["/a*"]), false),
        (paths(&["/a*"]), paths(&["/*"]), false),
        (paths(&["/abc"]), paths(&["/a*c"]), false),
        (folded(true, false), paths(&["/a"]), true),
        (paths(&["/a"]), folded(true, false), false),
        (paths(&["/a"]), folded(false, true), false),
        (folded(true, true), folded(true, false), true),
        (all.clone(), folded(true, true), true),
        (hosts(&["*.a.b"]), hosts(&["x.a.b", "*.y.a.b"]), true),
        (hosts(&["*.a.b"]), hosts(&["a.b"]), false),
        (headers("x", None), headers("x", Some("1")), true),
        (headers("x", Some("1")), headers("x", None), false),
        (headers("x", Some("1")), all.clone(), false),
        (methods(&["GET", "POST"]), methods(&["POST"]), true),
        (methods(&["GET"]), methods(&["GET"]), true),
        (methods(&["GET"]), methods(&["POST"]), false),
        (methods(&["GET"]), methods(&["GET", "POST"]), false),
    ] {
        assert_eq!(wide.covers(&narrow), want, "{wide:?} {narrow:?}");
    }
}
