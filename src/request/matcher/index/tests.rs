use proptest::prelude::*;

use super::*;
use crate::request::header_pattern::Fit;
use crate::request::headers::Headers;

/// Few texts, so that patterns and requests meet: other letter cases, escapes, empty segments.
fn pattern() -> impl Strategy<Value = String> {
    let segments = prop::sample::select(vec![
        "a", "b", "A", "%61", "a%2fb", "a%2Fb", "", "*", "a*", "*:b", "models", "%2", "a;x",
    ]);
    let path = (prop::collection::vec(segments, 0..11), any::<bool>());
    path.prop_map(|(segments, rest)| {
        format!("/{}{}", segments.join("/"), if rest { "/**" } else { "" })
    })
}

pub(crate) fn path() -> impl Strategy<Value = String> {
    let segments = prop::sample::select(vec![
        "a", "b", "A", "%61", "%41", "a%2fb", "a%2Fb", "", "ab", "a:b", "c:b", "models", "MODELS",
        "%2", "a;x", "%",
    ]);
    prop::collection::vec(segments, 0..11).prop_map(|segments| format!("/{}", segments.join("/")))
}

pub(crate) fn host() -> impl Strategy<Value = String> {
    let labels = prop::sample::select(vec!["a", "b", "A"]);
    prop::collection::vec(labels, 1..12).prop_map(|labels| labels.join("."))
}

pub(crate) fn matcher() -> impl Strategy<Value = Matcher> {
    let host = (host(), any::<bool>()).prop_map(|(host, suffix)| match suffix {
        true => HostPattern::Suffix(format!(".{}", host.to_ascii_lowercase())),
        false => HostPattern::Exact(host.to_ascii_lowercase()),
    });
    let paths = prop::collection::vec(pattern(), 1..4).prop_map(|paths| {
        paths.iter().filter_map(|path| PathPattern::parse(path).ok()).collect::<Vec<_>>()
    });
    let foldings = any::<(bool, bool)>();
    let hosts = prop::option::of(prop::collection::vec(host, 1..3));
    (hosts, prop::option::of(paths), foldings).prop_map(
        |(hosts, paths, (ignore_case, ignore_trailing_slash))| Matcher {
            hosts,
            paths,
            ignore_case,
            ignore_trailing_slash,
            ..Matcher::default()
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
            (prop::option::of(host()), prop::option::of(path()), any::<bool>()),
            50,
        ),
    ) {
        let index = Index::new(matchers.iter());
        let headers = Headers::default();
        for (host, path, decoded) in &requests {
            let request = Reading {
                host: host.as_ref().map(String::as_bytes),
                path: path.as_ref().map(String::as_bytes),
                decoded: *decoded,
                method: b"GET",
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
    let headers = Headers::default();
    let (host, path) = (Some(host.as_bytes()), Some(path.as_bytes()));
    let request = Reading { host, path, decoded: true, method: b"GET", headers: &headers };
    Index::new(matchers.iter()).candidates(&request).count()
}

#[test]
fn one_of_a_thousand_matchers_is_found_alone() {
    let of = |each: &dyn Fn(usize) -> (String, String)| -> Vec<Matcher> {
        let matcher = |number| {
            let (host, path) = each(number);
            Matcher {
                hosts: Some(vec![match host.strip_prefix('*') {
                    Some(suffix) => HostPattern::Suffix(suffix.to_owned()),
                    None => HostPattern::Exact(host),
                }]),
                paths: Some(vec![PathPattern::parse(&path).unwrap()]),
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
        (&|n| (format!("r{n}.test"), p()), "r7.test", "/score"),
        (&|n| (format!("*.r{n}.test"), p()), "x.y.r7.test", "/score"),
        (&|n| (format!("r{}.test", n / 10), format!("/m{}", n % 10)), "r7.test", "/m3"),
    ] {
        assert_eq!(found(&of(each), host, path), 1, "{host}{path}");
    }
}
