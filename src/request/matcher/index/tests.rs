use proptest::prelude::*;

use super::*;
use crate::request::header_pattern::{Fit, HeaderPattern};
use crate::request::headers::Headers;
use crate::request::host_pattern::HostPattern;
use crate::request::matcher::AnyOf;
use crate::request::matcher::tests::paths;
use crate::request::path_pattern::PathPattern;

/// Few texts, so that patterns and requests meet: other letter cases, escapes, empty segments.
fn pattern() -> impl Strategy<Value = String> {
    let segments = prop::sample::select(vec![
        "a", "b", "A", "%61", "a%2fb", "a%2Fb", "", "*", "a*", "*:b", "models", "%2", "a;x",
        "%41*", "a*b", "*%2f", "a%*", "*A", "ab*",
    ]);
    let path = (prop::collection::vec(segments, 0..20), any::<bool>());
    path.prop_map(|(segments, rest)| {
        format!("/{}{}", segments.join("/"), if rest { "/**" } else { "" })
    })
}

pub(crate) fn path() -> impl Strategy<Value = String> {
    let segments = prop::sample::select(vec![
        "a", "b", "A", "%61", "%41", "a%2fb", "a%2Fb", "", "ab", "a:b", "c:b", "models", "MODELS",
        "%2", "a;x", "%", "aab", "%61b", "ab%2F", "x%41", "a%%62", "ABA",
    ]);
    prop::collection::vec(segments, 0..20).prop_map(|segments| format!("/{}", segments.join("/")))
}

pub(crate) fn host() -> impl Strategy<Value = String> {
    let labels = prop::sample::select(vec!["a", "b", "A"]);
    prop::collection::vec(labels, 1..12).prop_map(|labels| labels.join("."))
}

fn host_pattern() -> impl Strategy<Value = HostPattern> {
    (host(), any::<bool>()).prop_map(|(host, suffix)| match suffix {
        true => HostPattern::Suffix(format!(".{}", host.to_ascii_lowercase())),
        false => HostPattern::Exact(host.to_ascii_lowercase()),
    })
}

pub(crate) fn method() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["GET", "get", "POST"]).prop_map(str::to_owned)
}

/// A name and a value of a header. Names have several spellings, and values are lists.
pub(crate) fn header() -> impl Strategy<Value = (String, String)> {
    let names = prop::sample::select(vec!["x-a", "x_a", "X.A", "x-b", "x", "x-aa"]);
    let values = prop::collection::vec(prop::sample::select(vec!["a", "A", " a", "b\t", ""]), 0..4);
    (names, values).prop_map(|(name, values)| (name.to_owned(), values.join(",")))
}

fn header_pattern() -> impl Strategy<Value = HeaderPattern> {
    (header(), any::<bool>()).prop_map(|((name, value), is_present)| HeaderPattern {
        name: name.to_ascii_lowercase(),
        value: (!is_present).then_some(value),
    })
}

