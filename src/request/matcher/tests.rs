//! Which requests a matcher fits.

use std::sync::LazyLock;

use super::*;
use crate::request::headers::Headers;
use crate::request::host::Authority;
use crate::request::line::RequestLine;
use crate::request::path_pattern::PathPatternError;

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
fn paths_match_exactly_by_segment_and_by_rest() {
    for (pattern, path, want) in [
        ("/score", "/score", true),
        ("/score", "/score/", false),
        ("/score", "/Score", false),
        ("/score", "/score/x", false),
        ("/score", "/%73core", true),
        ("/score", "/%53core", false),
        ("/a b", "/a%20b", true),
        ("/a%20b", "/a b", true),
        ("/a%2Fb", "/a%2fb", true),
        ("/a/b", "/a%2Fb", false),
        ("/*", "/a%2Fb", true),
        ("/100%", "/100%", true),
        ("/", "/", true),
        ("/", "", false),
        ("/", "//", false),
        ("/*", "/", false),
        ("/*", "/a", true),
        ("/*", "/a/", false),
        ("/api/*/score", "/api/x/score", true),
        ("/api/*/score", "/api//score", false),
        ("/api/*/score", "/api/x/y/score", false),
        ("/v1/**", "/v1", true),
        ("/v1/**", "/v1/", true),
        ("/v1/**", "/v1/a/b", true),
        ("/v1/**", "/v11", false),
        ("/v1/**", "/", false),
        ("/v1/*/**", "/v1/", false),
        ("/v1/*/**", "/v1/a", true),
        ("/**", "/", true),
        ("/**", "/a/b", true),
        ("/**", "*", false),
        ("/**", "http://host/", false),
        ("/models/*:predict", "/models/m:predict", true),
        ("/models/*:predict", "/models/m%3Apredict", true),
        ("/models/*:predict", "/models/a:b:predict", true),
        ("/models/*:predict", "/models/a%2Fb:predict", true),
        ("/models/*:predict", "/models/:predict", false),
        ("/models/*:predict", "/models/predict", false),
        ("/models/*:predict", "/models/m:predict/", false),
        ("/models/*:predict", "/models/a/b:predict", false),
        ("/models/*:predict", "/models/m:train", false),
        ("/v*", "/v1", true),
        ("/v*", "/v", false),
        ("/*.json", "/%61.jso%6e", true),
        ("/*.json", "/.json", false),
        ("/a*a", "/a", false),
        ("/a*a", "/aa", false),
        ("/a*a", "/aaa", true),
        ("/v1/*:x/**", "/v1/m:x/y/z", true),
    ] {
        let got = paths(&[pattern]).matches(&line(None, Some(path), "GET"));
        assert_eq!(got, want, "{pattern} {path}");
    }
}

#[test]
fn a_text_that_is_no_path_pattern_is_refused() {
    for (text, want) in [
        ("score", PathPatternError::NoLeadingSlash),
        ("", PathPatternError::NoLeadingSlash),
        ("*", PathPatternError::NoLeadingSlash),
        ("/a?b", PathPatternError::Query),
        ("/a#b", PathPatternError::Query),
        ("/a**", PathPatternError::SeveralWildcards),
        ("/***", PathPatternError::SeveralWildcards),
        ("/*a*", PathPatternError::SeveralWildcards),
        ("/**a", PathPatternError::SeveralWildcards),
        ("/a/**/b", PathPatternError::RestNotLast),
        ("/{a}{b}", PathPatternError::SeveralWildcards),
        ("/{a}*", PathPatternError::SeveralWildcards),
        ("/*{a}", PathPatternError::SeveralWildcards),
        ("/{a", PathPatternError::Brace),
        ("/a}", PathPatternError::Brace),
        ("/{a}}", PathPatternError::Brace),
        ("/{}", PathPatternError::SegmentName),
        ("/{a b}", PathPatternError::SegmentName),
        ("/{{a}}", PathPatternError::SegmentName),
        ("/{a}/{a}", PathPatternError::SameName),
    ] {
        assert_eq!(PathPattern::parse(text), Err(want), "{text}");
    }
}

