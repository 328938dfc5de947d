use super::*;

struct Headers(&'static [(&'static str, &'static str)]);

impl HeaderLookup for Headers {
    fn first(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_bytes())
    }
    fn count(&self, name: &str) -> usize {
        self.0.iter().filter(|(n, _)| *n == name).count()
    }
}

const NONE: Headers = Headers(&[]);

fn line<'a>(host: Option<&'a str>, path: Option<&'a str>, method: &'a str) -> RequestLine<'a> {
    RequestLine {
        host: host.map(str::as_bytes),
        path: path.map(str::as_bytes),
        method: method.as_bytes(),
        headers: &NONE,
    }
}

fn paths(patterns: &[&str]) -> Matcher {
    let paths = patterns.iter().map(|p| PathPattern::parse(p).unwrap()).collect();
    Matcher { paths: Some(paths), ..Matcher::default() }
}

fn hosts(patterns: &[&str]) -> Matcher {
    let host = |p: &&str| match p.strip_prefix('*') {
        Some(suffix) => HostPattern::Suffix(suffix.into()),
        None => HostPattern::Exact((*p).into()),
    };
    Matcher { hosts: Some(patterns.iter().map(host).collect()), ..Matcher::default() }
}

fn headers(name: &str, value: Option<&str>) -> Matcher {
    let pattern = HeaderPattern { name: name.into(), value: value.map(str::to_owned) };
    Matcher { headers: vec![pattern], ..Matcher::default() }
}

fn methods(names: &[&str]) -> Matcher {
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
        ("/a*", PathPatternError::PartialWildcard),
        ("/a**", PathPatternError::PartialWildcard),
        ("/***", PathPatternError::PartialWildcard),
        ("/a/**/b", PathPatternError::RestNotLast),
    ] {
        assert_eq!(PathPattern::parse(text), Err(want), "{text}");
    }
}

#[test]
fn hosts_match_without_port_trailing_dot_and_case() {
    for (pattern, host, want) in [
        ("ml.example.com", "ml.example.com", true),
        ("ml.example.com", "ML.Example.com:8443", true),
        ("ml.example.com", "ml.example.com.", true),
        ("ml.example.com", "ml.example.com.:80", true),
        ("ml.example.com", "ml.example.com..", false),
        ("ml.example.com", "ml.example.com:80:81", false),
        ("ml.example.com", "ml.example.com:x", false),
        ("ml.example.com", "user@ml.example.com", false),
        ("ml.example.com", "xml.example.com", false),
        ("ml.example.com", "mlxexample.com", false),
        ("ml.example.com", "", false),
        ("*.ml.example.com", "a.ml.example.com", true),
        ("*.ml.example.com", "a.b.ML.example.com:1", true),
        ("*.ml.example.com", "ml.example.com", false),
        ("*.ml.example.com", ".ml.example.com", false),
        ("*.ml.example.com", "xml.example.com", false),
        ("*.ml.example.com", "evil@a.ml.example.com", false),
        ("*.ml.example.com", "evil/a.ml.example.com", false),
        ("[::1]", "[::1]:8080", true),
        ("[::1]", "[::1]", true),
        ("[::1]", "[::1]x", false),
        ("[::1]", "[::1", false),
        ("10.0.0.1", "10.0.0.1:80", true),
    ] {
        let got = hosts(&[pattern]).matches(&line(Some(host), None, "GET"));
        assert_eq!(got, want, "{pattern} {host}");
    }
}

#[test]
fn a_repeated_header_never_equals_a_value() {
    static ONE: Headers = Headers(&[("x-a", "1")]);
    static TWO: Headers = Headers(&[("x-a", "1"), ("x-a", "1")]);
    for (given, value, want) in [
        (&ONE, Some("1"), true),
        (&ONE, Some("2"), false),
        (&ONE, None, true),
        (&TWO, Some("1"), false),
        (&TWO, None, true),
        (&NONE, Some("1"), false),
        (&NONE, None, false),
    ] {
        let request = RequestLine { headers: given, ..line(None, None, "GET") };
        assert_eq!(headers("x-a", value).matches(&request), want, "{:?} {value:?}", given.0);
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

/// A rule for these paths, by `auth`; the name is what a test asks for.
fn rule(name: &str, patterns: &[&str], auth: Auth) -> Rule {
    Rule {
        name: name.into(),
        matcher: paths(patterns),
        auth,
        providers: None,
        limits: Vec::new(),
        cost: Cost::Fixed(1),
        concurrency: None,
        payload: None,
        allow: None,
        upstream_authorization: None,
        dry_run: false,
    }
}

#[test]
fn with_parameters_in_its_path_a_request_falls_under_the_rule_that_asks_for_more() {
    let rules = [
        rule("open", &["/open/**", "/a;x"], Auth::None),
        rule("maybe", &["/maybe"], Auth::Optional),
        rule("closed", &["/closed", "/b;x"], Auth::Required),
    ];
    for (path, lenient, strict) in [
        ("/open/a", "open", "open"),
        ("/open/a;x", "open", "open"),
        ("/open;x/a", "none", "ambiguous"),
        ("/maybe", "maybe", "maybe"),
        ("/maybe;x", "none", "ambiguous"),
        ("/closed", "closed", "closed"),
        ("/closed;x=1", "closed", "ambiguous"),
        ("/closed%3bx", "closed", "ambiguous"),
        ("/a;x", "none", "ambiguous"),
        ("/b;x", "closed", "ambiguous"),
        ("/c;x", "none", "none"),
        ("/c", "none", "none"),
    ] {
        for (is_strict, want) in [(false, lenient), (true, strict)] {
            let got = match choose(&rules, &line(Some("h"), Some(path), "GET"), is_strict) {
                Choice::None => "none",
                Choice::One(index, rule) => {
                    assert_eq!(rules.get(index).map(|r| &r.name), Some(&rule.name));
                    &rule.name
                }
                Choice::Ambiguous => "ambiguous",
            };
            assert_eq!(got, want, "{path}, strict: {is_strict}");
        }
    }
}

#[test]
fn only_a_request_with_a_host_and_a_path_gets_by_without_a_token() {
    for (host, path, whole) in [
        (Some("h"), Some("/"), true),
        (Some("h"), Some("*"), false),
        (Some("h"), Some(""), false),
        (Some("h"), None, false),
        (Some(""), Some("/"), false),
        (None, Some("/"), false),
        (None, None, false),
    ] {
        for (auth, want) in [(Auth::Required, true), (Auth::Optional, whole), (Auth::None, whole)] {
            let rules = [Rule { matcher: Matcher::default(), ..rule("all", &[], auth) }];
            let got = matches!(choose(&rules, &line(host, path, "GET"), true), Choice::One(0, _));
            assert_eq!(got, want, "{host:?} {path:?} {auth:?}");
        }
    }
}

#[test]
fn a_header_and_rows_cost_at_least_one_token() {
    for (cost, least) in [
        (Cost::Fixed(1), 1),
        (Cost::Fixed(7), 7),
        (Cost::Header { name: "x-batch".into(), max: 100 }, 1),
        (Cost::Rows { max: 100 }, 1),
    ] {
        assert_eq!(cost.least(), least, "{cost:?}");
    }
}

#[test]
fn the_secret_of_a_header_is_for_the_header_alone() {
    let secret = HeaderSecret::new("Bearer hush".into());
    assert_eq!(secret.expose(), "Bearer hush");
    assert_eq!(format!("{secret:?}"), "HeaderSecret");
}