pub(crate) fn matcher() -> impl Strategy<Value = Matcher> {
    let paths = prop::collection::vec(pattern(), 1..4)
        .prop_map(|paths| paths.iter().filter_map(|path| PathPattern::parse(path).ok()).collect());
    let foldings = any::<(bool, bool)>();
    let hosts = prop::option::of(prop::collection::vec(host_pattern(), 1..3));
    let methods = prop::option::of(prop::collection::vec(method(), 1..3));
    let headers = prop::collection::vec(header_pattern(), 0..3);
    (hosts, prop::option::of(paths), methods, headers, foldings).prop_map(
        |(hosts, paths, methods, headers, (ignore_case, ignore_trailing_slash))| Matcher {
            hosts: hosts.map(AnyOf::from),
            paths,
            ignore_case,
            ignore_trailing_slash,
            encoded_slash: None,
            methods,
            headers,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// 50 requests for each list of matchers: 100,000 in all.
    #[test]
    fn every_matcher_that_fits_is_found_and_in_order(
        matchers in prop::collection::vec(matcher(), 0..40),
        requests in prop::collection::vec(
            (prop::option::of(host()), prop::option::of(path()), any::<bool>(), method()),
            50,
        ),
        headers in prop::collection::vec(header(), 0..8),
    ) {
        let index = Index::new(matchers.iter());
        let headers = Headers::from_pairs(&headers);
        for (host, path, decoded, method) in &requests {
            let request = Reading {
                host: host.as_ref().map(String::as_bytes),
                path: path.as_ref().map(String::as_bytes),
                decoded: *decoded,
                method: method.as_bytes(),
                headers: &headers,
            };
            let found: Vec<usize> = index.candidates(&request).collect();
            prop_assert!(found.is_sorted_by(|one, next| one < next), "{found:?}");
            for (at, matcher) in matchers.iter().enumerate() {
                let fits = matcher.fit(&request) != Fit::No;
                prop_assert!(!fits || found.contains(&at), "{matcher:?} {host:?} {path:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// 50 requests for each list of patterns: 100,000 in all.
    #[test]
    fn a_long_list_of_one_rule_matches_as_its_patterns_alone(
        paths in prop::collection::vec(pattern(), 9..14),
        hosts in prop::collection::vec(host_pattern(), 9..12),
        foldings in any::<(bool, bool)>(),
        requests in prop::collection::vec((host(), path(), any::<bool>()), 50),
    ) {
        let whole = Matcher {
            paths: Some(paths.iter().filter_map(|text| PathPattern::parse(text).ok()).collect()),
            ignore_case: foldings.0,
            ignore_trailing_slash: foldings.1,
            ..Matcher::default()
        };
        let only = |path: &PathPattern| {
            Matcher { paths: Some(vec![path.clone()].into()), ..whole.clone() }
        };
        let each: Vec<Matcher> = whole.paths.iter().flatten().map(only).collect();
        let of_hosts = Matcher { hosts: Some(hosts.clone().into()), ..Matcher::default() };
        let headers = Headers::default();
        for (host, path, decoded) in &requests {
            let request = Reading {
                host: Some(host.as_bytes()),
                path: Some(path.as_bytes()),
                decoded: *decoded,
                method: b"GET",
                headers: &headers,
            };
            let any = each.iter().any(|matcher| matcher.matches(&request));
            prop_assert_eq!(whole.matches(&request), any, "{} {:?}", path, paths);
            let any = hosts.iter().any(|pattern| pattern.matches(host.as_bytes()));
            prop_assert_eq!(of_hosts.matches(&request), any, "{} {:?}", host, hosts);
        }
    }

    #[test]
    fn a_name_in_a_long_list_is_read_by_the_first_pattern_that_has_it(
        patterns in prop::collection::vec("/([ab]|\\{n\\}|\\*|[ab]\\{m\\}){1}(/([ab]|\\{m\\})){0,2}", 9..20),
        path in "/[ab]{1,2}(/[ab]){0,2}",
    ) {
        let patterns: AnyOf<_> =
            patterns.iter().filter_map(|text| PathPattern::parse(text).ok()).collect();
        let whole = Matcher { paths: Some(patterns.clone()), ..Matcher::default() };
        for name in ["n", "m"] {
            let alone = |path: &PathPattern| {
                Matcher { paths: Some(vec![path.clone()].into()), ..Matcher::default() }
            };
            let mut each = patterns.iter().map(alone);
            let first = each.find_map(|matcher| matcher.segment(name, path.as_bytes()));
            prop_assert_eq!(whole.segment(name, path.as_bytes()), first);
        }
    }
}

proptest! {
    #[test]
    fn every_matcher_that_covers_another_is_found(
        matchers in prop::collection::vec(matcher(), 1..40),
        other in matcher(),
    ) {
        let index = Index::new(matchers.iter());
        let found: Vec<usize> = index.wider(&other).collect();
        for (at, matcher) in matchers.iter().enumerate() {
            prop_assert!(!matcher.covers(&other) || found.contains(&at), "{matcher:?} {other:?}");
        }
    }
}

/// How many of the matchers are found for a request.
fn found(matchers: &[Matcher], host: &str, path: &str) -> usize {
    found_by(matchers, host, path, "GET", &[])
}

fn found_by(
    matchers: &[Matcher],
    host: &str,
    path: &str,
    method: &str,
    headers: &[(&str, &str)],
) -> usize {
    let (host, path) = (Some(host.as_bytes()), Some(path.as_bytes()));
    let (method, headers) = (method.as_bytes(), &Headers::from_pairs(headers));
    let request = Reading { host, path, decoded: true, method, headers };
    Index::new(matchers.iter()).candidates(&request).count()
}

#[test]
fn one_of_a_thousand_matchers_is_found_alone() {
    let of = |each: &dyn Fn(usize) -> (String, String)| -> Vec<Matcher> {
        let matcher = |number| {
            let (host, path) = each(number);
            Matcher {
                hosts: Some(
                    vec![match host.strip_prefix('*') {
                        Some(suffix) => HostPattern::Suffix(suffix.to_owned()),
                        None => HostPattern::Exact(host),
                    }]
                    .into(),
                ),
                paths: Some(vec![PathPattern::parse(&path).unwrap()].into()),
                ..Matcher::default()
            }
        };
        (0..1000).map(matcher).collect()
    };
    let (h, p) = (|| "h".to_owned(), || "/score".to_owned());
    for (each, host, path) in [
        (&(|n| (h(), format!("/r{n}/score"))) as &dyn Fn(usize) -> _, "h", "/r7/score"),
        (&|n| (h(), format!("/r{n}/**")), "h", "/r7/x/y"),
        (&|n| (h(), format!("/v1/tenants/*/r{n}/*:predict")), "h", "/v1/tenants/t/r7/m:predict"),
        (&|n| (h(), format!("/models/*:r{n}")), "h", "/models/m:r7"),
        (&|n| (h(), format!("/models/r{n}-*/x")), "h", "/models/r7-m/x"),
        (&|n| (h(), format!("/a/a/a/a/a/a/a/a/a/a/a/r{n}")), "h", "/a/a/a/a/a/a/a/a/a/a/a/r7"),
        (&|n| (format!("r{n}.test"), p()), "r7.test", "/score"),
        (&|n| (format!("*.r{n}.test"), p()), "x.y.r7.test", "/score"),
        (&|n| (format!("r{}.test", n / 10), format!("/m{}", n % 10)), "r7.test", "/m3"),
    ] {
        assert_eq!(found(&of(each), host, path), 1, "{host}{path}");
    }
}

#[test]
fn one_of_a_thousand_matchers_by_method_or_header_is_found_alone() {
    type Headers = Vec<(String, Option<String>)>;
    let of = |each: &dyn Fn(usize) -> (String, Headers)| -> Vec<Matcher> {
        let matcher = |number| {
            let (method, headers) = each(number);
            let pattern = |(name, value)| HeaderPattern { name, value };
            Matcher {
                methods: Some(vec![method]),
                headers: headers.into_iter().map(pattern).collect(),
                ..paths(&["/score"])
            }
        };
        (0..1000).map(matcher).collect()
    };
    let get = || "GET".to_owned();
    let value = |number| Some(format!("v{number}"));
    let a = |value| vec![("x-a".to_owned(), value)];
    for (each, method, headers) in [
        (&(|n| (format!("M{n}"), vec![])) as &dyn Fn(usize) -> _, "M7", &[][..]),
        (&|n| (get(), a(value(n))), "GET", &[("x-a", "v7")]),
        (&|n| (get(), a(value(n))), "GET", &[("X_A", "other, v7")]),
        (&|n| (format!("M{}", n / 10), a(value(n % 10))), "M3", &[("x-a", "v7")]),
        (&|n| (get(), vec![(format!("x-{n}"), None)]), "GET", &[("x-7", "")]),
        (
            &|n| (get(), [a(None), vec![("x-b".into(), value(n))]].concat()),
            "GET",
            &[("x-a", "1"), ("x-b", "v7")],
        ),
    ] {
        assert_eq!(found_by(&of(each), "h", "/score", method, headers), 1, "{headers:?}");
    }
}