#[test]
fn a_named_segment_is_a_wildcard_whose_text_has_one_spelling() {
    let api: &[&str] = &["/v1/models/{model}:predict", "/api/{endpoint}/score", "/{model}/**"];
    for (patterns, path, name, want) in [
        (api, "/api/a/score", "endpoint", Some("a")),
        (api, "/api/a/score", "model", Some("api")),
        (api, "/api/a/scores", "endpoint", None),
        (api, "/v1/models/m:predict", "model", Some("m")),
        (api, "/v1/models/:predict", "model", Some("v1")),
        (api, "/v1/models/m%3Apredict", "model", Some("m")),
        (api, "/v1/models/m", "model", Some("v1")),
        (api, "/api/%61/score", "endpoint", Some("a")),
        (api, "/api/A/score", "endpoint", Some("A")),
        (api, "/api/a%2fb/score", "endpoint", Some("a%2Fb")),
        (api, "/api/a%252Fb/score", "endpoint", Some("a%252Fb")),
        (api, "/api/a%20%c3%a4/score", "endpoint", Some("a%20%C3%A4")),
        (api, "/api/a/score", "other", None),
        (&["/api/{endpoint}/score/"], "/api/a/score/", "endpoint", Some("a")),
    ] {
        let matcher = paths(patterns);
        assert_eq!(matcher.segment(name, path.as_bytes()).as_deref(), want, "{path} {name}");
    }
    let folded = Matcher { ignore_case: true, ignore_trailing_slash: true, ..paths(api) };
    for path in ["/API/a%2fB/Score", "/api/A%2Fb/score/", "/api/%41%2fb/score"] {
        assert_eq!(folded.segment("endpoint", path.as_bytes()).as_deref(), Some("a%2Fb"), "{path}");
    }
}

#[test]
fn a_named_segment_that_some_servers_end_earlier_is_ambiguous() {
    let matcher = paths(&["/api/{endpoint}/score", "/other/*"]);
    for (path, want) in [
        ("/api/a/score", false),
        ("/api/a%20b/score", false),
        ("/api/a;v=1/score", true),
        ("/api/a%3bv/score", true),
        ("/api/a%3Fv/score", true),
        ("/api/a%23/score", true),
        ("/other/a;v=1", false),
        ("/api/a/score;x", false),
    ] {
        assert_eq!(matcher.has_ambiguous_segment(path.as_bytes()), want, "{path}");
    }
}

#[test]
fn letter_case_and_a_final_slash_are_ignored_where_the_rule_says_so() {
    for (pattern, path, case, slash) in [
        ("/secret", "/secret", true, true),
        ("/secret", "/SECRET", true, false),
        ("/secret", "/S%65cret", true, false),
        ("/Secret", "/%53ECRET", true, false),
        ("/secret", "/secret/", false, true),
        ("/secret/", "/secret", false, true),
        ("/secret/", "/secret/", true, true),
        ("/secret", "/secret//", false, false),
        ("/", "/", true, true),
        ("/", "", false, false),
        ("/*", "/", false, false),
        ("/*/score", "/x/score/", false, true),
        ("/models/*:Predict", "/MODELS/m:predict", true, false),
        ("/models/*:predict", "/models/m:predict/", false, true),
        ("/a/**", "/A/B", true, false),
        ("/caf%C3%A9", "/CAF%c3%a9", true, false),
    ] {
        for (ignore_case, ignore_trailing_slash, want) in
            [(true, false, case), (false, true, slash), (true, true, case || slash)]
        {
            let matcher = Matcher { ignore_case, ignore_trailing_slash, ..paths(&[pattern]) };
            let got = matcher.matches(&line(None, Some(path), "GET"));
            assert_eq!(got, want, "{pattern} {path} {ignore_case} {ignore_trailing_slash}");
        }
    }
    let both = Matcher { ignore_case: true, ignore_trailing_slash: true, ..paths(&["/secret"]) };
    assert!(both.matches(&line(None, Some("/SECRET/"), "GET")));
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
