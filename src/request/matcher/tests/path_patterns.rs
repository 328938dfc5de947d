//! Which paths match, and the text of named segments.

use super::*;
use crate::request::path_pattern::PathPatternError;

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
